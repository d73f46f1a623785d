//! Real keys: AES-256-GCM, P-384 and certificates, so that what a test writes can be audited.

use std::sync::Arc;

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce, Tag};
use affiant_kv::{KeyError, Sealer, Signer};
use affiant_proof::claims::EvidenceKey;
use affiant_proof::entry::iv_for;
use affiant_proof::{Certificate, Digest, TxId};
use p384::ecdsa::signature::Signer as _;
use p384::ecdsa::signature::hazmat::PrehashSigner as _;
use p384::ecdsa::{Signature, SigningKey};
use p384::pkcs8::DecodePrivateKey as _;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};

#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    cipher: Aes256Gcm,
    evidence: EvidenceKey,
    node: SigningKey,
    node_pem: String,
    node_id: String,
    service: SigningKey,
    service_pem: String,
    service_id: String,
}

impl Keys {
    pub fn new() -> Self {
        Self::with_secret([42; 32])
    }

    pub fn with_secret(secret: [u8; 32]) -> Self {
        let pair = || KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let own = |pair: &KeyPair| SigningKey::from_pkcs8_der(&pair.serialize_der()).unwrap();
        let (service, node) = (pair(), pair());
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let service_pem = params.self_signed(&service).unwrap().pem();
        let (service_key, node_key) = (own(&service), own(&node));
        let issuer = Issuer::new(params, service);
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let node_pem = params.signed_by(&node, &issuer).unwrap().pem();
        let id = |pem: &str| Certificate::from_pem(pem).unwrap().public_key().key_id();
        Self(Arc::new(Inner {
            cipher: Aes256Gcm::new(&secret.into()),
            evidence: EvidenceKey::new(&secret),
            node: node_key,
            node_id: id(&node_pem),
            node_pem,
            service: service_key,
            service_id: id(&service_pem),
            service_pem,
        }))
    }

    pub fn sealer(&self) -> Arc<dyn Sealer> {
        Arc::new(self.clone())
    }

    pub fn signer(&self) -> Box<dyn Signer> {
        Box::new(self.clone())
    }

    pub fn service_pem(&self) -> String {
        self.0.service_pem.clone()
    }

    pub fn node_pem(&self) -> String {
        self.0.node_pem.clone()
    }

    pub fn node_id(&self) -> String {
        self.0.node_id.clone()
    }
}

impl Sealer for Keys {
    fn seal(&self, txid: TxId, aad: &[u8], in_out: &mut [u8]) -> Result<[u8; 16], KeyError> {
        let nonce = Nonce::from(iv_for(txid));
        let tag = self.0.cipher.encrypt_inout_detached(&nonce, aad, in_out.into());
        tag.map(Into::into).map_err(|_| KeyError("seal".to_owned()))
    }

    fn open(
        &self,
        txid: TxId,
        aad: &[u8],
        in_out: &mut [u8],
        tag: &[u8; 16],
    ) -> Result<(), KeyError> {
        let (nonce, tag) = (Nonce::from(iv_for(txid)), Tag::from(*tag));
        let opened = self.0.cipher.decrypt_inout_detached(&nonce, aad, in_out.into(), &tag);
        opened.map_err(|_| KeyError("the tag does not match".to_owned()))
    }

    fn commit_nonce(&self, txid: TxId) -> Result<Digest, KeyError> {
        Ok(Digest(self.0.evidence.nonce(txid)))
    }

    fn commit_evidence_digest(&self, txid: TxId) -> Result<Digest, KeyError> {
        Ok(self.0.evidence.evidence_digest(txid))
    }
}

impl Signer for Keys {
    fn node_id(&self) -> &str {
        &self.0.node_id
    }

    fn node_certificate_pem(&self) -> &str {
        &self.0.node_pem
    }

    fn sign_root(&self, root: &Digest) -> Result<Vec<u8>, KeyError> {
        let signature: Signature =
            self.0.node.sign_prehash(&root.0).map_err(|error| KeyError(error.to_string()))?;
        Ok(signature.to_der().as_bytes().to_vec())
    }

    fn service_algorithm(&self) -> i64 {
        -35
    }

    fn service_key_id(&self) -> &str {
        &self.0.service_id
    }

    fn issuer(&self) -> &str {
        "service.example.com"
    }

    fn subject(&self) -> &str {
        "ledger.signature"
    }

    fn sign_with_service_key(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature: Signature = self.0.service.sign(message);
        Ok(signature.to_bytes().to_vec())
    }
}
