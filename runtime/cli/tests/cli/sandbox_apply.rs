//! `affiant sandbox --apply`: a service set up by proposals, as its users see it.

use std::fs;
use std::path::{Path, PathBuf};

use affiant::crypto::MemberIdentity;
use affiant_proof::Certificate;
use serde_json::{Value as Json, json};
use tempfile::TempDir;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::https::Client;
use crate::process::Running;
use crate::support::{affiant, repository, text};

const ANY_PORT: &str = "local://127.0.0.1:0";

/// A directory with proposals, in which sandboxes are started.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn common(&self, name: &str) -> PathBuf {
        self.path("workspace/sandbox_common").join(name)
    }

    /// Writes a proposal of these actions; returns its path.
    fn proposal(&self, name: &str, actions: &[(&str, Json)]) -> String {
        let actions: Vec<Json> =
            actions.iter().map(|(name, args)| json!({"name": name, "args": args})).collect();
        let path = self.path(name);
        fs::write(&path, json!({"actions": actions}).to_string()).unwrap();
        text(&path).to_owned()
    }

    /// An identity for [`Client`], put where the sandbox's are.
    fn identity(&self, name: &str) -> MemberIdentity {
        let identity = MemberIdentity::generate(name, true).unwrap();
        fs::create_dir_all(self.common("")).unwrap();
        let put = |suffix: &str, pem: &str| {
            fs::write(self.common(&format!("{name}_{suffix}.pem")), pem).unwrap();
        };
        put("cert", &identity.certificate_pem);
        put("privk", &identity.key_pem);
        identity
    }

    fn start(&self, arguments: &[&str]) -> (Running, Client) {
        let all = [&["sandbox", "--node", ANY_PORT][..], arguments].concat();
        let mut sandbox = Running::start(self.directory.path(), &all);
        let node = sandbox.line("Node [0] = https://");
        let address = node.split("https://").nth(1).unwrap().trim().to_owned();
        sandbox.line("Press Ctrl+C");
        (sandbox, Client { address, common: self.common(""), identity: Some("user0") })
    }

    /// What a sandbox that does not start says.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let workspace = self.path("workspace");
        let fixed = ["sandbox", "--node", ANY_PORT, "--workspace", text(&workspace)];
        affiant(&[&fixed[..], arguments].concat()).expect(1).stderr
    }
}

fn app(source: &str) -> Json {
    let endpoint = |function: &str, policies: Json| {
        json!({"js_module": "a.js", "js_function": function, "mode": "readwrite",
            "forwarding_required": "never", "authn_policies": policies})
    };
    json!({"bundle": {
        "metadata": {"endpoints": {
            "/who": {"get": endpoint("who", json!(["user_cert"]))},
            "/loop": {"get": endpoint("loop", json!(["no_auth"]))},
        }},
        "modules": [{"name": "a.js", "module": source}],
    }})
}

const SOURCE: &str = "
    export function who(request) {
      return { body: { id: request.caller.id, data: request.caller.data } };
    }
    export function loop(request) { for (;;) {} }";

#[test]
fn users_and_the_app_come_from_proposals() {
    let place = Place::new();
    let new = place.identity("user7");
    let users = place.proposal(
        "users.json",
        &[("set_user", json!({"cert": new.certificate_pem, "user_data": {"role": "clerk"}}))],
    );
    let data = place.proposal(
        "data.json",
        &[("set_user_data", json!({"user_id": new.id, "user_data": {"role": "chief"}}))],
    );
    let deploy = place.proposal("app.json", &[("set_js_app", app(SOURCE))]);

    let (mut sandbox, client) = place.start(&["--apply", &deploy]);
    assert!(sandbox.seen.join("\n").contains("2 endpoints"), "{:?}", sandbox.seen);
    let user7 = Client { identity: Some("user7"), ..client };
    user7.get("/app/who").expect(401);
    sandbox.stop();

    let arguments = ["--apply", &deploy, "--apply", &users, "--apply", &data];
    let (mut sandbox, client) = place.start(&arguments);
    let printed = sandbox.seen.join("\n");
    assert!(printed.contains("Applied    3 proposals"), "{printed}");
    let user7 = Client { identity: Some("user7"), ..client };
    let answer: Json = serde_json::from_slice(&user7.get("/app/who").expect(200).body).unwrap();
    assert_eq!(answer, json!({"id": new.id, "data": {"role": "chief"}}));
    let user0 = Client { identity: Some("user0"), ..user7 };
    user0.get("/app/who").expect(200);
    sandbox.stop();

    // A later start continues with what the proposals wrote, and may apply more.
    let remove = place.proposal("remove.json", &[("remove_user", json!({"user_id": new.id}))]);
    let (mut sandbox, client) = place.start(&["--resume", "--apply", &remove]);
    client.get("/app/who").expect(200);
    Client { identity: Some("user7"), ..client }.get("/app/who").expect(401);
    sandbox.stop();
}

