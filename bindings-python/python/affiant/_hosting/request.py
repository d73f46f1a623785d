"""What both gateways, WSGI and ASGI, read from a request in the same way."""

from __future__ import annotations

import functools
from typing import Any

ROOT = "/app"
"""Where the node serves an app; requests also come without it."""


def root_of(path: str) -> str:
    """The part of a request's path that is the node's and not the app's: ``/app`` or nothing."""
    return ROOT if path.startswith(ROOT) and path[4:5] in ("", "/") else ""


def caller_of(request: Any) -> dict[str, Any] | None:
    """Who calls, as a plain dict with the names of the request's ``caller``; None if nobody."""
    caller = request.caller
    if caller is None:
        return None
    fields: dict[str, Any] = caller.to_dict()
    return fields


@functools.lru_cache(maxsize=64)
def server_of(host: str) -> tuple[str, str]:
    """Name and port of a ``Host`` header, port 443 if it names none."""
    name, colon, port = host.rpartition(":")
    if colon and port.isascii() and port.isdigit() and (not name.count(":") or name[-1:] == "]"):
        return name or "localhost", port
    return host or "localhost", "443"
