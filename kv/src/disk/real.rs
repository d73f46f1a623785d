//! The file system under one root directory.
//!
//! Invariants
//! * No call touches anything outside the root: paths are checked, and symbolic links below the
//!   root are refused when a file is opened.
//! * A handle with unsynced writes is never dropped before its sync: the system reports a failed
//!   write-back to the handles that were open, and to nobody once they are gone.
//! * After a failed sync every later write or sync of that file fails with the same error: the
//!   system drops the dirty pages and would report success the next time.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;

use super::path::{check, check_file, parent};
use super::{Disk, DiskError, DiskResult};
use crate::limits::OPEN_FILES_COUNT_MAX;

/// A directory of the file system. Clones share its open handles, so that a rename or removal by
/// the writing thread holds for the reading ones too.
#[derive(Clone)]
pub struct RealDisk {
    root: Arc<Path>,
    open: Arc<Mutex<Vec<Open>>>,
}

/// An open file. Ordered in [`RealDisk::open`] from least to most recently used.
struct Open {
    path: String,
    file: Arc<File>,
    dirty: bool,
    failed: Option<DiskError>,
}

impl RealDisk {
    /// Opens `root`, which is created where missing (its parent is not).
    ///
    /// # Errors
    /// It is not a directory, cannot be created, or cannot be synced.
    pub fn new(root: impl Into<PathBuf>) -> DiskResult<Self> {
        let root: PathBuf = root.into();
        let fail = |error| from_io("open", &root.display().to_string(), &error);
        if !root.is_dir() {
            fs::create_dir(&root).map_err(fail)?;
            let above = match root.parent() {
                Some(above) if !above.as_os_str().is_empty() => above,
                _ => Path::new("."),
            };
            File::open(above).and_then(|above| above.sync_all()).map_err(fail)?;
        }
        let root = fs::canonicalize(&root).map_err(fail)?;
        Ok(Self { root: root.into(), open: Arc::default() })
    }

    /// The root as the file system names it.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    fn full(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.to_path_buf() } else { self.root.join(path) }
    }

    /// Refuses a path that a symbolic link below the root takes part in.
    fn refuse_links(&self, operation: &'static str, path: &str) -> DiskResult<()> {
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for part in ends.map(|end| &path[..end]).filter(|part| !part.is_empty()) {
            match fs::symlink_metadata(self.full(part)) {
                Ok(metadata) if metadata.is_symlink() => {
                    let reason = format!("{part} is a symbolic link; use a plain file or mount");
                    return Err(DiskError::new(operation, path, reason));
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
                Err(error) => return Err(from_io(operation, path, &error)),
            }
        }
        Ok(())
    }

    /// The file's handle; `write` marks it as having unsynced writes and refuses it after a failed
    /// sync.
    fn handle(&self, operation: &'static str, path: &str, write: bool) -> DiskResult<Arc<File>> {
        check_file(operation, path)?;
        let mut open = self.open.lock();
        if let Some(position) = open.iter().position(|open| open.path == path) {
            let mut found = open.remove(position);
            let refused = found.failed.clone().filter(|_| write);
            found.dirty |= write && refused.is_none();
            let file = found.file.clone();
            open.push(found);
            return refused.map_or(Ok(file), Err);
        }
        self.refuse_links(operation, path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.full(path))
            .map_err(|error| from_io(operation, path, &error))?;
        if !file.metadata().is_ok_and(|metadata| metadata.is_file()) {
            return Err(DiskError::new(operation, path, "is not a plain file"));
        }
        self.keep(&mut open, path, file, write)
    }

    fn keep(
        &self,
        open: &mut Vec<Open>,
        path: &str,
        file: File,
        dirty: bool,
    ) -> DiskResult<Arc<File>> {
        while open.len() >= OPEN_FILES_COUNT_MAX {
            let idle = open.iter().position(|open| !open.dirty && open.failed.is_none());
            let oldest = open.remove(idle.unwrap_or(0));
            if let Some(error) = oldest.failed {
                return Err(error);
            }
            if oldest.dirty {
                oldest.file.sync_data().map_err(|error| from_io("sync", &oldest.path, &error))?;
            }
        }
        let file = Arc::new(file);
        open.push(Open { path: path.to_owned(), file: file.clone(), dirty, failed: None });
        Ok(file)
    }

    fn forget(&self, path: &str) {
        self.open.lock().retain(|open| open.path != path);
    }
}

