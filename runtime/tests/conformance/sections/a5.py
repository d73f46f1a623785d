"""A.5: ccf.rpc."""

import hashlib
import json

from kit import UNDEFINED, threw
from language import either, javascript

APPLY = either("ccf.rpc.setApplyWrites", "ccf.rpc.set_apply_writes")
CLAIMS = either("ccf.rpc.setClaimsDigest", "ccf.rpc.set_claims_digest")
BYTES = either("new ArrayBuffer", "bytes")
NO_BOOLEAN = threw("TypeError: First argument must be a boolean",
                   "TypeError: set_apply_writes takes a bool")
NO_BUFFER = threw("TypeError: Argument must be an ArrayBuffer",
                  "TypeError: the claims digest must be bytes (text.encode() makes bytes of "
                  "text), not str")
OTHER_SIZE = threw("TypeError: Argument must be an ArrayBuffer of the right size: 32",
                   "ValueError: a claims digest is 32 bytes long (SHA-256)")
TABLE = [
    ("setApplyWrites gives undefined", f"{APPLY}({either('true', 'True')})", UNDEFINED),
    ("setApplyWrites takes booleans only", f"{APPLY}(1)", NO_BOOLEAN),
    ("setApplyWrites refuses undefined", f"{APPLY}({either('undefined', 'None')})", NO_BOOLEAN),
    ("setClaimsDigest gives undefined", f"{CLAIMS}({BYTES}(32))", UNDEFINED),
    ("setClaimsDigest refuses a string", f"{CLAIMS}('a')", NO_BUFFER),
    ("setClaimsDigest refuses a typed array", javascript(f"{CLAIMS}(new Uint8Array(32))"),
     NO_BUFFER),
    ("setClaimsDigest refuses 31 bytes", f"{CLAIMS}({BYTES}(31))", OTHER_SIZE),
    ("setClaimsDigest refuses 33 bytes", f"{CLAIMS}({BYTES}(33))", OTHER_SIZE),
]
# Name; apply, status, fail; status of the answer; whether the write is kept.
OUTCOMES = [
    ("200 is kept", None, 200, False, 200, True),
    ("201 is kept", None, 201, False, 201, True),
    ("299 is kept", None, 299, False, 299, True),
    ("300 is dropped", None, 300, False, 300, False),
    ("400 is dropped", None, 400, False, 400, False),
    ("500 is dropped", None, 500, False, 500, False),
    ("an exception is dropped", None, 200, True, 500, False),
    ("setApplyWrites(false) drops a 200", False, 200, False, 200, False),
    ("setApplyWrites(true) keeps a 400", True, 400, False, 400, True),
    ("setApplyWrites(true) keeps a 500", True, 500, False, 500, True),
    ("setApplyWrites(true) keeps what precedes an exception", True, 200, True, 500, True),
    ("setApplyWrites(false) drops with an exception too", False, 200, True, 500, False),
]


def run(t):
    t.expressions(TABLE)
    for number, (name, apply, status, fail, answered, kept) in enumerate(OUTCOMES):
        key = f"key {number}"
        wanted = {"space": "a5", "key": key, "status": status, "fail": fail}
        if apply is not None:
            wanted["apply"] = apply
        answer = t.main.post("/app/tx/write", json.dumps(wanted).encode())
        has = t.value(f"return m.has(b('{key}'))", space="a5")
        t.equal(name, [answer.status, answer.txid is not None, has], [answered, kept, kept])
    claims(t)


def claims(t):
    for name, extra, digest in (
        ("the claims digest is in the receipt", {"claims": "statement"},
         hashlib.sha256(b"statement").hexdigest()),
        ("without claims it is all zero, as a CCF node answers", {}, "00" * 32),
    ):
        body = json.dumps({"space": "a5", "key": name, **extra}).encode()
        txid = t.main.post("/app/tx/write", body).txid
        t.main.committed(txid)
        receipt = t.main.poll(f"/app/receipt?transaction_id={txid}", 200).json
        t.equal(name, receipt["leaf_components"]["claims_digest"], digest)
    t.do("of two claims digests the last counts",
         f"{CLAIMS}({BYTES}(32)); return {CLAIMS}({BYTES}(32))", UNDEFINED)
