"""A.6: ccf.consensus."""

from kit import threw
from language import either

LAST = either("ccf.consensus.getLastCommittedTxId", "ccf.consensus.get_last_committed_txid")
STATUS = either("ccf.consensus.getStatusForTxId", "ccf.consensus.get_status_for_txid")
VIEW = either("ccf.consensus.getViewForSeqno", "ccf.consensus.get_view_for_seqno")


def negative(python):
    """A number below zero; `python`: what it is called there."""
    return threw("RangeError: Invalid view or seqno: cannot be negative",
                 f"ValueError: Invalid {python}: cannot be negative")


def run(t):
    txid = t.main.post("/app/run/rw", b"m.set(b('k'), b('v'))", x_space="a6").txid
    view, seqno = txid.split(".")
    t.equal("the transaction is committed in the end", t.main.committed(txid), "Committed")
    t.do("getLastCommittedTxId is at or behind it",
         either(f"const c = {LAST}(); return [c.view, c.seqno >= {seqno}]",
                f"c = {LAST}(); return [c['view'], c['seqno'] >= {seqno}]"),
         [2, True])
    t.do("getLastCommittedTxId has view and seqno",
         f"return {either('Object.keys', 'list')}({LAST}())", ["view", "seqno"])
    t.expressions([
        ("getStatusForTxId of a committed one",
         f"{STATUS}({view}, {seqno})", "Committed"),
        ("getStatusForTxId of another view of it", f"{STATUS}(1, 2)",
         "Invalid"),
        ("getStatusForTxId of the future", f"{STATUS}(2, 1000000)",
         "Unknown"),
        ("getStatusForTxId of a later view", f"{STATUS}(9, 1000000)",
         "Unknown"),
        ("getStatusForTxId refuses a negative view", f"{STATUS}(-1, 1)",
         negative("view")),
        ("getStatusForTxId refuses a negative seqno", f"{STATUS}(1, -1)",
         negative("seqno")),
        ("getViewForSeqno of the first", f"{VIEW}(1)", 2),
        ("getViewForSeqno of a known one", f"{VIEW}({seqno})", 2),
        ("getViewForSeqno of the future is null", f"{VIEW}(1000000)", None),
        ("getViewForSeqno refuses a negative one", f"{VIEW}(-1)",
         threw("RangeError: Invalid seqno: cannot be negative",
               "ValueError: Invalid seqno: cannot be negative")),
        ("a read sees the latest state", either(
            f"m.getVersionOfPreviousWrite(b('k')) === {seqno}",
            f"m.get_version_of_previous_write(b('k')) == {seqno}"), True),
    ], space="a6")
    pending = t.value("m.set(b('p'), b('v')); " + either(
        f"const c = {LAST}(); return {STATUS}(c.view, c.seqno)",
        f"c = {LAST}(); return {STATUS}(c['view'], c['seqno'])"), space="a6")
    t.equal("the last committed id is committed", pending, "Committed")
