//! What Azure gives a confidential container: the host's certificates in JSON, and the three files of
//! the security context directory. Contents only; reading the directory is for others.

use serde::{Deserialize, Serialize};

use super::Evidence;
use super::encoding::{from_base64, to_base64};
use crate::AttestError;
use crate::limits::{CHAIN_BYTES_MAX, POLICY_TEXT_BYTES_MAX, UVM_ENDORSEMENT_BYTES_MAX};

/// The certificates of the host's chip, as the host and Azure's certificate services give them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostCertificates {
    /// The VCEK, PEM.
    pub vcek: String,
    /// ASK, then ARK, PEM.
    pub chain: String,
    /// The TCB version that the VCEK is for: 16 hex digits, in the case they came in.
    pub tcbm: String,
    /// For how many seconds they may be kept.
    pub cache_s: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wire {
    vcek_cert: String,
    tcbm: String,
    certificate_chain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cache_control: Option<Seconds>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Seconds {
    Text(String),
    Number(u64),
}

impl HostCertificates {
    /// Reads JSON with `vcekCert`, `tcbm`, `certificateChain` and perhaps `cacheControl`.
    ///
    /// # Errors
    /// It is no such JSON, too large, or `tcbm` is not 16 hex digits.
    pub fn from_json(json: &[u8]) -> Result<Self, AttestError> {
        const WHAT: &str = "host certificates";
        AttestError::bound("size of the host certificates", json.len(), CHAIN_BYTES_MAX)?;
        let wire: Wire = serde_json::from_slice(json)
            .map_err(|error| AttestError::malformed(WHAT, error.to_string()))?;
        let Some(tcbm) = super::endorsed_tcb(Some(wire.tcbm))? else {
            return Err(AttestError::malformed(WHAT, "tcbm is empty"));
        };
        // Advice on caching, in a form that HTTP leaves open: what is not seconds says nothing.
        let cache_s = wire.cache_control.and_then(|seconds| match seconds {
            Seconds::Number(seconds) => Some(seconds),
            Seconds::Text(text) => text.parse().ok(),
        });
        Ok(Self { vcek: wire.vcek_cert, chain: wire.certificate_chain, tcbm, cache_s })
    }

    /// The same JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let wire = Wire {
            vcek_cert: self.vcek.clone(),
            tcbm: self.tcbm.clone(),
            certificate_chain: self.chain.clone(),
            cache_control: self.cache_s.map(|seconds| Seconds::Text(seconds.to_string())),
        };
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// The whole chain in PEM: VCEK, ASK, ARK.
    #[must_use]
    pub fn endorsements(&self) -> Vec<u8> {
        let gap = if self.vcek.ends_with('\n') { "" } else { "\n" };
        [self.vcek.as_str(), gap, self.chain.as_str()].concat().into_bytes()
    }

    /// Whether they are for the TCB that `report` was signed at. After an update of its firmware a host
    /// may still have those of before: then others must be fetched.
    #[must_use]
    pub fn are_for(&self, report: &[u8]) -> bool {
        super::reported_tcb(report).is_some_and(|tcb| tcb.eq_ignore_ascii_case(&self.tcbm))
    }
}

/// The files of a security context directory, each base64 in text. White space around it is passed
/// over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecurityContext<'a> {
    /// `host-amd-cert-base64`.
    pub host_certificates: Option<&'a str>,
    /// `security-policy-base64`.
    pub policy: Option<&'a str>,
    /// `reference-info-base64`.
    pub reference_info: Option<&'a str>,
}

impl SecurityContext<'_> {
    /// The host's certificates.
    ///
    /// # Errors
    /// They are not base64 of what [`HostCertificates::from_json`] reads.
    pub fn host_certificates(&self) -> Result<Option<HostCertificates>, AttestError> {
        let json = decode(
            SecurityContextFiles::HOST_CERTIFICATES,
            self.host_certificates,
            CHAIN_BYTES_MAX,
        )?;
        json.map(|json| HostCertificates::from_json(&json)).transpose()
    }

    /// The evidence of `report` with what the directory has to add.
    ///
    /// # Errors
    /// The report has another size, or a file cannot be read.
    pub fn evidence(&self, report: &[u8]) -> Result<Evidence, AttestError> {
        let host = self.host_certificates()?;
        let chain = host.as_ref().map(HostCertificates::endorsements).unwrap_or_default();
        let mut evidence = Evidence::new(report.to_vec(), chain)?;
        evidence.endorsed_tcb = host.map(|host| host.tcbm);
        evidence.policy_text =
            decode(SecurityContextFiles::POLICY, self.policy, POLICY_TEXT_BYTES_MAX)?;
        evidence.uvm_endorsement = decode(
            SecurityContextFiles::REFERENCE_INFO,
            self.reference_info,
            UVM_ENDORSEMENT_BYTES_MAX,
        )?;
        Ok(evidence)
    }
}

/// The texts of the directory's files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityContextFiles {
    /// `host-amd-cert-base64`.
    pub host_certificates: Option<String>,
    /// `security-policy-base64`.
    pub policy: Option<String>,
    /// `reference-info-base64`.
    pub reference_info: Option<String>,
}

impl SecurityContextFiles {
    /// The name of the file with the host's certificates.
    pub const HOST_CERTIFICATES: &str = "host-amd-cert-base64";
    /// The name of the file with the container policy.
    pub const POLICY: &str = "security-policy-base64";
    /// The name of the file with the UVM endorsement.
    pub const REFERENCE_INFO: &str = "reference-info-base64";

    /// The files from which [`SecurityContext::evidence`] makes this evidence again. `host` is what the
    /// evidence's chain came in.
    #[must_use]
    pub fn of(evidence: &Evidence, host: Option<&HostCertificates>) -> Self {
        Self {
            host_certificates: host.map(|host| to_base64(host.to_json().as_bytes())),
            policy: evidence.policy_text.as_deref().map(to_base64),
            reference_info: evidence.uvm_endorsement.as_deref().map(to_base64),
        }
    }

    /// The same, borrowed.
    #[must_use]
    pub fn as_context(&self) -> SecurityContext<'_> {
        SecurityContext {
            host_certificates: self.host_certificates.as_deref(),
            policy: self.policy.as_deref(),
            reference_info: self.reference_info.as_deref(),
        }
    }
}

fn decode(
    what: &'static str,
    text: Option<&str>,
    limit: usize,
) -> Result<Option<Vec<u8>>, AttestError> {
    text.map(|text| from_base64(what, text.trim(), limit)).transpose()
}
