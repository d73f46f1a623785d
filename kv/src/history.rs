//! The Merkle history, and the signature entries over it.
//!
//! Invariants
//! * The tree's size is the seqno of the next entry: the root that a signature at seqno s signs covers
//!   the leaves 0 to s - 1.
//! * Leaves above the commit point before the last one are retained, so that those who waited can
//!   have their receipts; the tree table begins at the commit point, as CCF writes it.

use std::collections::VecDeque;
use std::sync::Arc;

use affiant_proof::claims;
use affiant_proof::cose::{self, Algorithm, InclusionProof, Sign1};
use affiant_proof::entry::{EntryView, SINGLETON_KEY};
use affiant_proof::merkle::{MerklePath, Tree};
use affiant_proof::tables::{COSE_SIGNATURES, RootSignature, SIGNATURES, TREE};
use affiant_proof::{Digest, TxId};

use crate::error::KvError;
use crate::ledger::SignatureEntry;
use crate::map::{Key, Value};
use crate::name::MapName;
use crate::replica::{ReceiptParts, SignedRoot};
use crate::seal::{Sealer, Signer};
use crate::store::MapWrites;
use crate::write_set::SealedEntry;

pub(crate) struct History {
    tree: Tree,
    signer: Box<dyn Signer>,
    /// What the leaves from `parts_base` on are made of, for receipts.
    parts: VecDeque<LeafParts>,
    parts_base: u64,
}

#[derive(Clone, Copy)]
struct LeafParts {
    txid: TxId,
    write_set_digest: Digest,
    claims_digest: Digest,
}

impl History {
    /// Continues `tree`.
    pub(crate) fn new(tree: Tree, signer: Box<dyn Signer>) -> Self {
        let parts_base = tree.size();
        Self { tree, signer, parts: VecDeque::new(), parts_base }
    }

    /// The seqno of the next entry.
    pub(crate) fn next_seqno(&self) -> u64 {
        self.tree.size()
    }

    pub(crate) fn append(&mut self, entry: &SealedEntry) {
        assert_eq!(entry.txid.seqno, self.tree.size(), "entries are appended in order");
        self.tree.append(entry.digests.leaf);
        self.parts.push_back(LeafParts {
            txid: entry.txid,
            write_set_digest: entry.digests.write_set,
            claims_digest: entry.digests.claims,
        });
    }

    /// Signs the root over everything below `txid`, which is the next entry. `committed` is the
    /// commit point now. Gives the signed root and the tables of the entry.
    pub(crate) fn sign(
        &self,
        txid: TxId,
        committed: u64,
        unix_s: u64,
    ) -> Result<(SignedRoot, Vec<MapWrites>), KvError> {
        assert_eq!(txid.seqno, self.tree.size(), "a signature covers all entries before it");
        let signer = &*self.signer;
        let root = self.tree.root();
        let signature = signer.sign_root(&root)?;
        let algorithm = Algorithm::from_cose_id(signer.service_algorithm()).ok_or_else(|| {
            let id = signer.service_algorithm();
            crate::KeyError(format!("COSE algorithm {id} is none of the ledger's: use -35 or -7"))
        })?;
        let protected = cose::encode_protected(
            algorithm,
            signer.service_key_id(),
            unix_s,
            signer.issuer(),
            signer.subject(),
            txid,
        );
        let to_be_signed = cose::to_be_signed(&protected, &root.0);
        let cose = cose::encode_sign1(&protected, &signer.sign_with_service_key(&to_be_signed)?);
        let node_id = signer.node_id().to_owned();
        let certificate = signer.node_certificate_pem().to_owned();
        let json = RootSignature::new(txid, &node_id, &certificate, &root, &signature).to_json();
        let tree = self
            .tree
            .serialise_flushed_to(committed)
            .map_err(|error| KvError::Consensus(format!("tree at {txid}: {error}")))?;
        let tables = vec![
            table(COSE_SIGNATURES, &cose::encode_table_value(&cose)),
            table(SIGNATURES, &json),
            table(TREE, &tree),
        ];
        let node_certificate_pem = certificate;
        let signed =
            SignedRoot { txid, root, signature, cose, node_id, node_certificate_pem, unix_s };
        Ok((signed, tables))
    }

