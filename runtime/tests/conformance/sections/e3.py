"""E.3: what a node tells of itself and its service."""

import base64
import hashlib
import json

import apps

NODE = ["last_written", "node_data", "node_id", "primary", "rpc_interfaces", "status"]
QUOTE = ["endorsements", "format", "measurement", "node_id", "raw"]
# Path, fields (more may follow), whether the answer carries a transaction id.
SHAPES = [
    ("/node/state", ["last_signed_seqno", "node_id", "startup_seqno", "state", "stop_notice"],
     True),
    ("/node/network", ["current_service_create_txid", "current_view", "primary_id",
                       "recovery_count", "service_certificate", "service_data",
                       "service_status"], True),
    ("/node/network/nodes", ["nodes"], True),
    ("/node/network/nodes/self", NODE, True),
    ("/node/network/nodes/primary", NODE, True),
    ("/node/network/removable_nodes", ["nodes"], True),
    ("/node/service/configuration", ["maximum_node_certificate_validity_days",
                                     "maximum_service_certificate_validity_days",
                                     "recovery_threshold"], True),
    ("/node/self_signed_certificate", ["self_signed_certificate"], False),
    ("/node/version", ["ccf_version", "quickjs_version", "unsafe"], False),
    ("/node/quotes/self", QUOTE, True),
    ("/node/attestations/self", QUOTE, True),
    ("/node/quotes", ["quotes"], True),
    ("/node/attestations", ["attestations"], True),
    ("/node/consensus", ["details"], False),
    ("/node/memory", ["current_allocated_heap_size", "max_total_heap_size",
                      "peak_allocated_heap_size"], False),
    ("/node/metrics", ["sessions"], False),
    ("/node/js_metrics", ["bytecode_size", "bytecode_used", "max_cached_interpreters",
                          "max_execution_time", "max_heap_size", "max_stack_size"], True),
    ("/node/jwt_keys/refresh/metrics", ["attempts", "failures", "successes"], False),
]


def run(t):
    get = t.main.get
    for path, fields, traced in SHAPES:
        answer = get(path)
        missing = set(fields) - set(answer.json) if answer.status == 200 else answer.text
        t.equal(f"GET {path}", [answer.status, answer.type, missing],
                [200, "application/json", set()])
        t.equal(f"transaction id of {path}", answer.txid is not None, traced)
    state, network = get("/node/state").json, get("/node/network").json
    node_id = state["node_id"]
    t.equal("state of a running node", [state["state"], state["stop_notice"],
                                        state["startup_seqno"]], ["PartOfNetwork", False, 0])
    t.equal("an open service", [network["service_status"], network["current_view"],
                                network["recovery_count"], network["primary_id"],
                                network["current_service_create_txid"]],
            ["Open", 2, 0, node_id, "2.1"])
    pem = (t.main.common / "service_cert.pem").read_text()
    t.equal("the service's certificate", network["service_certificate"].strip(), pem.strip())
    nodes(t, node_id)
    small(t, node_id)
    metrics(t)


def nodes(t, node_id):
    get = t.main.get
    own = get("/node/network/nodes/self").json
    t.equal("a lone node", [own["node_id"], own["primary"], own["status"]],
            [node_id, True, "Trusted"])
    interface = own["rpc_interfaces"]["primary_rpc_interface"]
    t.equal("its interface", [interface["bind_address"], interface["published_address"],
                              interface["app_protocol"]],
            [t.main.address, t.main.address, "HTTP1"])
    for path in (f"/node/network/nodes/{node_id}", "/node/network/nodes/primary"):
        t.equal(f"the same node at {path[:26]}{len(path)}", get(path).json, own)
    t.equal("an unknown node", get("/node/network/nodes/feed").error,
            [404, "ResourceNotFound", "Node not found"])
    host, port = t.main.address.split(":")
    for query, count in (
        ("", 1), (f"?host={host}", 1), (f"?port={port}", 1), ("?status=Trusted", 1),
        (f"?host={host}&port={port}&status=Trusted", 1), ("?host=elsewhere", 0), ("?port=1", 0),
        ("?status=Retired", 0), ("?status=Pending", 0),
    ):
        name = query.replace(port, "PORT") or "without a query"
        t.equal(f"nodes {name}", len(get(f"/node/network/nodes{query}").json["nodes"]), count)
    t.equal("an unknown status", get("/node/network/nodes?status=Odd").brief,
            [400, "InvalidQueryParameterValue"])
    t.equal("no node can be removed", get("/node/network/removable_nodes").json, {"nodes": []})
    t.equal("removing a node that is not retired",
            t.main.ask("DELETE", f"/node/network/nodes/{node_id}").brief,
            [400, "NodeNotRetiredCommitted"])
    t.equal("removing an unknown node", t.main.ask("DELETE", "/node/network/nodes/feed").brief,
            [404, "ResourceNotFound"])


