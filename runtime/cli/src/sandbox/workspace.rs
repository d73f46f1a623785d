//! The sandbox's files, laid out as CCF's sandbox lays them out.
//!
//! Invariants: a directory is cleared only if it carries the marker that this program wrote into
//! it, and is no symbolic link; the marker is written first and survives clearing, so an
//! interrupted start is recognised too; one running sandbox per workspace, by a file lock.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

const MARKER: &str = ".affiant-sandbox";
const MARKER_TEXT: &str =
    "Made by `affiant sandbox`, which clears this directory when it starts.\n";
/// Says in which language the app is, before there are tables to look into.
const LANGUAGE: &str = "0.language";
const LOCK: &str = ".affiant-sandbox.lock";

/// Where everything lies.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
}

/// A workspace that no other sandbox can touch while this lives.
#[derive(Debug)]
pub(crate) struct Held {
    _lock: File,
}

impl Workspace {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Certificates and keys for clients.
    pub(crate) fn common(&self) -> PathBuf {
        self.root.join("sandbox_common")
    }

    /// The node's own files.
    pub(crate) fn node(&self) -> PathBuf {
        self.root.join("sandbox_0")
    }

    /// The ledger directory.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.node().join("0.ledger")
    }

    /// Packages of Python apps, by their hash. Not the node's: an app is loaded before the node's files
    /// are cleared.
    pub(crate) fn packages(&self) -> PathBuf {
        self.root.join("sandbox_packages")
    }

    /// The language of the app that was served last.
    pub(crate) fn language(&self) -> Option<String> {
        let text = fs::read_to_string(self.node().join(LANGUAGE)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Notes the language of the app that is served.
    pub(crate) fn set_language(&self, language: &str) -> Result<(), String> {
        write_whole(&self.node().join(LANGUAGE), format!("{language}\n").as_bytes(), 0o644)
    }

    /// A file that clients use.
    pub(crate) fn common_file(&self, name: &str) -> PathBuf {
        self.common().join(name)
    }

    /// Locks the workspace.
    pub(crate) fn hold(&self) -> Result<Held, String> {
        let root = &self.root;
        fs::create_dir_all(root).map_err(|error| failed("create", root, &error))?;
        let path = root.join(LOCK);
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(|error| failed("open", &path, &error))?;
        match lock.try_lock() {
            Ok(()) => Ok(Held { _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(format!(
                "another sandbox is running in {}.\nStop it, or give this one a workspace of its \
                 own: --workspace DIR (and a port of its own: --node local://127.0.0.1:0).",
                root.display()
            )),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path, &error)),
        }
    }

    /// Clears what the previous sandbox left, except identities, which others may have put there.
    /// Returns whether there was anything.
    pub(crate) fn start_fresh(&self) -> Result<bool, String> {
        let nothing: fn(&str) -> bool = |_| false;
        let directories = [(self.node(), nothing), (self.common(), is_identity)];
        // Judge both before touching either.
        for (directory, keep) in &directories {
            refuse_foreign(directory, *keep)?;
        }
        let mut cleared = false;
        for (directory, keep) in &directories {
            cleared |= clear(directory, *keep)?;
        }
        Ok(cleared)
    }

    /// Checks that there is something to continue.
    pub(crate) fn check_resumable(&self) -> Result<(), String> {
        if self.ledger().is_dir() && self.common_file("service_cert.pem").is_file() {
            return Ok(());
        }
        Err(format!(
            "there is no sandbox to resume in {}: {} and {} are not both there.\nStart without \
             --resume, or name the right --workspace.",
            self.root.display(),
            self.ledger().display(),
            self.common_file("service_cert.pem").display()
        ))
    }
}

fn failed(what: &str, path: &Path, error: &io::Error) -> String {
    format!("cannot {what} {}: {error}", path.display())
}

/// Whether a file holds a certificate or key of a user or member: `member0_enc_privk.pem`.
fn is_identity(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("member").or_else(|| name.strip_prefix("user")) else {
        return false;
    };
    let Some((number, kind)) = rest.split_once('_') else { return false };
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && ["cert.pem", "privk.pem", "enc_pubk.pem", "enc_privk.pem"].contains(&kind)
}

fn refuse_foreign(directory: &Path, keep: fn(&str) -> bool) -> Result<(), String> {
    let kind = match fs::symlink_metadata(directory) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at", directory, &error)),
    };
    let advice = "Move it away, or choose another --workspace.";
    if !kind.is_dir() {
        return Err(format!("{} is not a directory. {advice}", directory.display()));
    }
    let marked = fs::read(directory.join(MARKER)).is_ok_and(|text| text == MARKER_TEXT.as_bytes());
    let entries = fs::read_dir(directory).map_err(|error| failed("read", directory, &error))?;
    let mut foreign = false;
    for entry in entries {
        let name = entry.map_err(|error| failed("read", directory, &error))?.file_name();
        foreign |= !name.to_str().is_some_and(keep);
    }
    if marked || !foreign {
        return Ok(());
    }
    Err(format!(
        "{} was not made by `affiant sandbox`, so it is not cleared. {advice}",
        directory.display()
    ))
}

