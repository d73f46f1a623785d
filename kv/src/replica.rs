//! The replica: a pure state machine that joins store, history, ledger and consensus. No clock,
//! thread, socket, disk or random number inside: all of them are events and effects.
//!
//! How an entry becomes committed
//! 1. Sealed entries arrive in order, become leaves of the Merkle tree and gather for the disk.
//! 2. When a signature is due, it takes the next number from the store. Once all entries below that
//!    number have arrived, the root over them is signed, and the signature entry follows them.
//! 3. What has gathered goes to the disk as one batch with one sync, and to consensus as one entry.
//! 4. When the sync has returned and consensus has committed the batch, its entries are durable: no
//!    restart loses them. The highest signature in it is the commit point. Meanwhile the next batch
//!    gathers.
//!
//! A signature is due after so many entries, so many bytes, so much time, at a chunk's forced end,
//! and, when somebody waits for commit, as soon as no sync is under way. Who waits for durability
//! alone causes a batch, but no signature.
//!
//! Invariants
//! * A failed disk operation, seal, signature or engine poisons the replica for good: the store stops
//!   numbering, the queue refuses, and every later event is ignored.
//! * Nothing of a view is written before its term is durable: batches are performed in order, and the
//!   first one begins with it. Sealing depends upon it: view and seqno are the initialisation vector.

mod event;
mod receipt;
mod start;

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::entry::FLAG_CHUNK_AFTER;
use affiant_proof::merkle::MerklePath;
use affiant_proof::{Digest, TxId};

use crate::consensus::{Consensus, Pending, Span};
use crate::error::KvError;
use crate::history::History;
use crate::ledger::{LedgerIndex, Writer};
use crate::limits::{
    BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, SIGNATURE_BYTES_MAX, SYNCED_RECORD_DELAY_MS,
};
use crate::queue::SealedQueue;
use crate::seal::Sealer;
use crate::sidecar::Sidecar;
use crate::store::Store;
use crate::write_set::{SealedEntry, encode};

pub use event::{DiskBatch, DiskOp, Effects, Event, ReplicaConfig, SignedRoot};
pub use receipt::ReceiptParts;
pub use start::Recovered;

/// One node's share in the service: everything between a sealed entry and its commit.
pub struct Replica {
    config: ReplicaConfig,
    store: Arc<Store>,
    queue: Arc<SealedQueue>,
    sealer: Arc<dyn Sealer>,
    consensus: Consensus,
    history: History,
    writer: Writer,
    sidecar: Sidecar,
    index: Arc<LedgerIndex>,
    /// `None` until the first tick; nothing is signed before.
    clock: Option<Clock>,
    demand: Demand,
    unsigned: Unsigned,
    /// The number that a signature has taken and that is not yet reached.
    signature: Option<TxId>,
    /// Signatures in the ledger that are not committed.
    signed: VecDeque<Arc<SignedRoot>>,
    gathered: Gathered,
    in_flight: VecDeque<InFlight>,
    /// What is synced, as long as no record of it is on its way.
    unrecorded: Option<Unrecorded>,
    batch_id: u64,
    committed: u64,
    poisoned: bool,
}

#[derive(Clone, Copy)]
struct Clock {
    now_ms: u64,
    unix_s: u64,
}

/// Who has asked for a signature since the last one.
#[derive(Clone, Copy, Default)]
struct Demand {
    commit_wanted: bool,
    sign_now: bool,
    end_chunk: bool,
}

/// What was appended since the last signature.
#[derive(Clone, Copy, Default)]
struct Unsigned {
    entries: u64,
    bytes: u64,
    since_ms: u64,
}

/// What waits for the next batch.
#[derive(Clone, Copy, Default)]
struct Gathered {
    span: Option<Span>,
    bytes: usize,
    /// It cannot wait: it holds a signature, or somebody waits for it to be durable.
    urgent: bool,
}

/// What the consensus record does not yet say to be synced. Mostly the next batch says it, and a write
/// of its own would only delay that.
#[derive(Clone, Copy)]
struct Unrecorded {
    synced: u64,
    since_ms: u64,
}

impl Unrecorded {
    fn due_ms(&self) -> u64 {
        self.since_ms.saturating_add(SYNCED_RECORD_DELAY_MS)
    }
}

