"""The ledger, as an app sees it: ``import ccf``.

While a request is handled, ``ccf.kv["name"]`` is a map of the store in that request's transaction; what is
written is encrypted, proven and on disk once the request is answered with success, and gone otherwise.

>>> import ccf
>>> @ccf.endpoint("/notes/{id}", methods=["PUT"])
... def put(request):
...     ccf.kv["notes"][request.params["id"]] = request.body.json()

Outside of requests, such as in a background thread, ``with ccf.transaction():`` begins one.

The functions are those of CCF's JavaScript interface, in snake_case, grouped as there.
"""

from __future__ import annotations

from typing import Any

import affiant._json_map as _json_map  # noqa: F401  (maps are mutable mappings)
from affiant._hosting.declared import endpoint
from affiant._hosting.handlers import HTTPError, Response
from affiant._native import (
    AccessError,
    Body,
    Caller,
    CryptoError,
    Error,
    HistoricalState,
    Map,
    NoTransactionError,
    Request,
    TimeLimitExceeded,
    kv,
)
from affiant._native import current_request as _current_request
from affiant._native import get_attestation
from affiant._native import historical_state as _historical_state
from affiant._native import tcb_hex_to_policy

from affiant._transaction import here as transaction

from . import consensus, crypto, historical, network, rpc, snp_attestation
from .converters import (
    buf_to_json_compatible,
    buf_to_str,
    json_compatible_to_buf,
    pem_to_id,
    str_to_buf,
)
from .crypto import digest
from .governance import create_proposal

__all__ = [
    "AccessError",
    "Body",
    "CCFPythonRuntime",
    "Caller",
    "CryptoError",
    "Error",
    "HTTPError",
    "HistoricalState",
    "Map",
    "NoTransactionError",
    "Request",
    "Response",
    "TimeLimitExceeded",
    "buf_to_json_compatible",
    "buf_to_str",
    "consensus",
    "create_proposal",
    "crypto",
    "digest",
    "endpoint",
    "get_attestation",
    "historical",
    "json_compatible_to_buf",
    "kv",
    "network",
    "pem_to_id",
    "rpc",
    "snp_attestation",
    "str_to_buf",
    "tcb_hex_to_policy",
    "transaction",
]


class CCFPythonRuntime:
    """The same surface as one object, for code that wants to be handed its runtime.

    Attributes:
        kv: the maps of the store.
        crypto: keys, signatures, hashes.
        network: what is known of the service.
        consensus: the state of transactions.
    """

    def __init__(self) -> None:
        self.kv = kv
        self.crypto = crypto
        self.network = network
        self.consensus = consensus

    def get_attestation(self, bound: bytes | str | None = None) -> Any:
        """Fresh evidence of the platform under this node; see :func:`ccf.get_attestation`."""
        return get_attestation(bound)

    def create_proposal(self, action: str, data: Any = None) -> Any:
        """Proposes a change to the service's members; see :func:`ccf.create_proposal`."""
        return create_proposal(action, data)


def __getattr__(name: str) -> Any:
    # What belongs to the running request is looked up each time, and not part of `import *`.
    if name == "request":
        return _current_request()
    if name == "historical_state":
        return _historical_state()
    raise AttributeError(f"module 'ccf' has no attribute {name!r}")
