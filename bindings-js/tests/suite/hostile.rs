//! Scripts that mean harm get an error; the worker goes on.

use affiant::hosting::RuntimeOptions;

use crate::support::*;

const ATTACKS: &[&str] = &[
    "throw { get message() { throw 1; }, toString: null, valueOf: null }",
    "throw new Proxy(new Error('x'), { get() { throw 1; } })",
    "throw Object.assign(new Error('x'), { get stack() { while (true) {} } })",
    "throw Object.create(null)",
    "throw 10n",
    "throw Symbol('s')",
    "Error.prepareStackTrace = () => { throw 1; }; throw new Error('x')",
    "Error.prepareStackTrace = () => { while (true) {} }; null.x",
    "Error.prepareStackTrace = () => ({ toString() { throw 1; } }); ccf.strToBuf()",
    "Error.stackTraceLimit = 1e9; (function f() { f(); })()",
    "Object.defineProperty(Error.prototype, 'toString', { get() { throw 1; } }); throw new Error()",
    "Object.prototype.then = 5; return Promise.resolve({})",
    "Object.defineProperty(Object.prototype, 'then', { get() { while (true) {} } }); \
        return Promise.resolve({})",
    "return new Proxy({}, { get() { return new Proxy({}, this); }, has() { return true; } })",
    "return new Proxy({}, { get() { throw 1; } })",
    "return new Proxy({}, { has() { throw 1; }, get() {} })",
    "return new Proxy({}, { ownKeys() { throw 1; }, get() {} })",
    "return new Proxy({}, { getOwnPropertyDescriptor() { while (true) {} }, get() {}, \
        ownKeys() { return ['a']; } })",
    "return new Proxy(() => {}, {})",
    "const p = Proxy.revocable({}, {}); p.revoke(); return p.proxy",
    "return { body: new Proxy([], { get(t, k) { return k === 'length' ? 2 ** 53 : 1; } }) }",
    "return { body: { toJSON() { return this; }, get a() { return { toJSON: this.toJSON }; } } }",
    "return { headers: new Proxy({ a: 1 }, { get() { delete this.x; return { toString() { \
        return 'x'.repeat(1 << 28); } }; } }) }",
    "return { headers: { ['x'.repeat(1 << 24)]: 1 } }",
    "return { statusCode: { valueOf() { while (true) {} } } }",
    "const b = new ArrayBuffer(8, { maxByteLength: 1 << 20 }); const v = new Uint8Array(b); \
        return { get body() { b.resize(0); return v; } }",
    "const b = new ArrayBuffer(8); const v = new Uint8Array(b, 4); b.transfer(); return { body: v }",
    "const m = ccf.kv['m']; const k = ccf.strToBuf('k'); k.transfer(); m.get(k)",
    "const m = ccf.kv['m']; m.set({ toString() { m.clear(); return 'k'; } }, 1)",
    "const m = ccf.kv['m']; m.set('a', { toJSON() { m.clear(); m.set('b', 1); return 1; } }); \
        return { body: m.get('a') }",
    "const m = ccf.kv['m']; m.set('a', 1); m.forEach(() => { m.forEach(() => { m.clear(); }); }); \
        return {}",
    "const m = ccf.kv['m']; m.set('a', 1); m.forEach(function f() { m.forEach(f); })",
    "ccf.kv['m'].range('a', { toString() { while (true) {} } })",
    "for (let i = 0; ; i++) ccf.kv['m' + i]",
    "ccf.kv['x'.repeat(1 << 20)]",
    "ccf.kv['\\ud800'].set('\\udfff', '\\ud83d'); return { body: ccf.kv['\\ud800'].get('\\udfff') }",
    "ccf.kv.__proto__.x; ccf.kv.constructor.constructor('return 1')()",
    "Object.setPrototypeOf(ccf.kv, new Proxy({}, { get() { throw 1; } })); ccf.kv.x.get('a')",
    "Object.getPrototypeOf(ccf.kv.x).get.call(ccf.kv, 'a')",
    "Object.getPrototypeOf(ccf.kv.x).get.call(ccf.kv.x.get, 'a')",
    "Object.getOwnPropertyDescriptor(Object.getPrototypeOf(ccf.kv.x), 'size').get.call({})",
    "new (ccf.strToBuf)('a')",
    "Reflect.construct(Date, [], Object.getPrototypeOf(ccf.kv.x).get)",
    "Reflect.construct(Date, [1, 2, 3, 4, 5, 6, 7, 8, 9], function () {})",
    "Date.call({}, 1); Date.prototype.getTime.call({})",
    "'x'.repeat(1 << 29).replace(/x/g, '$&$&')",
    "/(?:a|a?)+$/.test('a'.repeat(30) + 'b'); /((a{0,100}){0,100}){0,100}$/.test('a'.repeat(99) + 'b')",
    "new RegExp('('.repeat(100000))",
    "JSON.parse('['.repeat(1 << 20))",
    "eval('('.repeat(1 << 20))",
    "new Function('x'.repeat(1 << 24))",
    "[].concat(...Array(1e6).fill([1]))",
    "Array.from({ length: 1e9 })",
    "new Array(3e6) + ''",
    "Array(5e6).reverse()",
    "'a'.repeat(5e7).split('')",
    "String.raw({ raw: { length: 1e6 } })",
    "2n ** (2n ** 40n)",
    "(2n ** 200000n).toString()",
    "let o = []; o[0] = o; for (let i = 0; i < 1e5; i++) o = [o]; o.flat(Infinity)",
    "let f = () => 1; for (let i = 0; i < 1e5; i++) f = f.bind(null); f()",
    "let p = {}; for (let i = 0; i < 1e6; i++) p = Object.create(p); return { body: p.x ?? 1 }",
    "const s = new Set([1]); for (const x of s) s.add(x + 1)",
    "async function f() { return f(); } return f()",
    "let p = Promise.resolve(); (function f() { p = p.then(f); })(); return p",
    "import('./nowhere.js'); import('data:text/javascript,1'); return import('/app.js')",
    "return import({ toString() { throw 1; } })",
    "console.log('x'.repeat(1 << 28))",
    "console.log({ toJSON() { throw 1; } })",
    "console.log(new Proxy({}, { get() { while (true) {} } }))",
    "ccf.rpc.setApplyWrites({ valueOf() { return true; } })",
    "ccf.consensus.getStatusForTxId(NaN, Infinity); ccf.consensus.getViewForSeqno(2 ** 70)",
    "ccf.consensus.getStatusForTxId(1n, {})",
    "ccf.pemToId('-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END CERTIFICATE-----')",
    "ccf.jsonCompatibleToBuf('x'.repeat(1 << 26))",
    "request.body.text = 1; request.data = 2; Object.freeze(request); request.caller.policy",
    "Object.getPrototypeOf(request).data; return {}",
    "globalThis.ccf = null; delete globalThis.Object; return {}",
    "Object.freeze(Object.prototype); Object.freeze(Array.prototype); return {}",
    "Array.prototype.push = Array.prototype.join = null; return { body: [1] }",
    "Object.defineProperty(Object.prototype, 'body', { get() { throw 1; } }); return {}",
    "Object.defineProperty(Array.prototype, 0, { set() { throw 1; } }); return { body: [1] }",
    "with_ = new Uint8Array(1 << 30)",
    "const w = new WeakMap(); for (let i = 0; i < 1e5; i++) { const k = {}; w.set(k, k); } return {}",
    "const a = []; a[2 ** 32 - 2] = 1; return { body: a }",
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(8)), 0, 0, 1e9)",
    "const g = (function* () { yield* g; })(); g.next()",
    "new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(1); return {}",
    "(function f(n) { try { f(n + 1); } finally { f(n + 1); } })(0)",
    "class A { static { while (true) {} } }",
    "label: for (;;) { for (;;) { continue label; } }",
];

