//! Which nodes may join: CCF's tables, the policy that they make, and evidence against it: real, and
//! made by keys that tests trust alone.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::path::PathBuf;
use std::sync::Arc;

use affiant::attest::{
    Attestation, AttestedMessage, CcfQuote, Evidence, Policy, Product, Report, Statement,
    TcbVersion, testing, testing::Guest, verify_attestation,
};
use affiant::node::{JoinPolicy, JoinRefusal, Node, NodeSettings};
use affiant::platform::{Attestor, PlatformError, VirtualAttestor};
use affiant::tables::{self, QuoteInfo};
use affiant::{MapName, Runtime};
use affiant_proof::to_hex;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_support::{Client, listener, settings};
use serde_json::{Value as Json, json};

const DID: &str = "did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:\
                   1.3.6.1.4.1.311.76.59.1.2";
const NOT_VERIFIED: &str = "Quote could not be verified";
const FEED: &str = "ContainerPlat-AMD-UVM";

/// Real evidence with an UVM endorsement, and what it is bound to; nothing where it is not at hand.
fn attested() -> Option<(Evidence, Vec<u8>)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/snp");
    let path = root.join("attested-cose/css-attested-cosesign1-20250617.cose");
    let Ok(cose) = std::fs::read(&path) else {
        println!("skipped: no SNP evidence in {}", root.display());
        return None;
    };
    let evidence = AttestedMessage::parse(&cose).unwrap().evidence;
    let bound = evidence.bound.clone().unwrap();
    Some((evidence, bound))
}

fn quote(evidence: &Evidence) -> QuoteInfo {
    let attestation = Attestation::Snp(Box::new(evidence.clone()));
    let row = CcfQuote { node_id: None, attestation }.to_quote_info();
    serde_json::from_value(row).unwrap()
}

/// A policy of rows: table, key, JSON.
fn policy(rows: &[(&MapName, &str, Json)]) -> JoinPolicy {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let mut tx = node.begin();
    for table in [&tables::VIRTUAL_MEASUREMENTS, &tables::VIRTUAL_HOST_DATA] {
        tx.clear(table);
    }
    for (table, key, value) in rows {
        tables::put_json(&mut tx, table, key.as_bytes(), value).unwrap();
    }
    drop(node.commit(tx));
    let policy = JoinPolicy::of(&node.snapshot());
    node.shutdown().unwrap();
    policy
}

fn refused(outcome: Result<(), JoinRefusal>) -> &'static str {
    let refusal = outcome.unwrap_err();
    assert_eq!((refusal.status, refusal.code), (401, "InvalidQuote"));
    assert!(!refusal.reasons.is_empty());
    refusal.message
}

