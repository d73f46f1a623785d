"""Ledger apps in confidential virtual machines, and ledgers for any program.

>>> import affiant
>>> with affiant.open("./data") as ledger:
...     with ledger.tx() as tx:
...         tx.kv["accounts"]["alice"] = {"balance": 10}
...     receipt = ledger.receipt(tx)
>>> affiant.verify_receipt(receipt, certificate_of_the_service)

:func:`open` a ledger in this process, :func:`serve` an app over HTTPS, :func:`verify_receipt` what
somebody else's service has committed; :mod:`affiant.testing` runs apps in tests. Inside an app, the
ledger is module :mod:`ccf`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import _affiant_ccf  # noqa: F401  (makes `import ccf` work where no .pth file is read)

if TYPE_CHECKING:
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

# Where each name is. Looked up when it is asked for: the package is also imported by what needs
# little of it, such as the finder of module `ccf` and the plugin of every pytest.
_PLACES = {
    "Check": "_receipt",
    "ConflictError": "_errors",
    "Ledger": "_ledger",
    "LedgerClosedError": "_errors",
    "LedgerError": "_errors",
    "Receipt": "_receipt",
    "Service": "_service",
    "Transaction": "_transaction",
    "Verdict": "_receipt",
    "VerificationError": "_errors",
    "__version__": "_native",
    "open": "_ledger",
    "serve": "_service",
    "verify_ledger": "_receipt",
    "verify_receipt": "_receipt",
}

__all__ = [
    "Check",
    "ConflictError",
    "Ledger",
    "LedgerClosedError",
    "LedgerError",
    "Receipt",
    "Service",
    "Transaction",
    "Verdict",
    "VerificationError",
    "__version__",
    "open",
    "serve",
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
