//! A service of our own, written with the encoders of this crate: identities, entries, chunks.
//! Certificates are made by another implementation than the one that verifies them.

use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use affiant_proof::claims::EvidenceKey;
use affiant_proof::cose;
use affiant_proof::entry::{self, EntryView, FLAG_CHUNK_AFTER, SINGLETON_KEY, encode};
use affiant_proof::merkle::Tree;
use affiant_proof::tables::{self, RootSignature};
use affiant_proof::{Digest, LedgerSecret, PublicKey, TxId};
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::pkcs8::EncodePrivateKey as _;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use sha2::Digest as _;

use super::Chunk;

/// A key, and the certificate over it.
pub struct Identity {
    pub key: SigningKey,
    pub cert_pem: String,
    pub id: String,
    pair: KeyPair,
    params: CertificateParams,
}

impl Identity {
    fn new(seed: u8, name: &str, issuer: Option<&Self>) -> Self {
        let secret = p256::SecretKey::from_slice(&[seed; 32]).unwrap();
        let pair = KeyPair::try_from(secret.to_pkcs8_der().unwrap().as_bytes()).unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyCertSign];
        let cert = match issuer {
            None => {
                params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
                params.self_signed(&pair)
            }
            Some(issuer) => {
                params.key_usages = Vec::new();
                let issuer = Issuer::from_params(&issuer.params, &issuer.pair);
                params.signed_by(&pair, &issuer)
            }
        };
        let cert_pem = cert.unwrap().pem().replace("\r\n", "\n");
        let id = PublicKey::from_pem(&cert_pem).unwrap().key_id();
        Self { key: SigningKey::from(secret), cert_pem, id, pair, params }
    }

    pub fn service(seed: u8) -> Self {
        Self::new(seed, "A Service", None)
    }

    /// The certificate by which a later service vouches for this one, PEM.
    pub fn endorsed_by(&self, later: &Self) -> String {
        let issuer = Issuer::from_params(&later.params, &later.pair);
        let cert = self.params.signed_by(&self.pair, &issuer).unwrap();
        cert.pem().replace("\r\n", "\n")
    }

    pub fn node(seed: u8, service: &Self) -> Self {
        Self::new(seed, "A Node", Some(service))
    }
}

/// One table of an entry: its name and what is written.
pub type Table<'a> = (&'a str, Vec<(Vec<u8>, Vec<u8>)>);

/// How a signature entry is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Dual,
    CoseOnly,
}

/// Writes a ledger.
pub struct Writer {
    pub service: Identity,
    pub node: Identity,
    pub mode: Mode,
    pub view: u64,
    pub tree: Tree,
    /// Bytes to put into the COSE signature's unprotected header.
    pub hide: Option<Vec<u8>>,
    secret: [u8; 32],
    chunks: Vec<Chunk>,
    first: u64,
    bytes: Vec<u8>,
    positions: Vec<u32>,
}

impl Writer {
    pub fn new(mode: Mode) -> Self {
        let service = Identity::service(11);
        let node = Identity::node(12, &service);
        Self {
            service,
            node,
            mode,
            view: 2,
            tree: Tree::new(),
            hide: None,
            secret: [0x5e; 32],
            chunks: Vec::new(),
            first: 1,
            bytes: vec![0; 8],
            positions: Vec::new(),
        }
    }

    pub fn secret(&self) -> LedgerSecret {
        LedgerSecret { first_seqno: 1, key: self.secret }
    }

    pub fn txid(&self) -> TxId {
        TxId::new(self.view, self.tree.size())
    }

