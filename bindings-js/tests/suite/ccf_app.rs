//! The npm package `@microsoft/ccf-app`, unmodified: its modules evaluate and its typed maps work.
//!
//! Needs the unpacked package (`npm pack @microsoft/ccf-app`) at `AFFIANT_CCF_APP`; where that is
//! not set, the tests say so and do nothing.

use std::path::PathBuf;

use affiant::Mode;
use serde_json::json;

use crate::historical::Service;
use crate::support::*;

const HANDLERS: &str = r#"
    import * as app from "./ccf-app/index.js";
    import { ccf, snp_attestation } from "./ccf-app/global.js";
    import * as crypto from "./ccf-app/crypto.js";
    import { TextEncoder } from "./ccf-app/textcodec.js";

    const numbers = app.typedKv("numbers", app.string, app.uint32);
    const records = app.typedKv(ccf.kv["records"], app.uint64, app.checkedJson());
    const set = app.typedKvSet("set", app.string);

    export function run(request) {
        const out = {};
        numbers.set("a", 7).set("b", 4294967295);
        out.numbers = [numbers.get("a"), numbers.get("b"), numbers.get("c") ?? null, numbers.size];
        records.set(2n ** 63n, { x: [1, null] });
        out.record = records.get(2n ** 63n);
        set.add("one").add("two");
        set.delete("one");
        out.set = [set.has("one"), set.has("two"), set.size];
        const seen = [];
        numbers.forEach((value, key) => seen.push([key, value]));
        out.seen = seen;
        out.version = numbers.getVersionOfPreviousWrite("a") ?? null;
        out.json = app.json().decode(app.json().encode({ y: 1 }));
        out.committed = typeof app.getLastCommittedTxId;
        out.digest = crypto.digest("SHA-256", app.string.encode("x")).byteLength;
        out.encoded = [...new TextEncoder().encode("h\u00e9")];
        out.snp = typeof snp_attestation.verifySnpAttestation;
        try { app.int8.encode(200); } catch (e) { out.range = e.name; }
        app.setApplyWrites(true);
        return { body: out };
    }
"#;

/// The package's modules under `/ccf-app/`, if it is at hand.
fn package() -> Option<Vec<(String, String)>> {
    let Some(package) = std::env::var_os("AFFIANT_CCF_APP").map(PathBuf::from) else {
        eprintln!("skipped: AFFIANT_CCF_APP does not name the package @microsoft/ccf-app");
        return None;
    };
    let mut modules = Vec::new();
    for entry in std::fs::read_dir(&package).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // The polyfill is for Node.js; the other imports './global' without its extension, which
        // only bundlers understand.
        let unsuitable = ["polyfill.js", "snp_attestation.js"].contains(&name.as_str());
        if name.ends_with(".js") && !unsuitable {
            modules.push((format!("/ccf-app/{name}"), std::fs::read_to_string(&path).unwrap()));
        }
    }
    Some(modules)
}

/// With the app's own module.
fn with_handlers<'a>(
    package: &'a [(String, String)],
    handlers: &'a str,
) -> Vec<(&'a str, &'a str)> {
    let modules = package.iter().map(|(name, source)| (name.as_str(), source.as_str()));
    modules.chain([("/app.js", handlers)]).collect()
}

#[test]
fn the_package_works_as_it_is() {
    let Some(package) = package() else { return };
    let modules = with_handlers(&package, HANDLERS);
    let mut app = App::new(&modules, vec![endpoint("/app.js", "run")], shown());
    assert_eq!(app.frontend.warnings(), &[] as &[String]);
    let expected = json!({
        "numbers": [7, 4_294_967_295_u32, null, 2], "record": { "x": [1, null] },
        "set": [false, true, 1], "seen": [["a", 7], ["b", 4_294_967_295_u32]], "version": null,
        "json": { "y": 1 }, "committed": "function", "digest": 32, "encoded": [104, 195, 169],
        "snp": "function", "range": "RangeError",
    });
    for _ in 0..3 {
        assert_eq!(app.call("run").json(), expected);
    }
}

const HISTORICAL: &str = r#"
    import * as app from "./ccf-app/index.js";

    const records = app.typedKv("records", app.string, app.json());
    const typed = (state) => app.typedKv(state.kv["records"], app.string, app.json());

    export function write(request) {
        records.set("k", request.body.json());
        return {};
    }
    export function past() {
        const { transactionId, receipt } = app.historicalState;
        const map = typed(app.historicalState);
        const now = records.get("k");
        return { body: { transactionId, value: map.get("k"), size: map.size, now,
            version: map.getVersionOfPreviousWrite("k"), leaf: typeof receipt.leaf_components } };
    }
    export function range(request) {
        const { first, last } = request.body.json();
        const states = app.getStateRange(1, first, last, 60);
        if (states === null) return { statusCode: 202 };
        const values = states.map((state) => typed(state).get("k") ?? null);
        return { body: { values, dropped: [app.dropCachedStates(1), app.dropCachedStates(1)],
            none: app.historicalState === undefined } };
    }
"#;

#[test]
fn the_package_reaches_the_past() {
    let Some(package) = package() else { return };
    let endpoints = vec![
        endpoint("/app.js", "write"),
        with_mode(endpoint("/app.js", "past"), Mode::Historical),
        with_mode(endpoint("/app.js", "range"), Mode::ReadOnly),
    ];
    let service = Service::new(&with_handlers(&package, HISTORICAL), endpoints);
    let txids = [1, 2, 3].map(|n| service.write(json!({ "n": n })));
    let seqno = |txid: &str| txid.split_once('.').unwrap().1.parse::<u64>().unwrap();
    for (n, txid) in (1..).zip(&txids) {
        assert_eq!(
            service.ask("past", "", Some(txid)),
            json!({
                "transactionId": txid, "value": { "n": n }, "size": 1, "now": { "n": 3 },
                "version": seqno(txid), "leaf": "object",
            })
        );
    }
    let (first, last) = (seqno(&txids[0]), seqno(&txids[2]));
    let answer = service.ask("range", &json!({ "first": first, "last": last }).to_string(), None);
    let values = answer["values"].as_array().unwrap();
    assert_eq!(values.len() as u64, last + 1 - first);
    for (n, txid) in (1..).zip(&txids) {
        assert_eq!(values[(seqno(txid) - first) as usize], json!({ "n": n }));
    }
    assert_eq!((&answer["dropped"], &answer["none"]), (&json!([true, false]), &json!(true)));
}
