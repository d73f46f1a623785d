//! The configuration is CCF's, and what is wrong with one is said by place and name.
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;

use affiant::RuntimeError;
use affiant::config::{AppProtocol, CommandKind, Configuration, Endorsement};
use affiant::crypto::MemberIdentity;
use affiant::node::StartMode;
use affiant::platform::{EndorsementServer, Provider, ServerKind};
use serde_json::{Value as Json, json};

fn sample() -> Json {
    json!({
        "network": {
            "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
            "rpc_interfaces": {
                "primary_rpc_interface": {
                    "bind_address": "127.0.0.1:0",
                    "published_address": "",
                    "app_protocol": "HTTP2",
                    "max_open_sessions_soft": 7,
                    "max_open_sessions_hard": 9,
                    "http_configuration": {"max_body_size": "2MB", "max_headers_count": 10},
                    "endorsement": {"authority": "Node"},
                    "accepted_endpoints": ["/node/.*"],
                    "an_operators_own_note": 1
                }
            }
        },
        "node_certificate": {
            "subject_name": "CN=CCF Node", "subject_alt_names": ["iPAddress:127.0.0.1"],
            "curve_id": "Secp384r1", "initial_validity_days": 90
        },
        "command": {
            "type": "Start",
            "service_certificate_file": "service.pem",
            "start": {
                "members": [],
                "constitution_files": [],
                "service_configuration": {"recovery_threshold": 0},
                "initial_service_certificate_validity_days": 90,
                "service_subject_name": "CN=CCF Test Service"
            },
            "join": {"target_rpc_address": "dummy", "anything": true},
            "recover": {}
        },
        "attestation": {
            "snp_endorsements_servers": [
                {"type": "Azure"},
                {"type": "THIM", "url": "$Fabric_NodeIPOrFQDN:2377", "max_retries_count": 7},
                {"type": "AMD", "url": "kds.example:443", "max_client_response_size": "10KB"},
                {"max_client_response_size": "100MB", "max_retries_count": 0}
            ],
            "snp_security_policy_file": "$UVM_SECURITY_CONTEXT_DIR/security-policy-base64",
            "snp_uvm_endorsements_file": "$UVM_SECURITY_CONTEXT_DIR/reference-info-base64",
            "snp_endorsements_file": null,
            "environment": {"security_policy": "OUR_POLICY"}
        },
        "ledger": {"directory": "somewhere/main.ledger", "chunk_size": "20KB"},
        "ledger_signatures": {"tx_count": 100, "delay": "50ms"},
        "snapshots": {"directory": "snapshots", "tx_count": 10},
        "consensus": {"message_timeout": "100ms", "election_timeout": "4s"},
        "memory": {"circuit_size": "4MB", "max_msg_size": "64MB", "max_fragment_size": "256KB"},
        "logging": {"host_level": "Info", "format": "Json"},
        "output_files": {"pid_file": "cchost.pid", "rpc_addresses_file": "rpc.json"},
        "worker_threads": 2,
        "ignore_first_sigterm": true,
        "idle_connection_timeout": "30s",
        "tick_interval": "1ms",
        "jwt": {"key_refresh_interval": "5min"},
        "historical_cache_soft_limit": "64MB",
        "affiant": {"open_service": true, "python": "venv/bin/python3", "python_workers": 2,
            "attestation": {"provider": "sidecar", "sidecar_url": "http://localhost:9000", "vmpl": 2},
            "sealing": {"kind": "insecure-file", "key_file": "k"}}
    })
}

fn refusal(change: impl FnOnce(&mut Json)) -> (String, String) {
    let mut document = sample();
    change(&mut document);
    match Configuration::parse(&document.to_string()) {
        Err(RuntimeError::ConfigInvalid { location, reason }) => (location, reason),
        Err(other) => panic!("another error: {other}"),
        Ok(_) => panic!("accepted: {document}"),
    }
}

