//! The store: named persistent maps, one head, optimistic transactions.
//!
//! Invariants
//! * The head holds exactly the transactions 1..=seqno, in order; nothing else changes it.
//! * Everything above the commit point can be undone; nothing at or below it ever is.
//! * The lock covers the conflict check, the number and the head's update, and nothing else.
//! * A published snapshot never changes. It is published on demand, so that a run of writes updates
//!   the head in place instead of copying a path for each.

use std::collections::VecDeque;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use affiant_proof::{Digest, TxId};
use arc_swap::ArcSwap;
use imbl::OrdMap;
use parking_lot::{Mutex, RwLock};

use crate::limits::UNCOMMITTED_COUNT_MAX_DEFAULT;
use crate::map::{Key, MapState, Value, Versioned};
use crate::name::MapName;
use crate::tx::{MapChanges, Tx};

/// One write to one map: key and new value, or `None` for a removal.
pub(crate) type KeyWrite = (Key, Option<Value>);

/// All maps as they were after one transaction.
#[derive(Clone, Default)]
struct State {
    version: TxId,
    /// Counts rollbacks: a snapshot of an earlier epoch may hold transactions that never were.
    epoch: u64,
    maps: OrdMap<MapName, MapState>,
}

/// An immutable view of all maps after one transaction. Cheap to clone, sharable between threads.
#[derive(Clone)]
pub struct Snapshot(Arc<State>);

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
        self.0.maps.keys()
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

/// What is known of a transaction id (CCF `include/ccf/tx_status.h`; reference D.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TxStatus {
    /// This node has not heard of it.
    Unknown,
    /// In this node's ledger, not yet committed.
    Pending,
    /// Final.
    Committed,
    /// Final: another transaction has or will have that seqno.
    Invalid,
}

impl TxStatus {
    /// The word that CCF's interfaces use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "Unknown",
            Self::Pending => "Pending",
            Self::Committed => "Committed",
            Self::Invalid => "Invalid",
        }
    }
}

/// A transaction that has its number and is in the head, but not yet in the ledger.
pub struct Sequenced {
    /// Its id.
    pub txid: TxId,
    pub(crate) claims_digest: Digest,
    pub(crate) writes: Vec<MapWrites>,
}

/// The writes of one transaction to one map, ascending by key.
pub(crate) struct MapWrites {
    pub(crate) name: MapName,
    pub(crate) writes: Vec<KeyWrite>,
}

/// How sequencing ended.
pub enum Sequencing {
    /// It has a number; seal it and hand it on without fail.
    Done(Sequenced),
    /// It wrote nothing: the id of its snapshot, if it read anything.
    ReadOnly(Option<TxId>),
    /// Something it read has changed; run it again.
    Conflict,
    /// This node does not sequence now.
    NotPrimary,
    /// Too many transactions wait for commit.
    TooManyPending,
}

/// What a transaction replaced, newest last.
struct Undo {
    previous: TxId,
    txid: TxId,
    maps: Vec<MapBefore>,
}

/// A map as it was before a transaction wrote to it.
struct MapBefore {
    name: MapName,
    version: u64,
    keys: Vec<(Key, Option<Versioned>)>,
}

struct Sequencer {
    head: State,
    /// The view in which transactions are numbered; `None` while this node is not primary.
    view: Option<u64>,
    undo: VecDeque<Undo>,
    uncommitted_count_max: usize,
}

#[derive(Default)]
struct CommitPoint {
    committed: TxId,
    /// Element i is the first seqno of view i + 1.
    view_history: Vec<u64>,
}

/// The store. Shared by every thread of a node.
pub struct Store {
    sequencer: Mutex<Sequencer>,
    published: ArcSwap<State>,
    /// Seqno and epoch of the head, to see without the lock whether the published state is stale.
    head_mark: AtomicU64,
    commit_point: RwLock<CommitPoint>,
}

