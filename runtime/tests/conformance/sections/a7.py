"""A.7: ccf.historical, ccf.historicalState."""

import time

from kit import COMMIT_S, TXID, threw
from language import JAVASCRIPT, either, javascript

FAILED = either("InternalError", "Error") + (
    ": Failed to get state range: Invalid range for historical query: ")
RANGE = either("ccf.historical.getStateRange", "ccf.historical.get_state_range")
DROP = either("ccf.historical.dropCachedStates", "ccf.historical.drop_cached_states")
STATE = either("ccf.historicalState", "ccf.historical_state")
NO_STATES = either("null", "None")
READ_ONLY = "All tables are read-only during historical transaction."
RECEIPT = ["signature", "cert", "node_id", "is_signature_transaction", "leaf_components", "proof"]
SERVED = [name for name in RECEIPT if name != "is_signature_transaction"]
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
    found = f"states = {RANGE}({handle}, {first}, {last}, 1800)"
    text = either(f"const {found}; if (states === null) return null; {source}",
                  f"{found}\nif states is None: return None\n{source}")
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
        + either("ccf.rpc.setClaimsDigest", "ccf.rpc.set_claims_digest")
        + "(ccf.crypto.digest('SHA-256', b('claim')))",
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
        t.equal(f"the state of the {value}", past(t, txid, either(
            "const h = ccf.historicalState; return [h.transactionId, ",
            "h = ccf.historical_state; return [h.transaction_id, ")
            + "s(h.kv['a7'].get(b('k'))), s(m.get(b('k')))]"),
                [txid, value, "two"])
    t.equal("only its own writes", past(t, one, f"{either('const ', '')}k = {STATE}.kv; return "
            "[k['a7'].size, k['public:ccf.gov.members.info'].size, k['other'].size]"), [2, 0, 0])
    t.equal("what it removed is absent", past(t, two, f"{either('const ', '')}h = {STATE}.kv['a7'];"
            "return [h.has(b('gone')), h.size]"), [False, 1])
    if JAVASCRIPT:
        t.equal("it is one object",
                past(t, one, "return ccf.historicalState === ccf.historicalState"), True)
    t.equal("its fields", past(t, one, either(
        "return Object.keys(ccf.historicalState)",
        "return [name for name in dir(ccf.historical_state) if name[0] != '_']")),
        either(["transactionId", "receipt", "kv"],
               ["kv", "map_names", "receipt", "seqno", "transaction_id"]))
    t.equal("forEach gives value and key", past(t, one, either(
        "const seen = []; ccf.historicalState.kv['a7'].forEach((v, k) => seen.push(s(k) + s(v))); "
        "return seen.sort()",
        "seen = []; ccf.historical_state.kv['a7'].for_each("
        "lambda v, k, _: seen.append(s(k) + s(v))); return seen")), ["gonex", "kone"])
    version = either("getVersionOfPreviousWrite", "get_version_of_previous_write")
    t.equal("the version of a key is that transaction's", past(
        t, one, f"return {STATE}.kv['a7'].{version}(b('k'))"), int(one.split(".")[1]))
    error = either("TypeError", "AccessError")
    for call in ("set(b('k'), b('v'))", "delete(b('k'))", "clear()"):
        method = call.split("(")[0]
        t.equal(f"{method} throws", past(t, one, f"{STATE}.kv['a7'].{call}"),
                threw(f'{error}: Cannot call "{method}" on table named a7. {READ_ONLY}'))
    t.equal("live maps are read-only too",
            past(t, one, "m.set(b('k'), b('v'))")["$threw"].split(" in current ")[0],
            f'{error}: Cannot call "set" on table named a7. This table is read-only')
    t.equal("private governance stays out of reach", "inaccessible" in past(
        t, one, f"{STATE}.kv['ccf.gov.x'].get(b('k'))")["$threw"], True)
    t.do("other modes have none", either(f"return {STATE} === undefined",
                                         f"return {STATE} is None"), True)


