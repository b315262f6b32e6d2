//! Machine code on disk, so that a server starts without compiling again what it once compiled.
//!
//! A file is named after the module, the engine and a MAC over all of it under a key of the server's own: code that this server did not
//! make is not run, and neither is code that was made by another engine or for another configuration.

use std::{
    collections::HashMap,
    fmt, fs,
    hash::{Hash as _, Hasher},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use directory::contract::Digest;
use wasmtime::Engine;

/// How the files end.
const EXTENSION: &str = "code";

/// Where compiled code is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct CodeFolder {
    /// The folder, made if it is not there. Nobody but the server may write to it.
    pub folder: PathBuf,
    /// The key of the MACs.
    pub key: [u8; 32],
    /// Bytes that all files may have together; those used longest ago make room.
    pub bytes: u64,
}

impl fmt::Debug for CodeFolder {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("CodeFolder").field("folder", &self.folder).field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

/// An open folder.
pub(crate) struct Disk {
    config: CodeFolder,
    engine: blake3::Hash,
    /// How the names of this engine's files begin.
    prefix: String,
    files: Mutex<Files>,
    /// Counts the files that were begun.
    begun: AtomicU64,
}

/// The files by name.
#[derive(Default)]
struct Files {
    known: HashMap<String, File>,
    /// Counts what was used, in place of a clock.
    now: u64,
}

#[derive(Clone)]
struct File {
    path: PathBuf,
    mac: blake3::Hash,
    bytes: u64,
    used: u64,
}

impl Files {
    fn insert(&mut self, name: String, path: PathBuf, mac: blake3::Hash, bytes: u64) -> Option<File> {
        self.now += 1;
        self.known.insert(name, File { path, mac, bytes, used: self.now })
    }

    /// Deletes what was used longest ago until so many bytes fit.
    fn make_room(&mut self, bytes: u64, most: u64) {
        let mut total: u64 = self.known.values().map(|file| file.bytes).sum();
        while total.saturating_add(bytes) > most {
            let Some(name) = self.known.iter().min_by_key(|(_, file)| file.used).map(|(name, _)| name.clone()) else { return };
            if let Some(file) = self.known.remove(&name) {
                // What is mapped stays mapped without its name.
                forget(&file.path);
                total -= file.bytes;
            }
        }
    }
}

impl Disk {
    /// Opens a folder, and clears away what is of another engine, or of nobody.
    pub(crate) fn open(config: CodeFolder, engine: &Engine) -> io::Result<Self> {
        make(&config.folder)?;
        let engine = fingerprint(engine);
        let prefix = engine.to_hex().chars().take(ENGINE_DIGITS).collect();
        let disk = Self { engine, prefix, files: Mutex::default(), begun: AtomicU64::new(0), config };
        let mut found = Vec::new();
        for entry in fs::read_dir(&disk.config.folder)? {
            let entry = entry?;
            let meta = entry.metadata()?;
            match disk.known(&entry.path()) {
                Some((name, mac)) if meta.is_file() => found.push((meta.modified()?, name, entry.path(), mac, meta.len())),
                _ if meta.is_file() => forget(&entry.path()),
                _ => {}
            }
        }
        found.sort_by_key(|(modified, ..)| *modified);
        let mut files = disk.files();
        for (_, name, path, mac, bytes) in found {
            files.insert(name, path, mac, bytes).inspect(|twin| forget(&twin.path));
        }
        files.make_room(0, disk.config.bytes);
        drop(files);
        Ok(disk)
    }

    /// The file of a module's code, if there is one and it is as this server wrote it.
    pub(crate) fn get(&self, digest: Digest) -> Option<PathBuf> {
        let name = self.name(digest);
        let file = self.files().known.get(&name).cloned()?;
        match self.mac_of(digest, &file.path) {
            Ok(mac) if mac == file.mac => {}
            outcome => {
                let error = outcome.err().map(|error| error.to_string());
                tracing::warn!(file = %file.path.display(), error, "compiled code is not as it was written, and is made anew");
                self.files().known.remove(&name);
                forget(&file.path);
                return None;
            }
        }
        let mut files = self.files();
        files.insert(name, file.path.clone(), file.mac, file.bytes);
        Some(file.path)
    }

