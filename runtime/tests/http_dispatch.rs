//! What a request gets: the endpoint, the caller, the transaction id, and the moment of the answer.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod http_support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};

use affiant::auth::{AuthnPolicy, PeerCertificate};
use affiant::node::Node;
use affiant::tables::{USER_CERTS, USER_INFO};
use affiant::{AppError, Caller, EndpointOptions, Peer, Request, Respond, Response, Runtime};
use affiant_kv::CommitOutcome;
use affiant_proof::{Receipt, VerifyOptions};
use http_support::{
    Client, assert_serves, client_config, listener, person, records, settings, start, valid,
    with_endpoints,
};
use serde_json::{Value as Json, json};

fn early() -> EndpointOptions {
    EndpointOptions::native().respond(Respond::AtOnce)
}

#[test]
fn paths_and_methods_are_answered_as_ccf_does() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    let answer = client.get("/app/nope");
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.text(),
        r#"{"error":{"code":"ResourceNotFound","message":"Unknown path: /nope."}}"#
    );
    assert_eq!(client.get("/nope").message(), "Unknown path: /nope.");
    assert_eq!(client.get("/node/nope").message(), "Unknown path: /nope.");
    let answer = client.request("PUT", "/app/records/1", &[], b"x");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("OPTIONS, GET, POST")));
    assert_eq!(
        answer.text(),
        r#"{"error":{"code":"UnsupportedHttpVerb","message":"Allowed methods for '/records/1' are: OPTIONS, GET, POST."}}"#
    );
    let answer = client.request("OPTIONS", "/app/records/1", &[], b"");
    assert_eq!((answer.status, answer.header("allow")), (204, Some("OPTIONS, GET, POST")));
    // The prefix is optional, and HEAD is GET without its body.
    assert_eq!(client.get("/plain").text(), "hello");
    let answer = client.request("HEAD", "/app/plain", &[], b"");
    assert_eq!((answer.status, answer.header("content-length")), (200, Some("5")));
    assert_eq!(client.get("/app/plain").text(), "hello");
    let answer = client.post("/app/json", b"{\"a\":");
    assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidInput"));
    assert_eq!(client.post("/app/json", b"{\"a\":1}").json(), json!({"a": 1}));
}

#[test]
fn the_transaction_id_goes_out_with_what_was_kept() {
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("POST", "/rejected", early(), |_, tx| {
            tx.put(&records(), b"rejected", b"x")?;
            Ok(Response::text(400, "no"))
        })
        .endpoint("POST", "/failed", early(), |_, tx| {
            tx.put(&records(), b"failed", b"x")?;
            Err(AppError::new(418, "Teapot", "no"))
        })
        .endpoint("POST", "/panics", early(), |_, tx| {
            tx.put(&records(), b"panics", b"x")?;
            panic!("on purpose");
        })
        .endpoint("POST", "/sneaky", early().read_only(), |_, tx| {
            tx.put(&records(), b"sneaky", b"x")?;
            Ok(Response::empty(200))
        })
        .endpoint("GET", "/odd/{status}", early(), |request, _| {
            let status = request.param("status").unwrap_or_default().parse().unwrap_or(0);
            Ok(Response::empty(status))
        })
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    let wrote: affiant_proof::TxId =
        client.post("/app/records/1", b"one").txid().unwrap().parse().unwrap();
    assert_eq!(wrote.view, 2);
    let read = client.get("/app/records/1");
    assert_eq!((read.status, read.txid()), (200, Some(wrote.to_string().as_str())));
    assert_eq!(client.get("/app/plain").txid(), None, "nothing was read");
    let missing = client.get("/app/records/none");
    assert_eq!((missing.status, missing.txid()), (404, None));
    for (path, status) in [("rejected", 400), ("failed", 418), ("panics", 500), ("sneaky", 500)] {
        let answer = client.post(&format!("/app/{path}"), b"x");
        assert_eq!((answer.status, answer.txid()), (status, None), "{path}");
        assert_eq!(client.get(&format!("/app/records/{path}")).status, 404, "{path}");
    }
    assert_eq!(client.get("/app/odd/299").status, 299);
    assert_eq!(client.get("/app/odd/101").status, 500);
    assert_eq!(client.get("/app/odd/0").status, 500);
    assert_serves(&runtime);
}

