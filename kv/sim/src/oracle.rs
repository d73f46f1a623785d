//! The oracle: what clients were told, what must therefore be so, and all checkers together.

use std::collections::BTreeMap;

use affiant_kv::{ReceiptParts, Sealer, SignedRoot, Snapshot, TxStatus};
use affiant_proof::audit::{AuditOptions, Auditor, LedgerSecret};
use affiant_proof::{Digest, TxId};

use crate::checkers::{
    IssuedReceipt, MonotoneCommit, Read, Receipts, SealOnce, StatusTransitions, Submissions,
    Submitted, Survives, check_commit_synced, check_durable_synced, check_history, check_replay,
    check_serialisable,
};
use crate::keys::{LEDGER_SECRET, SignerKind, SimSealer, SimVerifier};
use crate::ledger::{self, FileBytes, LedgerEntry, State};
use crate::violation::{Checked, Violation};

/// Everything that is known from outside the node.
pub(crate) struct Oracle {
    sealer: std::sync::Arc<SimSealer>,
    verifier: SimVerifier,
    submissions: Submissions,
    committed: Survives,
    durable: Survives,
    commit_point: MonotoneCommit,
    statuses: StatusTransitions,
    receipts: Receipts,
    sealed: SealOnce,
    /// The transactions of the ledger as it should be, by seqno.
    branch: BTreeMap<u64, TxId>,
    /// The state that they make.
    state: State,
    /// Signatures reported as commit points.
    roots: Vec<std::sync::Arc<SignedRoot>>,
}

impl Oracle {
    /// Nothing is known.
    #[must_use]
    pub(crate) fn new(signer: SignerKind) -> Self {
        Self {
            sealer: SimSealer::new(),
            verifier: SimVerifier::new(signer),
            submissions: Submissions::default(),
            committed: Survives::new("committed"),
            durable: Survives::new("durable"),
            commit_point: MonotoneCommit::default(),
            statuses: StatusTransitions::default(),
            receipts: Receipts::default(),
            sealed: SealOnce::default(),
            branch: BTreeMap::new(),
            state: State::new(),
            roots: Vec::new(),
        }
    }

    /// The store numbered a transaction.
    ///
    /// # Errors
    /// It did not read what stood before it, or its number is not above all others.
    pub(crate) fn sequenced(
        &mut self,
        txid: TxId,
        reads: &[Read],
        submitted: Submitted,
    ) -> Checked {
        if let Some((_, last)) = self.branch.last_key_value()
            && (txid.seqno <= last.seqno || txid.view < last.view)
        {
            let detail = format!("{txid} was numbered after {last}");
            return Err(Violation::new("numbering", detail));
        }
        check_serialisable(txid, reads, &self.state)?;
        ledger::apply(&mut self.state, txid.seqno, &submitted.writes);
        self.branch.insert(txid.seqno, txid);
        self.submissions.note(txid, submitted)
    }

    /// The entry of `txid` was sealed.
    pub(crate) fn sealed(&mut self, txid: TxId, digest: Digest) {
        self.submissions.note_digest(txid, digest);
    }

