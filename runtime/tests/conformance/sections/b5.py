"""B.5: from what a handler returns to an HTTP response."""

from language import PYTHON, either, javascript

# Expression; status, content-type, body.
ANSWERS = [
    ("nothing but an object", javascript("{}"), 200, None, ""),
    ("body undefined is empty", either("{ body: undefined }", "{'body': None}"), 200, None, ""),
    ("a string is text", either("{ body: 'h\u00e9' }", "{'body': 'h\u00e9'}"), 200, "text/plain",
     "h\u00e9"),
    ("an empty string is text", either("{ body: '' }", "{'body': ''}"), 200, "text/plain", ""),
    ("a string is cut at NUL", javascript("{ body: 'ab\\0cd' }"), 200, "text/plain", "ab"),
    ("null is JSON", javascript("{ body: null }"), 200, "application/json", "null"),
    ("a number is JSON", either("{ body: 7 }", "{'body': 7}"), 200, "application/json", "7"),
    ("zero is JSON", either("{ body: 0 }", "{'body': 0}"), 200, "application/json", "0"),
    ("NaN is null", javascript("{ body: NaN }"), 200, "application/json", "null"),
    ("true is JSON", either("{ body: true }", "{'body': True}"), 200, "application/json", "true"),
    ("false is JSON", either("{ body: false }", "{'body': False}"), 200, "application/json",
     "false"),
    ("an object is JSON in its own order",
     either("{ body: { b: 1, a: 2 } }", "{'body': {'b': 1, 'a': 2}}"), 200, "application/json",
     '{"b":1,"a":2}'),
    ("an array is JSON", either("{ body: [1, 'a', null] }", "{'body': [1, 'a', None]}"), 200,
     "application/json", '[1,"a",null]'),
    ("an empty object is JSON", either("{ body: {} }", "{'body': {}}"), 200, "application/json",
     "{}"),
    ("toJSON is honoured", javascript("{ body: { toJSON: () => 1 } }"), 200, "application/json",
     "1"),
    ("a Date is JSON", javascript("{ body: new Date(0) }"), 200, "application/json",
     '"1970-01-01T00:00:00.000Z"'),
    ("a String object is JSON", javascript("{ body: new String('a') }"), 200, "application/json",
     '"a"'),
    ("an ArrayBuffer is bytes",
     either("{ body: new Uint8Array([65, 66]).buffer }", "{'body': b'AB'}"), 200,
     "application/octet-stream", "AB"),
    ("an empty ArrayBuffer is bytes", either("{ body: new ArrayBuffer(0) }", "{'body': b''}"), 200,
     "application/octet-stream", ""),
    ("a typed array is bytes",
     either("{ body: new Uint8Array([65, 66]) }", "{'body': bytearray(b'AB')}"), 200,
     "application/octet-stream", "AB"),
    ("a typed array is its window",
     either("{ body: new Uint8Array([64, 65, 66, 67]).subarray(1, 3) }",
            "{'body': memoryview(b'@ABC')[1:3]}"),
     200, "application/octet-stream", "AB"),
    ("a wider typed array is its bytes",
     either("{ body: new Uint16Array([0x4241]) }", "{'body': memoryview(b'AB').cast('H')}"), 200,
     "application/octet-stream", "AB"),
    ("a DataView is JSON", javascript("{ body: new DataView(new ArrayBuffer(1)) }"), 200,
     "application/json", "{}"),
    ("a function has no JSON", javascript("{ body: () => 1 }"), 200, "application/json",
     "undefined"),
    ("statusCode undefined is 200",
     either("{ statusCode: undefined }", "{'statusCode': None, 'body': None}"), 200, None, ""),
    ("statusCode null is 200", javascript("{ statusCode: null }"), 200, None, ""),
    ("statusCode 201", either("{ statusCode: 201, body: 'x' }", "{'statusCode': 201, 'body': 'x'}"),
     201, "text/plain", "x"),
    ("statusCode 299", either("{ statusCode: 299 }", "{'statusCode': 299}"), 299, None, ""),
    ("statusCode 418", either("{ statusCode: 418, body: 'x' }", "{'statusCode': 418, 'body': 'x'}"),
     418, "text/plain", "x"),
    ("statusCode 599", either("{ statusCode: 599 }", "{'statusCode': 599}"), 599, None, ""),
    ("statusCode 999", either("{ statusCode: 999 }", "{'statusCode': 999}"), 999, None, ""),
    ("a body with an error status",
     either("{ statusCode: 400, body: { a: 1 } }", "{'statusCode': 400, 'body': {'a': 1}}"), 400,
     "application/json", '{"a":1}'),
    ("a content-type replaces the default",
     either("{ headers: { 'content-type': 'a/b' }, body: 'x' }",
            "{'headers': {'content-type': 'a/b'}, 'body': 'x'}"),
     200, "a/b", "x"),
    ("a content-type in any case",
     either("{ headers: { 'Content-Type': 'a/b' }, body: 'x' }",
            "{'headers': {'Content-Type': 'a/b'}, 'body': 'x'}"),
     200, "a/b", "x"),
    ("a content-type without body",
     either("{ headers: { 'content-type': 'a/b' } }", "{'headers': {'content-type': 'a/b'}}"), 200,
     "a/b", ""),
    ("headers that are no object are ignored", javascript("{ headers: 7, body: 'x' }"), 200,
     "text/plain", "x"),
    ("an inherited body counts", javascript("Object.create({ body: 'x' })"), 200, "text/plain",
     "x"),
    ("a getter counts", javascript("{ get body() { return 'x' } }"), 200, "text/plain", "x"),
    ("ours: an object that is no response is the body", either("{ a: 1 }", "{'a': 1}"), 200,
     "application/json", '{"a":1}'),
    ("ours: an array is the body", "[1, 2]", 200, "application/json", "[1,2]"),
    ("an empty array is an object without body", javascript("[]"), 200, None, ""),
]
INVALID = [
    ("undefined", javascript("undefined"), "not an object"),
    ("null", javascript("null"), "not an object"),
    ("a number", either("7", "7"),
     either("not an object", 'TypeError: a handler returns a dict, a list, ')),
    ("a string", javascript("'x'"), "not an object"),
    ("a boolean", either("true", "True"),
     either("not an object", 'TypeError: a handler returns a dict, a list, ')),
    ("a cycle",
     either("(() => { const a = {}; a.a = a; return { body: a } })()",
            "(lambda a: a.append(a) or {'body': a})([])"),
     either("error during JSON conversion of body",
            'ValueError: a value for JSON is nested more than 200 levels deep')),
    ("a BigInt", either("{ body: 1n }", "{'body': {1}}"),
     either("error during JSON conversion of body", 'TypeError: set has no JSON')),
    ("a throwing toJSON", javascript("{ body: { toJSON() { throw new Error('x') } } }"),
     "error during JSON conversion of body"),
    ("a throwing body", javascript("{ get body() { throw new Error('x') } }"),
     "error reading body"),
    ("throwing headers", javascript("{ get headers() { throw new Error('x') } }"),
     "error reading headers"),
    ("a throwing status", javascript("{ get statusCode() { throw new Error('x') } }"),
     "error reading status code"),
    ("a throwing header", javascript("{ headers: { get a() { throw new Error('x') } } }"),
     "error reading header value"),
    ("a symbol as header",
     either("{ headers: { a: Symbol('x') } }", "{'headers': {'a': object()}}"),
     either("header value type", 'TypeError: the value of header "a" is no str')),
    ("a string as status", either("{ statusCode: '200' }", "{'statusCode': '200'}"),
     either("status code type", 'TypeError: the status code of a response is a whole number')),
    ("a fraction as status", either("{ statusCode: 200.5 }", "{'statusCode': 200.5}"),
     either("status code type", 'TypeError: the status code of a response is a whole number')),
    ("an object as status", either("{ statusCode: {} }", "{'statusCode': {}}"),
     either("status code type", 'TypeError: the status code of a response is a whole number')),
    ("true as status", either("{ statusCode: true }", "{'statusCode': True}"),
     either("status code type", 'ValueError: the status code 1 is not within 100 to 999')),
    ("NaN as status", either("{ statusCode: NaN }", "{'statusCode': float('nan')}"),
     either("status code type", 'TypeError: the status code of a response is a whole number')),
    ("ours: a status that is none", either("{ statusCode: 1000 }", "{'statusCode': 1000}"),
     either("status code outside 100 to 999",
            'ValueError: the status code 1000 is not within 100 to 999')),
    ("ours: a negative status", either("{ statusCode: -1 }", "{'statusCode': -1}"),
     either("status code outside 100 to 999",
            'ValueError: the status code -1 is not within 100 to 999')),
]


