//! The constitution that a service begins with: every action of reference F.3 applied to a node, and
//! the rows it leaves (G.2); and a constitution in another hand's style.

use std::collections::BTreeSet;
use std::sync::Arc;

use affiant::RuntimeError;
use affiant::crypto::{CertificateRequest, Curve, MemberIdentity, SigningKey, SubjectName};
use affiant::governance::{
    Ballot, Constitution as _, DEFAULT_CONSTITUTION, Governance, Resolution, Vote, proposal_id,
};
use affiant::hosting::AppBundle;
use affiant::node::{NewMember, Node, NodeSettings};
use affiant::tables::{self, NodeRow, RecoveryShares, ServiceInfo, ServiceStatus};
use affiant_js::JsConstitution;
use affiant_kv::{CommitOutcome, MapName, Tx};
use affiant_proof::Certificate;
use affiant_proof::entry::SINGLETON_KEY;
use serde_json::{Value as Json, json};

/// A service of one node and the members `member0` to `member2`, who hold shares.
struct Service {
    node: Arc<Node>,
    governance: Governance,
    members: Vec<MemberIdentity>,
}

fn quiet() -> JsConstitution {
    JsConstitution::with_log(Arc::new(|_, _, _| {}))
}

impl Service {
    fn start() -> Self {
        Self::of(|_| {})
    }

    fn of(change: impl FnOnce(&mut NodeSettings)) -> Self {
        let members: Vec<MemberIdentity> = (0..3)
            .map(|number| MemberIdentity::generate(&format!("member{number}"), true).unwrap())
            .collect();
        let mut settings = NodeSettings::in_memory();
        settings.service.config.recovery_threshold = 2;
        settings.service.members = members
            .iter()
            .map(|member| NewMember {
                certificate_pem: member.certificate_pem.clone(),
                encryption_public_key_pem: member.encryption.as_ref().map(|(pem, _)| pem.clone()),
                ..NewMember::default()
            })
            .collect();
        change(&mut settings);
        let node = Node::start(settings).unwrap();
        let governance = Governance::new(node.clone(), Arc::new(quiet()));
        Self { node, governance, members }
    }

