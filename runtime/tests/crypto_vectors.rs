//! The application crypto API against Project Wycheproof's vectors: known answers, and the thousands
//! of malformed inputs that implementations have accepted before.

#![allow(clippy::unwrap_used, reason = "tests")]

use affiant::crypto::signature::{SignatureAlgorithm, verify};
use affiant::crypto::wrap::{aes_kwp_unwrap, aes_kwp_wrap, rsa_oaep_unwrap};
use affiant::crypto::{Hash, PrivateKey, PublicKey, hmac_sign, hmac_verify, jwk};
use wycheproof::TestResult::{self, Acceptable, Invalid, Valid};
use wycheproof::{HashFunction, ecdsa, eddsa, keywrap, mac, rsa_oaep, rsa_pss_verify};

/// Counts tests, so that a set that lost its tests is noticed.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
}

impl Tally {
    fn note(&mut self, what: &str, id: usize, expected: TestResult, accepted: bool) {
        match expected {
            Valid => {
                assert!(accepted, "{what} {id} is valid and was refused");
                self.valid += 1;
            }
            Invalid => {
                assert!(!accepted, "{what} {id} is invalid and was accepted");
                self.invalid += 1;
            }
            Acceptable => {}
        }
    }
}

#[test]
fn aes_kwp() {
    let mut tally = Tally::default();
    let set = keywrap::TestSet::load(keywrap::TestName::AesKeyWrapWithPadding).unwrap();
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let unwrapped = aes_kwp_unwrap(&test.key, &test.ct);
        let accepted = unwrapped.is_ok_and(|unwrapped| unwrapped[..] == test.pt[..]);
        tally.note("AES-KWP", test.tc_id, test.result, accepted);
        if test.result == Valid {
            assert_eq!(aes_kwp_wrap(&test.key, &test.pt).unwrap(), &test.ct[..], "{}", test.tc_id);
        }
    }
    assert!(tally.valid > 20 && tally.invalid > 150, "{} {}", tally.valid, tally.invalid);
}

#[test]
fn hmac() {
    let mut tally = Tally::default();
    for (name, hash) in [
        (mac::TestName::HmacSha256, Hash::Sha256),
        (mac::TestName::HmacSha384, Hash::Sha384),
        (mac::TestName::HmacSha512, Hash::Sha512),
    ] {
        for group in mac::TestSet::load(name).unwrap().test_groups {
            for test in &group.tests {
                let computed = hmac_sign(hash, &test.key, &test.msg);
                let cut = computed.get(..group.tag_size / 8).unwrap();
                tally.note(hash.name(), test.tc_id, test.result, cut == &test.tag[..]);
                let whole = test.tag.len() == hash.output_bytes();
                let verified = hmac_verify(hash, &test.key, &test.msg, &test.tag);
                assert_eq!(verified, whole && test.result == Valid, "{}", test.tc_id);
            }
        }
    }
    assert!(tally.valid > 150 && tally.invalid > 200, "{} {}", tally.valid, tally.invalid);
}

#[test]
fn ecdsa_in_p1363_form() {
    use ecdsa::TestName::*;
    let mut tally = Tally::default();
    for (name, hash) in [
        (EcdsaSecp256r1Sha256P1363, Hash::Sha256),
        (EcdsaSecp256r1Sha512P1363, Hash::Sha512),
        (EcdsaSecp384r1Sha384P1363, Hash::Sha384),
        (EcdsaSecp384r1Sha512P1363, Hash::Sha512),
        (EcdsaSecp521r1Sha512P1363, Hash::Sha512),
    ] {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = PublicKey::from_pem(&group.pem).unwrap();
            assert_eq!(key.to_der(), &group.der[..]);
            for test in &group.tests {
                let algorithm = SignatureAlgorithm::Ecdsa { hash };
                let valid = verify(algorithm, &key, &test.msg, &test.sig).unwrap();
                tally.note("ECDSA", test.tc_id, test.result, valid);
            }
        }
    }
    assert!(tally.valid > 1000 && tally.invalid > 400, "{} {}", tally.valid, tally.invalid);
}

/// `verify` wants the curve's own digest length; these have shorter ones (SHA-256 under P-384).
#[test]
fn ecdsa_with_a_hash_shorter_than_the_order() {
    let mut tally = Tally::default();
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp384r1Sha256).unwrap();
    for group in set.test_groups {
        let key = PublicKey::from_der(&group.der).unwrap();
        for test in group.tests.iter().filter(|test| test.result == Valid) {
            let fixed = p1363(&test.sig, 48).unwrap();
            let algorithm = SignatureAlgorithm::Ecdsa { hash: Hash::Sha256 };
            let valid = verify(algorithm, &key, &test.msg, &fixed).unwrap();
            tally.note("ECDSA", test.tc_id, test.result, valid);
        }
    }
    assert!(tally.valid > 100, "{}", tally.valid);
}

/// The two integers of a DER signature, each as long as `length`.
fn p1363(signature: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut rest = signature.get(if *signature.get(1)? == 0x81 { 3 } else { 2 }..)?;
    let mut fixed = Vec::new();
    for _ in 0..2 {
        let size = usize::from(*rest.get(1)?);
        let (integer, tail) = rest.get(2..)?.split_at_checked(size)?;
        let integer = integer.strip_prefix(&[0]).unwrap_or(integer);
        fixed.extend(vec![0; length.checked_sub(integer.len())?]);
        fixed.extend_from_slice(integer);
        rest = tail;
    }
    Some(fixed)
}

