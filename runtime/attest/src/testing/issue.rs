//! Certificates and revocation lists by the root for tests.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA384, digest};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA384, RsaKeyPair,
};

use super::AT;
use super::der_writer::{bit_string, extension, ia5, integer, name, oid, sequence, time, tlv};
use crate::chain::{LeafKind, to_pem};
use crate::tcb::{Product, TcbVersion};

static ROOT: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    RsaKeyPair::from_pkcs8(include_bytes!("../../tests/keys/test-only-ark.pk8")).unwrap()
});
static AUTHORITY: LazyLock<RsaKeyPair> = LazyLock::new(|| {
    RsaKeyPair::from_pkcs8(include_bytes!("../../tests/keys/test-only-ask.pk8")).unwrap()
});
static LEAF: LazyLock<EcdsaKeyPair> = LazyLock::new(|| {
    let key = include_bytes!("../../tests/keys/test-only-leaf.pk8");
    EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, key, &SystemRandom::new()).unwrap()
});
/// Signatures that have been made: tests ask for the same certificates again and again.
static SIGNED: LazyLock<Mutex<HashMap<Vec<u8>, Vec<u8>>>> = LazyLock::new(Mutex::default);

const AMD: &str = "1.3.6.1.4.1.3704.1";
const YEAR_S: u64 = 365 * 24 * 3600;

/// One authority of a chain.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its common name.
    pub name: String,
    /// Its serial number.
    pub serial: Vec<u8>,
    /// First and last second of validity.
    pub validity: (u64, u64),
    /// Basic constraints: is it an authority, with how many below it; `None`: the extension is
    /// absent.
    pub constraints: Option<(bool, Option<u8>)>,
    /// The byte of key usage bits, highest bit first (0x04: certificates, 0x02: lists); `None`:
    /// absent.
    pub key_usage: Option<u8>,
}

/// How a chain is issued. Whatever is wrong in it is signed all the same.
#[derive(Clone, Debug)]
pub struct Issue {
    /// Of the leaf.
    pub kind: LeafKind,
    /// The product's name in the leaf.
    pub product_name: String,
    /// The leaf's TCB version.
    pub tcb: TcbVersion,
    /// The leaf's hardware id.
    pub hardware_id: Vec<u8>,
    /// The leaf's common name.
    pub leaf_name: String,
    /// The leaf's serial number.
    pub leaf_serial: Vec<u8>,
    /// First and last second of the leaf's validity.
    pub leaf_validity: (u64, u64),
    /// Extensions that the leaf has beside AMD's: id, critical, value.
    pub leaf_extensions: Vec<(&'static str, bool, Vec<u8>)>,
    /// The ASK or ASVK.
    pub authority: Authority,
    /// The ARK.
    pub root: Authority,
    /// The name that the leaf gives as its issuer, if another than the ASK's.
    pub leaf_issuer: Option<String>,
    /// The name that the ARK gives as its issuer, if another than its own.
    pub root_issuer: Option<String>,
    /// The version of the structure of the leaf's extensions: 0, and 1 on Turin.
    pub struct_version: u8,
    /// Bytes of salt that the certificates' algorithm promises; AMD's is 48.
    pub salt_bytes: u8,
    /// The same outside of what is signed, which must not differ.
    pub outer_salt_bytes: u8,
    /// The ASK signs itself instead of being signed by the ARK.
    pub authority_signs_itself: bool,
}

impl Issue {
    /// As AMD issues for this product.
    #[must_use]
    pub fn new(product: Product) -> Self {
        let validity = (AT - YEAR_S, AT + 6 * YEAR_S);
        let authority = Authority {
            name: format!("SEV-{product}"),
            serial: vec![0x01, 0x00, 0x01],
            validity,
            constraints: Some((true, Some(0))),
            key_usage: Some(0x04),
        };
        let root = Authority {
            name: format!("ARK-{product}"),
            serial: vec![0x01, 0x00, 0x00],
            validity,
            constraints: Some((true, None)),
            key_usage: Some(0x06),
        };
        Self {
            kind: LeafKind::Vcek,
            product_name: product.name().to_owned(),
            tcb: TcbVersion::default(),
            hardware_id: Vec::new(),
            leaf_name: "SEV-VCEK".to_owned(),
            leaf_serial: vec![0],
            leaf_validity: validity,
            leaf_extensions: Vec::new(),
            authority,
            root,
            leaf_issuer: None,
            root_issuer: None,
            struct_version: u8::from(product == Product::Turin),
            salt_bytes: 48,
            outer_salt_bytes: 48,
            authority_signs_itself: false,
        }
    }

