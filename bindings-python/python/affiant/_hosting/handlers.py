"""What handlers are, and what they answer with.

A handler takes one request and is called on the node's Python thread. Its ``kind`` says what its
result is: ``"handler"`` (any value of the handler contract, or a coroutine of one) or ``"web"``
(``(status, headers, body)``, final).
"""

from __future__ import annotations

import functools
import inspect
import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Literal, Protocol

Answer = tuple[int, list[tuple[str, str]], bytes]
"""Status, headers and body of a finished HTTP answer. Header text is Latin-1."""

RESPONSE_BYTES_MAX = 256 << 20
"""Bytes of one answer's body: answers are held whole until their transaction is decided."""

HEADERS_COUNT_MAX = 256
"""Header lines of one answer."""

HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "trailers",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers that speak of one connection; the node owns the connection, an app does not."""

log = logging.getLogger("affiant.app")

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_INTERNAL = (
    b'{"error":{"code":"InternalError","message":"The application failed to answer this request."}}'
)


class HTTPError(Exception):
    """Raised by an app to answer with an error: the transaction is dropped.

    Args:
        status: the HTTP status, 400 to 599.
        message: a sentence for the client.
        code: the machine-readable code of the answer; by default made from the status.

    Raises:
        ValueError: the status is no error status.
    """

    status: int
    message: str
    code: str

    def __init__(self, status: int, message: str = "", code: str | None = None) -> None:
        if isinstance(status, bool) or not isinstance(status, int) or not 400 <= status <= 599:
            raise ValueError(f"HTTPError: status is {status!r}; it must be from 400 to 599")
        super().__init__(status, message, code)
        self.status = int(status)
        self.message = message or _phrase(self.status)
        self.code = code or _code(self.status)

    @property
    def status_code(self) -> int:
        """The status again, under the name that web frameworks use."""
        return self.status

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"

    def answer(self) -> Answer:
        """The OData error that the client sees."""
        error = {"error": {"code": self.code, "message": self.message}}
        body = json.dumps(error, separators=(",", ":"), default=str).encode()
        return self.status, [("content-type", "application/json")], body


class Response:
    """An answer with all its parts.

    Args:
        body: None, str, bytes, or anything JSON can say.
        status_code: the HTTP status, 100 to 599.
        headers: names and values; each name once.
        content_type: the content type; by default it follows from the body's type.

    Raises:
        ValueError: the status is none, or a header cannot be sent.
    """

    __slots__ = ("body", "status_code", "headers", "content_type")

    body: Any
    status_code: int
    headers: dict[str, str]
    content_type: str | None

    def __init__(
        self,
        body: Any = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
    ) -> None:
        if isinstance(status_code, bool) or not isinstance(status_code, int):
            raise ValueError(f"Response: status_code is {status_code!r}; it must be a number")
        if not 100 <= status_code <= 599:
            raise ValueError(f"Response: status_code is {status_code}; it must be from 100 to 599")
        self.body = body
        self.status_code = int(status_code)
        self.headers = {str(name): str(value) for name, value in (headers or {}).items()}
        for name, value in self.headers.items():
            check_header(name, value)
        if content_type is not None:
            check_header("content-type", content_type)
        self.content_type = content_type

    def __repr__(self) -> str:
        return f"Response({self.body!r}, status_code={self.status_code})"


class Handler(Protocol):
    """What the node calls for a request."""

    @property
    def kind(self) -> Literal["handler", "web"]: ...

    def __call__(self, request: Any) -> Any: ...


class Plain(functools.partial):  # type: ignore[type-arg]
    """A plain handler. A ``partial`` because calling one costs no Python frame; the app's own
    function is ``func``."""

    kind: ClassVar[Literal["handler"]] = "handler"


def plain(function: Callable[..., Any], name: str) -> Plain:
    """Makes a handler of a callable that takes a request, or takes nothing.

    Raises:
        TypeError: it is not callable, or takes something else.
    """
    if not callable(function):
        raise TypeError(f"{name} is {function!r}, which cannot be called; a handler is a function")
    needed = required_arguments(function)
    if needed is None or needed == 1:
        return Plain(function)
    if needed == 0:
        return Plain(function) if takes(function, 1) else Plain(functools.partial(_drop, function))
    raise TypeError(
        f"{name} needs {needed} arguments; a handler takes one, the request, or none at all"
    )


def _drop(function: Callable[[], Any], _request: Any) -> Any:
    return function()


def required_arguments(function: Callable[..., Any]) -> int | None:
    """How many positional arguments a call must bring; None where Python cannot tell."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(1 for p in parameters if p.kind in positional and p.default is p.empty)


def takes(function: Callable[..., Any], count: int) -> bool:
    """Whether the callable can be called with this many positional arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def check_header(name: str, value: str) -> None:
    """Refuses a header that HTTP cannot carry, or that would smuggle in a second one.

    Raises:
        ValueError: says which header and why. The value is not repeated: it may be private.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"header name {name!r} is no HTTP token")
    if not _VALUE.fullmatch(value):
        raise ValueError(f"the value of header {name!r} has a control or non-Latin-1 character")


def finish(
    method: str, status: int, headers: Iterable[tuple[str, str]], parts: list[bytes]
) -> Answer:
    """Makes the final answer of a web app: without what belongs to the connection, and without a
    body where HTTP allows none. ``content-length`` is left out where the body itself says it.

    Raises:
        ValueError: the status or a header is none.
    """
    if not 200 <= status <= 599:
        raise ValueError(f"the status is {status}; it must be from 200 to 599")
    bare = method == "HEAD" or status == 304
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        lower = name.lower()
        if lower in HOP_BY_HOP or (lower == "content-length" and not bare):
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            check_header(name, value)
        kept.append((name, value.strip(" \t")))
    if len(kept) > HEADERS_COUNT_MAX:
        raise ValueError(f"{len(kept)} header lines; at most {HEADERS_COUNT_MAX} are sent")
    body = b"" if bare or status == 204 else parts[0] if len(parts) == 1 else b"".join(parts)
    return status, kept, body


def failed(what: str, error: BaseException | None = None) -> Answer:
    """The answer for a web app's failure. The log has the traceback, the client does not."""
    if isinstance(error, HTTPError):
        return error.answer()
    log.error("%s", what, exc_info=error)
    return 500, [("content-type", "application/json")], _INTERNAL


def _phrase(status: int) -> str:
    from http import HTTPStatus

    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _code(status: int) -> str:
    codes = {400: "InvalidInput", 401: "InvalidAuthenticationInfo", 403: "AuthorizationFailed"}
    codes |= {404: "ResourceNotFound", 500: "InternalError"}
    return codes.get(status) or re.sub(r"[^A-Za-z]", "", _phrase(status).title())