#[test]
fn callers_are_known_by_their_certificates() {
    let user = valid("user");
    let stranger = valid("stranger");
    let expired = person("expired", -20, -10);
    let future = person("future", 10, 20);
    let both = EndpointOptions {
        authn_policies: vec![AuthnPolicy::AllOf(vec![
            "user_cert".to_owned(),
            "any_cert".to_owned(),
        ])],
        ..early()
    };
    let runtime = with_endpoints(Runtime::builder().node(settings(&[&user, &expired])))
        .endpoint("GET", "/any", early().policies(&["any_cert", "no_auth"]), |request, _| {
            Ok(Response::text(200, request.caller().map_or("nobody", Caller::policy)))
        })
        .endpoint("GET", "/member", early().policies(&["member_cert"]), |_, _| {
            Ok(Response::empty(200))
        })
        .endpoint("GET", "/both", both, |request, _| match request.caller() {
            Some(Caller::AllOf(callers)) => {
                let names: Vec<&str> = callers.iter().map(|(name, _)| name.as_str()).collect();
                Ok(Response::text(200, names.join(" ")))
            }
            other => Err(AppError::internal(format!("{other:?}"))),
        })
        .endpoint("GET", "/unknown", early().policies(&["telepathy"]), |_, _| {
            Ok(Response::empty(200))
        })
        .endpoint("GET", "/open", early(), |request, _| {
            Ok(Response::text(200, if request.caller().is_none() { "none" } else { "some" }))
        })
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::of(&runtime, &user);
    let id = PeerCertificate::from_pem(&user.pem).unwrap().id().to_string();
    let answer = client.get("/app/whoami");
    assert_eq!(answer.json(), json!({"id": id, "data": {"name": "someone"}}));
    assert!(answer.txid().is_some(), "the user's row was read");
    assert_eq!(client.get("/app/both").text(), "any_cert user_cert");
    assert_eq!(client.get("/app/any").text(), "any_cert");
    assert_eq!(client.get("/app/open").text(), "none");
    let answer = client.get("/app/unknown");
    assert_eq!((answer.status, answer.code().as_str()), (500, "InternalError"));

    let refusal = |person: Option<&http_support::Person>, path: &str| {
        let mut client = match person {
            Some(person) => Client::of(&runtime, person),
            None => Client::new(&runtime),
        };
        let answer = client.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.message(), "Invalid authentication credentials.");
        answer.json()["error"]["details"][0].clone()
    };
    assert_eq!(
        refusal(None, "/app/whoami"),
        json!({
            "auth_policy": "user_cert",
            "code": "InvalidAuthenticationInfo",
            "message": "No caller user certificate",
        })
    );
    let message = |details: Json| details["message"].as_str().unwrap().to_owned();
    assert_eq!(
        message(refusal(Some(&stranger), "/app/whoami")),
        "Could not find matching user certificate"
    );
    assert_eq!(
        message(refusal(Some(&user), "/app/member")),
        "Could not find matching member certificate"
    );
    assert!(message(refusal(Some(&expired), "/app/whoami")).contains("Not After"));
    assert!(message(refusal(Some(&future), "/app/whoami")).contains("Not Before"));
    assert_eq!(refusal(Some(&stranger), "/app/both")["auth_policy"], "any_cert+user_cert");
    assert_eq!(Client::of(&runtime, &expired).get("/app/any").text(), "no_auth");
    assert_serves(&runtime);
}