#[test]
fn a_proposed_app_goes_before_the_given_one_and_options_take_effect() {
    let place = Place::new();
    let example = repository().join("examples/logging");
    let options = place.proposal(
        "options.json",
        &[
            ("set_js_app", app(SOURCE)),
            (
                "set_js_runtime_options",
                json!({"max_heap_bytes": 10_000_000, "max_stack_bytes": 1_000_000,
                    "max_execution_time_ms": 100, "return_exception_details": false}),
            ),
        ],
    );
    let (mut sandbox, client) = place.start(&["--app", text(&example), "--apply", &options]);
    client.get("/app/who").expect(200);
    client.get("/app/log/public/count").expect(404);
    let slow = client.get("/app/loop").expect(500);
    assert!(slow.text().contains("Operation took too long to complete."), "{}", slow.text());
    assert!(!slow.text().contains("JSException"), "{}", slow.text());
    sandbox.stop();
    // The options stay with the service; a field that they leave open is the sandbox's.
    let (mut sandbox, client) = place.start(&["--resume"]);
    assert!(!client.get("/app/loop").expect(500).text().contains("JSException"));
    sandbox.stop();
    let options = place.proposal(
        "options.json",
        &[(
            "set_js_runtime_options",
            json!({"max_heap_bytes": 10_000_000, "max_stack_bytes": 1_000_000,
                "max_execution_time_ms": 100}),
        )],
    );
    let (mut sandbox, client) = place.start(&["--resume", "--apply", &options]);
    assert!(client.get("/app/loop").expect(500).text().contains("JSException"));
    sandbox.stop();
}

#[test]
fn a_proposal_that_fails_stops_the_start_with_file_action_and_reason() {
    let place = Place::new();
    let first = place.proposal("first.json", &[("remove_js_app", json!(null))]);
    let cases = [
        (vec![("dance", json!({}))], "(dance)", "there is no such action"),
        (vec![("set_user", json!({"cert": "x"}))], "(set_user)", "cert is no PEM certificate"),
        (
            vec![
                ("trigger_ledger_chunk", json!(null)),
                ("set_user_data", json!({"user_id": "00".repeat(32), "user_data": {}})),
            ],
            "action 1 (set_user_data)",
            "there is no user",
        ),
        (
            vec![("trigger_snapshot", json!(null))],
            "(trigger_snapshot)",
            "does not support snapshots",
        ),
    ];
    for (actions, action, reason) in cases {
        let second = place.proposal("second.json", &actions);
        let words = place.refused(&["--apply", &first, "--apply", &second]);
        for needle in ["second.json", action, reason] {
            assert!(words.contains(needle), "{words}");
        }
        assert!(!words.contains("first.json"), "{words}");
    }
    fs::write(place.path("broken.json"), "{").unwrap();
    let broken = place.path("broken.json");
    assert!(place.refused(&["--apply", text(&broken)]).contains("broken.json: not JSON"));
    fs::write(&broken, r#"{"metadata": {}, "modules": []}"#).unwrap();
    assert!(place.refused(&["--apply", text(&broken)]).contains("no proposal"));
    let missing = place.path("missing.json");
    assert!(place.refused(&["--apply", text(&missing)]).contains("missing.json"));
    affiant(&["sandbox"]).expect(2);
}

#[test]
fn another_constitution_governs_if_it_is_given() {
    let place = Place::new();
    let directory = place.path("constitution");
    fs::create_dir(&directory).unwrap();
    let put = |name: &str, source: &str| fs::write(directory.join(name), source).unwrap();
    put(
        "greet.js",
        "actions.set('greet', new Action(
           (args) => checkType(args.name, 'string', 'name'),
           (args) => {
             console.log('hello', args.name);
             ccf.kv['public:greetings'].set(ccf.strToBuf('last'), ccf.strToBuf(args.name));
           }));",
    );
    let greet = place.proposal("greet.json", &[("greet", json!({"name": "Ada"}))]);
    let source = SOURCE.replace(
        "export function loop(request) { for (;;) {} }",
        "export function loop(request) {
           return { body: ccf.bufToStr(ccf.kv['public:greetings'].get(ccf.strToBuf('last'))) };
         }",
    );
    let deploy = place.proposal("app.json", &[("set_js_app", app(&source))]);
    let given = ["--constitution-dir", text(&directory), "--apply", &deploy, "--apply", &greet];
    let (mut sandbox, client) = place.start(&given);
    assert!(sandbox.seen.join("\n").contains("[gov] hello Ada"), "{:?}", sandbox.seen);
    assert_eq!(client.get("/app/loop").expect(200).text(), "Ada");
    sandbox.stop();
    let words = place.refused(&["--apply", &greet]);
    assert!(words.contains("no such action"), "{words}");

    put("apply.js", "export function apply(proposal) {}");
    let words = place.refused(&given);
    assert!(words.contains("constitution") && words.contains("apply takes 1"), "{words}");

    let whole = place.path("whole.js");
    fs::write(
        &whole,
        "export function validate(input) { return { valid: false, description: 'never' }; }
         export function resolve(proposal, proposerId, votes) { return 'Rejected'; }
         export function apply(proposal, proposalId) {}",
    )
    .unwrap();
    let words = place.refused(&["--constitution", text(&whole), "--apply", &greet]);
    assert!(words.contains("greet.json (greet)") && words.contains("never"), "{words}");
}