    /// The chain, in PEM: leaf, ASK, ARK.
    #[must_use]
    pub fn chain(&self) -> String {
        self.certificates().iter().map(|der| to_pem(der)).collect()
    }

    /// The chain, in DER: leaf, ASK, ARK.
    #[must_use]
    pub fn certificates(&self) -> [Vec<u8>; 3] {
        let point = LEAF.public_key().as_ref();
        let p384 = sequence(&[&oid("1.2.840.10045.2.1"), &oid("1.3.132.0.34")]);
        let leaf = self.sign(
            &AUTHORITY,
            &Body {
                serial: &self.leaf_serial,
                issuer: self.leaf_issuer.as_ref().unwrap_or(&self.authority.name),
                subject: &self.leaf_name,
                validity: self.leaf_validity,
                key: &sequence(&[&p384, &bit_string(point)]),
                extensions: &self.leaf_extensions(),
            },
        );
        let by: &RsaKeyPair = if self.authority_signs_itself { &AUTHORITY } else { &ROOT };
        let authority = self.issue(&self.authority, (&self.root.name, by), &AUTHORITY);
        let issuer = self.root_issuer.as_ref().unwrap_or(&self.root.name);
        [leaf, authority, self.issue(&self.root, (issuer, &ROOT), &ROOT)]
    }

    fn issue(
        &self,
        authority: &Authority,
        (issuer, by): (&str, &RsaKeyPair),
        key: &RsaKeyPair,
    ) -> Vec<u8> {
        let mut extensions = Vec::new();
        if let Some((is_authority, below)) = authority.constraints {
            let mark: &[u8] = if is_authority { &[0x01, 0x01, 0xff] } else { &[] };
            let below = below.map(|below| integer(&[below])).unwrap_or_default();
            extensions.extend(extension("2.5.29.19", true, &sequence(&[mark, &below])));
        }
        if let Some(bits) = authority.key_usage {
            let unused = u8::try_from(bits.trailing_zeros().min(7)).unwrap();
            extensions.extend(extension("2.5.29.15", true, &[0x03, 0x02, unused, bits]));
        }
        self.sign(
            by,
            &Body {
                serial: &authority.serial,
                issuer,
                subject: &authority.name,
                validity: authority.validity,
                key: &rsa_key_info(key),
                extensions: &extensions,
            },
        )
    }

    fn leaf_extensions(&self) -> Vec<u8> {
        let id = |rest: &str| format!("{AMD}.{rest}");
        let number = |rest: &str, value: u8| extension(&id(rest), false, &integer(&[value]));
        let tcb = &self.tcb;
        let mut all = [
            number("1", self.struct_version),
            extension(&id("2"), false, &ia5(&self.product_name)),
            tcb.fmc.map(|fmc| number("3.9", fmc)).unwrap_or_default(),
            number("3.1", tcb.boot_loader),
            number("3.2", tcb.tee),
            number("3.3", tcb.snp),
            number("3.5", 0),
            number("3.8", tcb.microcode),
        ]
        .concat();
        all.extend(match self.kind {
            LeafKind::Vcek => extension(&id("4"), false, &self.hardware_id),
            LeafKind::Vlek => extension(&id("5"), false, &ia5("test provider")),
        });
        for (id, critical, value) in &self.leaf_extensions {
            all.extend(extension(id, *critical, value));
        }
        all
    }

    fn sign(&self, key: &RsaKeyPair, body: &Body<'_>) -> Vec<u8> {
        let algorithm = pss(self.salt_bytes);
        let version = tlv(0xa0, &[&integer(&[2])]);
        let validity = sequence(&[&time(body.validity.0), &time(body.validity.1)]);
        let extensions = tlv(0xa3, &[&sequence(&[body.extensions])]);
        let signed = sequence(&[
            &version,
            &integer(body.serial),
            &algorithm,
            &name(body.issuer),
            &validity,
            &name(body.subject),
            body.key,
            &extensions,
        ]);
        signed_by(key, signed, &pss(self.outer_salt_bytes))
    }
}

/// What goes into a certificate.
struct Body<'a> {
    serial: &'a [u8],
    issuer: &'a str,
    subject: &'a str,
    validity: (u64, u64),
    key: &'a [u8],
    extensions: &'a [u8],
}

