"""Serves a WSGI app (PEP 3333): Flask, Django, Bottle, Falcon and others.

One request is one call of the app inside one transaction: the answer is held whole and returned,
so nothing of it is sent before the app has closed its iterable.
"""

from __future__ import annotations

import contextvars
import io
import logging
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ClassVar, Literal
from urllib.parse import unquote_to_bytes

from affiant._hosting import handlers
from affiant._hosting.handlers import RESPONSE_BYTES_MAX, Answer, HTTPError
from affiant._hosting.request import caller_of, root_of, server_of

log = logging.getLogger("affiant.app.wsgi")

LINE_CHARACTERS_MAX = 16_384
_VARIABLES_MAX = 512

# Names of headers as variables. Bounded, since clients choose the names.
_variables: dict[str, str] = {}


class FileWrapper:
    """``wsgi.file_wrapper``: reads a file in blocks and closes it with the answer."""

    def __init__(self, filelike: Any, blksize: int = 8192) -> None:
        self.filelike = filelike
        self.blksize = blksize
        if hasattr(filelike, "close"):
            self.close = filelike.close

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.filelike.read(self.blksize), b"")


class ErrorStream(io.TextIOBase):
    """``wsgi.errors``: each line becomes a record of the log."""

    def __init__(self) -> None:
        self._line = ""
        self._logging = False

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._emit(line)
        if len(self._line) > LINE_CHARACTERS_MAX:
            self.flush()
        return len(text)

    def flush(self) -> None:
        line, self._line = self._line, ""
        self._emit(line)

    def _emit(self, line: str) -> None:
        if not line.strip():
            return
        if self._logging:
            # The app's logging writes here (Flask's documentation shows it so): the log's own
            # line has come back, formatted, and goes where it was meant for.
            print(line, file=sys.stderr)
            return
        self._logging = True
        try:
            log.error("%s", line[:LINE_CHARACTERS_MAX])
        finally:
            self._logging = False


class _Call:
    """The state of one call: what ``start_response`` was told and what was written."""

    __slots__ = ("status", "headers", "parts", "size")

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[str, str]] = []
        self.parts: list[bytes] = []
        self.size = 0

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info:
            try:
                if self.parts:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None
        elif self.status:
            raise RuntimeError("start_response was called twice, the second time without exc_info")
        if type(status) is not str or not (status[:3].isascii() and status[:3].isdigit()):
            raise ValueError(f'the status is {status!r}; WSGI takes a str such as "200 OK"')
        if len(status) > 3 and status[3] != " ":
            raise ValueError(f"the status is {status!r}; a space must follow its three digits")
        for name, value in headers:
            if not isinstance(name, str) or not isinstance(value, str):
                raise TypeError(f"header {name!r} is no pair of str")
        # A copy: the list is the app's, and the PEP lets the app change it until it is sent.
        self.status, self.headers = int(status[:3]), list(headers)
        return self.write

    def write(self, data: bytes) -> None:
        if not self.status:
            raise RuntimeError("the app made output before it called start_response")
        if not isinstance(data, bytes):
            raise TypeError(f"the app's output is {type(data).__name__}; WSGI takes bytes")
        self.size += len(data)
        if self.size > RESPONSE_BYTES_MAX:
            raise ValueError(f"the answer has more than {RESPONSE_BYTES_MAX} bytes")
        if data:
            self.parts.append(data)


