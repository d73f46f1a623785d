//! What a call costs in this crate: processor time per call, by kind of handler and interpreter.
//!
//! `cargo run --release -p affiant-js --example cost [calls [handler]]`
#![allow(clippy::unwrap_used, reason = "a measuring tool")]

use std::sync::Arc;

use affiant::hosting::{AppBundle, Frontend, FrontendWorker, RuntimeOptions};
use affiant::{Call, Caller, Endpoint, EndpointOptions, Request};
use affiant_js::JsFrontend;
use affiant_kv::Store;

const SOURCE: &str = r#"
    const records = ccf.kv["records"];
    export function empty() { return {}; }
    export function getSet(request) {
        const key = ccf.strToBuf("key");
        const old = records.get(key);
        records.set(key, old ?? ccf.strToBuf("value"));
        return { body: "done" };
    }
    export function write(request) {
        const { id, msg } = request.body.json();
        records.set(ccf.strToBuf(String(id)), ccf.strToBuf(msg));
        return { body: true };
    }
    export function read(request) {
        const value = records.get(ccf.strToBuf("key"));
        return { body: { msg: value === undefined ? null : ccf.bufToStr(value) } };
    }
"#;

/// Processor time of this thread, in nanoseconds.
fn cpu_ns() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    stat.split_whitespace().next().unwrap().parse().unwrap()
}

/// Resident memory, in KiB.
fn resident_kib() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 4
}

fn main() {
    let functions = ["empty", "getSet", "write", "read"];
    let bundle = AppBundle {
        modules: vec![("/app.js".to_owned(), SOURCE.to_owned())],
        ..AppBundle::default()
    };
    let request = Request::new("POST", "/app/records/42")
        .and_then(|request| request.with_header("host", "127.0.0.1:8000"))
        .and_then(|request| request.with_header("content-type", "application/json"))
        .and_then(|request| request.with_header("user-agent", "cost/1"))
        .unwrap()
        .with_route("/app/records/{id}", &[("id", "42")])
        .with_body(r#"{"id": 42, "msg": "Hello world"}"#)
        .with_caller(Some(Caller::NoAuth));
    let only = std::env::args().nth(2);
    for reuse in [true, false] {
        for function in functions.into_iter().filter(|f| only.as_ref().is_none_or(|o| o == f)) {
            let mut options = EndpointOptions::default();
            if reuse {
                options.interpreter_reuse_key = Some("k".to_owned());
            }
            let endpoint = Endpoint {
                method: "POST".to_owned(),
                path: "/records/{id}".to_owned(),
                module: "/app.js".to_owned(),
                function: function.to_owned(),
                options,
                ..Endpoint::default()
            };
            measure(&bundle, endpoint, &request, reuse);
        }
    }
}

fn measure(bundle: &AppBundle, endpoint: Endpoint, request: &Request, reuse: bool) {
    let endpoints = vec![endpoint.clone()];
    let frontend = JsFrontend::load(bundle, endpoints, RuntimeOptions::default()).unwrap();
    let mut worker = frontend.worker().unwrap();
    let store = Store::new();
    let mut run = |count: u64| {
        let before = cpu_ns();
        for _ in 0..count {
            call_once(worker.as_mut(), &endpoint, request, &store);
        }
        (cpu_ns() - before) as f64 / count as f64 / 1000.0
    };
    let first = run(1);
    run(1000);
    let resident = resident_kib();
    let count = std::env::args().nth(1).map_or(20_000, |count| count.parse().unwrap());
    let best = (0..5).map(|_| run(count)).fold(f64::INFINITY, f64::min);
    println!(
        "{:<7} {:<7} {best:>7.2} us a call; first {first:>5.0} us; resident {} KiB, grown by {} KiB",
        if reuse { "reused" } else { "fresh" },
        endpoint.function,
        resident_kib(),
        resident_kib().saturating_sub(resident),
    );
}

fn call_once(
    worker: &mut dyn FrontendWorker,
    endpoint: &Endpoint,
    request: &Request,
    store: &Arc<Store>,
) {
    let mut tx = store.begin();
    let mut call = Call::new(0, endpoint, request, &mut tx, store);
    worker.call(&mut call).unwrap();
}
