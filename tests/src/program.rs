//! The program itself, for tests that start it.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// The program, of the profile that this test is of: `target/PROFILE/bailiwick`, built unless it is up to date.
#[must_use]
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let own = env::current_exe().unwrap();
        let folder = own.parent().and_then(Path::parent).expect("this test is in target/PROFILE/deps");
        let profile = folder.file_name().and_then(|name| name.to_str()).expect("a profile has a name");
        // With the whole workspace selected, dependencies have the features with which `cargo test` has just compiled them.
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--workspace", "--bin", "bailiwick", "--target-dir"]);
        build.arg(folder.parent().expect("a profile is in a target folder")).current_dir(env!("CARGO_MANIFEST_DIR"));
        build.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
        let built = build.output().expect("cargo runs");
        assert!(built.status.success(), "{build:?} can not build what is to be killed: {}", String::from_utf8_lossy(&built.stderr));
        folder.join("bailiwick").with_extension(env::consts::EXE_EXTENSION)
    })
}
