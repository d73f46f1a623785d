"""A.7: ccf.historical, ccf.historicalState."""

import time

from kit import COMMIT_S, TXID, threw

NEGATIVE = threw("RangeError: Invalid handle or seqno or expiry: cannot be negative")
FAILED = "InternalError: Failed to get state range: Invalid range for historical query: "
READ_ONLY = "All tables are read-only during historical transaction."
RECEIPT = ["signature", "cert", "node_id", "is_signature_transaction", "leaf_components", "proof"]
LEAF = ["write_set_digest", "commit_evidence", "claims_digest"]


def past(t, txid, source):
    """What the body of a function returned in an endpoint with mode historical."""
    answer = until_loaded(lambda: t.main.post(
        "/app/run/past", source.encode(), **{"x_space": "a7", TXID: txid}))
    return answer.json["value"]


def until_loaded(ask):
    """Asks again while the answer is 202."""
    deadline = time.monotonic() + COMMIT_S
    while True:
        answer = ask()
        if answer.status != 202 or time.monotonic() > deadline:
            return answer
        time.sleep(0.02)


def ranged(t, handle, first, last, source):
    """As `past`, with the states of a range as `states`."""
    text = (f"const states = ccf.historical.getStateRange({handle}, {first}, {last}, 1800); "
            f"if (states === null) return null; {source}")
    deadline = time.monotonic() + COMMIT_S
    while True:
        value = t.value(text, "ro", "a7")
        if value is not None or time.monotonic() > deadline:
            return value
        time.sleep(0.02)


def run(t):
    txids = [t.main.post("/app/run/rw", source.encode(), x_space="a7").txid for source in (
        "m.set(b('k'), b('one')); m.set(b('gone'), b('x'))",
        "m.set(b('k'), b('two')); m.delete(b('gone'));"
        "ccf.rpc.setClaimsDigest(ccf.crypto.digest('SHA-256', b('claim')))",
    )]
    first, last = (int(txid.split(".")[1]) for txid in txids)
    t.equal("both are committed", [t.main.committed(txid) for txid in txids], ["Committed"] * 2)
    states(t, txids)
    receipts(t, txids, first, last)
    ranges(t, first, last)
    refusals(t)


def states(t, txids):
    one, two = txids
    for txid, value in ((one, "one"), (two, "two")):
        t.equal(f"the state of the {value}", past(t, txid, "const h = ccf.historicalState; return "
                "[h.transactionId, s(h.kv['a7'].get(b('k'))), s(m.get(b('k')))]"),
                [txid, value, "two"])
    t.equal("only its own writes", past(t, one, "const k = ccf.historicalState.kv; return "
            "[k['a7'].size, k['public:ccf.gov.members.info'].size, k['other'].size]"), [2, 0, 0])
    t.equal("what it removed is absent", past(t, two, "const h = ccf.historicalState.kv['a7'];"
            "return [h.has(b('gone')), h.size]"), [False, 1])
    t.equal("it is one object", past(t, one, "return ccf.historicalState === ccf.historicalState"),
            True)
    t.equal("its fields", past(t, one, "return Object.keys(ccf.historicalState)"),
            ["transactionId", "receipt", "kv"])
    t.equal("forEach gives value and key", past(t, one, "const seen = []; ccf.historicalState"
            ".kv['a7'].forEach((v, k) => seen.push(s(k) + s(v))); return seen.sort()"),
            ["gonex", "kone"])
    t.equal("the version of a key is that transaction's", past(t, one, "return ccf.historicalState"
            ".kv['a7'].getVersionOfPreviousWrite(b('k'))"), int(one.split(".")[1]))
    for call in ("set(b('k'), b('v'))", "delete(b('k'))", "clear()"):
        method = call.split("(")[0]
        t.equal(f"{method} throws", past(t, one, f"ccf.historicalState.kv['a7'].{call}"),
                threw(f'TypeError: Cannot call "{method}" on table named a7. {READ_ONLY}'))
    t.equal("live maps are read-only too",
            past(t, one, "m.set(b('k'), b('v'))")["$threw"].split(" in current ")[0],
            'TypeError: Cannot call "set" on table named a7. This table is read-only')
    t.equal("private governance stays out of reach", "inaccessible" in past(
        t, one, "ccf.historicalState.kv['ccf.gov.x'].get(b('k'))")["$threw"], True)
    t.js("other modes have none", "return ccf.historicalState === undefined", True)


def receipts(t, txids, first, last):
    for txid in txids:
        receipt = past(t, txid, "return ccf.historicalState.receipt")
        t.equal(f"fields of the receipt of {txids.index(txid)}",
                [list(receipt), list(receipt["leaf_components"])], [RECEIPT, LEAF])
        served = t.main.get(f"/app/receipt?transaction_id={txid}").json
        t.equal(f"the receipt of {txids.index(txid)} is the one that is served",
                {**served, "is_signature_transaction": False}, receipt)
    t.equal("claims that were not set are zeros", past(
        t, txids[0], "return ccf.historicalState.receipt.leaf_components.claims_digest"), "00" * 32)
    signature = ranged(t, 1, first, last + 20, "return null")
    t.equal("what is not committed is null", signature, None)
    found = ranged(t, 1, 1, last, "return states.map(h => h.receipt)")
    signatures = [r for r in found if r["is_signature_transaction"]]
    t.equal("there are signatures", len(signatures) > 0, True)
    t.equal("a signature's receipt has its root", [list(r) for r in signatures[:1]],
            [RECEIPT[:4] + ["root_hex"]])


def ranges(t, first, last):
    t.equal("a range is in order", ranged(
        t, 2, first, last, "return states.map(h => Number(h.transactionId.split('.')[1]))"),
        list(range(first, last + 1)))
    t.equal("and has the writes of each", ranged(
        t, 2, first, last, "return states.map(h => h.kv['a7'].get(b('k')))"
        ".filter(v => v !== undefined).map(v => s(v))"), ["one", "two"])
    held = f"return ccf.historical.getStateRange(2, {first}, {last}, 1800) !== null"
    t.js("the handle holds it", held, True)
    t.js("dropCachedStates drops it", "return ccf.historical.dropCachedStates(2)", True)
    t.js("once", "return ccf.historical.dropCachedStates(2)", False)
    t.js("it is null again", held, False)


def refusals(t):
    call = "ccf.historical.getStateRange"
    for passed, arguments in ((3, "1, 1, 2"), (5, "1, 1, 2, 3, 4")):
        t.js(f"{passed} arguments", f"return {call}({arguments})",
             threw(f"TypeError: Passed {passed} arguments, but expected 4"))
    t.js("dropCachedStates counts too", "return ccf.historical.dropCachedStates()",
         threw("TypeError: Passed 0 arguments, but expected 1"))
    for arguments in ("-1, 1, 2, 3", "1, -1, 2, 3", "1, 1, -2, 3", "1, 1, 2, -3"):
        t.js(f"negative: {arguments}", f"return {call}({arguments})", NEGATIVE)
    t.js("a negative handle is not dropped", "return ccf.historical.dropCachedStates(-1)",
         threw("RangeError: Invalid handle: cannot be negative"))
    t.js("an end before the start", f"return {call}(1, 3, 2, 60)",
         threw(f"{FAILED}end 2 is before start 3"))
    t.js("ours: a range that is too long", f"return {call}(1, 1, 2 ** 53, 60)", threw(
        f"{FAILED}it has {2 ** 53} entries; ask for at most 10000 at a time"))