    /// Proposes one action and applies it.
    fn enact(&self, name: &str, args: &Json) -> Result<(), String> {
        let proposal = json!({"actions": [{"name": name, "args": args}]}).to_string();
        self.governance.enact(&proposal).map(drop).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn done(&self, name: &str, args: Json) {
        self.enact(name, &args).unwrap_or_else(|fault| panic!("{name} {args}: {fault}"));
    }

    #[track_caller]
    fn refused(&self, name: &str, args: Json, why: &str) {
        let fault = self.enact(name, &args).expect_err(name);
        assert!(fault.contains(&format!("action 0 ({name})")), "{fault}");
        assert!(fault.contains(why), "{name} {args}: {fault}");
    }

    fn raw(&self, table: &str, key: impl AsRef<[u8]>) -> Option<Vec<u8>> {
        let table = format!("public:ccf.gov.{table}");
        self.node.snapshot().get(&table, key.as_ref()).map(|value| value.to_vec())
    }

    fn text(&self, table: &str, key: impl AsRef<[u8]>) -> Option<String> {
        self.raw(table, key).map(|value| String::from_utf8(value).unwrap())
    }

    fn row(&self, table: &str, key: impl AsRef<[u8]>) -> Option<Json> {
        self.raw(table, key).map(|value| serde_json::from_slice(&value).unwrap())
    }

    fn single(&self, table: &str) -> Option<Json> {
        self.row(table, SINGLETON_KEY)
    }

    fn write(&self, run: impl FnOnce(&mut Tx)) {
        let mut tx = self.node.begin();
        run(&mut tx);
        assert!(matches!(self.node.commit(tx), CommitOutcome::Sequenced(_)));
    }

    fn put(&self, table: &str, key: impl AsRef<[u8]>, row: &Json) {
        let table = MapName::new(&format!("public:ccf.gov.{table}")).unwrap();
        self.write(|tx| tx.put(&table, key.as_ref(), row.to_string().as_bytes()).unwrap());
    }

    fn cert(&self) -> String {
        self.node.service().unwrap().cert
    }
}

const NOBODY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

#[test]
fn it_is_what_a_service_begins_with_and_it_is_a_constitution() {
    let service = Service::start();
    assert_eq!(service.single("constitution"), Some(json!(*DEFAULT_CONSTITUTION)));
    assert_eq!(quiet().check(&DEFAULT_CONSTITUTION), Ok(()));
}

#[test]
fn members_and_users() {
    let service = Service::start();
    let new = MemberIdentity::generate("member3", true).unwrap();
    let (key, _) = new.encryption.as_ref().unwrap();
    service.done(
        "set_member",
        json!({"cert": new.certificate_pem, "encryption_pub_key": key,
            "member_data": {"is_operator": true}, "recovery_role": "Owner"}),
    );
    assert_eq!(service.text("members.certs", &new.id).unwrap(), new.certificate_pem);
    assert_eq!(service.text("members.encryption_public_keys", &new.id).as_ref(), Some(key));
    let info = json!({"member_data": {"is_operator": true}, "recovery_role": "Owner",
        "status": "Accepted"});
    assert_eq!(service.row("members.info", &new.id), Some(info));
    let acknowledged = service.row("members.acks", &new.id).unwrap();
    let root = acknowledged["state_digest"].as_str().unwrap();
    assert_eq!(root.len(), 64, "a signature was there: {acknowledged}");

    service.done("set_member_data", json!({"member_id": new.id, "member_data": null}));
    let info = json!({"recovery_role": "Owner", "status": "Accepted"});
    assert_eq!(service.row("members.info", &new.id), Some(info));
    service.refused(
        "set_member_data",
        json!({"member_id": NOBODY, "member_data": {}}),
        "no member",
    );

    service.done("set_member", json!({"cert": new.certificate_pem}));
    assert_eq!(service.raw("members.encryption_public_keys", &new.id), None);
    assert_eq!(service.row("members.info", &new.id), Some(json!({"status": "Accepted"})));
    service.done("remove_member", json!({"member_id": new.id.to_uppercase()}));
    for table in ["certs", "encryption_public_keys", "info", "acks"] {
        assert_eq!(service.raw(&format!("members.{table}"), &new.id), None, "{table}");
    }
    service.done("remove_member", json!({"member_id": NOBODY}));
    // An active member's share: worth something until there is another ledger secret.
    let member = &service.members[0].id;
    service.refused("remove_member", json!({"member_id": member}), "ledger rekey");
    assert!(service.raw("members.certs", member).is_some());
    service.done("set_recovery_threshold", json!({"recovery_threshold": 3}));
    service.refused("remove_member", json!({"member_id": member}), "3 are needed to recover");

    let user = MemberIdentity::generate("user0", false).unwrap();
    service.done("set_user", json!({"cert": user.certificate_pem, "user_data": {"role": "clerk"}}));
    assert_eq!(service.text("users.certs", &user.id).unwrap(), user.certificate_pem);
    let data = json!({"user_data": {"role": "clerk"}});
    assert_eq!(service.row("users.info", &user.id), Some(data));
    service.done("set_user_data", json!({"user_id": user.id, "user_data": {"role": "chief"}}));
    let data = json!({"user_data": {"role": "chief"}});
    assert_eq!(service.row("users.info", &user.id), Some(data));
    service.done("set_user_data", json!({"user_id": user.id}));
    assert_eq!(service.raw("users.info", &user.id), None);
    service.refused("set_user_data", json!({"user_id": NOBODY, "user_data": {}}), "no user");
    service.done("remove_user", json!({"user_id": user.id}));
    assert_eq!(service.raw("users.certs", &user.id), None);

    for (name, args, why) in [
        ("set_member", json!({"cert": "x"}), "cert is no PEM certificate"),
        ("set_member", json!(null), "args is missing"),
        (
            "set_member",
            json!({"cert": new.certificate_pem, "encryption_pub_key": "x"}),
            "PEM public",
        ),
        ("set_member", json!({"cert": new.certificate_pem, "recovery_role": "Owner"}), "goes with"),
        ("set_user", json!({"cert": user.certificate_pem, "user_data": 7}), "of type object"),
        ("remove_user", json!({"user_id": "me"}), "64 hexadecimal digits"),
        ("set_user_data", json!([]), "args must be of type object, not array"),
    ] {
        service.refused(name, args, why);
    }
}

#[test]
fn the_service() {
    let service = Service::start();
    let shares = || -> RecoveryShares {
        tables::read_single(&service.node.snapshot(), &tables::RECOVERY_SHARES).unwrap()
    };
    let before = shares();
    service.done("trigger_recovery_shares_refresh", json!(null));
    let refreshed = shares();
    assert_ne!(refreshed.wrapped_latest_ledger_secret, before.wrapped_latest_ledger_secret);
    assert_eq!(refreshed.encrypted_shares.len(), 3);

    let threshold = || service.single("service.config").unwrap()["recovery_threshold"].clone();
    service.done("set_recovery_threshold", json!({"recovery_threshold": 3}));
    assert_eq!(threshold(), 3);
    assert_ne!(shares().encrypted_shares, refreshed.encrypted_shares);
    service.refused("set_recovery_threshold", json!({"recovery_threshold": 4}), "only 3 active");
    service.refused("set_recovery_threshold", json!({"recovery_threshold": 0}), "the least is 1");
    service.refused(
        "set_recovery_threshold",
        json!({"recovery_threshold": 255}),
        "the most is 254",
    );
    service.refused("set_recovery_threshold", json!({"recovery_threshold": 1.5}), "type integer");

    let args = json!({"recovery_threshold": 1, "recent_cose_proposals_window_size": 7,
        "reconfiguration_type": "OneTransaction"});
    service.done("set_service_configuration", args);
    let config = service.single("service.config").unwrap();
    assert_eq!(config["recovery_threshold"], 1);
    assert_eq!(config["recent_cose_proposals_window_size"], 7);
    assert_eq!(config["reconfiguration_type"], "OneTransaction");
    assert_eq!(config["maximum_node_certificate_validity_days"], 365);
    service.refused(
        "set_service_configuration",
        json!({"consensus": "BFT"}),
        "cannot be configured",
    );

    let whole = service.cert();
    service.done("assert_service_identity", json!({"service_identity": whole}));
    let other = &service.members[0].certificate_pem;
    service.refused("assert_service_identity", json!({"service_identity": other}), "is not");

    let args = json!({"valid_from": "2026-01-31T12:00:00Z", "validity_period_days": 10});
    service.done("set_service_certificate_validity", args);
    let renewed = Certificate::from_pem(&service.cert()).unwrap();
    let first = Certificate::from_pem(&whole).unwrap();
    assert_eq!(renewed.public_key(), first.public_key());
    assert_eq!((renewed.not_before(), renewed.not_after()), (1_769_860_800, 1_770_724_799));
    let row: ServiceInfo = service.node.service().unwrap();
    assert_eq!((row.status, row.recovery_count), (ServiceStatus::Open, 0));
    for (args, why) in [
        (json!({"valid_from": "today"}), "must be a moment"),
        (json!({"valid_from": "260131120000Z", "validity_period_days": 366}), "the most is 365"),
        (json!({"valid_from": "260131120000Z", "validity_period_days": 0}), "the least is 1"),
    ] {
        service.refused("set_service_certificate_validity", args, why);
    }

    service.done("trigger_ledger_chunk", json!(null));
    let args = json!({"next_service_identity": service.cert()});
    service.done("transition_service_to_open", args);
    service.refused("trigger_ledger_rekey", json!(null), "does not support ledger rekey");
    service.refused("trigger_snapshot", json!(null), "does not support snapshots");
    service.refused("trigger_ledger_chunk", json!({}), "takes no args");

    let constitution =
        "export function validate(input) { return {valid: false, description: 'ours'} }
        export function resolve(proposal, proposerId, votes) {}
        export function apply(proposal, proposalId) {}";
    service.put("proposals_info", "aa", &json!({"proposer_id": "m", "state": "Open"}));
    service.put("proposals_info", "bb", &json!({"proposer_id": "m", "state": "Rejected"}));
    service.refused("set_constitution", json!({"constitution": "export"}), "SyntaxError");
    service.done("set_constitution", json!({"constitution": constitution}));
    assert_eq!(service.single("constitution"), Some(json!(constitution)));
    assert_eq!(service.row("proposals_info", "aa").unwrap()["state"], "Dropped");
    assert_eq!(service.row("proposals_info", "bb").unwrap()["state"], "Rejected");
    // The one in force is the one in the tables.
    assert!(service.enact("trigger_ledger_chunk", &json!(null)).unwrap_err().ends_with("ours"));
}

#[test]
fn opening_by_proposal() {
    let service = Service::of(|settings| settings.service.open = false);
    assert_eq!(service.node.service_status(), Some(ServiceStatus::Opening));
    let other = &service.members[0].certificate_pem;
    let args = json!({"next_service_identity": other});
    service.refused("transition_service_to_open", args, "not the certificate of this service");
    let args = json!({"next_service_identity": service.cert(), "previous_service_identity": other});
    service.refused("transition_service_to_open", args, "recovered service");
    service.refused("transition_service_to_open", json!({}), "next_service_identity is missing");
    service.refused("trigger_recovery_shares_refresh", json!(null), "this one is Opening");
    service.done("transition_service_to_open", json!({"next_service_identity": service.cert()}));
    assert_eq!(service.node.service_status(), Some(ServiceStatus::Open));
    let mut recovering = service.single("service.info").unwrap();
    recovering["status"] = json!("Recovering");
    service.put("service.info", SINGLETON_KEY, &recovering);
    let args = json!({"next_service_identity": service.cert()});
    service.refused("transition_service_to_open", args, "previous_service_identity is missing");
}

#[test]
fn an_application_in_python() {
    let service = Service::start();
    let endpoint = json!({"py_module": "orders.py", "py_function": "app", "py_interface": "asgi",
        "authn_policies": ["user_cert"]});
    let manifest = json!({"language": "python", "wheels": []});
    let bundle = |endpoint: &Json, manifest: &Json| {
        json!({"bundle": {"metadata": {"endpoints": {"/*": {"*": endpoint}, "/x": {"get": endpoint}}},
            "modules": [{"name": "orders.py", "module": "app = 1\n"}], "manifest": manifest}})
    };
    service.done("set_python_app", bundle(&endpoint, &manifest));
    assert_eq!(service.text("modules", "/orders.py").as_deref(), Some("app = 1\n"));
    let mut stored = endpoint.clone();
    stored["py_module"] = json!("/orders.py");
    for key in ["* /*", "GET /x"] {
        assert_eq!(service.row("endpoints", key).as_ref(), Some(&stored), "{key}");
    }
    assert_eq!(service.single("affiant.app_manifest"), Some(manifest.clone()));
    assert_eq!(service.single("interpreter.flush"), Some(json!(true)));
    // What the tables hold is what the action was given.
    let proposal = json!({"actions": [
        {"name": "set_python_app", "args": bundle(&endpoint, &manifest)},
    ]});
    let proposed = AppBundle::from_json(&proposal.to_string(), "proposal.json").unwrap();
    let read = AppBundle::read(&service.node.snapshot()).unwrap().unwrap();
    assert!(read.is_same_app(&proposed));
    assert_eq!(read.endpoints().unwrap(), proposed.endpoints().unwrap());

    let changed = |field: &str, value: Json| {
        let mut endpoint = endpoint.clone();
        endpoint[field] = value;
        bundle(&endpoint, &manifest)
    };
    let huge = json!({"padding": "x".repeat(affiant::limits::MANIFEST_BYTES_MAX)});
    for (args, why) in [
        (json!({}), "bundle is missing"),
        (changed("py_module", json!("b.py")), "b.py is not among the modules"),
        (changed("py_function", json!(null)), "py_function is missing"),
        (changed("py_interface", json!("cgi")), "handler, wsgi, asgi"),
        (changed("mode", json!("sideways")), "readwrite, readonly, historical"),
        (changed("respond", json!("soon")), "committed, early, receipt"),
        (changed("forwarding_required", json!(7)), "sometimes, always, never"),
        (changed("authn_policies", json!(null)), "authn_policies is missing"),
        (changed("js_module", json!("a.js")), "a bundle has one language"),
        (bundle(&endpoint, &json!([])), "bundle.manifest must be of type object"),
        (bundle(&endpoint, &huge), "the most is 1048576"),
    ] {
        service.refused("set_python_app", args, why);
    }
    // An app in JavaScript has no manifest, and no app has one either.
    let script = json!({"js_module": "a.js", "js_function": "f", "mode": "readonly",
        "forwarding_required": "never", "authn_policies": ["no_auth"]});
    let script = json!({"metadata": {"endpoints": {"/x": {"get": script}}},
        "modules": [{"name": "a.js", "module": "export function f() {}\n"}]});
    service.done("set_js_app", json!({"bundle": script}));
    assert_eq!(service.raw("affiant.app_manifest", SINGLETON_KEY), None);
    assert_eq!(service.raw("modules", "/orders.py"), None);
    for remove in ["remove_python_app", "remove_js_app"] {
        service.done("set_python_app", bundle(&endpoint, &manifest));
        service.done(remove, json!(null));
        assert_eq!(service.raw("affiant.app_manifest", SINGLETON_KEY), None);
        assert_eq!(AppBundle::read(&service.node.snapshot()).unwrap(), None);
    }
    service.done("set_python_app", bundle(&endpoint, &json!(null)));
    assert_eq!(service.raw("affiant.app_manifest", SINGLETON_KEY), None);
}

#[test]
fn the_application() {
    let service = Service::start();
    let endpoint = json!({"js_module": "src/a.js", "js_function": "f", "mode": "readonly",
        "forwarding_required": "never", "authn_policies": ["no_auth", {"all_of": ["user_cert"]}],
        "openapi": {"summary": "x"}, "our_own": 1});
    let bundle = |endpoint: &Json, source: &str| {
        json!({"metadata": {"endpoints": {"/x/{id}": {"get": endpoint, "PUT": endpoint}}},
            "modules": [{"name": "src/a.js", "module": source}]})
    };
    let source = "export function f() {}\n";
    service.put("modules", "/old.js", &json!("old"));
    service.done("set_js_app", json!({"bundle": bundle(&endpoint, source)}));
    assert_eq!(service.text("modules", "/src/a.js").as_deref(), Some(source));
    assert_eq!(service.raw("modules", "/old.js"), None);
    let mut stored = endpoint.clone();
    stored["js_module"] = json!("/src/a.js");
    for key in ["GET /x/{id}", "PUT /x/{id}"] {
        assert_eq!(service.row("endpoints", key).as_ref(), Some(&stored), "{key}");
    }
    assert_eq!(service.single("interpreter.flush"), Some(json!(true)));
    service.done("refresh_js_app_bytecode_cache", json!(null));

    let broken = bundle(&endpoint, "export function f( {");
    service.refused("set_js_app", json!({"bundle": broken}), "SyntaxError");
    assert_eq!(service.text("modules", "/src/a.js").as_deref(), Some(source));
    service.done("set_js_app", json!({"bundle": broken, "disable_bytecode_cache": true}));
    let changed = |field: &str, value: Json| {
        let mut endpoint = endpoint.clone();
        endpoint[field] = value;
        json!({"bundle": bundle(&endpoint, source)})
    };
    for (args, why) in [
        (json!({}), "bundle is missing"),
        (json!({"bundle": {"modules": []}}), "bundle.metadata is missing"),
        (changed("js_module", json!("b.js")), "b.js is not among the modules"),
        (changed("js_function", json!(null)), "js_function is missing"),
        (changed("mode", json!("sideways")), "readwrite, readonly, historical"),
        (changed("forwarding_required", json!(null)), "sometimes, always, never"),
        (changed("authn_policies", json!("no_auth")), "of type array"),
        (changed("authn_policies", json!([{"all_of": []}])), "all_of"),
        (changed("redirection_strategy", json!("away")), "none, to_primary, to_backup"),
        (changed("interpreter_reuse", json!({})), "key is missing"),
    ] {
        service.refused("set_js_app", args, why);
    }
    service.done("remove_js_app", json!(null));
    for (table, key) in [("modules", "/src/a.js"), ("endpoints", "GET /x/{id}")] {
        assert_eq!(service.raw(table, key), None);
    }

    let options = json!({"max_heap_bytes": 1, "max_stack_bytes": 1, "max_execution_time_ms": 1,
        "return_exception_details": true});
    service.done("set_js_runtime_options", options.clone());
    assert_eq!(service.single("js_runtime_options"), Some(options));
    // Governance has the defaults at least.
    service.done("set_js_app", json!({"bundle": bundle(&endpoint, source)}));
    let negative = json!({"max_heap_bytes": -1, "max_stack_bytes": 1, "max_execution_time_ms": 1});
    service.refused("set_js_runtime_options", negative, "max_heap_bytes is -1");
    service.refused("set_js_runtime_options", json!({"max_heap_bytes": 1}), "max_stack_bytes");
}

#[test]
fn ca_bundles() {
    let service = Service::start();
    let [first, second] = [0, 1].map(|member: usize| &service.members[member].certificate_pem);
    let pem = format!("{first}\n{second}");
    service.done("set_ca_cert_bundle", json!({"name": "roots", "cert_bundle": pem}));
    assert_eq!(service.row("tls.ca_cert_bundles", "roots"), Some(json!(pem)));
    for (bundle, why) in [
        ("", "PEM certificates"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cert_bundle[0]"),
        (&format!("{first}more"), "PEM certificates"),
    ] {
        service.refused("set_ca_cert_bundle", json!({"name": "x", "cert_bundle": bundle}), why);
    }
    service.done("remove_ca_cert_bundle", json!({"name": "roots"}));
    assert_eq!(service.raw("tls.ca_cert_bundles", "roots"), None);
}

#[test]
fn issuers_of_tokens() {
    let service = Service::start();
    let issuer = "https://issuer.example.com/v2";
    let legacy = json!({"issuer": issuer, "auto_refresh": false, "key_filter": "all"});
    service.done("set_jwt_issuer", legacy.clone());
    assert_eq!(service.row("jwt.issuers", issuer), Some(legacy));
    service.done("set_jwt_issuer", json!({"issuer": issuer}));
    let plain = json!({"issuer": issuer, "auto_refresh": false});
    assert_eq!(service.row("jwt.issuers", issuer), Some(plain));
    let refreshed = json!({"issuer": issuer, "auto_refresh": true, "ca_cert_bundle_name": "roots"});
    service.refused("set_jwt_issuer", refreshed.clone(), "no CA certificate bundle roots");
    let pem = &service.members[0].certificate_pem;
    service.done("set_ca_cert_bundle", json!({"name": "roots", "cert_bundle": pem}));
    service.done("set_jwt_issuer", refreshed.clone());
    assert_eq!(service.row("jwt.issuers", issuer), Some(refreshed));
    for (args, why) in [
        (json!({}), "issuer is missing"),
        (json!({"issuer": issuer, "auto_refresh": true}), "ca_cert_bundle_name is missing"),
        (
            json!({"issuer": "http://a", "auto_refresh": true, "ca_cert_bundle_name": "roots"}),
            "https URL",
        ),
        (json!({"issuer": issuer, "jwks": {"keys": [{"kty": "RSA"}]}}), "kid is missing"),
        (json!({"issuer": issuer, "jwks": {"keys": [{"kid": "1", "kty": "RSA"}]}}), "n and e"),
    ] {
        service.refused("set_jwt_issuer", args, why);
    }

    let jwks = |kids: &[&str], issuer: Json| {
        let body =
            |pem: &str| pem.lines().filter(|line| !line.contains("----")).collect::<String>();
        let keys: Vec<Json> = kids
            .iter()
            .zip(&service.members)
            .map(|(kid, member)| {
                json!({"kid": kid, "kty": "EC", "x5c": [body(&member.certificate_pem)],
                    "issuer": issuer})
            })
            .collect();
        json!({"keys": keys})
    };
    let key = |kid: &str| service.row("jwt.public_signing_keys_metadata_v2", kid);
    let args = json!({"issuer": issuer, "jwks": jwks(&["a", "b"], json!(null))});
    service.done("set_jwt_issuer", args);
    let metadata = json!({"issuer": issuer, "auto_refresh": false});
    assert_eq!(service.row("jwt.issuers", issuer), Some(metadata.clone()));
    let row = key("a").unwrap();
    assert_eq!((&row[0]["issuer"], row.as_array().unwrap().len()), (&json!(issuer), 1));
    assert!(row[0]["public_key"].as_str().unwrap().len() > 100 && row[0]["constraint"].is_null());
    assert!(key("b").is_some());
    let constrained = jwks(&["b", "c"], json!("https://issuer.example.com/{tenantid}"));
    let args = json!({"issuer": issuer, "jwks": constrained});
    service.done("set_jwt_public_signing_keys", args);
    assert_eq!(key("a"), None);
    for kid in ["b", "c"] {
        let constraint = key(kid).unwrap()[0]["constraint"].clone();
        assert_eq!(constraint, "https://issuer.example.com/{tenantid}", "{kid}");
    }
    assert_eq!(service.row("jwt.issuers", issuer), Some(metadata));
    let foreign = json!({"issuer": issuer, "jwks": jwks(&["d"], json!("https://elsewhere.com"))});
    service.refused("set_jwt_public_signing_keys", foreign, "InternalError");
    let args = json!({"issuer": "nobody", "jwks": jwks(&["d"], json!(null))});
    service.refused("set_jwt_public_signing_keys", args, "there is no issuer nobody");
    service.done("remove_jwt_issuer", json!({"issuer": issuer}));
    assert_eq!((service.row("jwt.issuers", issuer), key("b"), key("c")), (None, None, None));
    service.done("remove_jwt_issuer", json!({"issuer": "nobody"}));
}

#[test]
fn nodes() {
    let service = Service::start();
    let own = service.node.node_id().to_owned();
    let certificate = |id: &str| {
        let pem = service.text("nodes.endorsed_certificates", id).unwrap();
        Certificate::from_pem(&pem).unwrap()
    };
    let before = certificate(&own);
    let args = json!({"node_id": own, "valid_from": "260131120000Z", "validity_period_days": 1});
    service.done("set_node_certificate_validity", args);
    let after = certificate(&own);
    assert_eq!((after.subject(), after.issuer()), (before.subject(), before.issuer()));
    assert_eq!(after.public_key(), before.public_key());
    assert_eq!((after.not_before(), after.not_after()), (1_769_860_800, 1_769_947_199));

    let key = SigningKey::generate(Curve::P384).unwrap();
    let request = CertificateRequest {
        subject: SubjectName::parse("CN=CCF Node").unwrap(),
        subject_alt_names: vec!["10.0.0.7".to_owned()],
        valid_from_unix_s: 0,
        validity_days: 1,
    };
    let row = NodeRow {
        status: "Pending".to_owned(),
        certificate_signing_request: Some(request.signing_request(&key).unwrap()),
        public_key: key.public_key_pem(),
        ..service.node.row().unwrap()
    };
    let pending = key.id();
    service.put("nodes.info", pending, &serde_json::to_value(&row).unwrap());
    let args = json!({"node_id": pending, "valid_from": "2026-01-31 12:00:00"});
    service.refused("set_node_certificate_validity", args.clone(), "is Pending");
    service.done("transition_node_to_trusted", args.clone());
    let info = service.row("nodes.info", pending).unwrap();
    assert_eq!((&info["status"], &info["ledger_secret_seqno"]), (&json!("Trusted"), &json!(1)));
    assert_eq!(certificate(pending).public_key().key_id(), pending);
    assert_eq!(certificate(pending).not_after(), 1_769_860_800 + 365 * 86_400 - 1);
    service.refused("transition_node_to_trusted", args, "is Trusted");

    let args = json!({"valid_from": "20260201120000Z", "validity_period_days": 2});
    service.done("set_all_nodes_certificate_validity", args);
    for id in [&*own, pending] {
        assert_eq!(certificate(id).not_before(), 1_769_947_200, "{id}");
    }
    service.done("set_node_data", json!({"node_id": pending, "node_data": {"rack": 3}}));
    assert_eq!(service.row("nodes.info", pending).unwrap()["node_data"], json!({"rack": 3}));
    service.refused("set_node_data", json!({"node_id": NOBODY, "node_data": {}}), "no node");
    service.done("remove_node", json!({"node_id": pending}));
    assert_eq!(service.row("nodes.info", pending).unwrap()["status"], "Retired");
    service.put("nodes.info", pending, &serde_json::to_value(&row).unwrap());
    service.done("remove_node", json!({"node_id": pending}));
    assert_eq!(service.raw("nodes.info", pending), None);
    service.done("remove_node", json!({"node_id": NOBODY}));
}

#[test]
fn the_join_policy() {
    let service = Service::start();
    let open =
        || service.put("proposals_info", "aa", &json!({"proposer_id": "m", "state": "Open"}));
    let state = || service.row("proposals_info", "aa").unwrap()["state"].clone();
    let digest = "AB".repeat(48);
    let policy = "package policy";
    let policy_digest = affiant_proof::Digest::of(policy.as_bytes()).to_hex();
    let allowed = json!("AllowedToJoin");
    let tcb = json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219});
    let cases = [
        ("add_node_code", json!({"code_id": "ab"}), "nodes.code_ids", "ab", allowed.clone()),
        (
            "add_virtual_measurement",
            json!({"measurement": "text"}),
            "nodes.virtual.measurements",
            "text",
            allowed.clone(),
        ),
        (
            "add_snp_measurement",
            json!({"measurement": digest}),
            "nodes.snp.measurements",
            &digest,
            allowed,
        ),
        (
            "add_snp_host_data",
            json!({"host_data": policy_digest.to_uppercase(), "security_policy": policy}),
            "nodes.snp.host_data",
            &policy_digest,
            json!(policy),
        ),
        (
            "add_snp_uvm_endorsement",
            json!({"did": "did:x509:0", "feed": "one", "svn": "100"}),
            "nodes.snp.uvm_endorsements",
            "did:x509:0",
            json!({"one": {"svn": "100"}}),
        ),
        (
            "add_snp_uvm_endorsement",
            json!({"did": "did:x509:0", "feed": "two", "svn": "1"}),
            "nodes.snp.uvm_endorsements",
            "did:x509:0",
            json!({"one": {"svn": "100"}, "two": {"svn": "1"}}),
        ),
        (
            "set_snp_minimum_tcb_version",
            json!({"cpuid": "00a00f11", "tcb_version": tcb}),
            "nodes.snp.tcb_versions",
            "00a00f11",
            tcb.clone(),
        ),
        (
            "set_snp_minimum_tcb_version_hex",
            json!({"cpuid": "00A00F11", "tcb_version": "db18000000000004"}),
            "nodes.snp.tcb_versions",
            "00a00f11",
            json!({"boot_loader": 4, "tee": 0, "snp": 24, "microcode": 219,
                "hexstring": "db18000000000004"}),
        ),
    ];
    for (action, args, table, key, row) in cases {
        open();
        service.done(action, args);
        assert_eq!(service.row(table, key), Some(row), "{action}");
        assert_eq!(state(), "Dropped", "{action}");
    }
    open();
    service.done("add_virtual_host_data", json!({"host_data": "abc"}));
    assert_eq!(service.raw("nodes.virtual.host_data", "abc"), Some(SINGLETON_KEY.to_vec()));
    assert_eq!(state(), "Dropped");