#[test]
fn a_listener_serves_the_routes_that_it_accepts() {
    let some = |name: &str, accepted: &[&str], redirections: Json| affiant::Listener {
        name: name.to_owned(),
        accepted_endpoints: (name == "some")
            .then(|| accepted.iter().map(|one| (*one).to_owned()).collect()),
        configured: json!({ "redirections": redirections }),
        ..listener()
    };
    let backup =
        EndpointOptions { redirection: affiant::hosting::Redirection::ToBackup, ..early() };
    let fixed = json!({"to_backup": {"kind": "StaticAddress", "target": {"address": "b:1"}}});
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/backup/{x}", backup, |_, _| Ok(Response::text(200, "here")))
        .listen(some("some", &["/app/records/\\{id\\}", "/node/.*"], Json::Null))
        .listen(some("role", &[], json!({})))
        .listen(some("fixed", &[], fixed))
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    assert_eq!(client.post("/app/records/1", b"x").status, 200);
    assert_eq!(client.post("/records/1", b"x").status, 200, "the route has its prefix");
    assert_eq!(client.get("/node/state").status, 200);
    let refused = client.get("/app/plain");
    assert_eq!((refused.status, refused.body.len()), (503, 0));
    assert_eq!(client.get("/app/nope").status, 404);
    let at = |index: usize, path: &str| {
        let config = client_config(&runtime, None, &[]);
        Client::with(runtime.addresses()[index], config).get(path)
    };
    let answer = at(1, "/app/backup/1");
    assert_eq!((answer.status, answer.code().as_str()), (503, "BackupNotFound"));
    assert_eq!(at(1, "/app/plain").status, 200);
    let answer = at(2, "/app/backup/1?a=%20b");
    let location = answer.header("location");
    assert_eq!((answer.status, location), (307, Some("https://b:1/app/backup/1?a=%20b")));
}

#[test]
fn a_conflict_runs_the_handler_again_but_not_for_ever() {
    let node: Arc<OnceLock<Arc<Node>>> = Arc::default();
    let runs = Arc::new(AtomicUsize::new(0));
    let (inner, counted) = (node.clone(), runs.clone());
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("POST", "/contended/{times}", early(), move |request, tx| {
            let times: usize = request.param("times").unwrap_or_default().parse().unwrap();
            let run = counted.fetch_add(1, Ordering::Relaxed);
            let before = tx.get(&records(), b"counter").map_or(0, |value| value.len());
            if run < times {
                // Somebody else is faster.
                let node = inner.get().unwrap();
                let mut other = node.begin();
                other.put(&records(), b"counter", &vec![b'x'; before + 1])?;
                drop(node.commit(other));
            }
            tx.put(&records(), b"counter", &vec![b'x'; before + 100])?;
            Ok(Response::text(200, run.to_string()))
        })
        .listen(listener())
        .start()
        .unwrap();
    node.set(runtime.node().clone()).ok().unwrap();
    let mut client = Client::new(&runtime);
    let answer = client.post("/app/contended/3", b"");
    assert_eq!((answer.status, answer.text()), (200, "3"));
    assert_eq!(client.get("/app/records/counter").body.len(), 103);
    runs.store(0, Ordering::Relaxed);
    let answer = client.post("/app/contended/1000", b"");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("3")));
    assert_eq!(answer.code(), "TransactionCommitAttemptsExceedLimit");
    assert_eq!((runs.load(Ordering::Relaxed), answer.txid()), (30, None));
    assert_eq!(client.get("/app/records/counter").body.len(), 133);
    assert_serves(&runtime);
}