#[test]
fn a_whole_configuration_is_understood() {
    let config = Configuration::parse(&sample().to_string()).unwrap();
    assert_eq!(config.command, CommandKind::Start);
    assert_eq!(config.worker_threads, 2);
    assert!(config.ignore_first_sigterm);
    assert_eq!(config.output_files.service_certificate_file, "service.pem");
    assert_eq!(config.output_files.node_certificate_file, "nodecert.pem");
    let listener = &config.listeners[0];
    assert_eq!(listener.app_protocol, AppProtocol::Http2);
    assert_eq!(listener.endorsement, Endorsement::Node);
    assert_eq!((listener.sessions_soft_max, listener.sessions_hard_max), (7, 9));
    assert_eq!((listener.body_bytes_max, listener.header_count_max), (2 << 20, 10));
    assert_eq!(listener.idle_ms_max, 30_000);
    assert_eq!(listener.accepted_endpoints.as_deref(), Some(&["/node/.*".to_owned()][..]));
    let real = listener.with_real_addresses("127.0.0.1:4711".parse().unwrap());
    assert_eq!(real["bind_address"], "127.0.0.1:4711");
    assert_eq!(real["published_address"], "127.0.0.1:4711");
    assert_eq!(real["an_operators_own_note"], 1);

    let settings = config.node_settings(BTreeMap::new()).unwrap();
    assert_eq!(settings.start, StartMode::New);
    assert_eq!(settings.ledger_directory, "main.ledger");
    assert_eq!(settings.ledger_directory_configured, "somewhere/main.ledger");
    assert_eq!(settings.state_directory, "main.ledger.affiant");
    assert_eq!(settings.chunk_bytes, 20 << 10);
    assert_eq!(settings.historical_bytes_max, 64 << 20);
    assert_eq!(settings.jwt_key_refresh_ms, 300_000);
    assert_eq!((settings.signature_entries_max, settings.signature_delay_ms), (100, 50));
    assert_eq!(settings.node_certificate_validity_days, 90);
    assert!(settings.service.open);
    assert_eq!((config.python.as_deref(), config.python_workers), (Some("venv/bin/python3"), 2));
    assert_eq!(config.packages_directory, "somewhere/main.ledger.packages");
    assert_eq!(settings.service.subject_name, "CN=CCF Test Service");
}

#[test]
fn what_is_said_about_attestation_is_understood() {
    let platform = Configuration::parse(&sample().to_string()).unwrap().platform;
    assert_eq!((platform.provider, platform.vmpl), (Provider::Sidecar, Some(2)));
    assert_eq!(platform.sidecar_url.as_deref(), Some("http://localhost:9000"));
    let policy_file = "$UVM_SECURITY_CONTEXT_DIR/security-policy-base64";
    assert_eq!(platform.security_policy_file.as_deref(), Some(policy_file));
    assert_eq!(platform.endorsements_file, None);
    assert_eq!(platform.environment.security_policy, "OUR_POLICY");
    assert_eq!(platform.environment.uvm_endorsements, "UVM_REFERENCE_INFO");
    let servers = platform.endorsement_servers;
    assert_eq!(servers[0], EndorsementServer::usual(ServerKind::Azure));
    assert_eq!(servers[1].url.as_deref(), Some("$Fabric_NodeIPOrFQDN:2377"));
    assert_eq!((servers[1].kind, servers[1].attempts_max), (ServerKind::Thim, 7));
    assert_eq!((servers[2].kind, servers[2].answer_bytes_max), (ServerKind::Amd, 10 << 10));
    // A bound that is larger than ours is ours, and one attempt is the least.
    assert_eq!((servers[3].answer_bytes_max, servers[3].attempts_max), (256 << 10, 1));

    let servers =
        |list: Json| move |json: &mut Json| json["attestation"]["snp_endorsements_servers"] = list;
    let server = "attestation.snp_endorsements_servers[0]";
    for (place, list) in [
        (format!("{server}.type"), json!([{"type": "azure"}])),
        (format!("{server}.max_retries_count"), json!([{"max_retries_count": 101}])),
        (format!("{server}.max_client_response_size"), json!([{"max_client_response_size": 5}])),
        (format!("{server}.uri"), json!([{"uri": "x"}])),
        ("attestation.snp_endorsements_servers".to_owned(), json!({})),
        ("attestation.snp_endorsements_servers".to_owned(), json!(vec![json!({}); 17])),
    ] {
        assert_eq!(refusal(servers(list)).0, place);
    }
    let (place, reason) = refusal(|json| json["attestation"]["snp_security_policy"] = json!("x"));
    assert_eq!(place, "attestation.snp_security_policy");
    assert!(reason.contains("snp_security_policy_file"), "{reason}");
    let (place, _) = refusal(|json| json["attestation"]["environment"]["x"] = json!("x"));
    assert_eq!(place, "attestation.environment.x");
    let (place, _) = refusal(|json| json["affiant"]["attestation"]["vmpl"] = json!(4));
    assert_eq!(place, "affiant.attestation.vmpl");
    let (place, reason) = refusal(|json| {
        json["affiant"]["attestation"] = json!({"provider": "sidecar"});
    });
    assert_eq!(place, "affiant.attestation.sidecar_url");
    assert!(reason.contains("http://localhost:8080"), "{reason}");
}

