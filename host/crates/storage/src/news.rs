//! What the hosts on one Postgres tell one another of policies, by `notify` in the transaction that makes it so. SQLite tells nobody
//! anything.
//!
//! News are hints: what decides is read by every request, and looked at from time to time by every host. So what can not be read is left
//! out, and a connection pooler that lets nobody listen costs a host only the time until its next look.

use async_trait::async_trait;
use directory::{
    Error,
    contract::Digest,
    ids::WorkspaceId,
    store::{PolicyEvent, PolicyNews},
};
use sqlx::{
    Executor as _, PgPool,
    postgres::{PgConnectOptions, PgListener, PgPoolOptions},
};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    Database,
    error::failed,
    exec::Tx,
    limits::{CONNECTION_TIME, PING_TIME, QUIET_TIME},
    sql::sql,
};

/// The channel of a database. Another installation in it hears of workspaces that it does not have.
const CHANNEL: &str = "bailiwick_policies";
/// How the connection that listens is named in `pg_stat_activity`.
const LISTENS: &str = "bailiwick listens";

/// What happens on this database from now on.
pub(crate) fn of(database: &Database) -> Box<dyn PolicyNews> {
    match database {
        Database::Sqlite { .. } => Box::new(Silence),
        Database::Postgres { readers, .. } => Box::new(Listener::new(readers)),
    }
}

const TELL: &str = "select pg_notify({}, {})";

/// Tells every host once the transaction is committed, and nobody if it is not.
pub(crate) async fn tell(tx: &mut Tx, event: PolicyEvent) -> Result<(), Error> {
    match (tx, write(event)) {
        (tx @ Tx::Postgres(_), Some(text)) => tx.execute(sql!(TELL, CHANNEL.to_owned(), text).fixed()).await.map(drop),
        _ => Ok(()),
    }
}

/// An event as it is sent; what was missed is noticed by whoever missed it.
fn write(event: PolicyEvent) -> Option<String> {
    match event {
        PolicyEvent::Activated(workspace) => Some(format!("activated {}", workspace.0.simple())),
        PolicyEvent::Uploaded(workspace, digest) => Some(format!("uploaded {} {digest}", workspace.0.simple())),
        PolicyEvent::Missed => None,
    }
}

/// An event as it was sent, by this server or another.
fn read(text: &str) -> Option<PolicyEvent> {
    let mut words = text.split(' ');
    let (kind, workspace) = (words.next()?, WorkspaceId(Uuid::try_parse(words.next()?).ok()?));
    match (kind, words.next(), words.next()) {
        ("activated", None, _) => Some(PolicyEvent::Activated(workspace)),
        ("uploaded", Some(digest), None) => Some(PolicyEvent::Uploaded(workspace, read_digest(digest)?)),
        _ => None,
    }
}

fn read_digest(text: &str) -> Option<Digest> {
    let mut digest = [0; 32];
    if text.len() != 2 * digest.len() || !text.bytes().all(|letter| letter.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in digest.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(Digest(digest))
}

/// Where nobody is told anything.
struct Silence;

#[async_trait]
impl PolicyNews for Silence {
    async fn next(&mut self) -> Result<PolicyEvent, Error> {
        std::future::pending().await
    }
}

/// Listens on a connection of its own, which no request has to do without.
struct Listener {
    connect: PgConnectOptions,
    listening: Option<PgListener>,
}

impl Listener {
    fn new(pool: &PgPool) -> Self {
        let connect = pool.connect_options().as_ref().clone().application_name(LISTENS);
        Self { connect, listening: None }
    }

    /// A new connection has a pool of its own: one that is dead may keep its place for as long as the system believes in it.
    async fn listen(&self) -> Result<PgListener, Error> {
        let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECTION_TIME).max_lifetime(None).idle_timeout(None);
        let mut listener = PgListener::connect_with(&pool.connect_lazy_with(self.connect.clone())).await.map_err(failed)?;
        // What is sent while nobody listens is lost; so it is this module that connects again, and says so.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await.map_err(failed)?;
        Ok(listener)
    }
}

#[async_trait]
impl PolicyNews for Listener {
    async fn next(&mut self) -> Result<PolicyEvent, Error> {
        loop {
            let Some(listener) = &mut self.listening else {
                self.listening = Some(self.listen().await?);
                return Ok(PolicyEvent::Missed);
            };
            match timeout(QUIET_TIME, listener.try_recv()).await {
                Ok(Ok(Some(said))) => match read(said.payload()) {
                    Some(event) => return Ok(event),
                    None => tracing::debug!(payload = said.payload(), "news that this server can not read"),
                },
                Ok(lost) => {
                    self.listening = None;
                    lost.map_err(failed)?;
                }
                Err(_) if is_alive(listener).await => {}
                Err(_) => self.listening = None,
            }
        }
    }
}

/// Whether there still is somebody at the other end: a connection that a firewall forgot is silent for ever.
async fn is_alive(listener: &mut PgListener) -> bool {
    matches!(timeout(PING_TIME, listener.execute("select 1")).await, Ok(Ok(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_what_is_heard() {
        let workspace = WorkspaceId(Uuid::from_u128(0x0190_c7f1_a5b8_7e1c_9d2f_3a4b_5c6d_7e8f));
        let mut digest = [0x0f; 32];
        digest[31] = 0xf0;
        for event in [PolicyEvent::Activated(workspace), PolicyEvent::Uploaded(workspace, Digest(digest))] {
            let text = write(event).unwrap();
            assert_eq!(read(&text), Some(event));
            for wrong in [format!("{text} "), format!("{text} more"), text[..text.len() - 1].to_owned(), text.to_uppercase()] {
                assert_eq!(read(&wrong), None, "{wrong}");
            }
        }
        for wrong in ["", "activated", "uploaded 0190c7f1a5b87e1c9d2f3a4b5c6d7e8f", "removed 0190c7f1a5b87e1c9d2f3a4b5c6d7e8f"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