#[test]
fn an_answer_at_commit_is_committed() {
    let runtime = start(listener());
    let mut client = Client::new(&runtime);
    for index in 0..20 {
        let answer = client.post(&format!("/app/durable/{index}"), b"x");
        assert_eq!(answer.status, 200);
        let txid = answer.txid().unwrap().to_owned();
        let status = client.get(&format!("/app/tx?transaction_id={txid}")).json();
        assert_eq!(status, json!({"status": "Committed", "transaction_id": txid}));
    }
    let answer =
        client.request("POST", "/app/records/1", &[("x-affiant-respond", "committed")], b"x");
    let txid = answer.txid().unwrap().to_owned();
    let status = client.get(&format!("/app/tx?transaction_id={txid}")).json();
    assert_eq!(status["status"], "Committed");
    for (name, value) in [
        ("x-affiant-respond", "later"),
        ("x-affiant-timeout-ms", "soon"),
        ("x-affiant-timeout-ms", "999999999"),
    ] {
        let answer = client.request("POST", "/app/records/1", &[(name, value)], b"x");
        assert_eq!((answer.status, answer.code().as_str()), (400, "InvalidHeaderValue"));
    }
}

#[test]
fn an_answer_may_bring_its_receipt() {
    let runtime = start(listener());
    let service = runtime.node().info().service_certificate_pem;
    let options = VerifyOptions::default();
    let mut client = Client::new(&runtime);
    let wanted = [("x-affiant-respond", "receipt")];
    for (path, body) in
        [("/app/durable/1", json!({"stored": "1"})), ("/app/records/1", json!(true))]
    {
        let answer = client.request("POST", path, &wanted, b"x");
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        let envelope = answer.json();
        assert_eq!(envelope["body"], body);
        assert_eq!(envelope["transaction_id"], answer.txid().unwrap());
        let receipt: Receipt = serde_json::from_value(envelope["receipt"].clone()).unwrap();
        let verdict = affiant_proof::verify_json(&receipt, &service, &options);
        assert!(verdict.is_valid(), "{verdict:?}");
        // The same from the built-in endpoint, in both forms.
        let txid = answer.txid().unwrap();
        let fetched = client.get(&format!("/app/receipt?transaction_id={txid}"));
        assert_eq!(fetched.status, 200);
        assert_eq!(fetched.json(), envelope["receipt"]);
        let cose = client.request(
            "GET",
            &format!("/node/receipt?transaction_id={txid}"),
            &[("accept", "application/cose")],
            b"",
        );
        assert_eq!((cose.status, cose.header("content-type")), (200, Some("application/cose")));
    }
    // A read has no receipt of its own.
    let answer = client.request("GET", "/app/records/1", &wanted, b"");
    assert_eq!(answer.json()["body"], "x");
    assert_eq!(answer.json()["receipt"], Json::Null);
    // A refusal stays as it is.
    let answer = client.request("GET", "/app/records/none", &wanted, b"");
    assert_eq!((answer.status, answer.code().as_str()), (404, "KeyNotFound"));
}

#[test]
fn a_slow_handler_holds_up_itself_only() {
    let (release, released) = mpsc::channel::<()>();
    let (entered, has_entered) = mpsc::channel();
    let (released, entered) = (Mutex::new(released), Mutex::new(entered));
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/slow", early(), move |_, _| {
            entered.lock().unwrap().send(()).unwrap();
            released.lock().unwrap().recv().unwrap();
            Ok(Response::text(200, "slow"))
        })
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap();
    // Once, so that the host sees how long it takes.
    let mut client = Client::new(&runtime);
    let mut other = Client::new(&runtime);
    client.write(b"GET /app/slow HTTP/1.1\r\n\r\n");
    has_entered.recv().unwrap();
    std::thread::sleep(std::time::Duration::from_millis(30));
    release.send(()).unwrap();
    assert_eq!(client.read(false).unwrap().text(), "slow");
    // From now on it runs elsewhere.
    client.write(b"GET /app/slow HTTP/1.1\r\n\r\n");
    has_entered.recv().unwrap();
    assert_eq!(other.get("/app/plain").text(), "hello");
    release.send(()).unwrap();
    assert_eq!(client.read(false).unwrap().text(), "slow");
    runtime.stop().unwrap();
}

