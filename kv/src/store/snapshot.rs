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

/// An immutable view of all maps after one transaction. Cheap to clone, sharable between threads.
#[derive(Clone)]
pub struct Snapshot(pub(super) Arc<State>);

impl Snapshot {
    /// The newest transaction in the snapshot.
    #[must_use]
    pub fn version(&self) -> TxId {
        self.0.version
    }

    /// The value under `key`.
    #[must_use]
    pub fn get(&self, map: &str, key: &[u8]) -> Option<Value> {
        Some(self.0.maps.get(map)?.get(key)?.value.clone())
    }

    /// The seqno of the transaction that last wrote `key`, if it is present.
    #[must_use]
    pub fn version_of(&self, map: &str, key: &[u8]) -> Option<u64> {
        Some(self.0.maps.get(map)?.get(key)?.seqno)
    }

    /// The seqno of the last transaction that wrote or removed anything in the map; 0 if none did.
    #[must_use]
    pub fn version_of_map(&self, map: &str) -> u64 {
        self.0.maps.get(map).map_or(0, MapState::version)
    }

    /// All entries of a map, ascending by key: key, value, seqno of the last write.
    pub fn entries<'a>(&'a self, map: &str) -> impl Iterator<Item = (&'a Key, &'a Value, u64)> {
        self.0
            .maps
            .get(map)
            .into_iter()
            .flat_map(|state| state.range(Bound::Unbounded, Bound::Unbounded))
            .map(|(key, versioned)| (key, &versioned.value, versioned.seqno))
    }

    /// The names of all maps that were ever written, ascending.
    pub fn map_names(&self) -> impl Iterator<Item = &MapName> {
        self.0.maps.iter().filter(|(_, map)| map.version() > 0).map(|(name, _)| name)
    }

    /// A hash over every map, key, value and version: equal states have equal hashes.
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

    pub(crate) fn len(&self, map: &MapName) -> usize {
        self.0.maps.get(map).map_or(0, MapState::len)
    }

    pub(crate) fn range<'a>(
        &'a self,
        map: &MapName,
        from: Bound<&[u8]>,
        to: Bound<&[u8]>,
    ) -> impl Iterator<Item = (&'a Key, &'a Versioned)> + use<'a> {
        self.0.maps.get(map).map(|state| state.range(from, to)).into_iter().flatten()
    }
}