/// Rows that admit this evidence by its voucher, with the row of one table replaced or left out.
fn rows(
    evidence: &Evidence,
    changed: Option<(&'static MapName, Option<(&str, Json)>)>,
) -> JoinPolicy {
    let report = Report::parse(&evidence.report).unwrap();
    let host_data = to_hex(&report.host_data);
    let tcb = json!({"boot_loader": 4, "tee": 0, "snp": 20, "microcode": 1});
    let all: [(&'static MapName, &str, Json); 3] = [
        (&tables::SNP_HOST_DATA, &host_data, json!("")),
        (&tables::SNP_UVM_ENDORSEMENTS, DID, json!({FEED: {"svn": "101"}})),
        (&tables::SNP_TCB_VERSIONS, "00a00f11", tcb),
    ];
    let mut wanted = Vec::new();
    for (table, key, value) in all {
        match &changed {
            Some((name, row)) if name.as_str() == table.as_str() => {
                wanted.extend(row.as_ref().map(|(key, value)| (table, *key, value.clone())));
            }
            _ => wanted.push((table, key, value)),
        }
    }
    policy(&wanted)
}

#[test]
fn a_node_joins_by_voucher_host_data_firmware_and_key() {
    let Some((evidence, key)) = attested() else { return };
    let quote = quote(&evidence);
    assert_eq!(rows(&evidence, None).evaluate(&quote, &key), Ok(()));
    let with = |table, row| rows(&evidence, Some((table, row))).evaluate(&quote, &key);
    let uvm = |did: &'static str, feed: &str, svn: &str| {
        refused(with(&tables::SNP_UVM_ENDORSEMENTS, Some((did, json!({feed: {"svn": svn}})))))
    };
    let no_voucher = "UVM endorsements are not authorised";
    assert_eq!(uvm(DID, FEED, "102"), no_voucher, "a newer image is wanted");
    assert_eq!(uvm(DID, "ConfAKS-AMD-UVM", "1"), no_voucher, "another line of images");
    assert_eq!(uvm("did:x509:0:sha256:other::eku:1.2", FEED, "101"), no_voucher);
    assert_eq!(uvm(DID, FEED, "many"), no_voucher, "a row that says nothing");
    assert_eq!(refused(with(&tables::SNP_UVM_ENDORSEMENTS, None)), no_voucher);

    let no_host_data = "Quote host data is not authorised";
    assert_eq!(refused(with(&tables::SNP_HOST_DATA, None)), no_host_data);
    let other = "0".repeat(64);
    assert_eq!(refused(with(&tables::SNP_HOST_DATA, Some((&other, json!(""))))), no_host_data);
    let own = to_hex(&Report::parse(&evidence.report).unwrap().host_data);
    let wrong_text = Some((&*own, json!("package policy")));
    assert_eq!(refused(with(&tables::SNP_HOST_DATA, wrong_text)), no_host_data, "not its text");

    let tcb =
        |cpuid: &'static str, row| refused(with(&tables::SNP_TCB_VERSIONS, Some((cpuid, row))));
    let old = "Quote TCB version is not authorised";
    assert_eq!(tcb("00a00f11", json!({"microcode": 255})), old);
    assert_eq!(tcb("00a00f11", json!({"microcode": 1000})), old, "a row that says nothing");
    assert_eq!(tcb("00a10f11", json!({"microcode": 1})), old, "another processor");
    assert_eq!(refused(with(&tables::SNP_TCB_VERSIONS, None)), old, "no processor");

    let message = "Quote report data does not contain node's public key hash";
    let policy = rows(&evidence, None);
    assert_eq!(refused(policy.evaluate(&quote, b"another key")), message);
    // Whatever else is wrong: evidence that is not genuine is not looked at any further.
    let mut broken = evidence;
    broken.report[0x2a0] ^= 1;
    let outcome = policy.evaluate(&self::quote(&broken), b"another key");
    assert!(outcome.as_ref().unwrap_err().reasons.contains("report signature: "));
    assert_eq!(refused(outcome), "Quote could not be verified");
}

#[test]
fn a_measurement_without_voucher_must_be_in_its_table() {
    let Some((evidence, key)) = attested() else { return };
    let measurement = to_hex(&Report::parse(&evidence.report).unwrap().measurement);
    let quote = quote(&Evidence { uvm_endorsement: None, ..evidence.clone() });
    let unknown = "Quote does not contain known enclave measurement";
    assert_eq!(refused(rows(&evidence, None).evaluate(&quote, &key)), unknown);
    let mut all = rows(&evidence, None).to_json();
    all["snp"]["measurements"] = json!([measurement]);
    let table = |name: &MapName, rows: &Json| -> Vec<(MapName, String, Json)> {
        let rows = rows.as_object().unwrap().iter();
        rows.map(|(key, value)| (name.clone(), key.clone(), value.clone())).collect()
    };
    let snp = &all["snp"];
    for (value, admitted) in [("AllowedToJoin", true), ("Retired", false)] {
        let mut wanted = table(&tables::SNP_HOST_DATA, &snp["hostData"]);
        wanted.extend(table(&tables::SNP_TCB_VERSIONS, &snp["tcbVersions"]));
        wanted.push((tables::SNP_MEASUREMENTS.clone(), measurement.clone(), json!(value)));
        let wanted: Vec<_> =
            wanted.iter().map(|(table, key, value)| (table, &**key, value.clone())).collect();
        let outcome = policy(&wanted).evaluate(&quote, &key);
        assert_eq!(outcome.is_ok(), admitted, "{value}: {outcome:?}");
    }
}

#[test]
fn virtual_nodes_join_where_the_tables_name_them_only() {
    let node = Node::start(NodeSettings::in_memory()).unwrap();
    let row = node.row().unwrap();
    let key = key_of(&row);
    let own = JoinPolicy::of(&node.snapshot());
    assert_eq!(own.evaluate(&row.quote_info, &key), Ok(()));
    let message = "Quote report data does not contain node's public key hash";
    assert_eq!(refused(own.evaluate(&row.quote_info, b"another key")), message);
    assert_eq!(
        refused(policy(&[]).evaluate(&row.quote_info, &key)),
        "Quote could not be verified",
        "no hardware stands behind it, and nothing in the tables says that none must"
    );
    let measurement = json!("AllowedToJoin");
    let other = policy(&[(&tables::VIRTUAL_MEASUREMENTS, "other", measurement.clone())]);
    let outcome = refused(other.evaluate(&row.quote_info, &key));
    assert_eq!(outcome, "Quote host data is not authorised");
    let host_data = own.to_json()["virtual"]["hostData"][0].as_str().unwrap().to_owned();
    let other = policy(&[
        (&tables::VIRTUAL_MEASUREMENTS, "other", measurement),
        (&tables::VIRTUAL_HOST_DATA, &host_data, Json::Null),
    ]);
    let outcome = refused(other.evaluate(&row.quote_info, &key));
    assert_eq!(outcome, "Quote does not contain known enclave measurement");
    let nonsense = QuoteInfo { quote: "?".to_owned(), ..row.quote_info };
    assert_eq!(refused(own.evaluate(&nonsense, &key)), "Quote could not be verified");
    node.shutdown().unwrap();
}

/// Shows evidence that was made elsewhere.
struct Recorded(Evidence);

impl Attestor for Recorded {
    fn format(&self) -> &'static str {
        affiant::attest::FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        "recorded"
    }

    fn attest(&self, _: &[u8]) -> Result<Attestation, PlatformError> {
        Ok(Attestation::Snp(Box::new(self.0.clone())))
    }
}

