"""A.6: ccf.consensus."""

from kit import threw

NEGATIVE = threw("RangeError: Invalid view or seqno: cannot be negative")


def run(t):
    txid = t.main.post("/app/run/rw", b"m.set(b('k'), b('v'))", x_space="a6").txid
    view, seqno = txid.split(".")
    t.equal("the transaction is committed in the end", t.main.committed(txid), "Committed")
    t.js("getLastCommittedTxId is at or behind it",
         f"const c = ccf.consensus.getLastCommittedTxId(); return [c.view, c.seqno >= {seqno}]",
         [2, True])
    t.js("getLastCommittedTxId has view and seqno",
         "return Object.keys(ccf.consensus.getLastCommittedTxId())", ["view", "seqno"])
    t.expressions([
        ("getStatusForTxId of a committed one",
         f"ccf.consensus.getStatusForTxId({view}, {seqno})", "Committed"),
        ("getStatusForTxId of another view of it", "ccf.consensus.getStatusForTxId(1, 2)",
         "Invalid"),
        ("getStatusForTxId of the future", "ccf.consensus.getStatusForTxId(2, 1000000)",
         "Unknown"),
        ("getStatusForTxId of a later view", "ccf.consensus.getStatusForTxId(9, 1000000)",
         "Unknown"),
        ("getStatusForTxId refuses a negative view", "ccf.consensus.getStatusForTxId(-1, 1)",
         NEGATIVE),
        ("getStatusForTxId refuses a negative seqno", "ccf.consensus.getStatusForTxId(1, -1)",
         NEGATIVE),
        ("getViewForSeqno of the first", "ccf.consensus.getViewForSeqno(1)", 2),
        ("getViewForSeqno of a known one", f"ccf.consensus.getViewForSeqno({seqno})", 2),
        ("getViewForSeqno of the future is null", "ccf.consensus.getViewForSeqno(1000000)", None),
        ("getViewForSeqno refuses a negative one", "ccf.consensus.getViewForSeqno(-1)",
         threw("RangeError: Invalid seqno: cannot be negative")),
        ("a read sees the latest state", f"m.getVersionOfPreviousWrite(b('k')) === {seqno}", True),
    ], space="a6")
    pending = t.value("m.set(b('p'), b('v')); const c = ccf.consensus.getLastCommittedTxId(); "
                      "return ccf.consensus.getStatusForTxId(c.view, c.seqno)", space="a6")
    t.equal("the last committed id is committed", pending, "Committed")
