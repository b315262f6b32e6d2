//! Scope against check: what a policy's scope admits as SQL is what its check admits in the guest, row by row.
//!
//! Through the gate, without HTTP: each kind's whole list on one side, all of its rows by id on the other. A row in one and not in the
//! other, with other fields, or counted otherwise is a disagreement. `BAILIWICK_TEST_SEED` starts elsewhere.

use std::{collections::HashMap, fmt::Debug, str::FromStr};

use directory::{
    Error, Visible,
    access::{Ask, Count, Directory, Page},
    ids::{GrantId, GroupId, MembershipId, RoleId, UserId},
    query::{Order, Window},
    store::{AmongGrants, AmongGroups, AmongMemberships, AmongRoles, AmongUsers},
};
use tests::{
    Backend, TestHost,
    dice::{self, Dice},
    generate,
    model::World,
    naive::{
        need_to_know::NeedToKnow,
        policy::{Asker, Policy},
        standard::{Mode, Standard},
    },
    on_each_database,
};

/// Pairs of a row and a policy with its subject, over all databases.
const PAIRS: usize = 1_000_000;
/// Steps of size of each workspace: up to 240 people. Many small ones say more than a few large ones.
const SIZE: usize = 40;
/// Subjects under one policy.
const ASKERS: usize = 3;
/// Policies of one workspace: every mode of `standard`, `need-to-know` in front of one, and rules.
const POLICIES: usize = 30;

#[test]
fn scopes_admit_what_checks_admit() {
    let wanted = PAIRS / Backend::available().len();
    on_each_database(async |host: &TestHost| {
        let mut pairs = 0;
        let mut visible = 0;
        for seed in dice::first_seed().. {
            let mut dice = Dice::seeded(seed);
            let mut world = generate::world(&mut dice, format!("pairs{seed}"), SIZE);
            host.import_world(&mut world, "").await;
            for at in 0..POLICIES {
                let policy = policy(&mut dice, &world, at);
                host.activate(&world, &policy).await;
                for _ in 0..ASKERS {
                    let asker = Asker { person: Some(somebody(&mut dice, &world)), scopes: None };
                    let directory = host.directory(&world, &asker).await;
                    let (of_rows, seen) = compare(&directory, &world).await.unwrap_or_else(|difference| {
                        panic!("BAILIWICK_TEST_SEED={seed}, policy {at}\n{asker:?}\n{policy:?}\n{difference}")
                    });
                    pairs += of_rows;
                    visible += seen;
                    if pairs >= wanted {
                        assert!(visible > pairs / 20 && visible < pairs / 20 * 19, "{visible} of {pairs} say little");
                        println!("{:?}: {pairs} pairs, {visible} of them visible, no disagreement", host.backend);
                        return;
                    }
                }
            }
        }
    });
}

fn policy(dice: &mut Dice, world: &World, at: usize) -> Policy {
    let standard = |mode: usize| Standard::new(Mode::ALL[mode % Mode::ALL.len()]);
    match at {
        0..=3 => Policy::Standard(standard(at)),
        4..=5 => Policy::NeedToKnow(NeedToKnow { standard: standard(at) }),
        _ => Policy::Rules(generate::policies::rules(dice, world), standard(at)),
    }
}

/// An active person; often one of the few who manage the top group.
fn somebody(dice: &mut Dice, world: &World) -> usize {
    let active: Vec<usize> = (0..world.people.len()).filter(|person| world.people[*person].status == "active").collect();
    let top: Vec<usize> = active.iter().copied().filter(|person| world.people[*person].manages_top).collect();
    let from = if dice.one_in(4) && !top.is_empty() { &top } else { &active };
    *dice.pick(from)
}

/// Compares all rows of all kinds; how many there are, and how many of them are visible.
async fn compare(directory: &Directory, world: &World) -> Result<(usize, usize), String> {
    let (mut rows, mut seen) = (0, 0);
    macro_rules! kind {
        ($rows:expr, $id:ty, $all:expr, $list:ident, $count:ident, $by_id:ident) => {
            let ids: Vec<$id> = $rows.iter().map(|row| parsed(&row.id)).collect();
            let window = Window { rows: ids.len().max(1), ..Window::default() };
            let ask = Ask { among: $all, filter: None, order: Order::default(), window };
            let listed = directory.$list(ask.clone()).await;
            let counted = directory.$count(ask).await;
            let found = directory.$by_id(&ids).await;
            rows += ids.len();
            seen += agree(stringify!($list), &ids, listed, counted, found, |row| row.id)?;
        };
    }
    kind!(world.people, UserId, AmongUsers::All, list_users, count_users, users);
    kind!(world.groups, GroupId, AmongGroups::All, list_groups, count_groups, groups);
    kind!(world.roles, RoleId, AmongRoles::All, list_roles, count_roles, roles);
    kind!(world.memberships, MembershipId, AmongMemberships::All, list_memberships, count_memberships, memberships);
    kind!(world.grants, GrantId, AmongGrants::All, list_grants, count_grants, grants);
    match directory.cost().await.defects {
        0 => Ok((rows, seen)),
        defects => Err(format!("{defects} rows that an exact scope admits and check does not")),
    }
}

fn agree<I: Copy + Eq + std::hash::Hash + Debug, R: Debug + PartialEq>(
    list: &str,
    ids: &[I],
    listed: Result<Vec<Page<R>>, Error>,
    counted: Result<Vec<Count>, Error>,
    found: Result<Vec<Option<Visible<R>>>, Error>,
    id: fn(&R) -> I,
) -> Result<usize, String> {
    let said = |error: Error| format!("{list}: {error:?}");
    let pages = listed.map_err(said)?;
    let listed: HashMap<I, &Visible<R>> = pages.iter().flat_map(|page| &page.rows).map(|(_, row)| (id(row), row)).collect();
    let found = found.map_err(said)?;
    for (id, checked) in ids.iter().zip(&found) {
        if listed.get(id).copied() != checked.as_ref() {
            return Err(format!("{list}: {id:?}: by scope {:?}, by check {checked:?}", listed.get(id)));
        }
    }
    match counted.map_err(said)?.as_slice() {
        [Count::Unknown] => Ok(listed.len()),
        [Count::Exact(count)] if *count == listed.len() as u64 => Ok(listed.len()),
        counted => Err(format!("{list}: {} rows are counted as {counted:?}", listed.len())),
    }
}

fn parsed<I: FromStr>(id: &str) -> I
where
    I::Err: Debug,
{
    id.parse().unwrap()
}
