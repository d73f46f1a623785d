//! Reference A.10, A.3 (`tcbHexToPolicy`), and `ccf.getAttestation`.

use std::path::PathBuf;
use std::sync::Arc;

use affiant::attest::{Affiant, Attestation, AttestedMessage, Evidence, Report, Statement, to_pem};
use affiant::attestation::NodeAttestor;
use affiant::platform::{Attestor, PlatformError, VirtualAttestor};
use affiant_proof::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::support::*;

const VERIFY: &str = "snp_attestation.verifySnpAttestation";

struct Platform;

impl Attestor for Platform {
    fn format(&self) -> &'static str {
        VirtualAttestor.format()
    }

    fn provider(&self) -> &'static str {
        "one that refuses at times"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        if Statement::parse(bound)?.bound == b"bad" {
            let place = "/dev/sev-guest".to_owned();
            return Err(PlatformError::Unavailable { place, reason: "it is on fire".to_owned() });
        }
        VirtualAttestor.attest(bound)
    }
}

/// What an app's evidence says it is bound to, if it is.
fn bound(evidence: &Json) -> Vec<u8> {
    let decode = |of: &Json, field: &str| STANDARD.decode(of[field].as_str().unwrap()).unwrap();
    let bytes = decode(evidence, "bound");
    let raw: Json = serde_json::from_slice(&decode(evidence, "raw")).unwrap();
    assert_eq!(decode(&raw, "report_data"), Digest::of(&bytes).0);
    assert_eq!(evidence["format"], "Insecure_Virtual");
    let statement = Statement::parse(&bytes).unwrap();
    assert_eq!(statement.affiant, Affiant::App);
    assert_eq!(statement.node_public_key, b"node");
    assert_eq!(statement.service_identity, b"service");
    statement.bound
}

#[test]
fn evidence_is_bound_to_what_the_script_says() {
    let missing = thrown("ccf.getAttestation()");
    assert!(missing.contains("no node behind this script"), "{missing}");
    let source = "
        const b = ccf.strToBuf, text = 'd\u{e4}ta';
        function thrown(run) { try { run(); } catch (e) { return e.name + ': ' + e.message; } }
        export function run() {
          return { body: {
            given: [ccf.getAttestation(), ccf.getAttestation(b(text)),
                    ccf.getAttestation(text), ccf.getAttestation(new ArrayBuffer(65536))],
            refused: [b('bad'), new ArrayBuffer(65537), 7, null, new Uint8Array(1)]
              .map((bound) => thrown(() => ccf.getAttestation(bound))),
            counted: thrown(() => ccf.getAttestation('a', 'b')),
          } };
        }";
    let mut app = App::of(source, &["run"]);
    app.attestor = Some(Arc::new(NodeAttestor::new(Arc::new(Platform), b"node", b"service")));
    let seen = app.call("run").json();
    let bound: Vec<_> = seen["given"].as_array().unwrap().iter().map(bound).collect();
    let text = "d\u{e4}ta".as_bytes();
    assert_eq!(bound, [&[], text, text, &[0; 65536]]);
    let no_bytes = "TypeError: bound must be an ArrayBuffer or a string";
    let refused = json!([
        "Error: ccf.getAttestation: /dev/sev-guest: it is on fire",
        "RangeError: bound has more than 65536 bytes",
        no_bytes,
        no_bytes,
        no_bytes,
    ]);
    assert_eq!(seen["refused"], refused);
    assert_eq!(seen["counted"], "TypeError: Passed 2 arguments, but expected between 0 and 1");
}

/// The fixtures, or nothing where they are not at hand.
fn fixtures() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/snp");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no SNP evidence in {}", root.display());
    None
}

