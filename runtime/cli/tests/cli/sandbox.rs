//! `affiant sandbox` from start to stop, with requests over TLS.

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use tempfile::TempDir;

use crate::https::Client;
use crate::process::{Running, eventually};
use crate::support::{affiant, affiant_reading, repository, text};

const ANY_PORT: &str = "local://127.0.0.1:0";

fn example() -> String {
    text(&repository().join("examples/logging")).to_owned()
}

/// Starts a sandbox below `directory` and waits until it is ready.
pub(crate) fn start(directory: &Path, more: &[&str]) -> (Running, Client) {
    let example = example();
    let mut arguments = vec!["sandbox", "--app", &example, "--node", ANY_PORT];
    arguments.extend(more);
    let mut sandbox = Running::start(directory, &arguments);
    let node = sandbox.line("Node [0] = https://");
    let address = node.split("https://").nth(1).unwrap().trim().to_owned();
    sandbox.line("Press Ctrl+C");
    let common = directory.join("workspace/sandbox_common");
    (sandbox, Client { address, common, identity: Some("user0") })
}

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn receipt_of(client: &Client, txid: &str) -> Vec<u8> {
    let mut receipt = Vec::new();
    eventually("a receipt", || {
        let answer = client.get(&format!("/app/receipt?transaction_id={txid}"));
        receipt.clone_from(&answer.body);
        answer.status == 200
    });
    receipt
}

