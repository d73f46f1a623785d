//! Keys of the application crypto API: made, written, read, used, and refused.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;

use affiant::crypto::generate::{
    RSA_EXPONENT_DEFAULT, aes_key, ec_key, ed25519_key, rsa_key, x25519_key,
};
use affiant::crypto::signature::{SignatureAlgorithm, sign, verify};
use affiant::crypto::wrap::{
    aes_kwp_unwrap, aes_kwp_wrap, rsa_oaep_aes_kwp_unwrap, rsa_oaep_aes_kwp_wrap, rsa_oaep_unwrap,
    rsa_oaep_wrap,
};
use affiant::crypto::{
    CryptoError, EcCurve, Hash, KeyKind, PrivateKey, PublicKey, jwk, pem_encode,
};
use proptest::prelude::{ProptestConfig, any, proptest};

/// RSA keys are slow to make.
static RSA: LazyLock<PrivateKey> = LazyLock::new(|| rsa_key(2048, RSA_EXPONENT_DEFAULT).unwrap());

fn keys() -> Vec<PrivateKey> {
    let mut keys: Vec<_> = EcCurve::ALL.into_iter().map(|curve| ec_key(curve).unwrap()).collect();
    keys.push(ed25519_key().unwrap());
    keys.push(x25519_key().unwrap());
    keys.push(PrivateKey::from_pkcs8(&RSA.to_pkcs8().unwrap()).unwrap());
    keys
}

fn public(key: &PrivateKey) -> PublicKey {
    key.public_key().unwrap()
}

#[test]
fn every_kind_survives_pem_and_jwk() {
    for key in keys() {
        let kind = key.kind();
        let pkcs8 = key.to_pkcs8().unwrap();
        let from_pem = PrivateKey::from_pem(&key.to_pem().unwrap()).unwrap();
        assert_eq!(from_pem.to_pkcs8().unwrap(), pkcs8, "{kind}");
        let text = jwk::from_private_key(&key, Some("a \"quoted\" id")).unwrap();
        let from_jwk = jwk::private_key_from_text(&text).unwrap();
        assert_eq!(from_jwk.to_pkcs8().unwrap(), pkcs8, "{kind}");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["kid"], "a \"quoted\" id");

        let half = public(&key);
        assert_eq!(half.kind(), kind);
        assert_eq!(PublicKey::from_pem(&half.to_pem()).unwrap().to_der(), half.to_der());
        let written = jwk::from_public_key(&half, None).unwrap();
        assert!(written.get("d").is_none() && written.get("kid").is_none(), "{written}");
        assert_eq!(jwk::public_key_der(&written).unwrap(), half.to_der());
        // A private JWK has the public key in it.
        assert_eq!(jwk::public_key_der(&value).unwrap(), half.to_der());
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}

#[test]
fn every_algorithm_signs_what_it_verifies_and_nothing_else() {
    for key in keys() {
        let kind = key.kind();
        let half = public(&key);
        let algorithms = match kind {
            KeyKind::Ec(_) => Hash::ALL.map(|hash| SignatureAlgorithm::Ecdsa { hash }).to_vec(),
            KeyKind::Rsa => Hash::ALL
                .into_iter()
                .flat_map(|hash| {
                    let longest = 256 - 2 - hash.output_bytes();
                    [0, 1, 20, 32, 64, longest]
                        .map(|salt_bytes| SignatureAlgorithm::RsaPss { hash, salt_bytes })
                })
                .collect(),
            KeyKind::Ed25519 => vec![SignatureAlgorithm::EdDsa],
            KeyKind::X25519 => {
                assert!(SignatureAlgorithm::for_key(kind).is_err());
                let refused = sign(SignatureAlgorithm::EdDsa, &key, b"").unwrap_err();
                assert!(refused.to_string().contains("this one is X25519"), "{refused}");
                continue;
            }
        };
        for algorithm in algorithms {
            let signature = sign(algorithm, &key, b"message").unwrap();
            let check =
                |data: &[u8], signature: &[u8]| verify(algorithm, &half, data, signature).unwrap();
            assert!(check(b"message", &signature), "{algorithm:?} with {kind}");
            assert!(!check(b"massage", &signature));
            assert!(!check(b"message", &signature[1..]));
            assert!(!check(b"message", &[]));
            assert!(!check(b"message", &[&signature[..], &[0]].concat()));
            let mut changed = signature.clone();
            changed[10] ^= 1;
            assert!(!check(b"message", &changed));
            assert!(!check(b"message", &vec![0; signature.len()]));
            assert!(!check(b"message", &vec![0xff; signature.len()]));
        }
        let own = SignatureAlgorithm::for_key(kind).unwrap();
        let signature = sign(own, &key, b"").unwrap();
        assert!(verify(own, &half, b"", &signature).unwrap());
    }
}

