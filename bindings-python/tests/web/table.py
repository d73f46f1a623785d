"""How the tables of requests write a request: a plain dict that any HTTP client can send."""

from __future__ import annotations

import json
from typing import TypedDict

JSON = ("content-type", "application/json")
FORM = ("content-type", "application/x-www-form-urlencoded")
BOUNDARY = "limit-of-parts"
MULTIPART = ("content-type", f"multipart/form-data; boundary={BOUNDARY}")


class Request(TypedDict):
    """``path`` is percent-encoded, below ``/app``, with its query."""

    name: str
    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


def request(
    method: str,
    path: str,
    headers: list[tuple[str, str]] | None = None,
    body: bytes = b"",
    json_body: object = None,
    name: str | None = None,
) -> Request:
    """One request; its name is its method and path unless given."""
    headers = list(headers or [])
    # Each client would say its own name.
    if not any(header.lower() == "user-agent" for header, _ in headers):
        headers.append(("User-Agent", "table"))
    if json_body is not None:
        headers.append(JSON)
        body = json.dumps(json_body).encode()
    name = name or f"{method} {path}"
    return {"name": name, "method": method, "path": path, "headers": headers, "body": body}


def multipart(*parts: tuple[str, str | None, str | None, bytes]) -> bytes:
    """A multipart body of (name, file name, content type, content)."""
    lines = []
    for name, file, kind, content in parts:
        disposition = f'form-data; name="{name}"' + (f'; filename="{file}"' if file else "")
        head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n"
        head += f"Content-Type: {kind}\r\n" if kind else ""
        lines.append(head.encode() + b"\r\n" + content + b"\r\n")
    return b"".join(lines) + f"--{BOUNDARY}--\r\n".encode()
