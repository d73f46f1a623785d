"""A WSGI app whose answers are no answers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

Start = Callable[..., Any]
Answer = Callable[[Start], Any]


def answered(status: Any, headers: Any, body: Any = (b"x",)) -> Answer:
    def answer(start: Start) -> Any:
        start(status, headers)
        return body() if callable(body) else body

    return answer


def fails() -> Iterator[bytes]:
    yield b"x"
    raise ValueError("half way")


class Closing:
    """Spins when it is closed."""

    def __iter__(self) -> Iterator[bytes]:
        return iter([b"x"])

    def close(self) -> None:
        while True:
            pass


def started_twice(start: Start) -> Iterable[bytes]:
    start("200 OK", [])
    start("200 OK", [])
    return [b"x"]


def writes_for_ever(start: Start) -> Iterable[bytes]:
    write = start("200 OK", [])
    while True:
        write(b"x" * 65536)


def raises_exit(start: Start) -> Iterable[bytes]:
    raise SystemExit(0)


ANSWERS: dict[str, Answer] = {
    "endless": answered("200 OK", [], lambda: itertools.repeat(b"x" * 1000)),
    "endless_of_nothing": answered("200 OK", [], lambda: itertools.repeat(b"")),
    "text": answered("200 OK", [], ["x"]),
    "number": answered("200 OK", [], 5),
    "nothing": answered("200 OK", [], None),
    "half": answered("200 OK", [], fails),
    "closing": answered("200 OK", [], Closing),
    "status_of_text": answered("fine", []),
    "status_of_int": answered(200, []),
    "status_of_99": answered("099 Low", []),
    "status_of_1000": answered("1000 High", []),
    "status_split": answered("200 OK\r\nx: y", [], [b"x"]),
    "million_headers": answered("200 OK", [("x", "y")] * 1_000_000),
    "long_header": answered("200 OK", [("x", "y" * (1 << 20))]),
    "split_header": answered("200 OK", [("x", "y\r\nz: 1")]),
    "split_name": answered("200 OK", [("x\r\ny", "z")]),
    "bytes_header": answered("200 OK", [(b"x", b"y")]),
    "no_headers": answered("200 OK", None),
    "odd_headers": answered("200 OK", [("x",)]),
    "surrogates": answered("200 OK", [("x", "\udc80")]),
    "never_started": lambda start: [b"x"],
    "started_twice": started_twice,
    "writes_for_ever": writes_for_ever,
    "exit": raises_exit,
    "megabytes": answered("200 OK", [], [b"x" * 20_000_000]),
    "more_megabytes": answered("200 OK", [], lambda: [b"x" * 100_000_000] * 3),
}


def app(environ: dict[str, Any], start_response: Start) -> Any:
    name = environ["PATH_INFO"].strip("/")
    if name == "fine":
        start_response("200 OK", [("content-type", "text/plain")])
        return [b"fine"]
    return ANSWERS[name](start_response)
