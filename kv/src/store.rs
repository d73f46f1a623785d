//! The store: named persistent maps, one head, optimistic transactions.
//!
//! Invariants
//! * The head holds exactly the transactions 1..=seqno, in order; nothing else changes it.
//! * Everything above the commit point can be undone; nothing at or below it ever is.
//! * The lock covers the conflict check, the number and the head's update, and nothing else: what
//!   they need is allocated before it is taken, and what they replace is freed after.
//! * A published state never changes, and is the head or nothing: it is published when somebody reads
//!   and given up before the head changes. So a write updates the head in place, unless somebody still
//!   holds the state before it; then it copies a path.

mod sequencer;
mod snapshot;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use affiant_proof::{Digest, TxId};
use arc_swap::{ArcSwapOption, Guard};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::tx::{Parts, Tx};
use sequencer::{Sequencer, bytes_of};
use snapshot::State;

pub(crate) use sequencer::MapWrites;
pub use snapshot::Snapshot;

/// What is known of a transaction id (CCF `include/ccf/tx_status.h`; reference D.4).
///
/// ```
/// use affiant_kv::{Store, TxStatus};
///
/// let store = Store::new();
/// let status = store.status("2.17".parse()?);
/// assert_eq!(status, TxStatus::Unknown);
/// assert_eq!(status.as_str(), "Unknown");
/// # Ok::<(), affiant_proof::TxIdParseError>(())
/// ```
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
#[derive(Debug)]
pub struct Sequenced {
    /// Its id.
    pub txid: TxId,
    pub(crate) claims_digest: Digest,
    pub(crate) writes: Vec<MapWrites>,
}

/// How sequencing ended.
#[derive(Debug)]
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

/// Changes since a snapshot up to which it is freed under the lock.
const YOUNG_REVISIONS: u64 = 64;
/// Transactions that are compacted at once.
const COMPACT_COUNT: usize = 128;

#[derive(Default)]
struct CommitPoint {
    committed: TxId,
    /// Element i is the first seqno of view i + 1.
    view_history: Vec<u64>,
}

/// The store. Shared by every thread of a node.
pub struct Store {
    sequencer: Mutex<Sequencer>,
    published: ArcSwapOption<State>,
    /// The head's revision, to see without the lock whether a published state is stale.
    revision: AtomicU64,
    /// The head's seqno.
    last_seqno: AtomicU64,
    /// The sequencer's view; 0 while this node does not sequence.
    view: AtomicU64,
    commit_point: RwLock<CommitPoint>,
}

impl Store {
    /// An empty store that does not sequence yet.
    #[must_use]
    pub fn new() -> Arc<Self> {
        static STORES: AtomicU64 = AtomicU64::new(0);
        let store = STORES.fetch_add(1, Ordering::Relaxed);
        let mut sequencer = Sequencer::default();
        sequencer.head.store = store;
        Arc::new(Self {
            sequencer: Mutex::new(sequencer),
            published: ArcSwapOption::empty(),
            revision: AtomicU64::new(0),
            last_seqno: AtomicU64::new(0),
            view: AtomicU64::new(0),
            commit_point: RwLock::new(CommitPoint::default()),
        })
    }

    /// Sets the bound on the number of sequenced but uncommitted transactions.
    pub fn set_uncommitted_count_max(&self, count: usize) {
        self.sequencer.lock().uncommitted_count_max = count;
    }

    /// Sets the bound on the bytes that sequenced but uncommitted transactions have written. One
    /// transaction may exceed it.
    pub fn set_uncommitted_bytes_max(&self, bytes: usize) {
        self.sequencer.lock().uncommitted_bytes_max = bytes;
    }

    /// Starts a transaction.
    #[must_use]
    pub fn begin(self: &Arc<Self>) -> Tx {
        Tx::new(self.clone())
    }

