"""A map's typed layer as a whole: ``ccf.kv["name"].json``."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from affiant._native import Map


class JsonMap(MutableMapping[str, Any]):
    """A map of the store with keys of `str` and JSON values, in every operation; iterated in key order.

    Each look and each iteration reads in the running transaction. A map that also has keys which are no
    UTF-8, or values which are no JSON, raises `ValueError` where they are met.
    """

    __slots__ = ("_map",)

    def __init__(self, map: Map) -> None:
        self._map = map

    def __getitem__(self, key: str) -> Any:
        return self._map[_checked(key)]

    def __setitem__(self, key: str, value: Any) -> None:
        self._map[_checked(key)] = value

    def __delitem__(self, key: str) -> None:
        del self._map[_checked(key)]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key in self._map

    def __len__(self) -> int:
        return len(self._map)

    def __iter__(self) -> Iterator[str]:
        return iter(self._map.keys(str))

    def range(
        self, start: str | None = None, stop: str | None = None, limit: int | None = None
    ) -> list[tuple[str, Any]]:
        """Entries with ``start <= key < stop``, ascending, at most `limit`; None is open."""
        if start is None and stop is None:
            start = ""
        return self._map.range(start, stop, limit)

    def __repr__(self) -> str:
        return f"<JSON of map {self._map.name!r}>"


def _checked(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key of a map's JSON layer is str, not {type(key).__name__}")
    return key


MutableMapping.register(Map)
