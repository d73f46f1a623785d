"""A ledger in this process: ``affiant.open``."""

from __future__ import annotations

import atexit
import os
import random
import time
import weakref
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, TypeVar

from affiant import _native
from affiant._errors import ConflictError, LedgerError
from affiant._receipt import Receipt
from affiant._transaction import COMMIT_SECONDS, Transaction

T = TypeVar("T")

RUN_ATTEMPTS = 100
HISTORY_CHUNK = 100
BACKOFF_SECONDS_MAX = 0.05


def open(path: str | os.PathLike[str] | None = None) -> Ledger:
    """Opens a ledger: a durable, provable store in this process.

    >>> ledger = affiant.open("./data")
    >>> with ledger.tx() as tx:
    ...     tx.kv["accounts"]["alice"] = {"balance": 10}
    >>> ledger.receipt(tx).verify()

    Args:
        path: the directory of its data, which is made where it is missing; what is there is
            resumed: the same service, its transactions, its keys. The keys lie in the directory
            too (``sealing_key``), so it is as secret as what is stored. None: in memory, gone with
            the process.

    Raises:
        LedgerError: the directory is open already, here or in another process; its data is
            damaged; or it cannot be read or written.
    """
    directory = None if path is None else os.path.abspath(path)
    return Ledger(_native.Engine.open(directory), directory)


