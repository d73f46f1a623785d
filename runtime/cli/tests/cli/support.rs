//! Running the binary, and finding the fixtures.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Finished {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Finished {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails unless the command ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_affiant"))
}

/// Runs `affiant` with an empty environment.
pub(crate) fn affiant<S: AsRef<OsStr>>(arguments: &[S]) -> Finished {
    let output = Command::new(binary()).args(arguments).env_clear().output().unwrap();
    Finished::of(&output)
}

/// Runs `affiant` with `input` on its standard input.
pub(crate) fn affiant_reading(arguments: &[&str], input: &[u8]) -> Finished {
    let mut child = Command::new(binary())
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    Finished::of(&child.wait_with_output().unwrap())
}

/// The repository's root.
pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A folder of fixtures; none, with a line saying so, where it is absent.
pub(crate) fn fixtures(folder: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("AFFIANT_FIXTURES") {
        Some(root) => PathBuf::from(root),
        None => repository().join("../shared/fixtures"),
    };
    let folder = root.join(folder);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no fixtures in {}", folder.display());
    None
}

/// Copies the files of `from` into the new directory `to`.
pub(crate) fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        // Contents only: fixtures may be read-only and the copies are to be damaged.
        fs::write(to.join(entry.file_name()), fs::read(entry.path()).unwrap()).unwrap();
    }
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
