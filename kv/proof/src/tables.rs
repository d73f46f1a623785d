//! Names and values of the tables that verification needs: signatures, and the identities that
//! made them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{Digest, ProofError, TxId};

/// The node's signature over the root.
pub const SIGNATURES: &str = "public:ccf.internal.signatures";
/// The service's COSE signature over the root.
pub const COSE_SIGNATURES: &str = "public:ccf.internal.cose_signatures";
/// The Merkle tree as it was signed.
pub const TREE: &str = "public:ccf.internal.tree";
/// The service: its certificate and status.
pub const SERVICE_INFO: &str = "public:ccf.gov.service.info";
/// The nodes: their status, and in CCF 1.x their certificate.
pub const NODES_INFO: &str = "public:ccf.gov.nodes.info";
/// The certificates of the nodes, issued by the service.
pub const NODES_ENDORSED_CERTIFICATES: &str = "public:ccf.gov.nodes.endorsed_certificates";

/// The service's vouching for the service before it, or for itself.
pub const SERVICE_ENDORSEMENT: &str = "public:ccf.internal.previous_service_identity_endorsement";

/// A value of the table [`SIGNATURES`]: the node's signature over the root of all entries before
/// this one. The fields are in the order in which CCF writes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootSignature {
    /// The node's certificate, PEM; absent in ledgers of CCF 1.x.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<String>,
    /// Deprecated: 0 today.
    #[serde(default)]
    pub commit_seqno: u64,
    /// Deprecated: 0 today.
    #[serde(default)]
    pub commit_view: u64,
    /// Deprecated: 64 zeros.
    #[serde(default = "no_nonce")]
    pub hashed_nonce: String,
    /// The node id: hex SHA-256 of the node key's DER SubjectPublicKeyInfo.
    pub node: String,
    /// The root, in hex.
    pub root: String,
    /// The seqno of the signature entry.
    pub seqno: u64,
    /// The signature over the 32 bytes of the root: base64 of DER.
    pub sig: String,
    /// The view of the signature entry.
    pub view: u64,
}

fn no_nonce() -> String {
    "0".repeat(64)
}

impl RootSignature {
    /// The value for the signature entry `txid`, `signature` being DER.
    #[must_use]
    pub fn new(txid: TxId, node: &str, cert_pem: &str, root: &Digest, signature: &[u8]) -> Self {
        Self {
            cert: Some(cert_pem.to_owned()),
            commit_seqno: 0,
            commit_view: 0,
            hashed_nonce: no_nonce(),
            node: node.to_owned(),
            root: root.to_hex(),
            seqno: txid.seqno,
            sig: STANDARD.encode(signature),
            view: txid.view,
        }
    }

    /// The JSON text that the table holds.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("numbers and strings always serialise")
    }

    /// Reads the JSON text of the table.
    ///
    /// # Errors
    /// It is not JSON of this shape.
    pub fn parse(json: &[u8]) -> Result<Self, ProofError> {
        serde_json::from_slice(json)
            .map_err(|error| ProofError::Json { what: "signature table", why: error.to_string() })
    }

    /// The transaction id of the signature entry, as it says.
    #[must_use]
    pub const fn txid(&self) -> TxId {
        TxId::new(self.view, self.seqno)
    }

    /// The DER bytes of the signature.
    ///
    /// # Errors
    /// It is not canonical base64.
    pub fn signature_der(&self) -> Result<Vec<u8>, ProofError> {
        STANDARD.decode(&self.sig).map_err(|error| ProofError::Json {
            what: "signature in the signature table",
            why: error.to_string(),
        })
    }

    /// The root that was signed, as it says.
    ///
    /// # Errors
    /// It is not 64 hex characters.
    pub fn root(&self) -> Result<Digest, ProofError> {
        self.root.parse().map_err(|error: crate::DigestParseError| ProofError::Json {
            what: "root in the signature table",
            why: error.to_string(),
        })
    }
}

/// A value of the table [`SERVICE_INFO`], as far as verification needs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ServiceInfo {
    pub(crate) cert: String,
    pub(crate) status: String,
}

/// A value of the table [`NODES_INFO`], as far as verification needs it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct NodeInfo {
    pub(crate) status: String,
    #[serde(default)]
    pub(crate) cert: Option<String>,
}
