"""A.5: ccf.rpc."""

import hashlib
import json

from kit import UNDEFINED, threw

TABLE = [
    ("setApplyWrites gives undefined", "ccf.rpc.setApplyWrites(true)", UNDEFINED),
    ("setApplyWrites takes booleans only", "ccf.rpc.setApplyWrites(1)",
     threw("TypeError: First argument must be a boolean")),
    ("setApplyWrites refuses undefined", "ccf.rpc.setApplyWrites(undefined)",
     threw("TypeError: First argument must be a boolean")),
    ("setClaimsDigest gives undefined", "ccf.rpc.setClaimsDigest(new ArrayBuffer(32))", UNDEFINED),
    ("setClaimsDigest refuses a string", "ccf.rpc.setClaimsDigest('a')",
     threw("TypeError: Argument must be an ArrayBuffer")),
    ("setClaimsDigest refuses a typed array", "ccf.rpc.setClaimsDigest(new Uint8Array(32))",
     threw("TypeError: Argument must be an ArrayBuffer")),
    ("setClaimsDigest refuses 31 bytes", "ccf.rpc.setClaimsDigest(new ArrayBuffer(31))",
     threw("TypeError: Argument must be an ArrayBuffer of the right size: 32")),
    ("setClaimsDigest refuses 33 bytes", "ccf.rpc.setClaimsDigest(new ArrayBuffer(33))",
     threw("TypeError: Argument must be an ArrayBuffer of the right size: 32")),
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
    t.js("of two claims digests the last counts",
         "ccf.rpc.setClaimsDigest(new ArrayBuffer(32)); "
         "return ccf.rpc.setClaimsDigest(new ArrayBuffer(32))", UNDEFINED)
