//! Lists and counts agree with the naive evaluation, on both databases.

use directory::store::{Listed, Store as _};
use rand::{SeedableRng as _, rngs::SmallRng};

use super::{
    backends,
    cases::Asker,
    naive::{Naive, Place, answer},
    world::Plan,
};

const WORLDS: u64 = 8;
const QUESTIONS: usize = 200;

fn places<T>(rows: &[Listed<T>]) -> Vec<(usize, Place)> {
    rows.iter().map(|row| (row.parent, (row.keyset.key.clone(), row.keyset.id))).collect()
}

/// Asks one kind of list of every world of every database.
macro_rules! agrees {
    ($name:ident, $ask:ident, $naive:ident, $list:ident, $count:ident) => {
        #[tokio::test]
        async fn $name() {
            for backend in backends().await {
                let mut met = 0;
                for seed in 0..WORLDS {
                    let world = Plan::generate(seed).import(&backend.store).await;
                    let mut asker = Asker { world: &world, rng: SmallRng::seed_from_u64(seed) };
                    let workspace = world.id.expect("an id");
                    let mut snapshot = backend.store.snapshot(workspace).await.expect("a snapshot").expect("the workspace");
                    for question in 0..QUESTIONS {
                        let list = asker.$ask();
                        let naive = Naive { world: &world, sight: &list.sight };
                        let (rows, counts) = answer(naive.$naive(&list), list.order.direction, &list.window);
                        let context = || format!("{}, world {seed}, question {question}: {list:#?}", backend.name);
                        let before = snapshot.statements();
                        let found = snapshot.$list(&list).await.unwrap_or_else(|error| panic!("{error}: {}", context()));
                        assert!(snapshot.statements() <= before + 4, "{}", context());
                        assert_eq!(places(&found), rows, "{}", context());
                        let counted = snapshot.$count(&list).await.unwrap_or_else(|error| panic!("{error}: {}", context()));
                        assert_eq!(counted, counts, "{}", context());
                        met += usize::from(!rows.is_empty());
                    }
                }
                assert!(met > QUESTIONS / 2, "{}: only {met} questions had an answer", backend.name);
            }
        }
    };
}

agrees!(lists_of_users_agree, users, users, list_users, count_users);
agrees!(lists_of_groups_agree, groups_list, groups, list_groups, count_groups);
agrees!(lists_of_roles_agree, roles, roles, list_roles, count_roles);
agrees!(lists_of_memberships_agree, memberships, memberships, list_memberships, count_memberships);
agrees!(lists_of_grants_agree, grants, grants, list_grants, count_grants);
