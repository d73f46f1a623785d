//! All maps at one moment.
//!
//! Invariant: a published state never changes. The tables of a signature reach the head a moment
//! after its number was taken, so two states of one version may differ in those tables; their
//! revisions differ.

use std::ops::Bound;
use std::sync::Arc;

use affiant_proof::{Digest, TxId};
use imbl::OrdMap;

use crate::map::{Key, MapState, Value, Versioned};
use crate::name::MapName;
use crate::tx::{MapReads, Reads};

/// All maps as they were after one transaction.
#[derive(Clone, Default)]
pub(crate) struct State {
    pub(crate) version: TxId,
    /// Counts changes of any kind: equal revisions are equal states.
    pub(crate) revision: u64,
    /// Counts rollbacks: a snapshot of an earlier epoch may hold transactions that never were.
    pub(crate) epoch: u64,
    /// The revision at which a table of [`MapName::is_governed`] last changed.
    pub(crate) governance_revision: u64,
    /// Tells the stores of a process apart.
    pub(crate) store: u64,
    pub(crate) maps: OrdMap<MapName, MapState>,
}

impl State {
    /// Whether any of what was read while the governance revision was `governance` is otherwise here.
    pub(crate) fn differs(&self, reads: &[MapReads], governance: u64) -> bool {
        let same_governance = self.governance_revision == governance;
        reads.iter().any(|reads| {
            if same_governance && reads.governed {
                return false;
            }
            let map = self.maps.get(&reads.name);
            if let Some(version) = reads.whole
                && map.map_or(0, MapState::version) != version
            {
                return true;
            }
            reads.keys.iter().any(|(key, seen)| {
                map.and_then(|map| map.get(key)).map(|versioned| versioned.seqno) != *seen
            })
        })
    }

    /// Whether everything that an earlier transaction read is the same here.
    pub(crate) fn agrees_with(&self, reads: &Reads) -> bool {
        (reads.store, reads.epoch) == (self.store, self.epoch)
            && !self.differs(&reads.maps, reads.governance_revision)
    }
}

/// An immutable view of all maps after one transaction: reading it takes no lock, waits for nobody and
/// never fails. Cheap to clone, sharable between threads. It keeps what later transactions replace in
/// memory until it is dropped.
///
/// ```
#[doc = include_str!("example.txt")]
/// let later = snapshot.clone();
/// let reader = std::thread::spawn(move || later.len("notes"));
/// assert_eq!(reader.join().unwrap(), 3);
/// ```
#[derive(Clone)]
pub struct Snapshot(pub(super) Arc<State>);

impl Snapshot {
    /// The newest transaction in the snapshot; it may not be committed yet.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.version().to_string(), "2.1");
    /// ```
    #[must_use]
    pub fn version(&self) -> TxId {
        self.0.version
    }

    /// The value under `key`.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.get("notes", b"a").as_deref(), Some(&b"first"[..]));
    /// assert_eq!(snapshot.get("notes", b"z"), None);
    /// assert_eq!(snapshot.get("no such map", b"a"), None);
    /// ```
    #[must_use]
    pub fn get(&self, map: &str, key: &[u8]) -> Option<Value> {
        Some(self.0.maps.get(map)?.get(key)?.value.clone())
    }

    /// The value under `key` where it lies in the snapshot: it lives as long as the snapshot does.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let first: &[u8] = snapshot.get_ref("notes", b"a").unwrap();
    /// assert_eq!(first, b"first");
    /// ```
    #[must_use]
    pub fn get_ref(&self, map: &str, key: &[u8]) -> Option<&Value> {
        Some(&self.0.maps.get(map)?.get(key)?.value)
    }

    /// The seqno of the transaction that last wrote `key`, if it is present.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.version_of("notes", b"a"), Some(1));
    /// ```
    #[must_use]
    pub fn version_of(&self, map: &str, key: &[u8]) -> Option<u64> {
        Some(self.0.maps.get(map)?.get(key)?.seqno)
    }

    /// The seqno of the last transaction that wrote or removed anything in the map; 0 if none did.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.version_of_map("notes"), 1);
    /// assert_eq!(snapshot.version_of_map("no such map"), 0);
    /// ```
    #[must_use]
    pub fn version_of_map(&self, map: &str) -> u64 {
        self.0.maps.get(map).map_or(0, MapState::version)
    }

    /// The number of keys in a map; known without counting.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.len("notes"), 3);
    /// assert_eq!(snapshot.len("no such map"), 0);
    /// ```
    #[must_use]
    pub fn len(&self, map: &str) -> usize {
        self.0.maps.get(map).map_or(0, MapState::len)
    }

