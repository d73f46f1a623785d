//! How a replica comes to be: a new service, or a restart from the data directory.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::TxId;
use affiant_proof::merkle::Tree;

use super::event::{DiskBatch, DiskOp, Effects, ReplicaConfig};
use super::{Demand, Gathered, InFlight, Replica, Unsigned};
use crate::consensus::{Consensus, Hard, Pending};
use crate::disk::Disk;
use crate::error::KvError;
use crate::history::History;
use crate::ledger::{self, Found, LedgerIndex, Writer};
use crate::queue::SealedQueue;
use crate::seal::{Sealer, Signer};
use crate::sidecar::{Sidecar, SidecarState, join, sync_dirs};
use crate::store::Store;

/// What [`Replica::recover`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recovered {
    /// Entries in the ledger, all verified.
    pub entries: u64,
    /// The last of them; 0.0 in an empty ledger.
    pub last: TxId,
    /// The last signature among them; 0.0 if there is none.
    pub last_signature: TxId,
    /// Bytes of an unsynced tail that were cut.
    pub cut_bytes: u64,
    /// Where they were cut: the file and its new size, 0 if it was removed.
    pub cut_at: Option<(String, u64)>,
}

impl Recovered {
    pub(crate) fn new(
        entries: u64,
        last: TxId,
        last_signature: TxId,
        cut_bytes: u64,
        cut_at: Option<(String, u64)>,
    ) -> Self {
        Self { entries, last, last_signature, cut_bytes, cut_at }
    }
}

/// The doors that both ways need.
struct Doors {
    store: Arc<Store>,
    queue: Arc<SealedQueue>,
    sealer: Arc<dyn Sealer>,
}

impl Replica {
    /// Starts a new service on empty directories. The first transaction pushed is its first entry,
    /// 2.1 with a view offset of 1. The effects come first; the first event must be a
    /// [`super::Event::Tick`].
    ///
    /// # Errors
    /// The consensus engine refuses the configuration.
    pub fn create(
        config: ReplicaConfig,
        store: Arc<Store>,
        queue: Arc<SealedQueue>,
        sealer: Arc<dyn Sealer>,
        signer: Box<dyn Signer>,
    ) -> Result<(Self, Effects), KvError> {
        assert_eq!(store.last(), TxId::default(), "a new service starts from nothing");
        let mut consensus = Consensus::alone(config.node, Hard::default(), 0, 0)?;
        let (hard, pending) = elect(&mut consensus)?;
        let mut sidecar = Sidecar::new(&config.state_dir, new_record(&config));
        let mut ops = vec![DiskOp::CreateDir { path: config.ledger_dir.as_str().into() }];
        ops.extend(sync_dirs(&config.ledger_dir));
        ops.extend(sidecar.create(hard));
        ops.extend(sidecar.batch(&pending.records, 0));

        store.open_view(hard.term + config.view_offset);
        queue.restart(1);
        let history = History::new(Tree::new(), signer);
        let doors = Doors { store, queue, sealer };
        let index = Arc::new(LedgerIndex::default());
        let mut replica = Self::assemble(config, doors, consensus, history, sidecar, index);
        let effects = replica.open(ops, &pending);
        Ok((replica, effects))
    }

