//! Signature entries: the signed root against the tree, the signatures against the identities,
//! and the exact form of an entry that no later signature may cover.

use super::{Auditor, Coverage, Tables, single};
use crate::cose::{self, Sign1, encode_sign1};
use crate::entry::{EntryView, MapView};
use crate::limits::AUDIT_ALTERED_MAX;
use crate::merkle::Tree;
use crate::tables::RootSignature;
use crate::{Digest, ProofError};

const SIGNATURE: &str = "node signature";
const COSE: &str = "service signature";
const ROOT: &str = "root";
const TREE: &str = "tree";
const FORM: &str = "form";

/// The verifiable data structure of these ledgers.
const VDS_CCF_LEDGER_SHA256: i64 = 2;

impl Auditor {
    /// Checks a signature entry against everything before it. The entry is not yet in the tree.
    pub(super) fn check_signature(&mut self, entry: &EntryView<'_>, tables: &Tables<'_>) {
        let txid = entry.txid();
        // A former signature is covered only if this one holds.
        let errors_before = self.journal.error_count();
        self.check_signature_form(entry, tables);
        let raw = tables.signature.as_ref().and_then(|map| self.read_raw(entry, map, tables));
        let root = self.settle_root(raw.as_ref(), tables);
        if let (Some(raw), Some(root)) = (&raw, &root) {
            self.check_node_signature(raw, root, tables);
        }
        if let (Some(map), Some(root)) = (&tables.cose, &root) {
            self.check_cose_signature(entry, map, root);
        }
        let signed = (tables.signature.is_some() && raw.is_some()) || tables.cose.is_some();
        if signed && self.journal.error_count() == errors_before {
            self.signatures += 1;
            self.cose_signatures += u64::from(tables.cose.is_some());
            self.last_signed = Some(txid);
            self.journal.covered_before(txid.seqno);
        }
        self.last_signature = Some(Coverage {
            txid,
            chunk: self.journal.chunk.clone(),
            offset: self.journal.offset,
            opened: self.seals.covers(txid.seqno),
        });
        self.forget_leaves(tables);
    }

    /// The parts of a signature entry that nothing inside of it signs.
    fn check_signature_form(&mut self, entry: &EntryView<'_>, tables: &Tables<'_>) {
        let journal = &mut self.journal;
        let known = [&tables.signature, &tables.cose, &tables.tree].into_iter().flatten().count();
        if known != tables.count {
            journal.error(FORM, "a signature entry writes other tables than those of signatures");
        }
        if tables.signature.is_none() && tables.cose.is_none() {
            journal.error(FORM, "the entry holds a Merkle tree and no signature");
        }
        if tables.tree.is_none() {
            journal.warning(FORM, "the signature entry holds no Merkle tree");
        }
        if entry.claims_digest().is_some_and(|claims| claims != Digest::ZERO) {
            journal.error_unless_covered(FORM, "a signature entry sets claims");
        }
        if !entry.private_ciphertext().is_empty() {
            journal.error_unless_covered(FORM, "a signature entry has private maps");
        }
        // In CCF 1.x the field held the seqno before.
        if entry.reserved() != 0 && entry.reserved() + 1 != entry.version() {
            journal.error_unless_covered(FORM, "the reserved field holds no value ever written");
        }
    }

