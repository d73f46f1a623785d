"""Apps in tests: requests without sockets, in real transactions on a real ledger.

>>> client = affiant.testing.Client("app.py")
>>> answer = client.put("/notes/1", json={"text": "hello"})
>>> answer.status_code, answer.transaction_id
(204, '2.5')
>>> answer.receipt().verify()

With pytest, fixtures are there by themselves: see :mod:`affiant.pytest_plugin`.
"""

from __future__ import annotations

import json as _json
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlencode

from affiant import _apps, _native
from affiant._answer import Answer, Headers
from affiant._ledger import Ledger
from affiant._ledger import open as open_ledger
from affiant._receipt import Receipt

__all__ = ["Client", "Headers", "Response"]

USER = "user0"
HANDLER_SECONDS = 86_400.0
"""How long a handler may take: somebody may be in it with a debugger."""

BODY_SHOWN_MAX = 300
TRACE_SHOWN_MAX = 4_000

_PATHS = ("/app", "/node", "/gov")
_SAFE = "/%:@!$&'()*+,;=~-._"

# By name: keys take a millisecond to make, and tests want many.
_identities: dict[str, _native.Identity] = {}


class Response(Answer):
    """The answer of an app in this process: ``status_code``, ``headers``, ``content``, ``text``,
    ``json()``, ``transaction_id`` as of :class:`affiant.Answer`, and the proof of its transaction."""

    def __init__(
        self,
        request: str,
        status_code: int,
        headers: list[tuple[str, str]],
        content: bytes,
        ledger: Ledger,
    ) -> None:
        super().__init__(request, status_code, headers, content)
        self._ledger = ledger

    def receipt(self) -> Receipt:
        """The proof of the request's transaction.

        Raises:
            LookupError: the transaction was not kept, so there is no proof.
        """
        if self.transaction_id is None:
            raise LookupError(f"{self!r}: the transaction was not kept, so it has no receipt")
        return self._ledger.receipt(self.transaction_id)

    def raise_for_status(self) -> Response:
        """This response. Raises `AssertionError` with its details if the status is 400 or more."""
        if not self.ok:
            raise AssertionError(repr(self))
        return self

    def _trace(self) -> str | None:
        """What the handler raised, where the answer says it."""
        try:
            details = self.json()["error"]["details"]
            found = [one for one in details if one.get("code") == "PythonException"]
            return str(found[0].get("trace") or found[0].get("message"))[-TRACE_SHOWN_MAX:]
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def __repr__(self) -> str:
        head = f"<Response {self.status_code} to {self._request}"
        if self.transaction_id:
            head += f", transaction {self.transaction_id}"
        if self.ok:
            return f"{head}>"
        trace = self._trace()
        shown = trace.rstrip() if trace else self.text[:BODY_SHOWN_MAX]
        return f"{head}:\n{shown}>" if shown else f"{head}>"


