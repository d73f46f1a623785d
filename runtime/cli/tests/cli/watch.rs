//! `affiant sandbox --watch`, as the author of an app meets it: save, look at the screen, send a request.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

use crate::https::Client;
use crate::process::Running;
use crate::support::{affiant, text};

const APP: &str = r#"{"endpoints": {"/x": {"get": {"js_module": "a.js", "js_function": "f",
    "forwarding_required": "never", "authn_policies": [], "mode": "readonly"}}}}"#;

fn app(source: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("app/src")).unwrap();
    fs::write(root.path().join("app/app.json"), APP).unwrap();
    fs::write(root.path().join("app/src/a.js"), source).unwrap();
    root
}

fn start(directory: &Path, app: &str, more: &[&str]) -> (Running, Client) {
    let arguments = [&["sandbox", "--app", app, "-n", "local://127.0.0.1:0"], more].concat();
    let mut sandbox = Running::start(directory, &arguments);
    let node = sandbox.line("Node [0] = https://");
    let address = node.split("https://").nth(1).unwrap().trim().to_owned();
    sandbox.line("Press Ctrl+C");
    let common = directory.join("workspace/sandbox_common");
    (sandbox, Client { address, common, identity: Some("user0") })
}

#[test]
fn a_saved_change_is_served_and_a_fault_is_shown() {
    let root = app("export const f = () => ({ body: 'one' });\n");
    let at = |path: &str| root.path().join(path);
    let unheeded = ["--watch", "--python-workers", "2"];
    let (mut sandbox, client) = start(root.path(), "app", &unheeded);
    let answer = || client.get("/app/x").expect(200).text().to_owned();
    assert_eq!(answer(), "one");
    let note = "Note: --python-workers has no effect: the app is javascript.";
    assert!(sandbox.seen.iter().any(|line| line == note), "{:#?}", sandbox.seen);

    fs::write(at("app/src/a.js"), "export const f = () => ({ body: 'two' });\n").unwrap();
    let line = sandbox.line("Reloaded app: 1 endpoint, transaction 2.");
    assert_eq!(answer(), "two");

    // A fault: shown with file, line and cure; what worked is served on.
    fs::write(at("app/src/a.js"), "export const f = () => ({\n  body: 'three' + ;\n});\n").unwrap();
    sandbox.line("app/src/a.js:2: SyntaxError: ");
    sandbox.line("2 |   body: 'three' + ;");
    sandbox.line("the app from before is served on. Mend the file and save it");
    assert_eq!(answer(), "two");
    let metadata = APP.replace("readonly", "sideways");
    fs::write(at("app/app.json"), &metadata).unwrap();
    fs::write(at("app/src/a.js"), "export const f = () => ({ body: 'four' });\n").unwrap();
    sandbox.line("app/app.json: endpoints[\"GET /x\"]: mode is \"sideways\"");
    sandbox.line("is served on");
    fs::write(at("app/app.json"), APP.replace("\"f\"", "\"g\"")).unwrap();
    sandbox.line("app/app.json: GET /x: module '/a.js' exports no 'g'");
    sandbox.line("is served on");
    assert_eq!(answer(), "two");

    // Mended as an editor does it: another file takes the name. An endpoint more, a module more.
    let more = APP.replace("\"/x\"", "\"/y\"").replace("\"f\"", "\"g\"");
    let more = more.split_once("{\"endpoints\": {").unwrap().1.strip_suffix("}}").unwrap();
    let more = APP.replace("\"/x\"", &format!("{more}, \"/x\""));
    let misspelt = more.replacen("\"mode\"", "\"respnod\": \"committed\", \"mode\"", 1);
    fs::write(at("app/app.json"), misspelt).unwrap();
    fs::create_dir(at("app/src/lib")).unwrap();
    fs::write(at("app/src/lib/five.js"), "export const five = 'five';\n").unwrap();
    let source = "import { five } from './lib/five.js';\nexport const f = () => ({ body: five });\n\
                  export const g = () => {\n  console.log('here', five);\n  throw new Error('no');\n};\n";
    fs::write(at("new.js"), source).unwrap();
    fs::rename(at("new.js"), at("app/src/a.js")).unwrap();
    sandbox.line("Note: app/app.json: endpoints[\"GET /y\"]: \"respnod\" has no effect");
    sandbox.line("Reloaded app: 2 endpoints, transaction 2.");
    assert_eq!(answer(), "five");
    let thrown = client.get("/app/y").expect(500);
    assert!(thrown.text().contains("a.js:5"), "{}", thrown.text());
    sandbox.line("[app] here five");

    // It is in the ledger: a restart without the files' help serves it.
    assert!(!line.contains("transaction 2.1,"), "{line}");
    sandbox.stop();
    let ledger = at("workspace/sandbox_0/0.ledger");
    affiant(&["ledger", "verify", text(&ledger)]).expect(0);
    let table = "public:ccf.gov.modules";
    let arguments = ["ledger", "show", text(&ledger), "--table", table, "--json"];
    let shown = affiant(&arguments).expect(0).stdout;
    assert_eq!(shown.lines().count(), 3, "one transaction each: at start, 'two', 'five': {shown}");
}

