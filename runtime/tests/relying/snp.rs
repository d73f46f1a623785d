//! SEV-SNP evidence from end to end: a node whose hardware is a stand-in, with a chain that leads to a
//! root for tests. Everything else is as it is: the node, its TLS, the verifier.

use std::sync::Arc;

use affiant::Runtime;
use affiant::platform::{Attestor, PlatformError};
use affiant::relying::{
    Options, Outcome, Platform, Policy, ServiceVerdict, VerifiedClient, propose_policy,
    verify_service,
};
use affiant_attest::testing::Guest;
use affiant_attest::{Affiant, Attestation, Product};
use serde_json::{Value as Json, json};

use crate::http_support::{listener, settings, with_endpoints};
use crate::nodes::{failed, fresh, lax, outcome, url};
use crate::stand_in::{Service, answer, nonce_of, proxy, stranger};

/// Stands in for the firmware of a guest.
struct StandInHardware(Guest);

impl Attestor for StandInHardware {
    fn format(&self) -> &'static str {
        affiant::attest::FORMAT_SNP
    }

    fn provider(&self) -> &'static str {
        "stand-in"
    }

    fn attest(&self, bound: &[u8]) -> Result<Attestation, PlatformError> {
        let evidence = self.0.clone().bound(bound).build();
        Ok(Attestation::Snp(Box::new(evidence)))
    }
}

fn node(guest: Guest) -> Runtime {
    let mut settings = settings(&[]);
    settings.attestor = Arc::new(StandInHardware(guest));
    with_endpoints(Runtime::builder().node(settings))
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap()
}

fn policy(change: impl FnOnce(&mut Json)) -> Policy {
    let mut policy = json!({
        "measurements": ["3e".repeat(48)],
        "host_data": ["4d".repeat(32)],
        "minimum_tcb": {"Milan": {"boot_loader": 4, "tee": 1, "snp": 24, "microcode": 219}},
        "products": ["Milan"],
    });
    change(&mut policy);
    serde_json::from_value(policy).unwrap()
}

fn verify(runtime: &Runtime, policy: &Policy, options: &Options) -> ServiceVerdict {
    verify_service(&url(runtime), policy, options).unwrap()
}

#[test]
fn a_guest_that_the_policy_wants_is_trusted() {
    let runtime = node(Guest::new(Product::Milan));
    let strict = policy(|policy| policy["maximum_age_s"] = 60.into());
    let verdict = verify(&runtime, &strict, &fresh());
    assert!(verdict.is_trusted(), "{verdict}");
    assert_eq!(verdict.platform, Platform::Snp);
    for name in [
        "tls key",
        "statement",
        "nonce",
        "attested service",
        "tls certificate",
        "report signature",
        "minimum tcb",
        "measurement",
        "host data",
        "binding",
        "age",
    ] {
        assert_eq!(outcome(&verdict, name), Outcome::Passed, "{name}");
    }
    // The root is for tests, and says so.
    assert_eq!(outcome(&verdict, "root"), Outcome::Warned);
    assert!(verdict.summary().starts_with("Trusted: the connection to https://"), "{verdict}");
    let proved = verdict.proved().join(" ");
    assert!(proved.contains("AMD's hardware") && proved.contains("not replayed"), "{proved}");
    let open = verdict.not_proved().join(" ");
    assert!(open.contains("no service certificate") && open.contains("rolled back"), "{open}");
    // Without a nonce: bound to the key alone, of no known age.
    let verdict = verify(&runtime, &policy(|_| {}), &Options::default());
    assert!(verdict.is_trusted(), "{verdict}");
    assert_eq!(outcome(&verdict, "tls key"), Outcome::Passed);
    assert_eq!(failed(&verify(&runtime, &strict, &Options::default())), ["age"]);
    let mut client = VerifiedClient::connect(&url(&runtime), strict, fresh(), None).unwrap();
    assert_eq!(client.request("GET", "/app/plain", &[], b"", None).unwrap().body, b"hello");
}

/// A change to a policy in JSON.
type Change = fn(&mut Json);

#[test]
fn what_the_policy_does_not_want_is_named() {
    let runtime = node(Guest::new(Product::Milan));
    let cases: [(&str, Change); 6] = [
        ("measurement", |policy| policy["measurements"] = json!(["00".repeat(48)])),
        ("host data", |policy| policy["host_data"] = json!([])),
        ("minimum tcb", |policy| policy["minimum_tcb"]["Milan"]["snp"] = 25.into()),
        ("product", |policy| policy["products"] = json!(["Genoa"])),
        ("vmpl", |policy| policy["vmpl"] = 1.into()),
        ("policy text", |policy| policy["policy_text"] = json!({"required": true})),
    ];
    for (name, change) in cases {
        let verdict = verify(&runtime, &policy(change), &fresh());
        assert_eq!(failed(&verdict), [name]);
    }
    // Virtual evidence is another thing, and naming it accepts no guest.
    assert_eq!(failed(&verify(&runtime, &lax(), &fresh())), ["measurement", "host data"]);
    let debug = node(Guest::new(Product::Milan).policy(1 << 19 | 1 << 17 | 31));
    assert_eq!(failed(&verify(&debug, &policy(|_| {}), &fresh())), ["debug"]);
}

