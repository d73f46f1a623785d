//! What clients do: transactions, questions about them, receipts.

use affiant_kv::{CommitOutcome, KvError, TxStatus};

use super::{Happening, Waiter, World};
use crate::mutant::Mutant;
use crate::violation::{Checked, Violation};
use crate::workload::{self, OpenTx};

/// Transactions that clients keep open at once.
const OPEN_COUNT_MAX: usize = 4;

impl World {
    pub(super) fn client(&mut self, node: usize) -> Checked {
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        if running.poisoned.is_some() {
            self.stats.visit("client: not primary or poisoned");
            return Ok(());
        }
        if running.committer.store().last().seqno == 0 {
            self.genesis(node)?;
        } else {
            self.act(node)?;
        }
        self.steps_left = self.steps_left.saturating_sub(1);
        let (core, pause) = (self.schedule.between(1, 200), self.pause());
        self.wake_core(node, core);
        if self.steps_left > 0 {
            self.plan(node, pause, Happening::Client);
        } else if !self.is_quiet() && !self.nodes[node].disk.has_stopped() {
            // Done: the machine stops a little later.
            let pause = self.faults.below(3 * self.scenario.signature_delay_ms * 1_000 + 20_000);
            self.plan(node, pause, Happening::Stop);
        }
        Ok(())
    }

    fn pause(&mut self) -> u64 {
        let pace = self.scenario.pace_us;
        if self.schedule.chance(20_000) { pace * 50 } else { self.schedule.between(1, 2 * pace) }
    }

    fn genesis(&mut self, node: usize) -> Checked {
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        let node_id = affiant_kv::Signer::node_id(&crate::keys::SimSigner::new(
            crate::keys::SignerKind::Fast,
        ))
        .to_owned();
        let (tx, submitted) = workload::genesis(running.committer.begin(), &node_id);
        match running.committer.commit(tx) {
            CommitOutcome::Sequenced(txid) => self.oracle.sequenced(txid, &[], submitted),
            other => {
                let detail = format!("the first transaction of a service: {other:?}");
                Err(Violation::new("liveness", detail))
            }
        }
    }

    fn act(&mut self, node: usize) -> Checked {
        match self.clients.below(100) {
            0..8 => self.ask_status(node),
            8..12 => self.ask_receipt(node),
            12..14 if !self.open.is_empty() => {
                self.stats.visit("client: dropped a transaction");
                let index = self.clients.index(self.open.len());
                self.open.swap_remove(index);
                Ok(())
            }
            14..40 if self.open.len() < OPEN_COUNT_MAX => {
                self.begin(node);
                Ok(())
            }
            _ => self.work(node),
        }
    }

    fn begin(&mut self, node: usize) {
        let Some(running) = &self.nodes[node].running else { return };
        let tx = running.committer.begin();
        self.open.push(OpenTx::new(tx, &self.scenario.shape, &mut self.clients));
    }

    /// Goes on with an open transaction, and commits it when it is ready.
    fn work(&mut self, node: usize) -> Checked {
        if self.open.is_empty() {
            self.begin(node);
        }
        let index = self.clients.index(self.open.len());
        for _ in 0..self.clients.between(1, 6) {
            self.open[index].act(&self.scenario.shape, &mut self.clients);
            if self.open[index].is_ready() {
                let open = self.open.swap_remove(index);
                return self.commit(node, open);
            }
        }
        Ok(())
    }

    fn commit(&mut self, node: usize, open: OpenTx) -> Checked {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        let (mut tx, reads, submitted) = open.finish();
        if self.mutant == Some(Mutant::ClaimsDropped) {
            tx.set_claims_digest(affiant_proof::Digest::ZERO);
        }
        if self.mutant == Some(Mutant::ConflictsIgnored) {
            tx = workload::forget_reads(running.committer.begin(), &submitted);
        }
        let outcome = running.committer.commit(tx);
        let cell = match outcome {
            CommitOutcome::Sequenced(txid) => {
                let wait = self.is_quiet() || self.clients.chance(self.scenario.wait);
                let receipt = self.clients.chance(500_000);
                let durable = self.clients.chance(self.scenario.wait_durable);
                if let Some(running) = &mut self.nodes[node].running {
                    if wait {
                        running.commit_wanted = true;
                        self.waiters.push(Waiter { txid, receipt });
                    }
                    if durable {
                        running.durable_wanted = true;
                        self.durable_waiters.push(txid.seqno);
                    }
                }
                self.step("sequenced", txid.view, txid.seqno);
                self.oracle.sequenced(txid, &reads, submitted)?;
                "client: sequenced"
            }
            CommitOutcome::ReadOnly(_) => "client: read only",
            CommitOutcome::Conflict => "client: conflict",
            CommitOutcome::TooManyPending => "client: too many pending",
            CommitOutcome::NotPrimary | CommitOutcome::Poisoned(_) => {
                "client: not primary or poisoned"
            }
        };
        self.stats.visit(cell);
        Ok(())
    }

    fn ask_status(&mut self, node: usize) -> Checked {
        let random = self.clients.next_u64();
        let Some(txid) = self.oracle.some_submitted(random) else { return Ok(()) };
        let life = self.nodes[node].life;
        let Some(running) = &self.nodes[node].running else { return Ok(()) };
        let mut status = running.committer.store().status(txid);
        if self.mutant == Some(Mutant::StatusAlwaysCommitted) {
            status = TxStatus::Committed;
        }
        self.stats.visit(match status {
            TxStatus::Unknown => "status unknown",
            TxStatus::Pending => "status pending",
            TxStatus::Committed => "status committed",
            TxStatus::Invalid => "status invalid",
        });
        self.oracle.status(txid, status, life)
    }

    fn ask_receipt(&mut self, node: usize) -> Checked {
        let committed = self.oracle.commit_point().seqno;
        if committed == 0 {
            return Ok(());
        }
        let seqno = 1 + self.clients.below(committed);
        self.receipt_from_ledger(node, seqno)
    }

    /// Cuts the receipt of a committed entry from the files, as a reading thread does.
    pub(super) fn receipt_from_ledger(&mut self, node: usize, seqno: u64) -> Checked {
        let Some(running) = &mut self.nodes[node].running else { return Ok(()) };
        match running.reader.receipt(seqno) {
            Ok(Some(parts)) => {
                self.stats.visit(match parts.proof {
                    Some(_) => "receipt from the ledger",
                    None => "receipt of a signature",
                });
                let parts = self.mistake(parts);
                self.oracle.receipt(parts, "from the ledger")
            }
            Err(KvError::Disk(_)) if !self.is_quiet() => Ok(()),
            other => {
                let detail = format!("no receipt of the committed {seqno}: {other:?}");
                Err(Violation::new("receipts", detail))
            }
        }
    }
}