impl Disk for RealDisk {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        check("create_dir", path)?;
        self.refuse_links("create_dir", path)?;
        fs::create_dir_all(self.full(path)).map_err(|error| from_io("create_dir", path, &error))
    }

    fn create(&mut self, path: &str) -> DiskResult<()> {
        check_file("create", path)?;
        self.refuse_links("create", path)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.full(path))
            .map_err(|error| from_io("create", path, &error))?;
        // A handle of this name would belong to a file that somebody removed behind our back.
        self.forget(path);
        self.keep(&mut self.open.lock(), path, file, true)?;
        Ok(())
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        let file = self.handle("append", path, true)?;
        let mut file = &*file;
        file.seek(SeekFrom::End(0))
            // Resumes interrupted and short writes; anything less than all of it is an error.
            .and_then(|_| file.write_all(bytes))
            .map_err(|error| from_io("append", path, &error))
    }

    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let file = self.handle("write_at", path, true)?;
        let size = size_of(&file, "write_at", path)?;
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > size) {
            return Err(DiskError::new("write_at", path, "beyond the end of the file"));
        }
        file.write_all_at(bytes, offset).map_err(|error| from_io("write_at", path, &error))
    }

    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        let file = self.handle("read_at", path, false)?;
        // Checked before the allocation: lengths come from files that may be damaged.
        let size = size_of(&file, "read_at", path)?;
        if offset.checked_add(length as u64).is_none_or(|end| end > size) {
            return Err(DiskError::new("read_at", path, "beyond the end of the file"));
        }
        let mut bytes = vec![0; length];
        file.read_exact_at(&mut bytes, offset).map_err(|error| from_io("read_at", path, &error))?;
        Ok(bytes)
    }

    fn size(&self, path: &str) -> DiskResult<u64> {
        size_of(&*self.handle("size", path, false)?, "size", path)
    }

    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        let file = self.handle("truncate", path, true)?;
        if size > size_of(&file, "truncate", path)? {
            return Err(DiskError::new("truncate", path, "the file is shorter"));
        }
        file.set_len(size).map_err(|error| from_io("truncate", path, &error))
    }

    fn sync(&mut self, path: &str) -> DiskResult<()> {
        let file = self.handle("sync", path, true)?;
        let result = file.sync_data().map_err(|error| from_io("sync", path, &error));
        if let Some(open) = self.open.lock().iter_mut().find(|open| open.path == path) {
            open.dirty = false;
            open.failed = result.as_ref().err().cloned();
        }
        result
    }

    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        check_file("rename", from)?;
        check_file("rename", to)?;
        self.refuse_links("rename", from)?;
        self.refuse_links("rename", to)?;
        let source = self.full(from);
        let metadata =
            fs::symlink_metadata(&source).map_err(|error| from_io("rename", from, &error))?;
        if !metadata.is_file() {
            return Err(DiskError::new("rename", from, "is not a plain file"));
        }
        let mut open = self.open.lock();
        fs::rename(source, self.full(to)).map_err(|error| from_io("rename", from, &error))?;
        if from != to {
            open.retain(|open| open.path != to);
        }
        for open in open.iter_mut().filter(|open| open.path == from) {
            to.clone_into(&mut open.path);
        }
        Ok(())
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        check("sync_dir", path)?;
        self.refuse_links("sync_dir", path)?;
        let directory = self.full(path);
        if directory.is_file() {
            return Err(DiskError::new("sync_dir", path, "not a directory"));
        }
        File::open(directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|error| from_io("sync_dir", path, &error))
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        check("list", path)?;
        self.refuse_links("list", path)?;
        let entries = match fs::read_dir(self.full(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| from_io("list", path, &error))?,
        };
        let mut names = entries
            .map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()
            .map_err(|error| from_io("list", path, &error))?;
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&mut self, path: &str) -> DiskResult<()> {
        check_file("remove", path)?;
        self.refuse_links("remove", parent(path))?;
        let mut open = self.open.lock();
        fs::remove_file(self.full(path)).map_err(|error| from_io("remove", path, &error))?;
        open.retain(|open| open.path != path);
        Ok(())
    }
}

fn size_of(file: &File, operation: &'static str, path: &str) -> DiskResult<u64> {
    let metadata = file.metadata().map_err(|error| from_io(operation, path, &error))?;
    Ok(metadata.len())
}

fn from_io(operation: &'static str, path: &str, error: &io::Error) -> DiskError {
    DiskError {
        operation,
        path: path.to_owned(),
        reason: error.to_string(),
        full: matches!(
            error.kind(),
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge
        ),
        missing: error.kind() == ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    /// A directory of this test alone, removed at the end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("affiant-disk-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            let _ = fs::remove_dir_all(&path);
            Self(path)
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_link_below_the_root_is_refused() {
        let scratch = Scratch::new("link");
        let mut disk = RealDisk::new(&scratch.0).unwrap();
        std::os::unix::fs::symlink("/etc", scratch.0.join("out")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", scratch.0.join("file")).unwrap();
        assert!(disk.read_at("out/hostname", 0, 1).is_err());
        assert!(disk.create("out/affiant-must-not-exist").is_err());
        assert!(disk.append("file", b"x").is_err());
        assert!(disk.list("out").is_err());
        // A link itself may be removed: that touches nothing outside.
        assert!(disk.remove("file").is_ok());
    }

    #[test]
    fn handles_are_bounded_and_follow_renames() {
        let scratch = Scratch::new("handles");
        let mut disk = RealDisk::new(&scratch.0).unwrap();
        for number in 0..OPEN_FILES_COUNT_MAX + 5 {
            let name = format!("f{number}");
            disk.create(&name).unwrap();
            disk.append(&name, &[u8::try_from(number % 256).unwrap()]).unwrap();
        }
        assert!(disk.open.lock().len() <= OPEN_FILES_COUNT_MAX);
        disk.rename("f1", "f2").unwrap();
        let reader = disk.clone();
        assert_eq!(reader.read_at("f2", 0, 1).unwrap(), [1]);
        assert!(reader.read_at("f1", 0, 1).unwrap_err().missing);
        disk.append("f2", b"!").unwrap();
        disk.sync("f2").unwrap();
        assert_eq!(reader.size("f2").unwrap(), 2);
    }

    #[test]
    fn errors_are_told_apart() {
        let full = from_io("append", "f", &io::Error::from(ErrorKind::StorageFull));
        assert!(full.full && !full.missing);
        let missing = from_io("append", "f", &io::Error::from(ErrorKind::NotFound));
        assert!(missing.missing && !missing.full);
    }

    #[test]
    fn a_file_whose_sync_failed_stays_failed() {
        let scratch = Scratch::new("failed");
        let mut disk = RealDisk::new(&scratch.0).unwrap();
        disk.create("f").unwrap();
        let error = DiskError::new("sync", "f", "input/output error");
        disk.open.lock()[0].failed = Some(error.clone());
        assert_eq!(disk.append("f", b"x"), Err(error.clone()));
        assert_eq!(disk.sync("f"), Err(error));
        assert_eq!(disk.size("f"), Ok(0));
    }
}
