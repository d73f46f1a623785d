//! The check of SEV-SNP evidence that a client brought, with CCF's result (reference A.10).

use core::ffi::CStr;

use affiant_attest::uvm::{self, UvmEndorsement};
use affiant_attest::{Evidence, Policy, Report, Verdict, examine};

use crate::clock::unix_seconds;

/// What `snp_attestation.verifySnpAttestation` is given.
#[derive(Clone, Copy, Debug)]
pub struct SnpEvidence<'a> {
    /// The attestation report.
    pub report: &'a [u8],
    /// The chain of the key that signed it: PEM.
    pub endorsements: &'a [u8],
    /// Who vouches for the measurement: COSE.
    pub uvm_endorsements: Option<&'a [u8]>,
    /// The TCB that the chain is for: 16 hex digits, in either byte order.
    pub endorsed_tcb: Option<&'a str>,
}

/// Evidence that passed.
#[derive(Clone, Debug)]
pub struct VerifiedSnp {
    /// The report.
    pub report: Report,
    /// What vouches for the measurement, if that was given.
    pub uvm_endorsements: Option<UvmEndorsement>,
}

/// A field of CCF's result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnpField {
    /// A number; of what is one bit, 0 or 1.
    Number(u64),
    /// A buffer.
    Bytes(Vec<u8>),
    /// A text: a TCB version, its last byte first, in hex; or of an UVM endorsement.
    Text(String),
    /// Fields.
    Object(Vec<(&'static CStr, Self)>),
}

/// Checks what CCF checks, and what of this crate's checks it leaves out for no reason: report,
/// signature, chain up to AMD's root, that key, report and chip belong together; no debugging, no
/// migration agent. What the guest is (measurement, host data) and whether its firmware is new enough
/// is for the caller to say. Certificates may have expired: time is the host's to tell, and AMD's keys
/// do not become another's by it.
///
/// # Errors
/// Each check that failed, by name.
pub fn verify_snp(evidence: &SnpEvidence<'_>) -> Result<VerifiedSnp, String> {
    let given = Evidence {
        report: evidence.report.to_vec(),
        endorsements: evidence.endorsements.to_vec(),
        endorsed_tcb: evidence.endorsed_tcb.map(str::to_owned),
        ..Evidence::default()
    };
    let policy = Policy { expired_certificates: true, ..Policy::genuine_only() };
    let examined = examine(&given, &policy, unix_seconds());
    let report = match examined.report {
        Some(report) if examined.verdict.is_trusted() => report,
        _ => return Err(reasons(&examined.verdict)),
    };
    let uvm_endorsements = evidence.uvm_endorsements.map(uvm::verify).transpose();
    let uvm_endorsements = uvm_endorsements.map_err(|error| error.to_string())?;
    if uvm_endorsements.as_ref().is_some_and(|uvm| uvm.measurement != report.measurement) {
        return Err("uvm endorsement: it vouches for another measurement".to_owned());
    }
    Ok(VerifiedSnp { report, uvm_endorsements })
}

/// What the failed checks say.
pub(crate) fn reasons(verdict: &Verdict) -> String {
    let failed = verdict.failures().map(|check| match check.found.as_str() {
        "" => format!("{}: {}", check.name, check.reason),
        found => format!("{}: {} (found {found})", check.name, check.reason),
    });
    failed.collect::<Vec<_>>().join("; ")
}

impl VerifiedSnp {
    /// CCF's result object, in its order.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static CStr, SnpField)> {
        let mut fields = vec![(c"attestation", SnpField::Object(report_fields(&self.report)))];
        if let Some(uvm) = &self.uvm_endorsements {
            let uvm = vec![
                (c"did", text(&uvm.did)),
                (c"feed", text(&uvm.feed)),
                (c"svn", text(uvm.svn.to_string())),
            ];
            fields.push((c"uvm_endorsements", SnpField::Object(uvm)));
        }
        fields
    }
}

fn number(value: impl Into<u64>) -> SnpField {
    SnpField::Number(value.into())
}

fn bytes(value: impl AsRef<[u8]>) -> SnpField {
    SnpField::Bytes(value.as_ref().to_vec())
}

fn text(value: impl Into<String>) -> SnpField {
    SnpField::Text(value.into())
}

fn report_fields(report: &Report) -> Vec<(&'static CStr, SnpField)> {
    let (policy, platform, flags) = (&report.policy, &report.platform_info, &report.key_flags);
    let object = SnpField::Object;
    // Reports of version 2 have zeros there.
    let cpuid = report.cpuid.map_or([0; 3], |cpuid| [cpuid.family, cpuid.model, cpuid.stepping]);
    let (current, committed) = (report.current_firmware, report.committed_firmware);
    vec![
        (c"version", number(report.version)),
        (c"guest_svn", number(report.guest_svn)),
        (
            c"policy",
            object(vec![
                (c"abi_minor", number(policy.abi_minor())),
                (c"abi_major", number(policy.abi_major())),
                (c"smt", number(policy.smt())),
                (c"migrate_ma", number(policy.migration_agent())),
                (c"debug", number(policy.debug())),
                (c"single_socket", number(policy.single_socket())),
            ]),
        ),
        (c"family_id", bytes(report.family_id)),
        (c"image_id", bytes(report.image_id)),
        (c"vmpl", number(report.vmpl)),
        (c"signature_algo", number(report.signature_algorithm)),
        (c"platform_version", text(report.current_tcb.to_hex())),
        (
            // Misspelt in CCF, and so in the apps that read it.
            c"plaform_info",
            object(vec![
                (c"smt_en", number(platform.smt())),
                (c"tsme_en", number(platform.tsme())),
            ]),
        ),
        (
            c"flags",
            object(vec![
                (c"author_key_en", number(flags.author_key())),
                (c"mask_chip_key", number(flags.mask_chip_key())),
                (c"signing_key", number(flags.bits() >> 2)),
            ]),
        ),
        (c"report_data", bytes(report.report_data)),
        (c"measurement", bytes(report.measurement)),
        (c"host_data", bytes(report.host_data)),
        (c"id_key_digest", bytes(report.id_key_digest)),
        (c"author_key_digest", bytes(report.author_key_digest)),
        (c"report_id", bytes(report.report_id)),
        (c"report_id_ma", bytes(report.report_id_ma)),
        (c"reported_tcb", text(report.reported_tcb.to_hex())),
        (c"cpuid_fam_id", number(cpuid[0])),
        (c"cpuid_mod_id", number(cpuid[1])),
        (c"cpuid_step", number(cpuid[2])),
        (c"chip_id", bytes(report.chip_id)),
        (c"committed_tcb", text(report.committed_tcb.to_hex())),
        (c"current_minor", number(current.minor)),
        (c"current_build", number(current.build)),
        (c"current_major", number(current.major)),
        (c"committed_build", number(committed.build)),
        (c"committed_minor", number(committed.minor)),
        (c"committed_major", number(committed.major)),
        (c"launch_tcb", text(report.launch_tcb.to_hex())),
        (
            c"signature",
            object(vec![
                (c"r", bytes(report.signature.r_le())),
                (c"s", bytes(report.signature.s_le())),
            ]),
        ),
    ]
}
