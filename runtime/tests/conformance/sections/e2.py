"""E.2: the receipt's JSON."""

import base64
import json
import re


def run(t):
    body = json.dumps({"space": "e2", "key": "k", "claims": "c"}).encode()
    txid = t.main.post("/app/tx/write", body).txid
    t.main.committed(txid)
    receipt = t.main.poll(f"/app/receipt?transaction_id={txid}", 200).json
    hexadecimal = re.compile("[0-9a-f]{64}")
    t.equal("its fields", sorted(receipt),
            ["cert", "leaf_components", "node_id", "proof", "signature"])
    t.equal("the leaf's components", sorted(receipt["leaf_components"]),
            ["claims_digest", "commit_evidence", "write_set_digest"])
    t.equal("digests are lower-case hex",
            [bool(hexadecimal.fullmatch(text)) for text in (
                receipt["node_id"], receipt["leaf_components"]["claims_digest"],
                receipt["leaf_components"]["write_set_digest"])], [True, True, True])
    t.equal("the signature is base64 of DER",
            [base64.b64encode(base64.b64decode(receipt["signature"])).decode()
             == receipt["signature"], base64.b64decode(receipt["signature"])[:1]],
            [True, b"\x30"])
    t.equal("the certificate is PEM", receipt["cert"].splitlines()[0],
            "-----BEGIN CERTIFICATE-----")
    t.equal("steps of the proof are left or right",
            [bool(hexadecimal.fullmatch(digest)) and side in ("left", "right")
             for step in receipt["proof"] for side, digest in step.items()],
            [True] * len(receipt["proof"]))
    t.equal("the evidence", bool(re.fullmatch(rf"ce:{re.escape(txid)}:[0-9a-f]{{64}}",
                                              receipt["leaf_components"]["commit_evidence"])),
            True)
    t.equal("no endorsements where the service was not recovered",
            "service_endorsements" in receipt, False)
    t.equal("the node is this one", receipt["node_id"],
            t.main.get("/node/state").json["node_id"])
    again = t.main.get(f"/app/receipt?transaction_id={txid}").json
    t.equal("a receipt stays the same", again, receipt)
    signature = t.main.get("/app/receipt?transaction_id=2.2").json
    t.equal("a signature's receipt", sorted(signature),
            ["cert", "leaf", "node_id", "proof", "signature"])
    t.equal("a signature's leaf is hex", bool(hexadecimal.fullmatch(signature["leaf"])), True)
    t.equal("a signature has no COSE receipt",
            t.main.get("/app/receipt?transaction_id=2.2", accept="application/cose").brief,
            [404, "ResourceNotFound"])