    /// Reads the node's signature and checks the fields that it does not sign.
    fn read_raw(
        &mut self,
        entry: &EntryView<'_>,
        map: &MapView<'_>,
        tables: &Tables<'_>,
    ) -> Option<RootSignature> {
        let Some(value) = single(map) else {
            self.journal.error(SIGNATURE, "the table must be written as a single value");
            return None;
        };
        let raw = match RootSignature::parse(value) {
            Ok(raw) => raw,
            Err(error) => {
                self.journal.error(SIGNATURE, error.to_string());
                return None;
            }
        };
        let txid = entry.txid();
        if raw.txid() != txid {
            let found = raw.txid();
            self.journal.error(SIGNATURE, format!("it says {found} in the entry {txid}"));
        }
        if raw.to_json() != value {
            let text = "the JSON of the node signature is not in the form that nodes write";
            self.journal.error_unless_covered(FORM, text);
        }
        if raw.hashed_nonce.bytes().any(|digit| digit != b'0') || raw.hashed_nonce.len() != 64 {
            self.journal.error_unless_covered(FORM, "hashed_nonce is not 64 zeros");
        }
        if raw.root.bytes().any(|digit| digit.is_ascii_uppercase()) {
            self.journal.error_unless_covered(FORM, "the root is not in lower-case hex");
        }
        let said = (raw.commit_seqno, raw.commit_view);
        let old = raw.commit_seqno < txid.seqno
            && self.view_at(raw.commit_seqno) == Some(raw.commit_view);
        if said != (0, 0) && !old {
            let text = "commit_seqno and commit_view name no earlier transaction";
            self.journal.error_unless_covered(FORM, text);
        }
        let listed_from = tables.listed_from().unwrap_or(0);
        if said != (0, 0) && ![listed_from, txid.seqno - 1].contains(&raw.commit_seqno) {
            let text = "commit_seqno names neither the commit nor the transaction before";
            self.journal.error_unless_covered(FORM, text);
        }
        Some(raw)
    }

    /// The root that the signatures must cover. Where the recorded one differs from ours, the
    /// recorded tree shows which entries were altered, and the audit goes on from that tree.
    fn settle_root(&mut self, raw: Option<&RootSignature>, tables: &Tables<'_>) -> Option<Digest> {
        let own = self.tree.root();
        let recorded = match raw.map(RootSignature::root) {
            Some(Ok(root)) => root,
            Some(Err(error)) => {
                self.journal.error(ROOT, error.to_string());
                return None;
            }
            None => own,
        };
        let tree = match tables.tree.as_ref().map(|map| self.read_tree(map)) {
            None | Some(Ok(None)) => None,
            Some(Ok(Some(tree))) => Some(tree),
            Some(Err(error)) => {
                self.journal.error(TREE, error.to_string());
                return (recorded == own).then_some(own);
            }
        };
        match tree {
            _ if recorded != own => {
                self.journal.error(
                    ROOT,
                    format!("the entries before this one lead to root {own}, not {recorded}"),
                );
                let Some(tree) = tree.filter(|tree| tree.root() == recorded) else {
                    self.stop(ROOT, "the signed root cannot be reached");
                    return None;
                };
                self.name_altered(&tree);
                self.tree = tree;
                Some(recorded)
            }
            Some(tree) if tree.root() != own || tree.size() != self.tree.size() => {
                self.journal.error(TREE, "the recorded tree is not that of the entries before");
                self.name_altered(&tree);
                Some(own)
            }
            _ => Some(own),
        }
    }

    /// The recorded tree; none if it is ours, which is found without hashing.
    fn read_tree(&self, map: &MapView<'_>) -> Result<Option<Tree>, ProofError> {
        let value = single(map).ok_or(ProofError::Malformed {
            what: "tree table",
            offset: 0,
            why: "it must be written as a single value",
        })?;
        if self.tree.matches_serialised(value) {
            return Ok(None);
        }
        let tree = Tree::deserialise(value)?;
        if tree.size() != self.tree.size() {
            let (expected, found) = (self.tree.size().to_string(), tree.size().to_string());
            return Err(ProofError::Mismatch { what: "size of the tree", expected, found });
        }
        Ok(Some(tree))
    }

    /// Names the entries whose leaf is not the recorded one.
    fn name_altered(&mut self, recorded: &Tree) {
        let from = recorded.flushed().max(self.tree.flushed());
        let altered = |seqno: &u64| recorded.leaf(*seqno) != self.tree.leaf(*seqno);
        let altered: Vec<_> = (from..self.tree.size())
            .filter(altered)
            .take(AUDIT_ALTERED_MAX)
            .map(|seqno| seqno.to_string())
            .collect();
        if !altered.is_empty() {
            let text = format!("altered since it was signed: the entry at {}", altered.join(", "));
            self.journal.error(ROOT, text);
        }
    }

