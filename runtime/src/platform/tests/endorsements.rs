//! Stand-ins for the servers of endorsements, with recorded chains; and which of them is taken.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use affiant_attest::{CertificateTable, HostCertificates, Report};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use serde_json::json;

use super::{Reply, StandIn, recorded};
use crate::limits::ENDORSEMENT_FAILED_MS;
use crate::platform::collateral::Collateral;
use crate::platform::context::Surroundings;
use crate::platform::endorsements::{EndorsementClient, Pace, signed};
use crate::platform::{EndorsementServer, PlatformError, PlatformSettings, ServerKind};

/// What was recorded of one container: report, chain, and the chain's parts.
struct Recorded {
    bytes: Vec<u8>,
    report: Report,
    host: HostCertificates,
    json: Vec<u8>,
}

impl Recorded {
    fn load() -> Option<Self> {
        let bytes = recorded("aci-milan/snp_report.bin")?;
        let json = recorded("aci-milan/uvm_host_amd_certificate.json")?;
        let report = Report::parse(&bytes).unwrap();
        Some(Self { bytes, report, host: HostCertificates::from_json(&json).unwrap(), json })
    }

    fn leaf_der(&self) -> Vec<u8> {
        let text: String =
            self.host.vcek.lines().filter(|line| !line.starts_with("-----")).collect();
        STANDARD.decode(text).unwrap()
    }

    /// The certificates of before an update of the firmware: another version, another chip's key.
    fn stale(&self) -> Vec<u8> {
        let other = recorded("milan_vcek.pem").unwrap();
        let host = HostCertificates {
            vcek: String::from_utf8(other).unwrap(),
            tcbm: "0000000000000001".to_owned(),
            ..self.host.clone()
        };
        host.to_json().into_bytes()
    }
}

/// A clock that stands still but for the waits, which are written down.
fn pace() -> (Arc<Mutex<Vec<u64>>>, Pace) {
    let (now, waits) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (clock, written) = (now.clone(), waits.clone());
    let pace = Pace {
        now_ms: Box::new(move || clock.load(Ordering::SeqCst)),
        sleep_ms: Box::new(move |wait_ms| {
            now.fetch_add(wait_ms, Ordering::SeqCst);
            written.lock().push(wait_ms);
        }),
    };
    (waits, pace)
}

fn server(kind: ServerKind, stand_in: &StandIn) -> EndorsementServer {
    EndorsementServer { url: Some(stand_in.url()), ..EndorsementServer::usual(kind) }
}

fn fetch(
    servers: &[EndorsementServer],
    report: &Report,
) -> (Result<Vec<u8>, PlatformError>, Vec<u64>) {
    let (waits, pace) = pace();
    let client = EndorsementClient::new(servers, pace).unwrap().with_answer_ms(300);
    let outcome = client.fetch(report, &|_| None);
    let waits = waits.lock().clone();
    (outcome, waits)
}

#[test]
fn each_kind_of_server_is_asked_in_its_way() {
    let Some(recorded) = Recorded::load() else { return };
    let chip = affiant_proof::to_hex(&recorded.report.chip_id);
    let tcb = "7308000000000003";
    for (kind, replies, questions) in [
        (
            ServerKind::Azure,
            vec![Reply::bytes(recorded.host.endorsements())],
            vec![format!("/SevSnpVM/certificates/{chip}/{tcb}?api-version=2020-10-15-preview")],
        ),
        (
            ServerKind::Thim,
            vec![Reply::bytes(recorded.json.clone())],
            vec![format!("/metadata/THIM/amd/certification?platformId={chip}&tcbVersion={tcb}")],
        ),
        (
            ServerKind::Amd,
            vec![Reply::bytes(recorded.leaf_der()), Reply::bytes(recorded.host.chain.clone())],
            vec![
                format!("/vcek/v1/Milan/{chip}?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=115"),
                "/vcek/v1/Milan/cert_chain".to_owned(),
            ],
        ),
    ] {
        let stand_in = StandIn::start(replies);
        let (chain, waits) = fetch(&[server(kind, &stand_in)], &recorded.report);
        signed(&recorded.report, &chain.unwrap()).unwrap();
        assert!(waits.is_empty());
        let asked = stand_in.asked();
        for (asked, question) in asked.iter().zip(&questions) {
            assert!(asked.starts_with(&format!("GET {question} HTTP/1.1\r\n")), "{asked}");
            assert_eq!(asked.contains("metadata: true"), kind == ServerKind::Thim, "{asked}");
        }
        assert_eq!(asked.len(), questions.len());
    }
}

