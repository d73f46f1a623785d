"""B.6: exceptions and error bodies."""

import json

import apps
from language import JAVASCRIPT, either, javascript

EXECUTING = "Exception thrown while executing."


def run(t):
    def bare(source):
        return t.main.post("/app/bare", source.encode())

    boom = either("throw new Error('boom')", "raise RuntimeError('boom')")
    answer = bare(boom)
    t.equal("a handler that throws", answer.error, [500, "InternalError", EXECUTING])
    t.equal("its type is JSON", answer.type, "application/json")
    detail = answer.json["error"]["details"][0]
    t.equal("details name exception and message", [detail["code"], detail["message"]],
            either(["JSException", "Error: boom"], ["PythonException", "RuntimeError: boom"]))
    t.equal("there is one detail", len(answer.json["error"]["details"]), 1)
    lines = detail["trace"].splitlines()
    t.equal("a trace line for every frame, each ended",
            [detail["trace"].endswith("\n"), either(
                all(line.startswith("    at ") for line in lines),
                [line.split(",")[-1] for line in lines if line.startswith("  File ")]
                == [" in bare", " in made"])],
            [True, True])
    for name, source, message in (
        ("a TypeError", either("null.x", "None.x"),
         either("TypeError: cannot read property 'x' of null",
                "AttributeError: 'NoneType' object has no attribute 'x'")),
        ("a ReferenceError", "nothing_of_that_name",
         either("ReferenceError: nothing_of_that_name is not defined",
                "NameError: name 'nothing_of_that_name' is not defined")),
        ("an exception class of one's own",
         either("class Mine extends Error { get name() { return 'Mine' } } throw new Mine('m')",
                "class Mine(Exception): __qualname__ = 'Mine'\nraise Mine('m')"), "Mine: m"),
        ("an Error without a message", either("throw new Error()", "raise Exception"),
         either("Error", "Exception")),
        ("a string", javascript("throw 'text'"), "text"),
        ("a number", javascript("throw 7"), "7"),
        ("null", javascript("throw null"), "null"),
        ("undefined", javascript("throw undefined"), "undefined"),
        ("an object is shown as JSON", javascript("throw { a: 1 }"), '{"a":1}'),
    ):
        if source is None:
            continue
        detail = bare(source).json["error"]["details"][0]
        t.equal(f"thrown: {name}", detail["message"], message)
    if JAVASCRIPT:
        t.equal("what is no Error has no trace",
                sorted(bare("throw 'text'").json["error"]["details"][0]), ["code", "message"])
    answer = bare(either(
        "throw { toJSON() { throw new Error('again') } }",
        "class Bad(Exception):\n    def __str__(self):\n        raise ValueError('again')\n"
        "raise Bad"))
    t.equal("an exception that throws when it is shown", answer.error,
            [500, "InternalError", EXECUTING])
    answer = bare(boom)
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
    answer = node.post("/app/bare", either(b"throw new Error('secret')",
                                           b"raise RuntimeError('secret')"))
    t.equal("by default no details leave", answer.json,
            {"error": {"code": "InternalError", "message": EXECUTING}})
    if JAVASCRIPT:
        t.equal("not for imports that are missing either", node.get("/app/broken").json,
                {"error": {"code": "InternalError", "message": EXECUTING}})
    message = either("Invalid endpoint function return value (not an object).", EXECUTING)
    t.equal("nor for answers that are none", node.post("/app/respond", b"7").json,
            {"error": {"code": "InternalError", "message": message}})


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
