//! Evidence in one shape, with converters from and to the shapes that are in use.
//!
//! | Shape | Read | Write |
//! |---|---|---|
//! | report and PEM chain | [`Evidence::new`] | the fields |
//! | extended report | [`Evidence::from_extended_report`] | [`Evidence::to_certificate_table`] |
//! | CCF's node quote | [`CcfQuote`], [`Attestation::from_json`] | [`CcfQuote`], [`Attestation::to_json`] |
//! | the key release sidecar's combined JSON | [`Evidence::from_skr_json`] | [`Evidence::to_skr_json`] |
//! | Azure's security context directory | [`SecurityContext`] | [`SecurityContextFiles`] |
//! | the HCL report of a virtual TPM | [`HclReport`] | [`HclReport`] |
//! | a COSE message by an attested service | [`AttestedMessage`] | its maker has the key |
//!
//! A converter checks form and size. Whether anything holds is for [`crate::verify`].

mod attested;
mod azure;
mod ccf;
mod encoding;
mod hcl;
mod json;
mod skr;
mod table;

use core::fmt;

use crate::limits::{CHAIN_BYTES_MAX, REPORT_BYTES};
use crate::{AttestError, hex};

pub use attested::AttestedMessage;
pub use azure::{HostCertificates, SecurityContext, SecurityContextFiles};
pub use ccf::{CcfQuote, FORMAT_SNP, FORMAT_VIRTUAL};
pub use hcl::HclReport;
pub use table::CertificateTable;

/// Everything a verifier is given about a guest, in raw bytes. Nothing of it is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// The attestation report.
    pub report: Vec<u8>,
    /// The chain of the key that signed it, PEM: VCEK or VLEK, then ASK or ASVK, then ARK. May be
    /// empty: then the check of the chain fails and says so.
    pub endorsements: Vec<u8>,
    /// Who vouches for the measurement: COSE_Sign1.
    pub uvm_endorsement: Option<Vec<u8>>,
    /// The container policy whose SHA-256 is the host data: Rego text.
    pub policy_text: Option<Vec<u8>>,
    /// What the evidence is bound to: the first half of report_data is the SHA-256 of these bytes and
    /// the rest is zero.
    pub bound: Option<Vec<u8>>,
    /// The TCB version that the chain is said to be for: 16 hex digits.
    pub endorsed_tcb: Option<String>,
    /// When the evidence was made, in seconds since 1970, as proved by something else: a nonce in
    /// `bound` that the verifier chose, or a receipt. Never what the evidence says of itself.
    pub proved_at_unix_s: Option<u64>,
}

/// What a machine without SEV-SNP says of itself. It proves nothing: another type than [`Evidence`],
/// refused unless the policy names it.
#[derive(Clone, PartialEq, Eq)]
pub struct VirtualEvidence {
    /// The text that stands in for a measurement.
    pub measurement: String,
    /// Hex SHA-256 of the executable.
    pub host_data: String,
    /// As in a report: SHA-256 of the bound bytes; 32 or 64 bytes.
    pub report_data: Vec<u8>,
    /// What it says it is bound to.
    pub bound: Option<Vec<u8>>,
}

impl fmt::Debug for VirtualEvidence {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "VirtualEvidence (insecure) {{ measurement: {:?} }}", self.measurement)
    }
}

/// Evidence of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attestation {
    /// Of an AMD SEV-SNP guest.
    Snp(Box<Evidence>),
    /// Of nothing.
    Virtual(VirtualEvidence),
}

impl Attestation {
    /// Hex of the measurement in a report, or of the text that stands in for one; `None` where a
    /// report ends before it.
    #[must_use]
    pub fn measurement_hex(&self) -> Option<String> {
        match self {
            Self::Snp(evidence) => measurement(&evidence.report).map(hex::encode),
            Self::Virtual(evidence) => Some(hex::encode(evidence.measurement.as_bytes())),
        }
    }

    /// What it says it is bound to.
    pub const fn bound_mut(&mut self) -> &mut Option<Vec<u8>> {
        match self {
            Self::Snp(evidence) => &mut evidence.bound,
            Self::Virtual(evidence) => &mut evidence.bound,
        }
    }
}

impl Evidence {
    /// Evidence of a report and a chain in PEM, which may be empty.
    ///
    /// # Errors
    /// The report has another size than reports have, or the chain is too large.
    pub fn new(report: Vec<u8>, endorsements: Vec<u8>) -> Result<Self, AttestError> {
        if report.len() != REPORT_BYTES {
            let why = format!("it has {} bytes, not {REPORT_BYTES}", report.len());
            return Err(AttestError::malformed("attestation report", why));
        }
        AttestError::bound("size of a chain", endorsements.len(), CHAIN_BYTES_MAX)?;
        Ok(Self { report, endorsements, ..Self::default() })
    }
}

/// Where a report has what the converters need of it; the whole layout is the verifier's matter.
const FLAGS_AT: usize = 0x48;
const MEASUREMENT_AT: usize = 0x90;
const REPORTED_TCB_AT: usize = 0x180;

fn measurement(report: &[u8]) -> Option<&[u8]> {
    report.get(MEASUREMENT_AT..MEASUREMENT_AT + crate::uvm::MEASUREMENT_BYTES)
}

/// The reported TCB as it is written in hex: the number, most significant byte first.
fn reported_tcb(report: &[u8]) -> Option<String> {
    let bytes = report.get(REPORTED_TCB_AT..REPORTED_TCB_AT + 8)?.try_into().ok()?;
    Some(format!("{:016x}", u64::from_le_bytes(bytes)))
}

/// Bits 2 to 4 of the flags: 1 is the VLEK.
fn is_signed_by_vlek(report: &[u8]) -> bool {
    report.get(FLAGS_AT).is_some_and(|flags| (flags >> 2) & 7 == 1)
}

/// A TCB version of 16 hex digits; none if it is absent or empty.
fn endorsed_tcb(text: Option<String>) -> Result<Option<String>, AttestError> {
    let text = text.filter(|text| !text.is_empty());
    match &text {
        Some(found) if found.len() != 16 || !found.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            let why = format!("{found:?} is not 16 hex digits");
            Err(AttestError::malformed("endorsed TCB", why))
        }
        _ => Ok(text),
    }
}