#[test]
fn the_least_configuration_has_ccfs_defaults() {
    let text = json!({
        "network": {
            "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
            "rpc_interfaces": {"main": {"bind_address": "127.0.0.1:8000"}}
        },
        "command": {"type": "Resume"}
    });
    let config = Configuration::parse(&text.to_string()).unwrap();
    let listener = &config.listeners[0];
    assert_eq!((listener.sessions_soft_max, listener.sessions_hard_max), (1_000, 1_010));
    assert_eq!(listener.body_bytes_max, 1 << 20);
    assert_eq!(listener.endorsement, Endorsement::Service);
    let settings = config.node_settings(BTreeMap::new()).unwrap();
    assert_eq!(settings.start, StartMode::Resume);
    assert_eq!((settings.signature_entries_max, settings.signature_delay_ms), (5_000, 1_000));
    assert_eq!(settings.jwt_key_refresh_ms, 1_800_000);
    assert_eq!(settings.chunk_bytes, 5 << 20);
    assert!(!settings.service.open);
    assert_eq!(settings.service.cose_issuer, "service.example.com");
}

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    let (place, reason) = refusal(|json| json["ledger"]["chunksize"] = json!("5MB"));
    assert_eq!(place, "ledger.chunksize");
    assert!(reason.contains("did you mean \"chunk_size\"?"), "{reason}");
    let (place, reason) = refusal(|json| json["ledgers"] = json!({}));
    assert_eq!(place, "ledgers");
    assert!(reason.contains("\"ledger\""), "{reason}");
    let (place, _) = refusal(|json| json["affiant"]["sealing"]["keyfile"] = json!("x"));
    assert_eq!(place, "affiant.sealing.keyfile");
    let (_, reason) = refusal(|json| json["zzzzzzzzzzzzzz"] = json!(1));
    assert!(!reason.contains("did you mean"), "{reason}");
}

#[test]
fn wrong_values_are_named_by_place() {
    let interface = "network.rpc_interfaces.primary_rpc_interface";
    type Change = fn(&mut Json);
    let cases: [(Change, &str); 13] = [
        (|json| json["ledger"]["chunk_size"] = json!(5), "ledger.chunk_size"),
        (|json| json["ledger"]["chunk_size"] = json!("0"), "ledger.chunk_size"),
        (|json| json["ledger"]["directory"] = json!(".."), "ledger.directory"),
        (|json| json["ledger_signatures"]["delay"] = json!("1 second"), "ledger_signatures.delay"),
        (|json| json["command"]["type"] = json!("start"), "command.type"),
        (|json| json["logging"]["host_level"] = json!("loud"), "logging.host_level"),
        (|json| json["worker_threads"] = json!(-1), "worker_threads"),
        (|json| json["affiant"]["python_workers"] = json!(257), "affiant.python_workers"),
        (|json| json["node_certificate"]["curve_id"] = json!("x"), "node_certificate.curve_id"),
        (
            |json| json["node_certificate"]["initial_validity_days"] = json!(0),
            "node_certificate.initial_validity_days",
        ),
        (
            |json| json["command"]["start"]["service_subject_name"] = json!("me"),
            "command.start.service_subject_name",
        ),
        (|json| json["network"]["rpc_interfaces"] = json!({}), "network.rpc_interfaces"),
        (
            |json| json["command"]["start"]["members"] = json!([{"recovery_role": "Owner"}]),
            "command.start.members[0].certificate_file",
        ),
    ];
    for (change, expected) in cases {
        let mut document = sample();
        change(&mut document);
        let error = Configuration::parse(&document.to_string())
            .and_then(|config| config.node_settings(BTreeMap::new()).map(drop))
            .unwrap_err();
        assert!(error.to_string().contains(&format!("at {expected}:")), "{expected}: {error}");
    }
    let (place, _) = refusal(|json| {
        let at = "primary_rpc_interface";
        json["network"]["rpc_interfaces"][at]["bind_address"] = json!("localhost");
    });
    assert_eq!(place, format!("{interface}.bind_address"));
    let (place, _) = refusal(|json| {
        let at = "primary_rpc_interface";
        json["network"]["rpc_interfaces"][at]["http_configuration"]["max_boddy_size"] = json!("1");
    });
    assert_eq!(place, format!("{interface}.http_configuration.max_boddy_size"));
}