fn clear(directory: &Path, keep: fn(&str) -> bool) -> Result<bool, String> {
    fs::create_dir_all(directory).map_err(|error| failed("create", directory, &error))?;
    let marker = directory.join(MARKER);
    fs::write(&marker, MARKER_TEXT).map_err(|error| failed("write", &marker, &error))?;
    let mut cleared = false;
    for entry in fs::read_dir(directory).map_err(|error| failed("read", directory, &error))? {
        let entry = entry.map_err(|error| failed("read", directory, &error))?;
        let path = entry.path();
        if path == marker || entry.file_name().to_str().is_some_and(keep) {
            continue;
        }
        let kind = entry.file_type().map_err(|error| failed("look at", &path, &error))?;
        let removed =
            if kind.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| failed("remove", &path, &error))?;
        cleared = true;
    }
    Ok(cleared)
}

/// Writes a file under a temporary name and renames it, so that readers never see half of it.
pub(crate) fn write_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), String> {
    let mut name = path.file_name().map(ToOwned::to_owned).unwrap_or_default();
    name.push(".tmp");
    let temporary = path.with_file_name(name);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&temporary)?;
        file.write_all(bytes)?;
        drop(file);
        fs::rename(&temporary, path)
    })();
    written.map_err(|error| failed("write", path, &error))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_fresh_start_clears_its_own_directories_and_nothing_beside_them() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        fs::write(root.path().join("notes.txt"), "mine").unwrap();
        assert_eq!(workspace.start_fresh(), Ok(false));
        fs::create_dir(workspace.ledger()).unwrap();
        fs::write(workspace.ledger().join("ledger_1"), "old").unwrap();
        fs::write(workspace.common_file("service_cert.pem"), "old").unwrap();
        fs::write(workspace.common_file("user0_cert.pem"), "kept").unwrap();
        assert_eq!(workspace.start_fresh(), Ok(true));
        assert!(!workspace.ledger().exists());
        assert!(!workspace.common_file("service_cert.pem").exists());
        assert!(workspace.common_file("user0_cert.pem").exists());
        assert_eq!(fs::read_to_string(root.path().join("notes.txt")).unwrap(), "mine");
    }

    #[test]
    fn directories_of_others_are_refused_before_anything_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        workspace.start_fresh().unwrap();
        fs::write(workspace.node().join("0.pem"), "old").unwrap();
        fs::remove_file(workspace.common().join(MARKER)).unwrap();
        fs::write(workspace.common_file("precious.pem"), "theirs").unwrap();
        let refusal = workspace.start_fresh().unwrap_err();
        assert!(refusal.contains("sandbox_common was not made by"), "{refusal}");
        assert!(workspace.common_file("precious.pem").exists());
        assert!(workspace.node().join("0.pem").exists());
    }

    #[test]
    fn identities_of_others_are_welcome() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        fs::create_dir(workspace.common()).unwrap();
        fs::write(workspace.common_file("member0_cert.pem"), "theirs").unwrap();
        assert_eq!(workspace.start_fresh(), Ok(false));
        assert!(workspace.common_file("member0_cert.pem").exists());
        for name in ["member_cert.pem", "user0.pem", "member0_cert.pem.bak", "x0_cert.pem"] {
            assert!(!is_identity(name), "{name}");
        }
        assert!(is_identity("member12_enc_privk.pem") && is_identity("user0_privk.pem"));
    }

    #[test]
    fn a_link_in_place_of_a_directory_is_not_followed() {
        let root = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join(MARKER), MARKER_TEXT).unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        std::os::unix::fs::symlink(other.path(), workspace.node()).unwrap();
        assert!(workspace.start_fresh().unwrap_err().contains("not a directory"));
        assert!(other.path().join(MARKER).exists());
    }

    #[test]
    fn one_sandbox_per_workspace() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        let held = workspace.hold().unwrap();
        assert!(workspace.hold().unwrap_err().contains("another sandbox is running"));
        drop(held);
        assert!(workspace.hold().is_ok());
    }

    #[test]
    fn nothing_to_resume_is_said_so() {
        let root = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(root.path().to_owned());
        assert!(workspace.check_resumable().unwrap_err().contains("no sandbox to resume"));
    }
}
