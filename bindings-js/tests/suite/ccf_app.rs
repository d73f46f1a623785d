//! The npm package `@microsoft/ccf-app`, unmodified: its modules evaluate and its typed maps work.
//!
//! Needs the unpacked package (`npm pack @microsoft/ccf-app`) at `AFFIANT_CCF_APP`; where that is
//! not set, the test says so and does nothing.

use std::path::PathBuf;

use serde_json::json;

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

#[test]
fn the_package_works_as_it_is() {
    let Some(package) = std::env::var_os("AFFIANT_CCF_APP").map(PathBuf::from) else {
        eprintln!("skipped: AFFIANT_CCF_APP does not name the package @microsoft/ccf-app");
        return;
    };
    let mut modules = vec![("/app.js".to_owned(), HANDLERS.to_owned())];
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
    let modules: Vec<(&str, &str)> =
        modules.iter().map(|(name, source)| (name.as_str(), source.as_str())).collect();
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
