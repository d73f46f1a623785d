//! One node at a time on a ledger directory, in this process or another: two would write over each other.
//!
//! The lock lies beside the ledger, since readers of its directory refuse strange files. It is the
//! system's: free again when its process ends, however that ends, so nothing is left to clean up. What
//! the file says is for messages only.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use super::settings::{NodeSettings, Storage};
use crate::error::{RuntimeError, RuntimeResult};
use crate::limits::LOCK_FILE_BYTES_MAX;
use crate::log_fail;

/// A locked ledger directory; free again when this is dropped, or its process ends.
pub(super) struct DirectoryLock {
    file: Option<File>,
    /// The process that has it. One that is forked off inherits the file, and must not free it.
    process: u32,
}

impl DirectoryLock {
    /// Locks where the data of these settings lies, whose root is made where it is missing. `None`
    /// where it is no directory, or lies on a file system that has no locks.
    pub(super) fn take(settings: &NodeSettings) -> RuntimeResult<Option<Self>> {
        let Storage::Directory(root) = &settings.storage else { return Ok(None) };
        let path = root.join(format!("{}.lock", settings.ledger_directory));
        let mut file = open(root, &path).map_err(|error| unwritable(&path, &error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message.
                let _ = file.take(LOCK_FILE_BYTES_MAX).read_to_string(&mut holder);
                return Err(RuntimeError::InUse {
                    directory: settings.ledger_directory_configured.clone(),
                    process: holder.trim().parse().ok(),
                });
            }
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {
                log_fail!(
                    "node",
                    "{} cannot be locked, since its file system has no locks: see to it that no other \
                     process uses the ledger",
                    path.display()
                );
                return Ok(None);
            }
            Err(TryLockError::Error(error)) => return Err(unwritable(&path, &error)),
        }
        let process = std::process::id();
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(format!("{process}\n").as_bytes()))
            .map_err(|error| unwritable(&path, &error))?;
        Ok(Some(Self { file: Some(file), process }))
    }

    /// Closes this process's handle and leaves the lock to the one that took it.
    pub(super) fn leave(&mut self) {
        self.file = None;
    }
}

impl Drop for DirectoryLock {
    fn drop(&mut self) {
        // Said aloud, since a forked process may have the file open still. What cannot be freed is
        // freed by the end of the process.
        if let Some(file) = self.file.take().filter(|_| self.process == std::process::id()) {
            let _ = file.unlock();
        }
    }
}

fn unwritable(path: &Path, error: &std::io::Error) -> RuntimeError {
    RuntimeError::FileUnwritable {
        what: "lock of the ledger directory",
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}

fn open(root: &Path, path: &Path) -> std::io::Result<File> {
    make(root)?;
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// Makes a directory and those above it, so that none of them is lost with the power.
fn make(directory: &Path) -> std::io::Result<()> {
    let missing = directory.ancestors().take_while(|above| !above.exists()).count();
    fs::create_dir_all(directory)?;
    let parents = directory.ancestors().take(missing).filter_map(Path::parent);
    for parent in parents.filter(|parent| !parent.as_os_str().is_empty()) {
        File::open(parent)?.sync_all()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_directory_has_one_owner_at_a_time_and_says_which() {
        let place = tempfile::tempdir().unwrap();
        let settings = NodeSettings::in_directory(place.path().join("a").join("b"));
        let lock = DirectoryLock::take(&settings).unwrap();
        assert!(lock.is_some());
        let refused = DirectoryLock::take(&settings).err().unwrap();
        let RuntimeError::InUse { process, .. } = &refused else { panic!("{refused}") };
        assert_eq!(*process, Some(std::process::id()));
        assert!(refused.to_string().contains("open in this process already"), "{refused}");
        drop(lock);
        assert!(DirectoryLock::take(&settings).unwrap().is_some());
    }

    #[test]
    fn a_handle_that_was_inherited_leaves_the_lock_to_its_owner() {
        let place = tempfile::tempdir().unwrap();
        let settings = NodeSettings::in_directory(place.path());
        let owned = DirectoryLock::take(&settings).unwrap().unwrap();
        // As a fork has it: the same open file.
        let inherited = |process| {
            let file = owned.file.as_ref().unwrap().try_clone().unwrap();
            DirectoryLock { file: Some(file), process }
        };
        drop(inherited(0));
        assert!(DirectoryLock::take(&settings).is_err());
        let mut left = inherited(owned.process);
        left.leave();
        drop(left);
        assert!(DirectoryLock::take(&settings).is_err());
    }

    #[test]
    fn memory_needs_no_lock() {
        assert!(DirectoryLock::take(&NodeSettings::in_memory()).unwrap().is_none());
    }
}