#[test]
fn bundles_and_proposals_are_watched_too() {
    let root = app("");
    let bundle = |body: &str| {
        let metadata: serde_json::Value = serde_json::from_str(APP).unwrap();
        let source = format!("export const f = () => ({{ body: '{body}' }});");
        serde_json::json!({
            "metadata": metadata, "modules": [{"name": "a.js", "module": source}],
        })
    };
    let file = root.path().join("set_js_app.json");
    let proposal = |body: &str| serde_json::json!({"actions": [{"name": "set_js_app", "args": {"bundle": bundle(body)}}]});
    fs::write(&file, bundle("built").to_string()).unwrap();
    let (mut sandbox, client) = start(root.path(), "set_js_app.json", &["--watch"]);
    assert_eq!(client.get("/app/x").expect(200).text(), "built");
    fs::write(&file, proposal("proposed").to_string()).unwrap();
    sandbox.line("Reloaded set_js_app.json");
    assert_eq!(client.get("/app/x").expect(200).text(), "proposed");
    fs::write(&file, r#"{"actions": [{"name": "set_user"}]}"#).unwrap();
    sandbox.line("set_js_app.json: field actions has no action set_js_app");
    sandbox.line("is served on");
    // The same app in other words is no other app.
    fs::write(&file, bundle("proposed").to_string()).unwrap();
    sandbox.line("set_js_app.json is the app that is served already: nothing to reload.");
    sandbox.stop();
}

/// What a bundler makes of TypeScript: a module and its map, changed together.
#[test]
fn traces_name_the_source_that_was_built() {
    let root = app("export const f = () => { throw new Error('no'); };\n");
    let map = |mappings: &str| {
        let map = serde_json::json!({"sources": ["../../src/app.ts"], "mappings": mappings});
        fs::write(root.path().join("app/src/a.js.map"), map.to_string()).unwrap();
    };
    map("AAMA");
    let (mut sandbox, client) = start(root.path(), "app", &["--watch"]);
    let thrown = client.get("/app/x").expect(500);
    assert!(thrown.text().contains("at f (src/app.ts:7)"), "{}", thrown.text());
    // A line of comment more: the module is the same, its map is not.
    map("AAOA");
    sandbox.line("app is the app that is served already: nothing to reload.");
    let thrown = client.get("/app/x").expect(500);
    assert!(thrown.text().contains("at f (src/app.ts:8)"), "{}", thrown.text());
    sandbox.stop();
}

#[test]
fn users_come_with_their_data() {
    let root = app("export const f = (request) => ({ body: request.caller.data });\n");
    let metadata = APP.replace("\"authn_policies\": []", "\"authn_policies\": [\"user_cert\"]");
    fs::write(root.path().join("app/app.json"), metadata).unwrap();
    let users = root.path().join("users.json");
    fs::write(&users, r#"{"user1": {"role": "clerk"}}"#).unwrap();
    let (mut sandbox, client) = start(root.path(), "app", &["--user-data", text(&users)]);
    assert_eq!(client.get("/app/x").expect(200).text(), "null");
    let clerk = Client { identity: Some("user1"), ..client };
    assert_eq!(clerk.get("/app/x").expect(200).text(), r#"{"role":"clerk"}"#);
    sandbox.stop();
    fs::write(&users, r#"{"ada": 1}"#).unwrap();
    let workspace = root.path().join("other");
    let app = root.path().join("app");
    let refused = affiant(&[
        "sandbox",
        "--app",
        text(&app),
        "-n",
        "local://127.0.0.1:0",
        "--workspace",
        text(&workspace),
        "--user-data",
        text(&users),
    ]);
    assert!(refused.expect(1).stderr.contains("\"ada\" is no user"));
}