/// What the verifier says of evidence: CCF's object, its buffers as `{hex}`; or what was thrown.
fn verify(evidence: &Evidence) -> Json {
    let part = |bytes: &[u8]| format!("buffer('{}')", STANDARD.encode(bytes));
    let uvm = evidence.uvm_endorsement.as_ref();
    let tcb = evidence.endorsed_tcb.as_ref();
    let source = format!(
        "function buffer(text) {{
           return Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)).buffer;
         }}
         function shown(name, value) {{
           if (!(value instanceof ArrayBuffer)) return value;
           const hex = Array.from(new Uint8Array(value), (b) => b.toString(16).padStart(2, '0'));
           return {{ hex: hex.join('') }};
         }}
         export function run() {{
           try {{
             const seen = {VERIFY}({}, {}, {}, {});
             return {{ body: JSON.stringify(seen, shown) }};
           }} catch (e) {{ return {{ body: {{ thrown: e.name + ': ' + e.message }} }}; }}
         }}",
        part(&evidence.report),
        part(&evidence.endorsements),
        uvm.map_or_else(|| "undefined".to_owned(), |cose| part(cose)),
        tcb.map_or_else(|| "undefined".to_owned(), |tcb| format!("'{tcb}'")),
    );
    App::of(&source, &["run"]).call("run").json()
}

/// Genuine evidence by name, of report versions 2, 3 and 5.
fn sets(root: &std::path::Path) -> Vec<(&'static str, Evidence)> {
    let read = |path: &str| std::fs::read(root.join(path)).unwrap();
    let of = |report: Vec<u8>, chain: &[&str]| Evidence {
        report,
        endorsements: chain.iter().flat_map(|part| read(part)).collect(),
        ..Evidence::default()
    };
    let aci = Evidence {
        uvm_endorsement: Some(read("aci-milan/body.uvm_reference_info.bin")),
        endorsed_tcb: Some("7308000000000003".to_owned()),
        ..of(read("aci-milan/snp_report.bin"), &["aci-milan/uvm_host_amd_certificate.pem"])
    };
    let milan = of(
        read("milan_attestation_report.bin"),
        &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"],
    );
    let turin = of(
        read("turin_attestation_report.bin"),
        &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"],
    );
    let cose = read("attested-cose/css-attested-cosesign1-20250617.cose");
    let attested = AttestedMessage::parse(&cose).unwrap().evidence;
    let debug = Evidence {
        report: read("debug-milan/attestation.bin"),
        endorsements: [
            to_pem(&read("debug-milan/vcek.testcer")).into_bytes(),
            read("debug-milan/milan.testcer"),
        ]
        .concat(),
        ..Evidence::default()
    };
    vec![
        ("aci-milan", aci),
        ("milan", milan),
        ("turin", turin),
        ("attested", attested),
        ("debug", debug),
    ]
}

fn set(root: &std::path::Path, name: &str) -> Evidence {
    sets(root).into_iter().find(|(known, _)| *known == name).unwrap().1
}

#[test]
fn genuine_evidence_has_ccfs_result() {
    let Some(root) = fixtures() else { return };
    let names = [
        "version",
        "guest_svn",
        "policy",
        "family_id",
        "image_id",
        "vmpl",
        "signature_algo",
        "platform_version",
        "plaform_info",
        "flags",
        "report_data",
        "measurement",
        "host_data",
        "id_key_digest",
        "author_key_digest",
        "report_id",
        "report_id_ma",
        "reported_tcb",
        "cpuid_fam_id",
        "cpuid_mod_id",
        "cpuid_step",
        "chip_id",
        "committed_tcb",
        "current_minor",
        "current_build",
        "current_major",
        "committed_build",
        "committed_minor",
        "committed_major",
        "launch_tcb",
        "signature",
    ];
    for (name, evidence) in sets(&root).iter().filter(|(name, _)| *name != "debug") {
        let seen = verify(evidence);
        let shown = &seen["attestation"];
        let mut wanted = names.to_vec();
        wanted.sort_unstable();
        let mut found: Vec<_> = shown.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, wanted, "{name}: {seen}");
        let hex = |value: &Json| value["hex"].as_str().unwrap().to_owned();
        // Byte for byte, where the ABI has them.
        let raw = |from: usize, to: usize| affiant_proof::to_hex(&evidence.report[from..to]);
        for (field, from, to) in [
            ("family_id", 0x10, 0x20),
            ("image_id", 0x20, 0x30),
            ("report_data", 0x50, 0x90),
            ("measurement", 0x90, 0xc0),
            ("host_data", 0xc0, 0xe0),
            ("id_key_digest", 0xe0, 0x110),
            ("author_key_digest", 0x110, 0x140),
            ("report_id", 0x140, 0x160),
            ("report_id_ma", 0x160, 0x180),
            ("chip_id", 0x1a0, 0x1e0),
        ] {
            assert_eq!(hex(&shown[field]), raw(from, to), "{name}: {field}");
        }
        assert_eq!(hex(&shown["signature"]["r"]), raw(0x2a0, 0x2e8), "{name}");
        assert_eq!(hex(&shown["signature"]["s"]), raw(0x2e8, 0x330), "{name}");
        for (field, at) in [
            ("platform_version", 0x38),
            ("reported_tcb", 0x180),
            ("committed_tcb", 0x1e0),
            ("launch_tcb", 0x1f0),
        ] {
            let mut bytes = evidence.report[at..at + 8].to_vec();
            bytes.reverse();
            assert_eq!(shown[field], affiant_proof::to_hex(&bytes), "{name}: {field}");
        }
        let policy = u64::from_le_bytes(evidence.report[8..16].try_into().unwrap());
        assert_eq!(
            shown["policy"],
            json!({"abi_minor": policy & 0xff, "abi_major": policy >> 8 & 0xff,
                "smt": policy >> 16 & 1, "migrate_ma": 0, "debug": 0,
                "single_socket": policy >> 20 & 1}),
            "{name}"
        );
        assert_eq!(shown["vmpl"], 0);
        assert_eq!(shown["signature_algo"], 1);
        let with_uvm = evidence.uvm_endorsement.is_some();
        assert_eq!(seen.get("uvm_endorsements").is_some(), with_uvm, "{name}");
    }
}

