"""D.4: transaction ids and their status."""


def run(t):
    def status(txid, front="app"):
        answer = t.main.get(f"/{front}/tx?transaction_id={txid}")
        return [answer.status, answer.json]

    def found(txid, word):
        return [200, {"status": word, "transaction_id": txid}]

    txid = t.main.post("/app/run/rw", b"m.set(b('k'), b('v'))", x_space="d4").txid
    view, seqno = map(int, txid.split("."))
    t.equal("the view of a new service", view, 2)
    t.equal("it is pending or committed",
            status(txid) in (found(txid, "Pending"), found(txid, "Committed")), True)
    t.equal("in the end it is committed", t.main.committed(txid), "Committed")
    for front in ("app", "node", "gov"):
        t.equal(f"/{front}/tx", status(txid, front), found(txid, "Committed"))
    t.equal("the first transaction", status("2.1"), found("2.1", "Committed"))
    t.equal("a committed seqno in an earlier view", status(f"1.{seqno}"),
            found(f"1.{seqno}", "Invalid"))
    t.equal("a committed seqno in a later view", status(f"3.{seqno}"),
            found(f"3.{seqno}", "Invalid"))
    t.equal("a later seqno in an earlier view", status("1.1000000"),
            found("1.1000000", "Invalid"))
    t.equal("a later seqno in this view", status("2.1000000"), found("2.1000000", "Unknown"))
    t.equal("a later seqno in a later view", status("7.1000000"), found("7.1000000", "Unknown"))
    commit = t.main.get("/app/commit").json["transaction_id"]
    t.equal("the commit point has passed it", int(commit.split(".")[1]) >= seqno, True)
    t.equal("the commit point is committed", status(commit), found(commit, "Committed"))
    numbers = [
        int(t.main.post("/app/run/rw", b"m.set(b('k'), b('v'))", x_space="d4").txid.split(".")[1])
        for _ in range(5)
    ]
    t.equal("seqnos ascend", numbers, sorted(set(numbers)))