#[test]
fn a_salt_belongs_to_its_signature() {
    let pss = |salt_bytes| SignatureAlgorithm::RsaPss { hash: Hash::Sha256, salt_bytes };
    let signature = sign(pss(32), &RSA, b"message").unwrap();
    for (salt_bytes, valid) in [(32, true), (0, false), (31, false), (222, false)] {
        assert_eq!(verify(pss(salt_bytes), &public(&RSA), b"message", &signature).unwrap(), valid);
    }
    for salt_bytes in [223, 990, 991, 70_000, usize::MAX] {
        let error = sign(pss(salt_bytes), &RSA, b"message").unwrap_err();
        assert!(error.to_string().contains("at most 222"), "{error}");
        assert!(!verify(pss(salt_bytes), &public(&RSA), b"message", &signature).unwrap());
    }
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let all = [
        SignatureAlgorithm::Ecdsa { hash: Hash::Sha256 },
        SignatureAlgorithm::RsaPss { hash: Hash::Sha256, salt_bytes: 32 },
        SignatureAlgorithm::EdDsa,
    ];
    for key in keys() {
        let own = SignatureAlgorithm::for_key(key.kind()).ok();
        for algorithm in all {
            let fits = own.is_some_and(|own| {
                core::mem::discriminant(&own) == core::mem::discriminant(&algorithm)
            });
            assert_eq!(sign(algorithm, &key, b"data").is_ok(), fits, "{:?}", key.kind());
            assert_eq!(verify(algorithm, &public(&key), b"data", b"").is_ok(), fits);
        }
        let rsa = key.kind() == KeyKind::Rsa;
        assert_eq!(rsa_oaep_wrap(&public(&key), b"data", None).is_ok(), rsa);
        let message = rsa_oaep_unwrap(&key, &[0; 256], None).unwrap_err().to_string();
        assert_eq!(message.contains("needs an RSA key"), !rsa, "{message}");
    }
}

#[test]
fn text_that_is_no_key_is_refused() {
    let long = format!("-----BEGIN PRIVATE KEY-----\n{}\n", "A".repeat(70_000));
    let ed = ed25519_key().unwrap();
    let cut = pem_encode("PRIVATE KEY", &ed.to_pkcs8().unwrap()[..40]);
    let cut_public = pem_encode("PUBLIC KEY", &public(&ed).to_der()[..40]);
    let certificate = pem_encode("CERTIFICATE", b"nothing");
    let mislabelled = pem_encode("RSA PRIVATE KEY", &ed.to_pkcs8().unwrap());
    let off_curve = {
        let mut der = public(&ec_key(EcCurve::P256).unwrap()).to_der().to_vec();
        *der.last_mut().unwrap() ^= 1;
        pem_encode("PUBLIC KEY", &der)
    };
    for text in ["", "text", &long, &cut, &cut_public, &certificate, &mislabelled, &off_curve] {
        assert!(
            matches!(PrivateKey::from_pem(text), Err(CryptoError::InvalidKey(_))),
            "{text:.60}"
        );
        assert!(matches!(PublicKey::from_pem(text), Err(CryptoError::InvalidKey(_))), "{text:.60}");
    }
    // A public key is no private key, nor the other way round.
    assert!(PrivateKey::from_pem(&public(&ed).to_pem()).is_err());
    assert!(PublicKey::from_pem(&ed.to_pem().unwrap()).is_err());
}

