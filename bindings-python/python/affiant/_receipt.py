"""Receipts and ledgers, verified offline."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from affiant import _native
from affiant._errors import VerificationError

FILE_BYTES_MAX = 16 << 20


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: such as ``signature`` or ``claims``.
        outcome: ``passed``, ``failed`` or ``skipped``.
        explanation: what was compared, in plain words.
        form: the form of the receipt, ``json`` or ``cose``.
    """

    name: str
    outcome: str
    explanation: str
    form: str


@dataclass(frozen=True)
class Verdict:
    """What a verification found.

    Attributes:
        valid: the signature was checked, it leads to the certificate, and nothing failed.
        transaction_id: the transaction that the receipt is of, such as ``"2.17"``; None if it
            does not say, as that of a signature.
        checks: every check.
    """

    valid: bool
    transaction_id: str | None
    checks: tuple[Check, ...]

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == "failed")

    def __bool__(self) -> bool:
        return self.valid

    def __repr__(self) -> str:
        return "\n".join([self.summary(), *(f"  {line}" for line in self._lines())])

    def summary(self) -> str:
        """One sentence."""
        which = f"transaction {self.transaction_id}" if self.transaction_id else "the transaction"
        if self.valid:
            return f"Verified: the service committed {which}."
        return f"NOT VERIFIED: this does not show that the service committed {which}."

    def _lines(self) -> list[str]:
        words = {"passed": "ok", "failed": "FAILED", "skipped": "not checked"}
        width = max((len(check.name) for check in self.checks), default=0)
        return [
            f"{words[check.outcome]:11} {check.name:{width}}  {check.explanation}"
            for check in self.checks
        ]

    def _repr_html_(self) -> str:
        from affiant import _notebook

        return _notebook.verdict(self)


class Receipt:
    """The proof that a transaction is in a ledger: who has it needs to trust nobody's disk.

    Attributes:
        transaction_id: such as ``"2.17"``.
        cose: the receipt as a COSE_Sign1 message; None for a signature's transaction.
    """

    def __init__(
        self, text: str, cose: bytes | None, transaction_id: str, service_certificate: str
    ) -> None:
        self._text = text
        self._service_certificate = service_certificate
        self.transaction_id = transaction_id
        self.cose = cose

    def to_dict(self) -> dict[str, Any]:
        """The receipt as ``GET /node/receipt`` answers it."""
        value: dict[str, Any] = json.loads(self._text)
        return value

    def to_json(self) -> str:
        """The same as JSON text."""
        return self._text

    @property
    def claims_digest(self) -> bytes | None:
        """What it attests beside the transaction: 32 bytes; None if nothing."""
        parts = self.to_dict().get("leaf_components") or {}
        digest = bytes.fromhex(parts.get("claims_digest", ""))
        return digest if any(digest) else None

    def verify(
        self,
        service_certificate: str | os.PathLike[str] | None = None,
        *,
        claims: bytes | None = None,
        claims_digest: bytes | None = None,
    ) -> Verdict:
        """Verifies it in both forms; see :func:`affiant.verify_receipt`.

        Args:
            service_certificate: PEM, or the path of a file. None: that of the ledger which gave
                the receipt, which shows that the two belong together; somebody who does not trust
                that ledger brings the certificate that he trusts.
            claims: what :meth:`Transaction.set_claims` was given, if that is to be checked.
            claims_digest: its SHA-256, in its place.
        """
        certificate = (
            self._service_certificate if service_certificate is None else service_certificate
        )
        forms: list[bytes | str] = [self._text, *([self.cose] if self.cose else [])]
        verdicts = [
            verify_receipt(form, certificate, claims=claims, claims_digest=claims_digest)
            for form in forms
        ]
        checks = tuple(check for verdict in verdicts for check in verdict.checks)
        return Verdict(True, verdicts[0].transaction_id, checks)

    def __repr__(self) -> str:
        claims = self.claims_digest
        what = f", claims {claims.hex()[:16]}..." if claims else ""
        return f"<Receipt of {self.transaction_id}{what}>"

    def _repr_html_(self) -> str:
        from affiant import _notebook

        return _notebook.receipt(self)


