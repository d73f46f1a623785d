"""B.5: from what a handler returns to an HTTP response."""

# Expression; status, content-type, body.
ANSWERS = [
    ("nothing but an object", "{}", 200, None, ""),
    ("body undefined is empty", "{ body: undefined }", 200, None, ""),
    ("a string is text", "{ body: 'h\u00e9' }", 200, "text/plain", "h\u00e9"),
    ("an empty string is text", "{ body: '' }", 200, "text/plain", ""),
    ("a string is cut at NUL", "{ body: 'ab\\0cd' }", 200, "text/plain", "ab"),
    ("null is JSON", "{ body: null }", 200, "application/json", "null"),
    ("a number is JSON", "{ body: 7 }", 200, "application/json", "7"),
    ("zero is JSON", "{ body: 0 }", 200, "application/json", "0"),
    ("NaN is null", "{ body: NaN }", 200, "application/json", "null"),
    ("true is JSON", "{ body: true }", 200, "application/json", "true"),
    ("false is JSON", "{ body: false }", 200, "application/json", "false"),
    ("an object is JSON in its own order", "{ body: { b: 1, a: 2 } }", 200, "application/json",
     '{"b":1,"a":2}'),
    ("an array is JSON", "{ body: [1, 'a', null] }", 200, "application/json", '[1,"a",null]'),
    ("an empty object is JSON", "{ body: {} }", 200, "application/json", "{}"),
    ("toJSON is honoured", "{ body: { toJSON: () => 1 } }", 200, "application/json", "1"),
    ("a Date is JSON", "{ body: new Date(0) }", 200, "application/json",
     '"1970-01-01T00:00:00.000Z"'),
    ("a String object is JSON", "{ body: new String('a') }", 200, "application/json", '"a"'),
    ("an ArrayBuffer is bytes", "{ body: new Uint8Array([65, 66]).buffer }", 200,
     "application/octet-stream", "AB"),
    ("an empty ArrayBuffer is bytes", "{ body: new ArrayBuffer(0) }", 200,
     "application/octet-stream", ""),
    ("a typed array is bytes", "{ body: new Uint8Array([65, 66]) }", 200,
     "application/octet-stream", "AB"),
    ("a typed array is its window", "{ body: new Uint8Array([64, 65, 66, 67]).subarray(1, 3) }",
     200, "application/octet-stream", "AB"),
    ("a wider typed array is its bytes", "{ body: new Uint16Array([0x4241]) }", 200,
     "application/octet-stream", "AB"),
    ("a DataView is JSON", "{ body: new DataView(new ArrayBuffer(1)) }", 200, "application/json",
     "{}"),
    ("a function has no JSON", "{ body: () => 1 }", 200, "application/json", "undefined"),
    ("statusCode undefined is 200", "{ statusCode: undefined }", 200, None, ""),
    ("statusCode null is 200", "{ statusCode: null }", 200, None, ""),
    ("statusCode 201", "{ statusCode: 201, body: 'x' }", 201, "text/plain", "x"),
    ("statusCode 299", "{ statusCode: 299 }", 299, None, ""),
    ("statusCode 418", "{ statusCode: 418, body: 'x' }", 418, "text/plain", "x"),
    ("statusCode 599", "{ statusCode: 599 }", 599, None, ""),
    ("statusCode 999", "{ statusCode: 999 }", 999, None, ""),
    ("a body with an error status", "{ statusCode: 400, body: { a: 1 } }", 400,
     "application/json", '{"a":1}'),
    ("a content-type replaces the default", "{ headers: { 'content-type': 'a/b' }, body: 'x' }",
     200, "a/b", "x"),
    ("a content-type in any case", "{ headers: { 'Content-Type': 'a/b' }, body: 'x' }", 200,
     "a/b", "x"),
    ("a content-type without body", "{ headers: { 'content-type': 'a/b' } }", 200, "a/b", ""),
    ("headers that are no object are ignored", "{ headers: 7, body: 'x' }", 200, "text/plain",
     "x"),
    ("an inherited body counts", "Object.create({ body: 'x' })", 200, "text/plain", "x"),
    ("a getter counts", "{ get body() { return 'x' } }", 200, "text/plain", "x"),
    ("ours: an object that is no response is the body", "{ a: 1 }", 200, "application/json",
     '{"a":1}'),
    ("ours: an array is the body", "[1, 2]", 200, "application/json", "[1,2]"),
    ("an empty array is an object without body", "[]", 200, None, ""),
]
INVALID = [
    ("undefined", "undefined", "not an object"),
    ("null", "null", "not an object"),
    ("a number", "7", "not an object"),
    ("a string", "'x'", "not an object"),
    ("a boolean", "true", "not an object"),
    ("a cycle", "(() => { const a = {}; a.a = a; return { body: a } })()",
     "error during JSON conversion of body"),
    ("a BigInt", "{ body: 1n }", "error during JSON conversion of body"),
    ("a throwing toJSON", "{ body: { toJSON() { throw new Error('x') } } }",
     "error during JSON conversion of body"),
    ("a throwing body", "{ get body() { throw new Error('x') } }", "error reading body"),
    ("throwing headers", "{ get headers() { throw new Error('x') } }", "error reading headers"),
    ("a throwing status", "{ get statusCode() { throw new Error('x') } }",
     "error reading status code"),
    ("a throwing header", "{ headers: { get a() { throw new Error('x') } } }",
     "error reading header value"),
    ("a symbol as header", "{ headers: { a: Symbol('x') } }", "header value type"),
    ("a string as status", "{ statusCode: '200' }", "status code type"),
    ("a fraction as status", "{ statusCode: 200.5 }", "status code type"),
    ("an object as status", "{ statusCode: {} }", "status code type"),
    ("true as status", "{ statusCode: true }", "status code type"),
    ("NaN as status", "{ statusCode: NaN }", "status code type"),
    ("ours: a status that is none", "{ statusCode: 1000 }", "status code outside 100 to 999"),
    ("ours: a negative status", "{ statusCode: -1 }", "status code outside 100 to 999"),
]