#[test]
fn a_service_that_is_not_open_serves_no_application() {
    let mut settings = settings(&[]);
    settings.service.open = false;
    let runtime =
        with_endpoints(Runtime::builder().node(settings)).listen(listener()).start().unwrap();
    let mut client = Client::new(&runtime);
    for path in ["/app/plain", "/app/commit", "/plain", "/app/nope"] {
        let answer = client.get(path);
        assert_eq!(
            answer.text(),
            r#"{"error":{"code":"FrontendNotOpen","message":"Frontend is not open."}}"#,
            "{path}"
        );
        assert_eq!(answer.status, 404);
    }
    assert_eq!(client.get("/node/commit").status, 200);
    assert_eq!(client.get("/node/ready/app").status, 503);
    assert_eq!(client.get("/metrics").status, 200);
}

#[test]
fn an_application_overrides_and_is_replaced() {
    let runtime = with_endpoints(Runtime::builder().node(settings(&[])))
        .endpoint("GET", "/commit", early(), |_, _| Ok(Response::text(200, "mine")))
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::new(&runtime);
    assert_eq!(client.get("/app/commit").text(), "mine");
    assert!(client.get("/node/commit").json()["transaction_id"].is_string());
    runtime.set_application(Vec::new()).unwrap();
    assert_eq!(client.get("/app/commit").text(), "mine");
    assert_eq!(client.get("/app/plain").text(), "hello");
    let twice = Runtime::builder()
        .node(settings(&[]))
        .endpoint("GET", "/x", early(), |_, _| Ok(Response::empty(200)))
        .endpoint("GET", "/x", early(), |_, _| Ok(Response::empty(200)))
        .start()
        .err()
        .unwrap();
    assert!(twice.to_string().contains("GET /x"), "{twice}");
}