def receipts(t, txids, first, last):
    for txid in txids:
        receipt = past(t, txid, f"return {STATE}.receipt")
        fields = [list(receipt), list(receipt["leaf_components"])]
        # In Python a receipt has what the endpoint gives, in no order that means anything.
        t.equal(f"fields of the receipt of {txids.index(txid)}",
                either(fields, [sorted(names) for names in fields]),
                either([RECEIPT, LEAF], [sorted(SERVED), sorted(LEAF)]))
        served = t.main.get(f"/app/receipt?transaction_id={txid}").json
        t.equal(f"the receipt of {txids.index(txid)} is the one that is served",
                {**served, **either({"is_signature_transaction": False}, {})}, receipt)
    t.equal("claims that were not set are zeros", past(
        t, txids[0], f"return {STATE}.receipt" + either(
            ".leaf_components.claims_digest", "['leaf_components']['claims_digest']")), "00" * 32)
    signature = ranged(t, 1, first, last + 20, f"return {NO_STATES}")
    t.equal("what is not committed is null", signature, None)
    found = ranged(t, 1, 1, last, either(
        "return states.map(h => h.receipt)", "return [h.receipt for h in states]"))
    signatures = [r for r in found if either(r.get("is_signature_transaction"), "leaf" in r)]
    t.equal("there are signatures", len(signatures) > 0, True)
    t.equal("a signature's receipt has its root", either(
        [list(r) for r in signatures[:1]], [sorted(r) for r in signatures[:1]]),
        either([RECEIPT[:4] + ["root_hex"]], [["cert", "leaf", "node_id", "proof", "signature"]]))


def ranges(t, first, last):
    t.equal("a range is in order", ranged(
        t, 2, first, last, either(
            "return states.map(h => Number(h.transactionId.split('.')[1]))",
            "return [int(h.transaction_id.split('.')[1]) for h in states]")),
        list(range(first, last + 1)))
    t.equal("and has the writes of each", ranged(
        t, 2, first, last, either(
            "return states.map(h => h.kv['a7'].get(b('k')))"
            ".filter(v => v !== undefined).map(v => s(v))",
            "found = [h.kv['a7'].get(b('k')) for h in states]\n"
            "return [s(v) for v in found if v is not None]")), ["one", "two"])
    held = f"return {RANGE}(2, {first}, {last}, 1800) {either('!== null', 'is not None')}"
    t.do("the handle holds it", held, True)
    t.do("dropCachedStates drops it", f"return {DROP}(2)", True)
    t.do("once", f"return {DROP}(2)", False)
    t.do("it is null again", held, False)


def refusals(t):
    call = RANGE
    for passed, arguments in ((3, "1, 1, 2"), (5, "1, 1, 2, 3, 4")):
        t.do(f"{passed} arguments", javascript(f"return {call}({arguments})"),
             threw(f"TypeError: Passed {passed} arguments, but expected 4"))
    t.do("dropCachedStates counts too", javascript(f"return {DROP}()"),
         threw("TypeError: Passed 0 arguments, but expected 1"))
    for arguments, what in (("-1, 1, 2, 3", "handle"), ("1, -1, 2, 3", "seqno"),
                            ("1, 1, -2, 3", "seqno"), ("1, 1, 2, -3", "expiry")):
        t.do(f"negative: {arguments}", f"return {call}({arguments})",
             threw("RangeError: Invalid handle or seqno or expiry: cannot be negative",
                   f"ValueError: Invalid {what}: cannot be negative"))
    t.do("a negative handle is not dropped", f"return {DROP}(-1)",
         threw("RangeError: Invalid handle: cannot be negative",
               "ValueError: Invalid handle: cannot be negative"))
    t.do("an end before the start", f"return {call}(1, 3, 2, 60)",
         threw(f"{FAILED}end 2 is before start 3"))
    t.do("ours: a range that is too long", f"return {call}(1, 1, 2 ** 53, 60)", threw(
        f"{FAILED}it has {2 ** 53} entries; ask for at most 10000 at a time"))
