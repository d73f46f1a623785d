//! One transaction: a consistent snapshot, what was read from it, and what is to be written.
//!
//! Serialisable by optimistic control (CCF `src/kv`, reference D.3): every read leaves a dependency
//! that [`crate::Store::commit`] checks. A key that the transaction itself wrote adds none.
//! The snapshot is taken at the first read, so a transaction that only writes never conflicts.
//!
//! What an earlier transaction read can be relied on without reading it again ([`Reads`]): that
//! takes no snapshot either, which a run of writes would pay for with a copied path each.

use std::ops::Bound;
use std::sync::Arc;

use affiant_proof::{Digest, TxId};

use crate::error::KvError;
use crate::limits::{KEY_BYTES_MAX, TX_BYTES_MAX, VALUE_BYTES_MAX};
use crate::map::{Key, Value, range_is_empty};
use crate::name::MapName;
use crate::ordered::Ordered;
use crate::store::{MapWrites, Snapshot, Store};

/// What one transaction did to one map.
struct MapChanges {
    reads: MapReads,
    /// Key to its new value, `None` where it is removed.
    writes: Ordered<Option<Value>>,
}

/// What one transaction read of one map.
#[derive(Clone)]
pub(crate) struct MapReads {
    pub(crate) name: MapName,
    /// [`MapName::is_governed`].
    pub(crate) governed: bool,
    /// Key to the seqno seen, `None` where the key was absent.
    pub(crate) keys: Ordered<Option<u64>>,
    /// The map's version when it was read as a whole.
    pub(crate) whole: Option<u64>,
}

impl MapReads {
    fn has_any(&self) -> bool {
        self.whole.is_some() || !self.keys.is_empty()
    }

    fn note(&mut self, key: &[u8], seen: Option<u64>) {
        if self.whole.is_none() && self.keys.get(key).is_none() {
            self.keys.insert(key, seen);
        }
    }
}

/// What one transaction has read, for others to rely on: while it is so, what was concluded from it
/// holds. Cheap to share.
pub struct Reads {
    /// Of the snapshot that was read, as are the next two.
    pub(crate) store: u64,
    pub(crate) epoch: u64,
    /// Where it is the same still, tables of governance need no look.
    pub(crate) governance_revision: u64,
    pub(crate) maps: Vec<MapReads>,
}

/// What the store takes of a transaction.
pub(crate) struct Parts {
    pub(crate) snapshot: Option<Snapshot>,
    /// What earlier transactions read and this one relies on.
    pub(crate) relied: Vec<Arc<Reads>>,
    pub(crate) reads: Vec<MapReads>,
    /// In the order of the ledger.
    pub(crate) writes: Vec<MapWrites>,
    pub(crate) claims_digest: Digest,
}

/// A transaction in progress. Belongs to one thread at a time; dropped without commit, it leaves
/// no trace.
///
/// ```
/// # use affiant_kv::{MapName, Store};
/// # let store = Store::new();
/// let notes = MapName::new("notes")?;
/// let mut tx = store.begin();
/// tx.put(&notes, b"a", b"first")?;
/// assert_eq!(tx.get(&notes, b"a").as_deref(), Some(&b"first"[..]));
/// drop(tx); // or hand it to whoever commits
/// # Ok::<(), affiant_kv::KvError>(())
/// ```
pub struct Tx {
    store: Arc<Store>,
    snapshot: Option<Snapshot>,
    changes: Vec<MapChanges>,
    relied: Vec<Arc<Reads>>,
    claims_digest: Digest,
    /// Bytes that the writes take in the ledger, at most.
    bytes: usize,
}

