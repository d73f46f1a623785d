//! The key release sidecar (SKR) of Azure's confidential containers: evidence, tokens and keys over
//! HTTP on this machine.

use core::fmt;

use affiant_attest::{Attestation, Evidence, SecurityContext};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value as Json, json};
use zeroize::{Zeroize as _, Zeroizing};

use super::context::Context;
use super::service::Service;
use super::{Attestor, FORMAT_SNP, PlatformError, check_bound};
use crate::client::{Access, Plain};
use crate::limits::{SIDECAR_ANSWER_BYTES_MAX, SIDECAR_ANSWER_MS_MAX};

/// A client of the sidecar.
#[derive(Clone)]
pub struct Sidecar {
    service: Service,
}

/// Which key is to be released, and by whom.
#[derive(Clone, Copy)]
pub struct KeyRelease<'a> {
    /// Host of the attestation service, without scheme.
    pub maa_endpoint: &'a str,
    /// Host of the vault, without scheme.
    pub akv_endpoint: &'a str,
    /// The key's name in the vault.
    pub kid: &'a str,
    /// A token for the vault; without it the sidecar uses the managed identity.
    pub access_token: Option<&'a str>,
}

impl fmt::Debug for KeyRelease<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { maa_endpoint, akv_endpoint, kid, access_token } = self;
        out.debug_struct("KeyRelease")
            .field("maa_endpoint", maa_endpoint)
            .field("akv_endpoint", akv_endpoint)
            .field("kid", kid)
            .field("access_token", &access_token.map(|_| "..."))
            .finish()
    }
}

impl Sidecar {
    /// At this URL, usually `http://localhost:8080`. Plain HTTP is for this machine only: whoever sits
    /// between could make evidence of another guest pass for this one's, and would see released keys.
    #[must_use]
    pub fn new(base_url: &str) -> Self {
        Self::with_deadline(base_url, SIDECAR_ANSWER_MS_MAX)
    }

    /// As [`Self::new`], with another bound on the time of one answer, in milliseconds.
    #[must_use]
    pub fn with_deadline(base_url: &str, answer_ms: u64) -> Self {
        let access = Access { tls: None, plain: Plain::Local };
        Self { service: Service::new(base_url, access, answer_ms, SIDECAR_ANSWER_BYTES_MAX) }
    }

    /// What it says of itself (`GET /status`).
    ///
    /// # Errors
    /// It does not answer, or not with a message.
    pub fn status(&self) -> Result<String, PlatformError> {
        const PATH: &str = "/status";
        self.service.text(PATH, &self.service.get(PATH)?, "message")
    }

    /// An attestation report whose report_data is the SHA-256 of `runtime_data` (`POST /attest/raw`).
    ///
    /// # Errors
    /// It refuses, does not answer, or not with a report.
    pub fn report(&self, runtime_data: &[u8]) -> Result<Vec<u8>, PlatformError> {
        const PATH: &str = "/attest/raw";
        let body = self.service.post(PATH, runtime_data_json(runtime_data)?)?;
        let text = self.service.text(PATH, &body, "report")?;
        affiant_proof::from_hex(&text).ok_or_else(|| {
            PlatformError::unavailable(self.service.place(PATH), "the report is no hex")
        })
    }

    /// The same with everything that vouches for it (`POST /attest/combined`).
    ///
    /// # Errors
    /// It refuses, does not answer, or not with evidence.
    pub fn evidence(&self, runtime_data: &[u8]) -> Result<Evidence, PlatformError> {
        const PATH: &str = "/attest/combined";
        let body = self.service.post(PATH, runtime_data_json(runtime_data)?)?;
        let mut evidence = Evidence::from_skr_json(&body).map_err(|error| {
            PlatformError::unavailable(self.service.place(PATH), error.to_string())
        })?;
        evidence.bound = Some(runtime_data.to_vec());
        Ok(evidence)
    }

    /// A token of the attestation service about this guest (`POST /attest/maa`). `runtime_data` must
    /// be JSON. The token is not verified here.
    ///
    /// # Errors
    /// It refuses, does not answer, or not with a token.
    pub fn maa_token(
        &self,
        maa_endpoint: &str,
        runtime_data: &[u8],
    ) -> Result<String, PlatformError> {
        const PATH: &str = "/attest/maa";
        check_bound(runtime_data)?;
        let ask = json!({
            "maa_endpoint": maa_endpoint,
            "runtime_data": STANDARD.encode(runtime_data),
        });
        let body = self.service.post(PATH, Bytes::from(ask.to_string()))?;
        self.service.text(PATH, &body, "token")
    }

    /// A key that its vault releases to this guest (`POST /key/release`): a JWK, as text. Secret.
    ///
    /// # Errors
    /// It refuses, does not answer, or not with a JWK.
    pub fn release_key(
        &self,
        release: &KeyRelease<'_>,
    ) -> Result<Zeroizing<String>, PlatformError> {
        const PATH: &str = "/key/release";
        let mut ask = json!({
            "maa_endpoint": release.maa_endpoint,
            "akv_endpoint": release.akv_endpoint,
            "kid": release.kid,
        });
        if let Some(token) = release.access_token {
            ask["access_token"] = json!(token);
        }
        let body = self.service.post(PATH, Bytes::from(ask.to_string()))?;
        let key = self.service.text(PATH, &body, "key").map(Zeroizing::new);
        // The copy that the answer came in; those of the socket's buffers are out of reach.
        if let Ok(mut body) = body.try_into_mut() {
            body.as_mut().zeroize();
        }
        let key = key?;
        let is_jwk = serde_json::from_str::<Json>(&key)
            .is_ok_and(|jwk| jwk.get("kty").is_some_and(Json::is_string));
        if !is_jwk {
            let place = self.service.place(PATH);
            return Err(PlatformError::unavailable(place, "the key is no JWK"));
        }
        Ok(key)
    }
}

fn runtime_data_json(runtime_data: &[u8]) -> Result<Bytes, PlatformError> {
    check_bound(runtime_data)?;
    Ok(Bytes::from(json!({ "runtime_data": STANDARD.encode(runtime_data) }).to_string()))
}

/// Evidence by way of the sidecar. The container policy, which it does not hand out, comes from the
/// security context.
pub(super) struct SidecarAttestor {
    sidecar: Sidecar,
    context: Context,
}

impl SidecarAttestor {
    pub(super) fn new(sidecar: Sidecar, context: Context) -> Self {
        Self { sidecar, context }
    }
}

impl Attestor for SidecarAttestor {
    fn format(&self) -> &'static str {
        FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        "sidecar"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        let mut evidence = self.sidecar.evidence(bound)?;
        // A mix-up of requests in the sidecar must not become evidence about somebody else's bytes.
        let expected = super::report_data(bound);
        if evidence.report.get(0x50..0x90) != Some(&expected[..]) {
            return Err(PlatformError::unavailable(
                self.sidecar.service.place("/attest/combined"),
                "the report is about other data than was asked for",
            ));
        }
        let policy = self.context.files().policy.as_deref();
        let context = SecurityContext { policy, ..SecurityContext::default() };
        evidence.policy_text = context.evidence(&evidence.report)?.policy_text;
        Ok(Attestation::Snp(Box::new(evidence)))
    }
}