    /// Forgets what no later signature or receipt needs once everything up to `seqno` is committed
    /// and the answers to those who waited have been cut.
    pub(crate) fn forget_below(&mut self, seqno: u64) {
        let seqno = seqno.min(self.tree.size() - 1);
        let flushed = self.tree.flush_to(seqno);
        assert!(flushed.is_ok(), "the commit point is a leaf of the tree");
        while self.parts_base < seqno && self.parts.pop_front().is_some() {
            self.parts_base += 1;
        }
    }

    /// The path of the leaf at `seqno` to the root that the signature at `signature` signs.
    pub(crate) fn path(&self, seqno: u64, signature: u64) -> Option<MerklePath> {
        self.tree.path_at(seqno, signature).ok()
    }

    pub(crate) fn receipt(
        &self,
        seqno: u64,
        root: &Arc<SignedRoot>,
        sealer: &dyn Sealer,
    ) -> Option<ReceiptParts> {
        let position = usize::try_from(seqno.checked_sub(self.parts_base)?).ok()?;
        let parts = *self.parts.get(position)?;
        let signed_root = root.clone();
        if root.txid == parts.txid {
            return Some(ReceiptParts { txid: root.txid, proof: None, signed_root });
        }
        let nonce = sealer.commit_nonce(parts.txid).ok()?;
        let proof = InclusionProof {
            write_set_digest: parts.write_set_digest,
            commit_evidence: claims::commit_evidence(parts.txid, &nonce.0),
            claims_digest: parts.claims_digest,
            path: self.path(seqno, root.txid.seqno)?,
        };
        (proof.root() == root.root).then_some(ReceiptParts {
            txid: parts.txid,
            proof: Some(proof),
            signed_root,
        })
    }
}

fn table(name: &str, value: &[u8]) -> MapWrites {
    let name = MapName::new(name).expect("the signature tables have valid names");
    MapWrites { name, writes: vec![(Key::from(&SINGLETON_KEY[..]), Some(Value::from(value)))] }
}

/// Reads a signature entry; `None` for any other entry. An entry counts as a signature iff it writes
/// the node's signature table.
pub(crate) fn parse_signature(entry: &EntryView<'_>) -> Result<Option<SignatureEntry>, String> {
    let (mut json, mut cose, mut tree) = (None, None, None);
    for map in entry.maps() {
        let map = map.map_err(|error| error.to_string())?;
        let slot = match map.name() {
            name if name == SIGNATURES.as_bytes() => &mut json,
            name if name == COSE_SIGNATURES.as_bytes() => &mut cose,
            name if name == TREE.as_bytes() => &mut tree,
            _ => continue,
        };
        *slot = map.value(&SINGLETON_KEY);
    }
    let Some(json) = json else { return Ok(None) };
    let (Some(cose), Some(tree)) = (cose, tree) else {
        return Err("a signature entry lacks a table".to_owned());
    };
    let signed = RootSignature::parse(json).map_err(|error| error.to_string())?;
    if signed.txid() != entry.txid() {
        return Err(format!("a signature entry at {} says {}", entry.txid(), signed.txid()));
    }
    let cose = cose::decode_table_value(cose).map_err(|error| error.to_string())?;
    let header = Sign1::parse(&cose).map_err(|error| error.to_string())?;
    let issued_at = header.header().map_err(|error| error.to_string())?.issued_at;
    let signed_root = SignedRoot {
        txid: signed.txid(),
        root: signed.root().map_err(|error| error.to_string())?,
        signature: signed.signature_der().map_err(|error| error.to_string())?,
        node_id: signed.node,
        node_certificate_pem: signed.cert.unwrap_or_default(),
        unix_s: issued_at.and_then(|at| u64::try_from(at).ok()).unwrap_or(0),
        cose,
    };
    Ok(Some(SignatureEntry { signed_root: Arc::new(signed_root), tree: tree.into() }))
}
