//! Reference A.3.

use serde_json::json;

use crate::support::*;

#[test]
fn strings_and_buffers_convert() {
    let cases = [
        ("ccf.bufToStr(ccf.strToBuf('h\\u00e9llo \\u{1F600}'))", json!("h\u{e9}llo \u{1f600}")),
        ("ccf.strToBuf('abc').byteLength", json!(3)),
        ("ccf.strToBuf('').byteLength", json!(0)),
        ("ccf.bufToStr(ccf.strToBuf(''))", json!("")),
        ("ccf.strToBuf('ab\\0cd').byteLength", json!(2)),
        ("ccf.bufToStr(new Uint8Array([0x61, 0xff, 0x62]).buffer).length", json!(3)),
        ("ccf.bufToStr(ccf.jsonCompatibleToBuf({a: [1, null]}))", json!("{\"a\":[1,null]}")),
        ("ccf.bufToJsonCompatible(ccf.strToBuf('{\"x\": 1.5}'))", json!({"x": 1.5})),
        ("ccf.enableUntrustedDateTime(1)", json!(true)),
        ("ccf.enableUntrustedDateTime('')", json!(false)),
        ("[ccf.enableMetricsLogging(true), ccf.enableMetricsLogging(false)]", json!([false, true])),
        (
            "Array.from(new Uint8Array(ccf.crypto.digest('SHA-256', ccf.strToBuf('abc')))).slice(0, 3)",
            json!([0xba, 0x78, 0x16]),
        ),
        ("ccf.digest === ccf.crypto.digest", json!(true)),
    ];
    for (expression, expected) in cases {
        assert_eq!(evaluate(expression), expected, "{expression}");
    }
}

#[test]
fn wrong_arguments_throw_ccfs_errors() {
    let cases = [
        ("ccf.strToBuf(1)", "TypeError: Argument must be a string"),
        ("ccf.strToBuf()", "TypeError: Passed 0 arguments, but expected 1"),
        ("ccf.strToBuf('a', 'b')", "TypeError: Passed 2 arguments, but expected 1"),
        ("ccf.bufToStr('a')", "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.bufToStr(new Uint8Array(3))", "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.bufToStr(null)", "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.bufToJsonCompatible({})", "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.enableMetricsLogging(1)", "TypeError: First argument must be a boolean"),
        ("ccf.enableUntrustedDateTime()", "TypeError: Passed 0 arguments, but expected 1"),
        ("ccf.pemToId(3)", "TypeError: Argument must be a string"),
        (
            "ccf.crypto.digest('SHA-384', ccf.strToBuf(''))",
            "RangeError: unsupported digest algorithm, supported: SHA-256",
        ),
        ("ccf.crypto.digest('SHA-256', 'x')", "TypeError: Argument must be an ArrayBuffer"),
        ("ccf.rpc.setApplyWrites(1)", "TypeError: First argument must be a boolean"),
        ("ccf.rpc.setApplyWrites()", "TypeError: Passed 0 arguments but expected 1"),
        ("ccf.rpc.setClaimsDigest('x')", "TypeError: Argument must be an ArrayBuffer"),
        (
            "ccf.rpc.setClaimsDigest(new ArrayBuffer(31))",
            "TypeError: Argument must be an ArrayBuffer of the right size: 32",
        ),
        (
            "ccf.consensus.getStatusForTxId(-1, 1)",
            "RangeError: Invalid view or seqno: cannot be negative",
        ),
        ("ccf.consensus.getViewForSeqno(-1)", "RangeError: Invalid seqno: cannot be negative"),
        ("ccf.consensus.getViewForSeqno()", "TypeError: Passed 0 arguments, but expected 1"),
        ("console.debug('x')", "TypeError: not a function"),
    ];
    for (expression, expected) in cases {
        assert_eq!(thrown(expression), expected, "{expression}");
    }
    assert!(thrown("ccf.jsonCompatibleToBuf(undefined)").starts_with("TypeError: "));
    assert!(thrown("ccf.jsonCompatibleToBuf(() => 1)").starts_with("TypeError: "));
    assert!(thrown("ccf.bufToJsonCompatible(ccf.strToBuf('{'))").starts_with("SyntaxError: "));
    assert!(thrown("ccf.pemToId('nonsense')").starts_with("InternalError: Failed to parse PEM: "));
    let detached = "const b = new ArrayBuffer(4); b.transfer(); ccf.bufToStr(b)";
    assert_eq!(thrown(detached), "TypeError: Argument must be an ArrayBuffer");
}

#[test]
fn pem_to_id_hashes_the_certificate() {
    const PEM: &str = "-----BEGIN CERTIFICATE-----
MIIBfTCCASOgAwIBAgIUL1QEq1gpC0x6jTrYVt7ZPRyDCFUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJYWZmaWFudC10MB4XDTI0MDEwMTAwMDAwMFoXDTM0MDEwMTAw
MDAwMFowFDESMBAGA1UEAwwJYWZmaWFudC10MFkwEwYHKoZIzj0CAQYIKoZIzj0D
-----END CERTIFICATE-----
";
    // Cut short: well-formed PEM around a broken certificate is refused as well.
    let source = format!("export function run() {{ ccf.pemToId({PEM:?}); return {{}}; }}");
    let mut app = App::of(&source, &["run"]);
    let message = app.call("run").exception();
    assert!(message.starts_with("InternalError: Failed to parse PEM: "), "{message}");
}