def run(t):
    def respond(expression):
        return t.main.post("/app/respond", expression.encode())

    for name, expression, status, kind, body in ANSWERS:
        t.equal(name, respond(expression).plain, [status, kind, body])
    for name, expression, what in INVALID:
        message = f"Invalid endpoint function return value ({what})."
        t.equal(f"refused: {name}", respond(expression).error, [500, "InternalError", message])
    headers = "{ headers: { 'X-Own': 7, b: true, c: null, d: undefined, e: [1, 2], f: '' } }"
    answer = respond(headers)
    t.equal("header values are made strings",
            [answer.headers.get(name) for name in ("x-own", "b", "c", "d", "e", "f")],
            ["7", "true", "null", "undefined", "1,2", ""])
    t.equal("header names are sent in lower case",
            [name for name, _ in answer.raw_headers if name.lower() == "x-own"], ["x-own"])
    answer = respond("{ headers: Object.create({ inherited: 'x' }) }")
    t.equal("inherited headers are none", answer.headers.get("inherited"), None)
    answer = respond("{ headers: Object.defineProperty({}, 'x', { value: 1 }) }")
    t.equal("headers that cannot be enumerated are none", answer.headers.get("x"), None)
    answer = respond("{ headers: { 'a b': 'x' } }")
    t.equal("ours: a header that is no HTTP is refused", answer.brief, [500, "InternalError"])
    answer = respond("{ headers: { x: 'a\\r\\ny: b' } }")
    t.equal("ours: a header cannot smuggle another",
            [answer.brief, answer.headers.get("y")], [[500, "InternalError"], None])
    answer = respond("{ headers: { 'content-length': '99', connection: 'close' }, body: 'abc' }")
    t.equal("ours: framing is the server's",
            [answer.headers["content-length"], answer.headers.get("connection"), answer.text],
            ["3", None, "abc"])
    answer = respond("{}")
    t.equal("content-length is there without a body", answer.headers.get("content-length"), "0")
    answer = respond("{ statusCode: 150 }")
    t.equal("ours: an interim status is no answer", answer.brief, [500, "InternalError"])
    t.equal("an empty answer has no content-type", answer.headers.get("content-type"),
            "application/json")