#[test]
fn text_that_is_no_object_is_refused() {
    for text in ["", "{", "[]", "7", "null", "{\"network\": 1}"] {
        assert!(Configuration::parse(text).is_err(), "{text}");
    }
    assert!(Configuration::parse(&" ".repeat(5 << 20)).is_err());
}

#[test]
fn members_and_constitution_come_from_files() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let member = MemberIdentity::generate("member0", true).unwrap();
    let encryption = &member.encryption.as_ref().unwrap().0;
    std::fs::write(path("cert.pem"), &member.certificate_pem).unwrap();
    std::fs::write(path("enc.pem"), encryption).unwrap();
    std::fs::write(path("data.json"), "{\"name\": \"one\"}").unwrap();
    std::fs::write(path("a.js"), "first").unwrap();
    std::fs::write(path("b.js"), "second").unwrap();
    let mut document = sample();
    document["command"]["start"]["members"] = json!([{
        "certificate_file": path("cert.pem"),
        "encryption_public_key_file": path("enc.pem"),
        "data_json_file": path("data.json"),
        "recovery_role": "Owner"
    }]);
    document["command"]["start"]["constitution_files"] = json!([path("a.js"), path("b.js")]);
    let config = Configuration::parse(&document.to_string()).unwrap();
    config.check().unwrap();
    let settings = config.node_settings(BTreeMap::new()).unwrap();
    assert_eq!(settings.service.constitution, "first\nsecond");
    assert_eq!(settings.service.members[0].member_data, json!({"name": "one"}));
    assert_eq!(settings.service.members[0].encryption_public_key_pem.as_ref(), Some(encryption));

    std::fs::write(path("data.json"), "{").unwrap();
    assert!(matches!(config.check(), Err(RuntimeError::FileUnreadable { .. })));
    std::fs::remove_file(path("cert.pem")).unwrap();
    let error = config.check().unwrap_err();
    assert!(error.to_string().contains("cert.pem"), "{error}");
}

#[test]
fn output_files_appear_whole_and_a_pid_file_stays_in_the_way() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).display().to_string();
    let mut document = sample();
    document["output_files"] = json!({
        "pid_file": path("pid"), "rpc_addresses_file": path("rpc.json"),
        "node_to_node_address_file": path("n2n.json"), "node_certificate_file": path("node.pem")
    });
    document["command"]["service_certificate_file"] = json!(path("service.pem"));
    let files = Configuration::parse(&document.to_string()).unwrap().output_files;
    files.write_pid().unwrap();
    let pid = std::fs::read_to_string(path("pid")).unwrap();
    assert_eq!(pid, std::process::id().to_string());
    let error = files.write_pid().unwrap_err();
    assert_eq!(error.to_string(), format!("PID file {} already exists. Exiting.", path("pid")));
    let addresses = BTreeMap::from([("main".to_owned(), "127.0.0.1:8000".to_owned())]);
    files.write_addresses("127.0.0.1:9000", &addresses).unwrap();
    files.write_certificates("service", "node").unwrap();
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap();
    assert_eq!(read("rpc.json"), r#"{"main":"127.0.0.1:8000"}"#);
    assert_eq!(read("n2n.json"), r#"{"node_to_node_interface":"127.0.0.1:9000"}"#);
    assert_eq!((read("service.pem"), read("node.pem")), ("service".to_owned(), "node".to_owned()));
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        5,
        "no temporary file is left"
    );
}

#[test]
fn what_is_not_supported_says_so() {
    for command in ["Join", "Recover"] {
        let mut document = sample();
        document["command"]["type"] = json!(command);
        let config = Configuration::parse(&document.to_string()).unwrap();
        assert!(matches!(config.check(), Err(RuntimeError::Unsupported { .. })));
    }
}