#[test]
fn a_later_processor_has_a_short_id_and_another_version() {
    let Some(bytes) = recorded("turin_attestation_report.bin") else { return };
    let report = Report::parse(&bytes).unwrap();
    let stand_in = StandIn::start([Reply::Whole(404, "", Vec::new())]);
    let (outcome, _) = fetch(&[server(ServerKind::Amd, &stand_in)], &report);
    assert!(outcome.unwrap_err().to_string().contains("the answer is 404 Not Found"));
    let asked = stand_in.asked();
    let chip = affiant_proof::to_hex(&report.chip_id[..8]);
    assert!(asked[0].starts_with(&format!("GET /vcek/v1/Turin/{chip}?blSPL=")), "{}", asked[0]);
    assert!(asked[0].contains("&fmcSPL="), "{}", asked[0]);
}

#[test]
fn servers_that_fail_are_asked_again_and_then_the_next() {
    let Some(recorded) = Recorded::load() else { return };
    let chain = Reply::bytes(recorded.host.endorsements());
    // Busy, broken, gone, slow: the same server again.
    let stand_in = StandIn::start([
        Reply::Whole(429, "retry-after: 7\r\n", Vec::new()),
        Reply::Whole(503, "", Vec::new()),
        Reply::Close,
        Reply::Hang,
        Reply::Drip,
        chain.clone(),
    ]);
    let patient = EndorsementServer { attempts_max: 6, ..server(ServerKind::Azure, &stand_in) };
    let (outcome, waits) = fetch(&[patient], &recorded.report);
    signed(&recorded.report, &outcome.unwrap()).unwrap();
    assert_eq!(waits, [7_000, 1_000, 1_000, 1_000, 1_000]);
    stand_in.asked();

    // Refused, not readable, over-long, somebody else's: the next at once, and all are named.
    let other = super::recorded("milan_vcek.pem").unwrap();
    let other = [other, recorded.host.chain.clone().into_bytes()].concat();
    let end = "-----END CERTIFICATE-----\n";
    let ask = recorded.host.chain.split_inclusive(end).next().unwrap();
    let rootless = [recorded.host.vcek.as_str(), ask, ask].concat();
    let mut servers = Vec::new();
    let mut stand_ins = Vec::new();
    for (kind, reply) in [
        (ServerKind::Azure, Reply::json(404, &json!({"error": "no such chip"}))),
        (ServerKind::Thim, Reply::bytes("no JSON")),
        (ServerKind::Azure, Reply::bytes(vec![b'-'; 300 << 10])),
        (ServerKind::Azure, Reply::bytes("no chain")),
        (ServerKind::Azure, Reply::bytes(other)),
        (ServerKind::Azure, Reply::bytes(rootless)),
    ] {
        let stand_in = StandIn::start([reply]);
        servers.push(server(kind, &stand_in));
        stand_ins.push(stand_in);
    }
    let (outcome, waits) = fetch(&servers, &recorded.report);
    let error = outcome.unwrap_err().to_string();
    for words in [
        "404 Not Found: no such chip",
        "host certificates",
        "length limit exceeded",
        "none for this report: certificate chain",
        "none for this report: the signature of",
        "does not end in AMD's root for Milan",
    ] {
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(waits.is_empty());
    for stand_in in stand_ins {
        assert!(error.contains(&stand_in.url()), "{error}");
        stand_in.asked();
    }
}

#[test]
fn trying_ends() {
    let Some(recorded) = Recorded::load() else { return };
    let busy = Reply::Whole(429, "retry-after: 1000000\r\n", Vec::new());
    let stand_in = StandIn::start([busy.clone(), busy]);
    let patient = EndorsementServer { attempts_max: 100, ..server(ServerKind::Azure, &stand_in) };
    let (outcome, waits) = fetch(&[patient], &recorded.report);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("no time for another attempt"), "{error}");
    assert_eq!(waits, [30_000]);
    stand_in.asked();

    let nobody = StandIn::start([]);
    let gone = server(ServerKind::Azure, &nobody);
    nobody.asked();
    let (outcome, waits) = fetch(&[gone], &recorded.report);
    let error = outcome.unwrap_err().to_string();
    assert!(error.contains("cannot connect") && error.contains("3 attempts"), "{error}");
    assert_eq!(waits, [1_000, 1_000]);

    // A variable that is not set, and reports for which no server has a chain.
    let unset = EndorsementServer {
        url: Some("$Fabric_NodeIPOrFQDN:2377".to_owned()),
        ..EndorsementServer::usual(ServerKind::Thim)
    };
    let error = fetch(&[unset], &recorded.report).0.unwrap_err().to_string();
    assert!(error.contains("no variable Fabric_NodeIPOrFQDN"), "{error}");
    let mut masked = recorded.bytes.clone();
    masked[0x1a0..0x1e0].fill(0);
    let masked = Report::parse(&masked).unwrap();
    let error = fetch(&[], &masked).0.unwrap_err().to_string();
    assert!(error.contains("hides the chip's id"), "{error}");
    // Signed by the cloud provider's key.
    let mut vlek = recorded.bytes.clone();
    vlek[0x48] |= 1 << 2;
    let vlek = Report::parse(&vlek).unwrap();
    let error = fetch(&[], &vlek).0.unwrap_err().to_string();
    assert!(error.contains("VLEK"), "{error}");
}