class WsgiHandler:
    """A WSGI app as a handler.

    Args:
        app: the app.
        multiprocess: whether other processes serve the same app at the same time.
    """

    kind: ClassVar[Literal["web"]] = "web"

    def __init__(self, app: Callable[..., Iterable[bytes]], multiprocess: bool = False) -> None:
        self.app = app
        self._base: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": ErrorStream(),
            "wsgi.multithread": False,
            "wsgi.multiprocess": multiprocess,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "wsgi.input_terminated": True,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "affiant",
            "GATEWAY_INTERFACE": "CGI/1.1",
            "HTTPS": "on",
        }

    def __call__(self, request: Any) -> Answer:
        """Calls the app in a copy of the caller's context."""
        return contextvars.copy_context().run(self._serve, request)

    def _serve(self, request: Any) -> Answer:
        call = _Call()
        try:
            result = self.app(self.environ(request), call.start_response)
            try:
                for part in result:
                    call.write(part)
            finally:
                # Also a result that failed half way is closed: it may hold a file or a lock.
                if hasattr(result, "close"):
                    result.close()
            if not call.status:
                raise RuntimeError("the app made no answer: it never called start_response")
            return handlers.finish(request.method, call.status, call.headers, call.parts)
        except Exception as error:
            return handlers.failed(f"{request.method} {request.path}: the WSGI app failed", error)

    def environ(self, request: Any) -> dict[str, Any]:
        """The PEP's environment of one request.

        Text is "native": each byte of the request is one character, Latin-1.
        """
        environ = self._base.copy()
        path, query = request.path, request.raw_query
        body = request.body.bytes()
        environ["REQUEST_METHOD"] = request.method
        root = environ["SCRIPT_NAME"] = root_of(path)
        below = path[len(root) :]
        environ["PATH_INFO"] = native(below)
        if not query.isascii():
            query = query.encode("utf-8", "surrogateescape").decode("latin-1")
        environ["QUERY_STRING"] = query
        environ["REQUEST_URI"] = environ["RAW_URI"] = f"{path}?{query}" if query else path
        environ["wsgi.input"] = io.BytesIO(body)
        for name, value in request.header_items:
            variable = _variables.get(name)
            if variable is None:
                variable = variable_of(name)
            if not variable:
                continue
            if variable in environ:
                separator = "; " if variable == "HTTP_COOKIE" else ", "
                value = f"{environ[variable]}{separator}{value}"
            environ[variable] = value
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        # The body is here whole, however it came: its true length replaces what was announced.
        announced = environ.pop("HTTP_CONTENT_LENGTH", "")
        chunked = environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["CONTENT_LENGTH"] = str(len(body)) if body or announced or chunked else ""
        host = environ.get("HTTP_HOST")
        if host is None:
            host = request.hostname or ""
            if host:
                environ["HTTP_HOST"] = host
        environ["SERVER_NAME"], environ["SERVER_PORT"] = server_of(host)
        caller = environ["ccf.caller"] = caller_of(request)
        if caller is not None and caller.get("id"):
            environ["REMOTE_USER"] = caller["id"]
            environ["AUTH_TYPE"] = caller.get("policy") or ""
        environ["ccf.request"] = request
        return environ


def understand_http_error(app: Any) -> None:
    """Lets a Flask app answer ``ccf.HTTPError`` as the node does, unless it has its own way: it
    would take the exception for a failure before the gateway sees it.

    Raises:
        Exception: the app takes no more handlers.
    """
    register = getattr(app, "register_error_handler", None)
    specified = getattr(app, "error_handler_spec", None)
    if not callable(register) or not isinstance(specified, dict):
        return
    if HTTPError not in specified[None][None]:
        register(HTTPError, _answer)


def _answer(error: HTTPError) -> tuple[bytes, int, list[tuple[str, str]]]:
    status, headers, body = error.answer()
    return body, status, headers


def native(path: str) -> str:
    """A percent-encoded path, decoded, as the PEP's kind of text."""
    if "%" not in path and path.isascii():
        return path
    return unquote_to_bytes(path).decode("latin-1")


def variable_of(name: str) -> str:
    """The variable of a header; empty where the header is left out.

    ``X_User`` would become the same variable as ``X-User``, which something before the app may
    vouch for, so names with an underscore are left out.
    """
    variable = "" if "_" in name else "HTTP_" + name.upper().replace("-", "_")
    if len(_variables) < _VARIABLES_MAX:
        _variables[sys.intern(name)] = variable
    return variable
