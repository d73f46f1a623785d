//! Where the fuzz targets start from: what each of them reads in good order, made here, and real
//! evidence from the fixtures beside the workspace where they are there.

use std::path::PathBuf;

use affiant_attest::{
    Affiant, Attestation, CcfQuote, CertificateTable, Evidence, HclReport, HostCertificates,
    Policy, Product, Statement, VirtualEvidence,
};

use affiant_attest::testing::{self, Guest, RevocationSpec};

use crate::targets;

/// The fixtures' directory, where it is there.
pub(crate) fn fixtures() -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/fixtures/snp");
    path.is_dir().then_some(path)
}

/// The fixtures of these names that are there.
fn files(names: &[&str]) -> Vec<Vec<u8>> {
    let Some(root) = fixtures() else { return Vec::new() };
    names.iter().filter_map(|name| std::fs::read(root.join(name)).ok()).collect()
}

/// The seeds of one target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "attested_message" | "uvm_endorsement" => messages(),
        "certificate_chain" => chains(),
        "certificate_table" => tables(),
        "evidence_json" => documents(),
        "hcl_report" => hcl_reports(),
        "maa_documents" => key_sets_and_release_policies(),
        "maa_token" => tokens(),
        "policy" => relying_policies(),
        "policy_text" => policies(),
        "report" => reports(),
        "revocation_list" => revocation_lists(),
        "statement" => statements(),
        "verify" => evidence().iter().map(targets::to_input).collect(),
        other => panic!("{other} has no seeds"),
    }
}

fn policies() -> Vec<Vec<u8>> {
    let texts = [
        include_str!("../policies/aci.rego"),
        include_str!("../policies/kata.rego"),
        "package policy\napi_svn := \"0.10.0\"\nexec_external := {\"allowed\": true, \
         \"allow_stdio_access\": true}\nload_fragment := {\"allowed\": false}\n",
        "package policy\nimport rego.v1\ndefault a := [1, -2, null]\n\
         b := {\"c\": x[0]} if { true } else := [d | d := data.e[_]]\n`f`\n",
        "package policy\ncontainers := [{\"env_rules\": [{\"strategy\": \"re2\", \"pattern\": \
         \"(?P<n>[^a-z[:alpha:]\\\\d]{2,})\\\\Qa\\\\E=|.*\"}]}]\n",
        "{\"allow_all\": true}",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn statements() -> Vec<Vec<u8>> {
    let statement = |affiant, bound: &[u8]| Statement {
        affiant,
        node_public_key: vec![0x30; 91],
        service_identity: vec![0x31; 120],
        bound: bound.to_vec(),
    };
    [statement(Affiant::Node, b""), statement(Affiant::App, b"\x00nonce\xff")]
        .iter()
        .map(|one| one.to_bytes().unwrap())
        .collect()
}

/// Guests that do not exist, under a root that tests alone trust: of each version of reports, with a
/// chip's key and a provider's, bound and with a container policy.
fn guests() -> Vec<Evidence> {
    let policy = include_bytes!("../policies/aci.rego");
    vec![
        Guest::new(Product::Milan).policy_text(policy).bound(b"bound").build(),
        Guest::new(Product::Genoa).version_2().build(),
        Guest::new(Product::Turin).bound(b"bound").build(),
        Guest::new(Product::Milan).vlek().build(),
    ]
}

fn reports() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = guests().into_iter().map(|guest| guest.report).collect();
    all.extend(files(&[
        "aci-milan/snp_report.bin",
        "milan_attestation_report.bin",
        "turin_attestation_report.bin",
        "debug-milan/attestation.bin",
    ]));
    all
}

fn chains() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = guests().into_iter().map(|guest| guest.endorsements).collect();
    all.extend(all.clone().iter().filter_map(|pem| der(pem)));
    let real: &[&[&str]] = &[
        &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"],
        &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"],
        &["aci-milan/uvm_host_amd_certificate.pem"],
        &["amd-roots/ask_ark_genoa_vlek.pem"],
    ];
    for names in real {
        let pem = files(names).concat();
        if !pem.is_empty() {
            all.extend(der(&pem));
            all.push(pem);
        }
    }
    all
}