#[test]
fn identities_that_are_there_are_used() {
    let place = Place::new();
    let (member, user) = (place.identity("member0"), place.identity("user0"));
    let deploy = place.proposal("app.json", &[("set_js_app", app(SOURCE))]);
    for _ in 0..2 {
        let (mut sandbox, client) = place.start(&["--apply", &deploy]);
        let answer: Json =
            serde_json::from_slice(&client.get("/app/who").expect(200).body).unwrap();
        assert_eq!(answer["id"], user.id);
        let kept = fs::read_to_string(place.common("member0_cert.pem")).unwrap();
        assert_eq!(kept, member.certificate_pem);
        assert!(place.common("member0_enc_pubk.pem").is_file());
        sandbox.stop();
    }
    place.identity("user1");
    fs::copy(place.common("user1_privk.pem"), place.common("user0_privk.pem")).unwrap();
    let words = place.refused(&["--apply", &deploy]);
    assert!(words.contains("user0_cert.pem") && words.contains("is not its key"), "{words}");
}

#[test]
fn renewed_certificates_are_shown_to_clients() {
    let place = Place::new();
    let deploy = place.proposal("app.json", &[("set_js_app", app(SOURCE))]);
    let hour = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap() - Duration::hours(1);
    let valid_from = hour.format(&Rfc3339).unwrap();
    let renew = place.proposal(
        "renew.json",
        &[(
            "set_all_nodes_certificate_validity",
            json!({"valid_from": valid_from, "validity_period_days": 7}),
        )],
    );
    let expected = u64::try_from(hour.unix_timestamp()).unwrap();
    let not_before =
        |client: &Client| Certificate::from_der(&client.certificate()).unwrap().not_before();
    let (mut sandbox, client) = place.start(&["--apply", &deploy]);
    assert!(not_before(&client) > expected);
    sandbox.stop();
    for more in [&["--resume", "--apply", &renew][..], &["--resume"]] {
        let (mut sandbox, client) = place.start(more);
        assert_eq!(not_before(&client), expected, "{more:?}");
        client.get("/app/who").expect(200);
        sandbox.stop();
    }
}

#[test]
fn help_explains_proposals() {
    let help = affiant(&["sandbox", "--help"]).expect(0).stdout;
    for needle in ["--apply <FILE>", "--constitution-dir <DIR>", "set_js_app", "actions.js"] {
        assert!(help.contains(needle), "{help}");
    }
    assert!(Path::new(&repository().join("docs/governance.md")).is_file());
}
