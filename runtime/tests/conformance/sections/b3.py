"""B.3: which endpoint serves a request."""

import apps


def found(endpoint, **params):
    return {"name": endpoint, "params": params}


FOUND = [
    ("a literal path precedes a template", "GET", "/app/things/all", found("exact")),
    ("a template", "GET", "/app/things/7", found("one", id="7")),
    ("the prefix is optional for a template", "GET", "/things/7", found("one", id="7")),
    ("the prefix is optional for a literal path", "GET", "/things/all", found("exact")),
    ("verbs are told apart", "PUT", "/app/things/7", found("put", id="7")),
    ("a placeholder ends at the literal behind it", "POST", "/app/acts/7:act",
     found("action", id="7")),
    ("of two such templates the one whose literal is there", "POST", "/app/acts/7:undo",
     found("two", id="7")),
    ("two placeholders", "GET", "/app/things/7/parts/8", found("pair", id="7", part="8")),
    ("a placeholder before a dot holds no dot", "GET", "/app/files/a.b.c",
     found("pair", name="a", ext="b.c")),
    ("parameters are not decoded", "GET", "/app/things/a%2Fb%20c", found("one", id="a%2Fb%20c")),
    ("a plus sign stays one", "GET", "/app/things/a+b", found("one", id="a+b")),
    ("the query is no part of the path", "GET", "/app/things/7?all", found("one", id="7")),
    ("ours: a dot in a template is a dot", "GET", "/app/dots/a.b/1", found("one", x="1")),
]
NOTHING = [
    ("an unknown path", "/app/nope", "/nope"),
    ("an unknown path without the prefix", "/nope", "/nope"),
    ("an unknown path of the node", "/node/nope", "/nope"),
    ("a placeholder is never empty", "/app/things/", "/things/"),
    ("a placeholder holds no slash", "/app/things/1/2", "/things/1/2"),
    ("a trailing slash is another path", "/app/things/all/parts/1/", "/things/all/parts/1/"),
    ("paths are case-sensitive", "/app/Things/all", "/Things/all"),
    ("an encoded literal is another path", "/app/%74hings/all", "/%74hings/all"),
    ("the prefix alone belongs to the app", "/app", "/app"),
    ("a longer prefix is none", "/apple/x", "/apple/x"),
    ("ours: a dot in a template is no wildcard", "/app/dots/aXb/1", "/dots/aXb/1"),
]
ALLOWED = [
    ("/app/things/7", "OPTIONS, GET, POST, PUT"),
    ("/app/echo", "OPTIONS, DELETE, GET, POST, PUT, PATCH"),
    ("/app/run/rw", "OPTIONS, POST"),
    ("/node/state", "OPTIONS, GET"),
    ("/node/primary", "OPTIONS, GET, HEAD"),
]


def run(t):
    for name, verb, path, expected in FOUND:
        t.equal(name, t.main.ask(verb, path).json, expected)
    for name, path, below in NOTHING:
        t.equal(name, t.main.get(path).error,
                [404, "ResourceNotFound", f"Unknown path: {below}."])
    for path, allow in ALLOWED:
        below = path[path.index("/", 1):]
        answer = t.main.ask("TRACE", path)
        t.equal(f"405 for {path} under another verb", answer.error,
                [405, "UnsupportedHttpVerb", f"Allowed methods for '{below}' are: {allow}."])
        t.equal(f"allow names the verbs of {path}", answer.headers.get("allow"), allow)
        answer = t.main.ask("OPTIONS", path)
        t.equal(f"OPTIONS {path}", [answer.status, answer.headers.get("allow"), answer.body],
                [204, allow, b""])
    t.equal("OPTIONS of an unknown path", t.main.ask("OPTIONS", "/app/nope").brief,
            [404, "ResourceNotFound"])
    t.equal("neither carries a transaction id",
            [t.main.ask("PUT", "/app/run/rw").txid, t.main.get("/app/nope").txid], [None, None])
    ambiguous(t)
    built_in(t)
    head(t)


def ambiguous(t):
    answer = t.main.get("/app/clash/y/x")
    message = answer.json["error"]["message"]
    t.equal("several templates that match are an error", answer.brief, [500, "InternalError"])
    t.equal("the error lists them",
            ["/clash/{a}/x" in message or message, "/clash/y/{b}" in message or message],
            [True, True])
    t.equal("a template without its literal matches more", t.main.post("/app/things/7:act").brief,
            [500, "InternalError"])
    t.equal("what only one of them matches is served", t.main.get("/app/clash/z/x").json,
            found("one", a="z"))


def built_in(t):
    node = apps.node(t.world)
    t.equal("an app's endpoint precedes the built-in one", node.get("/app/receipt").json,
            found("one"))
    t.equal("under its own front end only",
            node.get("/node/receipt").brief, [400, "InvalidQueryParameterValue"])
    t.equal("built-in endpoints are found without the prefix",
            sorted(t.main.get("/commit").json), ["transaction_id"])
    t.equal("a template of the app is no rival of a built-in literal",
            sorted(t.main.get("/app/commit").json), ["transaction_id"])
    t.equal("beside it the template serves", t.main.get("/app/commit/7").json, found("one", x="7"))


def head(t):
    answer = t.main.ask("HEAD", "/app/head")
    t.equal("a HEAD endpoint of the app", [answer.status, answer.headers.get("x-head")],
            [200, "own"])
    answer = t.main.ask("HEAD", "/app/things/7")
    t.equal("ours: HEAD is GET without its body",
            [answer.status, answer.body, answer.headers["content-length"]],
            [200, b"", str(len(t.main.get("/app/things/7").body))])