#[test]
fn callers_in_process_get_the_same_answers() {
    let user = valid("user");
    let runtime = with_endpoints(Runtime::builder().node(settings(&[&user]))).start().unwrap();
    assert!(runtime.addresses().is_empty());
    let answer = runtime.call("POST", "/app/durable/1", "x", Peer::Anonymous).unwrap();
    assert_eq!(answer.status, 200);
    let txid = answer.header("x-ms-ccf-transaction-id").unwrap();
    let status = format!("/app/tx?transaction_id={txid}");
    let status = runtime.call("GET", &status, "", Peer::Anonymous).unwrap();
    assert_eq!(status.body, format!(r#"{{"status":"Committed","transaction_id":"{txid}"}}"#));
    let certificate = Arc::new(PeerCertificate::from_pem(&user.pem).unwrap());
    let peer = Peer::Certificate(certificate);
    assert_eq!(runtime.call("GET", "/app/whoami", "", peer).unwrap().status, 200);
    assert_eq!(runtime.call("GET", "/app/whoami", "", Peer::Anonymous).unwrap().status, 401);
    let request = Request::new("POST", "/app/records/2")
        .unwrap()
        .with_header("x-affiant-respond", "receipt")
        .unwrap()
        .with_body("x");
    let answer = runtime.send(request, Peer::Trusted(Caller::NoAuth));
    let envelope: Json = serde_json::from_slice(&answer.body).unwrap();
    assert!(envelope["receipt"]["signature"].is_string(), "{envelope}");
    assert!(runtime.call("GET", "/a b", "", Peer::Anonymous).is_err());
    runtime.stop().unwrap();
}

#[test]
fn a_caller_who_changes_during_a_session_is_known_as_changed_at_once() {
    let user = valid("user");
    let options = || early().policies(&["user_cert"]);
    let runtime = with_endpoints(Runtime::builder().node(settings(&[&user])))
        .endpoint("POST", "/blind", options(), |_, tx| {
            tx.put(&records(), b"blind", b"x")?;
            Ok(Response::empty(200))
        })
        .endpoint("GET", "/fails", options(), |_, _| Ok(Response::empty(404)))
        .listen(listener())
        .start()
        .unwrap();
    let mut client = Client::of(&runtime, &user);
    let id = PeerCertificate::from_pem(&user.pem).unwrap().id().to_string();
    for _ in 0..2 {
        assert_eq!(client.post("/app/blind", b"").status, 200);
        assert_eq!(client.get("/app/whoami").json()["data"], json!({"name": "someone"}));
        assert_eq!(client.get("/app/fails").status, 404);
    }
    let change = |info: Option<&[u8]>, certificate: Option<&str>| {
        let mut tx = runtime.node().begin();
        match info {
            Some(info) => tx.put(&USER_INFO, id.as_bytes(), info).unwrap(),
            None => tx.remove(&USER_INFO, id.as_bytes()).unwrap(),
        }
        match certificate {
            Some(pem) => tx.put(&USER_CERTS, id.as_bytes(), pem.as_bytes()).unwrap(),
            None => tx.remove(&USER_CERTS, id.as_bytes()).unwrap(),
        }
        assert!(matches!(runtime.node().commit(tx), CommitOutcome::Sequenced(_)));
    };
    change(Some(b"{\"user_data\":7}"), Some(&user.pem));
    assert_eq!(client.get("/app/whoami").json()["data"], json!(7));
    assert_eq!(client.post("/app/blind", b"").status, 200);
    for path in ["blind", "whoami", "fails"] {
        change(Some(b"{}"), Some(&user.pem));
        assert_eq!(client.get("/app/whoami").status, 200);
        change(None, None);
        let method = if path == "blind" { "POST" } else { "GET" };
        assert_eq!(client.request(method, &format!("/app/{path}"), &[], b"").status, 401, "{path}");
    }
    change(None, Some(&user.pem));
    assert_eq!(client.post("/app/blind", b"").status, 200);
    assert_serves(&runtime);
}

/// Counts what the host lets it do.
struct Lazy(Arc<[AtomicUsize; 2]>, Vec<affiant::Endpoint>);

impl affiant::hosting::Frontend for Lazy {
    fn language(&self) -> &'static str {
        "lazy"
    }
    fn endpoints(&self) -> &[affiant::Endpoint] {
        &self.1
    }
    fn worker(&self) -> Result<Box<dyn affiant::hosting::FrontendWorker>, AppError> {
        struct Worker(Arc<[AtomicUsize; 2]>);
        impl affiant::hosting::FrontendWorker for Worker {
            fn call(&mut self, _: &mut affiant::Call<'_>) -> Result<Response, AppError> {
                self.0[0].fetch_add(1, Ordering::Relaxed);
                Ok(Response::empty(200))
            }
            fn idle(&mut self) -> bool {
                self.0[1].fetch_add(1, Ordering::Relaxed) < 2
            }
        }
        Ok(Box::new(Worker(self.0.clone())))
    }
}

#[test]
fn interpreters_do_postponed_work_when_there_is_time() {
    let counts: Arc<[AtomicUsize; 2]> = Arc::default();
    let endpoint = affiant::Endpoint {
        method: "GET".to_owned(),
        path: "/lazy".to_owned(),
        ..affiant::Endpoint::default()
    };
    let frontend = Arc::new(Lazy(counts.clone(), vec![endpoint]));
    let runtime = Runtime::builder()
        .node(settings(&[]))
        .frontend(frontend)
        .http_threads(1)
        .listen(listener())
        .start()
        .unwrap();
    assert_eq!(Client::new(&runtime).get("/app/lazy").status, 200);
    // Until it says that there is no more.
    while counts[1].load(Ordering::Relaxed) < 3 {
        std::thread::yield_now();
    }
    assert_eq!(counts[0].load(Ordering::Relaxed), 1);
    runtime.stop().unwrap();
    assert_eq!(counts[1].load(Ordering::Relaxed), 3);
}
