//! A token in its three parts (RFC 7515, compact form).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use super::MaaClaims;
use crate::AttestError;
use crate::limits::TOKEN_BYTES_MAX;

const WHAT: &str = "token";

/// What a token says of its own signature. Only the key id has a use, among keys that the caller
/// trusts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaaHeader {
    /// `alg`.
    #[serde(rename = "alg")]
    pub algorithm: String,
    /// `kid`.
    #[serde(rename = "kid")]
    pub key_id: Option<String>,
    /// `jku`: where the token says that its keys are.
    #[serde(rename = "jku")]
    pub key_address: Option<String>,
    /// `typ`.
    #[serde(rename = "typ")]
    pub media_type: Option<String>,
    #[serde(default, skip_serializing)]
    crit: Option<serde_json::Value>,
}

/// A token that was read, and not verified.
#[derive(Clone, Debug, PartialEq)]
pub struct MaaToken {
    /// Its header.
    pub header: MaaHeader,
    /// What it says. See [`super::verify`] for whether to believe it.
    pub claims: MaaClaims,
    signed: String,
    signature: Vec<u8>,
}

impl MaaToken {
    /// Reads a token. White space around it is passed over.
    ///
    /// # Errors
    /// It is no JWT in compact form, too large, demands that unknown header parameters be understood,
    /// or its claims are not such as attest SEV-SNP.
    pub fn parse(token: &str) -> Result<Self, AttestError> {
        AttestError::bound("size of a token", token.len(), TOKEN_BYTES_MAX)?;
        let token = token.trim();
        let parts: Vec<&str> = token.splitn(4, '.').collect();
        let [header, payload, signature] = parts.as_slice() else {
            let why = format!("{} parts with points between them, not three", parts.len());
            return Err(AttestError::malformed(WHAT, why));
        };
        let signature = decode("signature", signature)?;
        let header: MaaHeader = serde_json::from_slice(&decode("header", header)?)
            .map_err(|error| AttestError::malformed("header of a token", error.to_string()))?;
        if header.crit.is_some() {
            let why = "its header has parameters that must be understood (crit)";
            return Err(AttestError::malformed(WHAT, why));
        }
        let claims = MaaClaims::from_json(&decode("claims", payload)?)?;
        let signed = token.rsplit_once('.').map(|(signed, _)| signed).unwrap_or_default();
        Ok(Self { header, claims, signed: signed.to_owned(), signature })
    }

    pub(super) const fn signed(&self) -> &[u8] {
        self.signed.as_bytes()
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}

fn decode(part: &str, text: &str) -> Result<Vec<u8>, AttestError> {
    URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|error| AttestError::malformed(WHAT, format!("its {part}: base64url: {error}")))
}
