//! A Postgres server for the tests: the one of `BAILIWICK_TEST_POSTGRES`, or a throwaway one where its binaries are installed.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
    sync::{
        Once, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use sqlx::{Postgres, migrate::MigrateDatabase as _};

/// A server with room for one database a test.
#[derive(Debug)]
pub struct Server {
    /// Everything of a URL before the database's name.
    before: String,
    /// Everything behind it.
    behind: String,
    databases: AtomicU32,
}

static SERVER: OnceLock<Option<Server>> = OnceLock::new();
static SKIPPED: Once = Once::new();

/// The server of this process; `None`, said once and clearly, where there is none to be had.
pub fn throwaway() -> Option<&'static Server> {
    let server = SERVER.get_or_init(|| match std::env::var("BAILIWICK_TEST_POSTGRES") {
        Ok(url) => Some(Server::at(&url)),
        Err(_) => Server::start(),
    });
    if server.is_none() {
        SKIPPED.call_once(|| {
            crate::skipped("Postgres (install its server, 15 or later, or set BAILIWICK_TEST_POSTGRES to the URL of a running one)");
        });
    }
    server.as_ref()
}

/// Makes a cluster in a new folder, says where it is, and serves until its standard input closes, which it does however the
/// test process ends; then removes everything.
const SERVE: &str = r#"
set -e
folder=$(mktemp -d)
"$1/initdb" --pgdata "$folder/data" --username postgres --auth trust --encoding UTF8 --locale C --no-sync >"$folder/log" 2>&1
"$1/postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c max_connections=200 -c shared_buffers=256MB -c maintenance_work_mem=256MB -c work_mem=32MB \
  >>"$folder/log" 2>&1 </dev/null &
server=$!
for _ in $(seq 300); do
  if "$1/pg_isready" --quiet --host "$folder"; then break; fi
  sleep 0.1
done
echo "$folder"
cat >/dev/null
kill -QUIT "$server"
wait "$server" || true
rm -rf "$folder"
"#;

impl Server {
    fn at(url: &str) -> Self {
        let (url, query) = url.split_once('?').map_or((url, String::new()), |(url, query)| (url, format!("?{query}")));
        let scheme = url.find("://").map_or(0, |at| at + 3);
        let end = url[scheme..].find('/').map_or(url.len(), |at| scheme + at);
        Self { before: format!("{}/", &url[..end]), behind: query, databases: AtomicU32::new(0) }
    }

    fn start() -> Option<Self> {
        let binaries = binaries()?;
        // `initdb` refuses to run as root.
        let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout == b"0\n");
        let mut command = Command::new(if root { "runuser" } else { "sh" });
        if root {
            command.args(["-u", "postgres", "--", "sh"]);
        }
        command.args(["-c", SERVE, "sh"]).arg(binaries).current_dir("/");
        let mut serving = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().ok()?;
        let mut folder = String::new();
        BufReader::new(serving.stdout.take()?).read_line(&mut folder).ok()?;
        let folder = folder.trim_end();
        if folder.is_empty() {
            return None;
        }
        // The pipe stays open as long as this process lives.
        std::mem::forget(serving.stdin.take());
        Some(Self { before: "postgres://postgres@localhost/".to_owned(), behind: format!("?host={folder}"), databases: AtomicU32::new(0) })
    }

    /// The URL of a new, empty database. A throwaway server takes it along; on one of your own it stays.
    pub async fn database(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let url = format!("{}bailiwick_test_{}_{number}{}", self.before, std::process::id(), self.behind);
        Postgres::create_database(&url).await.expect("a database can be created on the test server");
        url
    }
}

/// The folder of the server's binaries, of the newest version if there are several.
fn binaries() -> Option<PathBuf> {
    let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = installed.map(|version| version.path().join("bin")).collect();
    found.sort_by_key(|folder| {
        let version = folder.parent().and_then(|version| version.file_name()).and_then(|name| name.to_str());
        version.and_then(|version| version.parse::<u32>().ok())
    });
    let path = std::env::var_os("PATH")?;
    found.splice(0..0, std::env::split_paths(&path));
    found.into_iter().rev().find(|folder| ["initdb", "postgres", "pg_isready"].iter().all(|name| folder.join(name).exists()))
}
