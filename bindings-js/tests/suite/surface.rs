//! Reference A.1, A.2, A.11: the language, the globals, the console.

use affiant::log::Level;
use serde_json::json;

use crate::support::*;

#[test]
fn the_language_is_there_and_the_host_is_not() {
    for name in [
        "BigInt",
        "Proxy",
        "Reflect",
        "Map",
        "Set",
        "WeakMap",
        "WeakSet",
        "DataView",
        "SharedArrayBuffer",
        "Atomics",
        "RegExp",
        "JSON",
        "Promise",
        "Symbol",
        "eval",
        "Function",
        "globalThis",
        "BigUint64Array",
    ] {
        assert_ne!(evaluate(&format!("typeof {name}")), json!("undefined"), "{name}");
    }
    for name in [
        "Intl",
        "setTimeout",
        "setInterval",
        "fetch",
        "Buffer",
        "process",
        "require",
        "std",
        "os",
        "performance",
    ] {
        assert_eq!(evaluate(&format!("typeof {name}")), json!("undefined"), "{name}");
    }
    let cases = [
        ("[3, 1].toSorted().with(0, 9)", json!([9, 3])),
        ("Object.groupBy([1, 2], x => x % 2 ? 'odd' : 'even').odd", json!([1])),
        ("'\\u1E9B\\u0323'.normalize('NFKC').length", json!(1)),
        ("(2n ** 64n).toString()", json!("18446744073709551616")),
        ("/(?<y>\\d{4})(?<=2024)/u.exec('2024').groups.y", json!("2024")),
        ("eval('1 + 1') + new Function('return 3')()", json!(5)),
        ("[..._ = (function* () { yield 1; })()]".replace("_ = ", "").as_str(), json!([1])),
    ]
    .map(|(expression, expected)| (expression.to_owned(), expected));
    for (expression, expected) in cases {
        assert_eq!(evaluate(&expression), expected, "{expression}");
    }
}

#[test]
fn ccf_app_finds_everything_it_dereferences() {
    let members = [
        "ccf.kv",
        "ccf.rpc.setApplyWrites",
        "ccf.rpc.setClaimsDigest",
        "ccf.consensus.getLastCommittedTxId",
        "ccf.consensus.getStatusForTxId",
        "ccf.consensus.getViewForSeqno",
        "ccf.historical.getStateRange",
        "ccf.historical.dropCachedStates",
        "ccf.crypto.sign",
        "ccf.crypto.verifySignature",
        "ccf.crypto.digest",
        "ccf.crypto.generateAesKey",
        "ccf.crypto.generateRsaKeyPair",
        "ccf.crypto.generateEcdsaKeyPair",
        "ccf.crypto.generateEddsaKeyPair",
        "ccf.crypto.wrapKey",
        "ccf.crypto.unwrapKey",
        "ccf.crypto.isValidX509CertBundle",
        "ccf.crypto.isValidX509CertChain",
        "ccf.crypto.pubPemToJwk",
        "ccf.crypto.pemToJwk",
        "ccf.crypto.pubRsaPemToJwk",
        "ccf.crypto.rsaPemToJwk",
        "ccf.crypto.pubEddsaPemToJwk",
        "ccf.crypto.eddsaPemToJwk",
        "ccf.crypto.pubJwkToPem",
        "ccf.crypto.jwkToPem",
        "ccf.crypto.pubRsaJwkToPem",
        "ccf.crypto.rsaJwkToPem",
        "ccf.crypto.pubEddsaJwkToPem",
        "ccf.crypto.eddsaJwkToPem",
        "ccf.gov.validateConstitution",
        "snp_attestation.verifySnpAttestation",
        "ccf.generateAesKey",
        "ccf.wrapKey",
        "ccf.isValidX509CertChain",
        "ccf.getAttestation",
    ];
    for member in members {
        let kind = evaluate(&format!("typeof {member}"));
        assert!(kind == "function" || member == "ccf.kv", "{member} is {kind}");
    }
    assert_eq!(evaluate("ccf.historicalState === undefined"), json!(true));
}

#[test]
fn console_writes_lines_with_level_and_tag() {
    let source = "export function run() {
        console.log('a', 1, null, undefined, { b: [2] }, new Error('e'), true);
        console.info(); console.warn('w'); console.error('x', []);
        return {};
    }";
    let mut app = App::of(source, &["run"]);
    app.call("run").response();
    let line = |level, text: &str| (level, "app", text.to_owned());
    assert_eq!(
        app.logged(),
        [
            line(Level::Info, r#"a 1 null undefined {"b":[2]} Error: e true"#),
            line(Level::Info, ""),
            line(Level::Fail, "w"),
            line(Level::Fatal, "x []"),
        ]
    );
}

#[test]
fn random_numbers_are_in_range_and_differ() {
    let result = evaluate(
        "(() => { const n = Array.from({ length: 1000 }, Math.random);
          return [n.every(x => x >= 0 && x < 1), new Set(n).size, Math.random.length]; })()",
    );
    assert_eq!(result, json!([true, 1000, 0]));
}

#[test]
fn date_is_the_engines_own_but_for_its_clock() {
    let result = evaluate(
        "(() => {
            class Sub extends Date { hi() { return 'hi'; } }
            const near = Date.now();
            return [
                Math.abs(new Date() - near) < 5000, near > 1.6e12, typeof Date(),
                new Date(0).toISOString(), new Date(2020, 1).getFullYear(),
                new Date('2020-01-02T03:04:05Z').getTime(), Date.UTC(2020, 0), Date.parse('bad'),
                Date.length, Date.name, new Date() instanceof Date, new Date().constructor === Date,
                new Sub(5).hi() + new Sub(5).getTime(), Object.prototype.toString.call(new Date()),
                new Date(undefined).getTime(), new Date(new Date(7)).getTime(),
                Reflect.construct(Date, [9], Sub) instanceof Sub, Object.keys(Date).length,
            ];
        })()",
    );
    assert_eq!(
        result,
        json!([
            true,
            true,
            "string",
            "1970-01-01T00:00:00.000Z",
            2020,
            1_577_934_245_000_u64,
            1_577_836_800_000_u64,
            null,
            7,
            "Date",
            true,
            true,
            "hi5",
            "[object Date]",
            null,
            7,
            true,
            0
        ])
    );
}

#[test]
fn atomics_cannot_block_the_thread() {
    let message = thrown("Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)");
    assert!(message.starts_with("TypeError"), "{message}");
}