/// A guest of a product, that signs what it is asked to: by keys that tests trust alone.
struct Guests(Product);

impl Attestor for Guests {
    fn format(&self) -> &'static str {
        affiant::attest::FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        "made up"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        Ok(Attestation::Snp(Box::new(Guest::new(self.0).bound(bound).build())))
    }
}

/// The public key of a node's row, DER.
fn key_of(row: &tables::NodeRow) -> Vec<u8> {
    let lines = row.public_key.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).unwrap()
}

/// Whether evidence made for a node with that key would let it join.
fn joins(policy: &JoinPolicy, guest: Guest, key: &[u8]) -> Result<(), &'static str> {
    let outcome = policy.evaluate(&quote(&guest.bound(key).build()), key);
    if outcome.is_ok() { Ok(()) } else { Err(refused(outcome)) }
}

#[test]
fn a_service_of_guests_admits_guests_like_the_first() {
    for product in [Product::Milan, Product::Genoa, Product::Turin] {
        let (runtime, mut client) = served(Arc::new(Guests(product)));
        let row = runtime.node().row().unwrap();
        let policy = JoinPolicy::of(&runtime.node().snapshot());
        assert_eq!(policy.evaluate(&row.quote_info, &key_of(&row)), Ok(()), "{product}");
        let other = b"the key of another node";
        let like = || Guest::new(product);
        let tcb = |snp| {
            let fmc = (product == Product::Turin).then_some(1);
            TcbVersion { fmc, boot_loader: 4, tee: 1, snp, microcode: 219 }
        };
        let unknown = "Quote does not contain known enclave measurement";
        for (what, guest, outcome) in [
            ("a guest like it", like(), Ok(())),
            ("newer firmware", like().tcb(tcb(25)), Ok(())),
            ("another chip", like().chip_id(chip(product)), Ok(())),
            ("another image", like().measurement([9; 48]), Err(unknown)),
            (
                "other host data",
                like().host_data([9; 32]),
                Err("Quote host data is not authorised"),
            ),
            (
                "both",
                like().measurement([9; 48]).host_data([9; 32]),
                Err("Quote host data is not authorised"),
            ),
            ("older firmware", like().tcb(tcb(23)), Err("Quote TCB version is not authorised")),
            ("one that can be debugged", like().policy(1 << 17 | 1 << 19), Err(NOT_VERIFIED)),
            ("one that can be moved", like().policy(1 << 17 | 1 << 18), Err(NOT_VERIFIED)),
            ("the host itself", like().vmpl(u32::MAX), Err(NOT_VERIFIED)),
            ("one without chip id", like().mask_chip_id(), Err(NOT_VERIFIED)),
            ("one of a provider's key", like().vlek(), Err(NOT_VERIFIED)),
        ] {
            assert_eq!(joins(&policy, guest, other), outcome, "{product}: {what}");
        }
        // Evidence of one product says nothing of another.
        let next = if product == Product::Milan { Product::Genoa } else { Product::Milan };
        let outcome = joins(&policy, Guest::new(next), other);
        assert_eq!(outcome, Err("Quote TCB version is not authorised"), "{product}");

        // The node's own, fresh: genuine, and bound to the nonce.
        let fresh = client.get("/node/attestations/self?nonce=c0ffee").text().to_owned();
        let attestation = CcfQuote::from_json(fresh.as_bytes()).unwrap().attestation;
        let verdict = verify_attestation(&attestation, &Policy::genuine_only(), testing::AT);
        assert!(verdict.is_trusted(), "{verdict}");
        let Attestation::Snp(evidence) = attestation else { panic!("{fresh}") };
        let statement = Statement::parse(&evidence.bound.unwrap()).unwrap();
        assert_eq!(statement.bound, [0xc0, 0xff, 0xee]);
        assert_eq!(statement.node_public_key, key_of(&row));
        runtime.stop().unwrap();
    }
}

