//! Every bound of storage, units in the names.

use std::time::Duration;

/// Time that one statement of a snapshot may take where nobody says; an import's may take any.
pub const STATEMENT_TIME: Duration = Duration::from_secs(5);
/// Instructions of SQLite after which a statement looks whether its time is over.
pub const STOP_OPERATIONS: i32 = 10_000;
/// Time that a statement waits for a connection, and on SQLite for the writer before it.
pub const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// Of the connections to Postgres, one in so many writes and does not read.
pub const WRITERS: u32 = 4;
/// Of the connections that read, one workspace has one in so many at once.
pub const VIEWS: u32 = 2;
/// Workspaces whose turns are known before those that nobody uses are forgotten.
pub const TURNS: usize = 1_024;
/// Time within which [`directory::store::Store::ping`] answers.
pub const PING_TIME: Duration = Duration::from_secs(1);
/// Time without news after which the connection that listens is asked whether it still is one.
pub const QUIET_TIME: Duration = Duration::from_secs(30);
/// Bytes of a folded text that is sorted or compared: index entries of Postgres end near 2,700, and some hold two.
pub const KEY_BYTES: usize = 1_024;
/// Time that Postgres gives one statement of a write. The largest writes that [`directory::limits`] let through, such as the move of a
/// large subtree with everybody in it, write millions of rows and take far longer than any read; what takes longer than this is stuck.
pub const WRITE_TIME: &str = "60s";
/// Rows of effective memberships that a move changes before it answers, at most: some tenths of a second.
pub const DEFER_ABOVE: i64 = 50_000;
/// People that an import writes at once.
pub const IMPORT_PEOPLE: usize = 960;
/// Rows up to which a set is collected and sorted, instead of walking an order and looking each row up in the set.
pub const SORTED_ROWS: i64 = 5_000;
/// Rows up to which sets are counted to find the smallest, for the pages of several parents.
pub const COMPARED_ROWS: i64 = 20_000;
/// Rows up to which sets are counted to find the smallest, before it is counted in full.
pub const COUNTED_ROWS: i64 = 100_000;
/// Groups up to which what is above them is looked up for each, instead of reading every group of the workspace.
pub const SOUGHT_GROUPS: usize = 10_000;
/// Groups up to which a list streams from each, instead of collecting the members of all.
pub const STREAMS: usize = 16;
/// Groups up to which a user is looked up in each; beyond, the groups above the user's memberships are read and compared.
pub const PROBED_GROUPS: usize = 16;
/// Streams of one plan; a scope or condition that would take more is asked of every user in turn.
pub const WAY_STREAMS: usize = 128;
/// Kibibytes of pages that a connection of SQLite keeps; an importing one keeps more.
pub const CACHE_KIB: u32 = 16_384;
/// Bytes of the file that SQLite maps into memory.
pub const MAPPED_BYTES: u64 = 8 * 1024 * 1024 * 1024;
/// Rows that SQLite's thread may read ahead of whoever wants them: with few, each hand-over of a large list wakes a thread.
pub const ROWS_AHEAD: usize = 1_024;