impl Tx {
    pub(crate) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            snapshot: None,
            changes: Vec::new(),
            relied: Vec::new(),
            claims_digest: Digest::ZERO,
            bytes: 0,
        }
    }

    /// Moves the transaction out, leaving a fresh one of the same store.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// let taken = tx.take();
    /// assert!(taken.has_writes() && !tx.has_writes());
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn take(&mut self) -> Self {
        let fresh = Self::new(self.store.clone());
        core::mem::replace(self, fresh)
    }

    /// Whether it was begun on this store.
    ///
    /// ```
    /// # use affiant_kv::Store;
    /// let (one, other) = (Store::new(), Store::new());
    /// assert!(one.begin().is_of(&one) && !one.begin().is_of(&other));
    /// ```
    #[must_use]
    pub fn is_of(&self, store: &Arc<Store>) -> bool {
        Arc::ptr_eq(&self.store, store)
    }

    /// The id of the newest transaction in this one's snapshot; takes the snapshot if none was taken.
    ///
    /// ```
    #[doc = include_str!("store/example.txt")]
    /// let mut tx = committer.begin();
    /// assert_eq!(tx.read_version().to_string(), "2.1");
    /// ```
    pub fn read_version(&mut self) -> TxId {
        self.snapshot().version()
    }

    /// The snapshot, if anything was read yet.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// assert!(tx.snapshot_taken().is_none());
    /// tx.get(&notes, b"a");
    /// assert!(tx.snapshot_taken().is_some());
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn snapshot_taken(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref()
    }

    /// Whether anything would be written.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.get(&notes, b"a");
    /// assert!(!tx.has_writes());
    /// tx.remove(&notes, b"a")?;
    /// assert!(tx.has_writes());
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn has_writes(&self) -> bool {
        self.changes.iter().any(|changes| !changes.writes.is_empty())
    }

    /// Forgets writes, reads, claims and the snapshot, so that the handler can run again.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.reset();
    /// assert!(!tx.has(&notes, b"a"));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn reset(&mut self) {
        self.snapshot = None;
        self.changes.clear();
        self.relied.clear();
        self.claims_digest = Digest::ZERO;
        self.bytes = 0;
    }

    /// What was read so far, to be relied on by later transactions; `None` before the first read.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// assert!(tx.reads().is_none());
    /// tx.get(&notes, b"a");
    /// assert!(tx.reads().is_some());
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    #[must_use]
    pub fn reads(&self) -> Option<Arc<Reads>> {
        let state = self.snapshot.as_ref()?.state();
        let maps = self.changes.iter().map(|changes| changes.reads.clone());
        Some(Arc::new(Reads {
            store: state.store,
            epoch: state.epoch,
            governance_revision: state.governance_revision,
            maps: maps.collect(),
        }))
    }

    /// Depends on what an earlier transaction read as if this one had read it and found the same. If
    /// it is not so any more the commit is a conflict.
    ///
    /// ```
    #[doc = include_str!("store/example.txt")]
    /// let mut first = committer.begin();
    /// assert!(first.has(&notes, b"a"));
    /// let known = first.reads().unwrap();
    ///
    /// // Another transaction takes the first one's word for it.
    /// let mut second = committer.begin();
    /// second.rely_on(known);
    /// assert!(second.reliance_holds());
    /// ```
    pub fn rely_on(&mut self, reads: Arc<Reads>) {
        self.relied.push(reads);
    }

    /// Whether everything it relies on is so in its snapshot, which is taken for that if need be.
    /// A commit asks by itself; ask before using what was read without one.
    ///
    /// ```
    #[doc = include_str!("store/example.txt")]
    /// let mut first = committer.begin();
    /// first.get(&notes, b"a");
    /// let known = first.reads().unwrap();
    /// let mut change = committer.begin();
    /// change.put(&notes, b"a", b"other").unwrap();
    /// committer.commit(change);
    ///
    /// let mut second = committer.begin();
    /// second.rely_on(known);
    /// assert!(!second.reliance_holds());
    /// ```
    pub fn reliance_holds(&mut self) -> bool {
        if self.relied.is_empty() {
            return true;
        }
        let snapshot = self.snapshot.get_or_insert_with(|| self.store.snapshot());
        self.relied.iter().all(|reads| snapshot.state().agrees_with(reads))
    }

    /// Attaches a claims digest to the entry (32 zero bytes mean none).
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.set_claims_digest(affiant_proof::Digest::of(b"what the receipt is to prove"));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn set_claims_digest(&mut self, digest: Digest) {
        self.claims_digest = digest;
    }

    /// The value under `key`, as this transaction sees it.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// assert_eq!(tx.get(&notes, b"a").as_deref(), Some(&b"first"[..]));
    /// assert_eq!(tx.get(&notes, b"b"), None);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn get(&mut self, map: &MapName, key: &[u8]) -> Option<Value> {
        let index = self.index_of(map);
        if let Some(own) = self.changes[index].writes.get(key) {
            return own.clone();
        }
        let snapshot = self.snapshot.get_or_insert_with(|| self.store.snapshot());
        let found = snapshot.versioned(map, key);
        self.changes[index].reads.note(key, found.map(|versioned| versioned.seqno));
        found.map(|versioned| versioned.value.clone())
    }

    /// Whether `key` is present.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"")?;
    /// assert!(tx.has(&notes, b"a") && !tx.has(&notes, b"b"));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn has(&mut self, map: &MapName, key: &[u8]) -> bool {
        self.get(map, key).is_some()
    }

    /// The seqno of the last transaction before this one that wrote `key`, if it is present in the
    /// snapshot. Own writes do not count; the read is a dependency.
    ///
    /// ```
    #[doc = include_str!("store/example.txt")]
    /// let mut tx = committer.begin();
    /// tx.put(&notes, b"a", b"other").unwrap();
    /// assert_eq!(tx.version_of_previous_write(&notes, b"a"), Some(1));
    /// assert_eq!(tx.version_of_previous_write(&notes, b"z"), None);
    /// ```
    pub fn version_of_previous_write(&mut self, map: &MapName, key: &[u8]) -> Option<u64> {
        let index = self.index_of(map);
        let snapshot = self.snapshot.get_or_insert_with(|| self.store.snapshot());
        let seqno = snapshot.versioned(map, key).map(|versioned| versioned.seqno);
        self.changes[index].reads.note(key, seqno);
        seqno
    }

    /// Writes `value` under `key`.
    ///
    /// # Errors
    /// Key, value or the whole transaction above its bound, or a table that only signatures write.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.put(&notes, b"a", b"better")?;
    /// assert_eq!(tx.get(&notes, b"a").as_deref(), Some(&b"better"[..]));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn put(&mut self, map: &MapName, key: &[u8], value: &[u8]) -> Result<(), KvError> {
        bounded("a key", key.len(), KEY_BYTES_MAX)?;
        bounded("a value", value.len(), VALUE_BYTES_MAX)?;
        let index = self.index_to_write(map, key.len() + value.len())?;
        self.changes[index].writes.insert(key, Some(Value::from(value)));
        Ok(())
    }

    /// Removes `key`; a removal of an absent key is a write all the same.
    ///
    /// # Errors
    /// As [`Self::put`].
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.remove(&notes, b"a")?;
    /// assert_eq!(tx.get(&notes, b"a"), None);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn remove(&mut self, map: &MapName, key: &[u8]) -> Result<(), KvError> {
        bounded("a key", key.len(), KEY_BYTES_MAX)?;
        let index = self.index_to_write(map, key.len())?;
        self.changes[index].writes.insert(key, None);
        Ok(())
    }

    /// Removes every key visible now. The tables that only signatures write are left as they are; a
    /// transaction that grows beyond its bound by this is refused when it is committed.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.clear(&notes);
    /// assert!(tx.is_empty(&notes));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn clear(&mut self, map: &MapName) {
        let keys: Vec<Key> = self.entries(map).into_iter().map(|(key, _)| key).collect();
        if map.is_signature_table() {
            return;
        }
        let index = self.index_of(map);
        for key in keys {
            self.bytes = self.bytes.saturating_add(key.len() + WRITE_OVERHEAD_BYTES);
            self.changes[index].writes.insert(&key, None);
        }
    }

    /// Whether the writes would not fit into a ledger entry.
    pub(crate) fn is_oversized(&self) -> bool {
        self.bytes > TX_BYTES_MAX
    }

    /// Number of keys visible now; depends on the whole map.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// tx.put(&notes, b"b", b"second")?;
    /// assert_eq!(tx.len(&notes), 2);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn len(&mut self, map: &MapName) -> usize {
        let index = self.depend_on_whole(map);
        let Some(snapshot) = &self.snapshot else { return 0 };
        let mut count = snapshot.len(map.as_str());
        for (key, value) in self.changes[index].writes.iter() {
            match (snapshot.versioned(map, key).is_some(), value.is_some()) {
                (false, true) => count += 1,
                (true, false) => count -= 1,
                _ => {}
            }
        }
        count
    }

    /// Whether the map has no visible key; depends on the whole map.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// assert!(tx.is_empty(&notes));
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn is_empty(&mut self, map: &MapName) -> bool {
        self.len(map) == 0
    }

    /// All visible entries, ascending by key: the snapshot overlaid by this transaction's writes as
    /// they are now. Depends on the whole map.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// tx.put(&notes, b"b", b"second")?;
    /// tx.put(&notes, b"a", b"first")?;
    /// let keys: Vec<_> = tx.entries(&notes).into_iter().map(|(key, _)| key.to_vec()).collect();
    /// assert_eq!(keys, [b"a", b"b"]);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn entries(&mut self, map: &MapName) -> Vec<(Key, Value)> {
        self.range(map, Bound::Unbounded, Bound::Unbounded, usize::MAX)
    }

    /// Up to `limit` visible entries with keys in the range, ascending. Depends on the whole map.
    ///
    /// ```
    /// # use affiant_kv::{MapName, Store};
    /// # let mut tx = Store::new().begin();
    /// # let notes = MapName::new("notes")?;
    /// use std::ops::Bound::{Included, Unbounded};
    ///
    /// for key in [b"a", b"b", b"c"] {
    ///     tx.put(&notes, key, b"")?;
    /// }
    /// let found = tx.range(&notes, Included(b"b"), Unbounded, 1);
    /// assert_eq!(&*found[0].0, b"b");
    /// assert_eq!(found.len(), 1);
    /// # Ok::<(), affiant_kv::KvError>(())
    /// ```
    pub fn range(
        &mut self,
        map: &MapName,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
        limit: usize,
    ) -> Vec<(Key, Value)> {
        let index = self.depend_on_whole(map);
        let Some(snapshot) = &self.snapshot else { return Vec::new() };
        if range_is_empty(from, to) {
            return Vec::new();
        }
        let mut base = snapshot
            .range(map.as_str(), from, to)
            .map(|(key, value)| (key.clone(), value.clone()))
            .peekable();
        let mut own = self.changes[index].writes.range(from, to).peekable();
        let mut merged = Vec::new();
        while merged.len() < limit {
            let take_own = match (base.peek(), own.peek()) {
                (None, None) => break,
                (Some(_), None) => false,
                (None, Some(_)) => true,
                (Some((base_key, _)), Some((own_key, _))) => {
                    if base_key == *own_key {
                        base.next();
                        true
                    } else {
                        *own_key < base_key
                    }
                }
            };
            if take_own {
                if let Some((key, Some(value))) = own.next() {
                    merged.push((key.clone(), value.clone()));
                }
            } else {
                merged.extend(base.next());
            }
        }
        merged
    }

    pub(crate) fn into_parts(self) -> Parts {
        let Self { snapshot, mut changes, relied, claims_digest, .. } = self;
        if changes.len() > 1 {
            changes.sort_by(|a, b| a.reads.name.cmp(&b.reads.name));
        }
        let mut writes = Vec::with_capacity(changes.len());
        let mut reads = Vec::new();
        for map in changes {
            let (has_reads, written) = (map.reads.has_any(), map.writes.into_vec());
            match (has_reads, written.is_empty()) {
                (true, true) => reads.push(map.reads),
                (true, false) => {
                    writes.push(MapWrites { name: map.reads.name.clone(), writes: written });
                    reads.push(map.reads);
                }
                // Moved, since names are shared between threads that count their users.
                (false, false) => writes.push(MapWrites { name: map.reads.name, writes: written }),
                (false, true) => {}
            }
        }
        Parts { snapshot, relied, reads, writes, claims_digest }
    }

    fn snapshot(&mut self) -> &Snapshot {
        self.snapshot.get_or_insert_with(|| self.store.snapshot())
    }

    fn index_of(&mut self, map: &MapName) -> usize {
        // A transaction touches a handful of maps: a scan beats a tree.
        if let Some(index) = self.changes.iter().position(|changes| changes.reads.name == *map) {
            return index;
        }
        self.bytes = self.bytes.saturating_add(map.as_str().len() + MAP_OVERHEAD_BYTES);
        let (name, governed) = (map.clone(), map.is_governed());
        let reads = MapReads { name, governed, keys: Ordered::default(), whole: None };
        self.changes.push(MapChanges { reads, writes: Ordered::default() });
        self.changes.len() - 1
    }

    /// As [`Self::index_of`], for a write of `bytes` of key and value.
    fn index_to_write(&mut self, map: &MapName, bytes: usize) -> Result<usize, KvError> {
        let size = self.bytes.saturating_add(bytes + WRITE_OVERHEAD_BYTES);
        bounded("the writes of one transaction", size, TX_BYTES_MAX)?;
        if map.is_signature_table() {
            return Err(KvError::MapName {
                name: map.as_str().to_owned(),
                reason: "only the node itself writes this table, in signature entries",
            });
        }
        self.bytes = size;
        Ok(self.index_of(map))
    }

    fn depend_on_whole(&mut self, map: &MapName) -> usize {
        let index = self.index_of(map);
        let version = self.snapshot().map_version(map);
        self.changes[index].reads.whole = Some(version);
        index
    }
}

/// Bytes of a write in the ledger besides its key and value.
const WRITE_OVERHEAD_BYTES: usize = 16;
/// Bytes of a map in the ledger besides its name and its writes.
const MAP_OVERHEAD_BYTES: usize = 40;

fn bounded(what: &'static str, size: usize, limit: usize) -> Result<(), KvError> {
    if size > limit { Err(KvError::TooLarge { what, size, limit }) } else { Ok(()) }
}
