//! Evidence as the key release sidecar answers it (`POST /attest/combined`), which is what key
//! management services take as attestation: `evidence`, `endorsements`, `uvm_endorsements` in base64,
//! `endorsed_tcb` in hex.

use serde::{Deserialize, Serialize};

use super::encoding::{from_base64, to_base64};
use super::{Evidence, HostCertificates};
use crate::AttestError;
use crate::limits::{
    CHAIN_BYTES_MAX, EVIDENCE_JSON_BYTES_MAX, REPORT_BYTES, UVM_ENDORSEMENT_BYTES_MAX,
};

const WHAT: &str = "sidecar's evidence";

#[derive(Serialize, Deserialize)]
struct Wire {
    evidence: String,
    #[serde(default)]
    endorsements: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    uvm_endorsements: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endorsed_tcb: Option<String>,
}

impl Evidence {
    /// Reads the sidecar's combined JSON. Its endorsements may be a PEM chain or the host's
    /// certificates in JSON; where only the latter say which TCB they are for, that is taken.
    ///
    /// # Errors
    /// It is no such JSON, or a member is malformed or too large.
    pub fn from_skr_json(json: &[u8]) -> Result<Self, AttestError> {
        AttestError::bound("size of a sidecar's evidence", json.len(), EVIDENCE_JSON_BYTES_MAX)?;
        let wire: Wire = serde_json::from_slice(json)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        let report = from_base64("evidence", &wire.evidence, REPORT_BYTES)?;
        let endorsements = from_base64("endorsements", &wire.endorsements, CHAIN_BYTES_MAX)?;
        let host = endorsements.trim_ascii_start().starts_with(b"{");
        let host = host.then(|| HostCertificates::from_json(&endorsements)).transpose()?;
        let chain = host.as_ref().map_or(endorsements, HostCertificates::endorsements);
        let mut evidence = Self::new(report, chain)?;
        let endorsement = wire.uvm_endorsements.filter(|text| !text.is_empty());
        evidence.uvm_endorsement = endorsement
            .map(|text| from_base64("uvm_endorsements", &text, UVM_ENDORSEMENT_BYTES_MAX))
            .transpose()?;
        evidence.endorsed_tcb =
            super::endorsed_tcb(wire.endorsed_tcb)?.or_else(|| host.map(|host| host.tcbm));
        Ok(evidence)
    }

    /// The sidecar's combined JSON. It has no room for policy text and bound bytes: they are left out.
    #[must_use]
    pub fn to_skr_json(&self) -> String {
        let wire = Wire {
            evidence: to_base64(&self.report),
            endorsements: to_base64(&self.endorsements),
            uvm_endorsements: self.uvm_endorsement.as_deref().map(to_base64),
            endorsed_tcb: self.endorsed_tcb.clone(),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }
}
