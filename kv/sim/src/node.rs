//! One simulated node: the production store, committer, queue and replica, with what the host's
//! threads do around them (the core's loop and the disk thread) as single steps.
//!
//! Invariant: everything in [`Running`] is lost when the machine stops; the disk alone remains.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_kv::{
    Committer, Disk, DiskBatch, DiskResult, Effects, Event, KvError, LedgerReader, Recovered,
    Replica, ReplicaConfig, SealedQueue, Store,
};

use crate::disk::{SimDisk, View};
use crate::keys::SimSigner;
use crate::mutant::{Mutant, NodeDisk, NodeSealer, NodeSigner};
use crate::scenario::Scenario;

/// The process while it runs.
pub(crate) struct Running {
    /// The way to commit.
    pub committer: Committer,
    /// The replica.
    pub replica: Replica,
    /// Reads committed entries.
    pub reader: LedgerReader,
    /// Batches that the disk thread has yet to perform.
    batches: VecDeque<DiskBatch>,
    /// The batch under way.
    busy: Option<Busy>,
    /// What the core has yet to hear.
    pub acknowledgements: VecDeque<Event>,
    /// The first batch is on disk.
    pub(crate) opened: bool,
    /// Somebody waits for commit.
    pub commit_wanted: bool,
    /// Somebody waits for durability.
    pub durable_wanted: bool,
    /// Why the node gave up, if it did.
    pub poisoned: Option<String>,
}

struct Busy {
    batch: DiskBatch,
    /// How it went, if it was performed when it began.
    result: Option<DiskResult<()>>,
}

/// How a start went.
pub(crate) enum Started {
    /// A new service.
    Created,
    /// An old one.
    Recovered(Recovered),
}

/// A node: its disk and, while it lives, its process.
pub(crate) struct Node {
    /// The disk.
    pub disk: SimDisk,
    /// The process.
    pub running: Option<Running>,
    /// How often the process was started.
    pub life: u64,
    mutant: Option<Mutant>,
    config: ReplicaConfig,
    signer: crate::keys::SignerKind,
    uncommitted_count_max: usize,
}

impl Node {
    /// A node that was never started.
    #[must_use]
    pub(crate) fn new(disk: SimDisk, scenario: &Scenario, mutant: Option<Mutant>) -> Self {
        let config = ReplicaConfig {
            chunk_bytes: scenario.chunk_bytes,
            signature_entries_max: scenario.signature_entries_max,
            signature_delay_ms: scenario.signature_delay_ms,
            ..ReplicaConfig::default()
        };
        Self {
            disk,
            running: None,
            life: 0,
            mutant,
            config,
            signer: scenario.signer,
            uncommitted_count_max: scenario.uncommitted_count_max,
        }
    }

    /// The directory of the ledger.
    #[must_use]
    pub(crate) fn ledger_dir(&self) -> &str {
        &self.config.ledger_dir
    }

    /// The directory of the consensus record.
    #[must_use]
    pub(crate) fn state_dir(&self) -> &str {
        &self.config.state_dir
    }

    /// The disk as the node sees it.
    #[must_use]
    pub(crate) fn node_disk(&self) -> NodeDisk {
        NodeDisk::new(self.disk.clone(), self.mutant)
    }

