//! A disk in memory: in-memory mode, notebooks and tests. It never fails for want of hardware and
//! forgets everything with its last clone.
//!
//! Invariants
//! * Every name's parent is a directory in the tree.
//! * Clones share one tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use super::path::{check, check_file, parent};
use super::{Disk, DiskError, DiskResult};

enum Node {
    Directory,
    File(Vec<u8>),
}

/// A directory tree in memory. Clones share it.
#[derive(Clone, Default)]
pub struct MemDisk {
    tree: Arc<RwLock<BTreeMap<String, Node>>>,
}

impl MemDisk {
    /// An empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn with_file<T>(
        &self,
        operation: &'static str,
        path: &str,
        act: impl FnOnce(&mut Vec<u8>) -> DiskResult<T>,
    ) -> DiskResult<T> {
        check_file(operation, path)?;
        match self.tree.write().get_mut(path) {
            Some(Node::File(contents)) => act(contents),
            Some(Node::Directory) => Err(DiskError::new(operation, path, "is a directory")),
            None => Err(DiskError::missing(operation, path)),
        }
    }
}

fn require_directory(
    tree: &BTreeMap<String, Node>,
    operation: &'static str,
    path: &str,
) -> DiskResult<()> {
    match tree.get(path) {
        Some(Node::Directory) => Ok(()),
        Some(Node::File(_)) => Err(DiskError::new(operation, path, "not a directory")),
        None if path.is_empty() => Ok(()),
        None => {
            // Missing, unless it is a file that is in the way.
            require_directory(tree, operation, parent(path))?;
            Err(DiskError::missing(operation, path))
        }
    }
}

fn range_of(offset: u64, length: usize, size: usize) -> Option<core::ops::Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    let end = start.checked_add(length)?;
    (end <= size).then_some(start..end)
}

impl Disk for MemDisk {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        check("create_dir", path)?;
        let mut tree = self.tree.write();
        let ends = path.match_indices('/').map(|(end, _)| end).chain([path.len()]);
        for part in ends.map(|end| &path[..end]).filter(|part| !part.is_empty()) {
            match tree.get(part) {
                Some(Node::Directory) => {}
                Some(Node::File(_)) => {
                    return Err(DiskError::new("create_dir", path, "a file is in the way"));
                }
                None => {
                    tree.insert(part.to_owned(), Node::Directory);
                }
            }
        }
        Ok(())
    }

    fn create(&mut self, path: &str) -> DiskResult<()> {
        check_file("create", path)?;
        let mut tree = self.tree.write();
        require_directory(&tree, "create", parent(path))?;
        if tree.contains_key(path) {
            return Err(DiskError::new("create", path, "it exists already"));
        }
        tree.insert(path.to_owned(), Node::File(Vec::new()));
        Ok(())
    }

    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        self.with_file("append", path, |contents| {
            contents.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        self.with_file("write_at", path, |contents| {
            let range = range_of(offset, bytes.len(), contents.len())
                .ok_or_else(|| DiskError::new("write_at", path, "beyond the end of the file"))?;
            contents[range].copy_from_slice(bytes);
            Ok(())
        })
    }

    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        check_file("read_at", path)?;
        match self.tree.read().get(path) {
            Some(Node::File(contents)) => range_of(offset, length, contents.len())
                .map(|range| contents[range].to_vec())
                .ok_or_else(|| DiskError::new("read_at", path, "beyond the end of the file")),
            Some(Node::Directory) => Err(DiskError::new("read_at", path, "is a directory")),
            None => Err(DiskError::missing("read_at", path)),
        }
    }

    fn size(&self, path: &str) -> DiskResult<u64> {
        self.with_file("size", path, |contents| Ok(contents.len() as u64))
    }

    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        self.with_file("truncate", path, |contents| {
            let range = range_of(0, usize::try_from(size).unwrap_or(usize::MAX), contents.len())
                .ok_or_else(|| DiskError::new("truncate", path, "the file is shorter"))?;
            contents.truncate(range.end);
            Ok(())
        })
    }

    fn sync(&mut self, path: &str) -> DiskResult<()> {
        self.with_file("sync", path, |_| Ok(()))
    }

    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        check_file("rename", from)?;
        check_file("rename", to)?;
        let mut tree = self.tree.write();
        require_directory(&tree, "rename", parent(to))?;
        match tree.get(from) {
            Some(Node::File(_)) => {}
            Some(Node::Directory) => {
                return Err(DiskError::new("rename", from, "is a directory"));
            }
            None => return Err(DiskError::missing("rename", from)),
        }
        if matches!(tree.get(to), Some(Node::Directory)) {
            return Err(DiskError::new("rename", to, "a directory is in the way"));
        }
        if let Some(node) = tree.remove(from) {
            tree.insert(to.to_owned(), node);
        }
        Ok(())
    }

    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        check("sync_dir", path)?;
        require_directory(&self.tree.read(), "sync_dir", path)
    }

    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        check("list", path)?;
        let tree = self.tree.read();
        match require_directory(&tree, "list", path) {
            Err(error) if error.missing => return Ok(Vec::new()),
            other => other?,
        }
        let prefix = if path.is_empty() { String::new() } else { format!("{path}/") };
        Ok(tree
            .range(prefix.clone()..)
            .map_while(|(name, _)| name.strip_prefix(&prefix))
            .filter(|name| !name.is_empty() && !name.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    fn remove(&mut self, path: &str) -> DiskResult<()> {
        check_file("remove", path)?;
        let mut tree = self.tree.write();
        match tree.get(path) {
            Some(Node::File(_)) => {}
            Some(Node::Directory) => {
                return Err(DiskError::new("remove", path, "is a directory"));
            }
            None => return Err(DiskError::missing("remove", path)),
        }
        tree.remove(path);
        Ok(())
    }
}
