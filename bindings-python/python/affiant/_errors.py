"""The exceptions of package :mod:`affiant`; those of module :mod:`ccf` are beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affiant._native import Error

if TYPE_CHECKING:
    from affiant._receipt import Verdict


class LedgerError(Error):
    """A ledger cannot be opened, or cannot do what was asked for; the message says why."""


class LedgerClosedError(LedgerError):
    """The ledger is closed, has failed, or belongs to the process that this one was forked from."""


class ConflictError(LedgerError):
    """Another transaction changed what this one had read. Nothing of it was kept."""


class VerificationError(Exception):
    """A receipt or a ledger does not show what it should.

    Attributes:
        verdict: every check and how it ended; None where nothing could be read at all.
    """

    def __init__(self, message: str, verdict: Verdict | None = None) -> None:
        super().__init__(message)
        self.verdict = verdict
