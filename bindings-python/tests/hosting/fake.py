"""A stand-in for the node's native request: the documented attributes, from plain Python."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote_plus


class FakeBody:
    """What the native ``Body`` offers."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def bytes(self) -> bytes:
        return self._data

    array_buffer = bytes
    __bytes__ = bytes

    def text(self) -> str:
        return self._data.decode()

    __str__ = text

    def json(self) -> Any:
        return json.loads(self._data)

    def __len__(self) -> int:
        return len(self._data)


class FakeCaller:
    """What the native ``Caller`` offers to a gateway."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def __getattr__(self, name: str) -> Any:
        try:
            return self._fields[name]
        except KeyError:
            raise AttributeError(name) from None

    def to_dict(self) -> dict[str, Any]:
        return dict(self._fields)


class FakeRequest:
    """A request as the node makes it; ``path`` and ``query`` are given as they were sent."""

    def __init__(
        self,
        method: str = "GET",
        path: str = "/app/",
        query: str = "",
        headers: list[tuple[str, str]] | None = None,
        body: bytes = b"",
        caller: dict[str, Any] | None = None,
    ) -> None:
        items = [(name.lower(), value) for name, value in headers or []]
        self.method = method
        self.path = path
        self.app_path = path[4:] if path.startswith("/app/") else path
        self.raw_query = query
        self.query = unquote_plus(query)
        self.url = f"{path}?{query}" if query else path
        self.route = self.app_path
        self.params: dict[str, str] = {}
        self.header_items = items
        self.headers: dict[str, str] = {}
        for name, value in items:
            self.headers[name] = f"{self.headers[name]},{value}" if name in self.headers else value
        self.body = FakeBody(body)
        self.caller = None if caller is None else FakeCaller(caller)
        self.hostname = self.headers.get("host")

    @property
    def data(self) -> Any:
        if "json" in self.headers.get("content-type", ""):
            return self.body.json()
        try:
            return self.body.text()
        except UnicodeDecodeError:
            return self.body.bytes()

    def __getitem__(self, name: str) -> Any:
        return getattr(self, name)
