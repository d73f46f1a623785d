//! `affiant node` as a launcher written for CCF starts it.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tempfile::TempDir;

use crate::https::Client;
use crate::process::{Running, eventually};
use crate::support::{Finished, affiant, repository, text};

/// A directory with a configuration; members come from a sandbox's files.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let app = repository().join("examples/logging");
        // The sandbox makes identities that the configuration can name.
        let arguments = ["sandbox", "--app", text(&app), "--node", "local://127.0.0.1:0"];
        let mut sandbox = Running::start(directory.path(), &arguments);
        sandbox.line("Press Ctrl+C");
        sandbox.stop();
        let common = directory.path().join("workspace/sandbox_common");
        fs::rename(&common, directory.path().join("common")).unwrap();
        fs::remove_dir_all(directory.path().join("workspace")).unwrap();
        let place = Self { directory };
        place.write("node.json", &place.configuration().to_string());
        place
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn configuration(&self) -> Json {
        json!({
            "network": {
                "node_to_node_interface": { "bind_address": "127.0.0.1:0" },
                "rpc_interfaces": { "main": { "bind_address": "127.0.0.1:0" } },
            },
            "command": {
                "type": "Start",
                "service_certificate_file": "common/service_cert.pem",
                "start": {
                    "members": [{
                        "certificate_file": "common/member0_cert.pem",
                        "encryption_public_key_file": "common/member0_enc_pubk.pem",
                    }],
                    "service_configuration": { "recovery_threshold": 0 },
                },
            },
            "ledger": { "directory": "ledger" },
            "output_files": {
                "node_certificate_file": "node.pem",
                "pid_file": "node.pid",
                "rpc_addresses_file": "rpc.json",
                "node_to_node_address_file": "node.json.address",
            },
        })
    }

    /// Runs a node that is expected to end by itself.
    fn ends(&self, more: &[&str]) -> (i32, Vec<String>, String) {
        let arguments = [&["node", "--config", "node.json"], more].concat();
        let mut node = Running::start(self.directory.path(), &arguments);
        let (status, errors) = node.wait();
        (status.code().unwrap(), node.seen.clone(), errors)
    }

    /// Starts a node and waits for its certificate, as launchers do.
    fn start(&self, more: &[&str]) -> (Running, Client) {
        let _ = fs::remove_file(self.path("node.pem"));
        let arguments = [&["node", "--config", "node.json"], more].concat();
        let node = Running::start(self.directory.path(), &arguments);
        eventually("the node certificate", || self.path("node.pem").exists());
        let addresses: Json =
            serde_json::from_str(&fs::read_to_string(self.path("rpc.json")).unwrap()).unwrap();
        let address = addresses["main"].as_str().unwrap().to_owned();
        let client = Client { address, common: self.path("common"), identity: None };
        (node, client)
    }
}

fn refused(arguments: &[&str], code: i32, needle: &str) -> Finished {
    let refused = affiant(arguments).expect(code);
    assert!(refused.stderr.contains(needle), "{}", refused.stderr);
    refused
}

#[test]
fn arguments_are_judged_with_ccfs_exit_codes() {
    refused(&["node"], 106, "--config is required");
    refused(&["node", "--config", "x", "--log-level", "loud"], 105, "--log-level loud");
    refused(&["node", "--config", "x", "--config-timeout", "soon"], 105, "--config-timeout soon");
    refused(&["node", "--config", "/nonexistent/node.json"], 105, "/nonexistent/node.json");
    refused(&["--config", "/nonexistent/node.json"], 105, "/nonexistent/node.json");
}

#[test]
fn a_configuration_is_checked_without_side_effects() {
    let place = Place::new();
    let before = listing(&place);
    let (code, output, errors) = place.ends(&["--check"]);
    assert_eq!((code, output.len(), errors.as_str()), (0, 0, ""));
    assert_eq!(listing(&place), before);

    let mut wrong = place.configuration();
    wrong["ledger"]["chunk_sise"] = json!("5MB");
    place.write("node.json", &wrong.to_string());
    let (code, _, errors) = place.ends(&["--check"]);
    assert_eq!(code, 105, "{errors}");
    assert!(errors.contains("chunk_sise"), "{errors}");

    let mut missing = place.configuration();
    missing["command"]["start"]["members"][0]["certificate_file"] = json!("nobody.pem");
    place.write("node.json", &missing.to_string());
    let (code, _, errors) = place.ends(&["--check"]);
    assert_eq!(code, 255, "{errors}");
    assert!(errors.contains("nobody.pem"), "{errors}");

    for (kind, words) in [("Join", "join"), ("Recover", "recover")] {
        let mut later = place.configuration();
        later["command"]["type"] = json!(kind);
        place.write("node.json", &later.to_string());
        let (code, _, errors) = place.ends(&["--check"]);
        assert_eq!(code, 105, "{errors}");
        assert!(errors.to_lowercase().contains(words), "{errors}");
    }
}

