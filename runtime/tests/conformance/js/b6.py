"""B.6: exceptions and error bodies."""

import json

import apps

EXECUTING = "Exception thrown while executing."


def run(t):
    def bare(source):
        return t.main.post("/app/bare", source.encode())

    answer = bare("throw new Error('boom')")
    t.equal("a handler that throws", answer.error, [500, "InternalError", EXECUTING])
    t.equal("its type is JSON", answer.type, "application/json")
    detail = answer.json["error"]["details"][0]
    t.equal("details name exception and message", [detail["code"], detail["message"]],
            ["JSException", "Error: boom"])
    t.equal("there is one detail", len(answer.json["error"]["details"]), 1)
    t.equal("a trace line for every frame, each ended",
            [detail["trace"].endswith("\n"),
             all(line.startswith("    at ") for line in detail["trace"].splitlines())],
            [True, True])
    for name, source, message in (
        ("a TypeError", "null.x", "TypeError: cannot read property 'x' of null"),
        ("a ReferenceError", "nothing_of_that_name", "ReferenceError: nothing_of_that_name is not defined"),
        ("an exception class of one's own",
         "class Mine extends Error { get name() { return 'Mine' } } throw new Mine('m')",
         "Mine: m"),
        ("an Error without a message", "throw new Error()", "Error"),
        ("a string", "throw 'text'", "text"),
        ("a number", "throw 7", "7"),
        ("null", "throw null", "null"),
        ("undefined", "throw undefined", "undefined"),
        ("an object is shown as JSON", "throw { a: 1 }", '{"a":1}'),
    ):
        detail = bare(source).json["error"]["details"][0]
        t.equal(f"thrown: {name}", detail["message"], message)
    t.equal("what is no Error has no trace",
            sorted(bare("throw 'text'").json["error"]["details"][0]), ["code", "message"])
    answer = bare("throw { toJSON() { throw new Error('again') } }")
    t.equal("an exception that throws when it is shown", answer.error,
            [500, "InternalError", EXECUTING])
    answer = bare("throw new Error('boom')")
    t.equal("the body's fields in CCF's order", list(answer.json["error"]),
            ["code", "details", "message"])
    hidden(t)
    t.equal("an error body has code and message only",
            json.loads(t.main.get("/app/nope").body),
            {"error": {"code": "ResourceNotFound", "message": "Unknown path: /nope."}})
    t.equal("error bodies are compact", t.main.get("/app/nope").text,
            '{"error":{"code":"ResourceNotFound","message":"Unknown path: /nope."}}')
    codes(t)


def hidden(t):
    """A node keeps exceptions to itself unless its options say otherwise."""
    node = apps.node(t.world)
    answer = node.post("/app/bare", b"throw new Error('secret')")
    t.equal("by default no details leave", answer.json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    t.equal("not for imports that are missing either", node.get("/app/broken").json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    t.equal("nor for answers that are none", node.post("/app/respond", b"7").json,
            {"error": {"code": "InternalError",
                       "message": "Invalid endpoint function return value (not an object)."}})


def codes(t):
    """Codes that this host gives, each where CCF gives it."""
    main, node, closed = t.main, apps.node(t.world), apps.closed(t.world)
    for name, answer, brief in (
        ("ResourceNotFound", main.get("/app/nope"), [404, "ResourceNotFound"]),
        ("UnsupportedHttpVerb", main.ask("PUT", "/app/nothing"), [405, "UnsupportedHttpVerb"]),
        ("InvalidQueryParameterValue", main.get("/app/tx?transaction_id=x"),
         [400, "InvalidQueryParameterValue"]),
        ("InvalidAuthenticationInfo", main.get("/app/echo/user"),
         [401, "InvalidAuthenticationInfo"]),
        ("UnsupportedContentType", main.get("/node/state", accept="text/html"),
         [406, "UnsupportedContentType"]),
        ("InvalidHeaderValue", main.get("/node/state", accept="word"),
         [400, "InvalidHeaderValue"]),
        ("TransactionPendingOrUnknown", main.get("/app/receipt?transaction_id=2.999999"),
         [404, "TransactionPendingOrUnknown"]),
        ("TransactionInvalid", main.get("/app/receipt?transaction_id=1.2"),
         [404, "TransactionInvalid"]),
        ("NodeNotRetiredCommitted",
         main.ask("DELETE", f"/node/network/nodes/{main.get('/node/state').json['node_id']}"),
         [400, "NodeNotRetiredCommitted"]),
        ("FrontendNotOpen", closed.get("/app/commit"), [404, "FrontendNotOpen"]),
        ("RequestBodyTooLarge", node.new_client(None, "small").post("/app/body?text", b"x" * 2000),
         [413, "RequestBodyTooLarge"]),
        ("RequestHeaderTooLarge", node.new_client(None, "small").get("/app/nothing", x="y" * 2000),
         [431, "RequestHeaderTooLarge"]),
        ("BackupNotFound", node.client(None, "redirecting").get("/app/odd/1"),
         [503, "BackupNotFound"]),
    ):
        t.equal(f"code {name}", answer.brief, brief)
