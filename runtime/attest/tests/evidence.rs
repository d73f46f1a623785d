//! Evidence in every shape it comes in: read, written, read again.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod wire;

use affiant_attest::{
    AttestError, Attestation, AttestedMessage, CcfQuote, CertificateTable, Evidence, HclReport,
    HostCertificates, SecurityContext, SecurityContextFiles, VirtualEvidence, limits,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use serde_json::json;

fn read(name: &str) -> Option<Vec<u8>> {
    wire::fixture(name)
}

/// Everything that a confidential container group on Azure has.
fn aci() -> Option<(Evidence, HostCertificates)> {
    let host = HostCertificates::from_json(&read("aci-milan/uvm_host_amd_certificate.json")?);
    let policy = String::from_utf8(read("aci-milan/uvm_security_policy.base64")?).unwrap();
    let mut evidence = Evidence::new(
        read("aci-milan/snp_report.bin")?,
        read("aci-milan/uvm_host_amd_certificate.pem")?,
    )
    .unwrap();
    let host = host.unwrap();
    evidence.uvm_endorsement = read("aci-milan/body.uvm_reference_info.bin");
    evidence.policy_text = Some(STANDARD.decode(policy.trim()).unwrap());
    evidence.endorsed_tcb = Some(host.tcbm.clone());
    Some((evidence, host))
}

#[test]
fn the_files_of_a_security_context_make_evidence_and_come_back() {
    let Some((evidence, host)) = aci() else { return };
    let host_json = read("aci-milan/uvm_host_amd_certificate.json").unwrap();
    let host_file = STANDARD.encode(&host_json) + "\n";
    let policy = String::from_utf8(read("aci-milan/uvm_security_policy.base64").unwrap()).unwrap();
    let reference = STANDARD.encode(evidence.uvm_endorsement.as_ref().unwrap());
    let context = SecurityContext {
        host_certificates: Some(&host_file),
        policy: Some(&policy),
        reference_info: Some(&reference),
    };
    assert_eq!(context.evidence(&evidence.report).unwrap(), evidence);
    assert_eq!(context.host_certificates().unwrap().as_ref(), Some(&host));
    assert_eq!(host.cache_s, Some(86400));
    let files = SecurityContextFiles::of(&evidence, Some(&host));
    assert_eq!(files.as_context().evidence(&evidence.report).unwrap(), evidence);

    let nothing = SecurityContext::default().evidence(&evidence.report).unwrap();
    assert_eq!(nothing, Evidence::new(evidence.report.clone(), Vec::new()).unwrap());
    let broken = SecurityContext { policy: Some("not base64!"), ..context };
    let refused = broken.evidence(&evidence.report).unwrap_err();
    assert!(refused.to_string().contains("security-policy-base64"), "{refused}");
}

#[test]
fn host_certificates_of_before_a_firmware_update_are_noticed() {
    let Some((evidence, host)) = aci() else { return };
    assert!(host.are_for(&evidence.report));
    let upper = HostCertificates { tcbm: host.tcbm.to_uppercase(), ..host.clone() };
    assert!(upper.are_for(&evidence.report), "hex in either case");
    assert!(!host.are_for(&read("milan_attestation_report.bin").unwrap()));
    let turin = HostCertificates { tcbm: "5100000004010101".to_owned(), ..host.clone() };
    assert!(turin.are_for(&read("turin_attestation_report.bin").unwrap()));
    assert!(!host.are_for(b"short"));
    assert_eq!(HostCertificates::from_json(host.to_json().as_bytes()).unwrap(), host);
}

#[test]
fn a_sidecars_answer_is_read_with_either_kind_of_endorsements() {
    let Some((evidence, _)) = aci() else { return };
    let wanted = Evidence { policy_text: None, ..evidence.clone() };
    assert_eq!(Evidence::from_skr_json(evidence.to_skr_json().as_bytes()).unwrap(), wanted);

    let host = read("aci-milan/uvm_host_amd_certificate.json").unwrap();
    let answer = |tcb: &str| {
        let json = json!({
            "evidence": STANDARD.encode(&evidence.report),
            "endorsements": STANDARD.encode(&host),
            "uvm_endorsements": STANDARD.encode(evidence.uvm_endorsement.as_ref().unwrap()),
            "endorsed_tcb": tcb,
        });
        Evidence::from_skr_json(json.to_string().as_bytes())
    };
    assert_eq!(answer("").unwrap(), wanted, "the host's JSON says which TCB");
    let reversed = answer("0300000000000873").unwrap();
    assert_eq!(reversed.endorsed_tcb.as_deref(), Some("0300000000000873"), "what was said stays");
    assert!(answer("73").is_err());
    assert!(answer("730800000000000x").is_err());
}

#[test]
fn a_node_quote_is_read_and_written_in_both_of_ccfs_forms() {
    let Some((mut evidence, _)) = aci() else { return };
    evidence.bound = Some(b"the node's public key".to_vec());
    let quote = CcfQuote {
        node_id: Some("ab".repeat(32)),
        attestation: Attestation::Snp(Box::new(evidence.clone())),
    };
    let value = quote.to_value();
    assert_eq!(value["format"], "AMD_SEV_SNP_v1");
    assert!(value["measurement"].as_str().unwrap().starts_with("51068107cdc7ee3d"));
    assert_eq!(CcfQuote::from_json(value.to_string().as_bytes()).unwrap(), quote);

    let info = quote.to_quote_info();
    for absent in ["raw", "measurement", "node_id"] {
        assert!(info.get(absent).is_none(), "{absent}");
    }
    let read = CcfQuote::from_json(info.to_string().as_bytes()).unwrap();
    assert_eq!(read.attestation, quote.attestation);
    let json = quote.attestation.to_json();
    assert_eq!(Attestation::from_json(json.as_bytes()).unwrap(), quote.attestation);

    for (member, value, fault) in [
        ("measurement", json!("00".repeat(48)), "is in the report"),
        ("raw", json!("AAAA"), "3 bytes, not 1184"),
        ("raw", json!("!"), "base64"),
        ("format", json!("OE_SGX_v1"), "OE_SGX_v1"),
        ("quote", json!("AAAA"), "both raw and quote"),
        ("endorsements", json!("A"), "endorsements"),
        ("endorsed_tcb", json!("1"), "16 hex digits"),
        ("bound", json!(7), "expected a string"),
    ] {
        let mut broken = quote.to_value();
        broken[member] = value;
        let refused = CcfQuote::from_json(broken.to_string().as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(fault), "{member}: {refused}");
    }
}

#[test]
fn quotes_recorded_from_a_real_node_are_read() {
    let Some(folder) = wire::fixtures() else { return };
    let folder = folder.join("../ccf-http/responses");
    let one = std::fs::read(folder.join("node_quotes_self.200")).unwrap();
    let quote = CcfQuote::from_json(&one).unwrap();
    let Attestation::Virtual(evidence) = &quote.attestation else { panic!("{quote:?}") };
    assert_eq!(evidence.measurement, "Insecure hard-coded virtual measurement v1");
    assert_eq!(evidence.host_data.len(), 64);
    assert_eq!(evidence.report_data.len(), 32);
    let recorded: serde_json::Value = serde_json::from_slice(&one).unwrap();
    assert_eq!(quote.to_value(), recorded, "written as the node wrote it, to the letter");
    for list in ["node_quotes.200", "node_attestations.200"] {
        let list = std::fs::read(folder.join(list)).unwrap();
        assert_eq!(CcfQuote::list_from_json(&list).unwrap(), core::slice::from_ref(&quote));
        let refused = Attestation::from_json(&list).unwrap_err();
        assert!(refused.to_string().contains("a list of quotes"), "{refused}");
    }
}

#[test]
fn json_of_no_shape_or_of_two_is_refused_by_name() {
    for (json, fault) in [
        (r"{}", "neither format and raw"),
        (r"[]", "invalid"),
        (r"", "EOF"),
        (r#"{"format":"AMD_SEV_SNP_v1"}"#, "neither raw nor quote"),
        (r#"{"raw":"AA=="}"#, "missing field `format`"),
        (r#"{"raw":"","format":"x","evidence":""}"#, "several shapes"),
        (r#"{"evidence":7}"#, "expected a string"),
        (r#"{"evidence":""}"#, "0 bytes, not 1184"),
        (r#"{"evidence":"","evidence":""}"#, "duplicate field"),
        (r#"{"format":"Insecure_Virtual","raw":"e30="}"#, "missing field"),
    ] {
        let refused = Attestation::from_json(json.as_bytes()).unwrap_err().to_string();
        assert!(refused.contains(fault), "{json}: {refused}");
    }
    let huge = vec![b' '; limits::EVIDENCE_JSON_BYTES_MAX + 1];
    assert!(matches!(Attestation::from_json(&huge), Err(AttestError::TooLarge { .. })));
}

#[test]
fn a_certificate_table_of_a_real_chain_comes_back() {
    let Some((evidence, _)) = aci() else { return };
    let table = evidence.to_certificate_table().unwrap();
    let read = Evidence::from_extended_report(&evidence.report, &table).unwrap();
    assert_eq!(read.report, evidence.report);
    assert_eq!(read.endorsements, evidence.endorsements, "PEM of the host, to the letter");
    let empty = Evidence::from_extended_report(&evidence.report, &[]).unwrap();
    assert!(empty.endorsements.is_empty());
    let zeros = Evidence::from_extended_report(&evidence.report, &[0; 4096]).unwrap();
    assert!(zeros.endorsements.is_empty());
}

/// The `sev` crate's reading is the oracle for ours.
#[test]
fn another_implementation_writes_the_same_certificate_table() {
    use sev::firmware::host::{CertTableEntry, CertType};
    let parts = [
        (CertType::VCEK, vec![0x30, 1, 1]),
        (CertType::VLEK, vec![0x30, 2, 2, 2]),
        (CertType::ASK, vec![0x30, 3]),
        (CertType::ARK, vec![0x30, 4, 4, 4, 4]),
        (CertType::CRL, vec![0x30, 5]),
    ];
    let entries = parts.iter().map(|(kind, data)| CertTableEntry::new(kind.clone(), data.clone()));
    let theirs = CertTableEntry::cert_table_to_vec_bytes(&entries.collect::<Vec<_>>()).unwrap();
    let table = CertificateTable::parse(&theirs).unwrap();
    let [vcek, vlek, ask, ark, crl] = parts.map(|(_, data)| Some(data));
    assert_eq!(table, CertificateTable { vcek, vlek, ask, ark, crl });
    let ours = table.to_bytes().unwrap();
    assert_eq!(CertificateTable::parse(&ours).unwrap(), table);
    let read = CertTableEntry::vec_bytes_to_cert_table(&mut ours.clone()).unwrap();
    assert_eq!(read.len(), 5);
}

#[test]
fn a_certificate_table_that_lies_is_refused() {
    let table = CertificateTable { ask: Some(vec![0x30; 40]), ..CertificateTable::default() };
    let good = table.to_bytes().unwrap();
    let with = |at: usize, bytes: &[u8]| {
        let mut table = good.clone();
        table[at..at + bytes.len()].copy_from_slice(bytes);
        CertificateTable::parse(&table)
    };
    assert!(with(16, &u32::MAX.to_le_bytes()).is_err(), "offset beyond");
    assert!(with(20, &u32::MAX.to_le_bytes()).is_err(), "length beyond");
    assert!(with(24, &[1]).is_err(), "not ended, and an entry beyond");
    assert!(CertificateTable::parse(&good[..24]).is_err(), "not ended");
    let twice = [&good[..24], &good[..24], &good[24..]].concat();
    assert!(CertificateTable::parse(&twice).unwrap_err().to_string().contains("twice"));
    assert_eq!(with(0, &[9]).unwrap(), CertificateTable::default(), "an unknown GUID");
    let mut reversed = good.clone();
    for field in [0..4, 4..6, 6..8] {
        reversed[field].reverse();
    }
    assert_eq!(CertificateTable::parse(&reversed).unwrap(), table);
    let huge = vec![0; limits::CERTIFICATE_TABLE_BYTES_MAX + 1];
    assert!(CertificateTable::parse(&huge).is_err());
}

#[test]
fn messages_of_attested_services_bring_everything() {
    for (file, parameter, issuer, payload) in [
        ("css-attested-cosesign1-20250617.cose", "msft-css-dev", "did:attestedsvc:", 32),
        ("css-attested-cosesign1-20250925.cose", "attestedsvc", "did:attestedsvc:", 14),
    ] {
        let Some(bytes) = read(&format!("attested-cose/{file}")) else { return };
        let message = AttestedMessage::parse(&bytes).unwrap();
        assert_eq!(message.parameter, parameter);
        assert_eq!(message.attestation_type, "SEV-SNP:ContainerPlat-AMD-UVM");
        assert!(message.issuer.unwrap().starts_with(issuer));
        assert_eq!(message.payload.len(), payload);
        let evidence = message.evidence;
        let bound = evidence.bound.unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &bound);
        assert_eq!(&evidence.report[0x50..0x70], digest.as_ref(), "bound to the key's CBOR");
        assert_eq!(&evidence.report[0x70..0x90], [0; 32]);
        let endorsement = evidence.uvm_endorsement.unwrap();
        let endorsement = affiant_attest::uvm::verify(&endorsement).unwrap();
        assert_eq!(endorsement.svn, 101);
        assert_eq!(&evidence.report[0x90..0xc0], &endorsement.measurement);
        let chain = String::from_utf8(evidence.endorsements).unwrap();
        assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 3);
        for (bit, changed) in wire::flipped(&bytes, 0..bytes.len(), 331) {
            let refused = AttestedMessage::parse(&changed);
            assert!(refused.is_err(), "{file}: bit {bit} changed");
        }
    }
}

#[test]
fn an_hcl_report_is_read_and_written() {
    let Some(report) = read("milan_attestation_report.bin") else { return };
    let claims = br#"{"keys":[{"kid":"HCLAkPub","kty":"RSA"}],"user-data":"00"}"#;
    let hcl = HclReport {
        version: 1,
        runtime_version: 1,
        report: report.clone(),
        runtime_claims: claims.to_vec(),
    };
    let bytes = hcl.to_bytes().unwrap();
    assert_eq!(HclReport::parse(&bytes).unwrap(), hcl);
    let padded = [&bytes[..], &[0; 700]].concat();
    assert_eq!(HclReport::parse(&padded).unwrap(), hcl);
    let evidence = hcl.evidence().unwrap();
    assert_eq!(evidence.report, report);
    assert_eq!(evidence.bound.as_deref(), Some(&claims[..]));

    for cut in 0..bytes.len() {
        assert!(HclReport::parse(&bytes[..cut]).is_err(), "cut at {cut}");
    }
    let with = |at: usize, byte: u8| {
        let mut broken = bytes.clone();
        broken[at] = byte;
        HclReport::parse(&broken)
    };
    let runtime = 32 + limits::REPORT_BYTES;
    for (at, byte) in [
        (0, b'X'),
        (12, 4),
        (runtime, 0),
        (runtime + 8, 4),
        (runtime + 12, 2),
        (runtime + 16, 200),
        (runtime + 20, b'['),
    ] {
        assert!(with(at, byte).is_err(), "byte {at}");
    }
    assert!(HclReport::parse(&[&bytes[..], &[0, 1]].concat()).is_err(), "bytes after");
}

fn some_bytes(most: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 1..most))
}

prop_compose! {
    fn evidence()(
        report in proptest::collection::vec(any::<u8>(), limits::REPORT_BYTES),
        endorsements in proptest::collection::vec(any::<u8>(), 0..200),
        uvm_endorsement in some_bytes(200),
        policy_text in some_bytes(200),
        bound in some_bytes(200),
        endorsed_tcb in proptest::option::of("[0-9a-fA-F]{16}"),
    ) -> Evidence {
        Evidence {
            uvm_endorsement,
            policy_text,
            bound,
            endorsed_tcb,
            ..Evidence::new(report, endorsements).unwrap()
        }
    }
}

prop_compose! {
    fn virtual_evidence()(
        measurement in any::<String>(),
        host_data in any::<String>(),
        report_data in prop_oneof![
            proptest::collection::vec(any::<u8>(), 32),
            proptest::collection::vec(any::<u8>(), 64),
        ],
        bound in some_bytes(100),
    ) -> VirtualEvidence {
        VirtualEvidence { measurement, host_data, report_data, bound }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        evidence in evidence(),
        stand_in in virtual_evidence(),
        node_id in proptest::option::of(any::<String>()),
    ) {
        for attestation in [
            Attestation::Snp(Box::new(evidence.clone())),
            Attestation::Virtual(stand_in),
        ] {
            let json = attestation.to_json();
            prop_assert_eq!(&Attestation::from_json(json.as_bytes()).unwrap(), &attestation);
            let quote = CcfQuote { node_id: node_id.clone(), attestation };
            let json = quote.to_value().to_string();
            prop_assert_eq!(CcfQuote::from_json(json.as_bytes()).unwrap(), quote);
        }
        let wanted = Evidence { policy_text: None, bound: None, ..evidence.clone() };
        // Bytes that begin with a brace would be read as the host's JSON.
        if !evidence.endorsements.trim_ascii_start().starts_with(b"{") {
            let json = evidence.to_skr_json();
            prop_assert_eq!(Evidence::from_skr_json(json.as_bytes()).unwrap(), wanted);
        }
    }

    #[test]
    fn certificate_tables_come_back(
        parts in proptest::collection::vec(some_bytes(60), 5),
    ) {
        let table = CertificateTable {
            vcek: parts[0].clone(),
            vlek: parts[1].clone(),
            ask: parts[2].clone(),
            ark: parts[3].clone(),
            crl: parts[4].clone(),
        };
        prop_assert_eq!(CertificateTable::parse(&table.to_bytes().unwrap()).unwrap(), table);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = CertificateTable::parse(&bytes);
        prop_assert!(HclReport::parse(&bytes).is_err());
        prop_assert!(AttestedMessage::parse(&bytes).is_err());
        prop_assert!(Attestation::from_json(&bytes).is_err());
        let _ = HostCertificates::from_json(&bytes);
    }

    #[test]
    fn any_members_are_read_without_panic(
        format in prop_oneof![Just("AMD_SEV_SNP_v1"), Just("Insecure_Virtual"), Just("x")],
        raw in any::<Vec<u8>>(),
        text in any::<String>(),
    ) {
        let json = json!({
            "format": format, "raw": STANDARD.encode(raw), "endorsements": text, "bound": text,
        });
        let _ = Attestation::from_json(json.to_string().as_bytes());
    }
}
