"""P.3: what handlers return besides B.5's dicts, @ccf.endpoint, and what is printed (A.11)."""

import json

LANGUAGES = ("python",)

# Expression; status, content-type, body.
ANSWERS = [
    ("a dict that is no response is JSON", "{'a': 1}", 200, "application/json", '{"a":1}'),
    ("an empty dict is JSON", "{}", 200, "application/json", "{}"),
    ("a list is JSON", "[1, None]", 200, "application/json", "[1,null]"),
    ("a str is text", "'h\u00e9'", 200, "text/plain", "h\u00e9"),
    ("bytes", "b'AB'", 200, "application/octet-stream", "AB"),
    ("None is 204", "None", 204, None, ""),
    ("a pair", "('x', 201)", 201, "text/plain", "x"),
    ("a pair with JSON", "({'a': 1}, 201)", 201, "application/json", '{"a":1}'),
    ("status_code is statusCode", "{'status_code': 202, 'body': 'x'}", 202, "text/plain", "x"),
    ("a tuple within JSON is a list", "{'body': (1, 2)}", 200, "application/json", "[1,2]"),
    ("a text with NUL is whole", "{'body': 'a\\0b'}", 200, "text/plain", "a\0b"),
    ("a large integer is exact", "{'body': 2 ** 70}", 200, "application/json",
     "1180591620717411303424"),
    ("Response", "ccf.Response({'a': 1})", 200, "application/json", '{"a":1}'),
    ("Response with a status", "ccf.Response('x', 418)", 418, "text/plain", "x"),
    ("Response with a content type", "ccf.Response('x', content_type='a/b')", 200, "a/b", "x"),
    ("Response without a body", "ccf.Response(status_code=202)", 202, None, ""),
]
HEADERS = [
    ("a triple", "('x', 200, {'X-Own': '1'})", ["1"]),
    ("Response with a dict", "ccf.Response('x', headers={'x-own': '1'})", ["1"]),
]
# What no handler may return; what is said.
INVALID = [
    ("an int", "7", "TypeError: a handler returns a dict, a list, "),
    ("a set", "{1}", "TypeError: a handler returns a dict, a list, "),
    ("one item", "('x',)", "TypeError: a handler returns (body, status) or "),
    ("a set in JSON", "{'body': {1}}", "TypeError: set has no JSON"),
    ("a key that is no str", "{'body': {1: 2}}", "TypeError: keys of a dict for JSON are str"),
    ("NaN", "{'body': float('nan')}", "ValueError: NaN and infinities have no JSON"),
    ("bytes in JSON", "{'body': [b'x']}", "TypeError: bytes has no JSON"),
    ("a header of True", "{'headers': {'a': True}}", 'TypeError: the value of header "a" is no'),
    ("headers that are none", "{'headers': 7, 'body': ''}", "TypeError: the headers of a response"),
]
CHOSEN = [
    ("its message and code", "ccf.HTTPError(409, 'no', 'Own')", [409, "Own", "no"]),
    ("the code of its status", "ccf.HTTPError(404, 'gone')", [404, "ResourceNotFound", "gone"]),
    ("the message of its status", "ccf.HTTPError(403)", [403, "AuthorizationFailed", "Forbidden"]),
]
APP = '''"""An app by decorators."""

import logging

import ccf

log = logging.getLogger("mine")


@ccf.endpoint("/notes/{id}", methods=["PUT"], auth=["no_auth"])
def put(request):
    ccf.kv["notes"][request.params["id"]] = request.data


@ccf.endpoint("/notes/{id}", auth=["no_auth"], mode="readonly")
def get(request):
    """One note."""
    found = ccf.kv["notes"].get(request.params["id"])
    if found is None:
        raise ccf.HTTPError(404, "no such note")
    return {"body": found}


@ccf.endpoint("/early", methods=["POST"], auth=["no_auth"], respond="early")
async def early(request):
    ccf.kv["notes"]["early"] = True
    return {"early": True}


@ccf.endpoint("/mine")
def mine(request):
    return {"id": request.caller.id}


@ccf.endpoint("/said", methods=["POST"], auth=["no_auth"])
def said():
    print("p3 printed", 7)
    log.warning("p3 warned %s", "once")
    return "said"
'''


def run(t):
    def respond(expression):
        return t.main.post("/app/respond", expression.encode())

    for name, expression, status, kind, body in ANSWERS:
        t.equal(name, respond(expression).plain, [status, kind, body])
    for name, expression, expected in HEADERS:
        got = [value for header, value in respond(expression).raw_headers if header == "x-own"]
        t.equal(f"headers: {name}", got, expected)
    for name, expression, beginning in INVALID:
        answer = respond(expression)
        said = answer.json["error"]["details"][0]["message"]
        t.equal(f"refused: {name}", [*answer.brief, said.startswith(beginning) or said],
                [500, "InternalError", True])
    for name, expression, expected in CHOSEN:
        source = f"ccf.kv['p3'].set(b'k', b'v'); raise {expression}"
        t.equal(f"HTTPError: {name}", t.main.post("/app/bare", source.encode()).error, expected)
    t.do("HTTPError drops the writes", "return ccf.kv['p3'].has(b'k')", False)
    decorated(t)


def decorated(t):
    root = t.world.directory("decorated")
    (root / "app.py").write_text(APP)
    there = t.world.sandbox("decorated", root)
    body = json.dumps({"text": "h\u00e9"}).encode()
    answer = there.ask("PUT", "/app/notes/a", body=body,
                       headers={"content-type": "application/json"})
    status = there.get(f"/node/tx?transaction_id={answer.txid}").json["status"]
    t.equal("an answer in Python leaves at commit", [answer.status, status], [204, "Committed"])
    t.equal("what was written is read", there.get("/app/notes/a").json, {"text": "h\u00e9"})
    t.equal("an error of one's choice", there.get("/app/notes/b").error,
            [404, "ResourceNotFound", "no such note"])
    t.equal("respond=\"early\" of an async handler", there.post("/app/early").plain,
            [200, "application/json", '{"early":true}'])
    t.equal("without auth a user's certificate is wanted", there.get("/app/mine").brief,
            [401, "InvalidAuthenticationInfo"])
    t.equal("and enough", len(there.client("user0").get("/app/mine").json["id"]), 64)
    t.equal("verbs that are not declared", there.post("/app/notes/a").brief,
            [405, "UnsupportedHttpVerb"])
    paths = there.get("/app/api").json["paths"]
    t.equal("decorated endpoints are in the API document",
            sorted(path for path in paths if path.startswith("/app/notes")), ["/app/notes/{id}"])
    t.equal("said", there.post("/app/said").text, "said")
    lines = there.log.read_text()
    t.equal("what an app prints is in the output", "p3 printed 7" in lines or lines, True)
    t.equal("and what it logs", "p3 warned once" in lines or lines, True)