#[test]
fn versions_products_and_vouchers_are_told() {
    let Some(root) = fixtures() else { return };
    let seen = |name| verify(&set(&root, name));
    let aci = seen("aci-milan");
    assert_eq!(aci["attestation"]["version"], 2);
    assert_eq!(aci["attestation"]["cpuid_fam_id"], 0, "version 2 does not say");
    let milan = seen("milan");
    assert_eq!(
        (&milan["attestation"]["version"], &milan["attestation"]["cpuid_fam_id"]),
        (&json!(3), &json!(0x19))
    );
    let turin = seen("turin");
    assert_eq!(
        (&turin["attestation"]["version"], &turin["attestation"]["cpuid_fam_id"]),
        (&json!(5), &json!(0x1a))
    );
    let did = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:\
               1.3.6.1.4.1.311.76.59.1.2";
    assert_eq!(
        aci["uvm_endorsements"],
        json!({"did": did, "feed": "ContainerPlat-AMD-UVM", "svn": "22"})
    );
    assert_eq!(
        seen("attested")["uvm_endorsements"],
        json!({"did": did, "feed": "ContainerPlat-AMD-UVM", "svn": "101"})
    );
}

#[test]
fn an_endorsed_tcb_counts_in_either_byte_order() {
    let Some(root) = fixtures() else { return };
    for name in ["aci-milan", "milan", "turin"] {
        let mut evidence = set(&root, name);
        let reported = Report::parse(&evidence.report).unwrap().reported_tcb;
        let in_order = affiant_proof::to_hex(&reported.0);
        for tcb in [reported.to_hex(), reported.to_hex().to_uppercase(), in_order] {
            evidence.endorsed_tcb = Some(tcb.clone());
            assert!(verify(&evidence)["attestation"].is_object(), "{name}: {tcb}");
        }
        for tcb in ["0000000000000000", "73", "", "x308000000000003"] {
            evidence.endorsed_tcb = Some(tcb.to_owned());
            let refused = verify(&evidence)["thrown"].as_str().unwrap().to_owned();
            assert!(refused.starts_with("RangeError: endorsed tcb: "), "{name}: {tcb}: {refused}");
        }
    }
}

