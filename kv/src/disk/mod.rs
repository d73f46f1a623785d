//! The only door to the disk: one small trait, so that the simulator, the in-memory mode and the
//! real file system run the same code above it.
//!
//! Paths are relative to the node's data root and use `/`. Files are named by path in every call;
//! an implementation may keep handles. Nothing is durable before `sync` (contents) and `sync_dir`
//! (names) have returned. The root itself is the empty path.
//!
//! [`RealDisk`] is the file system, [`MemDisk`] a tree in memory; both pass one conformance suite
//! (`kv/sim/tests/disk_conformance.rs`), as does the simulator's disk.

mod mem;
mod path;
mod real;

use core::fmt;

pub use mem::MemDisk;
pub use real::RealDisk;

/// What a failed disk call was doing, on which path, and what the system said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The call, in a word: `append`, `sync`, `rename` and so on.
    pub operation: &'static str,
    /// The path as given.
    pub path: String,
    /// Why, in the system's words.
    pub reason: String,
    /// No space or quota is left: the operator can cure it.
    pub full: bool,
    /// The path does not exist.
    pub missing: bool,
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.operation, self.path, self.reason)
    }
}

impl core::error::Error for DiskError {}

impl DiskError {
    /// A failure that is neither a full disk nor a missing path.
    #[must_use]
    pub fn new(operation: &'static str, path: &str, reason: impl Into<String>) -> Self {
        Self {
            operation,
            path: path.to_owned(),
            reason: reason.into(),
            full: false,
            missing: false,
        }
    }

    /// The path does not exist.
    #[must_use]
    pub fn missing(operation: &'static str, path: &str) -> Self {
        Self { missing: true, ..Self::new(operation, path, "no such file or directory") }
    }

    /// No space is left.
    #[must_use]
    pub fn full(operation: &'static str, path: &str) -> Self {
        Self { full: true, ..Self::new(operation, path, "no space left on device") }
    }
}

/// Result of a disk call.
pub type DiskResult<T> = Result<T, DiskError>;

/// A directory tree of append-mostly files. Calls are made by one thread at a time; clones of an
/// implementation may read on other threads meanwhile.
///
/// Every path is checked: an absolute one, one with an empty, `.` or `..` component, or one that
/// leaves the root is an error.
pub trait Disk: Send {
    /// Creates the directory and its parents where missing. Each new name needs a `sync_dir` of its
    /// parent to be durable.
    ///
    /// # Errors
    /// A file is in the way, or as the system says.
    fn create_dir(&mut self, path: &str) -> DiskResult<()>;
    /// Creates an empty file; it must not exist, its directory must.
    ///
    /// # Errors
    /// It exists, or as the system says.
    fn create(&mut self, path: &str) -> DiskResult<()>;
    /// Appends all of `bytes` to an existing file. After an error the file's tail is undefined.
    ///
    /// # Errors
    /// As the system says; a short write is an error.
    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()>;
    /// Overwrites `bytes` at `offset`, within the file.
    ///
    /// # Errors
    /// The range ends beyond the file, or as the system says.
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()>;
    /// Reads exactly `length` bytes at `offset`.
    ///
    /// # Errors
    /// The file is shorter, or as the system says.
    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>>;
    /// The file's size in bytes.
    ///
    /// # Errors
    /// It does not exist, or as the system says.
    fn size(&self, path: &str) -> DiskResult<u64>;
    /// Cuts the file to `size` bytes.
    ///
    /// # Errors
    /// The file is shorter, or as the system says.
    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()>;
    /// Makes the file's contents and size durable.
    ///
    /// # Errors
    /// As the system says; afterwards nothing about the file may be assumed, and a later success
    /// proves nothing (the system may have dropped the dirty pages).
    fn sync(&mut self, path: &str) -> DiskResult<()>;
    /// Renames a file within the tree, replacing the file `to` if it exists.
    ///
    /// # Errors
    /// As the system says.
    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()>;
    /// Makes the names in directory `path` durable.
    ///
    /// # Errors
    /// As the system says.
    fn sync_dir(&mut self, path: &str) -> DiskResult<()>;
    /// The plain names of the files and directories in directory `path`, sorted; a missing directory
    /// is empty. A name that is not UTF-8 is shown with replacement characters.
    ///
    /// # Errors
    /// As the system says.
    fn list(&self, path: &str) -> DiskResult<Vec<String>>;
    /// Removes a file.
    ///
    /// # Errors
    /// As the system says.
    fn remove(&mut self, path: &str) -> DiskResult<()>;
}
