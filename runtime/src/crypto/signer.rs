//! The [`Signer`] of a node: its own key over the bare root, the service's key over COSE.

use std::sync::Arc;

use affiant_kv::{KeyError, Signer};
use affiant_proof::Digest;

use super::keys::SigningKey;

/// Signs Merkle roots with the node's key and the service's.
pub struct RuntimeSigner {
    node_key: Arc<SigningKey>,
    service_key: Arc<SigningKey>,
    node_certificate_pem: String,
    issuer: String,
    subject: String,
}

impl RuntimeSigner {
    /// Joins the keys with what the signatures say of themselves: the node's endorsed certificate,
    /// and issuer and subject of the COSE signatures.
    #[must_use]
    pub fn new(
        node_key: Arc<SigningKey>,
        service_key: Arc<SigningKey>,
        node_certificate_pem: String,
        issuer: String,
        subject: String,
    ) -> Self {
        Self { node_key, service_key, node_certificate_pem, issuer, subject }
    }
}

impl Signer for RuntimeSigner {
    fn node_id(&self) -> &str {
        self.node_key.id()
    }

    fn node_certificate_pem(&self) -> &str {
        &self.node_certificate_pem
    }

    fn sign_root(&self, root: &Digest) -> Result<Vec<u8>, KeyError> {
        self.node_key.sign_digest(root)
    }

    fn service_algorithm(&self) -> i64 {
        self.service_key.cose_algorithm()
    }

    fn service_key_id(&self) -> &str {
        self.service_key.id()
    }

    fn issuer(&self) -> &str {
        &self.issuer
    }

    fn subject(&self) -> &str {
        &self.subject
    }

    fn sign_with_service_key(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.service_key.sign_fixed(message)
    }
}
