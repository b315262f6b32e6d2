//! The server's secret, from which every key is derived.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use crate::ids;

/// Bytes of the secret.
const BYTES: usize = 32;
/// The file in the data folder.
const FILE: &str = "secret";
/// The variable that replaces the file.
pub const VARIABLE: &str = "BAILIWICK_SECRET";

/// Thirty-two random bytes that never leave the server.
#[derive(Clone)]
pub struct Secret([u8; BYTES]);

/// Why there is no secret.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read or made.
    #[error("the secret `{path}` can not be read or made: {cause}; check the folder's permissions, or set {VARIABLE}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        cause: io::Error,
    },
    /// It is not 32 bytes in hexadecimal.
    #[error("{0} does not hold a secret; expected 64 hexadecimal digits, as `openssl rand -hex 32` prints")]
    Malformed(String),
}

impl Secret {
    /// The secret of `given` (the value of [`VARIABLE`]), or of the file in `data`, which is made if it is not there.
    ///
    /// # Errors
    /// [`Error`] names the file or the variable.
    pub fn load(given: Option<&str>, data: &Path) -> Result<Self, Error> {
        if let Some(given) = given {
            return parse(given).ok_or_else(|| Error::Malformed(format!("the environment variable `{VARIABLE}`")));
        }
        let path = data.join(FILE);
        let text = read_or_make(data, &path).map_err(|cause| Error::File { path: path.clone(), cause })?;
        parse(&text).ok_or_else(|| Error::Malformed(format!("the file `{}`", path.display())))
    }

    /// A key for one purpose. Different purposes have keys that tell nothing of each other.
    #[must_use]
    pub fn key(&self, purpose: Purpose) -> [u8; 32] {
        blake3::derive_key(purpose.context(), &self.0)
    }
}

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Encrypting the positions of lists.
    Cursors,
    /// Deriving the tokens of the sample workspaces.
    DemoTokens,
    /// Showing that compiled code is the server's own.
    CompiledCode,
}

impl Purpose {
    /// Must never change: what was derived before would be lost.
    const fn context(self) -> &'static str {
        match self {
            Self::Cursors => "bailiwick 2026 v1 cursors",
            Self::DemoTokens => "bailiwick 2026 v1 demo tokens",
            Self::CompiledCode => "bailiwick 2026 v1 compiled code",
        }
    }
}

fn parse(text: &str) -> Option<Secret> {
    let mut bytes = [0; BYTES];
    hex::decode_to_slice(text.trim(), &mut bytes).ok()?;
    Some(Secret(bytes))
}

fn read_or_make(data: &Path, path: &Path) -> io::Result<String> {
    match fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        read => return read,
    }
    fs::create_dir_all(data)?;
    make(path)?;
    fs::read_to_string(path)
}

/// Written whole beside the target and linked to its name, so that of two servers that start at once both read the same.
fn make(path: &Path) -> io::Result<()> {
    let mut bytes = [0; BYTES];
    ids::random(&mut bytes);
    let mut name = [0; 8];
    ids::random(&mut name);
    let beside = path.with_extension(hex::encode(name));
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(&beside).and_then(|mut file| {
        writeln!(file, "{}", hex::encode(bytes))?;
        file.sync_all()
    });
    let linked = written.and_then(|()| fs::hard_link(&beside, path));
    let removed = fs::remove_file(&beside);
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => removed,
        linked => linked.and(removed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let mut suffix = [0; 8];
        ids::random(&mut suffix);
        std::env::temp_dir().join(format!("bailiwick-secret-{name}-{}", hex::encode(suffix)))
    }

    #[test]
    fn it_is_made_once_for_its_owner_only() {
        let data = folder("once");
        let first = Secret::load(None, &data).unwrap().key(Purpose::Cursors);
        assert_eq!(first, Secret::load(None, &data).unwrap().key(Purpose::Cursors));
        assert_ne!(first, Secret::load(None, &data).unwrap().key(Purpose::DemoTokens));
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(data.join(FILE)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_malformed_one_is_refused_by_name() {
        for text in ["", "abc", &"g".repeat(64)] {
            let error = Secret::load(Some(text), Path::new("/nowhere")).err().unwrap().to_string();
            assert!(error.contains(VARIABLE) && error.contains("64 hexadecimal"), "{error}");
        }
    }
}