    pub fn service_info(&self, status: &str) -> Table<'static> {
        let info = serde_json::json!({ "cert": self.service.cert_pem, "status": status });
        (tables::SERVICE_INFO, vec![(SINGLETON_KEY.to_vec(), info.to_string().into_bytes())])
    }

    pub fn node_tables(&self) -> [Table<'static>; 2] {
        let id = self.node.id.clone().into_bytes();
        let cert = self.node.cert_pem.clone().into_bytes();
        let info = br#"{"status":"Trusted"}"#.to_vec();
        [
            (tables::NODES_ENDORSED_CERTIFICATES, vec![(id.clone(), cert)]),
            (tables::NODES_INFO, vec![(id, info)]),
        ]
    }

    /// Appends an entry with these public and private tables.
    pub fn entry(&mut self, public: &[Table<'_>], private: &[Table<'_>], claims: Digest) {
        self.put(public, private, claims, 0);
    }

    /// The first entry of a recovered service: another service and another node, two views on.
    pub fn recover(&mut self, service: Identity, status: &str) {
        self.node = Identity::node(13, &service);
        self.service = service;
        self.view += 2;
        let [certificates, info] = self.node_tables();
        let service = self.service_info(status);
        let public = [certificates, info, service];
        self.put(&public, &[], Digest::ZERO, entry::FLAG_CHUNK_BEFORE);
    }

    /// An entry with one private write.
    pub fn private(&mut self, key: &str, value: &str) {
        let write = (key.as_bytes().to_vec(), value.as_bytes().to_vec());
        self.entry(&[], &[("records", vec![write])], Digest::ZERO);
    }

    fn put(&mut self, public: &[Table<'_>], private: &[Table<'_>], claims: Digest, flags: u8) {
        let txid = self.txid();
        let evidence = EvidenceKey::new(&self.secret).evidence_digest(txid);
        let mut domain = Vec::new();
        encode::put_public_header(&mut domain, txid.seqno, &claims, &evidence);
        put_tables(&mut domain, public);
        let mut sealed = Vec::new();
        put_tables(&mut sealed, private);
        let iv = entry::iv_for(txid);
        let tag = Aes256Gcm::new(&self.secret.into())
            .encrypt_inout_detached(&Nonce::from(iv), &domain, sealed.as_mut_slice().into())
            .unwrap();
        let frame = encode::frame(flags, &tag.into(), &iv, domain.len(), sealed.len());
        let bytes = [&frame[..], &domain, &sealed].concat();
        let (view, size) = EntryView::parse(&bytes).unwrap();
        assert_eq!(size, bytes.len());
        self.tree.append(view.leaf());
        self.positions.push(u32::try_from(self.bytes.len()).unwrap());
        self.bytes.extend_from_slice(&bytes);
    }

    /// Appends a signature entry; with `end` it completes the chunk, committed.
    pub fn sign(&mut self, end: bool) {
        let txid = self.txid();
        let root = self.tree.root();
        let single = |value: Vec<u8>| vec![(SINGLETON_KEY.to_vec(), value)];
        let protected = cose::encode_protected(
            cose::Algorithm::Es256,
            &self.service.id,
            1_800_000_000,
            "service.example.com",
            "ledger.signature",
            txid,
        );
        let to_be_signed = cose::to_be_signed(&protected, &root.0);
        let signature: Signature =
            self.service.key.sign_prehash(&sha2::Sha256::digest(to_be_signed)).unwrap();
        let mut sign1 = cose::encode_sign1(&protected, &signature.to_bytes());
        if let Some(hidden) = &self.hide {
            // An empty map becomes {0: hidden}.
            let at = sign1.len() - 64 - 2 - 2;
            assert_eq!(sign1[at], 0xa0);
            let map = [&[0xa1, 0x00, 0x40 + hidden.len() as u8][..], hidden].concat();
            sign1.splice(at..=at, map);
        }
        let signature: Signature = self.node.key.sign_prehash(&root.0).unwrap();
        let raw = RootSignature::new(
            txid,
            &self.node.id,
            &self.node.cert_pem,
            &root,
            signature.to_der().as_bytes(),
        );
        let mut public = vec![(tables::COSE_SIGNATURES, single(cose::encode_table_value(&sign1)))];
        if self.mode == Mode::Dual {
            public.push((tables::SIGNATURES, single(raw.to_json())));
        }
        public.push((tables::TREE, single(self.tree.serialise())));
        let flags = if end { FLAG_CHUNK_AFTER } else { 0 };
        self.put(&public, &[], Digest::ZERO, flags);
        self.tree.flush_to(txid.seqno).unwrap();
        if end {
            self.end_chunk();
        }
    }

    fn end_chunk(&mut self) {
        let last = self.tree.size() - 1;
        let mut bytes = std::mem::replace(&mut self.bytes, vec![0; 8]);
        let table = bytes.len() as u64;
        bytes[..8].copy_from_slice(&table.to_le_bytes());
        let positions = std::mem::take(&mut self.positions);
        bytes.extend(affiant_proof::chunk::encode_positions(&positions));
        let name = format!("ledger_{}-{last}.committed", self.first);
        self.chunks.push(Chunk { name, bytes });
        self.first = last + 1;
    }

    /// The chunks; the last one is open if entries follow the last completed one.
    pub fn finish(mut self) -> Vec<Chunk> {
        if !self.positions.is_empty() {
            let name = format!("ledger_{}", self.first);
            self.chunks.push(Chunk { name, bytes: self.bytes });
        }
        self.chunks
    }
}

fn put_tables(out: &mut Vec<u8>, tables: &[Table<'_>]) {
    for (name, writes) in tables {
        encode::put_map(out, name.as_bytes(), writes.len() as u64);
        writes.iter().for_each(|(key, value)| encode::put_write(out, key, value));
        encode::put_remove_count(out, 0);
    }
}

/// A writer after its first chunk: the service is open, entry 2 signs.
pub fn opened(mode: Mode) -> Writer {
    let mut writer = Writer::new(mode);
    let [certificates, info] = writer.node_tables();
    let opened = writer.service_info("Open");
    writer.entry(&[certificates, info, opened], &[], Digest::ZERO);
    writer.sign(true);
    writer
}

/// A small ledger: three chunks, the last one open if `open`; an opened service, private and
/// public writes, claims, a change of view.
pub fn small_ledger(mode: Mode, open: bool) -> (Vec<Chunk>, LedgerSecret) {
    let mut writer = opened(mode);
    writer.private("42", "hello");
    let message = ("public:messages", vec![(b"1".to_vec(), b"a public message".to_vec())]);
    writer.entry(&[message], &[], Digest::of(b"a statement"));
    writer.view = 3;
    writer.sign(true);
    writer.private("43", "the last one");
    writer.sign(!open);
    let secret = writer.secret();
    (writer.finish(), secret)
}