/// A chain's certificates in DER: where a fuzzer finds more than in base64.
fn der(pem: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    let lines = str::from_utf8(pem).ok()?.lines();
    let mut all = Vec::new();
    let mut body = String::new();
    for line in lines.map(str::trim) {
        match line.starts_with("-----") {
            true if line.contains("END") => {
                all.extend(base64::engine::general_purpose::STANDARD.decode(&body).ok()?);
                body.clear();
            }
            true => {}
            false => body.push_str(line),
        }
    }
    Some(all)
}

/// Lists, plain and indirect, in DER and in text.
fn revocation_lists() -> Vec<Vec<u8>> {
    let revoked = vec![(vec![7], Some("SEV-Milan".to_owned())), (vec![0], None)];
    let plain = testing::revocation_list(Product::Milan, &RevocationSpec::default());
    let indirect = RevocationSpec { revoked, ..RevocationSpec::default() };
    let indirect = testing::revocation_list(Product::Turin, &indirect);
    let mut all: Vec<_> =
        [&plain, &indirect].iter().filter_map(|pem| der(pem.as_bytes())).collect();
    all.push(plain.into_bytes());
    all
}

fn relying_policies() -> Vec<Vec<u8>> {
    let strict = serde_json::to_vec(&Policy::default()).unwrap();
    let lax = serde_json::to_vec_pretty(&Policy::genuine_only()).unwrap();
    let named = br#"{"products":["Milan"],"minimum_tcb":{"00a00f11":{"snp":8,"microcode":115}},
        "uvm_endorsements":[{"did":"did:x509:0:sha256:AA::eku:1.2","feed":"f","minimum_svn":100}],
        "policy_text":{"required":true,"findings":{"stdio":"warn"}},
        "guest_policy":{"minimum_abi":"1.51"},"vmpl":0,"maximum_age_s":3600,
        "virtual":{"measurements":"any","host_data":[]}}"#;
    vec![strict, lax, named.to_vec()]
}

