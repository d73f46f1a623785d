//! Stand-ins for the key release sidecar and for Microsoft Azure Attestation.

use std::path::PathBuf;

use affiant_attest::{Attestation, Evidence};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value as Json, json};

use super::{Reply, StandIn, body, made_up_report, recorded};
use crate::limits::SIDECAR_ANSWER_BYTES_MAX;
use crate::node::{Node, NodeSettings};
use crate::platform::context::{Context, Surroundings};
use crate::platform::sidecar::SidecarAttestor;
use crate::platform::{
    Attestor, KeyRelease, Maa, PlatformError, PlatformSettings, Provider, Sidecar, detect,
    report_data,
};

const RELEASE: KeyRelease<'_> = KeyRelease {
    maa_endpoint: "maa.example",
    akv_endpoint: "akv.example",
    kid: "key",
    access_token: Some("hush-token"),
};

type Call = fn(&Sidecar) -> Result<String, PlatformError>;

/// Each call of the sidecar, with its place.
const CALLS: [(&str, Call); 5] = [
    ("/status", Sidecar::status),
    ("/attest/raw", |sidecar| sidecar.report(b"data").map(|report| format!("{report:?}"))),
    ("/attest/combined", |sidecar| sidecar.evidence(b"data").map(|found| format!("{found:?}"))),
    ("/attest/maa", |sidecar| sidecar.maa_token("maa.example", b"{}")),
    ("/key/release", |sidecar| sidecar.release_key(&RELEASE).map(|key| key.to_string())),
];

#[test]
fn the_sidecar_is_asked_as_it_wants() {
    let report = made_up_report(&report_data(b"data"));
    let jwk = r#"{"kty":"oct","k":"c2VjcmV0"}"#;
    let combined = json!({
        "evidence": STANDARD.encode(&report),
        "endorsements": STANDARD.encode("chain"),
        "uvm_endorsements": STANDARD.encode("uvm"),
        "endorsed_tcb": "DB18000000000004",
    });
    let sidecar = StandIn::start([
        Reply::json(200, &json!({"message": "STATUS OK"})),
        Reply::json(200, &json!({"report": affiant_proof::to_hex(&report)})),
        Reply::json(200, &combined),
        Reply::json(200, &json!({"token": "a.b.c"})),
        Reply::json(200, &json!({"key": jwk})),
        Reply::json(200, &json!({"key": jwk})),
    ]);
    let client = Sidecar::new(&format!("{}/", sidecar.url()));
    assert_eq!(client.status().unwrap(), "STATUS OK");
    assert_eq!(client.report(b"data").unwrap(), report);
    let expected = Evidence {
        report: report.clone(),
        endorsements: b"chain".to_vec(),
        uvm_endorsement: Some(b"uvm".to_vec()),
        endorsed_tcb: Some("DB18000000000004".to_owned()),
        bound: Some(b"data".to_vec()),
        ..Evidence::default()
    };
    assert_eq!(client.evidence(b"data").unwrap(), expected);
    assert_eq!(client.maa_token("maa.example", b"{}").unwrap(), "a.b.c");
    assert_eq!(*client.release_key(&RELEASE).unwrap(), jwk);
    client.release_key(&KeyRelease { access_token: None, ..RELEASE }).unwrap();

    let asked = sidecar.asked();
    for (question, begin) in asked.iter().zip([
        "GET /status HTTP/1.1\r\n",
        "POST /attest/raw HTTP/1.1\r\n",
        "POST /attest/combined HTTP/1.1\r\n",
        "POST /attest/maa HTTP/1.1\r\n",
        "POST /key/release HTTP/1.1\r\n",
        "POST /key/release HTTP/1.1\r\n",
    ]) {
        assert!(question.starts_with(begin), "{question}");
    }
    assert_eq!(body(&asked[1]), json!({"runtime_data": "ZGF0YQ=="}));
    assert_eq!(body(&asked[2]), json!({"runtime_data": "ZGF0YQ=="}));
    assert_eq!(body(&asked[3]), json!({"maa_endpoint": "maa.example", "runtime_data": "e30="}));
    let release = json!({
        "maa_endpoint": "maa.example", "akv_endpoint": "akv.example", "kid": "key",
        "access_token": "hush-token",
    });
    assert_eq!(body(&asked[4]), release);
    assert!(body(&asked[5]).get("access_token").is_none());
}

