"""E.6: headers of answers."""

import json

import apps


def run(t):
    def headers(answer):
        return sorted(answer.headers)

    answer = t.main.get("/app/nothing")
    t.equal("an app's answer", headers(answer),
            ["content-length", "content-type", "x-ms-ccf-transaction-id"])
    t.equal("an error", headers(t.main.get("/app/nope")), ["content-length", "content-type"])
    t.equal("405", headers(t.main.ask("PUT", "/app/nothing")),
            ["allow", "content-length", "content-type"])
    t.equal("OPTIONS", headers(t.main.ask("OPTIONS", "/app/nothing")), ["allow"])
    t.equal("no date, no server", [name for name in headers(answer) if name in
                                   ("date", "server")], [])
    every = [t.main.get("/app/nothing"), t.main.get("/node/state"), t.main.get("/app/nope")]
    t.equal("names are lower-case", [name for answer in every for name, _ in answer.raw_headers
                                     if name != name.lower()], [])
    t.equal("content-length is the body's", [answer.headers["content-length"] for answer in every],
            [str(len(answer.body)) for answer in every])
    t.equal("cache-control of a pending receipt",
            t.main.get("/app/receipt?transaction_id=2.99999").headers.get("cache-control"),
            "no-cache")
    node = apps.node(t.world)
    refused = node.client(None, "some").get("/app/nothing")
    t.equal("an empty 503", headers(refused), ["content-length"])
    answer = t.main.post("/app/respond", json.dumps(
        {"headers": {"x-ms-ccf-transaction-id": "9.9"}, "body": "x"}).encode())
    t.equal("the transaction id is the host's", answer.txid.split(".")[0], "2")
    for path, kind in (
        ("/app/nothing", "text/plain"), ("/app/echo", "application/json"),
        ("/node/state", "application/json"),
    ):
        t.equal(f"content-type of {path}", t.main.get(path).type, kind)
    t.equal("content-type of bytes", t.main.post("/app/body?bytes", b"x").type,
            "application/octet-stream")
    t.equal("content-type of a COSE receipt",
            t.main.get("/app/receipt?transaction_id=2.1", accept="application/cose").type,
            "application/cose")
