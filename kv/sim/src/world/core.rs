//! What the host's threads do: the core's loop and the disk thread.

use affiant_kv::{Effects, Event, ReceiptParts, SignedRoot};
use std::sync::Arc;

use super::{EPOCH_UNIX_S, Happening, World};
use crate::disk::View;
use crate::mutant::Mutant;
use crate::violation::{Checked, Violation};

impl World {
    /// The core's thread wakes: it hears of time, of the disk and of new entries.
    pub(super) fn core(&mut self, node: usize) -> Checked {
        let now_ms = self.now_us / 1_000;
        let unix_s = EPOCH_UNIX_S + self.now_us / 1_000_000;
        self.feed(node, Event::Tick { now_ms, unix_s })?;
        // A busy core does not see to everything at once.
        let patient = self.schedule.chance(150_000);
        while let Some(event) = self.next_acknowledgement(node) {
            self.feed(node, event)?;
        }
        self.serve_when_ready(node)?;
        if patient {
            self.wake_core(node, 50);
        } else {
            self.feed_entries(node)?;
        }
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let durable_wanted = running.durable_wanted;
        if core::mem::take(&mut running.commit_wanted) {
            self.feed(node, Event::CommitWanted)?;
        }
        if durable_wanted {
            self.feed(node, Event::DurableWanted)?;
            if self.mutant == Some(Mutant::DurableWhenHandedOver) {
                self.durable(node, self.oracle.last_submitted().map_or(0, |last| last.seqno))?;
            }
        }
        if self.schedule.chance(2_000) {
            self.stats.visit("signature forced");
            self.feed(node, Event::SignNow)?;
        }
        if self.schedule.chance(2_000) {
            self.stats.visit("chunk end forced");
            self.feed(node, Event::EndChunk)?;
        }
        self.pump_disk(node)?;
        self.plan_next_tick(node);
        self.finish_when_idle(node)
    }

    fn next_acknowledgement(&mut self, node: usize) -> Option<Event> {
        let running = self.nodes[node].running.as_mut()?;
        let event = running.acknowledgements.pop_front()?;
        running.opened |= matches!(event, Event::Synced { .. });
        Some(event)
    }

    fn feed_entries(&mut self, node: usize) -> Checked {
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        let entries = running.committer.queue().drain();
        if entries.is_empty() {
            return Ok(());
        }
        for entry in &entries {
            self.oracle.sealed(entry.txid, entry.digests.write_set);
        }
        self.step("entries", entries.len() as u64, entries[0].txid.seqno);
        self.feed(node, Event::Entries(entries))
    }

    fn feed(&mut self, node: usize, event: Event) -> Checked {
        match &event {
            Event::Synced { batch } => {
                self.trace.step(self.now_us, "synced", *batch, 0);
                self.stats.visit("batch acknowledged");
            }
            Event::DiskFailed { batch, .. } => {
                self.trace.step(self.now_us, "disk failed", *batch, 0);
                self.stats.visit("batch failed");
            }
            _ => {}
        }
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let mut effects = Effects::default();
        running.replica.step(event, &mut effects);
        self.take_effects(node, effects)
    }

    /// Does what the replica asked for.
    pub(super) fn take_effects(&mut self, node: usize, effects: Effects) -> Checked {
        let Effects { disk, committed, durable, poisoned, .. } = effects;
        if let Some(seqno) = durable {
            self.durable(node, seqno)?;
        }
        for root in &committed {
            self.committed(node, root)?;
        }
        if let Some(reason) = poisoned {
            self.step("poisoned", 0, 0);
            self.stats.visit("node poisoned");
            let failed = self.stats.visits("batch failed") > 0 || self.mutant.is_some();
            if self.is_quiet() || !failed {
                return Err(Violation::new("poisoned without a fault", reason));
            }
            let pause = self.schedule.below(5_000);
            self.plan(node, pause, Happening::Stop);
            if let Some(running) = &mut self.nodes[node].running {
                running.poisoned = Some(reason);
            }
        }
        for batch in &disk {
            self.step("batch", batch.id, batch.bytes() as u64);
        }
        if let Some(running) = &mut self.nodes[node].running {
            running.enqueue(disk);
        }
        Ok(())
    }

    /// Durability was reported: checks it, and answers those who waited for no more.
    fn durable(&mut self, node: usize, seqno: u64) -> Checked {
        self.step("durable", seqno, 0);
        let (oracle, place) = (&mut self.oracle, &self.nodes[node]);
        place
            .disk
            .with_files(View::Durable, place.ledger_dir(), |files| oracle.durable(seqno, files))?;
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        if running.durable_wanted {
            self.stats.visit("durable while somebody waited");
        }
        self.durable_waiters.retain(|waiting| *waiting > seqno);
        running.durable_wanted = !self.durable_waiters.is_empty();
        Ok(())
    }