/// Built-ins that loop in C and look at no clock: alone, below natives of ours, and in every place
/// where the host calls the engine.
const UNPOLLED: &[&str] = &[
    "Array(4e9).indexOf(1)",
    "Array(4e9).forEach(() => {})",
    "new Set(Array(4e9).values())",
    "Array.prototype.includes.call({ length: 2 ** 53 - 1 }, 1)",
    "Array.prototype.sort.call({ length: 2 ** 53 - 1 })",
    "const a = 'a'.repeat(1e6); a.repeat(3).indexOf(a + 'b')",
    "try { Array(4e9).indexOf(1); } finally { Array(4e9).indexOf(1); }",
    "const m = ccf.kv['m']; m.set('a', 1); m.forEach(() => { m.forEach(() => { \
        Array(4e9).indexOf(1); }); })",
    "ccf.jsonCompatibleToBuf({ toJSON() { return Array(4e9).indexOf(1); } })",
    "console.log({ toJSON() { return Array(4e9).indexOf(1); } })",
    "return { body: { toJSON() { return Array(4e9).indexOf(1); } } }",
    "return { get body() { return Array(4e9).indexOf(1); } }",
    "return { headers: { a: { toString: Array.prototype.indexOf.bind(Array(4e9), 1) } } }",
    "throw { toJSON: Array.prototype.indexOf.bind(Array(4e9), 1) }",
    "return Promise.resolve().then(() => Array(4e9).indexOf(1))",
    "return import('/spin.js')",
];

#[test]
fn what_does_not_look_at_the_clock_is_stopped() {
    survive(UNPOLLED);
}

#[test]
fn every_attack_is_survived() {
    survive(ATTACKS);
}

/// Runs each attack in a fresh and in a kept interpreter, each followed by a request that means well.
fn survive(attacks: &[&str]) {
    let functions: Vec<String> = (0..attacks.len()).map(|index| format!("attack{index}")).collect();
    let mut source = "export function fine() { return { body: 'fine' }; }\n".to_owned();
    for (function, attack) in functions.iter().zip(attacks) {
        source += &format!("export function {function}(request) {{ {attack}; }}\n");
    }
    let options = RuntimeOptions {
        max_execution_time_ms: 20,
        max_heap_bytes: 4 << 20,
        return_exception_details: true,
        ..RuntimeOptions::default()
    };
    for reuse in [false, true] {
        let named = |name: &str| {
            if reuse { reused("/app.js", name, "k") } else { endpoint("/app.js", name) }
        };
        let mut endpoints = vec![endpoint("/app.js", "fine")];
        endpoints.extend(functions.iter().map(|name| named(name)));
        let modules = [("/app.js", source.as_str()), ("/spin.js", "Array(4e9).indexOf(1)")];
        let mut app = App::new(&modules, endpoints, options.clone());
        assert_eq!(app.frontend.warnings(), &[] as &[String]);
        for (function, attack) in functions.iter().zip(attacks) {
            if let Err(error) = app.call_with(function, &request(b"body")).result {
                assert_eq!((error.status, error.code.as_str()), (500, "InternalError"), "{attack}");
            }
            assert_eq!(app.call("fine").text(), "fine", "after {attack}");
        }
    }
}
