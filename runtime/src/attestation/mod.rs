//! Evidence of platforms: a node's own, as it gives it to its apps and to whoever asks, and the check
//! of somebody else's.

mod budget;
mod fresh;
mod snp;

use std::sync::Arc;

pub use fresh::NodeAttestor;
pub use snp::{
    AttestationVerifier, SnpEvidence, SnpFlags, SnpPlatformInfo, SnpPolicy, SnpReport,
    UvmEndorsements, VerifiedSnp,
};

/// What the host provides; scripts are told what is missing.
#[derive(Clone, Default)]
pub struct Attestation {
    /// For `ccf.getAttestation`: the node's.
    pub attestor: Option<Arc<NodeAttestor>>,
    /// For `snp_attestation.verifySnpAttestation`.
    pub verifier: Option<Arc<dyn AttestationVerifier>>,
}