    open();
    let removals = [
        ("remove_node_code", json!({"code_id": "ab"}), "nodes.code_ids", "ab"),
        (
            "remove_virtual_measurement",
            json!({"measurement": "text"}),
            "nodes.virtual.measurements",
            "text",
        ),
        ("remove_virtual_host_data", json!({"host_data": "abc"}), "nodes.virtual.host_data", "abc"),
        (
            "remove_snp_measurement",
            json!({"measurement": digest}),
            "nodes.snp.measurements",
            &digest,
        ),
        (
            "remove_snp_host_data",
            json!({"host_data": policy_digest}),
            "nodes.snp.host_data",
            &policy_digest,
        ),
        (
            "remove_snp_minimum_tcb_version",
            json!({"cpuid": "00a00f11"}),
            "nodes.snp.tcb_versions",
            "00a00f11",
        ),
    ];
    for (action, args, table, key) in removals {
        service.done(action, args);
        assert_eq!(service.raw(table, key), None, "{action}");
    }
    let remove = |feed: &str| {
        service.done("remove_snp_uvm_endorsement", json!({"did": "did:x509:0", "feed": feed}));
        service.row("nodes.snp.uvm_endorsements", "did:x509:0")
    };
    assert_eq!(remove("one"), Some(json!({"two": {"svn": "1"}})));
    assert_eq!(remove("two"), None);
    assert_eq!(state(), "Open");
    for (action, args, why) in [
        ("remove_snp_minimum_tcb_version", json!({"cpuid": "00a00f11"}), "no minimum TCB"),
        (
            "add_snp_host_data",
            json!({"host_data": NOBODY, "security_policy": policy}),
            "not the SHA-256",
        ),
        ("add_snp_host_data", json!({"host_data": "ab", "security_policy": ""}), "64 hex"),
        (
            "set_snp_minimum_tcb_version_hex",
            json!({"cpuid": "00800f11", "tcb_version": "db18000000000004"}),
            "no processor",
        ),
        (
            "set_snp_minimum_tcb_version",
            json!({"cpuid": "00a00f11", "tcb_version": {"tee": 0}}),
            "boot_loader is missing",
        ),
    ] {
        service.refused(action, args, why);
    }
    service.done("add_snp_host_data", json!({"host_data": NOBODY, "security_policy": ""}));
    assert_eq!(service.row("nodes.snp.host_data", NOBODY), Some(json!("")));
}

