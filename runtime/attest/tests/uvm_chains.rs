//! Endorsements under self-made chains, for what no real one has: every rule of chain, signer, DID and
//! header, broken one at a time.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use affiant_attest::uvm::{self, UvmEndorsement, UvmForm};
use affiant_attest::{AttestError, to_pem};
use affiant_proof::cbor;
use affiant_proof::cose::{encode_sign1_attached, to_be_signed};
use aws_lc_rs::digest::{SHA256, SHA384, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, RSA_PSS_SHA384,
    RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA384, RsaKeySize, SanType,
};

const USE: &[u64] = &[1, 3, 6, 1, 4, 1, 99999, 1];
/// 2019-09-13; the certificates are valid for 2019 and have long expired.
const SIGNED_AT: i64 = 1_568_332_800;
const SAMPLE: &str = "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20\
                      2122232425262728292a2b2c2d2e2f30";

/// The parameters of three certificates, which a test changes before they are signed.
struct Plan {
    root: CertificateParams,
    middle: CertificateParams,
    leaf: CertificateParams,
    leaf_key: KeyPair,
}

/// What goes into the message, which a test changes before it is signed.
struct Message {
    chain: Vec<Vec<u8>>,
    key: KeyPair,
    algorithm: Option<i64>,
    certificates_at: Option<i64>,
    critical: bool,
    content_type: Option<&'static str>,
    payload_hash: Option<i64>,
    thumbprint: Option<(i64, Vec<u8>)>,
    issuer: Option<String>,
    feed: Option<&'static str>,
    signed_at: Option<i64>,
    /// Claims `iss`, `sub` and `svn` in place of, or beside, the text headers.
    claims: Option<(Option<String>, Option<i64>)>,
    payload: Vec<u8>,
}

fn params(name: &str, ca: bool) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.distinguished_name.push(DnType::OrganizationName, "Self-made & Sons");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2019, 12, 31);
    if ca {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    } else {
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Other(USE.to_vec())];
        params.subject_alt_names = vec![
            SanType::DnsName("signer.example".try_into().unwrap()),
            SanType::Rfc822Name("a@signer.example".try_into().unwrap()),
            SanType::URI("https://signer.example/x".try_into().unwrap()),
        ];
    }
    params
}

impl Plan {
    fn new() -> Self {
        Self {
            root: params("root", true),
            middle: params("middle", true),
            leaf: params("leaf", false),
            leaf_key: KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap(),
        }
    }

    fn changed(change: impl FnOnce(&mut Self)) -> Message {
        let mut plan = Self::new();
        change(&mut plan);
        plan.message()
    }

