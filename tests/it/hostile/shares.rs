//! Workspaces that take all that they can get: what they may have of the sandbox, and that their neighbours do not miss it. Counted, not
//! timed: the stopwatch stands still, or goes as the test says.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use directory::contract::{Digest, Engine, Failure};
use policy::{Sandbox, SandboxConfig, ShareLimits, Stopwatch};

use super::{
    facts::{check, config, load, workspace},
    guest::{Guest, Part::Check},
    table::named,
};

const ATTACKER: u32 = 1;
const NEIGHBOUR: u32 = 2;

/// A sandbox in which a workspace has two guests, one call at a time, and 150,000,000 units of fuel a second; and its seconds.
fn shared(own: Vec<Digest>) -> (Sandbox, Arc<AtomicU64>) {
    let seconds = Arc::new(AtomicU64::new(0));
    let read = Arc::clone(&seconds);
    let config = SandboxConfig {
        instances: 8,
        threads: 2,
        wait_ms: 20,
        share: ShareLimits { guests: 2, calls: 1, fuel_a_second: 150_000_000 },
        stopwatch: Stopwatch::new(move || Duration::from_secs(read.load(Ordering::Relaxed))),
        own,
        ..config()
    };
    (Sandbox::new(&config).unwrap(), seconds)
}

/// Loops to the end of its fuel in every check.
fn looping() -> Vec<u8> {
    Guest::new().armed(Check, "(loop $forever (br $forever)) (unreachable)").component()
}

async fn ask(sandbox: &Sandbox, of: u32, digest: Digest) -> Result<(), Failure> {
    let mut session = sandbox.session(workspace(of), digest)?;
    check(&mut *session, 1).await.map(drop)
}

#[tokio::test]
async fn who_loops_pays_for_it_and_the_neighbour_does_not() {
    let (sandbox, seconds) = shared(Vec::new());
    let looping = load(&sandbox, looping()).await.unwrap();
    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    // Two calls of 100 millions are more than one second has.
    for _ in 0..2 {
        assert!(matches!(ask(&sandbox, ATTACKER, looping).await, Err(Failure::Fuel(_))));
    }
    named("loops-in-request-after-request").stops(&ask(&sandbox, ATTACKER, looping).await.unwrap_err().to_string());
    // What it owes, it owes with every module.
    assert!(matches!(ask(&sandbox, ATTACKER, behaving).await, Err(Failure::Share(_))));
    for _ in 0..100 {
        assert_eq!(ask(&sandbox, NEIGHBOUR, behaving).await, Ok(()));
        assert_eq!(ask(&sandbox, NEIGHBOUR, behaving).await, Ok(()));
    }
    seconds.store(1, Ordering::Relaxed);
    assert_eq!(ask(&sandbox, ATTACKER, behaving).await, Ok(()), "what comes in is for everybody's use");
}

#[tokio::test]
async fn a_workspace_keeps_so_many_guests_and_leaves_the_rest_to_others() {
    let (sandbox, _) = shared(Vec::new());
    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut session = sandbox.session(workspace(ATTACKER), behaving).unwrap();
        check(&mut *session, 1).await.unwrap();
        kept.push(session);
    }
    named("keeps-its-guests").stops(&ask(&sandbox, ATTACKER, behaving).await.unwrap_err().to_string());
    for session in &mut kept {
        assert!(check(&mut **session, 1).await.is_ok(), "those that it has go on");
    }
    assert_eq!(ask(&sandbox, NEIGHBOUR, behaving).await, Ok(()));
}

#[tokio::test]
async fn a_caller_who_leaves_is_paid_for() {
    let (sandbox, seconds) = shared(Vec::new());
    let looping = load(&sandbox, looping()).await.unwrap();
    let behaving = load(&sandbox, Guest::new().component()).await.unwrap();
    let mut paid = None;
    for _ in 0..1_000 {
        // Asks, and is gone before there is an answer. A call that has begun keeps the workspace's one turn to its end, and is paid then.
        let mut session = sandbox.session(workspace(ATTACKER), looping).unwrap();
        drop(tokio::time::timeout(Duration::from_millis(1), check(&mut *session, 1)).await);
        drop(session);
        assert_eq!(ask(&sandbox, NEIGHBOUR, behaving).await, Ok(()));
        match ask(&sandbox, ATTACKER, behaving).await {
            Err(refused) if refused.to_string().contains("fuel a second") => {
                paid = Some(refused);
                break;
            }
            other => assert!(matches!(other, Ok(()) | Err(Failure::Share(_))), "{other:?}"),
        }
    }
    named("asks-and-hangs-up").stops(&paid.expect("it never pays").to_string());
    seconds.store(1, Ordering::Relaxed);
    assert_eq!(ask(&sandbox, ATTACKER, behaving).await, Ok(()));
}

#[tokio::test]
async fn the_servers_own_module_answers_whoever_owes() {
    let standard = bailiwick::wiring::standard();
    let (sandbox, _) = shared(vec![standard.digest]);
    sandbox.load(&standard).await.unwrap();
    let looping = load(&sandbox, looping()).await.unwrap();
    for _ in 0..2 {
        ask(&sandbox, ATTACKER, looping).await.unwrap_err();
    }
    assert!(matches!(ask(&sandbox, ATTACKER, looping).await, Err(Failure::Share(_))));
    // So what is left to it is answered, and with it, in most workspaces, who may roll back.
    for _ in 0..10 {
        assert_eq!(ask(&sandbox, ATTACKER, standard.digest).await, Ok(()));
    }
}
