"""B.7: what becomes of a request's transaction."""

import concurrent.futures
import json
import threading

import apps
from kit import buffer
from language import JAVASCRIPT, either


def write(t, path="/app/tx/write", headers=None, **wanted):
    body = json.dumps({"space": "b7", "key": "k", **wanted}).encode()
    return t.main.ask("POST", path, body=body, headers=headers or {})


def run(t):
    answer = write(t)
    view, seqno = answer.txid.split(".")
    t.equal("a write carries its transaction id", [answer.status, view], [200, "2"])
    second = write(t)
    t.equal("the next write has the next seqnos",
            int(second.txid.split(".")[1]) > int(seqno), True)
    read = t.main.post("/app/run/ro", b"return m.size", x_space="b7")
    t.equal("a read carries the id of the state it read",
            int(read.txid.split(".")[1]) >= int(second.txid.split(".")[1]), True)
    t.equal("a handler that touches no map read the endpoints table",
            t.main.get("/app/nothing").txid is not None, True)
    t.equal("/app/commit too", t.main.get("/app/commit").txid is not None, True)
    t.equal("/node/commit touches no map", t.main.get("/node/commit").txid, None)
    t.equal("/node/version touches no map", t.main.get("/node/version").txid, None)
    t.equal("/node/state reads the service", t.main.get("/node/state").txid is not None, True)
    for status in (300, 400, 404, 500, 503):
        t.equal(f"an answer of {status} carries none", write(t, status=status).txid, None)
    t.equal("setApplyWrites(true) gives it back", write(t, status=400, apply=True).txid is None,
            False)
    t.equal("setApplyWrites(false) takes it", write(t, apply=False).txid, None)
    t.equal("an exception takes it", write(t, fail=True).txid, None)
    t.equal("setApplyWrites(true) keeps it through an exception",
            write(t, fail=True, apply=True).txid is None, False)
    t.equal("401 carries none", t.main.get("/app/echo/user").txid, None)
    writes_are_discarded(t)
    conflicts(t)
    if JAVASCRIPT:
        # One thread runs all handlers in Python: nobody overtakes it.
        always_conflicting(t)
    closed(t)
    interfaces(t)
    committed(t)
    pending(t)


def writes_are_discarded(t):
    write(t, key="kept")
    write(t, key="dropped", status=400)
    t.do("writes of a failed request are gone", "return [m.has(b('kept')), m.has(b('dropped'))]",
         [True, False], space="b7")
    answer = write(t, "/app/tx/write_ro")
    t.equal("a write in a readonly handler throws inside it",
            [answer.status, answer.json["error"]["details"][0]["message"][:47]],
            [500, (either("TypeError", "AccessError")
                   + ': Cannot call "set" on table named b7. ')[:47]])
    first = t.main.post("/app/run/rw", b"m.delete(b('absent'))", x_space="b7.absent").txid
    second = t.main.post("/app/run/rw", b"m.delete(b('absent'))", x_space="b7.absent").txid
    t.equal("deleting what is absent is a write", first != second, True)
    first = t.main.post("/app/run/rw", b"return m.size", x_space="b7.absent").txid
    second = t.main.post("/app/run/rw", b"return m.size", x_space="b7.absent").txid
    t.equal("a readwrite handler that only reads takes no seqno",
            int(second.split(".")[1]) - int(first.split(".")[1]) <= 2, True)


def conflicts(t):
    """Concurrent handlers that read and write the same: every increment counts."""
    for how, spin in (("get", 3000), ("size", 3000), ("forEach", 3000)):
        space, each, clients = f"b7.{how}", 12, 6
        body = json.dumps({"space": space, "how": how, "spin": spin}).encode()

        def add(_):
            client = t.main.new_client()
            statuses = []
            while len([s for s in statuses if s == 200]) < each:
                statuses.append(client.post("/app/tx/add", body).status)
            client.close()
            return sorted(set(statuses))

        with concurrent.futures.ThreadPoolExecutor(clients) as pool:
            statuses = {status for seen in pool.map(add, range(clients)) for status in seen}
        t.equal(f"conflicts by {how} are answered 200 or 503", statuses - {200, 503}, set())
        if how == "get":
            t.do("no increment is lost", "return m.get(b('n'))",
                 buffer(str(each * clients).encode()), space=space)
        else:
            t.do(f"no entry is written twice, by {how}", "return m.size", each * clients,
                 space=space)