class Client:
    """Sends requests to an app in this process: each runs on the calling thread, in a transaction.

    Args:
        app: a path as on the command line (``app.py``, ``app.py:attribute``, a directory), a module,
            a web app (ASGI, WSGI), a function.
        ledger: what it runs on; None: one of its own, in memory, that :meth:`close` ends.
        user: who calls: a user of the service of that name, with a certificate, who is added to the
            service; None: nobody in particular.
        headers: sent with every request.
        time_limit: seconds that a handler may take.

    Raises:
        LedgerError: the app cannot be loaded.
    """

    def __init__(
        self,
        app: Any,
        *,
        ledger: Ledger | None = None,
        user: str | None = USER,
        headers: Mapping[str, str] | None = None,
        time_limit: float = HANDLER_SECONDS,
    ) -> None:
        self._app: _apps.App | None = _apps.load(app)
        self._own = ledger is None
        self.ledger = ledger if ledger is not None else open_ledger()
        self.headers = dict(headers or {})
        self.user = user
        try:
            self.ledger._engine.serve(self._app.native, time_limit)
            self._visitor = None if user is None else self._admit(user, {})
        except BaseException:
            self.close()
            raise

    def as_user(self, name: str, data: Any = None) -> Client:
        """A client of the same app for another user, who is added to the service.

        Args:
            name: the user's; the same name is the same certificate.
            data: what the app finds as ``request.caller.data``; a JSON-able value.
        """
        return self._sibling(name, self._admit(name, {} if data is None else data))

    def anonymous(self) -> Client:
        """A client of the same app that shows no certificate."""
        return self._sibling(None, None)

    def stranger(self, name: str = "stranger") -> Client:
        """A client of the same app with a certificate that the service does not know."""
        return self._sibling(name, self.ledger._engine.admit(_identity(name)))

    def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        data: bytes | str | Mapping[str, Any] | None = None,
        params: Mapping[str, Any] | Iterable[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Sends a request and waits for its answer.

        Args:
            method: such as ``"GET"``.
            path: below ``/app``, which need not be written; ``/node/...`` and ``/gov/...`` are the
                node's own. A query may follow after ``?``.
            json: the body, as a value; even null if that is what `data` of ``b"null"`` says.
            data: the body: bytes, text, or the fields of a form.
            params: the query's parameters.
            headers: beside those of the client.
        """
        target = _target(path, params)
        lines = {name.lower(): value for name, value in self.headers.items()}
        body, content_type = _body(json, data)
        if content_type:
            lines["content-type"] = content_type
        lines.setdefault("host", "localhost")
        lines.setdefault("user-agent", "affiant-testing")
        if body or method.upper() in ("POST", "PUT", "PATCH"):
            lines["content-length"] = str(len(body))
        lines.update({name.lower(): value for name, value in (headers or {}).items()})
        answer = self.ledger._engine.send(
            method.upper(), target, list(lines.items()), body, self._visitor
        )
        return Response(f"{method.upper()} {target}", *answer, self.ledger)

    def get(self, path: str, **options: Any) -> Response:
        """``GET``; the options are those of :meth:`request`."""
        return self.request("GET", path, **options)

    def head(self, path: str, **options: Any) -> Response:
        """``HEAD``; the options are those of :meth:`request`."""
        return self.request("HEAD", path, **options)

    def options(self, path: str, **options: Any) -> Response:
        """``OPTIONS``; the options are those of :meth:`request`."""
        return self.request("OPTIONS", path, **options)

    def post(self, path: str, **options: Any) -> Response:
        """``POST``; the options are those of :meth:`request`."""
        return self.request("POST", path, **options)

    def put(self, path: str, **options: Any) -> Response:
        """``PUT``; the options are those of :meth:`request`."""
        return self.request("PUT", path, **options)

    def patch(self, path: str, **options: Any) -> Response:
        """``PATCH``; the options are those of :meth:`request`."""
        return self.request("PATCH", path, **options)

    def delete(self, path: str, **options: Any) -> Response:
        """``DELETE``; the options are those of :meth:`request`."""
        return self.request("DELETE", path, **options)

    def close(self) -> None:
        """Ends the client's own ledger, and an app that was an object; a ledger that it was given
        stays open."""
        if self._app is None:
            return
        if self._own:
            self.ledger.close()
        self._app.release()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Client of {self.user or 'nobody in particular'} on {self.ledger!r}>"

    def _admit(self, name: str, data: Any) -> _native.Visitor:
        return self.ledger._engine.admit(_identity(name), data)

    def _sibling(self, user: str | None, visitor: _native.Visitor | None) -> Client:
        sibling = object.__new__(Client)
        sibling._own = False
        sibling._app = None
        sibling.ledger = self.ledger
        sibling.headers = dict(self.headers)
        sibling.user = user
        sibling._visitor = visitor
        return sibling


def _identity(name: str) -> _native.Identity:
    known = _identities.get(name)
    if known is None:
        known = _identities[name] = _native.Identity(name)
    return known


def _target(path: str, params: Any) -> str:
    path, mark, query = path.partition("?")
    if not path.startswith("/"):
        path = f"/{path}"
    if not any(path == known or path.startswith(f"{known}/") for known in _PATHS):
        path = f"/app{path}"
    if params is not None:
        pairs = params.items() if isinstance(params, Mapping) else params
        more = urlencode([(name, value) for name, value in pairs if value is not None], doseq=True)
        query = f"{query}&{more}" if query else more
        mark = "?"
    return quote(path, safe=_SAFE) + (
        f"?{quote(query, safe=_SAFE + '?')}" if mark and query else ""
    )


def _body(json: Any, data: bytes | str | Mapping[str, Any] | None) -> tuple[bytes, str | None]:
    if json is not None and data is not None:
        raise ValueError("a request has one body: give json or data, not both")
    if json is not None:
        return _json.dumps(json, allow_nan=False).encode(), "application/json"
    if data is None:
        return b"", None
    if isinstance(data, str):
        return data.encode(), "text/plain; charset=utf-8"
    if isinstance(data, Mapping):
        return urlencode(data, doseq=True).encode(), "application/x-www-form-urlencoded"
    return bytes(data), None


def find_app(directory: str | os.PathLike[str], root: str | os.PathLike[str]) -> str | None:
    """The app of a test in `directory`: that of the nearest ``pyproject.toml`` with a table
    ``[tool.affiant]``, up to `root`; or ``app.py`` in one of those directories. None: there is none.
    """
    import tomllib

    at, top = os.path.realpath(directory), os.path.realpath(root)
    while True:
        project = os.path.join(at, "pyproject.toml")
        if os.path.isfile(project):
            with open(project, "rb") as file:
                if "affiant" in tomllib.load(file).get("tool", {}):
                    return at
        if os.path.isfile(os.path.join(at, "app.py")):
            return os.path.join(at, "app.py")
        if at == top or os.path.dirname(at) == at:
            return None
        at = os.path.dirname(at)