#[test]
fn what_the_sidecar_does_wrong_is_said_with_its_place() {
    let over = vec![b' '; SIDECAR_ANSWER_BYTES_MAX + 1];
    let refused = json!({"error": "no such\nkey"});
    for (reply, words) in [
        (Reply::json(400, &refused), "the answer is 400 Bad Request: no such key"),
        (Reply::json(403, &json!({"error": "not you"})), "403 Forbidden: not you"),
        (Reply::Whole(500, "", b"hush-body".to_vec()), "the answer is 500 Internal Server Error"),
        (Reply::bytes("{hush-body"), "no JSON"),
        (Reply::bytes("[\"hush-body\"]"), ""),
        (Reply::json(200, &json!({"hush-body": 1})), ""),
        (Reply::bytes(over), "length limit exceeded"),
        (Reply::Hang, "no whole answer within 200 ms"),
        (Reply::Drip, "no whole answer within 200 ms"),
        (Reply::Close, "HTTP"),
    ] {
        for (place, call) in CALLS {
            let stand_in = StandIn::start([reply.clone()]);
            let client = Sidecar::with_deadline(&stand_in.url(), 200);
            let error = call(&client).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{}{place}: ", stand_in.url())), "{error}");
            // The combined answer is read elsewhere, and in other words.
            assert!(error.contains(words) || place == "/attest/combined", "{place}: {error}");
            assert!(!error.contains("hush"), "{error}");
            stand_in.asked();
        }
    }
    let nobody = StandIn::start([]);
    let client = Sidecar::new(&nobody.url());
    nobody.asked();
    assert!(client.status().unwrap_err().to_string().contains("cannot connect"));
    // Not in plain text to another machine.
    let error = Sidecar::new("http://sidecar.example:8080").status().unwrap_err().to_string();
    assert!(error.contains("http:// is for this machine"), "{error}");
}

#[test]
fn what_only_looks_right_is_refused() {
    for (reply, call, words) in [
        (json!({"report": "0g"}), CALLS[1].1, "no hex"),
        (json!({"evidence": "AAAA"}), CALLS[2].1, "3 bytes"),
        (json!({"key": "hush-key"}), CALLS[4].1, "no JWK"),
        (json!({"key": "{\"k\":\"hush\"}"}), CALLS[4].1, "no JWK"),
        (json!({"key": {"kty": "oct", "k": "hush"}}), CALLS[4].1, "no text \"key\""),
    ] {
        let stand_in = StandIn::start([Reply::json(200, &reply)]);
        let error = call(&Sidecar::new(&stand_in.url())).unwrap_err().to_string();
        assert!(error.contains(words) && !error.contains("hush"), "{error}");
        stand_in.asked();
    }
    assert!(!format!("{RELEASE:?}").contains("hush"));
}

#[test]
fn evidence_of_the_sidecar_is_about_the_bytes_that_were_asked_for() {
    let combined = |bound: &[u8]| {
        let report = made_up_report(&report_data(bound));
        Reply::json(200, &json!({"evidence": STANDARD.encode(report), "endorsements": ""}))
    };
    let stand_in = StandIn::start([combined(b"bytes"), combined(b"other bytes")]);
    let variable =
        |name: &str| (name == "UVM_SECURITY_POLICY").then(|| STANDARD.encode("package policy"));
    let surroundings =
        Surroundings { variable: Box::new(variable), root: PathBuf::from("/a/fake/path") };
    let sidecar = Sidecar::new(&stand_in.url());
    let attestor =
        SidecarAttestor::new(sidecar, Context::new(&PlatformSettings::default(), surroundings));
    let Attestation::Snp(evidence) = attestor.attest(b"bytes").unwrap() else { panic!("virtual") };
    assert_eq!(evidence.bound.as_deref(), Some(&b"bytes"[..]));
    assert_eq!(evidence.policy_text.as_deref(), Some(&b"package policy"[..]));
    let error = attestor.attest(b"bytes").unwrap_err().to_string();
    assert!(error.contains("other data"), "{error}");
    stand_in.asked();
}

#[test]
fn a_node_starts_with_the_sidecars_evidence_or_says_why_not() {
    let stand_in = StandIn::start([Reply::json(503, &json!({"error": "not ready"}))]);
    let settings = PlatformSettings {
        provider: Provider::Sidecar,
        sidecar_url: Some(stand_in.url()),
        ..PlatformSettings::default()
    };
    let start = || {
        let attestor = detect(&settings).unwrap();
        Node::start(NodeSettings { attestor, ..NodeSettings::in_memory() })
    };
    let error = start().err().unwrap().to_string();
    let place = format!("{}/attest/combined", stand_in.url());
    assert!(error.contains(&place) && error.contains("not ready"), "{error}");
    stand_in.asked();
    let error = start().err().unwrap().to_string();
    assert!(error.contains("cannot connect"), "{error}");
}

