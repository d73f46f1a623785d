//! Evidence in one shape, with converters from and to the shapes that are in use.

use core::fmt;

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
