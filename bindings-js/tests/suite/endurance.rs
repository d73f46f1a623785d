//! Many calls: memory stays flat, state stays pristine, threads do not disturb one another.

use std::sync::{Arc, Mutex, PoisonError};

use affiant::Call;
use affiant::hosting::Frontend;
use serde_json::json;

use crate::support::*;

const SOURCE: &str = r#"
    const records = ccf.kv["records"];
    let calls = 0;
    export function run(request) {
        const body = request.body.json();
        const hoard = globalThis.hoard ??= [];
        for (let i = 0; i < 20; i++) hoard.push({ i, text: "x".repeat(i), self: hoard });
        records.set(ccf.strToBuf(String(body.id)), ccf.jsonCompatibleToBuf(body));
        return { body: [++calls, hoard.length, records.get(ccf.strToBuf(String(body.id))).byteLength] };
    }
    export function reuse(request) {
        const cycle = {}; cycle.self = cycle; cycle.buffer = new ArrayBuffer(1000);
        return { body: ++calls };
    }
"#;

/// Resident memory, in KiB; `None` where the system does not tell.
fn resident_kib() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split_whitespace().nth(1)?.parse::<u64>().ok()? * 4)
}

/// Held by the tests that look at the memory of the whole process.
static MEMORY: Mutex<()> = Mutex::new(());

/// Each takes what it can get; the next request on the same worker is right, and the memory is back.
#[test]
fn memory_returns_after_requests_that_take_all_they_can() {
    const GREEDY: [&str; 7] = [
        "return { body: new Uint8Array(95e6) }",
        "return { body: 'x'.repeat(95e6) }",
        "return { body: { a: Array(3e6).fill('abcdefgh') } }",
        "const a = []; for (;;) a.push(new ArrayBuffer(1e6))",
        "let s = 'x'; for (;;) s += s",
        "(function f() { f(); })()",
        "const a = Array(1e6).fill(0).map((_, i) => ({ i })); Array(4e9).indexOf(a)",
    ];
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let mut source = "export function fine() { return { body: 'fine' }; }\n".to_owned();
    let mut endpoints = vec![endpoint("/app.js", "fine")];
    for (index, greedy) in GREEDY.iter().enumerate() {
        source += &format!("export function f{index}() {{ {greedy}; }}\n");
        endpoints.push(endpoint("/app.js", &format!("f{index}")));
    }
    let mut options = shown();
    options.max_execution_time_ms = 2_000;
    let mut app = App::new(&[("/app.js", &source)], endpoints, options);
    assert_eq!(app.call("fine").text(), "fine");
    let Some(before) = resident_kib() else { return };
    for (index, greedy) in GREEDY.iter().enumerate() {
        let done = app.call(&format!("f{index}"));
        match index {
            0 | 1 => assert_eq!(done.response().body.len(), 95_000_000),
            2 => assert!(done.response().body.len() > 30_000_000),
            _ => assert_eq!(done.error().status, 500),
        }
        drop(done);
        assert_eq!(app.call("fine").text(), "fine", "after {greedy}");
    }
    let after = resident_kib().unwrap_or(before);
    assert!(after < before + 60 * 1024, "{before} KiB became {after} KiB");
}

#[test]
fn memory_stays_flat() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let endpoints = vec![endpoint("/app.js", "run"), reused("/app.js", "reuse", "k")];
    let mut app = App::new(&[("/app.js", SOURCE)], endpoints, shown());
    let request = request(b"{\"id\": 5}");
    let round = |app: &mut App, count: u64, before: u64| {
        for call in 1..=count {
            let done = app.call_with("run", &request);
            assert_eq!(done.json(), json!([1, 20, 8]));
            assert_eq!(app.call_with("reuse", &request).json(), json!(before + call));
        }
    };
    // Enough for the collector of the reused interpreter to have run.
    round(&mut app, 2_000, 0);
    let Some(before) = resident_kib() else { return };
    round(&mut app, 6_000, 2_000);
    let after = resident_kib().unwrap_or(before);
    // Each call allocates some 20 KiB: kept, they would be 120 MiB. Other tests of this process may
    // use a part of what is allowed.
    assert!(after < before + 60 * 1024, "{before} KiB became {after} KiB");
}

#[test]
fn threads_have_their_own_interpreters() {
    let endpoints = vec![endpoint("/app.js", "run"), reused("/app.js", "reuse", "k")];
    let app = App::new(&[("/app.js", SOURCE)], endpoints, shown());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let (frontend, store) = (app.frontend.clone(), Arc::clone(&app.store));
            std::thread::spawn(move || {
                let mut worker = frontend.worker().unwrap();
                let request = request(b"{\"id\": 5}");
                for count in 1..=300 {
                    for (index, expected) in [json!([1, 20, 8]), json!(count)].iter().enumerate() {
                        let mut tx = store.begin();
                        let mut call = Call::new(
                            index,
                            &frontend.endpoints()[index],
                            &request,
                            &mut tx,
                            &store,
                        );
                        let response = worker.call(&mut call).unwrap();
                        let body: serde_json::Value =
                            serde_json::from_slice(&response.body).unwrap();
                        assert_eq!(body, *expected);
                    }
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
}