def verify_receipt(
    receipt: dict[str, Any] | bytes | str | os.PathLike[str] | Receipt,
    service_certificate: str | os.PathLike[str],
    *,
    claims: bytes | None = None,
    claims_digest: bytes | None = None,
    now: float | None = None,
) -> Verdict:
    """Verifies a receipt offline, against the certificate of the service that is trusted.

    Args:
        receipt: the object of a JSON receipt, its text, the bytes of either form (JSON or COSE),
            the path of a file with either, or a :class:`Receipt`.
        service_certificate: PEM, or the path of a file.
        claims: bytes whose SHA-256 the receipt must attest. None: claims are not compared.
        claims_digest: the SHA-256 itself, 32 bytes, in place of `claims`.
        now: unix seconds at which certificates must be valid. None: validity is not checked,
            since a receipt speaks of the past.

    Returns:
        A verdict that lists every check; it is valid.

    Raises:
        VerificationError: a check failed; the message says which, ``verdict`` has all of them.
        ValueError: receipt or certificate cannot be read as such.
        OSError: a file cannot be read.
    """
    if isinstance(receipt, Receipt):
        receipt = receipt.to_json()
    form, valid, transaction_id, found = _native.verify_receipt(
        _receipt_bytes(receipt),
        _certificate(service_certificate),
        None if claims is None else bytes(claims),
        None if claims_digest is None else bytes(claims_digest),
        None if now is None else int(now),
    )
    checks = tuple(Check(*check, form) for check in found)
    verdict = Verdict(valid, transaction_id, checks)
    if not valid:
        reasons = [f"{check.name}: {check.explanation}" for check in verdict.failed]
        reasons = reasons or ["the signature was not checked"]
        raise VerificationError(f"{form} receipt: {'; '.join(reasons)}", verdict)
    return verdict


def verify_ledger(
    path: str | os.PathLike[str],
    service_certificate: str | os.PathLike[str] | None = None,
) -> dict[str, Any]:
    """Audits ledger files: every entry, every root and every signature.

    Args:
        path: a directory of ledger files (``ledger_1-14.committed``, ...), or the directory that
            was given to :func:`affiant.open`.
        service_certificate: PEM, or the path of a file: the service that must have signed. None:
            whichever service the ledger itself names.

    Returns:
        What was found: transactions, signatures, services, findings, as
        ``affiant ledger verify --json`` prints it.

    Raises:
        VerificationError: the audit found an error; the message has the first of them.
        ValueError: the ledger or the certificate cannot be read.
    """
    directory = Path(path)
    if (directory / "ledger").is_dir():
        directory /= "ledger"
    certificate = None if service_certificate is None else _certificate(service_certificate)
    report: dict[str, Any] = json.loads(_native.verify_ledger(str(directory), certificate))
    if not report["verified"]:
        findings = [one for one in report.get("findings", []) if one.get("severity") != "note"]
        first = findings[0] if findings else {}
        where = f"{first.get('chunk', directory)}, transaction {first.get('seqno', '?')}"
        message = f"{first.get('check', 'verdict')}: {first.get('explanation', 'not valid')}"
        error = VerificationError(f"{where}: {message}")
        error.add_note(json.dumps(report, indent=1)[:4_000])
        raise error
    return report


def _receipt_bytes(receipt: dict[str, Any] | bytes | str | os.PathLike[str]) -> bytes:
    if isinstance(receipt, dict):
        return json.dumps(receipt).encode()
    if isinstance(receipt, (bytes, bytearray, memoryview)):
        return bytes(receipt)
    if isinstance(receipt, str):
        if receipt.lstrip().startswith("{"):
            return receipt.encode()
        raise ValueError("a receipt of str is JSON text; for a file, give a pathlib.Path")
    if isinstance(receipt, os.PathLike):
        return _read(receipt)
    raise TypeError(f"a receipt is a dict, bytes, str or a path, not {type(receipt).__name__}")


def _certificate(certificate: str | os.PathLike[str]) -> str:
    if isinstance(certificate, str):
        if "-----BEGIN CERTIFICATE-----" not in certificate:
            raise ValueError(
                "a service certificate of str is PEM text; for a file, give a pathlib.Path"
            )
        return certificate
    if isinstance(certificate, os.PathLike):
        return _read(certificate).decode("utf-8", "replace")
    raise TypeError(f"a certificate is PEM text or a path, not {type(certificate).__name__}")


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        content = file.read(FILE_BYTES_MAX + 1)
    if len(content) > FILE_BYTES_MAX:
        raise ValueError(f"{os.fspath(path)} has more than {FILE_BYTES_MAX} bytes")
    return content
