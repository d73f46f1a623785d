"""Serves an ASGI 3.0 app (HTTP 2.4 and lifespan): FastAPI, Starlette, Litestar, Quart and others.

One request is one run of the app inside one transaction; the answer is held whole. There are no
websockets: a connection of many messages is not one transaction. An app keeps the event loop that
it was loaded with; requests, like its start and end, come one at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, ClassVar, Literal
from urllib.parse import unquote

from affiant._hosting import handlers
from affiant._hosting import loop as loops
from affiant._hosting.handlers import HEADERS_COUNT_MAX, RESPONSE_BYTES_MAX, Answer
from affiant._hosting.loop import run as run
from affiant._hosting.request import caller_of, root_of, server_of

Message = dict[str, Any]
App = Callable[
    [dict[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]],
    Awaitable[None],
]

STARTUP_SECONDS_MAX = 120.0
SHUTDOWN_SECONDS_MAX = 30.0

_VERSIONS = {"version": "3.0", "spec_version": "2.4"}
_COMMON_NAMES = {
    name: name.encode()
    for name in (
        "host user-agent accept accept-encoding accept-language content-type content-length "
        "connection cookie authorization origin referer cache-control if-none-match "
        "x-request-id x-forwarded-for x-forwarded-proto"
    ).split()
}


class LifespanError(Exception):
    """The app said that it cannot start, or did not say in time that it has."""


class _Exchange:
    """One request and its answer, as the app's ``receive`` and ``send``."""

    __slots__ = (
        "loop",
        "body",
        "asked",
        "status",
        "headers",
        "trailers",
        "parts",
        "size",
        "complete",
        "waiters",
    )

    def __init__(self, loop: loops.Loop, body: bytes) -> None:
        self.loop = loop
        self.body = body
        self.asked = False
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.trailers = False
        self.parts: list[bytes] = []
        self.size = 0
        self.complete = False
        self.waiters: list[asyncio.Future[None]] = []

    async def receive(self) -> Message:
        """The request once; then, when the answer is complete, that the client is gone."""
        if not self.asked:
            self.asked = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        if not self.complete:
            waiter = self.loop.create_future()
            self.waiters.append(waiter)
            await waiter
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Takes a part of the answer.

        Raises:
            RuntimeError: the message has no place here, or none at all.
            TypeError, ValueError: a part of the message is malformed.
        """
        kind = message["type"]
        if self.complete:
            if kind == "http.response.trailers" and self.trailers:
                return
            raise RuntimeError(f"{kind!r} was sent after the answer was complete")
        if kind == "http.response.body":
            if not self.status:
                raise RuntimeError("'http.response.body' was sent before 'http.response.start'")
            self._body(message)
        elif kind == "http.response.start":
            if self.status:
                raise RuntimeError("'http.response.start' was sent twice")
            self._start(message)
        else:
            raise RuntimeError(f"{kind!r} is no message of an HTTP answer")

    def _start(self, message: Message) -> None:
        status = message["status"]
        if isinstance(status, bool) or not isinstance(status, int):
            raise TypeError(f"the status is {status!r}; ASGI takes an int")
        if not 200 <= status <= 599:
            raise ValueError(f"the status is {status}; it must be from 200 to 599")
        headers = []
        for name, value in message.get("headers", ()):
            if not isinstance(name, bytes) or not isinstance(value, bytes):
                raise TypeError(f"header {name!r} is no pair of bytes")
            text = name.decode("latin-1"), value.decode("latin-1").strip(" \t")
            handlers.check_header(*text)
            headers.append(text)
        if len(headers) > HEADERS_COUNT_MAX:
            raise ValueError(f"{len(headers)} header lines; at most {HEADERS_COUNT_MAX} are sent")
        self.headers = headers
        self.trailers = bool(message.get("trailers", False))
        self.status = int(status)

    def _body(self, message: Message) -> None:
        part = message.get("body", b"")
        if not isinstance(part, (bytes, bytearray, memoryview)):
            raise TypeError(f"the body's part is {type(part).__name__}; ASGI takes bytes")
        self.size += len(part)
        if self.size > RESPONSE_BYTES_MAX:
            raise ValueError(f"the answer has more than {RESPONSE_BYTES_MAX} bytes")
        if part:
            # A view's memory may change after this call.
            self.parts.append(part if type(part) is bytes else bytes(part))
        if not message.get("more_body", False):
            self.complete = True
            for waiter in self.waiters:
                if not waiter.done():
                    waiter.set_result(None)


class AsgiHandler:
    """An ASGI app as a handler.

    Args:
        app: the app.
        loop: the loop that its lifespan ran on.
        state: what the app's lifespan left for its requests.
    """

    kind: ClassVar[Literal["web"]] = "web"

    def __init__(self, app: App, loop: loops.Loop, state: dict[str, Any]) -> None:
        self.app = app
        self._loop = loop
        self._state = state

    def __call__(self, request: Any) -> Answer:
        """Runs the app in a copy of the caller's context."""
        exchange = _Exchange(self._loop, request.body.bytes())
        error: BaseException | None = None
        try:
            run_of_app = self.app(self.scope(request), exchange.receive, exchange.send)
            self._loop.drive(run_of_app)  # type: ignore[arg-type]
        except (Exception, asyncio.CancelledError) as raised:
            error = raised
        place = f"{request.method} {request.path}: the ASGI app"
        if error is None:
            if exchange.complete:
                return handlers.finish(
                    request.method, exchange.status, exchange.headers, exchange.parts
                )
            what = "ended within its answer" if exchange.status else "made no answer"
            return handlers.failed(f"{place} {what}")
        answer = handlers.failed(f"{place} failed", error)
        if exchange.complete and exchange.status >= 500 and answer[0] == 500:
            # The app's own page of the error that it raised again for the server's log.
            return handlers.finish(
                request.method, exchange.status, exchange.headers, exchange.parts
            )
        return answer

    def scope(self, request: Any) -> dict[str, Any]:
        """The connection scope of one request."""
        path, query = request.path, request.raw_query
        headers, host = [], None
        for name, value in request.header_items:
            known = _COMMON_NAMES.get(name)
            if known is None:
                # The body came whole, so its transfer coding is undone.
                known = name.lower().encode("latin-1")
                if known == b"transfer-encoding":
                    continue
            if known == b"host":
                host = value
            headers.append((known, value.encode("latin-1")))
        if host is None:
            host = request.hostname or ""
            if host:
                headers.insert(0, (b"host", host.encode("latin-1")))
        name, port = server_of(host)
        return {
            "type": "http",
            "asgi": _VERSIONS.copy(),
            "http_version": "1.1",
            "method": request.method,
            "scheme": "https",
            "path": unquote(path) if "%" in path else path,
            "raw_path": path.encode("utf-8", "surrogateescape"),
            "query_string": query.encode("utf-8", "surrogateescape"),
            "root_path": root_of(path),
            "headers": headers,
            "client": None,
            "server": (name, int(port)),
            "state": self._state.copy(),
            "extensions": {},
            "ccf": {"caller": caller_of(request), "request": request},
        }


