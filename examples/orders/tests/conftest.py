"""Two ways to send the same requests: FastAPI's own test client, and Affiant's."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import affiant
import affiant.testing
import orders
import pytest
from fastapi.testclient import TestClient

USERS = ("alice", "bob")


class InTransaction:
    """Around an ASGI app for tests without a node: what the node does for each request.

    A request runs in a transaction of `ledger`, kept on success; `scope["ccf"]` has the caller, here
    one whom the tests name by a header.
    """

    def __init__(self, app: Any, ledger: affiant.Ledger) -> None:
        self.app = app
        self.ledger = ledger

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = dict(scope["headers"]).get(b"x-test-user")
        caller = None
        if name is not None:
            caller = {"policy": "user_cert", "id": hashlib.sha256(name).hexdigest(), "data": {}}
        held: list[Any] = []

        async def hold(message: Any) -> None:
            held.append(message)

        with self.ledger.tx() as tx:
            await self.app({**scope, "ccf": {"caller": caller}}, receive, hold)
            if not 200 <= held[0]["status"] <= 299:
                tx.abort()
        for message in held:
            await send(message)


@pytest.fixture
def fastapi_clients(ledger: affiant.Ledger) -> Iterator[dict[str, Any]]:
    """FastAPI's test client, by user; "" is nobody."""
    app = InTransaction(orders.app, ledger)
    with TestClient(app) as anonymous:
        named = {name: TestClient(app, headers={"x-test-user": name}) for name in USERS}
        yield {"": anonymous, **named}


@pytest.fixture
def affiant_clients(client: affiant.testing.Client) -> dict[str, Any]:
    """Affiant's test client, by user; "" is nobody."""
    return {"": client.anonymous(), **{name: client.as_user(name) for name in USERS}}


@pytest.fixture(params=["fastapi", "affiant"])
def clients(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Each test runs with both."""
    found: dict[str, Any] = request.getfixturevalue(f"{request.param}_clients")
    return found
