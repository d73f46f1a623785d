//! Globals of the web platform that CCF's engine lacks.

use serde_json::json;

use crate::support::*;

#[test]
fn text_is_encoded_and_decoded() {
    assert_eq!(
        evaluate("[...new TextEncoder().encode('h\u{e9}\\ud800\\0x')]"),
        json!([104, 195, 169, 239, 191, 189, 0, 120])
    );
    assert_eq!(
        evaluate("new TextEncoder().encodeInto('a\u{20ac}b', new Uint8Array(3))"),
        json!({"read": 1, "written": 1})
    );
    assert_eq!(
        evaluate("new TextDecoder().decode(new Uint8Array([0xef, 0xbb, 0xbf, 0x61, 0xff]))"),
        json!("a\u{fffd}")
    );
    assert_eq!(
        evaluate(
            "new TextDecoder('utf-8', { ignoreBOM: true }).decode(new Uint8Array([0xef, 0xbb, 0xbf])).length"
        ),
        json!(1)
    );
    assert_eq!(
        evaluate("new TextDecoder('utf-16').decode(new Uint16Array([0x61, 0xd83d, 0xde00]))"),
        json!("a\u{1f600}")
    );
    assert_eq!(evaluate("new TextDecoder(' Latin1 ').encoding"), json!("windows-1252"));
    assert_eq!(
        evaluate(
            "new TextDecoder().decode(new DataView(new Uint8Array([97, 98, 99]).buffer, 1, 1))"
        ),
        json!("b")
    );
    let streamed = "(() => { const d = new TextDecoder(); return ['f0', '9f98', '80'].map((hex) => \
        d.decode(Uint8Array.from(hex.match(/../g), (b) => parseInt(b, 16)), { stream: true })) \
        .concat(d.decode()); })()";
    assert_eq!(evaluate(streamed), json!(["", "", "\u{1f600}", ""]));
    assert_eq!(
        evaluate(
            "(() => { const d = new TextDecoder(); d.decode(new Uint8Array([0xe2]), { stream: true }); return d.decode(); })()"
        ),
        json!("\u{fffd}")
    );
    assert!(
        thrown("new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([255]))")
            .starts_with("TypeError")
    );
    assert!(thrown("new TextDecoder('shift_jis')").starts_with("RangeError"));
    assert!(thrown("new TextDecoder().decode('text')").starts_with("TypeError"));
    assert_eq!(evaluate("[btoa('\\xff\\0a'), atob(' /wBh ')]"), json!(["/wBh", "\u{ff}\0a"]));
    assert!(thrown("btoa('\u{20ac}')").contains("InvalidCharacterError"));
}

#[test]
fn urls_are_parsed_changed_and_written() {
    let parts = "(() => { const u = new URL('../b?x=1&y=a+b#f', 'https://me:pw@Example.ORG:8443/a/c/d'); \
        return [u.href, u.origin, u.protocol, u.username, u.password, u.host, u.hostname, u.port, \
        u.pathname, u.search, u.hash]; })()";
    assert_eq!(
        evaluate(parts),
        json!([
            "https://me:pw@example.org:8443/a/b?x=1&y=a+b#f",
            "https://example.org:8443",
            "https:",
            "me",
            "pw",
            "example.org:8443",
            "example.org",
            "8443",
            "/a/b",
            "?x=1&y=a+b",
            "#f"
        ])
    );
    let changed = "(() => { const u = new URL('http://a/'); u.searchParams.append('k', 'v w'); \
        u.port = '81'; u.pathname = '/p q'; u.hash = 'h'; u.protocol = 'https'; u.port = 'none'; \
        const seen = u.searchParams.get('k'); u.search = '?z=1'; \
        return [String(u), seen, [...u.searchParams], JSON.stringify(u)]; })()";
    assert_eq!(
        evaluate(changed),
        json!(["https://a:81/p%20q?z=1#h", "v w", [["z", "1"]], "\"https://a:81/p%20q?z=1#h\""])
    );
    assert_eq!(
        evaluate("[URL.canParse('/a'), URL.canParse('/a', 'http://b'), URL.parse('x') === null]"),
        json!([false, true, true])
    );
    assert!(thrown("new URL('nowhere')").starts_with("TypeError: Invalid URL: \"nowhere\""));
    assert!(thrown("const u = new URL('http://a'); u.href = 'b'").starts_with("TypeError"));
    assert_eq!(
        evaluate("Object.prototype.toString.call(new URL('http://a'))"),
        json!("[object URL]")
    );
}