    fn message(self) -> Message {
        let (root_key, middle_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = self.root.self_signed(&root_key).unwrap();
        let of_root = Issuer::from_params(&self.root, &root_key);
        let middle = self.middle.signed_by(&middle_key, &of_root).unwrap();
        let of_middle = Issuer::from_params(&self.middle, &middle_key);
        let leaf = self.leaf.signed_by(&self.leaf_key, &of_middle).unwrap();
        let chain: Vec<_> = [leaf, middle, root].iter().map(|one| one.der().to_vec()).collect();
        Message {
            issuer: Some(did(&chain[2], "::eku:1.3.6.1.4.1.99999.1")),
            thumbprint: Some((-16, digest(&SHA256, &chain[0]).as_ref().to_vec())),
            chain,
            key: self.leaf_key,
            algorithm: Some(-35),
            certificates_at: Some(33),
            critical: false,
            content_type: Some("application/json"),
            payload_hash: None,
            feed: Some("self-made"),
            signed_at: Some(SIGNED_AT),
            claims: None,
            payload: format!(
                r#"{{"x-ms-sevsnpvm-launchmeasurement":"{SAMPLE}","x-ms-sevsnpvm-guestsvn":"7"}}"#
            )
            .into_bytes(),
        }
    }
}

fn did(ca: &[u8], policies: &str) -> String {
    let fingerprint = URL_SAFE_NO_PAD.encode(digest(&SHA256, ca));
    format!("did:x509:0:sha256:{fingerprint}{policies}")
}

impl Message {
    fn protected(&self) -> Vec<u8> {
        let mut pairs = Vec::new();
        let mut count = 0;
        let mut pair = |write: &dyn Fn(&mut Vec<u8>)| {
            write(&mut pairs);
            count += 1;
        };
        let int = |out: &mut Vec<u8>, label, value| {
            cbor::put_int(out, label);
            cbor::put_int(out, value);
        };
        if let Some(algorithm) = self.algorithm {
            pair(&|out| int(out, 1, algorithm));
        }
        if self.critical {
            pair(&|out| {
                cbor::put_int(out, 2);
                cbor::put_array(out, 1);
                cbor::put_int(out, 33);
            });
        }
        if let Some(content_type) = self.content_type {
            pair(&|out| {
                cbor::put_int(out, 3);
                cbor::put_text(out, content_type);
            });
        }
        if let Some((issuer, svn)) = &self.claims {
            pair(&|out| {
                cbor::put_int(out, 15);
                cbor::put_map(out, usize::from(issuer.is_some()) + usize::from(svn.is_some()));
                if let Some(issuer) = issuer {
                    cbor::put_int(out, 1);
                    cbor::put_text(out, issuer);
                }
                if let Some(svn) = svn {
                    cbor::put_text(out, "svn");
                    cbor::put_int(out, *svn);
                }
            });
        }
        if let Some(label) = self.certificates_at {
            pair(&|out| {
                cbor::put_int(out, label);
                cbor::put_array(out, self.chain.len());
                self.chain.iter().for_each(|der| cbor::put_bytes(out, der));
            });
        }
        if let Some((hash, value)) = &self.thumbprint {
            pair(&|out| {
                cbor::put_int(out, 34);
                cbor::put_array(out, 2);
                cbor::put_int(out, *hash);
                cbor::put_bytes(out, value);
            });
        }
        if let Some(hash) = self.payload_hash {
            pair(&|out| int(out, 258, hash));
        }
        for (name, value) in [("iss", self.issuer.as_deref()), ("feed", self.feed)] {
            if let Some(value) = value {
                pair(&|out| {
                    cbor::put_text(out, name);
                    cbor::put_text(out, value);
                });
            }
        }
        if let Some(at) = self.signed_at {
            pair(&|out| {
                cbor::put_text(out, "signingtime");
                cbor::put_tag(out, 1);
                cbor::put_int(out, at);
            });
        }
        let mut out = Vec::new();
        cbor::put_map(&mut out, count);
        out.extend_from_slice(&pairs);
        out
    }

    fn sign(&self) -> Vec<u8> {
        let protected = self.protected();
        let signed = to_be_signed(&protected, &self.payload);
        let (pkcs8, random) = (self.key.serialize_der(), SystemRandom::new());
        let signature = if let Ok(rsa) = RsaKeyPair::from_pkcs8(&pkcs8) {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(&RSA_PSS_SHA384, &random, &signed, &mut signature).unwrap();
            signature
        } else {
            let of = |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8);
            let key = of(&ECDSA_P384_SHA384_FIXED_SIGNING)
                .or_else(|_| of(&ECDSA_P256_SHA256_FIXED_SIGNING))
                .unwrap();
            key.sign(&random, &signed).unwrap().as_ref().to_vec()
        };
        encode_sign1_attached(&protected, &self.payload, &signature)
    }

    fn verify(&self) -> Result<UvmEndorsement, AttestError> {
        uvm::verify(&self.sign())
    }

    fn changed(change: impl FnOnce(&mut Self)) -> Result<UvmEndorsement, AttestError> {
        let mut message = Plan::new().message();
        change(&mut message);
        message.verify()
    }
}

/// Fails unless it is refused with this reason.
#[track_caller]
fn refused(result: Result<UvmEndorsement, AttestError>, reason: &str) {
    let error = result.expect_err(reason).to_string();
    assert!(error.contains(reason), "{error}");
}

#[test]
fn a_self_made_endorsement_holds_although_its_certificates_have_expired() {
    let endorsement = Plan::new().message().verify().unwrap();
    assert_eq!(endorsement.svn, 7);
    assert_eq!(endorsement.measurement[..4], [1, 2, 3, 4]);
    assert_eq!(endorsement.feed, "self-made");
    assert!(endorsement.signer.contains("CN=leaf"));
    assert!(Message::changed(|message| message.signed_at = None).is_ok(), "no time is known");
    assert!(Message::changed(|message| message.thumbprint = None).is_ok());
}

