//! The simulator's keys: the real ledger cipher, and one of two signers. The fast one is a keyed
//! hash, so that seeds are cheap; the real one signs by P-384 with deterministic nonces, so that
//! the verifier of strangers can check receipts and whole ledgers.
//!
//! The keys below are public knowledge and protect nothing.

use std::sync::Arc;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use affiant_kv::{KeyError, Sealer, SignedRoot, Signer};
use affiant_proof::claims::EvidenceKey;
use affiant_proof::entry::iv_for;
use affiant_proof::{Digest, PublicKey, TxId};
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::ecdsa::{DerSignature, Signature, SigningKey};

/// The secret of every simulated ledger.
pub const LEDGER_SECRET: [u8; 32] = *b"the simulator keeps no secrets..";

/// The service's certificate, self-signed; PEM.
pub const SERVICE_CERTIFICATE: &str = include_str!("keys/service.crt.pem");
/// The node's certificate, issued by the service; PEM.
pub const NODE_CERTIFICATE: &str = include_str!("keys/node.crt.pem");

const SERVICE_SCALAR: &str = "7beb944af94a8ec669fba59d727ba424d73d8ce339d24e9580d9bc023a59aabe\
                              298556a566d5725a309cfa1c092b3c23";
const NODE_SCALAR: &str = "e53a5ac9cde05ab567af8b8ce94dbd652eeab30ce8bb2c4627975293ae7c7647\
                           5fdbc173a74c9f965d4a5f4c41075a81";
const SERVICE_KEY_ID: &str = "8bf1b0e527f19facc81f65db104cab47dc3e6e926e74080006afdcfbb40c155f";
const NODE_KEY_ID: &str = "1f28781f660c1fa6c0f75d09f8a6c3bbefcd3c6c0e0f5e920d55f60e6c419e6c";

/// AES-256-GCM under [`LEDGER_SECRET`].
pub struct SimSealer {
    cipher: Aes256Gcm,
    evidence: EvidenceKey,
}

impl SimSealer {
    /// The sealer; seals alike in every run.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            cipher: Aes256Gcm::new(&LEDGER_SECRET.into()),
            evidence: EvidenceKey::new(&LEDGER_SECRET),
        })
    }
}

impl Sealer for SimSealer {
    fn seal(&self, txid: TxId, aad: &[u8], in_out: &mut [u8]) -> Result<[u8; 16], KeyError> {
        let tag = self
            .cipher
            .encrypt_inout_detached(&Nonce::from(iv_for(txid)), aad, in_out.into())
            .map_err(|_| KeyError(format!("sealing {txid}: the data is too long")))?;
        Ok(tag.into())
    }

    fn open(
        &self,
        txid: TxId,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), KeyError> {
        if txid.view >= 1 << 31 {
            return Err(KeyError(format!("opening {txid}: no such view")));
        }
        let (nonce, tag) = (Nonce::from(iv_for(txid)), Tag::from(*tag));
        self.cipher
            .decrypt_inout_detached(&nonce, aad, in_out.into(), &tag)
            .map_err(|_| KeyError(format!("opening {txid}: the tag does not match")))
    }

    fn commit_nonce(&self, txid: TxId) -> Result<Digest, KeyError> {
        Ok(Digest(self.evidence.nonce(txid)))
    }
}

/// How roots are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignerKind {
    /// A keyed hash.
    Fast,
    /// ECDSA over P-384 with the nonces of RFC 6979.
    Real,
}

/// Signs for the node and the service.
pub struct SimSigner {
    keys: Option<(SigningKey, SigningKey)>,
}

impl SimSigner {
    /// A signer of that kind.
    #[must_use]
    pub fn new(kind: SignerKind) -> Self {
        let keys = (kind == SignerKind::Real).then(|| (key(NODE_SCALAR), key(SERVICE_SCALAR)));
        Self { keys }
    }
}

fn key(scalar_hex: &str) -> SigningKey {
    let scalar: Vec<u8> = (0..scalar_hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&scalar_hex[at..at + 2], 16).expect("the constant is hex"))
        .collect();
    SigningKey::from_slice(&scalar).expect("the constant is a scalar of the curve")
}

fn keyed_hash(purpose: &str, message: &[u8]) -> Digest {
    Digest::of_parts(&[b"simulated signature", purpose.as_bytes(), message])
}

impl Signer for SimSigner {
    fn node_id(&self) -> &str {
        NODE_KEY_ID
    }

    fn node_certificate_pem(&self) -> &str {
        NODE_CERTIFICATE
    }