#[test]
fn from_a_request_to_a_verified_receipt_and_ledger() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &[]);
    let printed = sandbox.seen.join("\n");
    assert!(printed.contains("workspace/sandbox_common"), "{printed}");
    assert!(
        printed.contains("curl --cacert workspace/sandbox_common/service_cert.pem"),
        "{printed}"
    );
    for file in [
        "user0_cert",
        "user0_privk",
        "member0_cert",
        "member0_privk",
        "member0_enc_pubk",
        "member0_enc_privk",
        "service_cert",
    ] {
        assert!(client.common.join(format!("{file}.pem")).is_file(), "{file}");
    }

    let written = client
        .post("/app/log/public/durable", r#"{"id": 7, "msg": "sworn", "record_claim": true}"#)
        .expect(200);
    assert_eq!(written.text(), "true");
    let txid = written.header("x-ms-ccf-transaction-id").unwrap().to_owned();
    assert_eq!(client.get("/app/log/public?id=7").expect(200).text(), r#"{"msg":"sworn"}"#);

    let claims = directory.path().join("claims");
    fs::write(&claims, "sworn").unwrap();
    let service = client.common.join("service_cert.pem");
    let arguments = [
        "receipt",
        "verify",
        "-",
        "--service-cert",
        text(&service),
        "--claims-file",
        text(&claims),
        "--json",
    ];
    let verdict = affiant_reading(&arguments, &receipt_of(&client, &txid)).expect(0).json();
    assert_eq!(verdict["txid"], txid.as_str());

    let path = format!("/app/receipt?transaction_id={txid}");
    let cose = client.get_accepting(&path, "application/cose").expect(200);
    let receipt = directory.path().join("receipt.cose");
    fs::write(&receipt, &cose.body).unwrap();
    let arguments =
        ["receipt", "verify", text(&receipt), "--service-cert", text(&service), "--json"];
    let verdict = affiant(&arguments).expect(0).json();
    assert_eq!((&verdict["format"], &verdict["txid"]), (&"cose".into(), &txid.as_str().into()));
    affiant(&[&arguments[..], &["--now", "now"]].concat()).expect(0);
    affiant(&[&arguments[..], &["--now", "4102444800"]].concat()).expect(1);

    let body = r#"{"id": 8, "msg": "with its receipt"}"#;
    let answer = client.post_with("/app/log/private", "x-affiant-respond: receipt", body);
    let verify = ["receipt", "verify", "-", "--service-cert", text(&service), "--json"];
    let verdict = affiant_reading(&verify, &answer.expect(200).body).expect(0).json();
    assert_eq!(verdict["format"], "json");

    sandbox.stop();
    let ledger = directory.path().join("workspace/sandbox_0/0.ledger");
    let arguments = ["ledger", "verify", text(&ledger), "--service-cert", text(&service), "--json"];
    let report = affiant(&arguments).expect(0).json();
    assert_eq!(report["unsigned_tail"], 0);
    assert_eq!(report["last_signed"], report["last"]);
}

#[test]
fn the_example_keeps_records_and_refuses_nonsense() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &["--initial-user-count", "2"]);
    assert!(client.common.join("user1_cert.pem").is_file());
    for kind in ["private", "public"] {
        let path = format!("/app/log/{kind}");
        assert_eq!(client.get(&format!("{path}/count")).expect(200).text(), "0");
        client.post(&path, r#"{"id": 1, "msg": "one"}"#).expect(200);
        client.post(&path, r#"{"id": 2, "msg": "two"}"#).expect(200);
        assert_eq!(client.get(&format!("{path}/count")).expect(200).text(), "2");
        client.request("DELETE", &format!("{path}?id=1"), "").expect(200);
        client.get(&format!("{path}?id=1")).expect(404);
        assert_eq!(client.get(&format!("{path}?id=2")).expect(200).text(), r#"{"msg":"two"}"#);
        client.request("DELETE", &format!("{path}/all"), "").expect(200);
        assert_eq!(client.get(&format!("{path}/count")).expect(200).text(), "0");
        for body in ["", "nonsense", "[]", "{}", r#"{"id": -1, "msg": "x"}"#, r#"{"id": 1}"#] {
            let refused = client.post(&path, body).expect(400);
            assert!(refused.text().contains("InvalidInput"), "{}", refused.text());
            assert_eq!(refused.header("x-ms-ccf-transaction-id"), None);
        }
        client.get(&path).expect(400);
    }
    let stranger = Client { identity: None, ..client };
    stranger.get("/app/log/private?id=2").expect(401);
    stranger.post("/app/log/private/anonymous", r#"{"id": 3, "msg": "hi"}"#).expect(200);
    let other = Client { identity: Some("user1"), ..stranger };
    other.get("/app/log/private?id=3").expect(200);
    sandbox.stop();
}

#[test]
fn resume_continues_and_a_fresh_start_forgets() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &[]);
    client.post("/app/log/private/durable", r#"{"id": 5, "msg": "kept"}"#).expect(200);
    let service = fs::read(client.common.join("service_cert.pem")).unwrap();
    sandbox.stop();

    let (mut sandbox, client) = start(directory.path(), &["--resume"]);
    assert_eq!(fs::read(client.common.join("service_cert.pem")).unwrap(), service);
    assert_eq!(client.get("/app/log/private?id=5").expect(200).text(), r#"{"msg":"kept"}"#);
    let later = client.post("/app/log/private/durable", r#"{"id": 6, "msg": "x"}"#).expect(200);
    let txid = later.header("x-ms-ccf-transaction-id").unwrap();
    assert!(!txid.starts_with("2."), "a restart opens a view: {txid}");
    sandbox.stop();

    let (mut sandbox, client) = start(directory.path(), &[]);
    assert_ne!(fs::read(client.common.join("service_cert.pem")).unwrap(), service);
    client.get("/app/log/private?id=5").expect(404);
    sandbox.stop();
}

#[test]
fn what_was_committed_survives_a_kill() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &[]);
    for id in 0..5 {
        let body = format!(r#"{{"id": {id}, "msg": "kept {id}"}}"#);
        client.post("/app/log/private/durable", &body).expect(200);
    }
    sandbox.signal("KILL");
    sandbox.wait();
    let (mut sandbox, client) = start(directory.path(), &["--resume"]);
    assert_eq!(client.get("/app/log/private/count").expect(200).text(), "5");
    sandbox.stop();
}

#[test]
fn what_stands_in_the_way_of_a_start_is_said_in_words() {
    let directory = scratch();
    let at = |path: &str| directory.path().join(path);
    let workspace = at("workspace");
    let refused = |app: &str, node: &str, more: &[&str]| {
        let mut arguments = vec!["sandbox", "--app", app, "--node", node, "--workspace"];
        arguments.push(text(&workspace));
        arguments.extend(more);
        affiant(&arguments).expect(1).stderr
    };

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let node = format!("local://{}", taken.local_addr().unwrap());
    let words = refused(&example(), &node, &[]);
    assert!(words.contains(&taken.local_addr().unwrap().to_string()), "{words}");
    assert!(words.contains("--node"), "{words}");

    let words = refused(text(&at("nowhere")), ANY_PORT, &[]);
    assert!(words.contains("nowhere"), "{words}");
    fs::create_dir_all(at("app/src")).unwrap();
    let words = refused(text(&at("app")), ANY_PORT, &[]);
    assert!(words.contains("app.json"), "{words}");

    let endpoint = |module: &str| {
        format!(
            r#"{{"endpoints": {{"/x": {{"get": {{"js_module": "{module}", "js_function": "f",
                "forwarding_required": "never", "authn_policies": [], "mode": "sideways"}}}}}}}}"#
        )
    };
    fs::write(at("app/src/a.js"), "export function f() {\n  return {};\n}\n").unwrap();
    fs::write(at("app/app.json"), endpoint("a.js")).unwrap();
    let words = refused(text(&at("app")), ANY_PORT, &[]);
    for needle in ["app.json", "mode", "readonly"] {
        assert!(words.contains(needle), "{words}");
    }

    fs::write(at("app/src/a.js"), "export function f() {\n  return {;\n}\n").unwrap();
    fs::write(at("app/app.json"), endpoint("a.js").replace("sideways", "readonly")).unwrap();
    let words = refused(text(&at("app")), ANY_PORT, &[]);
    assert!(words.contains("/a.js:2") && words.contains("SyntaxError"), "{words}");

    fs::write(at("app/src/a.js"), "export function f() {\n  return {};\n").unwrap();
    let words = refused(text(&at("app")), ANY_PORT, &[]);
    assert!(words.contains("/a.js:2") && words.contains("the file ends here"), "{words}");

    fs::rename(at("app/src/a.js"), at("app/src/b.ts")).unwrap();
    let words = refused(text(&at("app")), ANY_PORT, &[]);
    assert!(words.contains("npm run build"), "{words}");

    let words = refused(&example(), ANY_PORT, &["--resume"]);
    assert!(words.contains("no sandbox to resume"), "{words}");
    assert!(!workspace.join("sandbox_0").exists(), "a refused start leaves nothing behind");
}