#[test]
fn evidence_that_does_not_hold_is_refused_with_the_reason() {
    let Some(root) = fixtures() else { return };
    let refused = |evidence: &Evidence, reasons: &[&str]| {
        let seen = verify(evidence);
        let thrown = seen["thrown"].as_str().unwrap_or_else(|| panic!("{seen}"));
        assert!(thrown.starts_with("RangeError: "), "{thrown}");
        for reason in reasons {
            assert!(thrown.contains(reason), "{thrown} lacks {reason}");
        }
    };
    let debug = verify(&set(&root, "debug"));
    let reason = "RangeError: debug: ";
    assert!(debug["thrown"].as_str().unwrap().starts_with(reason), "{debug}");
    assert!(!debug["thrown"].as_str().unwrap().contains("; "), "of it alone: {debug}");

    let milan = set(&root, "milan");
    let of_other_chip = Evidence { report: milan.report.clone(), ..set(&root, "aci-milan") };
    refused(&of_other_chip, &["report signature: ", "chip id: ", "endorsed tcb: "]);
    let other_product = Evidence { report: milan.report.clone(), ..set(&root, "turin") };
    refused(&other_product, &["product: "]);
    for at in [0x90, 0x50, 0x2a0] {
        let mut evidence = milan.clone();
        evidence.report[at] ^= 1;
        refused(&evidence, &["report signature: "]);
    }
    refused(&Evidence { endorsements: Vec::new(), ..milan.clone() }, &["chain: "]);
    refused(&Evidence { report: vec![1; 1184], ..milan.clone() }, &["report: "]);
    refused(&Evidence { report: milan.report[1..].to_vec(), ..milan.clone() }, &["report: "]);
    // Who vouches, vouches for another image, or cannot be believed.
    let aci = set(&root, "aci-milan");
    let voucher = aci.uvm_endorsement.clone().unwrap();
    let other_image = Evidence { uvm_endorsement: Some(voucher.clone()), ..milan };
    refused(&other_image, &["uvm endorsement: it vouches for another measurement"]);
    let mut broken = voucher;
    *broken.last_mut().unwrap() ^= 1;
    refused(&Evidence { uvm_endorsement: Some(broken), ..aci.clone() }, &["UVM endorsement"]);
    refused(&Evidence { uvm_endorsement: Some(vec![1]), ..aci }, &["UVM endorsement"]);
}

#[test]
fn the_verifier_takes_buffers() {
    for (arguments, wanted) in [
        ("b('r')", "TypeError: Passed 1 arguments, but expected between 2 and 4"),
        ("b('r'), b('e'), b('u'), 'tcb', 5", "TypeError: Passed 5 arguments, but expected between"),
        ("'r', b('e')", "TypeError: evidence must be an ArrayBuffer"),
        ("b('r'), new Uint8Array(1)", "TypeError: endorsements must be an ArrayBuffer"),
        ("b('r'), b('e'), 'u'", "TypeError: uvm_endorsements must be an ArrayBuffer"),
        ("b('r'), b('e')", "RangeError: report: "),
    ] {
        let seen = thrown(&format!("const b = ccf.strToBuf; {VERIFY}({arguments})"));
        assert!(seen.starts_with(wanted), "{arguments}: {seen}");
    }
}

#[test]
fn tcb_versions_are_taken_apart_by_processor() {
    let milan = json!({"hexstring": "db18000000000004", "microcode": 219, "snp": 24, "tee": 0,
        "boot_loader": 4});
    assert_eq!(evaluate("ccf.tcbHexToPolicy('00a00f11', 'db18000000000004')"), milan);
    let genoa = json!({"hexstring": "541700000000010A", "microcode": 0x54, "snp": 0x17, "tee": 1,
        "boot_loader": 10});
    assert_eq!(evaluate("ccf.tcbHexToPolicy('00A10F11', '541700000000010A')"), genoa);
    let turin = json!({"hexstring": "5100000004010101", "microcode": 0x51, "snp": 4, "tee": 1,
        "boot_loader": 1, "fmc": 1});
    assert_eq!(evaluate("ccf.tcbHexToPolicy('00b00f21', '5100000004010101')"), turin);
    for (arguments, wanted) in [
        ("'00a00f11'", "TypeError: Passed 1 arguments, but expected 2"),
        ("'00a00f1', 'db18000000000004'", "TypeError: cpuid must be"),
        ("7, 'db18000000000004'", "TypeError: cpuid must be"),
        ("'00a00f11', 'db1800000000000g'", "TypeError: tcb_version must be"),
        ("'00a00f11', '+b18000000000004'", "TypeError: tcb_version must be"),
        ("'00800f11', 'db18000000000004'", "RangeError: cpuid 00800f11"),
    ] {
        let seen = thrown(&format!("ccf.tcbHexToPolicy({arguments})"));
        assert!(seen.starts_with(wanted), "{arguments}: {seen}");
    }
}
