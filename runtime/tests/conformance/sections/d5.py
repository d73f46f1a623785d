"""D.5: receipts, folded and verified here with what OpenSSL knows."""

import base64
import hashlib
import json

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_of(receipt):
    parts = receipt["leaf_components"]
    return sha(
        bytes.fromhex(parts["write_set_digest"]),
        sha(parts["commit_evidence"].encode()),
        bytes.fromhex(parts.get("claims_digest", "00" * 32)),
    )


def root_of(receipt):
    accumulated = leaf_of(receipt)
    for step in receipt["proof"]:
        side, digest = next(iter(step.items()))
        digest = bytes.fromhex(digest)
        pair = (digest, accumulated) if side == "left" else (accumulated, digest)
        accumulated = sha(*pair)
    return accumulated


def verifies(receipt, root):
    certificate = x509.load_pem_x509_certificate(receipt["cert"].encode())
    try:
        certificate.public_key().verify(
            base64.b64decode(receipt["signature"]), root,
            ec.ECDSA(utils.Prehashed(hashes.SHA256())))
    except Exception:
        return False
    return True


def run(t):
    service = x509.load_pem_x509_certificate((t.main.common / "service_cert.pem").read_bytes())
    for name, extra in (("without claims", {}), ("with claims", {"claims": "statement"})):
        body = json.dumps({"space": "d5", "key": name, **extra}).encode()
        txid = t.main.post("/app/tx/write", body).txid
        t.main.committed(txid)
        receipt = t.main.poll(f"/app/receipt?transaction_id={txid}", 200).json
        evidence = receipt["leaf_components"]["commit_evidence"]
        t.equal(f"the evidence names the transaction, {name}",
                [evidence.startswith(f"ce:{txid}:"), len(evidence.split(":")[2])], [True, 64])
        t.equal(f"the signature is over the folded root, {name}",
                verifies(receipt, root_of(receipt)), True)
        t.equal(f"and over nothing else, {name}", verifies(receipt, sha(b"other")), False)
        certificate = x509.load_pem_x509_certificate(receipt["cert"].encode())
        certificate.verify_directly_issued_by(service)
        key = certificate.public_key().public_bytes(*spki())
        t.equal(f"the node id is the digest of its key, {name}",
                hashlib.sha256(key).hexdigest(), receipt["node_id"])
        t.equal(f"every step of the proof has one side, {name}",
                {side for step in receipt["proof"] for side in step} <= {"left", "right"}
                and all(len(step) == 1 for step in receipt["proof"]), True)
    changed = json.loads(json.dumps(receipt))
    changed["leaf_components"]["claims_digest"] = sha(b"other statement").hex()
    t.equal("other claims do not verify", verifies(changed, root_of(changed)), False)
    t.equal("the claims are the statement's",
            receipt["leaf_components"]["claims_digest"], sha(b"statement").hex())
    signature(t)


def signature(t):
    """The receipt of a signature transaction."""
    receipt = t.main.poll("/app/receipt?transaction_id=2.2", 200).json
    t.equal("a signature's receipt has a leaf and an empty proof",
            [sorted(receipt), receipt["proof"]],
            [["cert", "leaf", "node_id", "proof", "signature"], []])
    t.equal("its leaf is the signed root", verifies(receipt, bytes.fromhex(receipt["leaf"])), True)


def spki():
    from cryptography.hazmat.primitives import serialization

    return (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