    /// A commit point was reported: checks it, and answers those who waited.
    fn committed(&mut self, node: usize, root: &Arc<SignedRoot>) -> Checked {
        self.step("commit", root.txid.view, root.txid.seqno);
        self.stats.visit("commit reported");
        let (oracle, place) = (&mut self.oracle, &self.nodes[node]);
        let count = place
            .disk
            .with_files(View::Durable, place.ledger_dir(), |files| oracle.commit(root, files))?;
        self.stats.add("transactions committed", count);
        let waiters = core::mem::take(&mut self.waiters);
        for waiter in waiters {
            if waiter.txid.seqno > root.txid.seqno {
                self.waiters.push(waiter);
            } else if waiter.receipt {
                self.receipt_at_commit(node, waiter.txid.seqno, root)?;
            }
        }
        Ok(())
    }

    fn receipt_at_commit(&mut self, node: usize, seqno: u64, root: &Arc<SignedRoot>) -> Checked {
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        let Some(parts) = running.replica.receipt_for(seqno, root) else {
            let detail = format!("no receipt of {seqno} at the commit of {}", root.txid);
            return Err(Violation::new("receipts", detail));
        };
        self.stats.visit("receipt at commit");
        let parts = self.mistake(parts);
        self.oracle.receipt(parts, "at commit")
    }

    /// [`Mutant::WrongReceiptPath`].
    pub(super) fn mistake(&self, mut parts: ReceiptParts) -> ReceiptParts {
        if self.mutant == Some(Mutant::WrongReceiptPath)
            && let Some(proof) = &mut parts.proof
        {
            let steps: Vec<_> = proof.path.steps().iter().rev().cloned().collect();
            proof.path = affiant_proof::merkle::MerklePath::from_steps(steps);
        }
        parts
    }

    /// The host answers clients once its first batch is on disk.
    fn serve_when_ready(&mut self, node: usize) -> Checked {
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        if self.serving || !running.opened || running.poisoned.is_some() {
            return Ok(());
        }
        self.serving = true;
        let committed = running.committer.store().committed();
        if committed.seqno > self.oracle.commit_point().seqno {
            self.stats.visit("commit point adopted at restart");
        }
        let (oracle, place) = (&mut self.oracle, &self.nodes[node]);
        place.disk.with_files(View::Durable, place.ledger_dir(), |files| {
            oracle.adopted(committed, files)
        })?;
        self.plan(node, 1, Happening::Client);
        Ok(())
    }

    fn plan_next_tick(&mut self, node: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        if let Some(due_ms) = running.replica.next_due_ms() {
            let after = (due_ms * 1_000).saturating_sub(self.now_us);
            self.wake_core(node, after.max(500));
        }
    }

    /// Gives the disk thread its next batch.
    pub(super) fn pump_disk(&mut self, node: usize) -> Checked {
        let mut disk = self.nodes[node].node_disk();
        let early = self.schedule.chance(500_000);
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        if !running.begin_batch(&mut disk, early, self.mutant) {
            return Ok(());
        }
        if self.nodes[node].disk.has_stopped() {
            return self.stop(node);
        }
        let took = if early {
            self.nodes[node].disk.take_elapsed_us()
        } else {
            let longest = self.scenario.latency.sync_us_max;
            self.schedule.between(1, longest)
        };
        if self.mutant == Some(Mutant::AcknowledgedBeforeSync) {
            self.wake_core(node, 1);
        }
        self.plan(node, took.max(1), Happening::DiskDone);
        Ok(())
    }

    /// The disk thread is done.
    pub(super) fn disk_done(&mut self, node: usize) -> Checked {
        let mut disk = self.nodes[node].node_disk();
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        running.end_batch(&mut disk, self.mutant);
        let slow = self.nodes[node].disk.take_elapsed_us();
        if self.nodes[node].disk.has_stopped() {
            return self.stop(node);
        }
        let pause = self.schedule.between(1, 60) + if slow > 1_000_000 { slow } else { 0 };
        self.wake_core(node, pause);
        self.pump_disk(node)
    }

    /// In the quiet end: when all is committed, checks everything and ends the run.
    fn finish_when_idle(&mut self, node: usize) -> Checked {
        if !self.is_quiet() || !self.serving || self.steps_left > 0 || self.finished {
            return Ok(());
        }
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let store = running.committer.store().clone();
        if store.committed() != store.last() || !running.disk_is_idle() {
            running.commit_wanted = true;
            self.wake_core(node, 1_000);
            return Ok(());
        }
        let waiting = self.waiters.len() + self.durable_waiters.len();
        if waiting > 0 {
            let detail = format!("{waiting} wait for what is committed");
            return Err(Violation::new("liveness", detail));
        }
        for seqno in 1..=store.committed().seqno.min(40) {
            self.receipt_from_ledger(node, seqno)?;
        }
        let (oracle, place) = (&mut self.oracle, &self.nodes[node]);
        let snapshot = store.snapshot();
        place.disk.with_files(View::Live, place.ledger_dir(), |files| {
            let chunks = files.iter().filter(|(path, _)| path.ends_with(".committed")).count();
            self.stats.add("chunk completed", chunks as u64);
            oracle.finish(files, &snapshot)
        })?;
        self.step("finished", store.last().view, store.last().seqno);
        self.finished = true;
        Ok(())
    }
}
