"""Transactions that begin and end with a ``with`` block."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from types import TracebackType

from affiant import _native

COMMIT_SECONDS = 60.0
"""How long the end of a block waits for commit, unless told otherwise."""


class Transaction:
    """One transaction, in a ``with`` block: kept when the block ends, gone if it raises.

    While the block runs, ``ccf.kv`` and its siblings are in this transaction, on this thread;
    :attr:`kv` is, on any. Once the block has ended, what was written is on disk and proven.

    Attributes:
        transaction_id: once the block has ended: ``"2.17"``; that of the state that was read, if
            nothing was written; None if nothing was read either, or nothing was kept.
        wrote: whether the transaction is in the ledger as one of its own.
    """

    def __init__(
        self,
        begin: Callable[[], _native.Transaction],
        *,
        wait: bool = True,
        timeout: float = COMMIT_SECONDS,
    ) -> None:
        self._begin = begin
        self._timeout = timeout if wait else None
        self._native: _native.Transaction | None = None
        self._state = "new"
        self._aborted = False
        self.transaction_id: str | None = None
        self.wrote = False

    def __enter__(self) -> Transaction:
        if self._state != "new":
            raise RuntimeError("a transaction has one block; begin another one")
        self._native = self._begin()
        self._native.enter()
        self._state = "open"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        native = self._running()
        self._state = "ended"
        self._native = None
        native.leave()
        if kind is not None or self._aborted:
            native.drop()
            return
        try:
            self.wrote = native.commit(self._timeout)
        finally:
            # Also where the wait was cut short: then it says whose status is to be asked for.
            self.transaction_id = native.transaction_id

    @property
    def kv(self) -> _native.Kv:
        """The maps, as ``ccf.kv``: ``tx.kv["name"][key]``."""
        return self._running().kv

    def set_claims(self, claims: bytes) -> None:
        """Binds the transaction to what it claims: its receipt attests the SHA-256 of `claims`.

        Args:
            claims: any bytes; they are not stored, whoever verifies the receipt must have them.
        """
        self.set_claims_digest(hashlib.sha256(claims).digest())

    def set_claims_digest(self, digest: bytes) -> None:
        """As :meth:`set_claims`, by the digest: 32 bytes.

        Raises:
            ValueError: it has another length.
        """
        if len(digest) != 32:
            raise ValueError(f"a claims digest is 32 bytes long (SHA-256), not {len(digest)}")
        self._running().set_claims_digest(bytes(digest))

    def abort(self) -> None:
        """Lets the block end without keeping anything."""
        self._running()
        self._aborted = True

    def _running(self) -> _native.Transaction:
        if self._native is None:
            raise RuntimeError(
                "this transaction has not begun: use it in a with block"
                if self._state == "new"
                else "this transaction has ended with its block"
            )
        return self._native

    def __repr__(self) -> str:
        if self._state != "ended":
            return f"<Transaction, {'open' if self._native else 'not begun'}>"
        if self.transaction_id is None:
            return "<Transaction, ended without a trace>"
        return f"<Transaction {self.transaction_id}{'' if self.wrote else ', read only'}>"


def here(*, read_only: bool = False, wait: bool = True) -> Transaction:
    """A transaction outside of requests, on the node of this process or the ledger that is open in it.

    >>> with ccf.transaction():
    ...     ccf.kv["jobs"]["last"] = {"done": True}

    It is kept when the block ends, which waits until it is on disk, and gone if the block raises.

    Args:
        read_only: writing in it is an error.
        wait: False: do not wait until it is on disk.

    Raises (as the block begins):
        NoTransactionError: a transaction runs here already, or this process has no node and no open
            ledger, or several.

    Raises (as the block ends):
        affiant.ConflictError: another transaction changed what this one read: do it again.
    """
    return Transaction(lambda: _native.begin_here(read_only), wait=wait)