#[test]
fn each_algorithm_holds_with_its_own_key_and_no_other() {
    let p256 = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let rsa = || KeyPair::generate_rsa_for(&PKCS_RSA_SHA384, RsaKeySize::_2048).unwrap();
    let with = |key: KeyPair, algorithm: Option<i64>| {
        let mut message = Plan::changed(|plan| plan.leaf_key = key);
        message.algorithm = algorithm;
        message.verify()
    };
    assert!(with(p256(), Some(-7)).is_ok());
    assert!(with(rsa(), Some(-38)).is_ok());
    refused(with(p256(), Some(-35)), "signature algorithm for a key");
    refused(with(rsa(), Some(-7)), "signature algorithm for a key");
    refused(with(rsa(), Some(-37)), "does not verify");
    refused(with(rsa(), Some(-257)), "COSE algorithm -257");
    refused(with(p256(), None), "no signature algorithm");
    let other = Message::changed(|message| {
        message.key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    });
    refused(other, "does not verify");
}

#[test]
fn authorities_must_be_such_at_their_depth() {
    let with = |change: fn(&mut Plan)| Plan::changed(change).verify();
    refused(with(|plan| plan.middle.is_ca = IsCa::ExplicitNoCa), "CN=middle");
    refused(with(|plan| plan.middle.is_ca = IsCa::NoCa), "is no CA");
    let usage = vec![KeyUsagePurpose::CrlSign];
    let other = Plan::changed(|plan| plan.middle.key_usages = usage).verify();
    refused(other, "not for signing certificates");
    refused(with(|plan| plan.root.is_ca = IsCa::ExplicitNoCa), "CN=root");
    let depth = |most| IsCa::Ca(BasicConstraints::Constrained(most));
    let constrained = |root, middle| {
        Plan::changed(|plan| (plan.root.is_ca, plan.middle.is_ca) = (depth(root), depth(middle)))
    };
    refused(constrained(0, 0).verify(), "allows fewer CAs");
    assert!(constrained(1, 0).verify().is_ok());
}

#[test]
fn the_signer_must_be_one() {
    let with = |change: fn(&mut Plan)| Plan::changed(change).verify();
    let ca = |plan: &mut Plan| plan.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    refused(with(ca), "is a CA, and signs no messages");
    let usage = |plan: &mut Plan| plan.leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement];
    refused(with(usage), "is not for signatures");
    refused(with(|plan| plan.leaf.extended_key_usages.clear()), "use 1.3.6.1.4.1.99999.1");
    let other = |plan: &mut Plan| {
        plan.leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    };
    refused(with(other), "use 1.3.6.1.4.1.99999.1");
    let unknown = |plan: &mut Plan| {
        let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
        extension.set_criticality(true);
        plan.leaf.custom_extensions.push(extension);
    };
    refused(with(unknown), "critical extension: 1.2.3.4");
}

#[test]
fn a_chain_must_be_whole_and_in_order() {
    let with =
        |change: fn(&mut Vec<Vec<u8>>)| Message::changed(|message| change(&mut message.chain));
    refused(with(|chain| chain.swap(1, 2)), "not issued by the next");
    refused(with(|chain| drop(chain.remove(1))), "not issued by the next");
    refused(with(|chain| drop(chain.remove(2))), "not issued by the next");
    refused(with(|chain| chain.truncate(1)), "no CA in it");
    refused(with(Vec::clear), "no certificates");
    refused(with(|chain| chain[1] = chain[1][1..].to_vec()), "certificate cannot be read");
    refused(with(|chain| chain.push(chain[2].clone())), "twice");
    // Another root of the same name.
    let other = Plan::new().message().chain.remove(2);
    refused(Message::changed(|message| message.chain[2] = other), "a certificate of the chain");
    for label in [None, Some(32), Some(35)] {
        let elsewhere = Message::changed(|message| message.certificates_at = label);
        refused(elsewhere, "no certificates are in its signed header");
    }
}

#[test]
fn the_signing_time_lies_within_the_life_of_the_whole_chain() {
    for at in [1_546_300_799, 1_577_836_801, 0] {
        let result = Message::changed(|message| message.signed_at = Some(at));
        refused(result, "was not valid");
    }
    refused(Message::changed(|message| message.signed_at = Some(-1)), "before 1970");
    let young = Plan::changed(|plan| plan.root.not_before = rcgen::date_time_ymd(2019, 10, 1));
    refused(young.verify(), "CN=root was not valid");
}