/// Line breaks get lost in environment variables and JSON: the message may not quote what is then one
/// line, neither as text nor as numbers.
#[test]
fn a_refused_pem_is_not_quoted() {
    let pem = ec_key(EcCurve::P256).unwrap().to_pem().unwrap();
    let one_line = pem.replace('\n', "");
    let escaped = pem.replace('\n', "\\n");
    let cut = pem.rsplit_once("-----END").unwrap().0;
    let begun = one_line.strip_suffix('-').unwrap();
    let altered = pem.replacen('M', "*", 1);
    for text in [&one_line, &escaped, cut, begun, &altered] {
        for error in
            [PrivateKey::from_pem(text).unwrap_err(), PublicKey::from_pem(text).unwrap_err()]
        {
            let message = error.to_string();
            assert!(message.len() < 150, "{message}");
            assert!(!message.contains("MIG") && !message.contains("77, 73"), "{message}");
        }
    }
}

#[test]
fn private_jwks_that_do_not_fit_together_are_refused() {
    for key in keys() {
        let text = jwk::from_private_key(&key, None).unwrap();
        let other = match key.kind() {
            KeyKind::Ec(curve) => ec_key(curve),
            KeyKind::Rsa => rsa_key(2048, RSA_EXPONENT_DEFAULT),
            KeyKind::Ed25519 => ed25519_key(),
            KeyKind::X25519 => x25519_key(),
        };
        let other = jwk::from_private_key(&other.unwrap(), None).unwrap();
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        for name in ["d", "p", "q", "dp", "dq", "qi", "x", "n"] {
            let mut mixed = read(&text);
            if mixed.get(name).is_none() {
                continue;
            }
            mixed[name] = read(&other)[name].clone();
            assert!(jwk::private_key(&mixed).is_err(), "{} with another {name}", key.kind());
            mixed.as_object_mut().unwrap().remove(name);
            let error = jwk::private_key(&mixed).unwrap_err().to_string();
            assert!(error.contains(&format!("{name} is missing")), "{error}");
        }
    }
}

#[test]
fn rsa_keys_have_the_exponent_asked_for() {
    // 3,234,846,615 is the product of the primes from 3 to 29, which the fewest primes take.
    for exponent in [3, 17, 3_234_846_615, 4_294_967_295] {
        let key = rsa_key(2048, exponent).unwrap();
        let written = jwk::from_public_key(&public(&key), None).unwrap();
        let expected = match exponent {
            3 => "Aw",
            17 => "EQ",
            3_234_846_615 => "wM_Xlw",
            _ => "_____w",
        };
        assert_eq!(written["e"], expected);
        let own = SignatureAlgorithm::for_key(KeyKind::Rsa).unwrap();
        let signature = sign(own, &key, b"message").unwrap();
        assert!(verify(own, &public(&key), b"message", &signature).unwrap());
        let wrapped = rsa_oaep_wrap(&public(&key), b"key", None).unwrap();
        assert_eq!(rsa_oaep_unwrap(&key, &wrapped, None).unwrap()[..], *b"key");
    }
    for (bits, exponent) in
        [(2048, 0), (2048, 1), (2048, 2), (2048, 65_536), (0, 3), (1024, 65_537)]
    {
        assert!(
            matches!(rsa_key(bits, exponent), Err(CryptoError::Failed(_))),
            "{bits} {exponent}"
        );
    }
}

#[test]
fn aes_keys_have_three_sizes() {
    for bits in [128, 192, 256] {
        let (one, other) = (aes_key(bits).unwrap(), aes_key(bits).unwrap());
        assert_eq!(one.len(), bits / 8);
        assert_ne!(one, other);
    }
    for bits in [0, 64, 127, 512, usize::MAX] {
        assert!(matches!(aes_key(bits), Err(CryptoError::Unsupported(_))));
    }
}

#[test]
fn rsa_oaep_has_bounds_and_labels() {
    let half = public(&RSA);
    let longest = vec![7; 190];
    let wrapped = rsa_oaep_wrap(&half, &longest, Some(b"label")).unwrap();
    assert_eq!(wrapped.len(), 256);
    assert_eq!(rsa_oaep_unwrap(&RSA, &wrapped, Some(b"label")).unwrap()[..], longest);
    for label in [None, Some(&b""[..]), Some(b"labels")] {
        assert!(rsa_oaep_unwrap(&RSA, &wrapped, label).is_err());
    }
    let error = rsa_oaep_wrap(&half, &[7; 191], None).unwrap_err().to_string();
    assert!(error.contains("at most 190"), "{error}");
    assert!(rsa_oaep_unwrap(&RSA, &wrapped[1..], Some(b"label")).is_err());
    assert!(rsa_oaep_unwrap(&RSA, &[], None).is_err());
    assert!(rsa_oaep_unwrap(&RSA, &[0xff; 257], None).is_err());
    let empty = rsa_oaep_wrap(&half, b"", None).unwrap();
    assert!(rsa_oaep_unwrap(&RSA, &empty, None).unwrap().is_empty());
}

