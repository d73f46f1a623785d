//! The application crypto API as a filter: JSON lines of operations in, JSON lines of answers out.
//! `make conformance-crypto` drives it against another implementation.
//!
//! A request is an object with `op` and the operation's members; bytes are base64. An answer is
//! `{"ok": ...}` or `{"error": "..."}`.

use std::io::{self, BufRead as _, BufWriter, Write as _};

use affiant::crypto::generate::{aes_key, ec_key, ed25519_key, rsa_key, x25519_key};
use affiant::crypto::signature::{SignatureAlgorithm, sign, verify};
use affiant::crypto::wrap::{
    aes_kwp_unwrap, aes_kwp_wrap, rsa_oaep_aes_kwp_unwrap, rsa_oaep_aes_kwp_wrap, rsa_oaep_unwrap,
    rsa_oaep_wrap,
};
use affiant::crypto::{
    CryptoError, EcCurve, Hash, PrivateKey, PublicKey, hmac_sign, hmac_verify, jwk, x509,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

type Answer = Result<Value, String>;

fn main() -> io::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let answer = serde_json::from_str(&line?)
            .map_err(|error| error.to_string())
            .and_then(|request: Value| answer(&Request(request)));
        let answer = match answer {
            Ok(value) => json!({ "ok": value }),
            Err(error) => json!({ "error": error }),
        };
        writeln!(out, "{answer}")?;
    }
    out.flush()
}

struct Request(Value);

impl Request {
    fn text(&self, name: &str) -> Result<&str, String> {
        self.0[name].as_str().ok_or_else(|| format!("{name} is missing"))
    }

    fn number(&self, name: &str) -> Result<usize, String> {
        let number = self.0[name].as_u64().ok_or_else(|| format!("{name} is missing"))?;
        usize::try_from(number).map_err(|error| error.to_string())
    }

    fn bytes(&self, name: &str) -> Result<Vec<u8>, String> {
        STANDARD.decode(self.text(name)?).map_err(|error| error.to_string())
    }

    fn label(&self) -> Result<Option<Vec<u8>>, String> {
        if self.0["label"].is_null() { Ok(None) } else { self.bytes("label").map(Some) }
    }

    fn private(&self) -> Result<PrivateKey, String> {
        PrivateKey::from_pem(self.text("key")?).map_err(words)
    }

    fn public(&self) -> Result<PublicKey, String> {
        PublicKey::from_pem(self.text("key")?).map_err(words)
    }

    fn hash(&self) -> Result<Hash, String> {
        Hash::from_name(self.text("hash")?).ok_or_else(|| "no such hash".to_owned())
    }

    fn algorithm(&self) -> Result<SignatureAlgorithm, String> {
        Ok(match self.text("algorithm")? {
            "ECDSA" => SignatureAlgorithm::Ecdsa { hash: self.hash()? },
            "RSA-PSS" => {
                let (hash, salt_bytes) = (self.hash()?, self.number("saltLength")?);
                SignatureAlgorithm::RsaPss { hash, salt_bytes }
            }
            "EdDSA" => SignatureAlgorithm::EdDsa,
            other => return Err(format!("no algorithm {other}")),
        })
    }
}

fn words(error: CryptoError) -> String {
    error.to_string()
}

fn encoded(bytes: impl AsRef<[u8]>) -> Value {
    STANDARD.encode(bytes).into()
}

fn answer(request: &Request) -> Answer {
    let data = || request.bytes("data");
    match request.text("op")? {
        "sign" => {
            sign(request.algorithm()?, &request.private()?, &data()?).map(encoded).map_err(words)
        }
        "verify" => {
            let signature = request.bytes("signature")?;
            verify(request.algorithm()?, &request.public()?, &data()?, &signature)
                .map(Value::from)
                .map_err(words)
        }
        "digest" => Ok(encoded(request.hash()?.digest(&data()?))),
        "hmac" => Ok(encoded(hmac_sign(request.hash()?, &request.bytes("secret")?, &data()?))),
        "hmac-verify" => {
            let (secret, tag) = (request.bytes("secret")?, request.bytes("signature")?);
            Ok(hmac_verify(request.hash()?, &secret, &data()?, &tag).into())
        }
        "generate" => generate(request),
        "wrap" | "unwrap" => wrapped(request),
        "jwk-from-private" => {
            let text = jwk::from_private_key(&request.private()?, None).map_err(words)?;
            serde_json::from_str(&text).map_err(|error| error.to_string())
        }
        "jwk-from-public" => jwk::from_public_key(&request.public()?, None).map_err(words),
        "jwk-to-private" => {
            let key = jwk::private_key(&request.0["jwk"]).map_err(words)?;
            key.to_pem().map(|pem| Value::from(pem.as_str())).map_err(words)
        }
        "jwk-to-public" => {
            jwk::public_key(&request.0["jwk"]).map(|key| key.to_pem().into()).map_err(words)
        }
        "chain" => {
            let now = i64::try_from(request.number("now")?).map_err(|error| error.to_string())?;
            x509::verify_chain(request.text("chain")?, request.text("trusted")?, now)
                .map(|()| Value::Bool(true))
                .map_err(words)
        }
        other => Err(format!("no operation {other}")),
    }
}

fn generate(request: &Request) -> Answer {
    let key = match request.text("kind")? {
        "P-256" => ec_key(EcCurve::P256),
        "P-384" => ec_key(EcCurve::P384),
        "P-521" => ec_key(EcCurve::P521),
        "Ed25519" => ed25519_key(),
        "X25519" => x25519_key(),
        "RSA" => {
            let number = |name| {
                request
                    .number(name)
                    .and_then(|number| u32::try_from(number).map_err(|error| error.to_string()))
            };
            rsa_key(number("bits")?, number("exponent")?)
        }
        "AES" => return aes_key(request.number("bits")?).map(encoded).map_err(words),
        other => return Err(format!("no kind {other}")),
    }
    .map_err(words)?;
    let public = key.public_key().map_err(words)?.to_pem();
    Ok(json!({ "private": key.to_pem().map_err(words)?.as_str(), "public": public }))
}

fn wrapped(request: &Request) -> Answer {
    let (data, label) = (request.bytes("data")?, request.label()?);
    let label = label.as_deref();
    let wrap = request.text("op")? == "wrap";
    match (request.text("algorithm")?, wrap) {
        ("RSA-OAEP", true) => rsa_oaep_wrap(&request.public()?, &data, label).map(encoded),
        ("RSA-OAEP", false) => rsa_oaep_unwrap(&request.private()?, &data, label).map(encoded),
        ("AES-KWP", true) => aes_kwp_wrap(&request.bytes("secret")?, &data).map(encoded),
        ("AES-KWP", false) => aes_kwp_unwrap(&request.bytes("secret")?, &data).map(encoded),
        ("RSA-OAEP-AES-KWP", true) => {
            let bits = request.number("bits")?;
            rsa_oaep_aes_kwp_wrap(&request.public()?, bits, &data, label).map(encoded)
        }
        ("RSA-OAEP-AES-KWP", false) => {
            rsa_oaep_aes_kwp_unwrap(&request.private()?, &data, label).map(encoded)
        }
        (other, _) => return Err(format!("no algorithm {other}")),
    }
    .map_err(words)
}
