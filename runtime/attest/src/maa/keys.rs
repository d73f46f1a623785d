//! The keys of an issuer, as the caller got them: a JSON Web Key Set (RFC 7517) with certificates
//! (`x5c`) or moduli.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use der::Decode as _;
use serde::Deserialize;

use crate::AttestError;
use crate::limits::{CERTIFICATE_BYTES_MAX, KEY_SET_BYTES_MAX, KEY_SET_KEYS_MAX};
use crate::signature::Key;

const WHAT: &str = "key set";

/// An issuer that the caller trusts, with its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaaIssuer {
    url: String,
    keys: Vec<(String, Key)>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<WebKey>,
}

#[derive(Deserialize)]
struct WebKey {
    kty: String,
    kid: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    alg: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x5c: Option<Vec<String>>,
}

impl MaaIssuer {
    /// An issuer whose tokens say `iss` is exactly `url`, and its key set as the caller got it from
    /// there. Of a key's certificates the first one's key is taken: that this is the issuer's is what
    /// the caller vouches for. Keys of other kinds than RSA, for other ends than signatures by RS256,
    /// or without an id, are passed over.
    ///
    /// # Errors
    /// The set is no JSON Web Key Set, too large, or has no key that can be used; a key has both
    /// certificate and modulus and they differ.
    pub fn new(url: &str, key_set: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of a key set", key_set.len(), KEY_SET_BYTES_MAX)?;
        let set: KeySet = serde_json::from_slice(key_set)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        AttestError::bound("number of keys in a set", set.keys.len(), KEY_SET_KEYS_MAX)?;
        let mut keys = Vec::new();
        for key in set.keys {
            let Some(kid) = key.kid.clone().filter(|_| key.is_usable()) else { continue };
            keys.push((kid, read_key(&key)?));
        }
        if keys.is_empty() {
            return Err(AttestError::malformed(WHAT, "it has no RSA key with an id"));
        }
        Ok(Self { url: url.to_owned(), keys })
    }

    /// Its URL, as its tokens have it.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The keys of this id; nobody says that there is but one.
    pub(super) fn keys_of(&self, kid: &str) -> impl Iterator<Item = &Key> {
        self.keys.iter().filter(move |(known, _)| known == kid).map(|(_, key)| key)
    }
}

impl WebKey {
    fn is_usable(&self) -> bool {
        self.kty == "RSA"
            && self.purpose.as_ref().is_none_or(|purpose| purpose == "sig")
            && self.alg.as_ref().is_none_or(|algorithm| algorithm == "RS256")
    }
}

fn read_key(key: &WebKey) -> Result<Key, AttestError> {
    let certified = key.x5c.as_ref().and_then(|chain| chain.first());
    let certified = certified.map(|text| read_certificate(text)).transpose()?;
    let bare = match (&key.n, &key.e) {
        (Some(n), Some(e)) => Some(Key::from_rsa_parts(&number(n)?, &number(e)?)?),
        _ => None,
    };
    match (certified, bare) {
        (Some(one), Some(other)) if one != other => Err(AttestError::malformed(
            WHAT,
            "a key's certificate is for another key than its modulus",
        )),
        (Some(key), _) | (None, Some(key)) => Ok(key),
        (None, None) => {
            Err(AttestError::malformed(WHAT, "a key has neither certificate nor modulus"))
        }
    }
}

fn read_certificate(text: &str) -> Result<Key, AttestError> {
    AttestError::bound("size of a certificate", text.len(), 2 * CERTIFICATE_BYTES_MAX)?;
    let refused = |why: String| AttestError::malformed("certificate in a key set", why);
    let der = STANDARD.decode(text).map_err(|error| refused(error.to_string()))?;
    let certificate =
        x509_cert::Certificate::from_der(&der).map_err(|error| refused(error.to_string()))?;
    Key::from_info(certificate.tbs_certificate().subject_public_key_info())
}

fn number(text: &str) -> Result<Vec<u8>, AttestError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| AttestError::malformed("number in a key set", error.to_string()))
}
