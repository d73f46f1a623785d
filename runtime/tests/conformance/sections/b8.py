"""B.8: endpoints with mode historical."""

from a7 import until_loaded
from kit import TXID
from language import either

PATH = "/app/run/past"
SOURCE = either("return ccf.historicalState.transactionId",
                "return ccf.historical_state.transaction_id").encode()


def run(t):
    txid = t.main.post("/app/run/rw", b"m.set(b('k'), b('v'))", x_space="b8").txid
    t.equal("it is committed", t.main.committed(txid), "Committed")

    def ask(value):
        headers = {} if value is None else {TXID: value}
        return t.main.post(PATH, SOURCE, x_space="b8", **headers)

    loaded = until_loaded(lambda: ask(txid))
    t.equal("the handler runs", [loaded.status, loaded.json], [200, {"value": txid}])
    t.equal("the answer has the id of what was read now", loaded.txid is not None, True)
    for value in (None, "", "2", "x", "2.x", "0.1", "2.0", "+2.1", "2.1.1"):
        answer = ask(value)
        t.equal(f"header {value!r}", answer.error,
                [404, "TransactionInvalid", "Could not extract Transaction Id"])
        t.equal(f"header {value!r}: no id", answer.txid, None)
    words = "Only committed transactions can be queried. Transaction"
    for value in ("2.9999999", "9.9999999"):
        answer = ask(value)
        t.equal(f"unknown: {value}", [answer.error, answer.headers.get("cache-control")],
                [[404, "TransactionPendingOrUnknown", f"{words} {value} is Unknown"], "no-cache"])
    for value in ("1.1", "9.1"):
        answer = ask(value)
        t.equal(f"invalid: {value}", [answer.error, answer.headers.get("cache-control")],
                [[404, "TransactionInvalid", f"{words} {value} is Invalid"], None])
    for value, code in (("2.9999999", "TransactionPendingOrUnknown"), ("1.1", "TransactionInvalid")):
        answer = t.main.get(f"/app/receipt?transaction_id={value}")
        t.equal(f"/receipt of {value} in the same words", answer.error, [404, *ask(value).error[1:]])
        t.equal(f"/receipt of {value}: code", answer.brief, [404, code])
    answer = until_loaded(lambda: t.main.post(
        PATH, b"return ccf.kv['b8'].has(b('k'))", x_space="b8", **{TXID: txid}))
    t.equal("live maps are there", answer.json, {"value": True})
