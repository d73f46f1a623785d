//! Inclusion proofs and the receipt that carries them in its unprotected header:
//! `{396: {-1: [proof, ...]}}`, each proof a byte string of
//! `{1: [write set digest, commit evidence, claims digest], 2: [[is left, digest], ...]}`.

use super::{Sign1, encode_sign1_with};
use crate::cbor::{self, Label, Reader, each_pair};
use crate::limits::{COMMIT_EVIDENCE_BYTES_MAX, COSE_PROOFS_MAX, PATH_STEPS_MAX};
use crate::merkle::{MerklePath, Step};
use crate::{Digest, ProofError, claims};

const VERIFIABLE_DATA_PROOFS: i64 = 396;
const INCLUSION_PROOFS: i64 = -1;
const PROOF_LEAF: i64 = 1;
const PROOF_PATH: i64 = 2;

/// That one transaction is in the tree: what its leaf is made of, and the path to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// The SHA-256 of the ledger entry.
    pub write_set_digest: Digest,
    /// The commit evidence text.
    pub commit_evidence: String,
    /// The claims digest; 32 zero bytes if the application set none.
    pub claims_digest: Digest,
    /// From the leaf to the signed root.
    pub path: MerklePath,
}

impl InclusionProof {
    /// The leaf of the transaction.
    #[must_use]
    pub fn leaf(&self) -> Digest {
        let evidence = Digest::of(self.commit_evidence.as_bytes());
        claims::leaf(&self.write_set_digest, &evidence, &self.claims_digest)
    }

    /// The root to which the path leads.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.path.root(&self.leaf())
    }

    /// The proof in CBOR.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let steps = self.path.steps();
        let mut out = Vec::with_capacity(80 + self.commit_evidence.len() + 36 * steps.len());
        cbor::put_map(&mut out, 2);
        cbor::put_int(&mut out, PROOF_LEAF);
        cbor::put_array(&mut out, 3);
        cbor::put_bytes(&mut out, &self.write_set_digest.0);
        cbor::put_text(&mut out, &self.commit_evidence);
        cbor::put_bytes(&mut out, &self.claims_digest.0);
        cbor::put_int(&mut out, PROOF_PATH);
        cbor::put_array(&mut out, steps.len());
        for step in steps {
            let (is_left, sibling) = match step {
                Step::Left(sibling) => (true, sibling),
                Step::Right(sibling) => (false, sibling),
            };
            cbor::put_array(&mut out, 2);
            cbor::put_bool(&mut out, is_left);
            cbor::put_bytes(&mut out, &sibling.0);
        }
        out
    }

    /// A proof from its CBOR.
    ///
    /// # Errors
    /// The bytes are no such proof, or over the bounds.
    pub fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let mut leaf = None;
        let mut path = None;
        let mut reader = Reader::new(bytes);
        each_pair(&mut reader, |label, reader| {
            match label {
                Label::Int(PROOF_LEAF) => leaf = Some(read_leaf(reader)?),
                Label::Int(PROOF_PATH) => path = Some(read_path(reader)?),
                _ => return Err(malformed("it has a part other than leaf and path")),
            }
            Ok(())
        })?;
        reader.finish()?;
        let (Some((write_set_digest, commit_evidence, claims_digest)), Some(path)) = (leaf, path)
        else {
            return Err(malformed("leaf or path is missing"));
        };
        Ok(Self { write_set_digest, commit_evidence, claims_digest, path })
    }
}

fn malformed(why: &'static str) -> ProofError {
    ProofError::Malformed { what: "inclusion proof", offset: 0, why }
}

fn read_digest(reader: &mut Reader<'_>) -> Result<Digest, ProofError> {
    let bytes = reader.bytes()?;
    bytes.try_into().map(Digest).map_err(|_| malformed("a digest has 32 bytes"))
}

fn read_leaf(reader: &mut Reader<'_>) -> Result<(Digest, String, Digest), ProofError> {
    reader.array_of(3, "a leaf has three parts")?;
    let write_set = read_digest(reader)?;
    let evidence = reader.text()?;
    if evidence.is_empty() || evidence.len() > COMMIT_EVIDENCE_BYTES_MAX {
        return Err(malformed("commit evidence has 1 to 1024 characters"));
    }
    Ok((write_set, evidence.to_owned(), read_digest(reader)?))
}

fn read_path(reader: &mut Reader<'_>) -> Result<MerklePath, ProofError> {
    let count = reader.array()?;
    if count > PATH_STEPS_MAX as u64 {
        let limit = PATH_STEPS_MAX as u64;
        return Err(ProofError::TooLarge { what: "steps of a path", found: count, limit });
    }
    let mut steps = Vec::new();
    for _ in 0..count {
        reader.array_of(2, "a step has two parts")?;
        let step = if reader.bool()? { Step::Left } else { Step::Right };
        steps.push(step(read_digest(reader)?));
    }
    Ok(MerklePath::from_steps(steps))
}

/// The receipt of one transaction, from the COSE_Sign1 of the signature entry whose root the
/// proof leads to.
///
/// # Errors
/// `sign1` is no COSE_Sign1.
pub fn cose_receipt(sign1: &[u8], proof: &InclusionProof) -> Result<Vec<u8>, ProofError> {
    let signed = Sign1::parse(sign1)?;
    let mut unprotected = Vec::new();
    cbor::put_map(&mut unprotected, 1);
    cbor::put_int(&mut unprotected, VERIFIABLE_DATA_PROOFS);
    cbor::put_map(&mut unprotected, 1);
    cbor::put_int(&mut unprotected, INCLUSION_PROOFS);
    cbor::put_array(&mut unprotected, 1);
    cbor::put_bytes(&mut unprotected, &proof.encode());
    Ok(encode_sign1_with(signed.protected, &unprotected, signed.signature))
}

/// The inclusion proofs in the unprotected header of a receipt; at least one.
///
/// # Errors
/// There is none, one is malformed, or there are too many.
pub fn parse_inclusion_proofs(receipt: &Sign1<'_>) -> Result<Vec<InclusionProof>, ProofError> {
    let mut proofs = Vec::new();
    let mut reader = Reader::new(receipt.unprotected);
    each_pair(&mut reader, |label, reader| {
        if label != Label::Int(VERIFIABLE_DATA_PROOFS) {
            return reader.skip().map(drop);
        }
        each_pair(reader, |label, reader| {
            if label != Label::Int(INCLUSION_PROOFS) {
                return reader.skip().map(drop);
            }
            let (found, limit) = (reader.array()?, COSE_PROOFS_MAX);
            if found > limit {
                return Err(ProofError::TooLarge { what: "proofs of a receipt", found, limit });
            }
            for _ in 0..found {
                proofs.push(InclusionProof::parse(reader.bytes()?)?);
            }
            Ok(())
        })
    })?;
    if proofs.is_empty() {
        return Err(malformed("the receipt holds none"));
    }
    Ok(proofs)
}
