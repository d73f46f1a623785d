"""Sends a table of requests to two servers of the same app and lists where they differ.

python compare.py flask https://127.0.0.1:8000     (a node that serves the app)
"""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from http.client import HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from table import Request

HOST = "node.example:8443"
ROOT = "/app"

Answer = tuple[int, list[tuple[str, str]], bytes]
Send = Callable[[Request], Answer]

UNCOMPARED = frozenset(
    {
        # Said by the node, which knows the body's end and speaks for the connection.
        "content-length",
        "date",
        "server",
        "connection",
        "keep-alive",
        "transfer-encoding",
        # Said by the node of the transaction.
        "x-ms-ccf-transaction-id",
    }
)


def comparable(answer: Answer) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers less those of the server itself, in the order of their names, and body."""
    status, headers, body = answer
    kept = [(n.lower(), v) for n, v in headers if n.lower() not in UNCOMPARED]
    # Flask lists the methods of a class in the order of a set, another in each process.
    kept = [(n, ", ".join(sorted(v.split(", "))) if n == "allow" else v) for n, v in kept]
    return status, sorted(kept, key=lambda pair: pair[0]), body


def difference(request: Request, one: Answer, other: Answer) -> str | None:
    """What differs between two answers; None if nothing does."""
    first, second = comparable(one), comparable(other)
    if first == second:
        return None
    parts = [
        f"{what}: {a!r:.300} and {b!r:.300}"
        for what, a, b in zip(("status", "headers", "body"), first, second, strict=True)
        if a != b
    ]
    return f"{request['name']}: " + "; ".join(parts)


def flask_client(app: Any) -> Send:
    """Flask's own test client, without cookies of earlier answers."""
    app.testing = False
    client = app.test_client(use_cookies=False)

    def send(request: Request) -> Answer:
        path, _, query = request["path"].partition("?")
        response = client.open(
            path,
            base_url=f"https://{HOST}{ROOT}",
            query_string=query,
            method=request["method"],
            headers=request["headers"],
            data=request["body"],
        )
        return response.status_code, list(response.headers), response.get_data()

    return send


def fastapi_client(client: Any) -> Send:
    """FastAPI's own test client, which the caller opens and closes."""

    def send(request: Request) -> Answer:
        client.cookies.clear()
        response = client.request(
            request["method"],
            f"https://{HOST}{ROOT}{request['path']}",
            headers=[(n.encode(), v.encode("latin-1")) for n, v in request["headers"]],
            content=request["body"] or None,
            follow_redirects=False,
        )
        headers = [(n.decode(), v.decode("latin-1")) for n, v in response.headers.raw]
        return response.status_code, headers, response.content

    return send


def http_client(url: str, context: ssl.SSLContext) -> Send:
    """A node over HTTPS; ``context`` holds what it is trusted by and the client's certificate."""
    to = urlsplit(url)

    def send(request: Request) -> Answer:
        connection = HTTPSConnection(to.hostname or "", to.port, timeout=60, context=context)
        try:
            connection.putrequest(request["method"], ROOT + request["path"], skip_host=True)
            connection.putheader("Host", HOST)
            for name, value in request["headers"]:
                connection.putheader(name, value.encode("latin-1"))
            if request["body"] or request["method"] not in ("GET", "HEAD"):
                connection.putheader("Content-Length", str(len(request["body"])))
            connection.endheaders(request["body"] or None)
            response = connection.getresponse()
            return response.status, response.getheaders(), response.read()
        finally:
            connection.close()

    return send


def main(arguments: list[str]) -> int:
    """Compares the framework's own client with a node; says how many answers differ."""
    if len(arguments) != 2 or arguments[0] not in ("flask", "fastapi"):
        print(__doc__, file=sys.stderr)
        return 2
    # The node's certificate is its own; what is compared here is what it answers.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    node = http_client(arguments[1], context)
    if arguments[0] == "flask":
        from flask_app import app
        from requests_flask import REQUESTS

        return _report(REQUESTS, flask_client(app), node)
    from fastapi.testclient import TestClient
    from fastapi_app import app as api
    from requests_fastapi import REQUESTS as TABLE

    with TestClient(api, root_path=ROOT, raise_server_exceptions=False) as client:
        return _report(TABLE, fastapi_client(client), node)


def _report(requests: list[Request], own: Send, node: Send) -> int:
    found = [difference(request, own(request), node(request)) for request in requests]
    differences = [line for line in found if line]
    print("\n".join(differences))
    print(f"{len(requests)} requests, {len(differences)} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
