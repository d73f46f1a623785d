"""``ccf.network``: what is known of the service, from its public tables.

Each function reads in the running transaction.
"""

from __future__ import annotations

import json
from typing import Any

from affiant._native import kv

_SINGLETON = bytes(8)


def _single(table: str) -> Any:
    value = kv[table].get(_SINGLETON)
    return None if value is None else json.loads(value)


def get_service_certificate() -> str | None:
    """The service's certificate as PEM; None before the service is there."""
    info = _single("public:ccf.gov.service.info")
    return None if info is None else info.get("cert")


def get_service_status() -> str | None:
    """``Opening``, ``Open``, ...; None before the service is there."""
    info = _single("public:ccf.gov.service.info")
    return None if info is None else info.get("status")


def get_nodes() -> dict[str, dict[str, Any]]:
    """What the tables say of each node, by node id (hex SHA-256 of its public key)."""
    nodes = kv["public:ccf.gov.nodes.info"]
    return {key.decode(): json.loads(value) for key, value in nodes.items()}