    fn check_node_signature(&mut self, raw: &RootSignature, root: &Digest, tables: &Tables<'_>) {
        let Some(node) = self.identities.signer(&raw.node, &mut self.journal) else { return };
        let Some(cert) = &node.cert else { return };
        if raw.cert.is_some() && raw.cert != node.cert_text {
            let key = raw
                .cert
                .as_deref()
                .map(crate::cert::Certificate::from_pem)
                .map(|other| other.map(|other| other.public_key() == cert.public_key()));
            if key == Some(Ok(true)) {
                let text = "the certificate beside the signature is not the recorded one";
                self.journal.error_unless_covered(FORM, text);
            } else {
                self.journal.error(SIGNATURE, "the certificate beside it is of another key");
            }
        }
        if raw.cert.is_none() && tables.cose.is_some() {
            self.journal.error_unless_covered(FORM, "the signature comes without a certificate");
        }
        let verified = raw.signature_der().and_then(|signature| {
            cert.public_key().verify_root("the root by the node", root, &signature)
        });
        if let Err(error) = verified {
            self.journal.error(SIGNATURE, error.to_string());
        }
    }

    fn check_cose_signature(&mut self, entry: &EntryView<'_>, map: &MapView<'_>, root: &Digest) {
        if let Err(error) = self.verify_cose(entry, map, root) {
            self.journal.error(COSE, error.to_string());
        }
    }

    fn verify_cose(
        &mut self,
        entry: &EntryView<'_>,
        map: &MapView<'_>,
        root: &Digest,
    ) -> Result<(), ProofError> {
        let mismatch = |what, expected: String, found: String| {
            Err(ProofError::Mismatch { what, expected, found })
        };
        let value = single(map).ok_or(ProofError::Malformed {
            what: "COSE signature table",
            offset: 0,
            why: "it must be written as a single value",
        })?;
        let message = cose::decode_table_value(value)?;
        let sign1 = Sign1::parse(&message)?;
        let header = sign1.header()?;
        if sign1.payload.is_some() {
            return mismatch("payload", "detached".to_owned(), "attached".to_owned());
        }
        if encode_sign1(sign1.protected, sign1.signature) != message {
            let text = "the COSE signature has an unprotected header, which nothing signs";
            self.journal.error_unless_covered(FORM, text);
        }
        let Some(service) = &self.identities.service else {
            let (what, why) = ("service certificate", "none is recorded before it".to_owned());
            return Err(ProofError::Certificate { what, why });
        };
        match header.key_id {
            Some(id) if id != service.key_id.as_bytes() => {
                let found = id.escape_ascii().to_string();
                return mismatch("key id", service.key_id.clone(), found);
            }
            Some(_) => {}
            None => self.journal.warning(COSE, "it does not name its key"),
        }
        match header.txid {
            Some(txid) if txid != entry.txid() => {
                return mismatch("transaction id", entry.txid().to_string(), txid.to_string());
            }
            Some(_) => {}
            None => self.journal.warning(COSE, "it does not name its transaction"),
        }
        let algorithm = service.cert.public_key().algorithm().cose_id();
        if header.algorithm != Some(algorithm) {
            let found = format!("{:?}", header.algorithm);
            return mismatch("algorithm", algorithm.to_string(), found);
        }
        if header.data_structure != Some(VDS_CCF_LEDGER_SHA256) {
            let text = "it does not say that it is over a CCF ledger: no receipt verifies with it";
            self.journal.warning(COSE, text);
        }
        let signed = sign1.to_be_signed(&root.0);
        service.cert.public_key().verify_cose("the root by the service", &signed, sign1.signature)
    }

    /// Forgets the leaves that later signature entries no longer list.
    fn forget_leaves(&mut self, tables: &Tables<'_>) {
        let last = self.tree.size() - 1;
        let to = tables.listed_from().map_or(last, |from| from.min(last));
        self.tree.flush_to(to).expect("an index below the size is in the tree");
    }
}

impl Tables<'_> {
    /// The first leaf that the recorded tree lists.
    fn listed_from(&self) -> Option<u64> {
        let bytes = single(self.tree.as_ref()?)?.get(8..16)?;
        bytes.try_into().ok().map(u64::from_be_bytes)
    }
}