#[test]
fn strangers_files_are_left_alone() {
    let directory = scratch();
    let common = directory.path().join("workspace/sandbox_common");
    fs::create_dir_all(&common).unwrap();
    fs::write(common.join("precious.pem"), "theirs").unwrap();
    let workspace = directory.path().join("workspace");
    let example = example();
    let arguments =
        ["sandbox", "--app", &example, "--node", ANY_PORT, "--workspace", text(&workspace)];
    let words = affiant(&arguments).expect(1).stderr;
    assert!(words.contains("was not made by"), "{words}");
    assert_eq!(fs::read_to_string(common.join("precious.pem")).unwrap(), "theirs");
}

#[test]
fn a_running_workspace_is_not_taken_over() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &[]);
    let workspace = directory.path().join("workspace");
    let example = example();
    let arguments =
        ["sandbox", "--app", &example, "--node", ANY_PORT, "--workspace", text(&workspace)];
    let words = affiant(&arguments).expect(1).stderr;
    assert!(words.contains("another sandbox is running"), "{words}");
    client.get("/app/commit").expect(200);
    sandbox.signal("INT");
    assert_eq!(sandbox.wait().0.code(), Some(0));
}

#[test]
fn a_foreign_file_in_the_ledger_directory_stops_a_resume_by_name() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &[]);
    client.post("/app/log/private/durable", r#"{"id": 5, "msg": "kept"}"#).expect(200);
    sandbox.stop();
    let strange = directory.path().join("workspace/sandbox_0/0.ledger/notes.txt");
    fs::write(&strange, "x").unwrap();
    let workspace = directory.path().join("workspace");
    let example = example();
    let arguments = [
        "sandbox",
        "--app",
        &example,
        "--node",
        ANY_PORT,
        "--workspace",
        text(&workspace),
        "--resume",
    ];
    let words = affiant(&arguments).expect(1).stderr;
    assert!(words.contains("notes.txt"), "{words}");
    fs::remove_file(strange).unwrap();
    let (mut sandbox, client) = start(directory.path(), &["--resume"]);
    client.get("/app/log/private?id=5").expect(200);
    sandbox.stop();
}

