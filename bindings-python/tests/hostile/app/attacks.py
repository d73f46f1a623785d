"""What is common to the attacks: their table, and how those that have to end in the node do so.

An attack is a function of the request; the table says with what it is answered. The test imports this
module as well, to read the table.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Function = Callable[[Any], Any]

# How long what cannot be interrupted lasts in the node, in seconds: longer than a client waits for it.
BEYOND = 2.2


@dataclass(frozen=True)
class Attack:
    """An attack.

    function: what it does.
    statuses: with which of these it is answered.
    says: what its answer has in it.
    blocks: whether, in the node, it cannot be interrupted; it then ends after `BEYOND`, and its client is
        told earlier. In a worker it never ends by itself.
    only: "node" or "workers" if it means nothing or is fatal in the other; "" otherwise.
    """

    function: Function
    statuses: tuple[int, ...]
    says: str
    blocks: bool
    only: str


TABLE: dict[str, Attack] = {}
UNDO: list[Callable[[], object]] = []


def attack(
    *statuses: int, says: str = "", blocks: bool = False, only: str = ""
) -> Callable[[Function], Function]:
    """Puts a function into the table; without `statuses` it is answered with 500."""

    def add(function: Function) -> Function:
        name = function.__name__
        if name in TABLE:
            raise RuntimeError(f"two attacks are called {name}")
        TABLE[name] = Attack(function, statuses or (500,), says, blocks, only)
        return function

    return add


def for_ever(request: Any) -> bool:
    """Whether this is a worker, which is killed."""
    return bool(request.query == "workers")


def seconds(request: Any) -> float:
    """How long to do what cannot be interrupted."""
    return 1e6 if for_ever(request) else BEYOND


def rounds(request: Any, work: Callable[[int], object], sample: int) -> int:
    """How many rounds of `work(rounds)` take so long at least, measured with `sample` rounds."""
    if for_ever(request):
        return 1 << 62
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        work(sample)
        taken.append(time.perf_counter() - begun)
    return int(sample * BEYOND / min(taken))


def set_for_now(thing: Any, name: str, value: Any) -> None:
    """Sets an attribute until the test has it undone."""
    before = getattr(thing, name)
    UNDO.append(lambda: setattr(thing, name, before))
    setattr(thing, name, value)


def nested(depth: int) -> list[Any]:
    """A list in a list, and so on."""
    value: list[Any] = []
    for _ in itertools.repeat(None, depth):
        value = [value]
    return value