/// Evidence of guests that were made here, and of real ones.
pub(crate) fn evidence() -> Vec<Evidence> {
    let mut all = guests();
    let real: &[(&str, &[&str])] = &[
        ("aci-milan/snp_report.bin", &["aci-milan/uvm_host_amd_certificate.pem"]),
        ("milan_attestation_report.bin", &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"]),
        ("turin_attestation_report.bin", &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"]),
    ];
    for (report, chain) in real {
        let (report, pem) = (files(&[report]).concat(), files(chain).concat());
        if report.is_empty() || pem.is_empty() {
            continue;
        }
        if let Some(endorsements) = der(&pem) {
            all.push(Evidence { report: report.clone(), endorsements, ..Evidence::default() });
        }
        let uvm = files(&["aci-milan/body.uvm_reference_info.bin"]).concat();
        let uvm_endorsement = Some(uvm).filter(|uvm| !uvm.is_empty() && pem.len() > 5_000);
        all.push(Evidence { report, endorsements: pem, uvm_endorsement, ..Evidence::default() });
    }
    all
}

/// COSE messages: an empty one, and real ones.
fn messages() -> Vec<Vec<u8>> {
    let mut all = vec![b"\xd2\x84\x43\xa1\x01\x26\xa0\x41\x00\x40".to_vec()];
    all.extend(files(&[
        "aci-milan/body.uvm_reference_info.bin",
        "uvm_endorsements/uvm_0.2.10.cose",
        "uvm_endorsements/int_svn.cose",
        "attested-cose/css-attested-cosesign1-20250925.cose",
    ]));
    all
}

fn tables() -> Vec<Vec<u8>> {
    let mut all: Vec<_> =
        evidence().iter().filter_map(|one| one.to_certificate_table().ok()).collect();
    let whole = all.first().and_then(|table| CertificateTable::parse(table).ok()).unwrap();
    let crl = Some(revocation_lists().swap_remove(0));
    let vlek = whole.vcek.clone();
    all.push(CertificateTable { crl, vlek, ..whole }.to_bytes().unwrap());
    all.push(vec![0; 24]);
    all
}

fn hcl_reports() -> Vec<Vec<u8>> {
    let claims =
        br#"{"keys":[{"kid":"HCLAkPub","kty":"RSA","n":"AQAB","e":"AQAB"}],"user-data":"00"}"#;
    let mut report = HclReport {
        version: 1,
        runtime_version: 1,
        report: guests().swap_remove(1).report,
        runtime_claims: claims.to_vec(),
    };
    let first = report.to_bytes().unwrap();
    report.runtime_claims = b"{}".to_vec();
    let second = report.to_bytes().unwrap();
    vec![[first.as_slice(), &[0; 16]].concat(), first, second]
}

fn documents() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut evidence = evidence();
    // Large seeds slow a fuzzer down.
    evidence.truncate(2);
    for mut one in evidence {
        all.push(one.to_skr_json());
        one.endorsed_tcb = Some("7308000000000003".to_owned());
        one.uvm_endorsement = Some(b"\xd2\x84".to_vec());
        let attestation = Attestation::Snp(Box::new(one));
        let quote = CcfQuote { node_id: Some("ab".repeat(32)), attestation };
        all.push(quote.to_value().to_string());
        all.push(quote.to_quote_info().to_string());
        all.push(format!("{{\"quotes\":[{}]}}", quote.to_value()));
    }
    let nothing = Attestation::Virtual(VirtualEvidence {
        measurement: "virtual".to_owned(),
        host_data: "00".repeat(32),
        report_data: vec![0; 32],
        bound: Some(b"bound".to_vec()),
    });
    all.push(nothing.to_json());
    let host = HostCertificates {
        vcek: "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n".to_owned(),
        chain: String::new(),
        tcbm: "DB18000000000004".to_owned(),
        cache_s: Some(86_400),
    };
    all.push(host.to_json());
    all.into_iter().map(String::into_bytes).collect()
}

/// Tokens in plain, as the target takes them, and one in its compact form.
fn tokens() -> Vec<Vec<u8>> {
    let header = r#"{"alg":"RS256","kid":"k","typ":"JWT","jku":"https://a.test/certs"}"#;
    let guest = format!(
        r#""x-ms-compliance-status":"azure-compliant-uvm","x-ms-attestation-type":"sevsnpvm",
        "x-ms-sevsnpvm-hostdata":"{}","x-ms-sevsnpvm-launchmeasurement":"{}",
        "x-ms-sevsnpvm-reportdata":"{}","x-ms-sevsnpvm-is-debuggable":false,
        "x-ms-sevsnpvm-migration-allowed":false,"x-ms-sevsnpvm-smt-allowed":true,
        "x-ms-sevsnpvm-vmpl":0,"x-ms-sevsnpvm-guestsvn":100,"x-ms-sevsnpvm-bootloader-svn":3,
        "x-ms-sevsnpvm-tee-svn":0,"x-ms-sevsnpvm-snpfw-svn":8,"x-ms-sevsnpvm-microcode-svn":115"#,
        "00".repeat(32),
        "11".repeat(48),
        "22".repeat(64),
    );
    let registered = r#""iss":"https://a.test","exp":2,"nbf":0,"iat":0,"jti":"j","x-ms-ver":"1.0""#;
    let container = format!("{{{registered},{guest},\"x-ms-runtime\":{{\"keys\":[]}}}}");
    let machine = format!("{{{registered},\"x-ms-isolation-tee\":{{{guest}}}}}");
    let plain = |claims: &str| [header.as_bytes(), b"\0", claims.as_bytes(), b"\0sig"].concat();
    vec![plain(&container), plain(&machine), b"eyJhbGciOiJSUzI1NiJ9.e30.AA".to_vec()]
}

fn key_sets_and_release_policies() -> Vec<Vec<u8>> {
    let texts = [
        r#"{"keys":[{"kty":"RSA","kid":"k","n":"AQAB","e":"AQAB"},{"kty":"EC","kid":"e"}]}"#,
        r#"{"keys":[{"kty":"RSA","kid":"k","x5c":["MIIB"]}]}"#,
        r#"{"version":"1.0.0","anyOf":[{"authority":"https://a.test/","allOf":[
        {"claim":"x-ms-sevsnpvm-hostdata","equals":"00"},{"anyOf":[{"claim":"a.b","equals":true}]}]}]}"#,
        r#"{"issuers":["https://a.test"],"host_data":"any"}"#,
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
