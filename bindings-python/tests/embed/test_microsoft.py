"""What Microsoft's own package ``ccf`` says of ledgers and receipts, in one process with ours: both are
called ``ccf``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import affiant
import ccf
import pytest

WANTED = "needs Microsoft's package: pip install ccf==7.0.22, for Python 3.12 or newer"
x509 = pytest.importorskip("cryptography.x509", reason=WANTED)
theirs = pytest.importorskip("ccf.receipt", reason=WANTED)
ledgers = pytest.importorskip("ccf.ledger", reason=WANTED)


def test_both_packages_are_one_module() -> None:
    assert Path(theirs.__file__).parent != Path(str(ccf.__file__)).parent
    assert ccf.receipt is theirs and ccf.kv is not None


def test_receipts_of_a_ledger_verify(ledger: affiant.Ledger) -> None:
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
        tx.set_claims(b"the claim")
    receipt = ledger.receipt(tx)
    parts = receipt.to_dict()
    components = parts["leaf_components"]
    digest = hashlib.sha256(b"the claim").digest()
    assert components["claims_digest"] == digest.hex()
    evidence = hashlib.sha256(components["commit_evidence"].encode()).digest()
    leaf = hashlib.sha256(bytes.fromhex(components["write_set_digest"]) + evidence + digest)
    node = x509.load_pem_x509_certificate(parts["cert"].encode())
    service = x509.load_pem_x509_certificate(ledger.service_certificate.encode())
    root = theirs.root(leaf.hexdigest(), parts["proof"])
    theirs.verify(root, parts["signature"], node)
    theirs.check_endorsements(node, service, [])
    with pytest.raises(Exception):
        theirs.verify("00" * 32, parts["signature"], node)

    assert receipt.cose is not None
    theirs.verify_cose(receipt.cose, service.public_key(), digest)
    with pytest.raises(Exception):
        theirs.verify_cose(receipt.cose, service.public_key(), bytes(32))


def test_ledger_files_verify(tmp_path: Path) -> None:
    with affiant.open(tmp_path) as ledger:
        for number in range(300):
            with ledger.tx(wait=False) as tx:
                tx.kv["public:numbers" if number % 2 else "numbers"][str(number)] = number
        last = ledger.sync()
        certificate = ledger.service_certificate
    validator = ledgers.LedgerValidator(accept_deprecated_entry_types=False)
    seen = 0
    for chunk in ledgers.Ledger([str(tmp_path / "ledger")], committed_only=False):
        for transaction in chunk:
            validator.add_transaction(transaction)
            seen += "public:numbers" in transaction.get_public_domain().get_tables()
    assert seen == 150 and validator.signature_count > 2
    assert validator.last_verified_txid().seqno >= int(last.split(".")[1])
    assert affiant.verify_ledger(tmp_path, certificate)["verified"]
