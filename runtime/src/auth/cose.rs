//! `user_cose_sign1`: requests whose body their sender has signed (RFC 9052; reference C.4).
//!
//! What users and members have in common is apart from the policy: a [`SignedRequest`] is read from
//! the body, and [`Signers`] checks it with the certificates of a table.

use std::sync::Arc;

use affiant_kv::{MapName, Tx};
use affiant_proof::ProofError;
use affiant_proof::cose::{RequestHeader, Sign1};
use bytes::Bytes;
use serde_json::{Value as Json, json};

use super::keys::{Algorithm, ParsedRows, VerifyingKey};
use super::policies::data_of;
use super::{AuthError, AuthPolicy, AuthRequest};
use crate::crypto::PublicKey;
use crate::frontend::AppError;
use crate::request::{Caller, CertCaller, Request};
use crate::tables::{USER_CERTS, USER_INFO};

const CONTENT_TYPE: &str = "application/cose";
/// `www-authenticate` of every policy of this kind.
pub(crate) const CHALLENGE: &str = r#"COSE-SIGN1 realm="Signed request access""#;

/// A request whose body is a COSE_Sign1 with everything that a signer must say. Not verified yet.
pub(crate) struct SignedRequest<'a> {
    /// The protected header.
    pub(crate) header: RequestHeader<'a>,
    message: Sign1<'a>,
    algorithm: Algorithm,
    key_id: &'a [u8],
    body: &'a Bytes,
}

impl<'a> SignedRequest<'a> {
    /// Reads the body.
    ///
    /// # Errors
    /// Refused where the request does not claim to be signed, or by another algorithm; failed with
    /// 500, as CCF does, where it claims so but is no such message.
    pub(crate) fn read(request: &'a Request) -> Result<Self, AuthError> {
        match request.header("content-type") {
            None => return Err(refused("Missing content-type header")),
            Some(CONTENT_TYPE) => {}
            Some(_) => return Err(refused("Content type is not set to application/cose")),
        }
        let body = request.body();
        let message = Sign1::parse_request(body).map_err(|error| match error {
            ProofError::Unsupported { what: "COSE tag", .. } => {
                failed("COSE_Sign1 is not tagged".to_owned())
            }
            error => failed(format!("Failed to decode COSE_Sign1: {error}")),
        })?;
        let header = RequestHeader::parse(message.protected)
            .map_err(|error| failed(format!("Failed to decode protected header: {error}")))?;
        let missing = |what: &str| failed(format!("Missing {what} in protected header"));
        let algorithm = match header.algorithm.ok_or_else(|| missing("algorithm"))? {
            -7 => Ok(Algorithm::CoseEs256),
            -35 => Ok(Algorithm::CoseEs384),
            -36 => Ok(Algorithm::CoseEs512),
            other => Err(other),
        };
        let key_id = header.key_id.ok_or_else(|| missing("kid"))?;
        let algorithm =
            algorithm.map_err(|other| refused(&format!("Unsupported algorithm: {other}")))?;
        Ok(Self { header, message, algorithm, key_id, body })
    }

    /// The payload, sharing the body's memory; `None` if it is detached.
    pub(crate) fn content(&self) -> Option<Bytes> {
        self.message.payload.map(|payload| self.body.slice_ref(payload))
    }
}

/// A verified signer.
pub(crate) struct Signer {
    /// Hex SHA-256 of the certificate's DER.
    pub(crate) id: Arc<str>,
    /// The certificate, PEM.
    pub(crate) cert: Arc<str>,
    /// What was signed.
    pub(crate) content: Bytes,
}

/// Those who may sign: the certificates of one table, by id.
pub(crate) struct Signers {
    table: &'static MapName,
    /// `user`, `member`.
    noun: &'static str,
    parsed: ParsedRows<SignerRow>,
}

struct SignerRow {
    id: Arc<str>,
    pem: Arc<str>,
    key: Option<VerifyingKey>,
}

impl Signers {
    pub(crate) fn new(table: &'static MapName, noun: &'static str) -> Self {
        Self { table, noun, parsed: ParsedRows::default() }
    }

    /// Finds and verifies who signed.
    ///
    /// # Errors
    /// Refused: nobody known, or not with that one's key.
    pub(crate) fn verify(
        &self,
        signed: &SignedRequest<'_>,
        tx: &mut Tx,
    ) -> Result<Signer, AuthError> {
        let unknown = || refused(&format!("Signer is not a known {}", self.noun));
        let id = core::str::from_utf8(signed.key_id).map_err(|_| unknown())?;
        let row = tx.get(self.table, signed.key_id).ok_or_else(unknown)?;
        let row = self.parsed.get(signed.key_id, &row, |pem| {
            let pem = String::from_utf8_lossy(pem);
            let public = PublicKey::from_pem(&pem).ok();
            let key = public.as_ref().and_then(VerifyingKey::new);
            SignerRow { id: id.into(), pem: pem.into(), key }
        });
        let message = &signed.message;
        // A critical header parameter must be understood (RFC 9052, 3.1), and none is.
        let content = (!signed.header.has_critical).then(|| signed.content()).flatten();
        content
            .filter(|content| {
                row.key.as_ref().is_some_and(|key| {
                    let covered = message.to_be_signed(content);
                    key.verifies(signed.algorithm, &covered, message.signature)
                })
            })
            .map(|content| Signer { id: row.id.clone(), cert: row.pem.clone(), content })
            .ok_or_else(|| refused("Failed to validate COSE Sign1"))
    }
}

/// `user_cose_sign1`: a body signed by a user in `public:ccf.gov.users.certs`. Nothing keeps a
/// signed request from being sent again.
pub struct UserCoseSign1(Signers);

impl Default for UserCoseSign1 {
    fn default() -> Self {
        Self(Signers::new(&USER_CERTS, "user"))
    }
}

impl AuthPolicy for UserCoseSign1 {
    fn name(&self) -> &'static str {
        "user_cose_sign1"
    }

    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError> {
        let signed = SignedRequest::read(request.request)?;
        let Signer { id, cert, content } = self.0.verify(&signed, tx)?;
        let data = data_of(tx, &USER_INFO, &id, "user_data");
        Ok(Caller::UserCoseSign1 { user: CertCaller { id, data, cert }, content })
    }

    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        let description = "Request body must be a COSE_Sign1 message signed by a user.";
        Some((
            "user_cose_sign1",
            json!({"type": "http", "scheme": "cose_sign1", "description": description}),
        ))
    }

    fn challenge(&self) -> Option<&'static str> {
        Some(CHALLENGE)
    }
}

fn refused(reason: &str) -> AuthError {
    AuthError::Refused(reason.to_owned())
}

fn failed(message: String) -> AuthError {
    AuthError::Failed(AppError::internal(message))
}