    /// Starts the process: a new service on an empty disk, the old one otherwise.
    ///
    /// # Errors
    /// As the replica says.
    pub(crate) fn start(&mut self) -> Result<(Started, Effects), KvError> {
        assert!(self.running.is_none(), "a process is started once");
        self.life += 1;
        let mut disk = self.node_disk();
        let store = Store::new();
        store.set_uncommitted_count_max(self.uncommitted_count_max);
        let queue = Arc::new(SealedQueue::default());
        let sealer = NodeSealer::new(self.mutant);
        let signer = Box::new(NodeSigner::new(SimSigner::new(self.signer), self.mutant));
        let config = self.config.clone();
        let committer = Committer::new(store.clone(), sealer.clone(), queue.clone());

        let empty =
            disk.list(self.ledger_dir())?.is_empty() && disk.list(self.state_dir())?.is_empty();
        let (replica, effects, started) = if empty {
            let (replica, effects) = Replica::create(config, store, queue, sealer.clone(), signer)?;
            (replica, effects, Started::Created)
        } else {
            self.cut_too_much();
            let (replica, effects, recovered) = Replica::recover(
                config,
                &mut disk,
                store,
                queue,
                sealer.clone(),
                signer,
                &mut |_, _| {},
            )?;
            (replica, effects, Started::Recovered(recovered))
        };
        let index = replica.reader_index();
        let reader = LedgerReader::new(Box::new(disk), self.ledger_dir(), index, sealer);
        self.running = Some(Running {
            committer,
            replica,
            reader,
            batches: VecDeque::new(),
            busy: None,
            acknowledgements: VecDeque::new(),
            opened: false,
            commit_wanted: false,
            durable_wanted: false,
            poisoned: None,
        });
        Ok((started, effects))
    }

    /// [`Mutant::RecoveryCutsTooMuch`]: takes a few bytes off the newest chunk.
    fn cut_too_much(&mut self) {
        if self.mutant != Some(Mutant::RecoveryCutsTooMuch) {
            return;
        }
        let open = self.disk.with_files(View::Live, self.ledger_dir(), |files| {
            let open = files
                .iter()
                .rfind(|(path, bytes)| !path.ends_with(".committed") && bytes.len() > 9);
            open.map(|(path, bytes)| ((*path).to_owned(), bytes.len() as u64 - 1))
        });
        if let Some((path, size)) = open {
            // A failed cut is no cut: the mutant is not always at work.
            let _ = self.disk.truncate(&path, size);
        }
    }
}

impl Running {
    /// Hands batches to the disk thread.
    pub(crate) fn enqueue(&mut self, batches: impl IntoIterator<Item = DiskBatch>) {
        self.batches.extend(batches);
    }

    /// Whether the disk thread has nothing to do.
    #[must_use]
    pub(crate) fn disk_is_idle(&self) -> bool {
        self.busy.is_none() && self.batches.is_empty()
    }

    /// The disk thread takes the next batch, if it is free and there is one. `early`: its effects
    /// show at once rather than at its end.
    pub(crate) fn begin_batch(
        &mut self,
        disk: &mut dyn Disk,
        early: bool,
        mutant: Option<Mutant>,
    ) -> bool {
        if self.busy.is_some() {
            return false;
        }
        let Some(mut batch) = self.batches.pop_front() else { return false };
        if mutant == Some(Mutant::LastOperationForgotten) && batch.id.is_multiple_of(5) {
            batch.ops.pop();
        }
        let early = early && mutant != Some(Mutant::AcknowledgedBeforeSync);
        if mutant == Some(Mutant::AcknowledgedBeforeSync) {
            self.acknowledgements.push_back(Event::Synced { batch: batch.id });
        }
        let result = early.then(|| batch.perform(disk));
        self.busy = Some(Busy { batch, result });
        true
    }

    /// The disk thread has done its batch: performs it now if it was not yet, and tells the core.
    pub(crate) fn end_batch(&mut self, disk: &mut dyn Disk, mutant: Option<Mutant>) {
        let Some(Busy { batch, result }) = self.busy.take() else { return };
        let result = result.unwrap_or_else(|| batch.perform(disk));
        match result {
            Err(error) => {
                // The disk thread stops at the first failure.
                self.batches.clear();
                self.acknowledgements.push_back(Event::DiskFailed { batch: batch.id, error });
            }
            Ok(()) if mutant == Some(Mutant::AcknowledgedBeforeSync) => {}
            Ok(()) => self.acknowledgements.push_back(Event::Synced { batch: batch.id }),
        }
    }
}
