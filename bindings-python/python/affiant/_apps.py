"""Loading apps for services and tests of this process."""

from __future__ import annotations

import atexit
import os
from typing import Any

from affiant import _native
from affiant._errors import LedgerError

_loaded: dict[str, _native.LoadedApp] = {}
_shutdowns: list[Any] = []


def load(app: Any) -> _native.LoadedApp:
    """An app, ready to be served by any number of ledgers.

    Its code is imported once per process, and what it starts with (a lifespan) is ended with the
    process: one import serves many tests.

    Args:
        app: a path as on the command line (``app.py``, ``app.py:attribute``, a directory), a module,
            a web app (ASGI, WSGI), a function.

    Raises:
        LedgerError: it cannot be loaded; the message says why.
    """
    from affiant._hosting import objects, place
    from affiant._hosting.errors import AppLoadError

    path = os.fspath(app) if isinstance(app, (str, os.PathLike)) else None
    key = None if path is None else os.path.realpath(path)
    if key is not None and key in _loaded:
        return _loaded[key]
    try:
        found = objects.load_object(app) if path is None else place.load(path)
    except AppLoadError as error:
        raise LedgerError(str(error)) from error
    if not _shutdowns:
        atexit.register(_end)
    _shutdowns.append(found.shutdown)
    ready = _native.LoadedApp(found)
    if key is not None:
        _loaded[key] = ready
    return ready


def _end() -> None:
    while _shutdowns:
        _shutdowns.pop()()