def always_conflicting(t):
    """A handler that others overtake every time is run thirty times and then given up."""
    space = "b7.always"
    ended = threading.Event()

    def overtake():
        client = t.main.new_client()
        body = json.dumps({"space": space, "how": "get", "spin": 0}).encode()
        while not ended.is_set():
            client.post("/app/tx/add", body)
        client.close()

    others = [threading.Thread(target=overtake) for _ in range(4)]
    for other in others:
        other.start()
    # Slower than the others by far, on any machine: as slow as it has to be.
    spin, answer = 200_000, None
    while answer is None or (answer.status == 200 and spin < 5_000_000):
        body = json.dumps({"space": space, "how": "get", "spin": spin}).encode()
        answer = t.main.new_client().post("/app/tx/add", body)
        spin *= 2
    ended.set()
    for other in others:
        other.join()
    t.equal("a handler that always conflicts",
            [*answer.error, answer.headers.get("retry-after"), answer.txid],
            [503, "TransactionCommitAttemptsExceedLimit",
             "Transaction continued to conflict after 30 attempts. Retry later.", "3", None])
    rows = t.main.get("/app/metrics", accept="application/json").json["metrics"]
    row = [row for row in rows if row["path"] == "/app/tx/add"][0]
    t.equal("ours: the metrics count its runs", row["retries"] >= 30, True)


def closed(t):
    service = apps.closed(t.world)
    t.equal("before the service is open", service.get("/app/commit").error,
            [404, "FrontendNotOpen", "Frontend is not open."])
    t.equal("also for paths that do not exist", service.get("/app/nope").brief,
            [404, "FrontendNotOpen"])
    t.equal("and without the prefix", service.get("/commit").brief, [404, "FrontendNotOpen"])
    t.equal("the node answers", service.get("/node/network").json["service_status"], "Opening")
    t.equal("/node/ready/app is 503", service.get("/node/ready/app").plain, [503, None, ""])
    t.equal("/node/ready/gov is 204", service.get("/node/ready/gov").status, 204)
    t.equal("/node/commit is 200", service.get("/node/commit").status, 200)


def interfaces(t):
    node = apps.node(t.world)
    some = node.client(None, "some")
    t.equal("an interface serves what it accepts", some.get("/app/things/all").status, 200)
    t.equal("patterns see the route, prefix included", some.get("/things/all").status, 200)
    t.equal("an alternative of a pattern", some.get("/node/network/nodes").status, 200)
    t.equal("it does not serve other endpoints", some.get("/app/nothing").plain, [503, None, ""])
    t.equal("nor other endpoints of the node", some.get("/node/version").plain, [503, None, ""])
    t.equal("a pattern matches whole routes only", some.get("/node/ready/app").plain,
            [503, None, ""])
    t.equal("unknown paths stay unknown", some.get("/app/nope").brief, [404, "ResourceNotFound"])


def pending(t):
    """A node does not gather uncommitted transactions without end."""
    node = apps.patient(t.world)
    body = json.dumps({"space": "b7", "key": "k"}).encode()
    answers = [node.post("/app/tx/write", body) for _ in range(40)]
    refused = [answer for answer in answers if answer.status != 200]
    t.equal("writes above the bound on uncommitted ones",
            {(*answer.brief, answer.headers.get("retry-after"), answer.txid)
             for answer in refused}, {(503, "TooManyPendingTransactions", "3", None)})
    t.equal("the bound is the configured one", 10 <= 40 - len(refused) <= 20, True)
    t.equal("reads are still served", node.get("/app/nothing").status, 200)


def committed(t):
    """Ours: an answer that leaves at commit."""
    answer = write(t, "/app/tx/committed")
    status = t.main.get(f"/node/tx?transaction_id={answer.txid}").json["status"]
    t.equal("ours: respond committed answers at commit", [answer.status, status],
            [200, "Committed"])
    answer = write(t, headers={"x-affiant-respond": "committed"})
    status = t.main.get(f"/node/tx?transaction_id={answer.txid}").json["status"]
    t.equal("ours: a request may ask for that", [answer.status, status], [200, "Committed"])
    answer = write(t, "/app/tx/receipt")
    t.equal("ours: respond receipt brings the receipt",
            [sorted(answer.json), answer.json["transaction_id"] == answer.txid],
            [["body", "receipt", "transaction_id"], True])
    answer = write(t, headers={"x-affiant-respond": "sometime"})
    t.equal("ours: a wish that is none is refused", answer.brief, [400, "InvalidHeaderValue"])