fn chip(product: Product) -> [u8; 64] {
    let mut id = [0; 64];
    id[..if product == Product::Turin { 8 } else { 64 }].fill(7);
    id
}

fn served(attestor: Arc<dyn Attestor>) -> (Runtime, Client) {
    let mut settings = settings(&[]);
    settings.attestor = attestor;
    let runtime = Runtime::builder().node(settings).listen(listener()).start().unwrap();
    let client = Client::new(&runtime);
    (runtime, client)
}

#[test]
fn the_first_guest_admits_others_like_it() {
    let Some((evidence, key)) = attested() else { return };
    let (runtime, mut client) = served(Arc::new(Recorded(evidence.clone())));
    let report = Report::parse(&evidence.report).unwrap();
    let (host_data, measurement) = (to_hex(&report.host_data), to_hex(&report.measurement));
    let shown = client.get("/gov/service/join-policy?api-version=2024-07-01").json();
    assert_eq!(shown["snp"]["uvmEndorsements"], json!({DID: {FEED: {"svn": "101"}}}));
    assert_eq!(shown["snp"]["measurements"], json!([]), "CCF leaves it out beside a voucher");
    assert_eq!(shown["snp"]["hostData"], json!({host_data: ""}));
    let tcb = shown["snp"]["tcbVersions"].as_object().unwrap();
    assert_eq!(tcb.keys().collect::<Vec<_>>(), ["00a00f11"]);
    assert_eq!(tcb["00a00f11"]["hexstring"], report.reported_tcb.to_hex());
    assert_eq!(shown["virtual"], json!({"hostData": [], "measurements": []}));
    let policy = JoinPolicy::of(&runtime.node().snapshot());
    assert_eq!(policy.evaluate(&quote(&evidence), &key), Ok(()));

    let own = client.get("/node/attestations/self").json();
    assert_eq!(own["format"], "AMD_SEV_SNP_v1");
    assert_eq!(own["measurement"], measurement);
    assert!(own["uvm_endorsements"].is_string());
    let row = runtime.node().row().unwrap();
    assert_eq!(row.quote_info, quote(&evidence));
    assert_eq!(row.code_digest.unwrap(), measurement);
    runtime.stop().unwrap();

    let without = Evidence { uvm_endorsement: None, ..evidence };
    let (runtime, mut client) = served(Arc::new(Recorded(without)));
    let shown = client.get("/gov/service/join-policy?api-version=2023-06-01-preview").json();
    assert_eq!(shown["snp"]["measurements"], json!([measurement]));
    assert_eq!(shown["snp"]["uvmEndorsements"], json!({}));
    runtime.stop().unwrap();
}