def small(t, node_id):
    get = t.main.get
    for path in ("/node/ready/app", "/node/ready/gov"):
        answer = get(path)
        t.equal(path, [answer.status, answer.body, answer.txid], [204, b"", None])
    version = get("/node/version").json
    t.equal("the release whose interface this is", version["ccf_version"], "ccf-7.0.0-dev5")
    t.equal("it is not unsafe", version["unsafe"], False)
    t.equal("the configuration of consensus",
            [list(get("/node/config").json), list(get("/node/config").json[node_id])],
            [[node_id], ["address"]])
    details = get("/node/consensus").json["details"]
    t.equal("a lone node leads", [details["leadership_state"], details["primary_id"],
                                  details["current_view"], details["membership_state"]],
            ["Leader", node_id, 2, "Active"])
    t.equal("a service that was not recovered", get("/node/service/previous_identity").brief,
            [404, "ResourceNotFound"])
    t.equal("no index", get("/node/index/strategies").json, [])
    t.equal("no snapshot yet", get("/node/snapshot").brief, [404, "ResourceNotFound"])
    t.equal("no snapshot of that name", get("/node/snapshot/snapshot_1_2.committed").brief,
            [404, "ResourceNotFound"])
    t.equal("HEAD of a snapshot", t.main.ask("HEAD", "/node/snapshot").status, 404)
    quote = get("/node/quotes/self").json
    t.equal("evidence of the virtual platform names the node",
            [quote["node_id"], quote["format"]], [node_id, "Insecure_Virtual"])
    t.equal("quotes and attestations are the same",
            get("/node/quotes").json["quotes"], get("/node/attestations").json["attestations"])
    fresh(t, quote)
    t.equal("the service's configuration: all members' shares", get("/node/service/configuration").json,
            {"maximum_node_certificate_validity_days": 365,
             "maximum_service_certificate_validity_days": 365, "recovery_threshold": 2})


def fresh(t, known):
    """Evidence that is made for a nonce, which CCF's nodes do not have."""
    get = t.main.get
    answer = get("/node/attestations/self?nonce=c0ffee")
    shown = answer.json
    said = base64.b64decode(shown["bound"])
    raw = json.loads(base64.b64decode(shown["raw"]))
    t.equal("evidence for a nonce is bound to what it says", [
        answer.status, sorted(set(shown) - set(known)), base64.b64decode(raw["report_data"]),
    ], [200, ["bound"], hashlib.sha256(said).digest()])
    statement = json.loads(said)
    key = hashlib.sha256(base64.b64decode(statement["node_public_key"])).hexdigest()
    t.equal("it says whose it is, and for what nonce", [
        list(statement), statement["affiant"], key, base64.b64decode(statement["bound"]).hex(),
    ], [["affiant", "node_public_key", "service_identity", "bound"], "node", known["node_id"],
        "c0ffee"])
    for nonce in ("", "abc", "no", "00" * 65):
        t.equal(f"a nonce of {len(nonce)} characters",
                get(f"/node/attestations/self?nonce={nonce}").brief,
                [400, "InvalidQueryParameterValue"])


def metrics(t):
    sessions = t.main.get("/node/metrics").json["sessions"]
    interface = sessions["interfaces"]["primary_rpc_interface"]
    t.equal("session caps are CCF's", [interface["soft_cap"], interface["hard_cap"]],
            [1000, 1010])
    t.equal("this session is counted", [sessions["active"] >= 1, sessions["peak"] >= 1],
            [True, True])
    t.equal("errors by cause", sorted(interface["errors"]),
            ["parsing", "request_header_too_large", "request_payload_too_large"])
    node = apps.node(t.world)
    for _ in range(3):
        node.get("/app/things/all")
    node.get("/app/echo/user")
    text = node.get("/app/metrics").text
    t.equal("ours: Prometheus counts by endpoint",
            'affiant_requests_total{route="GET /app/echo/user",status="4xx"}' in text, True)
    rows = node.get("/app/metrics", accept="application/json").json["metrics"]
    row = [row for row in rows if row["path"] == "/app/echo/user"]
    t.equal("ours: the same as JSON, in the shape of CCF 4",
            [sorted(row[0]), row[0]["method"], row[0]["calls"] == row[0]["errors"],
             row[0]["failures"]],
            [["calls", "errors", "failures", "method", "path", "retries"], "GET", True, 0])