fn evidence() -> Evidence {
    Evidence {
        report: made_up_report(&report_data(b"{\"keys\":[]}")),
        endorsements: b"chain".to_vec(),
        uvm_endorsement: Some(b"uvm".to_vec()),
        policy_text: Some(b"package policy".to_vec()),
        bound: Some(b"{\"keys\":[]}".to_vec()),
        ..Evidence::default()
    }
}

fn decoded(text: &Json) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text.as_str().unwrap()).unwrap()
}

#[test]
fn the_attestation_service_is_given_all_of_the_evidence() {
    let stand_in = StandIn::start([Reply::json(200, &json!({"token": "e30.e30.AAAA"}))]);
    let maa = Maa::new(&stand_in.url(), None);
    assert_eq!(maa.token(&evidence(), Some("nonce")).unwrap(), "e30.e30.AAAA");
    let asked = stand_in.asked();
    let line = "POST /attest/SevSnpVm?api-version=2022-08-01 HTTP/1.1\r\n";
    assert!(asked[0].starts_with(line), "{}", asked[0]);
    let body = body(&asked[0]);
    let report: Json = serde_json::from_slice(&decoded(&body["report"])).unwrap();
    assert_eq!(decoded(&report["SnpReport"]), evidence().report);
    assert_eq!(decoded(&report["VcekCertChain"]), b"chain");
    let uvm: Json = serde_json::from_slice(&decoded(&report["Endorsements"])).unwrap();
    assert_eq!(decoded(&uvm["Uvm"][0]), b"uvm");
    assert_eq!(decoded(&body["runtimeData"]["data"]), b"{\"keys\":[]}");
    assert_eq!(body["runtimeData"]["dataType"], "JSON");
    assert_eq!(decoded(&body["initTimeData"]["data"]), b"package policy");
    assert_eq!(body["nonce"], "nonce");
}

#[test]
fn what_the_attestation_service_does_wrong_is_said() {
    let refused = json!({"error": {"code": "InvalidParameter", "message": "SNP report is bad"}});
    for (reply, words) in [
        (Reply::json(400, &refused), "400 Bad Request: InvalidParameter SNP report is bad"),
        (Reply::json(403, &json!({"error": {}})), "the answer is 403 Forbidden"),
        (Reply::Whole(503, "", Vec::new()), "the answer is 503 Service Unavailable"),
        (Reply::json(200, &json!({"token": "no token"})), "what it calls a token is none"),
        (Reply::json(200, &json!({"token": 1})), "no text \"token\""),
        (Reply::bytes(vec![b' '; 300 << 10]), "length limit exceeded"),
        (Reply::Hang, "no whole answer within 200 ms"),
        (Reply::Drip, "no whole answer within 200 ms"),
    ] {
        let stand_in = StandIn::start([reply]);
        let maa = Maa::with_deadline(&stand_in.url(), None, 200);
        let error = maa.token(&evidence(), None).unwrap_err().to_string();
        let place = format!("{}/attest/SevSnpVm: ", stand_in.url());
        assert!(error.starts_with(&place) && error.contains(words), "{error}");
        stand_in.asked();
    }
    let maa = Maa::new("https://maa.example", None);
    for (evidence, nonce, words) in [
        (Evidence { bound: None, ..evidence() }, None, "bound to JSON"),
        (Evidence { bound: Some(b"bytes".to_vec()), ..evidence() }, None, "bound to JSON"),
        (evidence(), Some("x".repeat(2_000)), "nonce"),
        (evidence(), None, "certificates to trust"),
    ] {
        let error = maa.token(&evidence, nonce.as_deref()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn recorded_evidence_comes_through_the_sidecar_as_it_is() {
    let (Some(report), Some(host)) =
        (recorded("aci-milan/snp_report.bin"), recorded("aci-milan/uvm_host_amd_certificate.json"))
    else {
        return;
    };
    let combined = json!({
        "evidence": STANDARD.encode(&report),
        "endorsements": STANDARD.encode(&host),
        "uvm_endorsements": "",
        "endorsed_tcb": "",
    });
    let stand_in = StandIn::start([Reply::json(200, &combined)]);
    let evidence = Sidecar::new(&stand_in.url()).evidence(b"bytes").unwrap();
    assert_eq!(evidence.report, report);
    assert_eq!(evidence.endorsed_tcb.as_deref(), Some("7308000000000003"));
    let report = affiant_attest::Report::parse(&report).unwrap();
    crate::platform::endorsements::signed(&report, &evidence.endorsements).unwrap();
    stand_in.asked();
}