impl Store {
    /// An empty store that does not sequence yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            sequencer: Mutex::new(Sequencer {
                head: State::default(),
                view: None,
                undo: VecDeque::new(),
                uncommitted_count_max: UNCOMMITTED_COUNT_MAX_DEFAULT,
            }),
            published: ArcSwap::from_pointee(State::default()),
            head_mark: AtomicU64::new(0),
            commit_point: RwLock::new(CommitPoint::default()),
        })
    }

    /// Sets the bound on sequenced but uncommitted transactions.
    pub fn set_uncommitted_count_max(&self, count: usize) {
        self.sequencer.lock().uncommitted_count_max = count;
    }

    /// Starts a transaction.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Tx {
        Tx::new(self.clone())
    }

    /// The newest state. Takes no lock unless something was written since it was last asked.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let published = self.published.load_full();
        if mark_of(&published) == self.head_mark.load(Ordering::Acquire) {
            return Snapshot(published);
        }
        let sequencer = self.sequencer.lock();
        let state = Arc::new(sequencer.head.clone());
        self.published.store(state.clone());
        Snapshot(state)
    }

    /// The id of the newest transaction in the head.
    #[must_use]
    pub fn last(&self) -> TxId {
        self.sequencer.lock().head.version
    }

    /// The newest committed transaction; 0.0 before the first commit.
    #[must_use]
    pub fn committed(&self) -> TxId {
        self.commit_point.read().committed
    }

    /// The first seqno of each view, from view 1 on (CCF's view history).
    #[must_use]
    pub fn view_history(&self) -> Vec<u64> {
        self.commit_point.read().view_history.clone()
    }

    /// The view in which this node sequences, if it does.
    #[must_use]
    pub fn sequencing_view(&self) -> Option<u64> {
        self.sequencer.lock().view
    }

    /// The view of the transaction at `seqno`, if this node has it.
    #[must_use]
    pub fn view_of(&self, seqno: u64) -> Option<u64> {
        if seqno == 0 || seqno > self.last().seqno {
            return None;
        }
        let point = self.commit_point.read();
        let views = point.view_history.partition_point(|first| *first <= seqno);
        (views > 0).then_some(views as u64)
    }

    /// The status of `txid` by CCF's table (reference D.4).
    #[must_use]
    pub fn status(&self, txid: TxId) -> TxStatus {
        let known = self.view_of(txid.seqno);
        let committed = self.committed();
        let same = known == Some(txid.view);
        match (txid.seqno <= committed.seqno, same) {
            (true, true) => TxStatus::Committed,
            (true, false) => TxStatus::Invalid,
            (false, true) => TxStatus::Pending,
            (false, false) if committed.view > txid.view => TxStatus::Invalid,
            (false, false) => TxStatus::Unknown,
        }
    }

    /// Checks `tx` for conflicts, numbers it and applies its writes to the head. A
    /// [`Sequencing::Done`] must be sealed and queued whatever happens: its number is taken.
    pub fn sequence(&self, tx: Tx) -> Sequencing {
        if !tx.has_writes() {
            return Sequencing::ReadOnly(tx.snapshot_taken().map(Snapshot::version));
        }
        let read_mark = tx.snapshot_taken().map(|snapshot| mark_of(&snapshot.0));
        let read_epoch = tx.snapshot_taken().map(|snapshot| snapshot.0.epoch);
        let Tx { mut changes, claims_digest, .. } = tx;
        changes.sort_by(|a, b| a.name.cmp(&b.name));

        let mut sequencer = self.sequencer.lock();
        let Some(view) = sequencer.view else { return Sequencing::NotPrimary };
        if sequencer.undo.len() >= sequencer.uncommitted_count_max {
            return Sequencing::TooManyPending;
        }
        if let (Some(mark), Some(epoch)) = (read_mark, read_epoch)
            && mark != mark_of(&sequencer.head)
            && (epoch != sequencer.head.epoch || conflicts(&sequencer.head, &changes))
        {
            return Sequencing::Conflict;
        }
        let writes: Vec<MapWrites> = changes
            .into_iter()
            .filter(|changes| !changes.writes.is_empty())
            .map(|changes| MapWrites {
                name: changes.name,
                writes: changes.writes.into_iter().collect(),
            })
            .collect();
        let txid = sequencer.take_number(view);
        sequencer.apply_to_last(&writes);
        self.head_mark.store(mark_of(&sequencer.head), Ordering::Release);
        drop(sequencer);
        Sequencing::Done(Sequenced { txid, claims_digest, writes })
    }

    /// Takes the next number for a signature; its tables follow by [`Self::apply_internal`] once the
    /// root below it is known. `None` while this node is not primary.
    pub(crate) fn sequence_signature(&self) -> Option<TxId> {
        let mut sequencer = self.sequencer.lock();
        let view = sequencer.view?;
        let txid = sequencer.take_number(view);
        self.head_mark.store(mark_of(&sequencer.head), Ordering::Release);
        Some(txid)
    }

    /// Puts a signature's tables into the head, at the number it took before.
    pub(crate) fn apply_internal(&self, txid: TxId, writes: Vec<MapWrites>) {
        let mut sequencer = self.sequencer.lock();
        let Some(position) = sequencer.undo.iter().position(|undo| undo.txid == txid) else {
            // Rolled back meanwhile: the entry never was.
            return;
        };
        sequencer.apply(position, &writes);
        // The head's version is unchanged, but what was published at it lacks these tables.
        self.published.store(Arc::new(sequencer.head.clone()));
    }

    /// Replays an entry read from the ledger. Only while this node does not sequence.
    pub(crate) fn replay(&self, txid: TxId, writes: Vec<MapWrites>) {
        let mut sequencer = self.sequencer.lock();
        assert!(sequencer.view.is_none(), "replay happens before sequencing starts");
        assert_eq!(txid.seqno, sequencer.head.version.seqno + 1, "entries are replayed in order");
        let previous = sequencer.head.version.view;
        sequencer.head.version = txid;
        for map in writes {
            let state = sequencer.head.maps.entry(map.name).or_default();
            for (key, value) in &map.writes {
                state.apply(txid.seqno, key, value.as_ref());
            }
        }
        self.head_mark.store(mark_of(&sequencer.head), Ordering::Release);
        drop(sequencer);
        if txid.view > previous {
            self.note_view(txid);
        }
    }

    /// Starts numbering transactions in `view`, after everything in the head.
    pub(crate) fn open_view(&self, view: u64) {
        let mut sequencer = self.sequencer.lock();
        assert!(view > sequencer.head.version.view, "a view is opened once, above all before it");
        sequencer.view = Some(view);
        let first = sequencer.head.version.seqno + 1;
        drop(sequencer);
        self.note_view(TxId::new(view, first));
    }

    /// Opens `view` with a signature: its number is taken before anybody else can have one.
    pub(crate) fn open_view_with_signature(&self, view: u64) -> TxId {
        let mut sequencer = self.sequencer.lock();
        assert!(view > sequencer.head.version.view, "a view is opened once, above all before it");
        sequencer.view = Some(view);
        let txid = sequencer.take_number(view);
        self.head_mark.store(mark_of(&sequencer.head), Ordering::Release);
        drop(sequencer);
        self.note_view(txid);
        txid
    }

    /// Stops numbering: leadership is lost or the node is poisoned.
    pub(crate) fn stop_sequencing(&self) {
        self.sequencer.lock().view = None;
    }

    /// Undoes everything above `seqno`, which must not be below the commit point.
    #[cfg_attr(not(test), expect(dead_code, reason = "a lone node never rolls back"))]
    pub(crate) fn rollback(&self, seqno: u64) {
        let committed = self.committed().seqno;
        assert!(seqno >= committed, "a committed transaction is never undone");
        let mut sequencer = self.sequencer.lock();
        assert!(sequencer.view.is_none(), "sequencing stops before a rollback");
        while sequencer.undo.back().is_some_and(|undo| undo.txid.seqno > seqno) {
            let Some(undo) = sequencer.undo.pop_back() else { break };
            for MapBefore { name, version, keys } in undo.maps.into_iter().rev() {
                let state = sequencer.head.maps.entry(name).or_default();
                for (key, before) in keys.into_iter().rev() {
                    state.undo(version, &key, before);
                }
            }
            sequencer.head.version = undo.previous;
        }
        assert!(sequencer.head.version.seqno <= seqno, "every undone entry had its record");
        sequencer.head.epoch += 1;
        self.head_mark.store(mark_of(&sequencer.head), Ordering::Release);
        drop(sequencer);
        let mut point = self.commit_point.write();
        while point.view_history.last().is_some_and(|first| *first > seqno) {
            point.view_history.pop();
        }
    }

    /// Moves the commit point; what is at or below it can no longer be undone.
    pub(crate) fn compact(&self, committed: TxId) {
        let mut sequencer = self.sequencer.lock();
        assert!(committed.seqno <= sequencer.head.version.seqno, "commit follows the head");
        let keep = sequencer.undo.partition_point(|undo| undo.txid.seqno <= committed.seqno);
        let forgotten: Vec<Undo> = sequencer.undo.drain(..keep).collect();
        drop(sequencer);
        let mut point = self.commit_point.write();
        assert!(committed.seqno >= point.committed.seqno, "the commit point never goes back");
        point.committed = committed;
        drop(point);
        // Freed outside the lock.
        drop(forgotten);
    }

    /// Takes what a restart has replayed as committed up to `committed`.
    pub(crate) fn compact_to(&self, committed: TxId) {
        let mut point = self.commit_point.write();
        assert!(committed.seqno >= point.committed.seqno, "the commit point never goes back");
        point.committed = committed;
    }

    fn note_view(&self, first: TxId) {
        let mut point = self.commit_point.write();
        while (point.view_history.len() as u64) < first.view {
            point.view_history.push(first.seqno);
        }
    }
}