#[test]
fn every_action_of_the_catalogue_is_there_and_tested_here() {
    let source = DEFAULT_CONSTITUTION.as_str();
    let listed: BTreeSet<String> = source
        .split("const actions = new Map([")
        .nth(1)
        .unwrap()
        .lines()
        .filter_map(|line| line.trim().trim_start_matches('[').strip_prefix('"'))
        .filter_map(|line| line.split_once("\","))
        .map(|(name, _)| name.to_owned())
        .filter(|name| name.contains('_') && !name.contains('.'))
        .collect();
    let tests = include_str!("default_constitution.rs");
    let reference = "set_constitution set_member remove_member set_member_data set_user remove_user \
        set_user_data set_recovery_threshold trigger_recovery_shares_refresh trigger_ledger_rekey \
        transition_service_to_open set_js_app remove_js_app set_js_runtime_options \
        refresh_js_app_bytecode_cache set_ca_cert_bundle remove_ca_cert_bundle set_jwt_issuer \
        set_jwt_public_signing_keys remove_jwt_issuer add_node_code remove_node_code \
        add_snp_measurement remove_snp_measurement add_snp_host_data remove_snp_host_data \
        add_snp_uvm_endorsement remove_snp_uvm_endorsement set_snp_minimum_tcb_version \
        set_snp_minimum_tcb_version_hex remove_snp_minimum_tcb_version set_node_data \
        transition_node_to_trusted remove_node set_node_certificate_validity \
        set_all_nodes_certificate_validity set_service_certificate_validity \
        set_service_configuration trigger_ledger_chunk trigger_snapshot assert_service_identity \
        add_virtual_measurement remove_virtual_measurement add_virtual_host_data \
        remove_virtual_host_data";
    for name in reference.split_whitespace() {
        assert!(listed.contains(name), "{name} is missing");
    }
    for name in &listed {
        assert!(tests.matches(&format!("\"{name}\"")).count() >= 1, "{name} is not tested");
    }
}