fn signed_by(key: &RsaKeyPair, signed: Vec<u8>, algorithm: &[u8]) -> Vec<u8> {
    let cached = [key.public_key().as_ref(), &signed].concat();
    let mut made = SIGNED.lock().unwrap();
    let signature = made.entry(cached).or_insert_with(|| {
        let mut signature = vec![0_u8; key.public().modulus_len()];
        key.sign(&RSA_PSS_SHA384, &SystemRandom::new(), &signed, &mut signature).unwrap();
        signature
    });
    sequence(&[&signed, algorithm, &bit_string(signature)])
}

/// RSASSA-PSS with SHA-384, as AMD writes it.
fn pss(salt_bytes: u8) -> Vec<u8> {
    let sha384 = sequence(&[&oid("2.16.840.1.101.3.4.2.2"), &[0x05, 0x00]]);
    let mask = sequence(&[&oid("1.2.840.113549.1.1.8"), &sha384]);
    let parameters = sequence(&[
        &tlv(0xa0, &[&sha384]),
        &tlv(0xa1, &[&mask]),
        &tlv(0xa2, &[&integer(&[salt_bytes])]),
        &tlv(0xa3, &[&integer(&[1])]),
    ]);
    sequence(&[&oid("1.2.840.113549.1.1.10"), &parameters])
}

fn rsa_key_info(key: &RsaKeyPair) -> Vec<u8> {
    let algorithm = sequence(&[&oid("1.2.840.113549.1.1.1"), &[0x05, 0x00]]);
    sequence(&[&algorithm, &bit_string(key.public_key().as_ref())])
}

/// SHA-384 of the public key of the root for tests; it stands in for every product's.
#[must_use]
pub fn root_digest(_: Product) -> [u8; 48] {
    static DIGEST: LazyLock<[u8; 48]> =
        LazyLock::new(|| digest(&SHA384, &rsa_key_info(&ROOT)).as_ref().try_into().unwrap());
    *DIGEST
}

/// The leaf's signature over a report: R then S, 48 bytes each, highest byte first.
pub(super) fn sign_report(signed: &[u8]) -> Vec<u8> {
    LEAF.sign(&SystemRandom::new(), signed).unwrap().as_ref().to_vec()
}

/// What a revocation list says.
#[derive(Clone, Debug)]
pub struct RevocationSpec {
    /// The serial numbers, and, for indirect lists, the common name of their issuer.
    pub revoked: Vec<(Vec<u8>, Option<String>)>,
    /// When it was made.
    pub this_update: u64,
    /// When the next one is due.
    pub next_update: Option<u64>,
    /// Whether the ASK's key signs it instead of the ARK's.
    pub signed_by_authority: bool,
    /// A delta list: critical, and of no use alone.
    pub delta: bool,
}

impl Default for RevocationSpec {
    fn default() -> Self {
        let (this_update, next_update) = (AT - 3600, Some(AT + YEAR_S));
        let (revoked, signed_by_authority, delta) = (Vec::new(), false, false);
        Self { revoked, this_update, next_update, signed_by_authority, delta }
    }
}

/// A revocation list of the product's root for tests, in PEM.
#[must_use]
pub fn revocation_list(product: Product, spec: &RevocationSpec) -> String {
    let algorithm = pss(48);
    let mut entries = Vec::new();
    for (serial, issuer) in &spec.revoked {
        let issuer = issuer.as_ref().map(|common| {
            let names = sequence(&[&tlv(0xa4, &[&name(common)])]);
            sequence(&[&extension("2.5.29.29", true, &names)])
        });
        entries.extend(sequence(&[
            &integer(serial),
            &time(spec.this_update),
            &issuer.unwrap_or_default(),
        ]));
    }
    let mut extensions = Vec::new();
    if spec.revoked.iter().any(|(_, issuer)| issuer.is_some()) {
        let indirect = sequence(&[&[0x84, 0x01, 0xff]]);
        extensions.extend(extension("2.5.29.28", true, &indirect));
    }
    if spec.delta {
        extensions.extend(extension("2.5.29.27", true, &integer(&[1])));
    }
    let optional = |tag: u8, content: Vec<u8>| match content.as_slice() {
        [] => Vec::new(),
        some => tlv(tag, &[some]),
    };
    let signed = sequence(&[
        &integer(&[1]),
        &algorithm,
        &name(&format!("ARK-{product}")),
        &time(spec.this_update),
        &spec.next_update.map(time).unwrap_or_default(),
        &optional(0x30, entries),
        &optional(0xa0, optional(0x30, extensions)),
    ]);
    let key: &RsaKeyPair = if spec.signed_by_authority { &AUTHORITY } else { &ROOT };
    let der = signed_by(key, signed, &algorithm);
    format!("-----BEGIN X509 CRL-----\n{}\n-----END X509 CRL-----\n", STANDARD.encode(der))
}