impl Sequencer {
    fn take_number(&mut self, view: u64) -> TxId {
        let previous = self.head.version;
        let txid = TxId::new(view, previous.seqno + 1);
        self.head.version = txid;
        self.undo.push_back(Undo { previous, txid, maps: Vec::new() });
        txid
    }

    fn apply_to_last(&mut self, writes: &[MapWrites]) {
        assert!(!self.undo.is_empty(), "a number was just taken");
        self.apply(self.undo.len() - 1, writes);
    }

    fn apply(&mut self, undo_position: usize, writes: &[MapWrites]) {
        let undo = &mut self.undo[undo_position];
        for map in writes {
            let state = self.head.maps.entry(map.name.clone()).or_default();
            let version = state.version();
            let mut before = Vec::with_capacity(map.writes.len());
            for (key, value) in &map.writes {
                before.push((key.clone(), state.apply(undo.txid.seqno, key, value.as_ref())));
            }
            undo.maps.push(MapBefore { name: map.name.clone(), version, keys: before });
        }
    }
}

/// Seqnos stay far below 2^48 and rollbacks below 2^16 in the life of a process; a collision would
/// need both to wrap.
fn mark_of(state: &State) -> u64 {
    (state.epoch << 48) ^ state.version.seqno
}

fn conflicts(head: &State, changes: &[MapChanges]) -> bool {
    changes.iter().any(|changes| {
        let state = head.maps.get(&changes.name);
        if let Some(version) = changes.whole_read
            && state.map_or(0, MapState::version) != version
        {
            return true;
        }
        changes.reads.iter().any(|(key, seen)| {
            state.and_then(|state| state.get(key)).map(|versioned| versioned.seqno) != *seen
        })
    })
}
