//! Many calls: memory stays flat, state stays pristine, threads do not disturb one another.

use std::sync::Arc;

use affiant::{Call, Frontend};
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

#[test]
fn memory_stays_flat() {
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