#[test]
fn queries_are_lists_of_pairs() {
    let all = "(() => { const q = new URLSearchParams('?a=1&b=2&a=%C3%A9+x&c'); q.append('d', '&='); \
        q.set('b', 'B'); q.delete('c'); const had = [q.has('a', '1'), q.has('a', '2'), q.size]; \
        q.delete('a', '1'); q.sort(); return [q.toString(), q.getAll('a'), q.get('none'), had, \
        [...q.keys()], [...q.values()]]; })()";
    assert_eq!(
        evaluate(all),
        json!([
            "a=%C3%A9+x&b=B&d=%26%3D",
            ["\u{e9} x"],
            null,
            [true, false, 4],
            ["a", "b", "d"],
            ["\u{e9} x", "B", "&="]
        ])
    );
    assert_eq!(evaluate("String(new URLSearchParams({ a: 1, b: '~ *' }))"), json!("a=1&b=%7E+*"));
    assert_eq!(evaluate("String(new URLSearchParams(new Map([['k', 'v']])))"), json!("k=v"));
    assert!(thrown("new URLSearchParams([['a']])").starts_with("TypeError"));
}

#[test]
fn structures_are_cloned_with_their_cycles() {
    let cloned = "(() => { const a = { n: 1n.toString(), d: new Date(5), r: /x/gi, m: new Map([['k', new Set([1])]]), \
        b: new Uint8Array([1, 2, 3]).subarray(1), e: new RangeError('bad', { cause: 1 }), u: undefined, \
        s: [1, , 3], o: Object('s') }; a.self = a; const c = structuredClone(a); \
        return [c !== a && c.self === c, c.d.getTime(), String(c.r), [...c.m.get('k')], [...c.b], \
        c.b.byteOffset, c.e instanceof RangeError, c.e.message, c.e.cause, 'u' in c, 1 in c.s, \
        c.s.length, typeof c.o]; })()";
    assert_eq!(
        evaluate(cloned),
        json!([true, 5, "/x/gi", [1], [2, 3], 1, true, "bad", 1, true, false, 3, "object"])
    );
    assert_eq!(
        evaluate(
            "(() => { const b = new ArrayBuffer(4); const c = structuredClone({ b }, { transfer: [b] }); return [b.detached, c.b.byteLength]; })()"
        ),
        json!([true, 4])
    );
    for statements in [
        "structuredClone(() => 1)",
        "structuredClone({ s: Symbol('x') })",
        "structuredClone(new WeakMap())",
    ] {
        assert!(thrown(statements).contains("DataCloneError"), "{statements}");
    }
}

/// They are there before a module is evaluated, cost nothing where nobody mentions them, give way to
/// polyfills, and are pristine in every request.
#[test]
fn the_globals_come_when_they_are_used() {
    let source = "const at_module = new TextEncoder(); \
        export function first() { TextEncoder.prototype.encode = null; globalThis.URL = 1; \
            return { body: [typeof at_module, URL] }; } \
        export function second() { return { body: [at_module.encode('a')[0], typeof URL, typeof structuredClone] }; }";
    let mut app = App::of(source, &["first", "second"]);
    assert_eq!(app.call("first").json(), json!(["object", 1]));
    assert_eq!(app.call("second").json(), json!([97, "function", "function"]));
    let hidden = "export function run() { const late = globalThis['Text' + 'Encoder']; \
        return { body: [late === globalThis['Text' + 'Encoder'], new late().encode('a').length, \
        Object.keys(globalThis).some((key) => key.startsWith('Text'))] }; } \
        export function polyfilled() { globalThis['Text' + 'Decoder'] = 7; \
        new globalThis['Text' + 'Encoder'](); return { body: globalThis['Text' + 'Decoder'] }; }";
    let mut app = App::of(hidden, &["run", "polyfilled"]);
    assert_eq!(app.call("run").json(), json!([true, 1, false]));
    assert_eq!(app.call("polyfilled").json(), json!(7));
    assert_eq!(app.call("run").json(), json!([true, 1, false]));
}
