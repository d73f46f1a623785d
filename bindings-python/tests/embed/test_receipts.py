"""Receipts, verified offline in every form they come in."""

from __future__ import annotations

import json
from pathlib import Path

import affiant
import pytest
from affiant import Ledger


@pytest.fixture
def receipt(ledger: Ledger) -> affiant.Receipt:
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
        tx.set_claims(b"claim")
    return ledger.receipt(tx)


def test_every_form_is_taken(ledger: Ledger, receipt: affiant.Receipt, tmp_path: Path) -> None:
    certificate = tmp_path / "service.pem"
    certificate.write_text(ledger.service_certificate)
    written = tmp_path / "receipt"
    assert receipt.cose is not None
    written.write_bytes(receipt.cose)
    forms = [
        receipt,
        receipt.to_dict(),
        receipt.to_json(),
        receipt.to_json().encode(),
        receipt.cose,
    ]
    for form in [*forms, written, {"receipt": receipt.to_dict(), "body": 1}]:
        verdict = affiant.verify_receipt(form, certificate, claims=b"claim")
        assert verdict.valid and verdict.transaction_id == receipt.transaction_id
        assert not verdict.failed
    assert receipt.claims_digest is not None
    digest = receipt.claims_digest
    assert affiant.verify_receipt(receipt, certificate, claims_digest=digest)


def test_every_changed_part_is_named(ledger: Ledger, receipt: affiant.Receipt) -> None:
    def check(change: dict[str, object], match: str) -> None:
        with pytest.raises(affiant.VerificationError, match=match) as caught:
            affiant.verify_receipt(receipt.to_dict() | change, ledger.service_certificate)
        assert caught.value.verdict is not None and caught.value.verdict.failed
        assert "NOT VERIFIED" in repr(caught.value.verdict)

    leaf = receipt.to_dict()["leaf_components"]
    check({"leaf_components": leaf | {"write_set_digest": "00" * 32}}, "signature")
    check({"leaf_components": leaf | {"claims_digest": "11" * 32}}, "signature")
    check({"proof": receipt.to_dict()["proof"][1:]}, "signature")
    check({"node_id": "00" * 32}, "node id")
    check({"signature": "AAAA"}, "signature")
    cose = bytearray(receipt.cose or b"")
    cose[-1] ^= 1
    with pytest.raises(affiant.VerificationError, match="cose receipt: signature"):
        affiant.verify_receipt(bytes(cose), ledger.service_certificate)


def test_validity_is_checked_on_demand(ledger: Ledger, receipt: affiant.Receipt) -> None:
    import time

    certificate = ledger.service_certificate
    assert affiant.verify_receipt(receipt, certificate, now=time.time())
    with pytest.raises(affiant.VerificationError, match="validity"):
        affiant.verify_receipt(receipt, certificate, now=time.time() + 10 * 366 * 86_400)


def test_nonsense_is_told_from_what_does_not_verify(
    ledger: Ledger, receipt: affiant.Receipt, tmp_path: Path
) -> None:
    certificate = ledger.service_certificate
    error = {"error": {"code": "TransactionPendingOrUnknown", "message": "not yet"}}
    for nonsense, match in (
        (b"", "empty"),
        (b"hello", "neither"),
        ({}, "receipt"),
        ("receipt.json", "pathlib.Path"),
        (json.dumps(error), "TransactionPendingOrUnknown"),
    ):
        with pytest.raises(ValueError, match=match):
            affiant.verify_receipt(nonsense, certificate)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="a receipt is"):
        affiant.verify_receipt(7, certificate)  # type: ignore[arg-type]
    for nonsense, match in (
        ("service_cert.pem", "pathlib.Path"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate"),
    ):
        with pytest.raises((ValueError, affiant.VerificationError), match=match):
            affiant.verify_receipt(receipt, nonsense)
    with pytest.raises(FileNotFoundError):
        affiant.verify_receipt(receipt, tmp_path / "none.pem")
    with pytest.raises(ValueError, match="not both"):
        affiant.verify_receipt(receipt, certificate, claims=b"x", claims_digest=bytes(32))
    with pytest.raises(ValueError, match="32 bytes"):
        affiant.verify_receipt(receipt, certificate, claims_digest=b"x")