#[test]
fn both_wrappings_together() {
    let data = RSA.to_pkcs8().unwrap();
    for bits in [128, 192, 256] {
        let wrapped = rsa_oaep_aes_kwp_wrap(&public(&RSA), bits, &data, Some(b"l")).unwrap();
        assert_eq!(wrapped.len(), 256 + data.len().next_multiple_of(8) + 8);
        assert_eq!(rsa_oaep_aes_kwp_unwrap(&RSA, &wrapped, Some(b"l")).unwrap(), data);
        assert!(rsa_oaep_aes_kwp_unwrap(&RSA, &wrapped, None).is_err());
        let mut changed = wrapped.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert!(rsa_oaep_aes_kwp_unwrap(&RSA, &changed, Some(b"l")).is_err());
        for length in [0, 100, 256, 257, 271] {
            assert!(rsa_oaep_aes_kwp_unwrap(&RSA, &wrapped[..length], Some(b"l")).is_err());
        }
    }
    let error = rsa_oaep_aes_kwp_wrap(&public(&RSA), 64, &data, None).unwrap_err();
    assert_eq!(error.to_string(), "invalid key size (not one of 128, 192, 256)");
    assert!(rsa_oaep_aes_kwp_wrap(&public(&RSA), 256, b"", None).is_err());
}

#[test]
fn aes_kwp_has_bounds() {
    for length in [0, 15, 17, 31, 33, 64] {
        let error = aes_kwp_wrap(&vec![1; length], b"data").unwrap_err();
        assert!(matches!(error, CryptoError::InvalidKey(_)), "{length}: {error}");
        assert!(aes_kwp_unwrap(&vec![1; length], &[0; 16]).is_err());
    }
    let key = [1; 24];
    assert!(aes_kwp_wrap(&key, b"").is_err());
    let too_long = vec![0; affiant::limits::WRAPPED_BYTES_MAX + 1];
    assert!(aes_kwp_wrap(&key, &too_long).is_err());
    for length in [0, 7, 8, 9, 15, 17, 24] {
        for key_length in [16, 24, 32] {
            let key = vec![1; key_length];
            assert!(aes_kwp_unwrap(&key, &vec![0; length]).is_err(), "{length} {key_length}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn aes_kwp_round_trips_and_notices_changes(
        data in proptest::collection::vec(any::<u8>(), 1..200),
        size in 0_usize..3,
        flip in any::<proptest::sample::Index>(),
    ) {
        let key = aes_key([128, 192, 256][size]).unwrap();
        let mut wrapped = aes_kwp_wrap(&key, &data).unwrap();
        assert_eq!(wrapped.len(), data.len().next_multiple_of(8) + 8);
        assert_eq!(aes_kwp_unwrap(&key, &wrapped).unwrap()[..], data);
        let bit = flip.index(8 * wrapped.len());
        wrapped[bit / 8] ^= 1 << (bit % 8);
        assert!(aes_kwp_unwrap(&key, &wrapped).is_err());
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for label in ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "PUBLIC KEY", "CERTIFICATE"] {
            let pem = pem_encode(label, &bytes);
            drop((PrivateKey::from_pem(&pem), PublicKey::from_pem(&pem)));
        }
        let text = String::from_utf8_lossy(&bytes);
        drop((PrivateKey::from_pem(&text), jwk::private_key_from_text(&text)));
    }

    #[test]
    fn changed_keys_never_panic(
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
        which in 0_usize..2,
    ) {
        static SMALL: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| [
            RSA.to_pkcs8().unwrap().to_vec(),
            ec_key(EcCurve::P384).unwrap().to_pkcs8().unwrap().to_vec(),
        ]);
        let mut der = SMALL[which].clone();
        let at = at.index(der.len());
        der[at] = byte;
        if let Ok(key) = PrivateKey::from_pkcs8(&der) {
            let own = SignatureAlgorithm::for_key(key.kind()).unwrap();
            drop(sign(own, &key, b"message"));
        }
    }
}
