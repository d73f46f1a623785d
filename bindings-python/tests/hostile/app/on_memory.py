"""Attacks on memory and on the stack."""

from __future__ import annotations

import copy
import functools
import itertools
import json
import sys
from typing import Any

import ccf
from attacks import UNDO, attack, nested

FULL = "MemoryError"
DEEP = "RecursionError"


@attack(says=FULL)
def lists(request: Any) -> Any:
    kept = []
    while True:
        kept.append([None] * 1_000_000)


@attack(says=FULL)
def one_list(request: Any) -> Any:
    return [0] * (1 << 40)


@attack(says=FULL)
def text(request: Any) -> Any:
    value = "x"
    while True:
        value += value


@attack(says=FULL)
def binary(request: Any) -> Any:
    return [bytes(1 << 28) for _ in range(1 << 20)]


@attack(says=FULL)
def mutable(request: Any) -> Any:
    value = bytearray()
    while True:
        value.extend(bytes(1 << 24))


@attack(says=FULL)
def integer(request: Any) -> Any:
    return 1 << (1 << 36)


@attack(says=FULL)
def tuples(request: Any) -> Any:
    value: tuple[Any, ...] = (None,)
    while True:
        value = value + value


@attack()
def copies(request: Any) -> Any:
    row = list(range(1_000_000))
    return [row[:] for _ in range(1 << 20)]


@attack(500)
def small_objects(request: Any) -> Any:
    """Either bound may come first."""
    return list(itertools.count())


@attack(500)
def dictionary(request: Any) -> Any:
    return dict.fromkeys(range(1 << 40))


@attack(500)
def exceptions_that_hold_frames(request: Any) -> Any:
    kept: list[BaseException] = []

    def hold(depth: int) -> None:
        ballast = [None] * 100_000
        try:
            if depth:
                hold(depth - 1)
            raise ValueError(len(ballast))
        except ValueError as error:
            kept.append(error)
            raise

    while True:
        try:
            hold(50)
        except ValueError as error:
            kept.append(error)


@attack(200, 500)
def store_without_memory(request: Any) -> Any:
    """What the ledger's functions do where there is no memory left at all."""
    kept: list[Any] = []
    refused = 0
    try:
        for size in (1 << 24, 1 << 20, 1 << 16, 1 << 12, 1 << 9):
            try:
                while True:
                    kept.append(bytes(size))
            except MemoryError:
                refused += 1
        for use in (
            lambda: ccf.kv["full"].set("k", "v" * 600),
            lambda: ccf.kv["full"].set(b"k", bytes(600)),
            lambda: ccf.kv["full"].get("k"),
            lambda: ccf.kv["full"].items(),
            lambda: request.body.text(),
            lambda: request.caller,
            lambda: ccf.digest("SHA-256", bytes(600)),
            lambda: ccf.json_compatible_to_buf("x" * 600),
        ):
            try:
                use()
            except MemoryError:
                refused += 1
    finally:
        kept.clear()
    return {"refused": refused >= 5}


@attack(500, 200)
def keeps_what_it_took(request: Any) -> Any:
    kept: list[Any] = []
    UNDO.append(kept.clear)
    while True:
        kept.append(bytes(1 << 24))


@attack(says=DEEP)
def recursion(request: Any) -> Any:
    def deeper() -> None:
        deeper()

    deeper()


@attack(says=DEEP)
def recursion_in_repr(request: Any) -> Any:
    class Deep:
        def __repr__(self) -> str:
            return repr([self])

    return {"body": repr(Deep())}


@attack(says=DEEP)
def recursion_in_comparison(request: Any) -> Any:
    class Deep:
        def __eq__(self, other: object) -> bool:
            return [self] == [other]

    return [Deep()] == [Deep()]


@attack(says=DEEP)
def recursion_in_getattr(request: Any) -> Any:
    class Deep:
        def __getattr__(self, name: str) -> Any:
            return getattr(self, name + "x" * (len(name) < 9))

    return Deep().anything


@attack(says=DEEP)
def recursion_in_reduce(request: Any) -> Any:
    def deeper(a: int, b: int) -> int:
        return functools.reduce(deeper, (1, 2, 3))

    return deeper(0, 0)


@attack(says=DEEP)
def recursion_in_partial(request: Any) -> Any:
    function: Any = int
    for _ in range(100_000):
        # A partial of a partial would be flattened.
        function = functools.partial(lambda inner: inner(), function)
    return function()


@attack(says=DEEP)
def json_nested_to_write(request: Any) -> Any:
    return json.dumps(nested(200_000))


@attack(says=DEEP)
def json_nested_to_read(request: Any) -> Any:
    return json.loads("[" * 1_000_000)


@attack(says=DEEP)
def repr_nested(request: Any) -> Any:
    return repr(nested(200_000))


@attack(says=DEEP)
def copy_nested(request: Any) -> Any:
    return copy.deepcopy(nested(200_000))


@attack(says=DEEP)
def equality_nested(request: Any) -> Any:
    return nested(200_000) == nested(200_000)


@attack(500)
def parser_nested(request: Any) -> Any:
    return eval("(" * 100_000 + ")" * 100_000)


@attack(204, 500)
def lists_that_end_nested(request: Any) -> None:
    nested(200_000)


@attack(204, 500)
def exceptions_that_end_chained(request: Any) -> None:
    error: BaseException | None = None
    for _ in range(200_000):
        following = ValueError()
        following.__context__ = error
        error = following


@attack(204, 500)
def generators_that_end_nested(request: Any) -> None:
    def over(inner: Any) -> Any:
        yield inner

    generator: Any = None
    for _ in range(100_000):
        generator = over(generator)


@attack(says="nested more than")
def answer_nested(request: Any) -> Any:
    return nested(100_000)


@attack(says="nested more than")
def answer_within_itself(request: Any) -> Any:
    value: dict[str, Any] = {}
    value["value"] = value
    return value


@attack()
def answer_that_grows(request: Any) -> Any:
    value: list[Any] = ["x" * 1000]
    for _ in range(100):
        value = [value] * 10
    return value


@attack()
def value_that_grows(request: Any) -> Any:
    value: list[Any] = ["x" * 1000]
    for _ in range(100):
        value = [value] * 10
    ccf.kv["grown"]["k"] = value


@attack(says="set the recursion limit above")
def recursion_without_limit(request: Any) -> Any:
    sys.setrecursionlimit(10**9)

    def deeper() -> None:
        deeper()

    deeper()


@attack(says=DEEP)
def recursion_to_the_highest_limit(request: Any) -> Any:
    before = sys.getrecursionlimit()
    UNDO.append(lambda: sys.setrecursionlimit(before))
    sys.setrecursionlimit(10_000)

    class Deep:
        def __repr__(self) -> str:
            return repr([self])

    return {"body": repr(Deep())}


@attack(only="workers")
def iterators_that_end_nested(request: Any) -> Any:
    """Each destructor calls the next: no interpreter counts these calls."""
    chain: Any = iter(())
    for _ in range(5_000_000):
        chain = itertools.chain(chain)
    del chain


@attack(only="workers")
def iterators_nested(request: Any) -> Any:
    chain: Any = iter(())
    for _ in range(5_000_000):
        chain = itertools.chain(chain)
    return next(chain)
