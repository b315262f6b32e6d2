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
async fn whoever_reads_keeps_nobody_from_writing_and_no_workspace_keeps_others_from_reading() {
    for backend in backends().await {
        let connections = 16;
        let store = Database::open(&backend.url, Options { connections, ..Options::default() }).await.unwrap();
        let [one, other] = [Plan::generate(1).import(&store).await, Plan::generate(2).import(&store).await].map(|world| world.id.unwrap());
        let mut views = Vec::new();
        while let Ok(view) = tokio::time::timeout(Duration::from_millis(500), store.snapshot(one)).await {
            views.push(view.unwrap().unwrap());
            assert!(views.len() < 16, "{}: one workspace may have them all", backend.name);
        }
        assert!(views.len() >= 6, "{}: {}", backend.name, views.len());
        let meanwhile = async {
            let mut view = store.snapshot(other).await.unwrap().unwrap();
            assert!(view.head().await.is_ok());
            while let Ok(view) = tokio::time::timeout(Duration::from_millis(100), store.snapshot(other)).await {
                views.push(view.unwrap().unwrap());
            }
            // Now every connection that reads is taken, and still the next writes.
            super::tokens::create_one(&store, one).await;
        };
        assert!(tokio::time::timeout(Duration::from_secs(8), meanwhile).await.is_ok(), "{}: a neighbour waits", backend.name);
    }
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
