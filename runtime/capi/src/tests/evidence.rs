//! Evidence, made and checked.

use super::*;

const VIRTUAL: &str = r#"{"virtual": {"measurements": "any", "host_data": "any"}}"#;

fn judged(evidence: &[u8], policy: &str, bound: affiant_slice) -> (affiant_status, String) {
    let (mut verdict, mut json) = (core::ptr::null_mut(), affiant_slice::EMPTY);
    let evidence = affiant_slice::of(evidence);
    // SAFETY: slices and outputs are here.
    unsafe {
        let status = affiant_verify_evidence(evidence, text(policy), bound, &raw mut verdict);
        if verdict.is_null() {
            return (status, String::new());
        }
        ok(affiant_verdict_json(verdict, &raw mut json), verdict);
        let json = String::from_utf8(shown(json)).unwrap();
        assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
        (status, json)
    }
}

#[test]
fn virtual_evidence_is_refused_unless_the_policy_names_it() {
    let runtime = in_memory();
    let (mut evidence, mut json) = (core::ptr::null_mut(), affiant_slice::EMPTY);
    // SAFETY: slices and outputs are here.
    unsafe {
        let handle = runtime.runtime;
        ok(affiant_runtime_attestation(handle, text("mine"), &raw mut evidence), handle);
        ok(affiant_evidence_json(evidence, &raw mut json), evidence);
    }
    let json = shown(json);
    assert!(String::from_utf8_lossy(&json).contains("Insecure_Virtual"));
    let (status, found) = judged(&json, "{}", affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_NOT_VERIFIED, "{found}");
    let (status, found) = judged(&json, VIRTUAL, affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_OK, "{found}");
    let (status, found) = judged(&json, VIRTUAL, text("another statement"));
    assert!(status == AFFIANT_NOT_VERIFIED && found.contains("report_data"), "{found}");
    let (status, _) = judged(&json, "{", affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_UNREADABLE);
    let (status, _) = judged(b"none", VIRTUAL, affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_UNREADABLE);
    assert_eq!(affiant_evidence_free(evidence), AFFIANT_OK);
}

#[test]
fn evidence_of_real_hardware_is_judged() {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let folder =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/snp/aci-milan");
    if !folder.is_dir() {
        println!("skipped: no fixtures beside the workspace");
        return;
    }
    let file = |name: &str| STANDARD.encode(std::fs::read(folder.join(name)).unwrap());
    let (report, chain) = (file("snp_report.bin"), file("uvm_host_amd_certificate.pem"));
    let quote = |report: &str| {
        format!(r#"{{"format":"AMD_SEV_SNP_v1","raw":"{report}","endorsements":"{chain}"}}"#)
    };
    let genuine = r#"{"measurements": "any", "host_data": "any", "unbound": true}"#;
    let (status, found) = judged(quote(&report).as_bytes(), genuine, affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_OK, "{found}");
    let (status, _) = judged(quote(&report).as_bytes(), "{}", affiant_slice::EMPTY);
    assert_eq!(status, AFFIANT_NOT_VERIFIED, "no measurement is accepted unless it is named");
    let mut changed = std::fs::read(folder.join("snp_report.bin")).unwrap();
    changed[0x90] ^= 1;
    let changed = quote(&STANDARD.encode(changed));
    let (status, found) = judged(changed.as_bytes(), genuine, affiant_slice::EMPTY);
    assert!(status == AFFIANT_NOT_VERIFIED && found.contains("signature"), "{found}");
}

#[test]
fn a_service_is_asked_for_fresh_evidence_on_the_very_connection() {
    let options = options();
    // SAFETY: the slice is here.
    ok(unsafe { affiant_options_listen(options, text("127.0.0.1:0")) }, options);
    let runtime = open_with(options);
    let mut address = affiant_slice::EMPTY;
    // SAFETY: the output is here.
    ok(unsafe { affiant_runtime_address(runtime.runtime, 0, &raw mut address) }, runtime.runtime);
    let url = format!("https://{}", String::from_utf8(shown(address)).unwrap());
    let mut verdict = core::ptr::null_mut();
    // SAFETY: slices and outputs are here, and NULL is allowed for the options.
    unsafe {
        let none = core::ptr::null();
        let status = affiant_verify_service(text(&url), text("{}"), none, &raw mut verdict);
        assert_eq!(status, AFFIANT_NOT_VERIFIED);
        let mut count = 0;
        ok(affiant_verdict_count(verdict, &raw mut count), verdict);
        assert!(count > 3);
        assert_eq!(affiant_verdict_free(verdict), AFFIANT_OK);
        let nowhere = text("https://127.0.0.1:1");
        let status = affiant_verify_service(nowhere, text("{}"), none, &raw mut verdict);
        assert!(status == AFFIANT_TIMEOUT && verdict.is_null());
    }
}