fn collateral(servers: Vec<EndorsementServer>, host_certificates: Option<Vec<u8>>) -> Collateral {
    collateral_at(servers, host_certificates, pace().1)
}

fn collateral_at(
    servers: Vec<EndorsementServer>,
    host_certificates: Option<Vec<u8>>,
    pace: Pace,
) -> Collateral {
    let settings = PlatformSettings { endorsement_servers: servers, ..Default::default() };
    let variable = move |name: &str| {
        let host = host_certificates.as_ref().filter(|_| name == "UVM_HOST_AMD_CERTIFICATE");
        host.map(|host| STANDARD.encode(host))
    };
    let surroundings =
        Surroundings { variable: Box::new(variable), root: PathBuf::from("/a/fake/path") };
    Collateral::new(&settings, surroundings, pace).unwrap().with_answer_ms(300)
}

#[test]
fn the_chain_is_taken_from_the_first_place_that_has_the_right_one() {
    let Some(recorded) = Recorded::load() else { return };
    let nobody = StandIn::start([]);
    let gone = vec![server(ServerKind::Azure, &nobody)];
    nobody.asked();
    let right = recorded.host.endorsements();
    let table = CertificateTable::from_endorsements(&right, false).unwrap().to_bytes().unwrap();

    // The host's table; the security context; from memory, when both are gone.
    let by_table = collateral(gone.clone(), Some(recorded.stale()));
    let evidence = by_table.complete(&recorded.bytes, Some(&table), b"bytes").unwrap();
    signed(&recorded.report, &evidence.endorsements).unwrap();
    assert_eq!(evidence.endorsed_tcb.as_deref(), Some("7308000000000003"));
    assert_eq!(evidence.bound.as_deref(), Some(&b"bytes"[..]));
    by_table.complete(&recorded.bytes, None, b"bytes").unwrap();
    let by_context = collateral(gone.clone(), Some(recorded.json.clone()));
    let evidence = by_context.complete(&recorded.bytes, Some(b"no table"), b"bytes").unwrap();
    assert_eq!(evidence.endorsements, right);

    // Neither: an error that names the server.
    let by_nobody = collateral(gone, None);
    let error = by_nobody.complete(&recorded.bytes, None, b"bytes").unwrap_err().to_string();
    assert!(error.contains("Azure http://127.0.0.1:"), "{error}");
}

#[test]
fn certificates_of_before_an_update_are_replaced() {
    let Some(recorded) = Recorded::load() else { return };
    let stand_in = StandIn::start([Reply::bytes(recorded.host.endorsements())]);
    let servers = vec![server(ServerKind::Azure, &stand_in)];
    let collateral = collateral(servers, Some(recorded.stale()));
    for _ in 0..3 {
        let evidence = collateral.complete(&recorded.bytes, None, b"bytes").unwrap();
        signed(&recorded.report, &evidence.endorsements).unwrap();
    }
    assert_eq!(stand_in.asked().len(), 1);
}

#[test]
fn servers_that_had_nothing_are_left_alone_for_a_while() {
    let Some(recorded) = Recorded::load() else { return };
    let nothing = Reply::Whole(404, "", Vec::new());
    let chain = Reply::bytes(recorded.host.endorsements());
    let stand_in = StandIn::start([nothing, chain]);
    let now = Arc::new(AtomicU64::new(5));
    let clock = now.clone();
    let pace =
        Pace { now_ms: Box::new(move || clock.load(Ordering::SeqCst)), sleep_ms: Box::new(|_| {}) };
    let collateral = collateral_at(vec![server(ServerKind::Azure, &stand_in)], None, pace);
    let complete = || collateral.complete(&recorded.bytes, None, b"bytes");
    let error = complete().unwrap_err();
    assert_eq!(complete().unwrap_err(), error);
    now.fetch_add(ENDORSEMENT_FAILED_MS - 1, Ordering::SeqCst);
    assert_eq!(complete().unwrap_err(), error);
    now.fetch_add(1, Ordering::SeqCst);
    complete().unwrap();
    assert_eq!(stand_in.asked().len(), 2);
}