#[test]
fn the_digest_of_the_certificate_must_be_its_own() {
    let with = |hash, value: fn(&Message) -> Vec<u8>| {
        Message::changed(|message| message.thumbprint = Some((hash, value(message))))
    };
    assert!(with(-43, |message| digest(&SHA384, &message.chain[0]).as_ref().to_vec()).is_ok());
    let root = |message: &Message| digest(&SHA256, &message.chain[2]).as_ref().to_vec();
    refused(with(-16, root), "of another certificate");
    refused(with(-16, |_| Vec::new()), "of another certificate");
    refused(with(-15, |_| vec![0; 8]), "algorithm -15");
}

#[test]
fn every_policy_of_the_issuers_did_must_hold() {
    let with = |policies: &str| {
        Message::changed(|message| message.issuer = Some(did(&message.chain[2], policies)))
    };
    for policies in [
        "::eku:1.3.6.1.4.1.99999.1::san:dns:signer.example",
        "::san:email:a%40signer.example",
        "::san:uri:https%3A%2F%2Fsigner.example%2Fx",
        "::subject:CN:leaf:O:Self-made%20%26%20Sons",
        "::subject:2.5.4.3:leaf",
    ] {
        assert!(with(policies).is_ok(), "{policies}");
    }
    for policies in [
        "::eku:1.3.6.1.4.1.99999.2",
        "::eku:1.3.6.1.4.1.99999.1::eku:1.3.6.1.4.1.99999.2",
        "::eku:1.3.6.1.4.1.99999.1::san:dns:other.example",
        "::san:dns:a%40signer.example",
        "::san:dns:example",
        "::subject:CN:Leaf",
        "::subject:CN:leaf:C:US",
        "::subject:O:Self-made",
    ] {
        refused(with(policies), "did:x509 does not hold");
    }
    let of = |at: usize, policies: &'static str| {
        Message::changed(|message| message.issuer = Some(did(&message.chain[at], policies)))
    };
    assert!(of(1, "::subject:CN:leaf").is_ok(), "any CA of the chain may be named");
    refused(of(0, "::subject:CN:leaf"), "not in the chain");
    let other = Message::changed(|message| message.issuer = Some(did(b"x", "::subject:CN:leaf")));
    refused(other, "not in the chain");
    refused(Message::changed(|message| message.issuer = None), "names no issuer");
    refused(with(""), "no policy");
}

#[test]
fn headers_that_could_be_read_in_two_ways_are_refused() {
    refused(Message::changed(|message| message.critical = true), "critical header parameter 33");
    let twice = Message::changed(|message| {
        message.claims = Some((Some("did:x509:0:sha256:x".to_owned()), None));
    });
    refused(twice, "stands in two places");
    refused(Message::changed(|message| message.feed = None), "no feed");
    refused(Message::changed(|message| message.content_type = None), "content type (none)");
    let text = Message::changed(|message| message.content_type = Some("text/plain"));
    refused(text, "content type text/plain");
    refused(Message::changed(|message| message.payload.clear()), "payload");
}

#[test]
fn a_hash_envelope_holds_a_measurement_and_its_version() {
    let with = |change: fn(&mut Message)| {
        Message::changed(|message| {
            message.content_type = None;
            message.payload_hash = Some(-43);
            message.claims = Some((message.issuer.take(), Some(104)));
            message.payload = vec![0xab; 48];
            change(message);
        })
    };
    let endorsement = with(|_| ()).unwrap();
    assert_eq!(endorsement.form, UvmForm::HashEnvelope);
    assert_eq!((endorsement.svn, endorsement.measurement), (104, [0xab; 48]));
    refused(with(|message| message.payload_hash = Some(-16)), "payload hash -16");
    refused(with(|message| message.payload = vec![0; 47]), "47 bytes");
    refused(with(|message| message.content_type = Some("application/json")), "content type beside");
    let svn = |message: &mut Message, svn| {
        message.claims.as_mut().unwrap().1 = svn;
    };
    refused(
        Message::changed(|message| {
            message.content_type = None;
            message.payload_hash = Some(-43);
            message.claims = Some((None, None));
            message.payload = vec![0xab; 48];
            svn(message, Some(-1));
        }),
        "no claim svn",
    );
    refused(with(|message| message.claims.as_mut().unwrap().1 = None), "no claim svn");
}

/// So that a reader can look at what is made here with other tools.
#[test]
fn the_self_made_certificates_are_certificates() {
    let message = Plan::new().message();
    for der in &message.chain {
        assert!(affiant_proof::Certificate::from_pem(&to_pem(der)).is_ok());
    }
}
