//! The small app under `apps/counter`, loaded as a host loads it.

use std::path::Path;

use serde_json::json;

use crate::support::*;

#[test]
fn the_counter_app_counts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/apps/counter/src");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let (counter, lib) = (read("counter.js"), read("lib/codec.js"));
    let modules = [("/counter.js", counter.as_str()), ("/lib/codec.js", lib.as_str())];
    let endpoints = vec![
        endpoint("/counter.js", "add"),
        endpoint("/counter.js", "total"),
        endpoint("/counter.js", "list"),
    ];
    let mut app = App::new(&modules, endpoints, shown());
    assert_eq!(app.frontend.warnings(), &[] as &[String]);
    let mut tx = app.store.begin();
    for (body, expected) in [
        ("{\"name\":\"b\",\"by\":2}", 2),
        ("{\"name\":\"a\",\"by\":5}", 5),
        ("{\"name\":\"b\",\"by\":1}", 3),
    ] {
        let done = app.call_in("add", &request(body.as_bytes()), tx);
        assert_eq!(done.json(), json!({ "value": expected }));
        tx = done.tx;
    }
    let done = app.call_in("total", &request(b""), tx);
    assert_eq!(done.json(), json!({ "total": 8, "counters": 2 }));
    let done = app.call_in("list", &request(b""), done.tx);
    assert_eq!(done.json(), json!([["a", 5], ["b", 3]]));
    let done = app.call_in("add", &request(b"{}"), done.tx);
    assert_eq!(done.response().status, 400);
}