    /// The newest state. Takes no lock unless something was written since it was last asked.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        if let Some(state) = Guard::into_inner(self.published.load())
            && state.revision == self.revision.load(Ordering::Acquire)
        {
            return Snapshot(state);
        }
        let mut sequencer = self.sequencer.lock();
        if sequencer.is_published
            && let Some(state) = self.published.load_full()
        {
            // Another thread was here while this one waited.
            return Snapshot(state);
        }
        let state = Arc::new(sequencer.head.clone());
        self.published.store(Some(state.clone()));
        sequencer.is_published = true;
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
        Some(self.view.load(Ordering::Acquire)).filter(|view| *view > 0)
    }

    /// The view of the transaction at `seqno`, if this node has it.
    #[must_use]
    pub fn view_of(&self, seqno: u64) -> Option<u64> {
        if seqno == 0 || seqno > self.last_seqno.load(Ordering::Acquire) {
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
    pub fn sequence(&self, mut tx: Tx) -> Sequencing {
        if !tx.has_writes() {
            if !tx.reliance_holds() {
                return Sequencing::Conflict;
            }
            return Sequencing::ReadOnly(tx.snapshot_taken().map(Snapshot::version));
        }
        if tx.is_oversized() {
            // It would not fit into an entry, and its number would be lost.
            return Sequencing::TooManyPending;
        }
        let Parts { mut snapshot, relied, reads, writes, claims_digest } = tx.into_parts();
        let bytes = bytes_of(&writes);

        let mut sequencer = self.sequencer.lock();
        let Some(view) = sequencer.view else { return Sequencing::NotPrimary };
        if sequencer.is_full() {
            return Sequencing::TooManyPending;
        }
        let head = &sequencer.head;
        if let Some(Snapshot(seen)) = &snapshot {
            if seen.revision != head.revision
                && (seen.epoch != head.epoch || head.differs(&reads, seen.governance_revision))
            {
                return Sequencing::Conflict;
            }
            // While it is held, the head cannot be changed in place. What is older shares little with
            // the head, and may be long in freeing.
            if head.revision - seen.revision < YOUNG_REVISIONS {
                snapshot = None;
            }
        }
        if !relied.iter().all(|reads| head.agrees_with(reads)) {
            return Sequencing::Conflict;
        }
        self.give_up_published(&mut sequencer);
        let txid = sequencer.append(view, &writes, bytes);
        self.note_head(&sequencer);
        drop(sequencer);
        drop(snapshot);
        Sequencing::Done(Sequenced { txid, claims_digest, writes })
    }

    /// Takes the next number for a signature; its tables follow by [`Self::apply_internal`] once the
    /// root below it is known. `None` while this node is not primary.
    pub(crate) fn sequence_signature(&self) -> Option<TxId> {
        let mut sequencer = self.sequencer.lock();
        let view = sequencer.view?;
        self.give_up_published(&mut sequencer);
        let txid = sequencer.append(view, &[], 0);
        self.note_head(&sequencer);
        Some(txid)
    }

    /// Puts a signature's tables into the head, at the number it took before; does nothing if it was
    /// rolled back meanwhile.
    pub(crate) fn apply_internal(&self, txid: TxId, writes: Vec<MapWrites>) {
        let bytes = bytes_of(&writes);
        let late = Vec::with_capacity(writes.iter().map(|map| map.writes.len()).sum());
        let mut sequencer = self.sequencer.lock();
        self.give_up_published(&mut sequencer);
        sequencer.fill_in(txid, &writes, bytes, late);
        self.note_head(&sequencer);
        drop(sequencer);
        drop(writes);
    }

    /// Replays an entry read from the ledger. Only while this node does not sequence.
    pub(crate) fn replay(&self, txid: TxId, writes: Vec<MapWrites>) {
        let mut sequencer = self.sequencer.lock();
        assert!(sequencer.view.is_none(), "replay happens before sequencing starts");
        let previous = sequencer.head.version;
        assert_eq!(txid.seqno, previous.seqno + 1, "entries are replayed in order");
        self.give_up_published(&mut sequencer);
        sequencer.replay(txid, writes);
        self.note_head(&sequencer);
        drop(sequencer);
        if txid.view > previous.view {
            self.note_view(txid);
        }
    }

    /// Takes what a restart has replayed as committed up to `committed`.
    pub(crate) fn compact_to(&self, committed: TxId) {
        let mut point = self.commit_point.write();
        assert!(committed.seqno >= point.committed.seqno, "the commit point never goes back");
        point.committed = committed;
    }

    /// Starts numbering transactions in `view`, after everything in the head.
    pub(crate) fn open_view(&self, view: u64) {
        let mut sequencer = self.sequencer.lock();
        assert!(view > sequencer.head.version.view, "a view is opened once, above all before it");
        let first = TxId::new(view, sequencer.head.version.seqno + 1);
        // Noted before anybody can have a number in it.
        self.note_view(first);
        self.set_view(&mut sequencer, Some(view));
    }

    /// Opens `view` with a signature: its number is taken before anybody else can have one.
    pub(crate) fn open_view_with_signature(&self, view: u64) -> TxId {
        let mut sequencer = self.sequencer.lock();
        assert!(view > sequencer.head.version.view, "a view is opened once, above all before it");
        self.give_up_published(&mut sequencer);
        let txid = sequencer.append(view, &[], 0);
        self.note_view(txid);
        self.note_head(&sequencer);
        self.set_view(&mut sequencer, Some(view));
        txid
    }

    /// Stops numbering: leadership is lost or the node is poisoned.
    pub(crate) fn stop_sequencing(&self) {
        self.set_view(&mut self.sequencer.lock(), None);
    }

    /// Undoes everything above `seqno`, which must not be below the commit point.
    #[cfg_attr(not(test), expect(dead_code, reason = "a lone node never rolls back"))]
    pub(crate) fn rollback(&self, seqno: u64) {
        let committed = self.committed().seqno;
        assert!(seqno >= committed, "a committed transaction is never undone");
        let mut sequencer = self.sequencer.lock();
        assert!(sequencer.view.is_none(), "sequencing stops before a rollback");
        self.give_up_published(&mut sequencer);
        sequencer.rollback(seqno);
        self.note_head(&sequencer);
        let mut point = self.commit_point.write();
        while point.view_history.last().is_some_and(|first| *first > seqno) {
            point.view_history.pop();
        }
    }

    /// Moves the commit point; what is at or below it can no longer be undone.
    pub(crate) fn compact(&self, committed: TxId) {
        // Freed outside the lock, and little by little, so that nobody waits long for it.
        let mut forgotten = Vec::with_capacity(COMPACT_COUNT);
        let mut more = true;
        while more {
            more = self.sequencer.lock().compact(committed.seqno, COMPACT_COUNT, &mut forgotten);
            forgotten.clear();
        }
        self.compact_to(committed);
    }

    /// Lets the head be changed in place, if nobody else holds the published state: before each change.
    fn give_up_published(&self, sequencer: &mut MutexGuard<'_, Sequencer>) {
        if core::mem::take(&mut sequencer.is_published) {
            // The head holds everything that this does, so nothing much is freed here.
            self.published.store(None);
        }
    }

    fn set_view(&self, sequencer: &mut MutexGuard<'_, Sequencer>, view: Option<u64>) {
        sequencer.view = view;
        self.view.store(view.unwrap_or(0), Ordering::Release);
    }

    fn note_head(&self, sequencer: &MutexGuard<'_, Sequencer>) {
        assert!(!sequencer.is_published, "a published state is the head");
        self.last_seqno.store(sequencer.head.version.seqno, Ordering::Release);
        self.revision.store(sequencer.head.revision, Ordering::Release);
    }

    fn note_view(&self, first: TxId) {
        let mut point = self.commit_point.write();
        while (point.view_history.len() as u64) < first.view {
            point.view_history.push(first.seqno);
        }
    }
}
