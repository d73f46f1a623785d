//! Receipts in JSON, as `GET /receipt` answers them: reading, writing.
//!
//! A receipt holds the parts of one leaf, the path from it to a root, a node's signature over
//! that root, and the node's certificate. [`verify_json`] and [`verify_cose`] check receipts.

mod any;
mod verify;

pub use any::{ReceiptForm, UnreadableReceipt, verify_receipt};
pub(crate) use verify::certificates;
pub use verify::{ExpectedClaims, VerifyOptions, verify_cose, verify_cose_endorsed, verify_json};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::limits::{ENDORSEMENTS_MAX, PATH_STEPS_MAX, RECEIPT_BYTES_MAX};
use crate::merkle::{MerklePath, Step};
use crate::{Digest, ProofError};

const WHAT: &str = "receipt";

/// A receipt in its JSON form. The fields stand in the order in which CCF writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The certificate of the node that signed, PEM.
    pub cert: String,
    /// Only in the form that JavaScript handlers see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_signature_transaction: Option<bool>,
    /// The leaf itself, in hex: the root of a signature transaction, or the write set digest of
    /// an entry older than commit evidence.
    #[serde(default, skip_serializing_if = "Option::is_none", alias = "root_hex")]
    pub leaf: Option<String>,
    /// The parts of the leaf.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf_components: Option<LeafComponents>,
    /// The id of the node that signed.
    #[serde(default)]
    pub node_id: String,
    /// The path from the leaf to the root, the leaf's own sibling first.
    #[serde(default)]
    pub proof: Vec<ProofStep>,
    /// Certificates of former service keys, each issued by the next service, when the receipt is
    /// older than a recovery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_endorsements: Option<Vec<String>>,
    /// The node's signature over the 32 bytes of the root: base64 of DER.
    pub signature: String,
}

/// The parts of a transaction's leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeafComponents {
    /// The claims digest, in hex. An application may leave it out and hand over what was hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claims_digest: Option<String>,
    /// The commit evidence text.
    pub commit_evidence: String,
    /// The SHA-256 of the ledger entry, in hex.
    pub write_set_digest: String,
}

/// One step of the path, in hex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProofStep {
    /// The sibling precedes.
    Left(String),
    /// The sibling follows.
    Right(String),
}

/// A signature over a root, and who made it.
#[derive(Clone, Copy, Debug)]
pub struct SignedRoot<'a> {
    /// The node's certificate, PEM.
    pub cert_pem: &'a str,
    /// The node's id.
    pub node_id: &'a str,
    /// The signature, DER.
    pub signature_der: &'a [u8],
}

impl Receipt {
    /// The receipt of a transaction whose `path` leads to the root that `signed` covers.
    #[must_use]
    pub fn for_transaction(
        write_set_digest: &Digest,
        commit_evidence: &str,
        claims_digest: &Digest,
        path: &MerklePath,
        signed: SignedRoot<'_>,
    ) -> Self {
        let leaf_components = Some(LeafComponents {
            claims_digest: Some(claims_digest.to_hex()),
            commit_evidence: commit_evidence.to_owned(),
            write_set_digest: write_set_digest.to_hex(),
        });
        Self { leaf_components, ..Self::bare(path, signed) }
    }

    /// The receipt of a signature transaction: the root that it signs, itself.
    #[must_use]
    pub fn for_signature(root: &Digest, signed: SignedRoot<'_>) -> Self {
        Self { leaf: Some(root.to_hex()), ..Self::bare(&MerklePath::default(), signed) }
    }

    fn bare(path: &MerklePath, signed: SignedRoot<'_>) -> Self {
        let hex = |step: &Step| match step {
            Step::Left(sibling) => ProofStep::Left(sibling.to_hex()),
            Step::Right(sibling) => ProofStep::Right(sibling.to_hex()),
        };
        Self {
            cert: signed.cert_pem.to_owned(),
            is_signature_transaction: None,
            leaf: None,
            leaf_components: None,
            node_id: signed.node_id.to_owned(),
            proof: path.steps().iter().map(hex).collect(),
            service_endorsements: None,
            signature: STANDARD.encode(signed.signature_der),
        }
    }

    /// Reads a receipt.
    ///
    /// # Errors
    /// The text is no receipt, or over the bounds.
    pub fn parse(json: &[u8]) -> Result<Self, ProofError> {
        let bounded = |what, found: usize, limit: usize| {
            if found <= limit {
                return Ok(());
            }
            Err(ProofError::TooLarge { what, found: found as u64, limit: limit as u64 })
        };
        bounded("receipt size", json.len(), RECEIPT_BYTES_MAX)?;
        let receipt: Self = serde_json::from_slice(json)
            .map_err(|error| ProofError::Json { what: WHAT, why: error.to_string() })?;
        bounded("steps of the path", receipt.proof.len(), PATH_STEPS_MAX)?;
        let endorsements = receipt.service_endorsements.as_ref().map_or(0, Vec::len);
        bounded("service endorsements", endorsements, ENDORSEMENTS_MAX)?;
        if receipt.leaf.is_some() == receipt.leaf_components.is_some() {
            let why = "it must have either leaf_components or leaf".to_owned();
            return Err(ProofError::Json { what: WHAT, why });
        }
        Ok(receipt)
    }

    /// The JSON text, as the node's `/receipt` endpoint answers it.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings and lists always serialise")
    }

    /// The path from the leaf to the root.
    ///
    /// # Errors
    /// A step is not 64 hex characters.
    pub fn path(&self) -> Result<MerklePath, ProofError> {
        let step = |step: &ProofStep| match step {
            ProofStep::Left(hex) => digest("proof", hex).map(Step::Left),
            ProofStep::Right(hex) => digest("proof", hex).map(Step::Right),
        };
        self.proof.iter().map(step).collect::<Result<_, _>>().map(MerklePath::from_steps)
    }
}

fn digest(what: &'static str, hex: &str) -> Result<Digest, ProofError> {
    hex.parse()
        .map_err(|error: crate::DigestParseError| ProofError::Json { what, why: error.to_string() })
}