#[test]
fn proposals_are_judged_as_a_whole() {
    let service = Service::start();
    let validate =
        |proposal: &str| service.governance.validate(&mut service.node.begin(), proposal).unwrap();
    for (proposal, why) in [
        ("not JSON", "no JSON object"),
        ("null", "no JSON object"),
        ("{}", "lists no actions"),
        (r#"{"actions": []}"#, "lists no actions"),
        (r#"{"actions": [null]}"#, "action 0 (undefined): there is no such action"),
        (r#"{"actions": [{"name": "dance"}]}"#, "action 0 (dance): there is no such action"),
        (
            r#"{"actions": [{"name": "trigger_snapshot"}, {"name": "set_user", "args": {}},
                {"name": "dance"}]}"#,
            "action 1 (set_user): cert is missing; it must be of type string\naction 2 (dance)",
        ),
    ] {
        let judged = validate(proposal);
        assert!(!judged.valid && judged.description.contains(why), "{proposal}: {judged:?}");
    }
    assert!(validate(r#"{"actions": [{"name": "trigger_snapshot", "args": null}]}"#).valid);

    // The second action fails, so the first has not happened.
    let user = MemberIdentity::generate("user0", false).unwrap();
    let proposal = json!({"actions": [
        {"name": "set_user", "args": {"cert": user.certificate_pem}},
        {"name": "set_user_data", "args": {"user_id": NOBODY}},
    ]})
    .to_string();
    let Err(RuntimeError::Proposal { reason, trace }) = service.governance.enact(&proposal) else {
        panic!("it was applied");
    };
    assert!(reason.contains("action 1 (set_user_data)"), "{reason}");
    assert!(trace.unwrap().contains("public:ccf.gov.constitution[0]:"), "where it was thrown");
    assert_eq!(service.raw("users.certs", &user.id), None);
}

#[test]
fn the_majority_of_active_members_decides() {
    let service = Service::start();
    let proposal = r#"{"actions": [{"name": "remove_js_app"}]}"#;
    let id = proposal_id(proposal);
    let [first, second, third] = [0, 1, 2].map(|member: usize| service.members[member].id.clone());
    let decided = |votes: &[(&String, bool)]| {
        let votes: Vec<Vote> = votes
            .iter()
            .map(|(member, vote)| Vote { member_id: (*member).clone(), vote: *vote })
            .collect();
        let mut tx = service.node.begin();
        service.governance.resolve(&mut tx, proposal, &first, &votes, &id).unwrap()
    };
    let stranger = NOBODY.to_owned();
    assert_eq!(decided(&[]), Resolution::Open);
    assert_eq!(decided(&[(&first, true)]), Resolution::Open);
    assert_eq!(decided(&[(&first, true), (&stranger, true)]), Resolution::Open);
    assert_eq!(decided(&[(&first, true), (&second, false), (&third, false)]), Resolution::Open);
    assert_eq!(decided(&[(&first, true), (&third, true)]), Resolution::Accepted);

    let yes = "export function vote(proposal, proposerId) {
        return ccf.kv['public:ccf.gov.members.certs'].has(ccf.strToBuf(proposerId)); }";
    let mut tx = service.node.begin();
    let mut vote = |source| {
        let ballot = Ballot { member_id: "m", source };
        service.governance.vote(&mut tx, &ballot, proposal, &first, &id)
    };
    assert_eq!(vote(yes), Ok(true));
    let failure = vote("export function vote(proposal, proposerId) { throw new Error('no'); }");
    let failure = failure.unwrap_err();
    assert_eq!(failure.reason, "Error: no");
    let trace = failure.trace.unwrap();
    assert!(
        trace.contains(&format!("public:ccf.gov.proposals_info[{id}].ballots[m]:1")),
        "{trace}"
    );
}

/// In the style of CCF's samples, by another hand: a class, a map, checks that concatenate.
const FOREIGN: &str = r#"
class Deed {
  constructor(check, perform) { this.check = check; this.perform = perform; }
}
const deeds = new Map([
  ["greet", new Deed(
    function (args) { if (typeof args.name !== "string") throw new Error("greet whom?"); },
    function (args, proposalId) {
      ccf.kv["public:ccf.gov.greetings"].set(ccf.strToBuf(args.name), ccf.strToBuf(proposalId));
      ccf.kv["public:visible"].set(ccf.strToBuf("last"), ccf.strToBuf(args.name));
      console.info(`greeted ${args.name}`);
      ccf.node.triggerLedgerChunk();
    })],
]);
export function validate(input) {
  const proposal = JSON.parse(input);
  let faults = "";
  let index = 0;
  for (const { name, args } of proposal["actions"]) {
    const deed = deeds.get(name);
    if (!deed) faults += `${name}: no such deed\n`;
    else try { deed.check(args); } catch (e) { faults += `${name} at position ${index}: ${e}\n${e.stack}`; }
    index++;
  }
  return { valid: faults.length === 0, description: faults };
}
export function resolve(proposal, proposerId, votes) { return "Accepted"; }
export function apply(proposal, proposalId) {
  for (const { name, args } of JSON.parse(proposal)["actions"]) deeds.get(name).perform(args, proposalId);
}
"#;

#[test]
fn a_foreign_constitution_governs_as_well() {
    assert_eq!(quiet().check(FOREIGN), Ok(()));
    let service = Service::of(|settings| settings.service.constitution = FOREIGN.to_owned());
    let proposal = r#"{"actions": [{"name": "greet", "args": {"name": "Ada"}}]}"#;
    service.governance.enact(proposal).unwrap().expect("it wrote");
    let id = proposal_id(proposal);
    assert_eq!(service.text("greetings", "Ada"), Some(id));
    let visible = service.node.snapshot().get("public:visible", b"last");
    assert_eq!(visible.as_deref(), Some(&b"Ada"[..]));
    let fault = service.enact("greet", &json!({})).unwrap_err();
    assert!(fault.contains("greet at position 0: Error: greet whom?"), "{fault}");
    let fault = service.enact("dance", &json!({})).unwrap_err();
    assert!(fault.contains("dance: no such deed"), "{fault}");
}