    /// The replica reported a commit point; `durable` is what a power cut now would leave.
    /// Returns how many submitted transactions it commits.
    ///
    /// # Errors
    /// A promise about commit is broken.
    pub(crate) fn commit(
        &mut self,
        root: &std::sync::Arc<SignedRoot>,
        durable: &[FileBytes<'_>],
    ) -> Result<u64, Violation> {
        let from = self.commit_point.last().seqno;
        self.commit_point.note(root.txid)?;
        check_commit_synced(root, durable, &*self.sealer)?;
        let mut count = 0;
        for txid in self.branch.range(from + 1..=root.txid.seqno).map(|(_, txid)| *txid) {
            let digest = self.submissions.get(txid).and_then(|submitted| submitted.digest);
            self.committed.note(txid, digest)?;
            count += 1;
        }
        self.committed.note(root.txid, None)?;
        self.roots.push(root.clone());
        Ok(count)
    }

    /// The replica reported everything up to `seqno` as durable; `left` is what a power cut now would
    /// leave.
    ///
    /// # Errors
    /// A promise about durability is broken.
    pub(crate) fn durable(&mut self, seqno: u64, left: &[FileBytes<'_>]) -> Checked {
        let before = self.durable.last();
        let newly = self.branch.range(before + 1..=seqno.max(before)).map(|(_, txid)| *txid);
        let newly: Vec<TxId> = newly.collect();
        check_durable_synced(seqno, newly.last().copied(), left)?;
        for txid in newly {
            let digest = self.submissions.get(txid).and_then(|submitted| submitted.digest);
            self.durable.note(txid, digest)?;
        }
        Ok(())
    }

    /// A process that was started anew is ready to serve, and tells its commit point.
    ///
    /// # Errors
    /// The commit point is behind what was told before, or not certain to survive.
    pub(crate) fn adopted(&mut self, committed: TxId, durable: &[FileBytes<'_>]) -> Checked {
        let before = self.commit_point.last();
        if committed == before {
            return Ok(());
        }
        self.commit_point.note(committed)?;
        let survives = ledger::raw_entries(durable);
        if survives.get(committed.seqno as usize - 1).map(|(txid, _)| *txid) != Some(committed) {
            let detail = format!("after a restart the commit point is {committed}, not synced");
            return Err(Violation::new("commit on synced bytes", detail));
        }
        for txid in self.branch.range(before.seqno + 1..=committed.seqno).map(|(_, txid)| *txid) {
            let digest = self.submissions.get(txid).and_then(|submitted| submitted.digest);
            self.committed.note(txid, digest)?;
        }
        self.committed.note(committed, None)
    }

    /// The last seqno of which a signature in `files` says that it was committed: the consensus
    /// record says so too, but a power cut may take that away.
    #[must_use]
    pub(crate) fn vouched_for(&self, files: &[FileBytes<'_>]) -> u64 {
        let entries = ledger::raw_entries(files);
        let opened = entries.iter().rev().filter_map(|(_, bytes)| {
            let entry = ledger::read_one(bytes, &*self.sealer).ok()?;
            entry.committed_before()
        });
        opened.max().unwrap_or(0)
    }

    /// The last commit point reported.
    #[must_use]
    pub(crate) fn commit_point(&self) -> TxId {
        self.commit_point.last()
    }

    /// The newest transaction that was submitted and is not lost.
    #[must_use]
    pub(crate) fn last_submitted(&self) -> Option<TxId> {
        self.branch.last_key_value().map(|(_, txid)| *txid)
    }

    /// One of the submitted transactions, by a random number; most often a recent one.
    #[must_use]
    pub(crate) fn some_submitted(&self, random: u64) -> Option<TxId> {
        let count = self.submissions.iter().count() as u64;
        let back = if random.is_multiple_of(3) { random / 3 } else { (random / 3) % 8 };
        let position = count.checked_sub(1)?.checked_sub(back % count)?;
        self.submissions.iter().nth(position as usize).map(|(txid, _)| txid)
    }

    /// The node said this about `txid`.
    ///
    /// # Errors
    /// It contradicts what it said before, or the commit point.
    pub(crate) fn status(&mut self, txid: TxId, status: TxStatus, life: u64) -> Checked {
        let here = self.branch.get(&txid.seqno) == Some(&txid);
        let reported = txid.seqno <= self.commit_point.last().seqno;
        let wrong = match status {
            TxStatus::Committed => !(here && reported),
            TxStatus::Invalid => here,
            TxStatus::Pending => !here || reported,
            TxStatus::Unknown => here,
        };
        if wrong {
            let commit = self.commit_point.last();
            let detail = format!(
                "{txid} is said to be {}; commit point {commit}, in the ledger: {here}",
                status.as_str()
            );
            return Err(Violation::new("status", detail));
        }
        self.statuses.note(txid, status, life)
    }

    /// A client got a receipt.
    ///
    /// # Errors
    /// It does not verify, or speaks of what is not committed.
    pub(crate) fn receipt(&mut self, parts: ReceiptParts, how: &'static str) -> Checked {
        if parts.txid.seqno > self.commit_point.last().seqno {
            let detail = format!("{} ({how}) is not committed", parts.txid);
            return Err(Violation::new("receipts", detail));
        }
        if let (Some(proof), Some(submitted)) = (&parts.proof, self.submissions.get(parts.txid))
            && proof.claims_digest != submitted.claims
        {
            let detail = format!("{} ({how}) attests other claims", parts.txid);
            return Err(Violation::new("receipts", detail));
        }
        self.receipts.note(IssuedReceipt { parts, how }, &self.verifier)
    }

    /// Receipts handed out so far.
    #[cfg(test)]
    pub(crate) fn receipts(&self) -> impl Iterator<Item = &ReceiptParts> {
        self.receipts.iter()
    }

    /// Signatures reported as commit points.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn roots(&self) -> &[std::sync::Arc<SignedRoot>] {
        &self.roots
    }

    /// The machine is about to stop, or has stopped: looks at what is written.
    ///
    /// # Errors
    /// An id was sealed twice.
    pub(crate) fn written(&mut self, files: &[FileBytes<'_>]) -> Checked {
        self.sealed.note(files, &*self.sealer)
    }

    /// The node has recovered entries up to `last`, found in `files`, into the state `snapshot`.
    ///
    /// # Errors
    /// A promise about recovery is broken.
    pub(crate) fn recovered(
        &mut self,
        last: TxId,
        files: &[FileBytes<'_>],
        snapshot: &Snapshot,
    ) -> Result<u64, Violation> {
        self.commit_point.restarted(last)?;
        let entries = self.read(files, last.seqno)?;
        if entries.last().map(|entry| entry.txid).unwrap_or_default() != last {
            let detail =
                format!("{last} is said to be recovered, the files hold {}", entries.len());
            return Err(Violation::new("recovery", detail));
        }
        self.check_entries(&entries)?;
        let lost = self.branch.split_off(&(last.seqno + 1)).len() as u64;
        self.state.clear();
        for (seqno, txid) in &self.branch {
            if let Some(submitted) = self.submissions.get(*txid) {
                ledger::apply(&mut self.state, *seqno, &submitted.writes);
            }
        }
        check_replay(snapshot, &self.state, false)?;
        Ok(lost)
    }

    /// All faults are over and the node is idle: checks everything once more.
    ///
    /// # Errors
    /// Any promise is broken.
    pub(crate) fn finish(&mut self, files: &[FileBytes<'_>], snapshot: &Snapshot) -> Checked {
        self.written(files)?;
        let entries = self.read(files, u64::MAX)?;
        self.check_entries(&entries)?;
        self.receipts.check(&entries, &self.verifier)?;
        for (txid, status) in self.statuses.told() {
            let here = entries.get(txid.seqno as usize - 1).is_some_and(|e| e.txid == txid);
            if (status == TxStatus::Committed && !here) || (status == TxStatus::Invalid && here) {
                let detail = format!("{txid} was said to be {}", status.as_str());
                return Err(Violation::new("status", detail));
            }
        }
        let mut state = State::new();
        for entry in &entries {
            ledger::apply(&mut state, entry.txid.seqno, &entry.writes);
        }
        check_replay(snapshot, &state, true)?;
        if self.verifier.kind() == SignerKind::Real { audit(files) } else { Ok(()) }
    }

    fn check_entries(&self, entries: &[LedgerEntry]) -> Checked {
        self.submissions.check(entries)?;
        self.committed.check(entries)?;
        self.durable.check(entries)?;
        check_history(entries, &self.verifier)
    }

    fn read(&self, files: &[FileBytes<'_>], last: u64) -> Result<Vec<LedgerEntry>, Violation> {
        let sealer: &dyn Sealer = &*self.sealer;
        ledger::read(files, sealer, last).map_err(|why| Violation::new("ledger files", why))
    }
}

/// The verifier of strangers reads the whole ledger.
fn audit(files: &[FileBytes<'_>]) -> Checked {
    let secrets = vec![LedgerSecret { first_seqno: 1, key: LEDGER_SECRET }];
    let mut auditor = Auditor::new(AuditOptions { secrets, ..AuditOptions::default() });
    let mut chunks: Vec<(u64, &str, &[u8])> = Vec::new();
    for (path, bytes) in files {
        let name = path.rsplit('/').next().unwrap_or(path);
        let parsed = affiant_proof::chunk::ChunkName::parse(name)
            .map_err(|error| Violation::new("audit", format!("{path}: {error}")))?;
        chunks.push((parsed.first, name, bytes));
    }
    chunks.sort_by_key(|(first, ..)| *first);
    chunks.iter().for_each(|(_, name, bytes)| auditor.chunk(name, bytes));
    let report = auditor.finish();
    let errors = report
        .findings
        .iter()
        .filter(|finding| finding.severity == affiant_proof::audit::Severity::Error)
        .count();
    if errors == 0 { Ok(()) } else { Err(Violation::new("audit", report.to_string())) }
}