    /// Resumes from the data directory: verifies and replays the ledger into the empty `store`, cuts
    /// an unsynced tail, and opens the next view with a signature entry. `progress` hears of bytes
    /// done and all. The effects come first; the first event must be a [`super::Event::Tick`].
    ///
    /// An empty ledger is that of a service whose first entry was never synced: the view then opens
    /// without a signature, and the first transaction pushed is the service's first entry.
    ///
    /// # Errors
    /// [`KvError::Damaged`] with file and offset for anything this node did not write, or that was
    /// changed since; or as the disk says.
    pub fn recover(
        config: ReplicaConfig,
        disk: &mut dyn Disk,
        store: Arc<Store>,
        queue: Arc<SealedQueue>,
        sealer: Arc<dyn Sealer>,
        signer: Box<dyn Signer>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<(Self, Effects, Recovered), KvError> {
        assert_eq!(store.last(), TxId::default(), "a restart replays into an empty store");
        let recorded = Sidecar::load(disk, &config.state_dir)?;
        check_recorded(&config, recorded.as_ref())?;
        let known = recorded.unwrap_or_else(|| new_record(&config));
        // Without a record the start is refused, but for that reason.
        let view_max = recorded.map_or(u64::MAX, |known| known.hard.term + known.view_offset);
        let bounds = ledger::Bounds { synced: known.synced, view_max };
        let found = ledger::recover(disk, &config.ledger_dir, &*sealer, &store, bounds, progress)?;
        if let Some(signed) = &found.last_signed {
            signer.verify_signed_root(&signed.root).map_err(|error| KvError::Damaged {
                file: signed.file.clone(),
                offset: signed.offset,
                reason: format!("the node's signature does not verify: {error}"),
            })?;
        }
        if found.entries > 0 && recorded.is_none() {
            return Err(KvError::Damaged {
                file: join(&config.state_dir, "consensus"),
                offset: 0,
                reason:
                    "the consensus record is missing, but the ledger holds entries; restore it \
                         from the same moment as the ledger"
                        .to_owned(),
            });
        }

        // All is well: only now is anything changed.
        for repair in &found.repairs {
            repair.perform(disk)?;
        }
        Sidecar::remove_leftovers(disk, &config.state_dir, recorded.is_some())?;

        let term = found.last.view.saturating_sub(config.view_offset);
        // The newest engine entries need not be on record; an empty ledger starts the log anew.
        let index = if found.entries > 0 { known.index.max(1) } else { 0 };
        let mut consensus = Consensus::alone(config.node, known.hard, index, term)?;
        let (hard, pending) = elect(&mut consensus)?;
        let synced = known.synced.max(found.last.seqno);
        let known = SidecarState { synced, index, ..known };
        let mut sidecar = Sidecar::new(&config.state_dir, known);
        let mut ops = if recorded.is_some() {
            let mut ops = sidecar.replace(hard);
            // A crash may have come before these names were durable for the first time.
            ops.extend(sync_dirs(&config.state_dir));
            ops.extend(sync_dirs(&config.ledger_dir));
            ops
        } else {
            let mut ops = vec![DiskOp::CreateDir { path: config.ledger_dir.as_str().into() }];
            ops.extend(sync_dirs(&config.ledger_dir));
            ops.extend(sidecar.create(hard));
            ops
        };
        ops.extend(sidecar.batch(&pending.records, known.synced));
        let recovered = found.report();
        let doors = Doors { store, queue, sealer };
        let mut replica = Self::resume(config, doors, consensus, signer, sidecar, found);
        let effects = replica.open(ops, &pending);
        Ok((replica, effects, recovered))
    }

    fn resume(
        config: ReplicaConfig,
        doors: Doors,
        consensus: Consensus,
        signer: Box<dyn Signer>,
        sidecar: Sidecar,
        found: Found,
    ) -> Self {
        let view = consensus.term() + config.view_offset;
        let index = Arc::new(LedgerIndex::default());
        let opening = if found.entries > 0 {
            doors.store.compact_to(found.last_signature);
            let txid = doors.store.open_view_with_signature(view);
            doors.queue.restart(txid.seqno);
            doors.queue.skip(txid.seqno);
            Some(txid)
        } else {
            doors.store.open_view(view);
            doors.queue.restart(1);
            None
        };
        let history = History::new(found.tree, signer);
        let mut replica = Self::assemble(config, doors, consensus, history, sidecar, index);
        if let Some(open) = &found.open {
            replica.writer.resume(open);
        }
        replica.index.restore(found.chunks, found.open);
        replica.index.set_committed(found.last_signature.seqno);
        replica.committed = found.last_signature.seqno;
        replica.signature = opening;
        replica
    }

    fn assemble(
        config: ReplicaConfig,
        doors: Doors,
        consensus: Consensus,
        history: History,
        sidecar: Sidecar,
        index: Arc<LedgerIndex>,
    ) -> Self {
        let writer = Writer::new(&config.ledger_dir, config.chunk_bytes, index.clone());
        let Doors { store, queue, sealer } = doors;
        Self {
            config,
            store,
            queue,
            sealer,
            consensus,
            history,
            writer,
            sidecar,
            index,
            clock: None,
            demand: Demand::default(),
            unsigned: Unsigned::default(),
            signature: None,
            signed: VecDeque::new(),
            gathered: Gathered::default(),
            in_flight: VecDeque::new(),
            unrecorded: None,
            batch_id: 0,
            committed: 0,
            poisoned: false,
        }
    }

    /// The first batch: the new term, before anything of its view.
    fn open(&mut self, ops: Vec<DiskOp>, pending: &Pending) -> Effects {
        assert_eq!(self.batch_id, 0, "the new term is durable before anything else is written");
        self.batch_id = 1;
        let number = Some(pending.number);
        self.in_flight.push_back(InFlight { batch: self.batch_id, number, last: None });
        Effects { disk: vec![DiskBatch { id: self.batch_id, ops }], ..Effects::default() }
    }
}

fn elect(consensus: &mut Consensus) -> Result<(Hard, Pending), KvError> {
    consensus.campaign()?;
    let pending = consensus.take()?;
    match pending {
        Some(Pending { hard: Some(hard), number, records, committed: None }) => {
            assert!(hard.term > 0 && records.len() == 1, "an election opens a term with one entry");
            Ok((hard, Pending { hard: Some(hard), number, records, committed: None }))
        }
        other => Err(KvError::Consensus(format!("an election gave {other:?}"))),
    }
}

fn new_record(config: &ReplicaConfig) -> SidecarState {
    let ReplicaConfig { node, view_offset, .. } = *config;
    SidecarState { node, view_offset, ..SidecarState::default() }
}

fn check_recorded(config: &ReplicaConfig, known: Option<&SidecarState>) -> Result<(), KvError> {
    let Some(known) = known else { return Ok(()) };
    if (known.node, known.view_offset) == (config.node, config.view_offset) {
        return Ok(());
    }
    Err(KvError::Damaged {
        file: join(&config.state_dir, "consensus"),
        offset: 0,
        reason: format!(
            "it is of node {} with view offset {}, but this is node {} with view offset {}; use the \
             state directory that belongs to this ledger",
            known.node, known.view_offset, config.node, config.view_offset
        ),
    })
}
