"""Ledger apps in confidential virtual machines, and ledgers for any program.

>>> import affiant
>>> with affiant.open("./data") as ledger:
...     with ledger.tx() as tx:
...         tx.kv["accounts"]["alice"] = {"balance": 10}
...     receipt = ledger.receipt(tx)
>>> affiant.verify_receipt(receipt, certificate_of_the_service)
>>> affiant.verify("https://example.com:8000", "policy.json")

:func:`open` a ledger in this process, :func:`serve` an app over HTTPS, :func:`verify_receipt` what
somebody else's service has committed, :func:`verify` that service itself, before anything is sent
to it; :mod:`affiant.testing` runs apps in tests. Inside an app, the
ledger is module :mod:`ccf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import _affiant_ccf  # noqa: F401  (makes `import ccf` work where no .pth file is read)

if TYPE_CHECKING:
    from affiant._answer import Answer as Answer
    from affiant._errors import ConflictError as ConflictError
    from affiant._errors import LedgerClosedError as LedgerClosedError
    from affiant._errors import LedgerError as LedgerError
    from affiant._errors import VerificationError as VerificationError
    from affiant._ledger import Ledger as Ledger
    from affiant._ledger import open as open
    from affiant._native import __version__ as __version__
    from affiant._receipt import Check as Check
    from affiant._receipt import Receipt as Receipt
    from affiant._receipt import Verdict as Verdict
    from affiant._receipt import verify_ledger as verify_ledger
    from affiant._receipt import verify_receipt as verify_receipt
    from affiant._service import Service as Service
    from affiant._service import serve as serve
    from affiant._transaction import Transaction as Transaction
    from affiant._verify import EvidenceCheck as EvidenceCheck
    from affiant._verify import EvidenceVerdict as EvidenceVerdict
    from affiant._verify import NotTrusted as NotTrusted
    from affiant._verify import ServiceVerdict as ServiceVerdict
    from affiant._verify import VerifiedClient as VerifiedClient
    from affiant._verify import verify as verify
    from affiant._verify import verify_evidence as verify_evidence

# Where each name is. Looked up when it is asked for: the package is also imported by what needs
# little of it, such as the finder of module `ccf` and the plugin of every pytest.
_PLACES = {
    "Answer": "_answer",
    "Check": "_receipt",
    "ConflictError": "_errors",
    "EvidenceCheck": "_verify",
    "EvidenceVerdict": "_verify",
    "Ledger": "_ledger",
    "LedgerClosedError": "_errors",
    "LedgerError": "_errors",
    "NotTrusted": "_verify",
    "Receipt": "_receipt",
    "Service": "_service",
    "ServiceVerdict": "_verify",
    "Transaction": "_transaction",
    "Verdict": "_receipt",
    "VerificationError": "_errors",
    "VerifiedClient": "_verify",
    "__version__": "_native",
    "open": "_ledger",
    "serve": "_service",
    "verify": "_verify",
    "verify_evidence": "_verify",
    "verify_ledger": "_receipt",
    "verify_receipt": "_receipt",
}

__all__ = [
    "Answer",
    "Check",
    "ConflictError",
    "EvidenceCheck",
    "EvidenceVerdict",
    "Ledger",
    "LedgerClosedError",
    "LedgerError",
    "NotTrusted",
    "Receipt",
    "Service",
    "ServiceVerdict",
    "Transaction",
    "Verdict",
    "VerificationError",
    "VerifiedClient",
    "__version__",
    "open",
    "serve",
    "verify",
    "verify_evidence",
    "verify_ledger",
    "verify_receipt",
]


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'affiant' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"affiant.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
