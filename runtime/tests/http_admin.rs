//! The built-in endpoints against what a real CCF node answered: the same fields of the same types,
//! the same headers.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::collections::BTreeMap;
use std::path::PathBuf;

use affiant::auth::AuthnPolicy;
use affiant::hosting::{Frontend, FrontendWorker};
use affiant::node::NodeSettings;
use affiant::{Endpoint, Response, Runtime};
use http_support::{Client, listener, settings, start, with_endpoints};
use serde_json::{Value as Json, json};

/// The recorded answers, or nothing where they are not at hand.
fn fixtures() -> Option<PathBuf> {
    let root = std::env::var_os("AFFIANT_FIXTURES").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures"),
        PathBuf::from,
    );
    let folder = root.join("ccf-http/responses");
    if folder.is_dir() {
        return Some(folder);
    }
    println!("skipped: no recorded answers in {}", folder.display());
    None
}

/// What `ours` lacks of `theirs`, by path; arrays are compared by their first elements.
fn missing(theirs: &Json, ours: &Json, path: &str, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Json::Object(theirs), Json::Object(ours)) => {
            for (key, value) in theirs {
                // Keys that are identifiers differ from service to service.
                let own = match ours.get(key) {
                    Some(own) => Some(own),
                    None if key.len() == 64 => {
                        ours.iter().find(|(k, _)| k.len() == 64).map(|e| e.1)
                    }
                    None if key == "primary_rpc_interface" => ours.get("main"),
                    None => None,
                };
                match own {
                    Some(own) => missing(value, own, &format!("{path}.{key}"), found),
                    None => found.push(format!("{path}.{key}")),
                }
            }
        }
        (Json::Array(theirs), Json::Array(ours)) => {
            if let Some(first) = theirs.first() {
                match ours.first() {
                    Some(own) => missing(first, own, &format!("{path}[0]"), found),
                    None => found.push(format!("{path}[0]")),
                }
            }
        }
        (theirs, ours) => {
            let kind = |value: &Json| match value {
                Json::Null => "null",
                Json::Bool(_) => "bool",
                Json::Number(_) => "number",
                Json::String(_) => "string",
                Json::Array(_) => "array",
                Json::Object(_) => "object",
            };
            if kind(theirs) != kind(ours) {
                found.push(format!("{path} is {}, not {}", kind(ours), kind(theirs)));
            }
        }
    }
}

/// An application in an interpreted language, as far as the host can tell.
struct Interpreted(Vec<Endpoint>);

impl Frontend for Interpreted {
    fn language(&self) -> &'static str {
        "javascript"
    }
    fn engine_version(&self) -> Option<&str> {
        Some("1999-12-31")
    }
    fn endpoints(&self) -> &[Endpoint] {
        &self.0
    }
    fn worker(&self) -> Result<Box<dyn FrontendWorker>, affiant::AppError> {
        struct Worker;
        impl FrontendWorker for Worker {
            fn call(&mut self, _: &mut affiant::Call<'_>) -> Result<Response, affiant::AppError> {
                Ok(Response::text(200, "touched nothing"))
            }
        }
        Ok(Box::new(Worker))
    }
}

/// The same with a document of its own.
struct Described(Interpreted, Json);

impl Frontend for Described {
    fn language(&self) -> &'static str {
        "python"
    }
    fn openapi(&self) -> Option<&Json> {
        Some(&self.1)
    }
    fn endpoints(&self) -> &[Endpoint] {
        self.0.endpoints()
    }
    fn worker(&self) -> Result<Box<dyn FrontendWorker>, affiant::AppError> {
        self.0.worker()
    }
}

