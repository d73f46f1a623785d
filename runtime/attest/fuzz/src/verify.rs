//! The whole verification, of evidence whose parts are any bytes.

use affiant_attest::text::RULES;
use std::sync::OnceLock;

use affiant_attest::{CHECKS, Evidence, Outcome, Policy, SIGNED_BYTES, TextAction, verify};

/// A time at which every certificate of the fixtures is valid: 2026-06-01.
const AT_UNIX_S: u64 = 1_780_272_000;

/// SHA-256 of what is signed of the genuine reports that are among the seeds. No fuzzer has AMD's
/// keys: whatever else is trusted is a hole.
const GENUINE: &[&str] = &[
    "27e1079b53cc30af1d89e37508542603b2623f79bd2397ef33f864c323afdb61",
    "6df12a7d0d3d22ee6eb69667a1bd2547ccefff1dc20c090a5a3697709a644cf1",
    "b6e4357bc2384854822709106f7649b50109019d57e65fde22e5c766edec58c5",
    "56dc704f52ca251bf274e10a5b7ed7efc616c017712075cd80efcb26ebec59a5",
];

/// More of them: what tests made under a root that they alone trust.
static MADE: OnceLock<Vec<String>> = OnceLock::new();

/// Reports that a test made and signed.
pub fn also_genuine(evidence: &[Evidence]) {
    MADE.get_or_init(|| evidence.iter().map(digest).collect());
}

/// Hex SHA-256 of what is signed.
fn digest(evidence: &Evidence) -> String {
    let signed = &evidence.report[..SIGNED_BYTES];
    let digest = ring::digest::digest(&ring::digest::SHA256, signed);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Evidence as a target takes it: each part after its length in four bytes, little-endian; an empty
/// part is one that is not there.
pub fn to_input(evidence: &Evidence) -> Vec<u8> {
    let empty = Vec::new();
    let parts = [
        &evidence.report,
        &evidence.endorsements,
        evidence.uvm_endorsement.as_ref().unwrap_or(&empty),
        evidence.policy_text.as_ref().unwrap_or(&empty),
        evidence.bound.as_ref().unwrap_or(&empty),
    ];
    let length = |part: &[u8]| u32::try_from(part.len()).expect("a small part").to_le_bytes();
    parts.iter().flat_map(|part| [&length(part)[..], part].concat()).collect()
}

/// The evidence in a target's bytes.
pub fn from_input(mut data: &[u8]) -> Evidence {
    let mut part = || {
        let (length, rest) = data.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let (part, rest) = rest.split_at(length.min(rest.len()));
        data = rest;
        part.to_vec()
    };
    let some = |part: Vec<u8>| Some(part).filter(|part| !part.is_empty());
    Evidence {
        report: part(),
        endorsements: part(),
        uvm_endorsement: some(part()),
        policy_text: some(part()),
        bound: some(part()),
        endorsed_tcb: None,
        proved_at_unix_s: None,
    }
}

/// The laxest policy there is: whatever is genuine passes it.
fn lax() -> Policy {
    let mut policy = Policy {
        signing_keys: vec!["VCEK".to_owned(), "VLEK".to_owned()],
        masked_chip_id: true,
        expired_certificates: true,
        ..Policy::genuine_only()
    };
    policy.guest_policy.migration_agent = None;
    policy.policy_text.findings =
        RULES.iter().map(|rule| (rule.name.to_owned(), TextAction::Ignore)).collect();
    policy
}

/// Whether the laxest policy trusts it.
pub fn is_trusted(evidence: &Evidence) -> bool {
    verify(evidence, &lax(), AT_UNIX_S).is_trusted()
}

/// Nothing is trusted but the seeds' own reports, and those not by the default policy.
pub fn verify_evidence(data: &[u8]) {
    let evidence = from_input(data);
    let verdict = verify(&evidence, &lax(), AT_UNIX_S);
    let names: Vec<_> = verdict.checks.iter().map(|check| check.name).collect();
    assert_eq!(names, CHECKS, "every check is there");
    assert_eq!(verdict.is_trusted(), verdict.failures().next().is_none());
    if verdict.is_trusted() {
        let digest = digest(&evidence);
        let made = MADE.get().is_some_and(|made| made.contains(&digest));
        assert!(
            made || GENUINE.contains(&digest.as_str()),
            "a report of nobody's is trusted:\n{verdict}"
        );
        assert!(verdict.checks.iter().any(|check| check.outcome == Outcome::Passed));
    }
    // It names neither measurement nor host data.
    assert!(!verify(&evidence, &Policy::default(), AT_UNIX_S).is_trusted());
}
