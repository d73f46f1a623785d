//! Real evidence, from the fixtures beside the workspace. They are not part of the project: where
//! they are absent, a test says that it is skipped.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, reason = "each test uses a part")]

use std::path::PathBuf;

use affiant_attest::{Evidence, to_pem};

/// A time at which every certificate of the fixtures is valid: 2026-06-01.
pub(crate) const AT: u64 = 1_780_272_000;

/// The directory of the fixtures, if it is there.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let found = workspace.join("../shared/fixtures/snp");
    if found.is_dir() {
        return Some(found);
    }
    println!("skipped: no fixtures at {}", found.display());
    None
}

fn read(path: &str) -> Vec<u8> {
    let full = fixtures().expect("the caller looked").join(path);
    std::fs::read(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

/// A set of the fixtures whose parts belong together.
pub(crate) struct Set {
    /// Its name in the fixtures.
    pub(crate) name: &'static str,
    /// Report and chain; UVM endorsement and policy text where it has them.
    pub(crate) evidence: Evidence,
}

/// Every set that is there.
pub(crate) fn sets() -> Vec<Set> {
    let set = |name, report: Vec<u8>, endorsements: Vec<u8>| Set {
        name,
        evidence: Evidence { report, endorsements, ..Evidence::default() },
    };
    let chain = |parts: &[&str]| parts.iter().flat_map(|part| read(part)).collect::<Vec<u8>>();
    let with_der = |leaf: &str, rest: &str| [to_pem(&read(leaf)).into_bytes(), read(rest)].concat();
    let aci = Set {
        name: "aci-milan",
        evidence: Evidence {
            report: read("aci-milan/snp_report.bin"),
            endorsements: read("aci-milan/uvm_host_amd_certificate.pem"),
            uvm_endorsement: Some(read("aci-milan/body.uvm_reference_info.bin")),
            policy_text: Some(decode(&read("aci-milan/uvm_security_policy.base64"))),
            endorsed_tcb: Some("7308000000000003".to_owned()),
            ..Evidence::default()
        },
    };
    let hex = String::from_utf8(read("baremetal-milan/report_milan.hex")).unwrap();
    vec![
        aci,
        set(
            "milan",
            read("milan_attestation_report.bin"),
            chain(&["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"]),
        ),
        set(
            "turin",
            read("turin_attestation_report.bin"),
            chain(&["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"]),
        ),
        set(
            "baremetal-milan",
            unhex(hex.trim()),
            with_der("baremetal-milan/vcek_milan.der", "amd-roots/ask_ark_milan.pem"),
        ),
        set(
            "debug-milan",
            read("debug-milan/attestation.bin"),
            with_der("debug-milan/vcek.testcer", "debug-milan/milan.testcer"),
        ),
    ]
}

/// One set by its name.
pub(crate) fn set(name: &str) -> Set {
    sets().into_iter().find(|set| set.name == name).expect("a name of the fixtures")
}

/// Base64, with its white space.
pub(crate) fn decode(text: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text: String = std::str::from_utf8(text).unwrap().split_whitespace().collect();
    base64::engine::general_purpose::STANDARD.decode(text).unwrap()
}

/// Hex.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks_exact(2);
    digits.map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
