"""A.1: the engine and the standard library."""

import time

from kit import UNDEFINED

LANGUAGES = ("js",)

LANGUAGE = [
    ("Array.prototype.at", "[1, 2, 3].at(-1)", 3),
    ("Array.prototype.findLast", "[1, 2, 3].findLast((x) => x < 3)", 2),
    ("Array.prototype.findLastIndex", "[1, 2, 3].findLastIndex((x) => x < 3)", 1),
    ("Array.prototype.with", "[1, 2].with(0, 9)", [9, 2]),
    ("Array.prototype.toSorted", "[3, 1, 2].toSorted()", [1, 2, 3]),
    ("Array.prototype.toReversed", "[1, 2].toReversed()", [2, 1]),
    ("Array.prototype.toSpliced", "[1, 2, 3].toSpliced(1, 1)", [1, 3]),
    ("Array.prototype.flat", "[1, [2, [3]]].flat(2)", [1, 2, 3]),
    ("Object.hasOwn", "Object.hasOwn({ a: 1 }, 'a')", True),
    ("Object.fromEntries", "Object.fromEntries([['a', 1]])", {"a": 1}),
    ("Object.groupBy", "Object.groupBy([1, 2, 3], (x) => (x % 2 ? 'o' : 'e')).o", [1, 3]),
    ("Map.groupBy", "[...Map.groupBy([1, 2], (x) => x % 2).keys()]", [1, 0]),
    ("Promise.any", "typeof Promise.any", "function"),
    ("Promise.withResolvers", "typeof Promise.withResolvers().resolve", "function"),
    ("BigInt", "2n ** 64n", {"$": "18446744073709551616n"}),
    ("BigInt.asUintN", "BigInt.asUintN(8, 257n)", {"$": "1n"}),
    ("Proxy", "new Proxy({}, { get: (_, k) => `got ${k}` }).x", "got x"),
    ("Reflect", "Reflect.ownKeys({ b: 1, a: 2 })", ["b", "a"]),
    ("Map", "[...new Map([[1, 2]])]", [[1, 2]]),
    ("Set", "new Set([1, 1, 2]).size", 2),
    ("WeakMap", "(() => { const k = {}; return new WeakMap([[k, 1]]).get(k); })()", 1),
    ("WeakSet", "(() => { const k = {}; return new WeakSet([k]).has(k); })()", True),
    ("typed arrays", "[...new Uint16Array(new Uint8Array([1, 2]))]", [1, 2]),
    ("BigUint64Array", "new BigUint64Array([2n ** 64n - 1n])[0]", {"$": "18446744073709551615n"}),
    ("DataView", "new DataView(new Uint8Array([1, 2]).buffer).getUint16(0)", 258),
    ("SharedArrayBuffer", "new SharedArrayBuffer(8).byteLength", 8),
    ("Atomics", "Atomics.add(new Int32Array(new SharedArrayBuffer(4)), 0, 5)", 0),
    ("named groups", "/(?<y>\\d+)/.exec('in 2026').groups.y", "2026"),
    ("lookbehind", "/(?<=a)b/.test('ab')", True),
    ("sticky expressions", "/b/y.test('ab')", False),
    ("unicode expressions", "/^\\p{Lu}$/u.test('\u00c9')", True),
    ("generators", "[...(function* () { yield 1; yield 2; })()]", [1, 2]),
    ("eval", "eval('1 + 2')", 3),
    ("Function", "new Function('a', 'return a + 1')(1)", 2),
    ("String.prototype.normalize", "'e\u0301'.normalize('NFC').length", 1),
    ("String.prototype.replaceAll", "'aXbX'.replaceAll('X', '-')", "a-b-"),
    ("globalThis", "globalThis.JSON === JSON", True),
    ("optional chaining", "undefined?.a.b.c", UNDEFINED),
    ("nullish coalescing", "null ?? 'other'", "other"),
    ("private fields", "new (class { #x = 7; get() { return this.#x; } })().get()", 7),
    ("static blocks", "(class { static x; static { this.x = 8; } }).x", 8),
    ("destructuring with rest", "(({ a, ...rest }) => rest)({ a: 1, b: 2 })", {"b": 2}),
    ("tagged templates", "((t, x) => t.raw[0] + x)`a\\n${1}`", "a\\n1"),
    ("symbols", "Symbol.for('x') === Symbol.for('x')", True),
    ("Error.cause", "new Error('a', { cause: 7 }).cause", 7),
    ("AggregateError", "new AggregateError([1], 'm').errors", [1]),
    ("logical assignment", "(() => { let a = null; a ??= 3; return a; })()", 3),
    ("numeric separators", "1_000", 1000),
    ("JSON.stringify", "JSON.stringify({ b: 1, a: [undefined, null] })", '{"b":1,"a":[null,null]}'),
    ("Date with an argument", "new Date(0).toISOString()", "1970-01-01T00:00:00.000Z"),
]