def run(t):
    def respond(expression, python=None):
        source = expression if python is None else either(expression, python)
        return t.main.post("/app/respond", source.encode())

    for name, expression, status, kind, body in ANSWERS:
        if expression is None:
            continue
        t.equal(name, respond(expression).plain, [status, kind, body])
    for name, expression, what in INVALID:
        if expression is None:
            continue
        refusal = respond(expression)
        if PYTHON:
            said = refusal.json["error"]["details"][0]["message"]
            t.equal(f"refused: {name}", [*refusal.brief, said.startswith(what) or said],
                    [500, "InternalError", True])
            continue
        message = f"Invalid endpoint function return value ({what})."
        t.equal(f"refused: {name}", refusal.error, [500, "InternalError", message])
    headers = "{ headers: { 'X-Own': 7, b: true, c: null, d: undefined, e: [1, 2], f: '' } }"
    answer = respond(headers, "{'headers': {'X-Own': 7, 'f': ''}}")
    t.equal("header values are made strings",
            [answer.headers.get(name) for name in ("x-own", "b", "c", "d", "e", "f")],
            either(["7", "true", "null", "undefined", "1,2", ""], ["7", *[None] * 4, ""]))
    t.equal("header names are sent in lower case",
            [name for name, _ in answer.raw_headers if name.lower() == "x-own"], ["x-own"])
    if not PYTHON:
        answer = respond("{ headers: Object.create({ inherited: 'x' }) }")
        t.equal("inherited headers are none", answer.headers.get("inherited"), None)
        answer = respond("{ headers: Object.defineProperty({}, 'x', { value: 1 }) }")
        t.equal("headers that cannot be enumerated are none", answer.headers.get("x"), None)
    answer = respond("{ headers: { 'a b': 'x' } }", "{'headers': {'a b': 'x'}}")
    t.equal("ours: a header that is no HTTP is refused", answer.brief, [500, "InternalError"])
    answer = respond("{ headers: { x: 'a\\r\\ny: b' } }", "{'headers': {'x': 'a\\r\\ny: b'}}")
    t.equal("ours: a header cannot smuggle another",
            [answer.brief, answer.headers.get("y")], [[500, "InternalError"], None])
    answer = respond("{ headers: { 'content-length': '99', connection: 'close' }, body: 'abc' }",
                     "{'headers': {'content-length': '99', 'connection': 'close'}, 'body': 'abc'}")
    t.equal("ours: framing is the server's",
            [answer.headers["content-length"], answer.headers.get("connection"), answer.text],
            ["3", None, "abc"])
    answer = respond("{}", "{'body': None}")
    t.equal("content-length is there without a body", answer.headers.get("content-length"), "0")
    answer = respond("{ statusCode: 150 }", "{'statusCode': 150}")
    t.equal("ours: an interim status is no answer", answer.brief, [500, "InternalError"])
    t.equal("an empty answer has no content-type", answer.headers.get("content-type"),
            "application/json")
