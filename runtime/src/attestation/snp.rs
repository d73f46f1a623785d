//! The check of SEV-SNP evidence that a client brought (reference A.10).

use serde::{Deserialize, Serialize};

/// Checks AMD SEV-SNP evidence that a client brought.
pub trait AttestationVerifier: Send + Sync {
    /// Verifies the report's signature up to AMD's root, and whatever else `evidence` holds.
    ///
    /// # Errors
    /// Which check failed, for the handler.
    fn verify_snp(&self, evidence: &SnpEvidence<'_>) -> Result<VerifiedSnp, String>;
}

/// What `snp_attestation.verifySnpAttestation` is given.
#[derive(Clone, Copy, Debug)]
pub struct SnpEvidence<'a> {
    /// The attestation report.
    pub report: &'a [u8],
    /// The chain of the key that signed it: PEM.
    pub endorsements: &'a [u8],
    /// Who vouches for the measurement: COSE.
    pub uvm_endorsements: Option<&'a [u8]>,
    /// The TCB that the chain is for: hex.
    pub endorsed_tcb: Option<&'a str>,
}

/// Evidence that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedSnp {
    /// The report's content.
    pub report: SnpReport,
    /// What vouches for the measurement, if that was given.
    pub uvm_endorsements: Option<UvmEndorsements>,
}

/// What vouches for a measurement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UvmEndorsements {
    /// The issuer: a `did:x509`.
    pub did: String,
    /// The line of images it belongs to.
    pub feed: String,
    /// The security version number, decimal.
    pub svn: String,
}

/// The fields of a report, named as scripts see them. Numbers of one bit are 0 or 1; TCB versions
/// are the hex of their eight bytes, the most significant first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "AMD SEV-SNP ABI specification, table ATTESTATION_REPORT")]
pub struct SnpReport {
    pub version: u32,
    pub guest_svn: u32,
    pub policy: SnpPolicy,
    pub family_id: Vec<u8>,
    pub image_id: Vec<u8>,
    pub vmpl: u32,
    pub signature_algo: u32,
    pub platform_version: String,
    pub platform_info: SnpPlatformInfo,
    pub flags: SnpFlags,
    pub report_data: Vec<u8>,
    pub measurement: Vec<u8>,
    pub host_data: Vec<u8>,
    pub id_key_digest: Vec<u8>,
    pub author_key_digest: Vec<u8>,
    pub report_id: Vec<u8>,
    pub report_id_ma: Vec<u8>,
    pub reported_tcb: String,
    pub cpuid_fam_id: u32,
    pub cpuid_mod_id: u32,
    pub cpuid_step: u32,
    pub chip_id: Vec<u8>,
    pub committed_tcb: String,
    pub current_minor: u32,
    pub current_build: u32,
    pub current_major: u32,
    pub committed_build: u32,
    pub committed_minor: u32,
    pub committed_major: u32,
    pub launch_tcb: String,
    pub signature_r: Vec<u8>,
    pub signature_s: Vec<u8>,
}

/// The guest's policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "AMD SEV-SNP ABI specification, table GUEST_POLICY")]
pub struct SnpPolicy {
    pub abi_minor: u32,
    pub abi_major: u32,
    pub smt: u32,
    pub migrate_ma: u32,
    pub debug: u32,
    pub single_socket: u32,
}

/// What is switched on in the platform.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "AMD SEV-SNP ABI specification, table PLATFORM_INFO")]
pub struct SnpPlatformInfo {
    pub smt_en: u32,
    pub tsme_en: u32,
}

/// How the report is signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "AMD SEV-SNP ABI specification, table ATTESTATION_REPORT")]
pub struct SnpFlags {
    pub author_key_en: u32,
    pub mask_chip_key: u32,
    pub signing_key: u32,
}
