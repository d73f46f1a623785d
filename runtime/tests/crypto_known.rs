//! The application crypto API against the answers printed in its standards.

#![allow(clippy::unwrap_used, reason = "tests")]

use affiant::crypto::signature::{SignatureAlgorithm, sign, verify};
use affiant::crypto::wrap::{aes_kwp_unwrap, aes_kwp_wrap};
use affiant::crypto::{Hash, PrivateKey, PublicKey, hmac_sign, jwk};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

fn hex(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn b64(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(hex(text))
}

/// RFC 5649, section 6: a 192-bit key, data of twenty and of seven bytes.
#[test]
fn rfc_5649_key_wrap_with_padding() {
    let key = hex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8");
    for (data, wrapped) in [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ] {
        assert_eq!(aes_kwp_wrap(&key, &hex(data)).unwrap(), hex(wrapped));
        assert_eq!(aes_kwp_unwrap(&key, &hex(wrapped)).unwrap()[..], hex(data));
    }
}

/// RFC 8032, section 7.1, tests 1 to 3.
#[test]
fn rfc_8032_ed25519() {
    for (seed, public, message, signature) in [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ] {
        let key = json!({"kty": "OKP", "crv": "Ed25519", "d": b64(seed), "x": b64(public)});
        let key = jwk::private_key(&key).unwrap();
        let message = hex(message);
        let signed = sign(SignatureAlgorithm::EdDsa, &key, &message).unwrap();
        assert_eq!(signed, hex(signature));
        let public = key.public_key().unwrap();
        assert!(verify(SignatureAlgorithm::EdDsa, &public, &message, &signed).unwrap());
    }
}

/// RFC 4231, test cases 1, 2 and 6 (a key longer than the block).
#[test]
fn rfc_4231_hmac() {
    let long_key = "aa".repeat(131);
    for (key, data, hash, tag) in [
        (
            "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b",
            "4869205468657265",
            Hash::Sha256,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            Hash::Sha384,
            "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e
             8e2240ca5e69e2c78b3239ecfab21649",
        ),
        (
            "4a656665",
            "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            Hash::Sha512,
            "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554
             9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
        ),
        (
            long_key.as_str(),
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a
             65204b6579202d2048617368204b6579204669727374",
            Hash::Sha256,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
    ] {
        assert_eq!(hmac_sign(hash, &hex(key), &hex(data)), hex(tag));
    }
}

/// RFC 6979, A.2.5 to A.2.7: signatures over "sample" by each curve with each hash, shorter and
/// longer than the order.
#[test]
fn rfc_6979_ecdsa() {
    let p256 = json!({"kty": "EC", "crv": "P-256",
        "x": b64("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"),
        "y": b64("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")});
    let p384 = json!({"kty": "EC", "crv": "P-384",
        "x": b64("EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64
                  DEF8F0EA9055866064A254515480BC13"),
        "y": b64("8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1
                  288B231C3AE0D4FE7344FD2533264720")});
    for (key, hash, signature) in [
        (
            &p256,
            Hash::Sha256,
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
             F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            &p256,
            Hash::Sha384,
            "0EAFEA039B20E9B42309FB1D89E213057CBF973DC0CFC8F129EDDDC800EF7719
             4861F0491E6998B9455193E34E7B0D284DDD7149A74B95B9261F13ABDE940954",
        ),
        (
            &p256,
            Hash::Sha512,
            "8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00
             2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE",
        ),
        (
            &p384,
            Hash::Sha256,
            "21B13D1E013C7FA1392D03C5F99AF8B30C570C6F98D4EA8E354B63A21D3DAA33
             BDE1E888E63355D92FA2B3C36D8FB2CD
             F3AA443FB107745BF4BD77CB3891674632068A10CA67E3D45DB2266FA7D1FEEB
             EFDC63ECCD1AC42EC0CB8668A4FA0AB0",
        ),
    ] {
        let key = jwk::public_key(key).unwrap();
        let algorithm = SignatureAlgorithm::Ecdsa { hash };
        assert!(verify(algorithm, &key, b"sample", &hex(signature)).unwrap(), "{hash:?}");
        assert!(!verify(algorithm, &key, b"Sample", &hex(signature)).unwrap(), "{hash:?}");
    }
}

/// RFC 8037, A.1, and RFC 7517, A.2: private keys are read, and written as they were.
#[test]
fn rfc_private_jwks() {
    for key in [
        json!({"kty": "OKP", "crv": "Ed25519",
            "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
        json!({"kty": "EC", "crv": "P-256",
            "d": "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE",
            "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
            "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}),
    ] {
        let read = jwk::private_key(&key).unwrap();
        let written = jwk::from_private_key(&read, None).unwrap();
        assert_eq!(serde_json::from_str::<serde_json::Value>(&written).unwrap(), key);
        let pem = read.to_pem().unwrap();
        let again = PrivateKey::from_pem(&pem).unwrap();
        assert_eq!(again.to_pkcs8().unwrap(), read.to_pkcs8().unwrap());
    }
}

/// RFC 8410, section 10.3: an Ed25519 key as OpenSSL writes it, and section 10.1's public key.
#[test]
fn rfc_8410_pem() {
    let private = "-----BEGIN PRIVATE KEY-----\n\
                   MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                   -----END PRIVATE KEY-----\n";
    let public = "-----BEGIN PUBLIC KEY-----\n\
                  MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
                  -----END PUBLIC KEY-----\n";
    let key = PrivateKey::from_pem(private).unwrap();
    assert_eq!(*key.to_pem().unwrap(), private);
    assert_eq!(key.public_key().unwrap().to_pem(), public);
    assert_eq!(PublicKey::from_pem(public).unwrap().to_pem(), public);
}
