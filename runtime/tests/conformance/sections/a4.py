"""A.4: ccf.kv, byte for byte; and the typed layer that is ours."""

from kit import UNDEFINED, buffer, threw
from language import JAVASCRIPT, either, javascript

NOT_A_BUFFER = threw("TypeError: Argument must be an ArrayBuffer")
NOT_BUFFERS = threw("TypeError: Arguments must be ArrayBuffers")


def no_key(kind, refused=NOT_A_BUFFER):
    """The refusal of a key of that class of Python's."""
    message = "a key is bytes (for a value of bytes) or str (for a JSON value), not"
    return either(refused, threw(f"TypeError: {message} {kind}"))


STORE = [
    ("two reads of a name are two handles", javascript("ccf.kv['x'] === ccf.kv['x']"), False),
    ("every name is in ccf.kv", javascript("['a' in ccf.kv, '' in ccf.kv, 7 in ccf.kv]"),
     [True, True, True]),
    ("ccf.kv has no keys", javascript("Object.keys(ccf.kv)"), []),
    ("ccf.kv cannot be assigned to",
     either("(() => { 'use strict'; try { ccf.kv.x = 1 } catch (e) { return e.name } })()",
            "__import__('operator').setitem(ccf.kv, 'x', 1)"),
     either("TypeError",
            threw("TypeError: 'affiant._native.Kv' object does not support item assignment"))),
    ("a number is a name",
     javascript("(ccf.kv[7].set(b('a'), b('v')), s(ccf.kv['7'].get(b('a'))))"), "v"),
    ("names are case-sensitive",
     either("(ccf.kv['a4.Case'].set(b('k'), b('v')), ccf.kv['a4.case'].has(b('k')))",
            "(ccf.kv['a4.Case'].set(b('k'), b('v')), ccf.kv['a4.case'].has(b('k')))[1]"),
     False),
    ("a handle's JSON is an empty object", javascript("JSON.stringify(m)"), "{}"),
]
CALLS = [
    ("has of a missing key", "m.has(b('k'))", False),
    ("has of a key", "m.set(b('k'), b('v')).has(b('k'))", True),
    ("get of a missing key", "m.get(b('k'))", UNDEFINED),
    ("get of a key", "m.set(b('k'), b('v')).get(b('k'))", buffer(b"v")),
    ("get gives an ArrayBuffer",
     either("m.set(b('k'), b('v')).get(b('k')) instanceof ArrayBuffer",
            "type(m.set(b('k'), b('v')).get(b('k'))) is bytes"),
     True),
    ("set gives the handle", either("m.set(b('k'), b('v')) === m", "m.set(b('k'), b('v')) is m"),
     True),
    ("set replaces", "m.set(b('k'), b('1')).set(b('k'), b('2')).get(b('k'))", buffer(b"2")),
    ("an empty key is a key", "m.set(b(''), b('v')).get(b(''))", buffer(b"v")),
    ("an empty value is a value", "[m.set(b('k'), b('')).has(b('k')), m.get(b('k'))]",
     [True, buffer(b"")]),
    ("keys are bytes",
     either("(m.set(new Uint8Array([0, 255]).buffer, b('v')), m.get(new Uint8Array([0, "
            "255]).buffer))",
            "m.set(bytes([0, 255]), b('v')).get(bytes([0, 255]))"),
     buffer(b"v")),
    ("values are bytes",
     either("(m.set(b('k'), new Uint8Array([0, 1, 255]).buffer), m.get(b('k')))",
            "m.set(b('k'), bytes([0, 1, 255])).get(b('k'))"),
     buffer(bytes([0, 1, 255]))),
    ("delete gives undefined", "m.set(b('k'), b('v')).delete(b('k'))", UNDEFINED),
    ("delete of a missing key is no error", "m.delete(b('k'))", UNDEFINED),
    ("a deleted key is gone",
     either("(m.set(b('k'), b('v')).delete(b('k')), m.has(b('k')))",
            "m.set(b('k'), b('v')).delete(b('k')) or m.has(b('k'))"),
     False),
    ("clear gives undefined", "m.clear()", UNDEFINED),
    ("clear deletes everything",
     either("(m.set(b('a'), b('v')).set(b('b'), b('v')).clear(), m.size)",
            "m.set(b('a'), b('v')).set(b('b'), b('v')).clear() or m.size"),
     0),
    ("size of an unknown map", "m.size", 0),
    ("size counts", "m.set(b('a'), b('v')).set(b('b'), b('v')).size", 2),
    ("size cannot be assigned",
     either("(() => { 'use strict'; try { m.size = 9 } catch (e) { return e.name } })()",
            "setattr(m, 'size', 9)"),
     either("TypeError",
            threw("AttributeError: attribute 'size' of 'affiant._native.Map' objects is "
                               "not writable"))),
    ("forEach gives undefined", either("m.forEach(() => 1)", "m.for_each(lambda *a: 1)"),
     UNDEFINED),
    ("getVersionOfPreviousWrite of a missing key",
     either("m.getVersionOfPreviousWrite(b('k'))", "m.get_version_of_previous_write(b('k'))"),
     UNDEFINED),
    ("getVersionOfPreviousWrite ignores one's own writes",
     either("m.set(b('k'), b('v')).getVersionOfPreviousWrite(b('k'))",
            "m.set(b('k'), b('v')).get_version_of_previous_write(b('k'))"),
     UNDEFINED),
]
BODIES = [
    ("get gives a copy",
     javascript("m.set(b('k'), b('v')); new Uint8Array(m.get(b('k')))[0] = 0; "
                "return m.get(b('k'))"),
     buffer(b"v")),
    ("set takes a copy of the value",
     either("const v = b('v'); m.set(b('k'), v); new Uint8Array(v)[0] = 0; return m.get(b('k'))",
            "v = bytearray(b('v')); m.set(b('k'), v); v[0] = 0; return m.get(b('k'))"),
     buffer(b"v")),
    ("set takes a copy of the key",
     either("const k = b('k'); m.set(k, b('v')); new Uint8Array(k)[0] = 0; return m.has(b('k'))",
            "k = bytearray(b('k')); m.set(k, b('v')); k[0] = 0; return m.has(b('k'))"),
     True),
    ("forEach calls with value, key, map",
     either("const seen = []; m.set(b('k'), b('v')); m.forEach((...a) => seen.push(s(a[0]), "
            "s(a[1]), a[2] === m, a.length)); return seen",
            "seen = []; m.set(b('k'), b('v')); m.for_each(lambda *a: seen.extend([s(a[0]), "
            "s(a[1]), a[2] is m, len(a)])); return seen"),
     ["v", "k", True, 3]),
    ("forEach ignores what the callback gives",
     either("let n = 0; m.set(b('a'), b('')).set(b('b'), b('')); m.forEach(() => { n += 1; return "
            "false }); return n",
            "seen = []; m.set(b('a'), b('')).set(b('b'), b('')); m.for_each(lambda *a: "
            "seen.append(1) or False); return len(seen)"),
     2),
    ("an exception ends forEach",
     either("let n = 0; m.set(b('a'), b('')).set(b('b'), b('')); try { m.forEach(() => { n += 1; "
            "throw new Error('stop') }) } catch (e) { return [n, e.message] }",
            "seen = []; m.set(b('a'), b('')).set(b('b'), b(''))\ntry: m.for_each(lambda *a: "
            "seen.append(1) or 1 / 0)\nexcept ZeroDivisionError: return [len(seen), 'stop']"),
     [1, "stop"]),
    ("forEach sees what was written before it began",
     either("m.set(b('a'), b('')); const seen = []; m.forEach((v, k) => { seen.push(s(k)); "
            "m.set(b('b'), b('')) }); return [seen, m.size]",
            "m.set(b('a'), b('')); seen = []; m.for_each(lambda v, k, _: seen.append(s(k)) or "
            "m.set(b('b'), b(''))); return [seen, m.size]"),
     [["a"], 2]),
    ("forEach does not mind deletions",
     either("m.set(b('a'), b('')).set(b('b'), b('')); let n = 0; m.forEach((v, k) => { n += 1; "
            "m.delete(b('b')) }); return [n, m.size]",
            "seen = []; m.set(b('a'), b('')).set(b('b'), b('')); m.for_each(lambda *a: "
            "seen.append(1) or m.delete(b('b'))); return [len(seen), m.size]"),
     [2, 1]),
    ("ours: forEach is in key order",
     either("for (const k of ['c', 'a', 'b']) m.set(b(k), b('')); const seen = []; m.forEach((v, "
            "k) => seen.push(s(k))); return seen",
            "for k in 'cab': m.set(b(k), b(''))\nseen = []; m.for_each(lambda v, k, _: "
            "seen.append(s(k))); return seen"),
     ["a", "b", "c"]),
    ("two handles of a name are one map",
     either("ccf.kv['a4.same'].set(b('k'), b('v')); return ccf.kv['a4.same'].get(b('k'))",
            "ccf.kv['a4.same'].set(b('k'), b('v')); return ccf.kv['a4.same'].get(b('k'))"),
     buffer(b"v")),
    ("maps do not mix", "ccf.kv['a4.one'].set(b('k'), b('v')); return ccf.kv['a4.two'].size", 0),
    ("a method without its handle", javascript("const get = m.get; return get(b('k'))"),
     threw("InternalError: Internal: Unable to access MapHandle")),
]
REFUSED = [
    ("has refuses a number", "m.has(1)", no_key("int")),
    ("has refuses a typed array", javascript("m.has(new Uint8Array(1))"), NOT_A_BUFFER),
    ("get refuses a number", "m.get(1)", no_key("int")),
    ("get refuses undefined", either("m.get(undefined)", "m.get(None)"), no_key("NoneType")),
    ("get refuses a typed array", javascript("m.get(new Uint8Array(1))"), NOT_A_BUFFER),
    ("delete refuses an object", "m.delete({})", no_key("dict")),
    ("getVersionOfPreviousWrite refuses null",
     either("m.getVersionOfPreviousWrite(null)", "m.get_version_of_previous_write(None)"),
     no_key("NoneType")),
    ("set refuses a number as key", "m.set(1, b('v'))", no_key("int", NOT_BUFFERS)),
    ("set refuses a string as value", "m.set(b('k'), 'v')",
     either(NOT_BUFFERS, threw("TypeError: a key of bytes takes a value of bytes, not str; to "
                               "store JSON make the key a str"))),
    ("set refuses a typed array as value", javascript("m.set(b('k'), new Uint8Array(1))"),
     NOT_BUFFERS),
    ("set refuses a typed array as key", javascript("m.set(new Uint8Array(1), b('v'))"),
     NOT_BUFFERS),
    ("forEach refuses what is no function", either("m.forEach(1)", "m.for_each(1)"),
     threw("TypeError: Argument must be a function",
           "TypeError: for_each takes a function of value, key and map")),
]
TYPED = [
    ("ours: a string key takes JSON",
     either("m.set('k', { a: [1, null] }).get('k')", "m.set('k', {'a': [1, None]}).get('k')"),
     {"a": [1, None]}),
    ("ours: a string key is its UTF-8", "m.set('k\u00e9', 1).get(b('k\u00e9'))", buffer(b"1")),
    ("ours: a missing string key", "m.get('k')", UNDEFINED),
    ("ours: has with a string key", "[m.set('k', 1).has('k'), m.has('l')]", [True, False]),
    ("ours: delete with a string key",
     either("(m.set('k', 1).delete('k'), m.size)", "m.set('k', 1).delete('k') or m.size"), 0),
    ("ours: a string key refuses bytes", "m.set('k', b('v'))",
     threw("TypeError: A string key takes a JSON value; to store bytes make the key an "
           "ArrayBuffer (ccf.strToBuf(key))",
           "TypeError: bytes has no JSON; store bytes under a key of bytes, or encode them as "
           "text first")),
    ("ours: range in key order",
     either("(() => { for (const k of ['c', 'a', 'b']) m.set(k, k); return m.range('a', 'c'); })()",
            "m.set('c', 'c').set('a', 'a').set('b', 'b').range('a', 'c')"),
     [["a", "a"], ["b", "b"]]),
    ("ours: range with a limit",
     either("(() => { for (const k of ['c', 'a', 'b']) m.set(k, k); return m.range('a', null, 1); "
            "})()",
            "m.set('c', 'c').set('a', 'a').set('b', 'b').range('a', None, 1)"),
     [["a", "a"]]),
    ("ours: range of bytes",
     either("m.set(b('a'), b('1')).set(b('b'), b('2')).range(b('b'), null)",
            "m.set(b('a'), b('1')).set(b('b'), b('2')).range(b('b'))"),
     [[buffer(b"b"), buffer(b"2")]]),
]