#[test]
fn ed25519() {
    let mut tally = Tally::default();
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = PublicKey::from_pem(&group.pem).unwrap();
        assert_eq!(key.to_der(), &group.der[..]);
        for test in &group.tests {
            let algorithm = SignatureAlgorithm::EdDsa;
            let valid = verify(algorithm, &key, &test.msg, &test.sig).unwrap();
            tally.note("Ed25519", test.tc_id, test.result, valid);
        }
    }
    assert!(tally.valid > 80 && tally.invalid > 50, "{} {}", tally.valid, tally.invalid);
}

const fn our_hash(hash: HashFunction) -> Option<Hash> {
    match hash {
        HashFunction::Sha2_256 => Some(Hash::Sha256),
        HashFunction::Sha2_384 => Some(Hash::Sha384),
        HashFunction::Sha2_512 => Some(Hash::Sha512),
        _ => None,
    }
}

#[test]
fn rsa_pss_with_several_salt_lengths() {
    use rsa_pss_verify::TestName::*;
    let mut tally = Tally::default();
    let mut salts = Vec::new();
    for name in [
        RsaPss2048Sha256Mgf1SaltLen0,
        RsaPss2048Sha256Mgf1SaltLen32,
        RsaPss2048Sha384Mgf1SaltLen48,
        RsaPss3072Sha256Mgf1SaltLen32,
        RsaPss4096Sha256Mgf1SaltLen32,
        RsaPss4096Sha384Mgf1SaltLen48,
        RsaPss4096Sha512Mgf1SaltLen32,
        RsaPss4096Sha512Mgf1SaltLen64,
        RsaPssmisc,
    ] {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let Some(hash) = our_hash(group.hash) else { continue };
            if group.mgf_hash != Some(group.hash) || group.key_size < 2048 {
                continue;
            }
            let key = PublicKey::from_pem(&group.pem).unwrap();
            salts.push(group.salt_size);
            for test in &group.tests {
                let salt_bytes = group.salt_size;
                let algorithm = SignatureAlgorithm::RsaPss { hash, salt_bytes };
                let valid = verify(algorithm, &key, &test.msg, &test.sig).unwrap();
                tally.note("RSA-PSS", test.tc_id, test.result, valid);
            }
        }
    }
    salts.sort_unstable();
    salts.dedup();
    assert!(salts.len() >= 4, "{salts:?}");
    assert!(tally.valid > 300 && tally.invalid > 300, "{} {}", tally.valid, tally.invalid);
}

#[test]
fn rsa_oaep_with_sha256() {
    use rsa_oaep::TestName::*;
    let mut tally = Tally::default();
    for name in [Rsa2048Sha256Mgf1Sha256, Rsa3072Sha256Mgf1Sha256, Rsa4096Sha256Mgf1Sha256, RsaMisc]
    {
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let sha256 = HashFunction::Sha2_256;
            if group.hash != sha256 || group.mgf_hash != sha256 || group.key_size < 2048 {
                continue;
            }
            let key = PrivateKey::from_pem(&group.pem).unwrap();
            for test in &group.tests {
                let opened = rsa_oaep_unwrap(&key, &test.ct, Some(&test.label));
                let accepted = opened.is_ok_and(|opened| opened[..] == test.pt[..]);
                tally.note("RSA-OAEP", test.tc_id, test.result, accepted);
            }
        }
    }
    assert!(tally.valid > 60 && tally.invalid > 40, "{} {}", tally.valid, tally.invalid);
}

#[test]
fn jwks_name_the_same_keys_as_der() {
    let mut seen = 0;
    let mut check = |members: serde_json::Value, der: &[u8]| {
        assert_eq!(jwk::public_key_der(&members).unwrap(), der);
        let key = PublicKey::from_der(der).unwrap();
        let written = jwk::from_public_key(&key, None).unwrap();
        for name in ["kty", "crv", "x", "y", "n", "e"] {
            assert_eq!(written.get(name), members.get(name), "{name}");
        }
        seen += 1;
    };
    for name in [
        ecdsa::TestName::EcdsaSecp256r1Sha256,
        ecdsa::TestName::EcdsaSecp384r1Sha384,
        ecdsa::TestName::EcdsaSecp521r1Sha512,
    ] {
        for (members, der) in raw_jwks(name.json_data()) {
            check(members, &der);
        }
    }
    for (members, der) in raw_jwks(eddsa::TestName::Ed25519.json_data()) {
        check(members, &der);
    }
    let rsa = rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen32.json_data();
    for (members, der) in raw_jwks(rsa) {
        check(members, &der);
    }
    assert!(seen > 70, "{seen}");
}

/// The JWK and the DER of every group in a set's JSON that has both.
fn raw_jwks(json: &str) -> Vec<(serde_json::Value, Vec<u8>)> {
    let set: serde_json::Value = serde_json::from_str(json).unwrap();
    let mut pairs = Vec::new();
    for group in set["testGroups"].as_array().unwrap() {
        let members = &group["publicKeyJwk"];
        if members.is_object() {
            pairs.push((members.clone(), hex(group["publicKeyDer"].as_str().unwrap())));
        }
    }
    pairs
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
