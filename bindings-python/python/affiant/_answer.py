"""Answers, and their headers."""

from __future__ import annotations

import json as _json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

TRANSACTION_ID = "x-ms-ccf-transaction-id"


class Headers(Mapping[str, str]):
    """Headers by name, in any case; those that repeat are joined by a comma."""

    def __init__(self, items: Iterable[tuple[str, str]]) -> None:
        self.items_list = [(name.lower(), value) for name, value in items]

    def __getitem__(self, name: str) -> str:
        found = self.get_list(name)
        if not found:
            raise KeyError(name)
        return ", ".join(found)

    def get_list(self, name: str) -> list[str]:
        """Every value under a name, such as ``set-cookie``."""
        return [value for known, value in self.items_list if known == name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.items_list))

    def __len__(self) -> int:
        return len({name for name, _ in self.items_list})

    def __repr__(self) -> str:
        return f"Headers({self.items_list!r})"


class Answer:
    """The answer to one request.

    Attributes:
        status_code: such as 200.
        headers: by name, in any case.
        content: the body's bytes.
        transaction_id: such as ``"2.17"``; None if no transaction was kept.
    """

    def __init__(
        self, request: str, status_code: int, headers: list[tuple[str, str]], content: bytes
    ) -> None:
        self._request = request
        self.status_code = status_code
        self.headers = Headers(headers)
        self.content = content
        self.transaction_id: str | None = self.headers.get(TRANSACTION_ID)

    @property
    def ok(self) -> bool:
        """Whether the status is below 400."""
        return self.status_code < 400

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body's value. Raises `ValueError` if it is no JSON."""
        return _json.loads(self.content)

    def __repr__(self) -> str:
        return f"<Answer {self.status_code} to {self._request}, {len(self.content)} bytes>"