def run(t):
    for table in (STORE, CALLS, REFUSED, TYPED):
        t.expressions(table)
    for name, body, expected in BODIES:
        t.do(name, body, expected)
    across(t)
    handles(t)
    reserved(t)


def across(t):
    """What one transaction leaves to the next."""
    version = either("getVersionOfPreviousWrite", "get_version_of_previous_write")
    t.value("return m.set(b('k'), b('v')).set(b('l'), b('w'))", space="a4.across")
    t.do("a later transaction reads what was written", "return m.get(b('k'))", buffer(b"v"),
         space="a4.across")
    answer = t.main.post("/app/run/rw", b"m.set(b('k'), b('2'))", x_space="a4.version")
    t.do("getVersionOfPreviousWrite is the seqno of the last write",
         f"return m.{version}(b('k'))", int(answer.txid.split(".")[1]),
         space="a4.version")
    t.do("a pending write does not change the version of the previous one",
         f"m.set(b('k'), b('3')); return m.{version}(b('k'))",
         int(answer.txid.split(".")[1]), space="a4.version")
    t.value("m.delete(b('k'))", space="a4.version")
    t.do("a deleted key has no version", f"return m.{version}(b('k'))", UNDEFINED,
         space="a4.version")
    t.do("forEach overlays one's own writes and deletions",
         either("m.delete(b('k')); m.set(b('l'), b('own')).set(b('n'), b('new')); const seen = []; "
                "m.forEach((v, k) => seen.push([s(k), s(v)])); return seen.sort()",
                "m.delete(b('k')); m.set(b('l'), b('own')).set(b('n'), b('new')); "
                "return [[s(k), s(v)] for k, v in m.items()]"),
         [["l", "own"], ["n", "new"]], space="a4.across")
    t.value("m.clear(); m.set(b('only'), b('v'))", space="a4.across")
    t.do("clear then set leaves what was set", "return [m.size, m.has(b('only'))]", [1, True],
         space="a4.across")


def handles(t):
    """Handles made at module scope."""
    counts = [t.main.post("/app/engine/bump").json for _ in range(3)]
    t.equal("a handle at module scope serves every request", counts, [1, 2, 3])
    if JAVASCRIPT:
        counts = [t.main.post("/app/engine/bump_reused").json for _ in range(3)]
        t.equal("and with interpreter reuse", counts, [4, 5, 6])


def reserved(t):
    for name in ("public:ccf.foo", "ccf.foo", "public:ccf.", "ccf."):
        answer = t.main.post("/app/bare", f"ccf.kv['{name}'].size".encode())
        t.equal(f"the name {name} is reserved", answer.error,
                [500, "InternalError", "Exception thrown while executing."])
