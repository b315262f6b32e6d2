//! A statement that ends too late, or that nobody waits for any more, takes nothing along.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use directory::{
    Error,
    store::{AmongUsers, Store as _},
};
use rand::{SeedableRng as _, rngs::SmallRng};
use storage::{Database, Options};

use super::{CONNECTIONS, backends, cases::Asker, world::Plan};

#[tokio::test]
async fn a_connection_is_of_use_after_a_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("directory.db").display());
    let patient = Database::open(&url, Options { connections: 1, ..Options::default() }).await.unwrap();
    patient.migrate().await.unwrap();
    let workspace = Plan::generate(1).import(&patient).await.id.unwrap();
    let hasty = Database::open(&url, Options { connections: 1, statement_time: Duration::ZERO, ..Options::default() }).await.unwrap();
    let mut late = 0;
    for _ in 0..50_000 {
        if late > 0 {
            break;
        }
        // A statement that answers before anybody looked at the clock is not late.
        match hasty.snapshot(workspace).await {
            Err(Error::Deadline) => late += 1,
            found => assert!(found.unwrap().is_some()),
        }
        assert_eq!(hasty.workspaces().await.unwrap().len(), 1, "what has no deadline does not end at that of another");
    }
    assert!(late > 0, "no statement was late");
}

#[tokio::test]
async fn a_read_that_is_given_up_leaves_the_connection_free() {
    for backend in backends().await {
        let world = Plan::generate(1).import(&backend.store).await;
        let mut asker = Asker { world: &world, rng: SmallRng::seed_from_u64(1) };
        let list = std::iter::repeat_with(|| asker.users()).find(|list| matches!(list.among, AmongUsers::All)).unwrap();
        let open = async || backend.store.snapshot(world.id.unwrap()).await.unwrap().unwrap();
        let expected = open().await.count_users(&list).await.unwrap();
        // On a busy machine an answer may be there before anybody looks.
        let mut given_up = 0;
        for _ in 0..5_000 {
            if given_up > CONNECTIONS {
                break;
            }
            let mut snapshot = open().await;
            {
                let mut answer = pin!(snapshot.count_users(&list));
                given_up += u32::from(poll_fn(|context| Poll::Ready(answer.as_mut().poll(context).is_pending())).await);
            }
            drop(snapshot);
            assert_eq!(open().await.count_users(&list).await.unwrap(), expected, "{}", backend.name);
        }
        assert!(given_up > CONNECTIONS, "{}: {given_up} reads were given up; the other answers were there at once", backend.name);
    }
}
