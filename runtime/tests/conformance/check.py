"""Validates a ledger and its receipts with the stock `ccf` package of the running interpreter.

check.py LEDGER_DIR OUT_DIR (as left by drive.py)

Exit code 0 of the package's own tools proves little: they accept a ledger without signatures and an
unsigned tail. So this asserts the signature count and the last verified transaction as well.
"""

import hashlib
import importlib.metadata
import inspect
import json
import pathlib
import sys
import warnings

from cryptography.x509 import load_pem_x509_certificate

import ccf.cose
import ccf.ledger
import ccf.receipt

SIGNATURES = "public:ccf.internal.signatures"
COSE_SIGNATURES = "public:ccf.internal.cose_signatures"


def full(callable_, **arguments):
    """Adds the strictest verification level where this version of the package knows levels."""
    if "verification_level" in inspect.signature(callable_).parameters:
        arguments["verification_level"] = ccf.ledger.VerificationLevel.FULL
    return arguments


def check_ledger(directory, committed_only):
    ledger = ccf.ledger.Ledger(
        [str(directory)], **full(ccf.ledger.Ledger.__init__, committed_only=committed_only)
    )
    validator = ccf.ledger.LedgerValidator(
        **full(ccf.ledger.LedgerValidator.__init__, accept_deprecated_entry_types=False)
    )
    entries = signatures = private = 0
    last_signature = None
    for chunk in ledger:
        for transaction in chunk:
            validator.add_transaction(transaction)
            entries += 1
            private += transaction.get_private_domain_size() > 0
            tables = transaction.get_public_domain().get_tables()
            if SIGNATURES in tables:
                assert COSE_SIGNATURES in tables, "a signature entry carries both signatures"
                signatures += 1
                last_signature = transaction.gcm_header.view, transaction.gcm_header.seqno
    assert validator.signature_count > 0, "the package verified no signature at all"
    assert validator.signature_count == signatures, (validator.signature_count, signatures)
    verified = validator.last_verified_txid()
    assert (verified.view, verified.seqno) == last_signature, (verified, last_signature)
    return len(ledger), entries, private, signatures, verified


def check_receipts(out):
    service = load_pem_x509_certificate((out / "service_cert.pem").read_bytes())
    chosen = json.loads((out / "transactions.json").read_text())["chosen"]
    assert chosen, "no receipts to check"
    claimed = 0
    for txid, claims in chosen:
        claimed += claims is not None
        receipt = json.loads((out / "receipts" / f"{txid}.json").read_text())
        components = receipt["leaf_components"]
        digest = components.get("claims_digest", "00" * 32)
        assert digest == (claims or "00" * 32), f"{txid}: claims digest {digest}, expected {claims}"
        assert components["commit_evidence"].startswith(f"ce:{txid}:"), components
        evidence = hashlib.sha256(components["commit_evidence"].encode()).digest()
        leaf = hashlib.sha256(
            bytes.fromhex(components["write_set_digest"]) + evidence + bytes.fromhex(digest)
        ).hexdigest()
        node = load_pem_x509_certificate(receipt["cert"].encode())
        ccf.receipt.verify(
            ccf.receipt.root(leaf, receipt["proof"]), receipt["signature"], node
        )
        endorsements = [
            load_pem_x509_certificate(pem.encode())
            for pem in receipt.get("service_endorsements", [])
        ]
        ccf.receipt.check_endorsements(node, service, endorsements)
        if hasattr(ccf.receipt, "check_cert_chain"):
            ccf.receipt.check_cert_chain(node, service, endorsements)

        cose = (out / "receipts" / f"{txid}.cose").read_bytes()
        expected = bytes.fromhex(digest)
        verifiers = [ccf.cose.verify_receipt]
        if hasattr(ccf.receipt, "verify_cose"):
            verifiers.append(ccf.receipt.verify_cose)
        for verifier in verifiers:
            verifier(cose, service.public_key(), expected)
            try:
                verifier(cose, service.public_key(), hashlib.sha256(b"something else").digest())
            except Exception:
                continue
            raise AssertionError(f"{txid}: a COSE receipt verified for claims it does not carry")
    return len(chosen), claimed


def main():
    warnings.simplefilter("ignore", DeprecationWarning)
    directory, out = map(pathlib.Path, sys.argv[1:3])
    version = importlib.metadata.version("ccf")
    chunks, entries, private, signatures, verified = check_ledger(directory, committed_only=False)
    minimum = json.loads((out / "transactions.json").read_text())["count"]
    assert entries >= minimum, (entries, minimum)
    assert chunks >= 3, f"{chunks} chunks; the check wants several"
    assert private > 0, "no private entries"
    receipts, claimed = check_receipts(out)
    print(
        f"ccf {version}: {entries} entries ({private} with private data) in {chunks} chunks, "
        f"{signatures} signatures, all verified, last {verified.view}.{verified.seqno}; "
        f"{receipts} JSON and {receipts} COSE receipts verified ({claimed} with claims)"
    )


if __name__ == "__main__":
    main()