    /// Whether a map has no key, or was never written.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert!(!snapshot.is_empty("notes") && snapshot.is_empty("no such map"));
    /// ```
    #[must_use]
    pub fn is_empty(&self, map: &str) -> bool {
        self.len(map) == 0
    }

    /// The entries of a map with keys in the range, in the order of the keys' bytes, or from the end
    /// with `rev`. They are found one by one as they are asked for. A range that ends before it begins
    /// is empty.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// use std::ops::Bound::{Excluded, Included, Unbounded};
    ///
    /// let from_b: Vec<&[u8]> =
    ///     snapshot.range("notes", Included(b"b"), Unbounded).map(|(key, _)| &**key).collect();
    /// assert_eq!(from_b, [b"b", b"c"]);
    /// let last = snapshot.range("notes", Unbounded, Excluded(b"c")).next_back();
    /// assert_eq!(last.map(|(_, value)| &**value), Some(&b"second"[..]));
    /// ```
    pub fn range<'a>(
        &'a self,
        map: &str,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Value)> + use<'a> {
        let found = self.0.maps.get(map).map(|state| state.range(from, to));
        found.into_iter().flatten().map(|(key, versioned)| (key, &versioned.value))
    }

    /// The entries of a map whose keys begin with `prefix`, as [`Self::range`].
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.prefix("notes", b"a").count(), 1);
    /// assert_eq!(snapshot.prefix("notes", b"").count(), 3);
    /// ```
    pub fn prefix<'a>(
        &'a self,
        map: &str,
        prefix: &[u8],
    ) -> impl DoubleEndedIterator<Item = (&'a Key, &'a Value)> + use<'a> {
        let end = prefix_end(prefix);
        let to = end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        self.range(map, Bound::Included(prefix), to)
    }

    /// All entries of a map, ascending by key: key, value, seqno of the last write.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let (key, value, seqno) = snapshot.entries("notes").next().unwrap();
    /// assert_eq!((&**key, &**value, seqno), (&b"a"[..], &b"first"[..], 1));
    /// ```
    pub fn entries<'a>(&'a self, map: &str) -> impl Iterator<Item = (&'a Key, &'a Value, u64)> {
        self.0
            .maps
            .get(map)
            .into_iter()
            .flat_map(|state| state.range(Bound::Unbounded, Bound::Unbounded))
            .map(|(key, versioned)| (key, &versioned.value, versioned.seqno))
    }

    /// The names of all maps that were ever written, ascending. Those of the node and of governance
    /// are among them; [`MapName::category`] tells.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// let names: Vec<&str> = snapshot.map_names().map(|name| name.as_str()).collect();
    /// assert_eq!(names, ["notes"]);
    /// ```
    pub fn map_names(&self) -> impl Iterator<Item = &MapName> {
        self.0.maps.iter().filter(|(_, map)| map.version() > 0).map(|(name, _)| name)
    }

    /// A hash over every map, key, value and version: equal states have equal hashes. Reads everything.
    ///
    /// ```
    #[doc = include_str!("example.txt")]
    /// assert_eq!(snapshot.state_digest(), snapshot.clone().state_digest());
    /// ```
    #[must_use]
    pub fn state_digest(&self) -> Digest {
        let mut text = Vec::new();
        let mut rolling = Digest::ZERO;
        for (name, map) in &self.0.maps {
            for (key, versioned) in map.range(Bound::Unbounded, Bound::Unbounded) {
                text.clear();
                for part in [name.as_str().as_bytes(), key, &versioned.value] {
                    text.extend_from_slice(&(part.len() as u64).to_le_bytes());
                    text.extend_from_slice(part);
                }
                text.extend_from_slice(&versioned.seqno.to_le_bytes());
                rolling = Digest::of_parts(&[&rolling.0, &text]);
            }
        }
        rolling
    }

    /// Where it was taken, for [`Reads`].
    pub(crate) fn state(&self) -> &State {
        &self.0
    }

    pub(crate) fn versioned(&self, map: &MapName, key: &[u8]) -> Option<&Versioned> {
        self.0.maps.get(map)?.get(key)
    }

    pub(crate) fn map_version(&self, map: &MapName) -> u64 {
        self.0.maps.get(map).map_or(0, MapState::version)
    }
}

/// The first key after all that begin with `prefix`; `None` where there is no such key.
fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let kept = prefix.iter().rposition(|byte| *byte < u8::MAX)?;
    let mut end = prefix.get(..=kept)?.to_vec();
    *end.last_mut()? += 1;
    Some(end)
}