#[test]
fn the_container_policy_is_shown_to_who_asks_for_it() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures/snp");
    let read = |name: &str| std::fs::read(root.join("aci-milan").join(name));
    let Ok(report) = read("snp_report.bin") else {
        println!("skipped: no SNP evidence in {}", root.display());
        return;
    };
    let text = String::from_utf8(read("uvm_security_policy.base64").unwrap()).unwrap();
    let text = STANDARD.decode(text.trim()).unwrap();
    let evidence = Evidence {
        report,
        endorsements: read("uvm_host_amd_certificate.pem").unwrap(),
        uvm_endorsement: Some(read("body.uvm_reference_info.bin").unwrap()),
        policy_text: Some(text.clone()),
        ..Evidence::default()
    };
    let (runtime, mut client) = served(Arc::new(Recorded(evidence)));
    let path = "/node/attestations/self";
    assert!(client.get(path).json().get("policy_text").is_none());
    for query in ["?policy_text=true", "?nonce=00"] {
        let shown = client.get(&format!("{path}{query}")).json();
        let shown = STANDARD.decode(shown["policy_text"].as_str().unwrap()).unwrap();
        assert_eq!(shown, text, "{query}");
    }
    let policy = client.get("/gov/service/join-policy?api-version=2024-07-01").json();
    let shown = policy["snp"]["hostData"].as_object().unwrap().values().next().unwrap();
    assert_eq!(shown.as_str().unwrap().as_bytes(), text);
    // A report of version 2 names no processor: governance has to.
    assert_eq!(policy["snp"]["tcbVersions"], json!({}));
    runtime.stop().unwrap();
}

#[test]
fn the_join_policy_is_shown_by_version() {
    let (runtime, mut client) = served(Arc::new(VirtualAttestor));
    let path = "/gov/service/join-policy";
    for version in ["2023-06-01-preview", "2024-07-01"] {
        let answer = client.get(&format!("{path}?api-version={version}"));
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.txid().is_some());
        let shown = answer.json();
        assert_eq!(shown["sgx"], json!({"measurements": []}));
        let measurement = "Insecure hard-coded virtual measurement v1";
        assert_eq!(shown["virtual"]["measurements"], json!([measurement]));
        assert_eq!(shown["virtual"]["hostData"][0].as_str().unwrap().len(), 64);
        let empty = json!({"hostData": {}, "measurements": [], "tcbVersions": {},
            "uvmEndorsements": {}});
        assert_eq!(shown["snp"], empty);
    }
    let missing = client.get(path);
    assert_eq!((missing.status, &*missing.code()), (400, "MissingApiVersionParameter"));
    let other = client.get(&format!("{path}?api-version=1999-12-31"));
    assert_eq!((other.status, &*other.code()), (400, "UnsupportedApiVersionValue"));
    assert!(other.message().contains("2023-06-01-preview, 2024-07-01"), "{}", other.message());
    runtime.stop().unwrap();
}
