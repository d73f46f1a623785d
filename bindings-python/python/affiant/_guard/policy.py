"""What an app may do beyond computing and using the store: `[tool.affiant.policy]`.

Everything is denied unless a line of the policy allows it. A policy is read once, judged whole (every
problem is reported, not the first alone) and never changes afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_PATHS = ("read", "write")
_FLAGS = ("subprocess", "ctypes")
_LISTS = ("read", "write", "network", "modules", "environment")
_KEYS = _LISTS + _FLAGS
_MOST_ITEMS = 1000
_LONGEST_ITEM = 4096


class PolicyError(ValueError):
    """A policy that cannot be used. `problems` holds one text per problem, each with its cure."""

    def __init__(self, place: str, problems: list[str]) -> None:
        """Keep `problems`, found in the file `place`."""
        self.problems = tuple(problems)
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"[tool.affiant.policy] in {place} cannot be used:{lines}")


@dataclass(frozen=True, slots=True)
class Policy:
    """What the app may do, by kind.

    read, write: absolute paths; each allows itself and everything below it (write includes read).
    network: "host:port", "host:*" or "*".
    subprocess, ctypes: whether other programs may be started, and native functions called.
    modules: standard modules off the allow-list that the app may import.
    environment: names of environment variables the app may see.
    """

    read: tuple[str, ...] = ()
    write: tuple[str, ...] = ()
    network: tuple[str, ...] = ()
    subprocess: bool = False
    ctypes: bool = False
    modules: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()

    @classmethod
    def parse(cls, table: dict[str, Any], place: str) -> Policy:
        """The policy a table of TOML or JSON describes.

        `place` names the file the table is from, for messages. Raises `PolicyError` with every problem.
        """
        if not isinstance(table, dict):
            raise PolicyError(place, [f"it is {_kind(table)}; write a table of keys and values"])
        problems: list[str] = []
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key in _FLAGS:
                if isinstance(value, bool):
                    values[key] = value
                else:
                    problems.append(f"{key}: {_kind(value)} is not a flag; write {key} = true")
            elif key in _LISTS:
                values[key] = _items(key, value, problems)
            else:
                problems.append(f"{key}: no such key; the keys are {', '.join(_KEYS)}")
        if problems:
            raise PolicyError(place, problems)
        return cls(**values)

    def table(self) -> dict[str, Any]:
        """The policy as a table of JSON values, keys in fixed order, denials left out."""
        found: dict[str, Any] = {}
        for key in _KEYS:
            value = getattr(self, key)
            if value:
                found[key] = value if isinstance(value, bool) else list(value)
        return found


def _items(key: str, value: Any, problems: list[str]) -> tuple[str, ...]:
    """The strings of the list `value`; what is wrong with them is added to `problems`."""
    if not isinstance(value, list):
        problems.append(f'{key}: {_kind(value)} is not a list; write {key} = ["..."]')
        return ()
    if len(value) > _MOST_ITEMS:
        problems.append(f"{key}: {len(value)} items; at most {_MOST_ITEMS} are read")
        return ()
    for index, item in enumerate(value):
        fault = _fault(key, item)
        if fault:
            problems.append(f"{key}[{index}]: {fault}")
    return tuple(item for item in value if isinstance(item, str))


def _fault(key: str, item: Any) -> str | None:
    """What is wrong with one item of the list `key`, and its cure; None if it is right."""
    if not isinstance(item, str):
        return f'{_kind(item)} is not a string; write it in quotes, like "..."'
    if not item or len(item) > _LONGEST_ITEM or "\0" in item:
        return f"{item[:40]!r} is empty, too long or holds a zero byte; write 1 to {_LONGEST_ITEM} characters"
    if key in _PATHS:
        if not item.startswith("/") or "/../" in item + "/":
            return f"{item!r} is not an absolute path without '..'; write it from the root, like \"/etc/app\""
        return None
    if key == "network":
        return _network_fault(item)
    if key == "modules" and not all(part.isidentifier() for part in item.split(".")):
        return f'{item!r} is not the name of a module; write it like "multiprocessing"'
    if key == "environment" and "=" in item:
        return f"{item!r} holds a value; write the name alone, the value comes from the environment"
    return None


def _network_fault(item: str) -> str | None:
    """What is wrong with one rule of the network, and its cure; None if it is right."""
    if item == "*":
        return None
    host, colon, port = item.rpartition(":")
    number = port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536
    if not colon or not host or not (port == "*" or number):
        return f'{item!r} is not a place of the network; write "host:port", "host:*" or "*"'
    if "*" in host:
        return f'{item!r} has a pattern in the host; name the host, or write "*" for every host'
    if ":" in host and not (host.startswith("[") and host.endswith("]")):
        return f'{item!r} has an IPv6 address without brackets; write "[{host}]:{port}"'
    return None


def _kind(value: Any) -> str:
    """What a value is, in the words of TOML, shortened."""
    names = {bool: "a flag", int: "a number", float: "a number", str: "a string", list: "a list"}
    text = repr(value)
    return f"{names.get(type(value), 'a ' + type(value).__name__)} ({text[:40]})"


@dataclass(frozen=True, slots=True)
class Places:
    """Where code and data may come from.

    roots: directories of Affiant and of the app's libraries, as written and as resolved.
    standard: directories of the standard library, as written and as resolved; what is installed below
        them is not theirs.
    app: the resolved directory of the app's sources, if they are files.
    own: the directory of the guard, with a slash at its end.
    policy: the file the policy is in, for messages.
    described: files that describe the app, as written and as resolved.
    """

    roots: tuple[str, ...]
    standard: tuple[str, ...]
    app: str | None
    own: str
    policy: str
    described: tuple[str, ...] = ()

    @property
    def trusted(self) -> tuple[str, ...]:
        """Prefixes of the file names of code that is not the app's."""
        return tuple(directory + "/" for directory in (*self.roots, *self.standard))
