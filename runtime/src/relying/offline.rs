//! Evidence from files, judged without a network.

use affiant_attest::{
    AttestError, Attestation, AttestedMessage, Evidence, HclReport, HostCertificates, Policy,
    SecurityContextFiles, Verdict, verify_attestation,
};

use super::RelyingError;
use super::verdict::Table;

/// Evidence, and what may come in files of its own. What is given here replaces what the evidence
/// itself holds.
#[derive(Clone, Debug, Default)]
pub struct Pieces {
    /// In any of the JSON forms that [`Attestation::from_json`] takes; a report as it comes from the
    /// firmware; a vTPM's HCL report; or a message of an attested service (COSE).
    pub evidence: Vec<u8>,
    /// The chain of the key that signed the report: PEM, or the JSON in which Azure's hosts have it.
    pub endorsements: Option<Vec<u8>>,
    /// Who vouches for the measurement: COSE_Sign1.
    pub uvm_endorsement: Option<Vec<u8>>,
    /// The container policy whose digest is the host data.
    pub policy_text: Option<Vec<u8>>,
    /// The files of the guest's security context directory, in place of the three before.
    pub security_context: Option<SecurityContextFiles>,
    /// What the evidence must be bound to.
    pub bound: Option<Vec<u8>>,
}

/// Reads a policy: JSON, in which unknown fields, and values that cannot be, are refused.
///
/// # Errors
/// It is no policy, and why.
pub fn read_policy(json: &[u8]) -> Result<Policy, RelyingError> {
    Policy::from_json(json).map_err(|error| {
        let why = format!("{error}. docs/attestation.md explains every field");
        RelyingError::unreadable("the policy", why)
    })
}

/// Judges evidence alone: whether the policy accepts the guest it is of, and whether it is bound to
/// the bytes that are given. Who shows it, and when it was made, is not known here.
///
/// # Errors
/// The evidence is in none of the forms, or a piece is given that virtual evidence does not have.
pub fn verify_evidence(
    pieces: Pieces,
    policy: &Policy,
    at_unix_s: u64,
) -> Result<Verdict, RelyingError> {
    let attestation = assemble(pieces)?;
    Ok(verify_attestation(&attestation, policy, at_unix_s))
}

fn assemble(mut pieces: Pieces) -> Result<Attestation, RelyingError> {
    let mut attestation = read(core::mem::take(&mut pieces.evidence))?;
    match &mut attestation {
        Attestation::Snp(evidence) => complete(evidence, pieces)?,
        Attestation::Virtual(evidence) => {
            let Pieces { endorsements, uvm_endorsement, policy_text, .. } = &pieces;
            let given = [endorsements, uvm_endorsement, policy_text];
            if given.iter().any(|piece| piece.is_some()) || pieces.security_context.is_some() {
                let why = "virtual evidence has no chain, no endorsement and no container policy";
                return Err(RelyingError::usage("evidence", why));
            }
            evidence.bound = pieces.bound.or_else(|| evidence.bound.take());
        }
    }
    Ok(attestation)
}

/// Reads evidence by what it begins with.
fn read(bytes: Vec<u8>) -> Result<Attestation, RelyingError> {
    let failed = |why: AttestError| RelyingError::unreadable("the evidence", why);
    let evidence = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(RelyingError::unreadable("the evidence", "it is empty")),
        Some(b'{') => return Attestation::from_json(&bytes).map_err(failed),
        Some(&COSE_SIGN1) => AttestedMessage::parse(&bytes).map_err(failed)?.evidence,
        Some(_) if bytes.starts_with(HCL) => {
            HclReport::parse(&bytes).and_then(|report| report.evidence()).map_err(failed)?
        }
        // A report begins with its version, a small number.
        Some(_) if bytes.get(1..4) == Some(&[0, 0, 0]) => {
            Evidence { report: bytes, ..Evidence::default() }
        }
        Some(_) => {
            let why = "it is neither JSON (an object), nor a report as it comes from the firmware \
                       (1,184 bytes that begin with a version), nor a vTPM's HCL report, nor COSE";
            return Err(RelyingError::unreadable("the evidence", why));
        }
    };
    Ok(Attestation::Snp(Box::new(evidence)))
}

const COSE_SIGN1: u8 = 0xd2;
const HCL: &[u8] = b"HCLA";

fn complete(evidence: &mut Evidence, pieces: Pieces) -> Result<(), RelyingError> {
    if let Some(context) = pieces.security_context {
        let found = context
            .as_context()
            .evidence(&evidence.report)
            .map_err(|why| RelyingError::unreadable("the security context directory", why))?;
        let bound = evidence.bound.take();
        *evidence = Evidence { bound, ..found };
    }
    if let Some(chain) = pieces.endorsements {
        evidence.endorsements = match chain.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => HostCertificates::from_json(&chain)
                .map_err(|why| RelyingError::unreadable("the endorsements", why))?
                .endorsements(),
            _ => chain,
        };
    }
    let replace = |kept: &mut Option<Vec<u8>>, given: Option<Vec<u8>>| {
        if given.is_some() {
            *kept = given;
        }
    };
    replace(&mut evidence.uvm_endorsement, pieces.uvm_endorsement);
    replace(&mut evidence.policy_text, pieces.policy_text);
    replace(&mut evidence.bound, pieces.bound);
    Ok(())
}

/// The checks of a verdict, a line each, as the verdict on a service shows them.
#[must_use]
pub fn table(verdict: &Verdict) -> String {
    Table(verdict).to_string()
}