#[test]
fn the_text_of_a_container_policy_is_read_however_the_evidence_was_made() {
    let text =
        b"package policy\n\napi_version := \"0.10.0\"\n\ncreate_container := {\"allowed\": true}\n";
    let runtime = node(Guest::new(Product::Milan).policy_text(text));
    let accepting = |action: Option<&str>| {
        let findings: serde_json::Map<String, Json> = affiant_attest::text::RULES
            .iter()
            .filter_map(|rule| Some((rule.name.to_owned(), action?.into())))
            .collect();
        policy(|policy| {
            policy["host_data"] = "any".into();
            policy["policy_text"] = json!({"required": true, "findings": findings});
        })
    };
    for options in [Options::default(), fresh()] {
        let verdict = verify(&runtime, &accepting(None), &options);
        assert_eq!(failed(&verdict), ["policy rules"]);
        assert!(verdict.to_string().contains("allow_all: create_container"), "{verdict}");
        let warned = verify(&runtime, &accepting(Some("warn")), &options);
        assert!(warned.is_trusted(), "{warned}");
        assert_eq!(outcome(&warned, "policy rules"), Outcome::Warned);
        assert!(verify(&runtime, &accepting(Some("ignore")), &options).is_trusted());
    }
}

#[test]
fn a_proxy_before_a_guest_is_refused_for_its_key() {
    let runtime = node(Guest::new(Product::Milan));
    let proxy = format!("https://{}", proxy(&stranger("proxy"), &runtime));
    let verdict = verify_service(&proxy, &policy(|_| {}), &fresh()).unwrap();
    assert_eq!(failed(&verdict), ["tls key", "tls certificate"]);
    for name in ["nonce", "binding", "report signature", "measurement"] {
        assert_eq!(outcome(&verdict, name), Outcome::Passed, "{name}");
    }
    let plain = verify_service(&proxy, &policy(|_| {}), &Options::default()).unwrap();
    assert_eq!(failed(&plain), ["tls key", "tls certificate", "binding"]);
}

#[test]
fn every_kind_of_processor_is_proposed_for_and_then_accepted() {
    for product in Product::ALL {
        let runtime = node(Guest::new(product));
        let proposal = propose_policy(&url(&runtime), &fresh()).unwrap();
        assert!(proposal.verdict.is_trusted(), "{}", proposal.verdict);
        assert!(proposal.words[0].contains("trusts on first use"), "{:?}", proposal.words);
        let policy: Policy = serde_json::from_str(&proposal.json).unwrap();
        assert!(verify(&runtime, &policy, &fresh()).is_trusted());
        let other = node(Guest::new(product).measurement([0x3f; 48]));
        assert_eq!(failed(&verify(&other, &policy, &fresh())), ["measurement"]);
        let words = proposal.words.join("\n");
        let fields: Json = serde_json::from_str(&proposal.json).unwrap();
        for field in fields.as_object().unwrap().keys() {
            assert!(words.contains(&format!("{field}: ")), "{field}: {words}");
        }
    }
    // No policy is proposed for a guest whose memory the host may read.
    let debug = node(Guest::new(Product::Milan).policy(1 << 19 | 1 << 17 | 31));
    let proposal = propose_policy(&url(&debug), &fresh()).unwrap();
    assert_eq!(failed(&proposal.verdict), ["debug"]);
}

#[test]
fn evidence_that_was_changed_on_the_way_is_refused() {
    let service = Service::new("service");
    let node = service.node();
    // Offsets in the report: within the signed part, within the signature.
    for position in [0x34, 0x50, 0x90, 0xc0, 0x188, 0x1a0, 0x2a0, 0x2e8] {
        let network = service.network();
        let statement = service.statement(Affiant::Node, &node, b"");
        let address = answer(&node, move |target| {
            if target == "/node/network" {
                return Some(network.clone());
            }
            let mut stated = affiant_attest::Statement::parse(&statement).unwrap();
            stated.bound = nonce_of(target);
            let bound = stated.to_bytes().unwrap();
            let mut evidence = Guest::new(Product::Milan).bound(&bound).build();
            evidence.report[position] ^= 1;
            serde_json::from_str(&Attestation::Snp(Box::new(evidence)).to_json()).ok()
        });
        let verdict =
            verify_service(&format!("https://{address}"), &policy(|_| {}), &fresh()).unwrap();
        let names = failed(&verdict);
        let wanted = if position == 0x34 { "report" } else { "report signature" };
        assert!(names.contains(&wanted), "{position:#x}: {names:?}");
    }
}
