//! Known mistakes, made on purpose around the production code: the simulator must catch each.

use std::sync::Arc;

use affiant_kv::{Disk, DiskResult, KeyError, Sealer, SignedRoot, Signer};
use affiant_proof::{Digest, TxId};

use crate::disk::SimDisk;
use crate::keys::{SimSealer, SimSigner};

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mutant {
    /// A failed sync counts as done.
    SyncErrorIgnored,
    /// A failed write counts as done.
    WriteErrorIgnored,
    /// Syncs of files do nothing.
    SyncSkipped,
    /// Syncs of directories do nothing.
    DirectoryNotSynced,
    /// The disk thread acknowledges a batch before it performs it.
    AcknowledgedBeforeSync,
    /// What was handed to the disk counts as durable.
    DurableWhenHandedOver,
    /// The disk thread forgets the last operation of some batches.
    LastOperationForgotten,
    /// Recovery takes any bytes for an authentic entry.
    TornTailAccepted,
    /// Recovery cuts one entry more than is torn.
    RecoveryCutsTooMuch,
    /// Signatures cover another root.
    WrongRootSigned,
    /// The service's signature is one over other bytes.
    WrongServiceSignature,
    /// Claims are lost between the handler and the ledger.
    ClaimsDropped,
    /// The commit evidence is that of another transaction.
    WrongCommitEvidence,
    /// Conflicts go unnoticed: every transaction is taken as if it had read nothing.
    ConflictsIgnored,
    /// A receipt is cut with a path that belongs to another leaf.
    WrongReceiptPath,
    /// Every answer of the status interface says committed.
    StatusAlwaysCommitted,
}

impl Mutant {
    /// All of them.
    #[must_use]
    pub fn all() -> &'static [Self] {
        <Self as clap::ValueEnum>::value_variants()
    }
}

/// The disk as the node sees it: the simulated one, with the mistake if it is one of a disk.
#[derive(Clone)]
pub(crate) struct NodeDisk {
    disk: SimDisk,
    mutant: Option<Mutant>,
}

impl NodeDisk {
    /// Wraps `disk`.
    #[must_use]
    pub(crate) fn new(disk: SimDisk, mutant: Option<Mutant>) -> Self {
        Self { disk, mutant }
    }

    fn forgive(&self, mutant: Mutant, result: DiskResult<()>) -> DiskResult<()> {
        if self.mutant == Some(mutant) && !self.disk.has_stopped() { Ok(()) } else { result }
    }
}

impl Disk for NodeDisk {
    fn create_dir(&mut self, path: &str) -> DiskResult<()> {
        self.disk.create_dir(path)
    }
    fn create(&mut self, path: &str) -> DiskResult<()> {
        self.disk.create(path)
    }
    fn append(&mut self, path: &str, bytes: &[u8]) -> DiskResult<()> {
        let result = self.disk.append(path, bytes);
        self.forgive(Mutant::WriteErrorIgnored, result)
    }
    fn write_at(&mut self, path: &str, offset: u64, bytes: &[u8]) -> DiskResult<()> {
        let result = self.disk.write_at(path, offset, bytes);
        self.forgive(Mutant::WriteErrorIgnored, result)
    }
    fn read_at(&self, path: &str, offset: u64, length: usize) -> DiskResult<Vec<u8>> {
        self.disk.read_at(path, offset, length)
    }
    fn size(&self, path: &str) -> DiskResult<u64> {
        self.disk.size(path)
    }
    fn truncate(&mut self, path: &str, size: u64) -> DiskResult<()> {
        self.disk.truncate(path, size)
    }
    fn sync(&mut self, path: &str) -> DiskResult<()> {
        if self.mutant == Some(Mutant::SyncSkipped) {
            return self.disk.size(path).map(|_| ());
        }
        let result = self.disk.sync(path);
        self.forgive(Mutant::SyncErrorIgnored, result)
    }
    fn rename(&mut self, from: &str, to: &str) -> DiskResult<()> {
        self.disk.rename(from, to)
    }
    fn sync_dir(&mut self, path: &str) -> DiskResult<()> {
        if self.mutant == Some(Mutant::DirectoryNotSynced) {
            return Ok(());
        }
        self.disk.sync_dir(path)
    }
    fn list(&self, path: &str) -> DiskResult<Vec<String>> {
        self.disk.list(path)
    }
    fn remove(&mut self, path: &str) -> DiskResult<()> {
        self.disk.remove(path)
    }
}

/// The sealer as the node sees it.
pub(crate) struct NodeSealer {
    sealer: Arc<SimSealer>,
    mutant: Option<Mutant>,
}

impl NodeSealer {
    /// Wraps the simulator's sealer.
    #[must_use]
    pub(crate) fn new(mutant: Option<Mutant>) -> Arc<Self> {
        Arc::new(Self { sealer: SimSealer::new(), mutant })
    }
}

impl Sealer for NodeSealer {
    fn seal(&self, txid: TxId, aad: &[u8], in_out: &mut [u8]) -> Result<[u8; 16], KeyError> {
        self.sealer.seal(txid, aad, in_out)
    }

    fn open(
        &self,
        txid: TxId,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), KeyError> {
        if self.mutant != Some(Mutant::TornTailAccepted) {
            return self.sealer.open(txid, aad, in_out, tag);
        }
        let mut opened = in_out.to_vec();
        if self.sealer.open(txid, aad, &mut opened, tag).is_ok() {
            in_out.copy_from_slice(&opened);
        }
        Ok(())
    }

    fn commit_nonce(&self, txid: TxId) -> Result<Digest, KeyError> {
        if self.mutant == Some(Mutant::WrongCommitEvidence) && txid.seqno.is_multiple_of(7) {
            return self.sealer.commit_nonce(TxId::new(txid.view, txid.seqno + 1));
        }
        self.sealer.commit_nonce(txid)
    }
}

/// The signer as the node sees it.
pub(crate) struct NodeSigner {
    signer: SimSigner,
    mutant: Option<Mutant>,
}

impl NodeSigner {
    /// Wraps `signer`.
    #[must_use]
    pub(crate) fn new(signer: SimSigner, mutant: Option<Mutant>) -> Self {
        Self { signer, mutant }
    }
}

impl Signer for NodeSigner {
    fn node_id(&self) -> &str {
        self.signer.node_id()
    }
    fn node_certificate_pem(&self) -> &str {
        self.signer.node_certificate_pem()
    }
    fn sign_root(&self, root: &Digest) -> Result<Vec<u8>, KeyError> {
        if self.mutant == Some(Mutant::WrongRootSigned) {
            return self.signer.sign_root(&Digest::of(&root.0));
        }
        self.signer.sign_root(root)
    }
    fn service_algorithm(&self) -> i64 {
        self.signer.service_algorithm()
    }
    fn service_key_id(&self) -> &str {
        self.signer.service_key_id()
    }
    fn issuer(&self) -> &str {
        self.signer.issuer()
    }
    fn subject(&self) -> &str {
        self.signer.subject()
    }
    fn sign_with_service_key(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        if self.mutant == Some(Mutant::WrongServiceSignature) {
            return self.signer.sign_with_service_key(&message[1..]);
        }
        self.signer.sign_with_service_key(message)
    }
    fn verify_signed_root(&self, signed: &SignedRoot) -> Result<(), KeyError> {
        self.signer.verify_signed_root(signed)
    }
}