#[test]
fn http2_is_spoken_when_asked_for() {
    let directory = scratch();
    let (mut sandbox, client) = start(directory.path(), &["--http2", "--verbose"]);
    assert_eq!(client.negotiated(&["h2", "http/1.1"]).as_deref(), Some("h2"));
    sandbox.stop();
    let printed = sandbox.seen.join("\n");
    assert!(printed.contains("curl --http2 "), "{printed}");
    assert!(printed.contains("[info ] [node]"), "{printed}");
}

#[test]
fn the_app_speaks_to_its_author() {
    let directory = scratch();
    fs::create_dir_all(directory.path().join("app/src")).unwrap();
    let at = |path: &str| directory.path().join(path);
    fs::write(
        at("app/app.json"),
        r#"{"endpoints": {"/x": {"post": {"js_module": "a.js", "js_function": "f",
            "forwarding_required": "never", "authn_policies": [], "mode": "readwrite"}}}}"#,
    )
    .unwrap();
    let source = "export function f(request) {\n  console.log('heard', request.body.text());\n  \
                  return undefinedFunction();\n}\n";
    fs::write(at("app/src/a.js"), source).unwrap();
    let app = at("app");
    let mut sandbox =
        Running::start(directory.path(), &["sandbox", "--app", text(&app), "-n", ANY_PORT]);
    let node = sandbox.line("Node [0] = https://");
    let address = node.split("https://").nth(1).unwrap().trim().to_owned();
    sandbox.line("Press Ctrl+C");
    let common = at("workspace/sandbox_common");
    let client = Client { address, common, identity: None };
    let thrown = client.post("/app/x", "me").expect(500);
    assert!(thrown.text().contains("undefinedFunction"), "{}", thrown.text());
    assert!(thrown.text().contains("a.js:3"), "{}", thrown.text());
    sandbox.line("[app] heard me");
    sandbox.stop();

    // An edited app replaces the one in the ledger.
    fs::write(at("app/src/a.js"), "export const f = () => ({ body: 'edited' });\n").unwrap();
    let arguments = ["sandbox", "--app", text(&app), "-n", ANY_PORT, "--resume"];
    let mut sandbox = Running::start(directory.path(), &arguments);
    let node = sandbox.line("Node [0] = https://");
    let address = node.split("https://").nth(1).unwrap().trim().to_owned();
    sandbox.line("Press Ctrl+C");
    let client = Client { address, ..client };
    assert_eq!(client.post("/app/x", "").expect(200).text(), "edited");
    sandbox.stop();
}

#[test]
fn the_demo_script_of_the_example_runs() {
    let directory = scratch();
    if std::process::Command::new("curl").arg("--version").output().is_err() {
        println!("skipped: there is no curl to run the demo script with");
        return;
    }
    let (mut sandbox, client) = start(directory.path(), &[]);
    let output = std::process::Command::new(repository().join("examples/logging/demo.sh"))
        .args([&format!("https://{}", client.address), text(&client.common)])
        .env("AFFIANT", crate::support::binary())
        .output()
        .unwrap();
    let words = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{words}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(words.contains("Verified: "), "{words}");
    sandbox.stop();
}
