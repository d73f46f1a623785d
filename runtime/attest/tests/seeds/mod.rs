//! Where the fuzz targets start from: what each of them reads in good order, made here, and real
//! evidence from the fixtures beside the workspace where they are there.

use std::path::PathBuf;

use affiant_attest::{Affiant, Evidence, Policy, Statement};

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
        "certificate_chain" => chains(),
        "policy" => relying_policies(),
        "policy_text" => policies(),
        "report" => reports(),
        "revocation_list" => vec![revocation_list()],
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

/// A report of zeros with what must not be zero, signed by nobody.
fn made_report(version: u8) -> Vec<u8> {
    let mut bytes = vec![0; 1184];
    bytes[0] = version;
    // The guest's policy with the bit that is always set, and the algorithm.
    (bytes[0x08], bytes[0x0a], bytes[0x34]) = (0x1f, 0x02, 1);
    if version > 2 {
        (bytes[0x188], bytes[0x189]) = (0x19, 0x01);
    }
    bytes
}

fn reports() -> Vec<Vec<u8>> {
    let mut all: Vec<_> = [2, 3, 5].map(made_report).into();
    all.extend(files(&[
        "aci-milan/snp_report.bin",
        "milan_attestation_report.bin",
        "turin_attestation_report.bin",
        "debug-milan/attestation.bin",
    ]));
    all
}

/// Chains that were made here have keys of other kinds than AMD's: they show the way to the refusal.
fn chains() -> Vec<Vec<u8>> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let made = rcgen::CertificateParams::default().self_signed(&key).unwrap();
    let mut all = vec![made.pem().repeat(3).into_bytes(), made.der().repeat(3)];
    let genuine: &[&[&str]] = &[
        &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"],
        &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"],
        &["aci-milan/uvm_host_amd_certificate.pem"],
        &["amd-roots/ask_ark_genoa_vlek.pem"],
    ];
    for names in genuine {
        let pem = files(names).concat();
        all.extend(der(&pem));
        all.push(pem);
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

/// A list in DER with one entry; its signature is of nobody.
fn revocation_list() -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let mut issuer = rcgen::CertificateParams::default();
    issuer.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    issuer.key_usages = vec![rcgen::KeyUsagePurpose::CrlSign];
    let issuer = rcgen::Issuer::new(issuer, key);
    let list = rcgen::CertificateRevocationListParams {
        this_update: rcgen::date_time_ymd(2026, 1, 1),
        next_update: rcgen::date_time_ymd(2027, 1, 1),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: vec![rcgen::RevokedCertParams {
            serial_number: 7.into(),
            revocation_time: rcgen::date_time_ymd(2026, 1, 1),
            reason_code: None,
            invalidity_date: None,
        }],
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(&issuer).unwrap().der().to_vec()
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
    let made = |version| Evidence {
        report: made_report(version),
        endorsements: chains().swap_remove(0),
        policy_text: Some(policies().swap_remove(0)),
        bound: Some(b"bound".to_vec()),
        ..Evidence::default()
    };
    let mut all = vec![made(2), made(5)];
    let real: &[(&str, &[&str])] = &[
        ("aci-milan/snp_report.bin", &["aci-milan/uvm_host_amd_certificate.pem"]),
        ("milan_attestation_report.bin", &["milan_vcek.pem", "milan_ask.pem", "milan_ark.pem"]),
        ("turin_attestation_report.bin", &["turin_vcek.pem", "amd-roots/ask_ark_turin_vcek.pem"]),
    ];
    for (report, chain) in real {
        let (report, pem) = (files(&[report]).concat(), files(chain).concat());
        if let Some(endorsements) = der(&pem).filter(|der| !der.is_empty()) {
            all.push(Evidence { report: report.clone(), endorsements, ..Evidence::default() });
        }
        let uvm = files(&["aci-milan/body.uvm_reference_info.bin"]).concat();
        let uvm_endorsement = Some(uvm).filter(|uvm| !uvm.is_empty() && all.len() < 4);
        all.push(Evidence { report, endorsements: pem, uvm_endorsement, ..Evidence::default() });
    }
    all
}
