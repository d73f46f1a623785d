"""Headers of answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping


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
