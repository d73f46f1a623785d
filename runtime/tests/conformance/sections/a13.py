"""A.13: Microsoft's npm package, unmodified: its imports, and the bytes of its converters (A.4)."""

import os
import pathlib

import apps
from kit import UNDEFINED, buffer, threw
from language import SOURCES

LANGUAGES = ("js",)

# The polyfill stands in for a service in Node.js; the other one leaves out an extension, which only
# bundlers understand.
NOT_MODULES = ("polyfill.js", "snp_attestation.js")
# Converter, value, bytes, what comes back.
BYTES = [
    ("bool", "true", "01", True), ("bool", "false", "00", False),
    ("int8", "-128", "80", -128), ("int8", "127", "7f", 127),
    ("uint8", "255", "ff00", 255), ("uint8", "0", "0000", 0),
    ("int16", "-2", "feff", -2), ("uint16", "258", "0201", 258),
    ("int32", "-2", "feffffff", -2), ("uint32", "4294967295", "ffffffff", 4294967295),
    ("int64", "-1n", "ffffffffffffffff", {"$": "-1n"}),
    ("uint64", "2n ** 64n - 1n", "ffffffffffffffff", {"$": "18446744073709551615n"}),
    ("int64", "2n ** 63n", "0000000000000080", {"$": "-9223372036854775808n"}),
    ("float32", "1.5", "0000c03f", 1.5), ("float64", "-0.5", "000000000000e0bf", -0.5),
    ("string", "'h\u00e9'", "68c3a9", "h\u00e9"), ("string", "''", "", ""),
    ("json()", "{ b: 1, a: null }", '{"b":1,"a":null}'.encode().hex(), {"b": 1, "a": None}),
    ("checkedJson()", "[1, 'x']", '[1,"x"]'.encode().hex(), [1, "x"]),
    ("arrayBuffer", "new Uint8Array([1, 2]).buffer", "0102", buffer(b"\x01\x02")),
]
REFUSED = [
    ("bool", "1", "TypeError"), ("int8", "128", "RangeError"), ("int8", "'1'", "TypeError"),
    ("uint8", "-1", "RangeError"), ("uint8", "256", "RangeError"), ("int16", "32768", "RangeError"),
    ("uint16", "65536", "RangeError"), ("int32", "2147483648", "RangeError"),
    ("uint32", "4294967296", "RangeError"),
    ("int64", "1", "TypeError"), ("uint64", "1", "TypeError"),
    ("float32", "'1'", "TypeError"), ("float64", "'1'", "TypeError"), ("string", "1", "TypeError"),
    ("checkedJson()", "new Map()", "TypeError"), ("checkedJson()", "new Date(0)", "TypeError"),
]


def service(t):
    folder = pathlib.Path(os.environ["CCF_APP"])
    modules = {
        f"ccf-app/{path.name}": path.read_text()
        for path in folder.glob("*.js") if path.name not in NOT_MODULES
    }
    for name in ("run.js", "typed.js"):
        modules[name] = (SOURCES / name).read_text()
    endpoints = {
        "/fresh": {"post": apps.endpoint("typed", "run")},
        "/reused": {"post": apps.endpoint("typed", "run", interpreter_reuse={"key": "k"})},
    }
    return t.world.sandbox("ccf-app", t.world.bundle(endpoints, modules))


def run(t):
    app = service(t)

    def value(source, path="/app/fresh"):
        answer = app.post(path, source.encode())
        return answer.json["value"] if answer.status == 200 else answer.text

    for name, written, data, back in BYTES:
        source = f"const bytes = app.{name}.encode({written}); " \
            f"return [bytes, app.{name}.decode(bytes)]"
        t.equal(f"{name} of {written}", value(source), [buffer(bytes.fromhex(data)), back])
    for name, written, error in REFUSED:
        t.equal(f"{name} refuses {written}", value(f"return app.{name}.encode({written})"),
                threw(error))
    t.equal("typedArray(Uint16Array)", value(
        "const c = app.typedArray(Uint16Array), bytes = c.encode(new Uint16Array([1, 2]));"
        "return [bytes, [...c.decode(bytes)]]"), [buffer(b"\x01\x00\x02\x00"), [1, 2]])
    maps(t, value)
    for name, expression, expected in (
        ("consensus", "Object.keys(app.getLastCommittedTxId())", ["view", "seqno"]),
        ("consensus is captured at evaluation", "app.getStatusForTxId(2, 1000000)", "Unknown"),
        ("crypto", "crypto.digest('SHA-256', app.string.encode('x')).byteLength", 32),
        ("endpoints", "typeof endpoints.setClaimsDigest", "function"),
        ("historical", "typeof historical.getStateRange", "function"),
        ("global", "global.ccf === ccf", True),
        ("snp_attestation", "typeof global.snp_attestation.verifySnpAttestation", "function"),
        ("textcodec", "[...new TextEncoder().encode('h\u00e9')]", [104, 195, 169]),
    ):
        t.equal(f"import: {name}", value(f"return {expression}"), expected)


def maps(t, value):
    t.equal("typedKv", value("records.set('a', { n: 1 }).set('b', null); return ["
                             "records.get('a'), records.has('c'), records.size]"),
            [{"n": 1}, False, 2])
    t.equal("a typed map in a later request", value("return records.get('a')"), {"n": 1})
    t.equal("and in an interpreter that is reused",
            [value("return records.get('a')", "/app/reused") for _ in range(2)], [{"n": 1}] * 2)
    t.equal("its bytes are JSON", value(
        "return ccf.kv['a13.records'].get(ccf.strToBuf('a'))"), buffer(b'{"n":1}'))
    t.equal("typedKv of a handle", value(
        "const m = app.typedKv(ccf.kv['a13.handle'], app.uint32, app.string);"
        "return [m.set(7, 'x').get(7), ccf.kv['a13.handle'].has(app.uint32.encode(7))]"),
        ["x", True])
    t.equal("forEach of a typed map", value(
        "const seen = []; records.forEach((value, key) => seen.push([key, value])); return seen"),
        [["a", {"n": 1}], ["b", None]])
    t.equal("delete and clear of a typed map", value(
        "records.delete('b'); const n = records.size; records.clear(); return [n, records.size]"),
        [1, 0])
    t.equal("getVersionOfPreviousWrite of a typed map", value(
        "return records.getVersionOfPreviousWrite('nothing')"), UNDEFINED)
    t.equal("typedKvSet", value(
        "const set = app.typedKvSet('a13.set', app.string); set.add('one').add('two');"
        "set.delete('one'); return [set.has('one'), set.has('two'), set.size,"
        " ccf.kv['a13.set'].get(ccf.strToBuf('two'))]"), [False, True, 1, buffer(bytes(8))])
    t.equal("setApplyWrites and setClaimsDigest", value(
        "endpoints.setClaimsDigest(new ArrayBuffer(32)); return endpoints.setApplyWrites(true)"),
        UNDEFINED)