/// A batch under way.
#[derive(Clone, Copy, Debug)]
struct InFlight {
    batch: u64,
    /// What the engine hears when it is durable; `None` if the batch holds nothing of the engine's.
    number: Option<u64>,
    /// Its last seqno.
    last: Option<u64>,
}

impl Replica {
    /// Takes one event in, and adds to `effects` what the host must do.
    pub fn step(&mut self, event: Event, effects: &mut Effects) {
        if self.poisoned {
            return;
        }
        if effects.committed.is_empty() {
            // Those who waited for the last commit point have had their receipts.
            self.history.forget_below(self.committed);
        }
        let outcome = self.take_in(event, effects).and_then(|()| self.advance(effects));
        match outcome {
            Ok(()) => {}
            Err(KvError::Poisoned { reason }) => self.poison(&reason, effects),
            Err(error) => self.poison(&error.to_string(), effects),
        }
    }

    /// When the next [`Event::Tick`] matters, on its clock; `None` while nothing waits for time.
    #[must_use]
    pub fn next_due_ms(&self) -> Option<u64> {
        if self.poisoned {
            return None;
        }
        let waiting = self.unsigned.entries > 0 && self.signature.is_none();
        let signature =
            waiting.then(|| self.unsigned.since_ms.saturating_add(self.config.signature_delay_ms));
        // While something is under way or gathers, the next batch says it.
        let idle = self.in_flight.is_empty() && self.gathered.span.is_none();
        let record = self.unrecorded.filter(|_| idle).map(|unrecorded| unrecorded.due_ms());
        signature.into_iter().chain(record).min()
    }

    /// The path of the entry at `seqno` to a root that is in [`Effects::committed`]: until a step sees
    /// them drained, everything since the commit point before is kept.
    #[must_use]
    pub fn path_for(&self, seqno: u64, root: &SignedRoot) -> Option<MerklePath> {
        self.history.path(seqno, root.txid.seqno)
    }

    /// The receipt of the entry at `seqno` under a root that is in [`Effects::committed`], as
    /// [`Self::path_for`]. Later it is to be had from a [`crate::LedgerReader`].
    #[must_use]
    pub fn receipt_for(&self, seqno: u64, root: &Arc<SignedRoot>) -> Option<ReceiptParts> {
        self.history.receipt(seqno, root, &*self.sealer)
    }

    /// Where entries lie in the chunk files, for [`crate::LedgerReader`]s on other threads.
    #[must_use]
    pub fn reader_index(&self) -> Arc<LedgerIndex> {
        self.index.clone()
    }