#[test]
fn a_web_applications_document_is_part_of_the_api() {
    let start = |document: Json| {
        Runtime::builder()
            .node(settings(&[]))
            .frontend(std::sync::Arc::new(Described(interpreted(), document)))
            .listen(listener())
            .start()
            .unwrap()
    };
    let operation = json!({"summary": "Theirs", "responses": {"200": {"description": "Yes"}}});
    let theirs = json!({
        "openapi": "3.1.0",
        "info": {"title": "Orders", "version": "1.2"},
        "paths": {
            "/items/{id}": {"get": operation, "put": operation},
            "/app/touches/nothing": {"get": operation, "delete": operation},
            "/app/commit": 7,
        },
        "components": {
            "schemas": {"Item": {"type": "object"}, "TxStatus": {"type": "integer"}},
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
    });
    let runtime = start(theirs);
    let document = Client::new(&runtime).get("/app/api").json();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(
        document["info"],
        json!({"description": "Empty description", "title": "Orders", "version": "1.2"})
    );
    assert_eq!(document["paths"]["/items/{id}"], json!({"get": operation, "put": operation}));
    let shared = &document["paths"]["/app/touches/nothing"];
    assert_eq!(shared["get"]["summary"], "Touches nothing", "what is declared stays");
    assert_eq!(shared["delete"], operation);
    assert_eq!(document["paths"]["/app/commit"]["get"]["summary"], "Current commit level");
    let schemas = &document["components"]["schemas"];
    assert_eq!(schemas["Item"], json!({"type": "object"}));
    assert_eq!(schemas["TxStatus"]["type"], "string", "what is there stays");
    assert_eq!(document["components"]["securitySchemes"]["basic"]["scheme"], "basic");
    let node = Client::new(&runtime).get("/node/api").json();
    assert_eq!((&node["openapi"], &node["paths"]["/items/{id}"]), (&json!("3.0.0"), &Json::Null));
    runtime.stop().unwrap();
    // Whatever it is, the rest is told.
    let huge = json!({"paths": {"/x": {"get": "x".repeat(affiant::limits::OPENAPI_BYTES_MAX)}}});
    for odd in [huge, json!(7), json!({"paths": [], "components": 7, "info": "x", "openapi": 3})] {
        let runtime = start(odd);
        let document = Client::new(&runtime).get("/app/api").json();
        assert_eq!(document["openapi"], "3.0.0");
        assert!(document["paths"].get("/x").is_none());
        assert!(document["paths"]["/app/touches/nothing"]["get"].is_object());
        runtime.stop().unwrap();
    }
}

fn interpreted() -> Interpreted {
    Interpreted(vec![Endpoint {
        method: "GET".to_owned(),
        path: "/touches/nothing".to_owned(),
        module: "/x.js".to_owned(),
        function: "f".to_owned(),
        options: affiant::EndpointOptions {
            openapi: json!({"summary": "Touches nothing"}),
            ..Default::default()
        },
        ..Endpoint::default()
    }])
}

fn as_recorded() -> NodeSettings {
    let mut settings = settings(&[]);
    settings.service.config.recovery_threshold = 0;
    settings
}

#[test]
fn answers_have_the_recorded_shape() {
    let Some(folder) = fixtures() else { return };
    let runtime = Runtime::builder()
        .node(as_recorded())
        .frontend(std::sync::Arc::new(interpreted()))
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    // Wait until the service's first signature is committed.
    let txid = runtime.node().store().last();
    drop(runtime.node().wait_committed_blocking(txid));
    let index = std::fs::read_to_string(folder.join("index.txt")).unwrap();
    let mut compared = 0;
    for line in index.lines() {
        let mut parts = line.splitn(3, ' ');
        let (status, path) = (parts.next().unwrap(), parts.next().unwrap());
        let headers: BTreeMap<String, String> =
            serde_json::from_str(parts.next().unwrap()).unwrap();
        // The recorded application's own, and snapshots.
        if path.starts_with("/app/log") || path == "/node/snapshot" {
            continue;
        }
        let answer = client.get(path);
        assert_eq!(answer.status.to_string(), status, "{path}: {}", answer.head);
        assert_eq!(answer.header("content-type"), headers.get("content-type").map(String::as_str));
        assert_eq!(
            answer.txid().is_some(),
            headers.contains_key("x-ms-ccf-transaction-id"),
            "{path}: {}",
            answer.head
        );
        let name = path[1..].replace(['/'], "_").replace('?', "__");
        if let Ok(recorded) = std::fs::read(folder.join(format!("{name}.{status}"))) {
            let recorded: Json = serde_json::from_slice(&recorded).unwrap_or_default();
            if recorded.is_null() || path.ends_with("/api") {
                continue;
            }
            if status == "404" {
                assert_eq!(answer.json(), recorded, "{path}");
            }
            let mut found = Vec::new();
            missing(&recorded, &answer.json(), "", &mut found);
            assert!(found.is_empty(), "{path} lacks {found:?}: {}", answer.text());
            compared += 1;
        }
    }
    assert!(compared > 25, "{compared} answers were compared");
}

#[test]
fn an_interpreted_application_always_has_read_something() {
    let runtime = Runtime::builder()
        .node(settings(&[]))
        .frontend(std::sync::Arc::new(interpreted()))
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    assert!(client.get("/app/touches/nothing").txid().is_some());
    assert!(client.get("/app/commit").txid().is_some());
    assert!(client.get("/node/commit").txid().is_none());
    assert_eq!(client.get("/node/version").json()["quickjs_version"], "1999-12-31");
    let api = client.get("/app/api").json();
    assert_eq!(api["openapi"], "3.0.0");
    assert_eq!(api["paths"]["/app/touches/nothing"]["get"]["summary"], "Touches nothing");
    assert_eq!(api["paths"]["/app/commit"]["get"]["operationId"], "GetAppCommit");
    assert!(api["paths"].get("/app/metrics").is_none(), "hidden");
    let api = client.get("/node/api").json();
    assert_eq!(
        api["paths"]["/node/network/nodes/{node_id}"]["get"]["operationId"],
        "GetNodeNetworkNodesNodeId"
    );
}

#[test]
fn commit_points_histories_and_receipts() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let txid = client.post("/app/durable/1", b"x").txid().unwrap().to_owned();
    let commit = client.get("/node/commit?view_history=true").json();
    assert_eq!(commit["view_history"].as_array().unwrap().len(), 2);
    let since = client.get("/node/commit?view_history_since=2").json();
    assert_eq!(since["view_history"], json!(["2.1"]));
    for (query, status) in [
        ("view_history=perhaps", 400),
        ("view_history_since=0", 400),
        ("view_history_since=x", 400),
        ("view_history_since=99", 404),
    ] {
        let answer = client.get(&format!("/app/commit?{query}"));
        assert_eq!((answer.status, answer.code().as_str()), (status, "InvalidQueryParameterValue"));
    }
    for bad in ["", "?transaction_id=", "?transaction_id=2", "?transaction_id=0.1", "?x=2.1"] {
        for path in ["/app/tx", "/app/receipt"] {
            let answer = client.get(&format!("{path}{bad}"));
            assert_eq!(answer.status, 400, "{path}{bad}");
            assert_eq!(answer.code(), "InvalidQueryParameterValue");
        }
    }
    let status = |client: &mut Client, txid: &str| {
        client.get(&format!("/gov/tx?transaction_id={txid}")).json()["status"].clone()
    };
    assert_eq!(status(&mut client, &txid), "Committed");
    assert_eq!(status(&mut client, "1.2"), "Invalid");
    assert_eq!(status(&mut client, "2.99999"), "Unknown");
    let answer = client.get("/app/receipt?transaction_id=2.99999");
    assert_eq!((answer.status, answer.code().as_str()), (404, "TransactionPendingOrUnknown"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    let answer = client.get("/app/receipt?transaction_id=1.2");
    assert_eq!((answer.status, answer.code().as_str()), (404, "TransactionInvalid"));
    // The first signature: its receipt has a leaf and no components.
    let receipt = client.get("/app/receipt?transaction_id=2.2").json();
    assert!(receipt["leaf"].is_string() && receipt.get("leaf_components").is_none(), "{receipt}");
    let cose = [("accept", "application/cose")];
    let answer = client.request("GET", "/app/receipt?transaction_id=2.2", &cose, b"");
    assert_eq!(answer.status, 404);
}

#[test]
fn the_api_document_says_what_openapi_wants() {
    let endpoint = |path: &str, policies: Vec<AuthnPolicy>, openapi: Json| Endpoint {
        path: path.to_owned(),
        options: affiant::EndpointOptions {
            authn_policies: policies,
            openapi,
            ..Default::default()
        },
        ..interpreted().0.remove(0)
    };
    let named = |name: &str| AuthnPolicy::Named(name.to_owned());
    let both = AuthnPolicy::AllOf(vec!["user_cert".to_owned(), "any_cert".to_owned()]);
    let frontend = Interpreted(vec![
        endpoint("/a/{x}/b/{y}:z", vec![named("no_auth"), both], Json::Null),
        endpoint("/own", vec![named("member_cert")], json!({"security": [], "responses": {}})),
        endpoint("/open", vec![], json!({"summary": "s"})),
    ]);
    let runtime = Runtime::builder()
        .node(settings(&[]))
        .frontend(std::sync::Arc::new(frontend))
        .listen(listener())
        .start()
        .unwrap();
    let api = Client::new(&runtime).get("/app/api").json();
    let item = &api["paths"]["/app/a/{x}/b/{y}:z"];
    let names = item["parameters"].as_array().unwrap().iter().map(|p| p["name"].clone());
    assert_eq!(names.collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(item["get"]["security"], json!([{}, {"any_cert": [], "user_cert": []}]));
    assert!(item["get"]["responses"]["default"].is_object());
    let schemes = api["components"]["securitySchemes"].as_object().unwrap();
    assert_eq!(schemes.keys().collect::<Vec<_>>(), ["any_cert", "member_cert", "user_cert"]);
    assert_eq!(api["paths"]["/app/own"]["get"], json!({"security": [], "responses": {}}));
    assert!(api["paths"]["/app/open"]["get"].get("security").is_none());
    assert_eq!(api["paths"]["/app/open"]["get"]["summary"], "s");
}

#[test]
fn a_client_that_takes_no_json_is_told() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let mut ask = |accept: &str| {
        let answer = client.request("GET", "/node/state", &[("accept", accept)], b"");
        (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
    };
    assert_eq!(ask("text/html, application/*;q=0.5"), (200, String::new()));
    assert_eq!(ask("text/html"), (406, "UnsupportedContentType".to_owned()));
    assert_eq!(ask("whatever"), (400, "InvalidHeaderValue".to_owned()));
}

#[test]
fn nodes_are_found_by_what_is_asked() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let port = runtime.addresses()[0].port();
    let count = |client: &mut Client, query: &str| {
        let answer = client.get(&format!("/node/network/nodes?{query}"));
        answer.json()["nodes"].as_array().unwrap().len()
    };
    assert_eq!(count(&mut client, ""), 1);
    assert_eq!(count(&mut client, &format!("host=127.0.0.1&port={port}&status=Trusted")), 1);
    assert_eq!(count(&mut client, "host=elsewhere"), 0);
    assert_eq!(count(&mut client, "port=1"), 0);
    assert_eq!(count(&mut client, "status=Retired"), 0);
    assert_eq!(client.get("/node/network/nodes?status=Odd").status, 400);
    let own = client.get("/node/network/nodes/self").json();
    let id = own["node_id"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&format!("/node/network/nodes/{id}")).json(), own);
    assert_eq!(client.get("/node/network/nodes/primary").json(), own);
    assert_eq!(client.get("/node/network/nodes/feed").status, 404);
    let answer = client.request("DELETE", &format!("/node/network/nodes/{id}"), &[], b"");
    assert_eq!((answer.status, answer.code().as_str()), (400, "NodeNotRetiredCommitted"));
    assert_eq!(client.request("HEAD", "/node/primary", &[], b"").status, 200);
    assert_eq!(client.get("/node/backup").status, 404);
    for path in
        ["/node/snapshot", "/node/snapshot?since=3", "/node/snapshot/snapshot_1_2.committed"]
    {
        let answer = client.get(path);
        assert_eq!((answer.status, answer.code().as_str()), (404, "ResourceNotFound"));
    }
    assert_eq!(client.get("/node/snapshot?since=x").status, 400);
}

#[test]
fn metrics_are_open_and_of_fixed_cardinality() {
    let runtime =
        with_endpoints(Runtime::builder().node(settings(&[]))).listen(listener()).start().unwrap();
    let mut client = Client::new(&runtime);
    client.post("/app/durable/secret-name", b"x");
    client.get("/app/records/secret-name");
    for index in 0..20 {
        client.get(&format!("/app/nope/{index}"));
    }
    client.get("/app/records/none");
    let json = client.request("GET", "/app/metrics", &[("accept", "application/json")], b"").json();
    assert_eq!(
        json["metrics"][0],
        json!({
            "calls": 2, "errors": 1, "failures": 0, "method": "GET", "path": "/app/records/{id}",
            "retries": 0,
        })
    );
    let answer = client.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    let text = answer.text();
    for line in [
        "affiant_requests_total{route=\"POST /app/durable/{id}\",status=\"2xx\"} 1",
        "affiant_requests_total{route=\"GET /app/records/{id}\",status=\"2xx\"} 1",
        "affiant_requests_total{route=\"none\",status=\"4xx\"} 20",
        "affiant_sessions{listener=\"main\"} 1",
        "affiant_service_open 1",
        "affiant_commit_wait_seconds_count 1",
        "# EOF",
    ] {
        assert!(text.contains(line), "{line} is missing in\n{text}");
    }
    assert!(!text.contains("secret-name") && !text.contains("nope"), "{text}");
}
