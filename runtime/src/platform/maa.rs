//! A client of Microsoft Azure Attestation: it is given evidence and answers with a token about it.
//! The token is not verified here; see [`affiant_attest`].
//!
//! Source: Azure Attestation REST API, "Attest Sev Snp Vm".

use std::sync::Arc;

use affiant_attest::Evidence;
use affiant_attest::limits::TOKEN_BYTES_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use rustls::ClientConfig;
use serde_json::{Value as Json, json};

use super::service::Service;
use super::{PlatformError, check_bound};
use crate::client::{Access, Plain};
use crate::limits::{MAA_ANSWER_BYTES_MAX, MAA_ANSWER_MS_MAX, MAA_NONCE_BYTES_MAX};

const PATH: &str = "/attest/SevSnpVm?api-version=2022-08-01";

/// A client of the service.
#[derive(Clone)]
pub struct Maa {
    service: Service,
}

impl Maa {
    /// At this URL, such as `https://sharedeus.eus.attest.azure.net`. `tls` checks its certificate;
    /// without it, only a stand-in on this machine can be asked.
    #[must_use]
    pub fn new(base_url: &str, tls: Option<Arc<ClientConfig>>) -> Self {
        Self::with_deadline(base_url, tls, MAA_ANSWER_MS_MAX)
    }

    /// As [`Self::new`], with another bound on the time of one answer, in milliseconds.
    #[must_use]
    pub fn with_deadline(base_url: &str, tls: Option<Arc<ClientConfig>>, answer_ms: u64) -> Self {
        let access = Access { tls, plain: Plain::Local };
        Self { service: Service::new(base_url, access, answer_ms, MAA_ANSWER_BYTES_MAX) }
    }

    /// A token about this evidence. What it is bound to must be JSON: the service puts it into the
    /// token, under `x-ms-runtime`. `nonce` comes back in the token.
    ///
    /// # Errors
    /// The evidence is not bound to JSON; the service refuses, does not answer, or not with a token.
    pub fn token(&self, evidence: &Evidence, nonce: Option<&str>) -> Result<String, PlatformError> {
        let body = self.request(evidence, nonce)?;
        let answer = self.service.post(PATH, Bytes::from(body.to_string()))?;
        let token = self.service.text(PATH, &answer, "token")?;
        if token.len() > TOKEN_BYTES_MAX || token.split('.').count() != 3 {
            return Err(self.refused("what it calls a token is none"));
        }
        Ok(token)
    }

    fn refused(&self, reason: &str) -> PlatformError {
        PlatformError::unavailable(self.service.place(PATH), reason)
    }

    fn request(&self, evidence: &Evidence, nonce: Option<&str>) -> Result<Json, PlatformError> {
        let bound = evidence.bound.as_deref().unwrap_or_default();
        check_bound(bound)?;
        // Its digest is compared to the report's, and it is read: so it must be JSON.
        if serde_json::from_slice::<Json>(bound).is_err() {
            return Err(self.refused("takes only evidence that is bound to JSON"));
        }
        if nonce.is_some_and(|nonce| nonce.len() > MAA_NONCE_BYTES_MAX) {
            return Err(self.refused("takes no nonce of that length"));
        }
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut report = json!({
            "SnpReport": encode(&evidence.report),
            "VcekCertChain": encode(&evidence.endorsements),
        });
        if let Some(endorsement) = &evidence.uvm_endorsement {
            let uvm = json!({ "Uvm": [encode(endorsement)] });
            report["Endorsements"] = json!(encode(uvm.to_string().as_bytes()));
        }
        let mut request = json!({
            "report": encode(report.to_string().as_bytes()),
            "runtimeData": {"data": encode(bound), "dataType": "JSON"},
        });
        // The service compares its digest to the host data.
        if let Some(policy) = &evidence.policy_text {
            request["initTimeData"] = json!({"data": encode(policy), "dataType": "Binary"});
        }
        if let Some(nonce) = nonce {
            request["nonce"] = json!(nonce);
        }
        Ok(request)
    }
}
