//! One map's contents as an immutable persistent value: cloning is a pointer copy.
//!
//! Short keys lie inside the tree's nodes, so that a search does not wait for another piece of memory
//! for each key that it compares.
//!
//! Invariant: a value's seqno never exceeds the map's version, which is the seqno of the last
//! transaction that wrote or removed anything in the map.

use std::ops::Bound;
use std::sync::Arc;

pub(crate) use crate::key::Key;
use crate::name::MapName;
use crate::tree::Tree;

/// A value's bytes: immutable, cheap to clone.
///
/// ```
/// use affiant_kv::Value;
///
/// let value = Value::from(&b"first"[..]);
/// assert_eq!(&*value, b"first");
/// ```
pub type Value = Arc<[u8]>;

/// A value and the seqno of the transaction that wrote it.
#[derive(Clone, Debug)]
pub(crate) struct Versioned {
    pub(crate) seqno: u64,
    pub(crate) value: Value,
}

/// The contents of one map at one version.
#[derive(Clone)]
pub(crate) struct MapState {
    entries: Tree<Versioned>,
    version: u64,
    id: u32,
    governed: bool,
}

impl MapState {
    /// The empty map that the store knows as `id`.
    pub(crate) fn new(id: u32, name: &MapName) -> Self {
        Self { entries: Tree::default(), version: 0, id, governed: name.is_governed() }
    }

    /// Its place in the store's list of names.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Whether it is of [`MapName::is_governed`].
    pub(crate) fn is_governed(&self) -> bool {
        self.governed
    }

    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&Versioned> {
        self.entries.get(key)
    }

    /// Applies one write or removal at `seqno` and returns what was there before.
    pub(crate) fn apply(
        &mut self,
        seqno: u64,
        key: &Key,
        value: Option<Value>,
    ) -> Option<Versioned> {
        assert!(seqno >= self.version, "a map's version never goes back");
        self.version = seqno;
        match value {
            Some(value) => self.entries.insert(key, Versioned { seqno, value }),
            None => self.entries.remove(key),
        }
    }

    /// Puts back what `apply` replaced.
    pub(crate) fn undo(&mut self, version: u64, key: &Key, before: Option<Versioned>) {
        self.version = version;
        match before {
            Some(before) => {
                self.entries.insert(key, before);
            }
            None => {
                self.entries.remove(key);
            }
        }
    }

    /// Entries with keys in the range, ascending; none where it ends before it begins.
    pub(crate) fn range<'a>(
        &'a self,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Versioned)> + use<'a> {
        self.entries.range(from, to)
    }
}

/// Whether no key can lie between the bounds. Ordered maps panic on some of these, and whoever asks
/// chooses the bounds.
pub(crate) fn range_is_empty(from: Bound<&[u8]>, to: Bound<&[u8]>) -> bool {
    match (from, to) {
        (Bound::Included(a), Bound::Included(b)) => a > b,
        (Bound::Included(a) | Bound::Excluded(a), Bound::Excluded(b))
        | (Bound::Excluded(a), Bound::Included(b)) => a >= b,
        _ => false,
    }
}
