//! What the tests of tokens share: keys that issuers sign with, their JWKs, and the tokens.

#![allow(unreachable_pub, reason = "shared by test files")]
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::LazyLock;

use affiant::jwt::set_public_signing_keys;
use affiant::node::Node;
use affiant_kv::CommitOutcome;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

/// Making one takes long, and no test needs a fresh one.
static RSA: LazyLock<[RsaKeyPair; 2]> =
    LazyLock::new(|| [(); 2].map(|()| RsaKeyPair::generate(KeySize::Rsa2048).unwrap()));

pub enum TokenKey {
    Rsa(&'static RsaKeyPair),
    Ec(EcdsaKeyPair),
}

impl TokenKey {
    /// One of two RSA keys.
    pub fn rsa(index: usize) -> Self {
        Self::Rsa(&RSA[index])
    }

    pub fn ec() -> Self {
        Self::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn jwk(&self, kid: &str) -> Json {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => {
                // SEQUENCE, INTEGER of 257 bytes with a leading zero, INTEGER of 3 bytes.
                let der = pair.public_key().as_ref();
                assert_eq!((der.len(), &der[4..9]), (270, &[2, 0x82, 1, 1, 0][..]));
                json!({"kid": kid, "kty": "RSA", "n": text(&der[9..265]), "e": text(&der[267..])})
            }
            Self::Ec(pair) => {
                let point = pair.public_key().as_ref();
                json!({
                    "kid": kid, "kty": "EC", "crv": "P-256",
                    "x": text(&point[1..33]), "y": text(&point[33..]),
                })
            }
        }
    }

    pub fn public_der(&self) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Ec(pair) => pair.public_key().as_der().unwrap().as_ref().to_vec(),
        }
    }

    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).unwrap();
                signature
            }
            Self::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims.
    pub fn token_with(&self, header: &Json, payload: &Json) -> String {
        let part = |json: &Json| URL_SAFE_NO_PAD.encode(json.to_string());
        let signed = format!("{}.{}", part(header), part(payload));
        let signature = URL_SAFE_NO_PAD.encode(self.sign(signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// A token that names its key and algorithm.
    pub fn token(&self, kid: &str, payload: &Json) -> String {
        let header = json!({"alg": self.algorithm(), "kid": kid, "typ": "JWT"});
        self.token_with(&header, payload)
    }
}

pub fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// Claims of a token of `iss` that holds for an hour.
pub fn claims(iss: &str) -> Json {
    json!({"iss": iss, "exp": now_s() + 3_600, "sub": "somebody"})
}

/// Runs a transaction on a node until it is sequenced.
pub fn transact(node: &Node, mut write: impl FnMut(&mut affiant::Tx)) {
    loop {
        let mut tx = node.begin();
        write(&mut tx);
        match node.commit(tx) {
            CommitOutcome::Sequenced(_) | CommitOutcome::ReadOnly(_) => return,
            CommitOutcome::Conflict => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Registers the keys of an issuer.
pub fn register(node: &Node, issuer: &str, keys: &[Json]) {
    transact(node, |tx| {
        set_public_signing_keys(tx, issuer, &Json::Null, &json!({"keys": keys})).unwrap();
    });
}