ABSENT = [
    "Intl", "setTimeout", "setInterval", "fetch", "crypto", "Buffer", "process", "require", "std",
    "os", "performance", "navigator", "window",
]
# CCF's engine has none of these; libraries count on them.
OURS = [
    ("WeakRef", "(() => { const o = { a: 1 }; return new WeakRef(o).deref().a; })()", 1),
    ("FinalizationRegistry", "typeof new FinalizationRegistry(() => 1).register", "function"),
    ("TextEncoder", "[...new TextEncoder().encode('h\u00e9')]", [104, 195, 169]),
    ("TextDecoder", "new TextDecoder().decode(new Uint8Array([104, 195, 169]))", "h\u00e9"),
    ("URL", "new URL('../c?x=1', 'https://h/a/b/').href", "https://h/a/c?x=1"),
    ("URLSearchParams", "new URLSearchParams('a=b%20c&a=2').getAll('a')", ["b c", "2"]),
    ("structuredClone", "structuredClone({ a: [1, new Date(0)] }).a[1].getTime()", 0),
    ("atob", "atob('aGk=')", "hi"),
    ("btoa", "btoa('hi')", "aGk="),
]


def run(t):
    t.expressions(LANGUAGE)
    for name, expression, expected in OURS:
        t.do(f"ours: {name}", f"return {expression}", expected)
    for name in ABSENT:
        t.do(f"{name} does not exist", f"return typeof {name}", "undefined")
    t.do("ours: queueMicrotask exists, since jobs are run", "return typeof queueMicrotask", "function")
    facts = t.main.get("/app/engine/facts").json
    t.equal("modules are strict", facts["strict"], True)
    t.equal("imports are relative to the importing module", facts["named"], "root sibling leaf")
    t.equal("an import may start with a slash", facts["sibling"], "sibling")
    t.do("Math.random is in [0, 1)", "const x = Math.random(); return x >= 0 && x < 1", True)
    t.do("Math.random differs from call to call", "return Math.random() === Math.random()", False)
    t.do(
        "Date is the real clock",
        f"return Math.abs(Date.now() - {int(time.time() * 1000)}) < 60000",
        True,
    )
    answer = t.main.get("/app/engine/later")
    t.equal("ours: what an async handler promised is its answer", answer.plain,
            [200, "text/plain", "later"])
    answer = t.main.get("/app/engine/later_ignored")
    t.equal("an async handler whose promise is to be ignored answers 200, empty", answer.plain,
            [200, None, ""])
    answer = t.main.get("/app/engine/rejects")
    t.equal("ours: a rejected promise is an exception",
            answer.json["error"]["details"][0]["message"], "TypeError: late")
    details = t.main.get("/app/engine/throws").json["error"]["details"]
    t.equal("exceptions carry reason and trace without columns", details, [{
        "code": "JSException",
        "message": "Error: test error: 42",
        "trace": "    at inner (/engine.js:54)\n    at throws (/engine.js:58)\n",
    }])
    t.do("eval sees no module scope", "return typeof evaluated", "undefined")
