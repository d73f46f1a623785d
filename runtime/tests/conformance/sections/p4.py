"""P.4: maps as Python's mappings, and the typed layer."""

from kit import buffer, threw

LANGUAGES = ("python",)

MAPPING = [
    ("an item is set and read", "m['k'] = {'a': [1, None]}; return m['k']", {"a": [1, None]}),
    ("a missing item", "return m['k']", threw("KeyError: 'k'")),
    ("a missing item of bytes", "return m[b'k']", threw("KeyError: b'k'")),
    ("get of a missing one", "return [m.get('k'), m.get('k', 7)]", [None, 7]),
    ("del", "m['k'] = 1; del m['k']; return 'k' in m", False),
    ("del of a missing one", "del m['k']", threw("KeyError: 'k'")),
    ("delete of a missing one", "return m.delete('k')", None),
    ("in", "m['k'] = 1; return ['k' in m, b'k' in m, 'l' in m]", [True, True, False]),
    ("len", "m['a'] = m['b'] = 1; return [len(m), m.size]", [2, 2]),
    ("an empty map is true", "return [len(m), bool(m)]", [0, True]),
    ("iteration gives bytes, ascending", "m['b'] = m['a'] = 1; return list(m)",
     [buffer(b"a"), buffer(b"b")]),
    ("keys", "m['b'] = m['a'] = 1; return m.keys()", [buffer(b"a"), buffer(b"b")]),
    ("keys as str", "m['b'] = m['a'] = 1; return m.keys(str)", ["a", "b"]),
    ("values", "m['a'] = 1; return m.values()", [buffer(b"1")]),
    ("values from JSON", "m['b'] = 2; m['a'] = [1]; return m.values(str)", [[1], 2]),
    ("items", "m['a'] = 1; return m.items()", [[buffer(b"a"), buffer(b"1")]]),
    ("items from JSON", "m['b'] = 2; m['a'] = 1; return m.items(str)", [["a", 1], ["b", 2]]),
    ("items make a dict", "m['b'] = 2; m['a'] = 1; return dict(m.items(str))", {"a": 1, "b": 2}),
    ("set gives the map", "return m.set('a', 1).set('b', 2).size", 2),
    ("handles of a name are equal", "return [m == ccf.kv[m.name], hash(m) == hash(ccf.kv[m.name])]",
     [True, True]),
    ("handles of two names are not", "return m == ccf.kv['p4.other']", False),
    ("maps have no order", "return m < ccf.kv['p4.other']", threw("TypeError: maps have no order")),
    ("its repr names it", "return repr(ccf.kv['p4.named'])", '<map "p4.named">'),
    ("a name is a str", "return ccf.kv[7]", threw("TypeError: the name of a map is a str")),
    ("writing while iterating", "m['a'] = m['b'] = 1\nfor k in m: m[k + b'x'] = b''\nreturn len(m)",
     4),
]
TYPED = [
    ("a str", "m['k'] = 'h\u00e9'; return m[b'k']", buffer('"h\u00e9"'.encode())),
    ("a float", "m['k'] = 1.5; return m['k']", 1.5),
    ("a float that is whole stays a float", "m['k'] = 2.0; return [m[b'k'], type(m['k']).__name__]",
     [buffer(b"2.0"), "float"]),
    ("an int without bound", "m['k'] = 2 ** 70; return m['k']", 2 ** 70),
    ("a bool", "m['k'] = True; return [m[b'k'], m['k'] is True]", [buffer(b"true"), True]),
    ("None is a value", "m['k'] = None; return ['k' in m, m.get('k', 7)]", [True, None]),
    ("a tuple comes back as a list", "m['k'] = (1, 2); return m['k']", [1, 2]),
    ("a dict keeps its order", "m['k'] = {'b': 1, 'a': 2}; return m[b'k']",
     buffer(b'{"b":1,"a":2}')),
    ("what was bytes may be no JSON", "m[b'k'] = b'text'; return m['k']",
     threw("JSONDecodeError: Expecting value: line 1 column 1 (char 0)")),
    ("a set has no JSON", "m['k'] = {1}", threw("TypeError: set has no JSON")),
    ("keys of a dict are str", "m['k'] = {1: 2}",
     threw("TypeError: keys of a dict for JSON are str, not int")),
    ("NaN has no JSON", "m['k'] = float('nan')",
     threw("ValueError: NaN and infinities have no JSON")),
    ("bytes under a str", "m['k'] = b'v'", threw(
        "TypeError: bytes has no JSON; store bytes under a key of bytes, or encode them as text "
        "first")),
    ("a str under bytes", "m[b'k'] = 'v'", threw(
        "TypeError: a key of bytes takes a value of bytes, not str; to store JSON make the key a "
        "str")),
    ("bytearray and memoryview are bytes", "m[bytearray(b'k')] = memoryview(b'v'); return m[b'k']",
     buffer(b"v")),
    ("range from and to", "for k in 'dbac': m[k] = k\nreturn m.range('b', 'd')",
     [["b", "b"], ["c", "c"]]),
    ("range from", "for k in 'bac': m[k] = k\nreturn m.range('b')", [["b", "b"], ["c", "c"]]),
    ("range with a limit", "for k in 'bac': m[k] = k\nreturn m.range(limit=1)",
     [[buffer(b"a"), buffer(b'"a"')]]),
    ("range by one layer", "return m.range('a', b'b')",
     threw("TypeError: both bounds must be str, or neither")),
    ("a key that is no text", "m[b'\\xff'] = b''; return m.keys(str)",
     threw("ValueError: this map has a key that is not UTF-8: iterate its bytes")),
]


def run(t):
    for table in (MAPPING, TYPED):
        for name, source, expected in table:
            t.do(name, source, expected)
    t.do("it is kept", "m['k'] = {'n': 1}", None, space="p4.kept")
    t.do("and read by the next request", "return m['k']", {"n": 1}, space="p4.kept")
    t.do("and so in order", "m['a'] = 0; return m.keys(str)", ["a", "k"], space="p4.kept")
    t.do("a read-only handler cannot set an item",
         "try:\n    m['k'] = 1\nexcept PermissionError as e:\n    return type(e).__name__",
         "AccessError", mode="ro")
