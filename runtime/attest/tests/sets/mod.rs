//! Sets of real evidence whose parts belong together, from the fixtures beside the workspace. They
//! are not part of the project: where they are absent, a test says that it is skipped.
#![allow(dead_code, clippy::unwrap_used, reason = "each test file uses a part")]

use affiant_attest::{AttestedMessage, Evidence, to_pem};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::wire;

/// A time at which every certificate of the fixtures is valid: 2026-06-01.
pub(crate) const AT: u64 = 1_780_272_000;

/// A set of the fixtures whose parts belong together.
pub(crate) struct Set {
    /// Its name in the fixtures.
    pub(crate) name: &'static str,
    /// Report and chain; UVM endorsement and policy text where it has them.
    pub(crate) evidence: Evidence,
}

/// Every set, or none after a notice.
pub(crate) fn sets() -> Vec<Set> {
    if wire::fixtures().is_none() {
        return Vec::new();
    }
    let read = |name: &str| wire::fixture(name).unwrap();
    let set = |name, report: Vec<u8>, chain: &[&str]| {
        let endorsements = chain.iter().flat_map(|part| pem(part, &read(part))).collect();
        Set { name, evidence: Evidence { report, endorsements, ..Evidence::default() } }
    };
    let attested = |name, file| {
        let message = AttestedMessage::parse(&read(file)).unwrap();
        Set { name, evidence: message.evidence }
    };
    let aci = set(
        "aci-milan",
        read("aci-milan/snp_report.bin"),
        &["aci-milan/uvm_host_amd_certificate.pem"],
    );
    let policy: String = text(&read("aci-milan/uvm_security_policy.base64"));
    let aci = Evidence {
        uvm_endorsement: Some(read("aci-milan/body.uvm_reference_info.bin")),
        policy_text: Some(STANDARD.decode(policy).unwrap()),
        endorsed_tcb: Some("7308000000000003".to_owned()),
        ..aci.evidence
    };
    let milan = &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"];
    let turin = &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"];
    let bare = &["baremetal-milan/vcek_milan.der", "amd-roots/ask_ark_milan.pem"];
    let debug = &["debug-milan/vcek.testcer", "debug-milan/milan.testcer"];
    let bare_report = wire::hex(&text(&read("baremetal-milan/report_milan.hex")));
    vec![
        Set { name: "aci-milan", evidence: aci },
        attested("attested-june", "attested-cose/css-attested-cosesign1-20250617.cose"),
        attested("attested-september", "attested-cose/css-attested-cosesign1-20250925.cose"),
        set("milan", read("milan_attestation_report.bin"), milan),
        set("turin", read("turin_attestation_report.bin"), turin),
        set("baremetal-milan", bare_report, bare),
        set("debug-milan", read("debug-milan/attestation.bin"), debug),
    ]
}

fn pem(name: &str, bytes: &[u8]) -> Vec<u8> {
    let is_text = bytes.starts_with(b"-----");
    assert!(is_text || bytes.first() == Some(&0x30), "{name} is neither PEM nor DER");
    if is_text { bytes.to_vec() } else { to_pem(bytes).into_bytes() }
}

/// Text without its white space.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).unwrap().split_whitespace().collect()
}

/// One set by its name.
pub(crate) fn set(name: &str) -> Option<Evidence> {
    sets().into_iter().find(|set| set.name == name).map(|set| set.evidence)
}