class Lifespan:
    """The app's start and end, as one task that waits between them.

    An app that does not know the protocol raises at once, or returns; it is served all the same.
    """

    def __init__(self, app: App, loop: loops.Loop) -> None:
        self.app = app
        self.loop = loop
        self.state: dict[str, Any] = {}
        self._started = loop.create_future()
        self._stopping = loop.create_future()
        self._stopped = loop.create_future()
        self._asked = 0
        self._task: asyncio.Task[None] | None = None

    def startup(self) -> None:
        """Runs the app's start.

        Raises:
            LifespanError: the app said that it failed, or took too long.
        """
        with self.loop.taken():
            self._startup()

    def _startup(self) -> None:
        task = self._task = self.loop.create_task(self._run(), name="affiant-lifespan")
        self._wait({task, self._started}, STARTUP_SECONDS_MAX)
        if self._started.done():
            failure = self._started.result()
            if failure is None:
                return
            self._end()
            raise LifespanError(f"the app's startup failed: {failure}")
        if not task.done():
            self._end()
            raise LifespanError(f"the app's startup took longer than {STARTUP_SECONDS_MAX:.0f} s")
        self._task = None
        error = task.exception()
        if error is not None and not isinstance(error, Exception):
            raise error

    def shutdown(self) -> None:
        """Runs the app's end; failures go to the log, for nothing can be done about them."""
        if self._task is not None:
            with self.loop.taken():
                self._shutdown(self._task)

    def _shutdown(self, task: asyncio.Task[None]) -> None:
        if not task.done():
            self._stopping.set_result(None)
            self._wait({task}, SHUTDOWN_SECONDS_MAX)
        if not task.done():
            loops.log.error("the app's shutdown took longer than %.0f s", SHUTDOWN_SECONDS_MAX)
        elif not task.cancelled() and task.exception() is not None:
            loops.log.error("the app's lifespan failed", exc_info=task.exception())
        self._end()

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": _VERSIONS.copy(), "state": self.state}
        await self.app(scope, self._receive, self._send)

    async def _receive(self) -> Message:
        self._asked += 1
        if self._asked == 1:
            return {"type": "lifespan.startup"}
        if self._asked == 2:
            await self._stopping
            return {"type": "lifespan.shutdown"}
        await self.loop.create_future()
        raise RuntimeError("the lifespan is over")

    async def _send(self, message: Message) -> None:
        kind = message["type"]
        starting = kind.startswith("lifespan.startup.")
        future = self._started if starting else self._stopped
        if kind not in _LIFESPAN_ANSWERS or future.done():
            raise RuntimeError(f"{kind!r} has no place here in the lifespan protocol")
        failure = None
        if kind.endswith(".failed"):
            failure = str(message.get("message") or "no message was given")
            if not starting:
                loops.log.error("the app's shutdown failed: %s", failure)
        future.set_result(failure)

    def _wait(self, futures: set[asyncio.Future[Any]], seconds: float) -> None:
        self.loop.run_until_complete(
            asyncio.wait(futures, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        )

    def _end(self) -> None:
        task, self._task = self._task, None
        if task is not None and not task.done():
            task.cancel()
            self._wait({task}, loops.LEFTOVER_SECONDS_MAX)
        if task is not None and task.done() and not task.cancelled():
            # Read, for asyncio complains of exceptions that nobody has read.
            task.exception()


_LIFESPAN_ANSWERS = frozenset(
    f"lifespan.{stage}.{end}" for stage in ("startup", "shutdown") for end in ("complete", "failed")
)