class Ledger:
    """An open ledger; made by :func:`affiant.open`. Any thread may use it.

    Use it in a ``with`` block, or call :meth:`close`. At the end of the process it is closed.

    Attributes:
        path: the directory of its data; None in memory.
    """

    def __init__(self, engine: _native.Engine, path: str | None) -> None:
        self._engine = engine
        self.path = path
        _live.add(self)

    def tx(
        self, *, read_only: bool = False, wait: bool = True, timeout: float = COMMIT_SECONDS
    ) -> Transaction:
        """A transaction, for a ``with`` block.

        It sees one state of the ledger, and its own writes. When the block ends it is committed:
        on disk, signed, and final. If the block raises, nothing of it is kept.

        Args:
            read_only: writing in it is an error.
            wait: False: do not wait until it is on disk; :meth:`sync` does, for all of them.
            timeout: seconds to wait for that.

        Raises (at the end of the block):
            ConflictError: another transaction changed what this one read; see :meth:`run`.
            LedgerClosedError: the ledger was closed, or its disk has failed.
            TimeoutError: it is not on disk in time; it may come to be.
        """
        return Transaction(lambda: self._engine.begin(read_only), wait=wait, timeout=timeout)

    def read(self) -> Transaction:
        """A transaction that only reads."""
        return self.tx(read_only=True)

    def run(
        self,
        function: Callable[[Transaction], T],
        *,
        attempts: int = RUN_ATTEMPTS,
        wait: bool = True,
        timeout: float = COMMIT_SECONDS,
    ) -> T:
        """Calls `function` with a transaction, again when it conflicts, and returns its result.

        Args:
            function: what is to be done; it may run several times, so everything that it does
                outside of the transaction may be done several times.
            attempts: how often, at most.
            wait: as for :meth:`tx`.
            timeout: as for :meth:`tx`.

        Raises:
            ConflictError: it conflicted each time.
        """
        if attempts < 1:
            raise ValueError("attempts is at least 1")
        for attempt in range(attempts):
            transaction = self.tx(wait=wait, timeout=timeout)
            ended = False
            try:
                with transaction as tx:
                    result = function(tx)
                    ended = True
            except ConflictError:
                # One that came out of the function is about another transaction.
                if not ended or attempt + 1 == attempts:
                    raise
                if attempt:
                    ceiling = min(BACKOFF_SECONDS_MAX, 0.0005 * 2 ** min(attempt, 10))
                    time.sleep(random.uniform(0, ceiling))
                continue
            return result
        raise ConflictError("unreachable: the last attempt returns or raises")

    def sync(self, timeout: float = COMMIT_SECONDS) -> str:
        """Waits until everything written so far is on disk, and returns the newest transaction's id.

        Raises:
            TimeoutError: not in that many seconds.
        """
        return self._engine.sync(timeout)

    def receipt(self, transaction: str | Transaction, timeout: float = 10.0) -> Receipt:
        """The proof of a transaction.

        Args:
            transaction: its id, such as ``"2.17"``, or a transaction whose block has ended.
            timeout: seconds to wait for its commit.

        Raises:
            LedgerError: there is no such transaction.
            ValueError: that is no transaction id.
            TimeoutError: it is not committed in time.
        """
        transaction_id = _id(transaction)
        text, cose = self._engine.receipt(transaction_id, timeout)
        return Receipt(text, cose, transaction_id, self.service_certificate)

    @property
    def service_certificate(self) -> str:
        """The certificate that every receipt of this ledger leads to, PEM: for those who verify."""
        return self._engine.service_certificate

    @property
    def last(self) -> str:
        """The id of the newest transaction."""
        return self._engine.positions[0]

    @property
    def committed(self) -> str:
        """The id of the newest transaction that is on disk and signed."""
        return self._engine.positions[1]

    @property
    def closed(self) -> bool:
        """Whether it was closed, or belongs to the process that this one was forked from."""
        return self._engine.closed

    def status(self, transaction_id: str) -> str:
        """``Committed``, ``Pending``, ``Unknown`` or ``Invalid``."""
        return self._engine.status(transaction_id)

    def map_names(self) -> list[str]:
        """The names of the maps that hold anything, ascending."""
        return self._engine.map_names()

    def transaction(self, transaction_id: str, timeout: float = 10.0) -> _native.HistoricalState:
        """One past transaction, read from the ledger and verified: ``.kv`` has what it wrote,
        ``.receipt`` its receipt as a dict.

        Raises:
            LedgerError: there is no such transaction, or it is not committed.
        """
        status = self.status(transaction_id)
        if status == "Pending":
            self._engine.wait(transaction_id, timeout)
        elif status != "Committed":
            raise LedgerError(f"transaction {transaction_id}: {status}")
        seqno = _seqno(transaction_id)
        return self._engine.states(seqno, seqno, timeout)[0]

    def history(
        self, first: int | str = 1, last: int | str | None = None, timeout: float = 60.0
    ) -> Iterator[_native.HistoricalState]:
        """Past transactions in order, each read from the ledger and verified.

        Args:
            first: the number or the id of the first one.
            last: that of the last one, included. None: the newest that is committed now.
            timeout: seconds to wait for each hundred of them.

        Raises:
            LedgerError: the ledger cannot be read there.
            TimeoutError: they are not there in time, such as those that are not written yet.
        """
        position = _seqno(first)
        end = _seqno(self.committed if last is None else last)
        while position <= end:
            upto = min(end, position + HISTORY_CHUNK - 1)
            yield from self._engine.states(position, upto, timeout)
            position = upto + 1

    def close(self) -> None:
        """Writes what there is to disk and ends. A second call does nothing.

        Raises:
            LedgerError: the ledger had failed before.
        """
        _live.discard(self)
        self._engine.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        place = "in memory" if self.path is None else repr(self.path)
        if self.closed:
            return f"<Ledger {place}, closed>"
        return f"<Ledger {place}, at {self.last}>"

    def _repr_html_(self) -> str:
        from affiant import _notebook

        return _notebook.ledger(self)


def _id(transaction: str | Transaction) -> str:
    if isinstance(transaction, Transaction):
        if transaction.transaction_id is None:
            raise LedgerError(f"{transaction!r} has no id: it is not in the ledger")
        return transaction.transaction_id
    if not isinstance(transaction, str):
        raise TypeError(f"a transaction id is a str, not {type(transaction).__name__}")
    return transaction


def _seqno(position: int | str) -> int:
    if isinstance(position, int):
        return position
    view, dot, seqno = position.partition(".")
    if not (view.isdecimal() and dot and seqno.isdecimal()):
        raise ValueError(f'{position!r} is no transaction id; they look like "2.17"')
    return int(seqno)


_live: weakref.WeakSet[Ledger] = weakref.WeakSet()


def _close_all() -> None:
    _native.process_ends()
    for ledger in list(_live):
        try:
            ledger.close()
        except LedgerError:
            # It has failed before, and whoever waited was told so.
            continue


def _forked() -> None:
    for ledger in list(_live):
        ledger._engine.forked()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forked)
