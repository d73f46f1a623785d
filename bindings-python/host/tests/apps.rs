//! Python apps in a process that is no Python: what they do, and what becomes of their failures.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

mod support;

use std::time::Duration;

use affiant::hosting::{RuntimeOptions, json_receipt};
use affiant::node::ReceiptOutcome;
use affiant::{CommitNotice, Peer, TxId};
use affiant_proof::{VerifyOptions, verify_json};
use affiant_python_host::{load, without_gil};
use serde_json::json;
use support::{app, call, loaded, loaded_if, options, prepare, serve};

#[test]
fn handlers_read_and_write_the_ledger() {
    let app = loaded("notes");
    assert_eq!(app.warnings, Vec::<String>::new());
    assert_eq!(app.frontend.language(), "python");
    let modules: Vec<&str> = app.bundle.modules.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(modules, ["/app.py", "/deep/__init__.py", "/deep/store.py"]);
    assert!(app.bundle.metadata["/notes/{id}"]["put"].is_object());
    let runtime = serve(app);
    assert_eq!(call(&runtime, "GET", "/notes/a", "").0, 404);
    assert_eq!(call(&runtime, "PUT", "/notes/a", r#"{"text": "grüße"}"#).0, 204);
    assert_eq!(call(&runtime, "GET", "/notes/a", ""), (200, json!({"text": "grüße"})));
    let digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(call(&runtime, "POST", "/hashed", "hello"), (200, json!(digest)));
    runtime.stop().unwrap();
}

#[test]
fn threads_of_the_host_call_at_once_and_every_write_has_a_receipt() {
    const THREADS: usize = 4;
    const CALLS: usize = 25;
    let runtime = serve(loaded("notes"));
    let one = || -> Vec<TxId> {
        let count = |_| {
            let answer = runtime.call("POST", "/app/count", "", Peer::Anonymous).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
            let name = "x-ms-ccf-transaction-id";
            answer.header(name).unwrap().parse().unwrap()
        };
        (0..CALLS).map(count).collect()
    };
    let committed: Vec<TxId> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(one)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let (status, total) = call(&runtime, "POST", "/count", "");
    assert_eq!((status, total), (200, json!({"all": THREADS * CALLS + 1})));
    let node = runtime.node();
    let service = node.info().service_certificate_pem;
    for txid in committed {
        assert!(matches!(node.wait_committed_blocking(txid), CommitNotice::Committed { .. }));
        let ReceiptOutcome::Ready(parts) = node.receipt(txid).unwrap() else {
            panic!("no receipt of {txid}");
        };
        let verdict = verify_json(&json_receipt(&parts), &service, &VerifyOptions::default());
        assert!(verdict.is_valid(), "{txid}: {verdict:?}");
    }
}

#[test]
fn the_packages_are_those_of_the_library() {
    let runtime = serve(loaded("notes"));
    let (status, told) = call(&runtime, "GET", "/where", "");
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["affiant"], "/affiant-embedded/affiant/__init__.py");
    assert_eq!(told["ccf"], "/affiant-embedded/affiant/ccf/__init__.py");
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    let (major, minor) = support::linked_version();
    assert_eq!(told["python"], json!([major, minor]));
    assert_eq!((&told["main"], &told["utf8"]), (&json!(false), &json!(1)));
    if let Ok(environment) = std::env::var("VIRTUAL_ENV") {
        assert_eq!(told["prefix"], json!(environment));
    }
    let executable = told["executable"].as_str().unwrap();
    assert!(std::path::Path::new(executable).is_file(), "{executable}");
}

#[test]
fn an_import_error_names_file_and_line() {
    prepare();
    let error = load(&app("broken"), &options()).err().unwrap();
    assert!(error.contains("tests/apps/broken/app.py\", line 6"), "{error}");
    assert!(error.contains(r#"VALUE = {"there": 1}["missing"]"#), "{error}");
    assert!(error.contains("KeyError: 'missing'"), "{error}");
    let error = load(&app("nowhere"), &options()).err().unwrap();
    assert!(error.contains("nowhere: no such file"), "{error}");
}

#[test]
fn an_exception_is_the_error_that_ccf_answers_with() {
    let runtime = serve(loaded("notes"));
    let (status, answer) = call(&runtime, "POST", "/fails", "");
    assert_eq!(status, 500);
    let error = &answer["error"];
    assert_eq!(error["code"], "InternalError");
    assert_eq!(error["message"], "Exception thrown while executing.");
    assert_eq!(error["details"][0]["message"], "ValueError: on purpose");
    let trace = error["details"][0]["trace"].as_str().unwrap();
    assert!(trace.contains(r#"raise ValueError("on purpose")"#), "{trace}");
    assert_eq!(call(&runtime, "GET", "/notes/lost", "").0, 404, "what it wrote was kept");
    let (status, answer) = call(&runtime, "GET", "/notes/none", "");
    assert_eq!((status, &answer["error"]["code"]), (404, &json!("NoSuchNote")));
}

#[test]
fn a_traceback_shows_the_lines_of_embedded_modules() {
    let runtime = serve(loaded("notes"));
    let (status, answer) = call(&runtime, "POST", "/fails-inside", "");
    assert_eq!(status, 500);
    let trace = answer["error"]["details"][0]["trace"].as_str().unwrap();
    let file = r#"File "/affiant-embedded/affiant/ccf/crypto.py", line "#;
    let (_, after) = trace.split_once(file).unwrap_or_else(|| panic!("{trace}"));
    let line = after.lines().nth(1).unwrap().trim();
    let source = include_str!("../../python/affiant/ccf/crypto.py");
    assert!(source.lines().any(|known| known.trim() == line), "{trace}");
}

#[test]
fn details_are_shown_only_where_the_host_wants_them() {
    prepare();
    let quiet = RuntimeOptions { return_exception_details: false, ..options() };
    let runtime = serve(load(&app("notes"), &quiet).unwrap());
    let (status, answer) = call(&runtime, "POST", "/fails", "");
    assert_eq!((status, &answer["error"]["details"]), (500, &json!(null)));
}

#[test]
fn an_endless_loop_is_stopped() {
    let runtime = serve(loaded("notes"));
    let (status, answer) = call(&runtime, "POST", "/spins", "");
    assert_eq!(status, 500);
    assert_eq!(answer["error"]["message"], "Operation took too long to complete.");
    assert_eq!(
        call(&runtime, "POST", "/count", ""),
        (200, json!({"all": 1})),
        "the thread goes on"
    );
}

#[test]
fn two_runtimes_serve_one_app_each() {
    let (first, second) = (serve(loaded("notes")), serve(loaded("notes")));
    assert_eq!(call(&first, "PUT", "/notes/a", "[1]").0, 204);
    assert_eq!(call(&second, "GET", "/notes/a", "").0, 404);
    first.stop().unwrap();
    assert_eq!(call(&second, "PUT", "/notes/a", "[2]").0, 204);
    assert_eq!(call(&second, "GET", "/notes/a", ""), (200, json!([2])));
}

#[test]
fn an_app_is_replaced_while_it_is_served() {
    let runtime = serve(loaded("notes"));
    assert_eq!(call(&runtime, "PUT", "/notes/a", "[1]").0, 204);
    runtime.set_application(vec![loaded("notes").frontend]).unwrap();
    assert_eq!(call(&runtime, "GET", "/notes/a", ""), (200, json!([1])));
    runtime.set_application(Vec::new()).unwrap();
    assert_eq!(call(&runtime, "GET", "/notes/a", "").0, 404);
}

#[test]
fn a_peer_that_has_gone_is_an_exception() {
    let runtime = serve(loaded("notes"));
    // Programs in C do not ignore the signal; Rust's runtime does.
    // SAFETY: the default ends the process where the signal is not blocked, which is what is tested.
    let before = unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
    let answer = call(&runtime, "POST", "/broken-pipe", "");
    // SAFETY: what was there before.
    unsafe { libc::signal(libc::SIGPIPE, before) };
    assert_eq!(answer, (200, json!("refused")));
}

#[test]
fn what_belongs_to_the_command_line_says_so() {
    let runtime = serve(loaded("notes"));
    let (_, answer) = call(&runtime, "POST", "/audit", "");
    let said = answer["error"]["details"][0]["message"].as_str().unwrap();
    assert!(said.contains("affiant verify"), "{said}");
}

#[test]
fn flask_runs_unmodified() {
    let Some(flask) = loaded_if("flask", "flask") else { return };
    let runtime = serve(flask);
    let request = affiant::Request::new("PUT", "/app/items/a")
        .unwrap()
        .with_header("content-type", "application/json")
        .unwrap()
        .with_body(r#"{"n": 1}"#);
    let answer = runtime.send(request, Peer::Anonymous);
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(call(&runtime, "GET", "/items/a", ""), (200, json!({"n": 1})));
}

#[test]
fn numpy_is_imported_and_computes() {
    let Some(numbers) = loaded_if("numbers", "numpy") else { return };
    let runtime = serve(numbers);
    let answer = call(&runtime, "POST", "/mean", "[1, 2, 6]");
    assert_eq!(answer, (200, json!({"mean": 3.0, "rank": 1})));
}

#[test]
fn letting_the_gil_go_costs_a_stranger_nothing() {
    let runtime = serve(loaded("notes"));
    let answer = without_gil(|| call(&runtime, "POST", "/count", ""));
    assert_eq!(answer, (200, json!({"all": 1})));
    let waited = std::thread::scope(|scope| {
        // A thread of the host that holds the GIL, as one that runs Python does.
        let held = scope.spawn(|| {
            pyo3::Python::attach(|_| without_gil(|| call(&runtime, "POST", "/count", "")))
        });
        held.join().unwrap()
    });
    assert_eq!(waited, (200, json!({"all": 2})));
    assert!(runtime.node().wait_committed_for(TxId::new(2, 1), Duration::from_secs(60)).is_some());
}