    /// Whether everything that was sequenced is signed, durable, committed and on record as such, and
    /// nothing is under way: the state in which a node may stop. [`Event::SignNow`] leads to it.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let last = self.store.last().seqno;
        let done = self.committed == last && self.unrecorded.is_none();
        self.in_flight.is_empty() && (done || self.poisoned)
    }

    fn now_ms(&self) -> u64 {
        self.clock.map_or(0, |clock| clock.now_ms)
    }

    fn take_in(&mut self, event: Event, effects: &mut Effects) -> Result<(), KvError> {
        match event {
            Event::Tick { now_ms, unix_s } => {
                let now_ms = now_ms.max(self.now_ms());
                self.clock = Some(Clock { now_ms, unix_s });
            }
            Event::Entries(entries) => {
                for entry in entries {
                    self.sign_if_reached()?;
                    self.append(entry)?;
                }
            }
            Event::CommitWanted => self.demand.commit_wanted = true,
            Event::DurableWanted => self.gathered.urgent |= self.gathered.span.is_some(),
            Event::SignNow => self.demand.sign_now = true,
            Event::EndChunk => self.demand.end_chunk = true,
            Event::Synced { batch } => self.synced(batch, effects)?,
            Event::DiskFailed { batch, error } => {
                let reason = format!("batch {batch} could not be written: {error}");
                return Err(KvError::Poisoned { reason });
            }
        }
        Ok(())
    }

    fn advance(&mut self, effects: &mut Effects) -> Result<(), KvError> {
        let at_once = self.demand.sign_now;
        self.sign_if_reached()?;
        if self.signature.is_none() && self.clock.is_some() && self.signature_is_due() {
            self.demand.commit_wanted = false;
            self.demand.sign_now = false;
            // What is sequenced but has not arrived counts: whoever waits may wait for that.
            if self.store.last().seqno > self.last_signature() {
                self.signature = self.store.sequence_signature();
            }
            if let Some(txid) = self.signature {
                self.queue.skip(txid.seqno);
            }
            self.sign_if_reached()?;
        }
        let under_way = self.in_flight.len();
        let full = self.gathered.bytes >= BATCH_BYTES_MAX;
        if (self.gathered.urgent && under_way == 0) || (full && under_way < BATCHES_IN_FLIGHT_MAX) {
            self.emit_batch(effects)?;
        }
        self.record_synced(at_once, effects);
        Ok(())
    }

    fn signature_is_due(&self) -> bool {
        let demand = self.demand;
        let config = &self.config;
        let unsigned = self.unsigned;
        let aged = unsigned.entries > 0
            && self.now_ms().saturating_sub(unsigned.since_ms) >= config.signature_delay_ms;
        aged || unsigned.entries >= config.signature_entries_max
            || unsigned.bytes >= SIGNATURE_BYTES_MAX
            || demand.sign_now
            || (demand.end_chunk && unsigned.entries > 0)
            || (demand.commit_wanted && self.in_flight.is_empty())
    }

    /// The last signature's seqno, committed or not; 0 if there is none.
    fn last_signature(&self) -> u64 {
        self.signed.back().map_or(self.committed, |signed| signed.txid.seqno)
    }

    fn append(&mut self, entry: SealedEntry) -> Result<(), KvError> {
        let seqno = entry.txid.seqno;
        if seqno != self.history.next_seqno() {
            let expected = self.history.next_seqno();
            let reason = format!("entry {seqno} arrived where {expected} was expected");
            return Err(KvError::Poisoned { reason });
        }
        if self.unsigned.entries == 0 {
            self.unsigned.since_ms = self.now_ms();
        }
        self.unsigned.entries += 1;
        self.unsigned.bytes += entry.bytes.len() as u64;
        self.gather(entry)
    }

    fn gather(&mut self, entry: SealedEntry) -> Result<(), KvError> {
        let seqno = entry.txid.seqno;
        self.history.append(&entry);
        self.gathered.bytes += entry.bytes.len();
        let first = self.gathered.span.map_or(seqno, |span| span.first);
        self.gathered.span = Some(Span { first, last: seqno });
        self.writer.append(seqno, entry.bytes)
    }

    /// Makes the signature entry whose number was taken, if all entries before it are here.
    fn sign_if_reached(&mut self) -> Result<(), KvError> {
        let next = self.history.next_seqno();
        let Some(clock) = self.clock else { return Ok(()) };
        let Some(txid) = self.signature.take_if(|txid| txid.seqno == next) else { return Ok(()) };
        let ends_chunk = core::mem::take(&mut self.demand.end_chunk) || self.writer.chunk_is_full();
        let flags = if ends_chunk { FLAG_CHUNK_AFTER } else { 0 };
        let (signed, tables) = self.history.sign(txid, self.committed, clock.unix_s)?;
        let entry = encode(txid, flags, Digest::ZERO, &tables, &*self.sealer)?;
        self.gather(entry)?;
        if ends_chunk {
            self.writer.end_chunk();
        }
        self.store.apply_internal(txid, tables);
        self.signed.push_back(Arc::new(signed));
        self.unsigned = Unsigned::default();
        self.gathered.urgent = true;
        Ok(())
    }

    /// Hands what has gathered to the engine and to the disk.
    fn emit_batch(&mut self, effects: &mut Effects) -> Result<(), KvError> {
        let gathered = core::mem::take(&mut self.gathered);
        let Some(span) = gathered.span else { return Ok(()) };
        self.consensus.propose(span)?;
        let pending = self.take_engine()?;
        let Some(pending) = pending.filter(|pending| !pending.records.is_empty()) else {
            return Err(KvError::Consensus("a proposal was not taken".to_owned()));
        };
        let mut ops = self.record(&pending, span.first - 1);
        // It is below this batch.
        self.unrecorded = None;
        ops.extend(self.writer.rename_committed(self.committed));
        ops.extend(self.writer.flush());
        self.send(ops, Some(pending.number), Some(span.last), effects);
        Ok(())
    }

    /// The operations that make the engine's wishes durable, or note them where a lone node need not
    /// have them durable. A batch is written when all before it is synced, up to `before`.
    fn record(&mut self, pending: &Pending, before: u64) -> Vec<DiskOp> {
        let mut ops = Vec::new();
        if let Some(hard) = pending.hard {
            ops.extend(self.sidecar.replace(hard));
        }
        ops.extend(self.sidecar.batch(&pending.records, before));
        ops
    }

    fn send(
        &mut self,
        ops: Vec<DiskOp>,
        number: Option<u64>,
        last: Option<u64>,
        effects: &mut Effects,
    ) {
        self.batch_id += 1;
        self.in_flight.push_back(InFlight { batch: self.batch_id, number, last });
        effects.disk.push(DiskBatch { id: self.batch_id, ops });
    }

    fn take_engine(&mut self) -> Result<Option<Pending>, KvError> {
        let pending = self.consensus.take()?;
        if let Some(hard) = pending.as_ref().and_then(|pending| pending.hard) {
            assert_eq!(hard.vote, self.config.node, "a lone node votes for itself");
        }
        Ok(pending)
    }

    fn synced(&mut self, batch: u64, effects: &mut Effects) -> Result<(), KvError> {
        let Some(done) = self.in_flight.pop_front().filter(|done| done.batch == batch) else {
            let reason = format!("batch {batch} was acknowledged out of order");
            return Err(KvError::Poisoned { reason });
        };
        let Some(number) = done.number else { return Ok(()) };
        self.consensus.persisted(number)?;
        let mut committed = None;
        while let Some(pending) = self.take_engine()? {
            if !pending.records.is_empty() || pending.hard.is_some() {
                return Err(KvError::Consensus("the engine acted of its own accord".to_owned()));
            }
            committed = pending.committed.or(committed);
        }
        if let Some(last) = done.last
            && committed != Some(last)
        {
            let reason = format!("a lone node synced up to {last}, but {committed:?} is committed");
            return Err(KvError::Consensus(reason));
        }
        if let Some(last) = committed {
            self.commit(last, effects);
        }
        Ok(())
    }

    /// The engine has committed everything up to `last`: moves the commit point to the highest
    /// signature within.
    fn commit(&mut self, last: u64, effects: &mut Effects) {
        effects.durable = Some(last);
        let mut newest = None;
        while let Some(signed) = self.signed.pop_front_if(|signed| signed.txid.seqno <= last) {
            newest = Some(signed.txid);
            effects.committed.push(signed);
        }
        if let Some(txid) = newest {
            assert!(txid.seqno > self.committed, "the commit point never goes back");
            self.committed = txid.seqno;
            self.store.compact(txid);
            self.index.set_committed(txid.seqno);
        }
        // A batch that is about to follow will carry the names; otherwise they go by themselves.
        if self.in_flight.is_empty() && self.gathered.span.is_none() {
            let ops = self.writer.rename_committed(self.committed);
            if !ops.is_empty() {
                self.send(ops, None, None, effects);
            }
        }
        self.unrecorded = Some(Unrecorded { synced: last, since_ms: self.now_ms() });
    }

    /// Puts on record what is synced, if no batch has come that says it by the way.
    fn record_synced(&mut self, at_once: bool, effects: &mut Effects) {
        let now_ms = self.now_ms();
        let is_due = |unrecorded: &mut Unrecorded| at_once || unrecorded.due_ms() <= now_ms;
        if !self.in_flight.is_empty() || self.gathered.span.is_some() {
            return;
        }
        if let Some(Unrecorded { synced, .. }) = self.unrecorded.take_if(is_due)
            && let Some(op) = self.sidecar.synced(synced)
        {
            self.send(vec![op], None, None, effects);
        }
    }

    fn poison(&mut self, reason: &str, effects: &mut Effects) {
        self.poisoned = true;
        self.store.stop_sequencing();
        self.queue.poison(reason);
        effects.poisoned = Some(reason.to_owned());
    }
}