    fn sign_root(&self, root: &Digest) -> Result<Vec<u8>, KeyError> {
        let Some((node, _)) = &self.keys else {
            return Ok(keyed_hash("node", &root.0).0.to_vec());
        };
        let signature: DerSignature = node
            .sign_prehash(&root.0)
            .map_err(|error| KeyError(format!("signing a root: {error}")))?;
        Ok(signature.as_bytes().to_vec())
    }

    fn service_algorithm(&self) -> i64 {
        -35
    }

    fn service_key_id(&self) -> &str {
        SERVICE_KEY_ID
    }

    fn issuer(&self) -> &str {
        "simulated.example"
    }

    fn subject(&self) -> &str {
        "ledger.signature"
    }

    fn sign_with_service_key(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let Some((_, service)) = &self.keys else {
            let hash = keyed_hash("service", message).0;
            return Ok([hash, hash, hash].concat());
        };
        let signature: Signature = service.sign(message);
        Ok(signature.to_bytes().to_vec())
    }

    fn verify_signed_root(&self, signed: &SignedRoot) -> Result<(), KeyError> {
        let holds = match &self.keys {
            None => keyed_hash("node", &signed.root.0).0 == *signed.signature,
            Some(_) => {
                SimVerifier::new(SignerKind::Real).node_signed(&signed.root, &signed.signature)
            }
        };
        if signed.node_id == NODE_KEY_ID && holds {
            return Ok(());
        }
        Err(KeyError(format!("the root of {} was signed by another key", signed.txid)))
    }
}

/// Checks what [`SimSigner`] signed.
pub struct SimVerifier {
    kind: SignerKind,
    node: PublicKey,
    service: PublicKey,
}

impl SimVerifier {
    /// The verifier of that kind of signature.
    #[must_use]
    pub fn new(kind: SignerKind) -> Self {
        let parse = |pem| PublicKey::from_pem(pem).expect("the constant is a certificate");
        Self { kind, node: parse(NODE_CERTIFICATE), service: parse(SERVICE_CERTIFICATE) }
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> SignerKind {
        self.kind
    }

    /// The service's key.
    #[must_use]
    pub fn service_key(&self) -> &PublicKey {
        &self.service
    }

    /// Whether `signature` is the node's over `root`.
    #[must_use]
    pub fn node_signed(&self, root: &Digest, signature: &[u8]) -> bool {
        match self.kind {
            SignerKind::Fast => keyed_hash("node", &root.0).0 == *signature,
            SignerKind::Real => self.node.verify_root("root", root, signature).is_ok(),
        }
    }

    /// Whether `signature` is the service's over `message`.
    #[must_use]
    pub fn service_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.kind {
            SignerKind::Fast => {
                let hash = keyed_hash("service", message).0;
                [hash, hash, hash].concat() == signature
            }
            SignerKind::Real => self.service.verify_cose("root", message, signature).is_ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

    use super::*;

    #[test]
    fn both_signers_verify_and_are_deterministic() {
        for kind in [SignerKind::Fast, SignerKind::Real] {
            let (signer, verifier) = (SimSigner::new(kind), SimVerifier::new(kind));
            let root = Digest::of(b"root");
            let signature = signer.sign_root(&root).unwrap();
            assert_eq!(signature, signer.sign_root(&root).unwrap());
            assert!(verifier.node_signed(&root, &signature));
            assert!(!verifier.node_signed(&Digest::of(b"other"), &signature));
            let signature = signer.sign_with_service_key(b"message").unwrap();
            assert_eq!(signature.len(), 96);
            assert!(verifier.service_signed(b"message", &signature));
            assert!(!verifier.service_signed(b"another", &signature));
        }
    }

    #[test]
    fn key_ids_are_those_of_the_certificates() {
        let verifier = SimVerifier::new(SignerKind::Real);
        assert_eq!(verifier.node.key_id(), NODE_KEY_ID);
        assert_eq!(verifier.service.key_id(), SERVICE_KEY_ID);
    }

    #[test]
    fn sealed_data_opens_only_unchanged() {
        let sealer = SimSealer::new();
        let txid = TxId::new(2, 7);
        let mut data = b"private".to_vec();
        let tag = sealer.seal(txid, b"public", &mut data).unwrap();
        let mut opened = data.clone();
        sealer.open(txid, b"public", &mut opened, &tag).unwrap();
        assert_eq!(opened, b"private");
        assert!(sealer.open(txid, b"publiq", &mut data.clone(), &tag).is_err());
        assert!(sealer.open(TxId::new(3, 7), b"public", &mut data, &tag).is_err());
    }
}
