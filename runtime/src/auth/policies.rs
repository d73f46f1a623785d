//! The policies that need no key material of their own: nobody, and the three kinds of client
//! certificate (reference C.2).

use affiant_kv::{MapName, Tx};
use affiant_proof::Digest;
use serde_json::{Value as Json, json};

use super::certificate::{PeerCertificate, Register};
use super::{AuthError, AuthPolicy, AuthRequest, Peer};
use crate::crypto::PublicKey;
use crate::limits::CALLER_KEPT_BYTES_MAX;
use crate::request::{Caller, CertCaller};
use crate::tables::{MEMBER_CERTS, MEMBER_INFO, NODE_INFO, USER_CERTS, USER_INFO};

/// `no_auth`: admits everybody.
pub struct NoAuth;

/// `user_cert`: a client certificate in `public:ccf.gov.users.certs`, within its validity.
pub struct UserCert;

/// `member_cert`: a client certificate in `public:ccf.gov.members.certs`; validity is not checked.
pub struct MemberCert;

/// `any_cert`: any client certificate within its validity.
pub struct AnyCert;

impl AuthPolicy for NoAuth {
    fn name(&self) -> &'static str {
        "no_auth"
    }

    fn identify(&self, _: &AuthRequest<'_>, _: &mut Tx) -> Result<Caller, AuthError> {
        Ok(Caller::NoAuth)
    }
}

impl AuthPolicy for UserCert {
    fn name(&self) -> &'static str {
        "user_cert"
    }

    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError> {
        let certificate = certificate(request, "No caller user certificate")?;
        certificate.valid_at(request.unix_s).map_err(AuthError::Refused)?;
        registered(certificate, Register::Users, tx).map(Caller::UserCert).ok_or_else(|| {
            AuthError::Refused("Could not find matching user certificate".to_owned())
        })
    }

    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        Some(("user_cert", mutual_tls("Request must be sent over TLS with a user's certificate.")))
    }
}

impl AuthPolicy for MemberCert {
    fn name(&self) -> &'static str {
        "member_cert"
    }

    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError> {
        // CCF says "user" here too.
        let certificate = certificate(request, "No caller user certificate")?;
        registered(certificate, Register::Members, tx).map(Caller::MemberCert).ok_or_else(|| {
            AuthError::Refused("Could not find matching member certificate".to_owned())
        })
    }

    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        Some((
            "member_cert",
            mutual_tls("Request must be sent over TLS with a member's certificate."),
        ))
    }
}

impl AuthPolicy for AnyCert {
    fn name(&self) -> &'static str {
        "any_cert"
    }

    fn identify(&self, request: &AuthRequest<'_>, _: &mut Tx) -> Result<Caller, AuthError> {
        let certificate = certificate(request, "No caller certificate")?;
        certificate.valid_at(request.unix_s).map_err(AuthError::Refused)?;
        Ok(Caller::AnyCert { cert: certificate.pem().clone() })
    }

    fn openapi_scheme(&self) -> Option<(&'static str, Json)> {
        Some(("any_cert", mutual_tls("Request must be sent over TLS with any certificate.")))
    }
}

/// `node_cert`: the certificate of a node of the service, by its key. Only built-in endpoints ask.
pub(crate) struct NodeCert;

impl AuthPolicy for NodeCert {
    fn name(&self) -> &'static str {
        "node_cert"
    }

    fn identify(&self, request: &AuthRequest<'_>, tx: &mut Tx) -> Result<Caller, AuthError> {
        let certificate = certificate(request, "No caller node certificate")?;
        let id = PublicKey::from_certificate_der(certificate.der())
            .map(|key| Digest::of(key.to_der()).to_hex());
        if !id.is_ok_and(|id| tx.has(&NODE_INFO, id.as_bytes())) {
            return Err(AuthError::Refused("Could not find matching node certificate".to_owned()));
        }
        Ok(Caller::AnyCert { cert: certificate.pem().clone() })
    }
}

/// OpenAPI 3.0 has no type for client certificates (3.1 calls it `mutualTLS`), and a reader of 3.0
/// refuses types that it does not know.
fn mutual_tls(description: &str) -> Json {
    json!({"type": "http", "scheme": "tls-client-certificate", "description": description})
}

fn certificate<'a>(
    request: &AuthRequest<'a>,
    missing: &str,
) -> Result<&'a PeerCertificate, AuthError> {
    match request.peer {
        Peer::Certificate(certificate) => Ok(certificate),
        _ => Err(AuthError::Refused(missing.to_owned())),
    }
}

/// The caller that a certificate belongs to. What an earlier request of the session has found is
/// relied on rather than read again, so that a write need not publish the state for this alone.
fn registered(
    certificate: &PeerCertificate,
    register: Register,
    tx: &mut Tx,
) -> Option<CertCaller> {
    if let Some((caller, reads)) = certificate.recall(register) {
        tx.rely_on(reads);
        return Some(caller);
    }
    let (certs, info, field): (&MapName, &MapName, _) = match register {
        Register::Users => (&USER_CERTS, &USER_INFO, "user_data"),
        Register::Members => (&MEMBER_CERTS, &MEMBER_INFO, "member_data"),
    };
    let id = certificate.id();
    if !tx.has(certs, id.as_bytes()) {
        return None;
    }
    let data = data_of(tx, info, id, field);
    let caller = CertCaller { id: id.clone(), data, cert: certificate.pem().clone() };
    let small = tx.get(info, id.as_bytes()).is_none_or(|row| row.len() <= CALLER_KEPT_BYTES_MAX);
    if let Some(reads) = tx.reads().filter(|_| small) {
        certificate.remember(register, caller.clone(), reads);
    }
    Some(caller)
}

/// `user_data` or `member_data` of a user or member; null if there is none.
pub(super) fn data_of(tx: &mut Tx, info: &MapName, id: &str, field: &str) -> Json {
    tx.get(info, id.as_bytes())
        .and_then(|value| serde_json::from_slice::<Json>(&value).ok())
        .and_then(|mut value| value.get_mut(field).map(Json::take))
        .unwrap_or(Json::Null)
}