    /// Keeps a module's code. Without a place for it there is no file, and the next start compiles again.
    pub(crate) fn put(&self, digest: Digest, code: &[u8]) -> Option<PathBuf> {
        let bytes = code.len() as u64;
        if bytes > self.config.bytes {
            return None;
        }
        self.files().make_room(bytes, self.config.bytes);
        match self.write(digest, code) {
            Ok((path, mac)) => {
                let before = self.files().insert(self.name(digest), path.clone(), mac, bytes);
                before.filter(|before| before.path != path).inspect(|before| forget(&before.path));
                Some(path)
            }
            Err(error) => {
                tracing::warn!(%error, folder = %self.config.folder.display(), "compiled code can not be kept");
                None
            }
        }
    }

    /// Under another name first, so that nobody finds half a file; one that nothing else has, so that nobody writes to what is mapped.
    fn write(&self, digest: Digest, code: &[u8]) -> io::Result<(PathBuf, blake3::Hash)> {
        let mut hasher = self.hasher(digest, code.len() as u64);
        hasher.update(code);
        let mac = hasher.finalize();
        let path = self.config.folder.join(format!("{}-{}.{EXTENSION}", self.name(digest), mac.to_hex()));
        let begun = self.begun.fetch_add(1, Ordering::Relaxed);
        let unfinished = path.with_extension(format!("{}-{begun}.part", std::process::id()));
        let mut file = fs::File::create_new(&unfinished)?;
        let written = file.write_all(code).and_then(|()| fs::rename(&unfinished, &path));
        written.inspect_err(|_| forget(&unfinished))?;
        Ok((path, mac))
    }

    /// What a file's name says of it, if it is one of this engine's.
    fn known(&self, path: &Path) -> Option<(String, blake3::Hash)> {
        let name = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
        let (name, mac) = name.split_once('-')?;
        let of_engine = name.strip_prefix(&self.prefix)?;
        (of_engine.len() == 64).then_some((name.to_owned(), blake3::Hash::from_hex(mac).ok()?))
    }

    fn name(&self, digest: Digest) -> String {
        format!("{}{digest}", self.prefix)
    }

    fn mac_of(&self, digest: Digest, path: &Path) -> io::Result<blake3::Hash> {
        let mut file = fs::File::open(path)?;
        let mut hasher = self.hasher(digest, file.metadata()?.len());
        let mut part = vec![0; PART_BYTES];
        loop {
            let read = file.read(&mut part)?;
            if read == 0 {
                return Ok(hasher.finalize());
            }
            hasher.update(part.get(..read).unwrap_or_default());
        }
    }

    /// Of everything that the code depends on, each part of a known length.
    fn hasher(&self, digest: Digest, bytes: u64) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_keyed(&self.config.key);
        hasher.update(self.engine.as_bytes()).update(&digest.0).update(&bytes.to_le_bytes());
        hasher
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Digits of the engine's fingerprint in names: enough to tell engines apart; the MAC has all of it.
const ENGINE_DIGITS: usize = 16;
/// Bytes that are read at once.
const PART_BYTES: usize = 1024 * 1024;

/// What tells one engine's code from another's: wasmtime's version, its compiler's settings and what the machine can do.
fn fingerprint(engine: &Engine) -> blake3::Hash {
    struct Fingerprint(blake3::Hasher);
    impl Hasher for Fingerprint {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Fingerprint(blake3::Hasher::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.0.finalize()
}

fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // One that was there before, too: what is in it is run.
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

fn forget(path: &Path) {
    if let Err(error) = fs::remove_file(path) {
        tracing::warn!(%error, file = %path.display(), "a file of compiled code can not be removed");
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn what_may_be_mapped_is_never_written_again_and_nobody_else_may_write_it() {
        let folder = std::env::temp_dir().join(format!("bailiwick-code-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
        let config = CodeFolder { folder: folder.clone(), key: [7; 32], bytes: 1 << 20 };
        let disk = Disk::open(config, &Engine::default()).unwrap();
        assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        let (digest, code) = (Digest([1; 32]), [9; 100]);
        let first = fs::File::open(disk.put(digest, &code).unwrap()).unwrap();
        // The other lane compiles the same, at the same time.
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..50).for_each(|_| drop(disk.put(digest, &code).unwrap())));
            }
        });
        let path = disk.get(digest).unwrap();
        assert_ne!(first.metadata().unwrap().ino(), fs::metadata(&path).unwrap().ino(), "each time it is another file");
        assert_eq!(first.metadata().unwrap().len(), 100);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing unfinished is left");
        fs::remove_dir_all(&folder).unwrap();
    }
}
