//! Keeps what a host has loaded in step with what is active, on whichever host of the database it was activated.
//!
//! What decides a request is read by the request; nothing here can make that wrong. It only sees to it that the module is there before the
//! first request that needs it, and that the operator learns where one is not.

use std::{collections::HashSet, sync::Arc, time::Duration};

use directory::{
    access::Gate,
    contract::Digest,
    ids::WorkspaceId,
    store::{PolicyEvent, PolicyNews},
};
use metrics::counter;
use tokio::{
    sync::{Notify, mpsc},
    time::{sleep, timeout},
};

/// Activations that wait to be looked at; where there are more, everything is looked at.
const ACTIVATIONS: usize = 1_024;
/// Uploads that wait to be loaded ahead; more are loaded when they are activated.
const UPLOADS: usize = 16;

/// How long it waits for what.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// From one look at everything to the next: how long an activation goes unnoticed that nobody told of.
    pub look: Duration,
    /// Before it listens again after it could not, doubled each time up to the pause between looks; and between two looks at least.
    pub again: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self { look: Duration::from_secs(30), again: Duration::from_secs(1) }
    }
}

/// Loads everything that is active, and from then on what is activated, for ever. The gate is loading from the call on.
pub fn follow(gate: Arc<Gate>, pauses: Pauses) -> impl Future<Output = ()> + Send {
    let everything = gate.load_active();
    async move {
        let missed = Notify::new();
        let (activations, activated) = mpsc::channel(ACTIVATIONS);
        let (uploads, uploaded) = mpsc::channel(UPLOADS);
        let ear = Ear { missed: &missed, activations, uploads };
        let looking = async {
            everything.await;
            look(&gate, pauses, &missed).await;
        };
        tokio::join!(looking, ear.listen(gate.store().news(), pauses), load(&gate, activated), load_ahead(&gate, uploaded));
    }
}

/// Looks at everything, again and again, and sooner where something was missed.
async fn look(gate: &Gate, pauses: Pauses, missed: &Notify) {
    loop {
        // However often a connection breaks, looks are no load.
        sleep(pauses.again).await;
        let _nothing_missed = timeout(pauses.look, missed.notified()).await;
        if let Err(error) = gate.look().await {
            tracing::warn!(target: "policy", %error, "the active policies can not be looked at, which is tried again");
        }
    }
}

/// Hands on what is heard, and never waits for whoever acts on it: what nobody takes off the connection piles up in the database.
struct Ear<'a> {
    missed: &'a Notify,
    activations: mpsc::Sender<WorkspaceId>,
    uploads: mpsc::Sender<(WorkspaceId, Digest)>,
}

impl Ear<'_> {
    async fn listen(self, mut news: Box<dyn PolicyNews>, pauses: Pauses) {
        let mut pause = pauses.again;
        loop {
            match news.next().await {
                Ok(event) => {
                    pause = pauses.again;
                    self.hear(event);
                }
                Err(error) => {
                    tracing::warn!(target: "policy", %error, ?pause, "nobody tells of activations elsewhere, which are looked for meanwhile");
                    sleep(pause).await;
                    pause = (2 * pause).min(pauses.look.max(pauses.again));
                }
            }
        }
    }

    fn hear(&self, event: PolicyEvent) {
        let kind = match event {
            PolicyEvent::Activated(workspace) => {
                if self.activations.try_send(workspace).is_err() {
                    self.missed.notify_one();
                }
                "activated"
            }
            PolicyEvent::Uploaded(workspace, digest) => {
                if self.uploads.try_send((workspace, digest)).is_err() {
                    tracing::debug!(target: "policy", %workspace, %digest, "too many uploads at once; this one is loaded when it is activated");
                }
                "uploaded"
            }
            PolicyEvent::Missed => {
                self.missed.notify_one();
                "missed"
            }
        };
        counter!("policy_news_total", "kind" => kind).increment(1);
    }
}

async fn load(gate: &Gate, mut activated: mpsc::Receiver<WorkspaceId>) {
    let mut heard = Vec::new();
    while activated.recv_many(&mut heard, ACTIVATIONS).await > 0 {
        // However often a workspace changed its mind, only what decides now is loaded.
        let workspaces: HashSet<WorkspaceId> = heard.drain(..).collect();
        for workspace in workspaces {
            if let Err(error) = gate.load_workspace(workspace).await {
                tracing::warn!(target: "policy", %workspace, %error, "what was activated can not be looked at; the next look does");
            }
        }
    }
}

async fn load_ahead(gate: &Gate, mut uploaded: mpsc::Receiver<(WorkspaceId, Digest)>) {
    while let Some((workspace, digest)) = uploaded.recv().await {
        if let Err(failure) = gate.load_ahead(workspace, digest).await {
            tracing::info!(target: "policy", %workspace, %digest, %failure, "an uploaded module does not load on this host");
        }
    }
}
