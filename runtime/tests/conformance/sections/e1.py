"""E.1: built-in endpoints under each of /app, /node and /gov."""

import os
import subprocess

import apps

FRONTS = ("app", "node", "gov")


def run(t):
    commit(t)
    transactions(t)
    receipts(t)
    documents(t)
    for path in ("/app/api/metrics", "/node/api/metrics", "/app/endpoint_metrics",
                 "/node/local_tx?transaction_id=2.1", "/app/code", "/node/code"):
        t.equal(f"gone: {path}", t.main.get(path).brief, [404, "ResourceNotFound"])


def commit(t):
    for front in FRONTS:
        answer = t.main.get(f"/{front}/commit")
        body = answer.json
        view, seqno = body["transaction_id"].split(".")
        t.equal(f"/{front}/commit", [answer.status, answer.type, sorted(body), view,
                                     int(seqno) > 1],
                [200, "application/json", ["transaction_id"], "2", True])
    history = t.main.get("/app/commit?view_history=true").json["view_history"]
    t.equal("the view history ends with the view of the service", history[-1], "2.1")
    t.equal("view_history=false", "view_history" in
            t.main.get("/app/commit?view_history=false").json, False)
    t.equal("view_history_since", t.main.get("/app/commit?view_history_since=2")
            .json["view_history"], ["2.1"])
    for query, status in (("view_history=perhaps", 400), ("view_history_since=0", 400),
                          ("view_history_since=-1", 400), ("view_history_since=x", 400),
                          ("view_history_since=99", 404)):
        t.equal(f"/commit?{query}", t.main.get(f"/app/commit?{query}").brief,
                [status, "InvalidQueryParameterValue"])


def transactions(t):
    for front in FRONTS:
        t.equal(f"/{front}/tx", t.main.get(f"/{front}/tx?transaction_id=2.1").json,
                {"status": "Committed", "transaction_id": "2.1"})
    for query in ("", "?", "?transaction_id", "?transaction_id=", "?transaction_id=2",
                  "?transaction_id=2.", "?transaction_id=.1", "?transaction_id=0.1",
                  "?transaction_id=2.0", "?transaction_id=-2.1", "?transaction_id=2.1.1",
                  "?transaction_id=a.b", "?transaction_id=2,1", "?other=2.1"):
        t.equal(f"/tx{query}", t.main.get(f"/app/tx{query}").brief,
                [400, "InvalidQueryParameterValue"])
    t.equal("an encoded parameter", t.main.get("/app/tx?transaction_id=2%2E1").json["status"],
            "Committed")
    t.equal("other parameters are no matter",
            t.main.get("/app/tx?a=b&transaction_id=2.1&c").json["status"], "Committed")


def receipts(t):
    t.main.committed("2.1")
    first = t.main.get("/app/receipt?transaction_id=2.1")
    for front in FRONTS:
        answer = t.main.get(f"/{front}/receipt?transaction_id=2.1")
        t.equal(f"/{front}/receipt", [answer.status, answer.type, answer.json],
                [200, "application/json", first.json])
    for query in ("", "?transaction_id=", "?transaction_id=x"):
        t.equal(f"/receipt{query}", t.main.get(f"/app/receipt{query}").brief,
                [400, "InvalidQueryParameterValue"])
    answer = t.main.get("/app/receipt?transaction_id=2.9999999")
    t.equal("the receipt of what is unknown",
            [*answer.brief, answer.headers.get("cache-control")],
            [404, "TransactionPendingOrUnknown", "no-cache"])
    t.equal("the receipt of what is invalid",
            t.main.get("/app/receipt?transaction_id=1.2").brief, [404, "TransactionInvalid"])
    answer = t.main.get("/app/receipt?transaction_id=2.1", accept="application/cose")
    t.equal("ours: a COSE receipt", [answer.status, answer.type, answer.body[:1]],
            [200, "application/cose", b"\xd2"])


def documents(t):
    documents = {"app": t.main.get("/app/api"), "node": t.main.get("/node/api"),
                 "gov": t.main.get("/gov/api"),
                 "app of the node": apps.node(t.world).get("/app/api")}
    for name, answer in documents.items():
        t.equal(f"OpenAPI 3 of {name}", [answer.status, answer.type, answer.json["openapi"][:2]],
                [200, "application/json", "3."])
        t.equal(f"a stock validator accepts that of {name}", valid(t, answer.body), "OK")
    api = documents["app"].json
    paths = api["paths"]
    declared = {f"/app{path}" for path in apps.endpoints() if path != "/hidden"}
    t.equal("every endpoint of the app is there", declared - set(paths), set())
    t.equal("a hidden one is not", "/app/hidden" in paths, False)
    t.equal("built-in ones are there",
            {"/app/api", "/app/commit", "/app/receipt", "/app/tx"} <= set(paths), True)
    odd = paths["/app/odd/{a}"]
    t.equal("an app's fragment is kept",
            [odd["get"]["summary"], odd["get"]["x-own"]], ["Odd", {"kept": True}])
    t.equal("placeholders are parameters", [p["name"] for p in
                                            paths["/app/things/{id}/parts/{part}"]["parameters"]],
            ["id", "part"])
    t.equal("every verb is there", sorted(set(paths["/app/things/{id}"]) - {"parameters"}),
            ["get", "post", "put"])
    t.equal("policies are alternatives", paths["/app/echo/user_or_none"]["get"]["security"],
            [{"user_cert": []}, {}])
    t.equal("all_of is one alternative", paths["/app/echo/both"]["get"]["security"],
            [{"any_cert": [], "user_cert": []}])
    t.equal("without policies nothing is asked", "security" in paths["/app/echo/anybody"]["get"],
            False)
    t.equal("policies are declared", {"any_cert", "member_cert", "user_cert"}
            <= set(api["components"]["securitySchemes"]), True)
    t.equal("operation ids in CCF's form", paths["/app/commit"]["get"]["operationId"],
            "GetAppCommit")
    node = documents["node"].json["paths"]
    t.equal("operation ids of the node",
            node["/node/network/nodes/{node_id}"]["get"]["operationId"],
            "GetNodeNetworkNodesNodeId")
    t.equal("parameters of the node",
            [p["name"] for p in node["/node/network/nodes/{node_id}"]["parameters"]], ["node_id"])


def valid(t, document):
    path = t.world.directory("api") / "api.json"
    path.write_bytes(document)
    ended = subprocess.run(
        [os.environ["OPENAPI_PYTHON"], "-m", "openapi_spec_validator", str(path)],
        capture_output=True, check=False, timeout=60,
    )
    said = (ended.stdout + ended.stderr).decode()
    return "OK" if ended.returncode == 0 and ": OK" in said else said
