//! One process, and one ledger in it, at a time in a data directory.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// Beside the ledger, outside of its directory.
const FILE_NAME: &str = "lock";
const CONTENT_BYTES_MAX: u64 = 32;

/// A locked directory; free again when this is dropped, or its process ends.
pub(crate) struct DirectoryLock(File);

impl DirectoryLock {
    /// Locks `directory`, which is made where it is missing.
    ///
    /// # Errors
    /// Why it cannot be had, in a sentence.
    pub(crate) fn take(directory: &Path) -> Result<Self, String> {
        let path = directory.join(FILE_NAME);
        let failed = |error: std::io::Error| format!("{}: {error}", path.display());
        make(directory).map_err(|error| format!("{}: {error}", directory.display()))?;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Only for the message.
                let _ = file.take(CONTENT_BYTES_MAX).read_to_string(&mut owner);
                return Err(in_use(directory, owner.trim()));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let content = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.seek(SeekFrom::Start(0)))
            .and_then(|_| file.write_all(content.as_bytes()))
            .map_err(failed)?;
        Ok(Self(file))
    }

    /// Frees it, also where a forked process has inherited it.
    pub(crate) fn release(self) {
        // A lock that cannot be freed is freed by the end of the process.
        let _ = self.0.unlock();
    }
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

fn in_use(directory: &Path, owner: &str) -> String {
    let place = directory.display();
    if owner == std::process::id().to_string() {
        return format!(
            "{place} is open in this process already: use the Ledger that has it, or close that first"
        );
    }
    let who = if owner.is_empty() { String::new() } else { format!(" (process {owner})") };
    format!(
        "{place} is open in another process{who}: one process at a time has a ledger; stop that one, \
         or have it serve (affiant.serve) and talk to it over HTTPS"
    )
}