fn listing(place: &Place) -> Vec<String> {
    let entries = fs::read_dir(place.directory.path()).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_launchers_node_starts_serves_and_stops() {
    let place = Place::new();
    let (mut node, client) = place.start(&[]);
    assert!(place.path("node.json.address").exists());
    let state: Json = serde_json::from_str(client.get("/node/state").expect(200).text()).unwrap();
    assert_eq!(state["state"], "PartOfNetwork");
    let network: Json =
        serde_json::from_str(client.get("/node/network").expect(200).text()).unwrap();
    assert_eq!(network["service_status"], "Opening");
    client.get("/app/commit").expect(404);
    let pid = fs::read_to_string(place.path("node.pid")).unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{pid}");
    node.stop();
    assert!(
        node.seen.iter().all(|line| line.contains("Z ") && line.contains(" | ")),
        "{:#?}",
        node.seen
    );
    assert!(place.path("node.pid").exists(), "the PID file is left behind");

    let (code, output, _) = place.ends(&[]);
    assert_eq!(code, 103);
    assert!(output.last().unwrap().ends_with("PID file node.pid already exists. Exiting."));
    fs::remove_file(place.path("node.pid")).unwrap();
    let (code, output, _) = place.ends(&[]);
    assert_eq!(code, 105);
    let words = "On start, ledger directory should not exist or be empty (ledger)";
    assert!(output.last().unwrap().contains(words), "{output:#?}");
}

#[test]
fn a_node_opens_with_an_app_and_resumes() {
    let place = Place::new();
    let app = repository().join("examples/logging");
    let app = text(&app);
    let (mut node, client) = place.start(&["--app", app, "--open"]);
    let body = r#"{"id": 3, "msg": "kept"}"#;
    let answer = client.post("/app/log/private/anonymous", body).expect(200);
    let txid = answer.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    eventually("commit", || {
        client.get(&format!("/app/tx?transaction_id={txid}")).text().contains("Committed")
    });
    node.stop();

    let (mut node, client) = place.start(&["--resume"]);
    client.post("/app/log/private/anonymous", body).expect(200);
    let status = client.get(&format!("/app/tx?transaction_id={txid}")).expect(200);
    assert!(status.text().contains("Committed"), "{}", status.text());
    node.signal("HUP");
    let (status, errors) = node.wait();
    assert_eq!((status.code(), errors.as_str()), (Some(0), ""));
    assert!(node.seen.iter().any(|line| line.contains("Hangup: ")), "{:#?}", node.seen);

    fs::remove_file(place.path("ledger.sealing_key")).unwrap();
    let (code, output, errors) = place.ends(&["--resume"]);
    assert_ne!(code, 0, "{output:#?}");
    assert!(output.last().unwrap().contains("ledger.sealing_key"), "{output:#?} {errors}");
}

#[test]
fn the_configuration_alone_can_say_it_all() {
    let place = Place::new();
    let mut configuration = place.configuration();
    configuration["affiant"] = json!({
        "app_directory": repository().join("examples/logging"),
        "open_service": true,
        "resume_if_present": true,
    });
    place.write("node.json", &configuration.to_string());
    for (body, count) in [(r#"{"id": 1, "msg": "a"}"#, 1), (r#"{"id": 2, "msg": "b"}"#, 2)] {
        // The second turn resumes what the first one killed: its PID file is no obstacle.
        let (mut node, client) = place.start(&[]);
        let answer = client.post("/app/log/private/anonymous", body).expect(200);
        let txid = answer.header("x-ms-ccf-transaction-id").unwrap().to_owned();
        eventually("commit", || {
            client.get(&format!("/app/tx?transaction_id={txid}")).text().contains("Committed")
        });
        let ledger = place.path("ledger");
        node.signal("KILL");
        node.wait();
        let arguments = ["ledger", "show", text(&ledger), "--json"];
        let shown = affiant(&arguments).expect(0).stdout;
        let sealed = shown.lines().filter(|line| line.contains(r#""private":"sealed""#)).count();
        assert!(sealed >= count, "{sealed} private transactions");
    }
    let stat = affiant(&["ledger", "stat", text(&place.path("ledger")), "--json"]).expect(0).json();
    assert_eq!(stat["views"].as_array().unwrap().len(), 2, "a restart opens a view");
}

#[test]
fn the_configuration_may_come_late() {
    let place = Place::new();
    fs::write(place.path("node.json"), "{\"network\": {").unwrap();
    let configuration = place.configuration().to_string();
    let path = place.path("node.json");
    let writer = thread::spawn(move || {
        thread::sleep(Duration::from_millis(300));
        let temporary = path.with_extension("half");
        fs::write(&temporary, configuration).unwrap();
        fs::rename(temporary, path).unwrap();
    });
    let (mut node, client) = place.start(&["--config-timeout", "100s"]);
    writer.join().unwrap();
    client.get("/node/version").expect(200);
    node.stop();
}

#[test]
fn a_node_that_has_not_started_can_be_stopped() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("node.json"), "{").unwrap();
    let arguments = ["node", "--config", "node.json", "--config-timeout", "1h"];
    let mut node = Running::start(directory.path(), &arguments);
    // The signal may come before the program listens, which ends it too, by the signal's default.
    thread::sleep(Duration::from_millis(200));
    node.signal("TERM");
    let (status, errors) = node.wait();
    assert!(matches!(status.code(), Some(0) | None), "{status:?} {errors}");
}

#[test]
fn the_first_sigterm_can_be_a_notice() {
    let place = Place::new();
    let mut configuration = place.configuration();
    configuration["ignore_first_sigterm"] = json!(true);
    place.write("node.json", &configuration.to_string());
    let (mut node, client) = place.start(&["--open"]);
    client.get("/node/ready/app").expect(204);
    node.signal("TERM");
    eventually("the notice", || client.get("/node/state").text().contains("\"stop_notice\":true"));
    client.get("/node/ready/app").expect(503);
    node.stop();
}

#[test]
fn a_taken_port_is_named() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut configuration = place.configuration();
    configuration["network"]["rpc_interfaces"]["main"]["bind_address"] = json!(address);
    place.write("node.json", &configuration.to_string());
    let (code, output, _) = place.ends(&[]);
    assert_eq!(code, 1);
    assert!(output.last().unwrap().contains(&address), "{output:#?}");
    assert!(!Path::new(&place.path("ledger")).exists(), "nothing was started");
}
