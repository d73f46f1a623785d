"""Loading apps for services and tests of this process."""

from __future__ import annotations

import atexit
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

from affiant import _native
from affiant._errors import LedgerError

log = logging.getLogger("affiant.app")


class App:
    """An app, ready to be served by any number of ledgers.

    Attributes:
        native: what serves it.
    """

    def __init__(self, native: _native.LoadedApp, shutdown: Callable[[], None], kept: bool) -> None:
        self.native = native
        self._shutdown = shutdown
        self._kept = kept

    def release(self) -> None:
        """Whoever loaded it is done. One that was loaded from a path stays for the next."""
        if not self._kept:
            self.end()

    def end(self) -> None:
        """Ends the app: what it started with, such as a lifespan. A second call does nothing."""
        _running.pop(id(self), None)
        try:
            self._shutdown()
        except Exception:
            log.exception("the app failed as it ended")


_of_paths: dict[str, App] = {}
# What has to be ended by the end of the process.
_running: dict[int, App] = {}


def load(app: Any) -> App:
    """Loads an app.

    One that a path names is imported once per process, and what it starts with (a lifespan) is ended
    with the process: one import serves many tests. Objects are there already; what they start with
    is ended by :meth:`App.release`.

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
    if key is not None and key in _of_paths:
        return _of_paths[key]
    try:
        found = objects.load_object(app) if path is None else place.load(path)
    except AppLoadError as error:
        raise LedgerError(str(error)) from error
    ready = App(_native.LoadedApp(found), found.shutdown, key is not None)
    _running[id(ready)] = ready
    if key is not None:
        _of_paths[key] = ready
    return ready


def end_all() -> None:
    """Ends every app; a path names a new one from now on."""
    _of_paths.clear()
    for app in list(_running.values()):
        app.end()


# Before the event loop, which is closed so too: `atexit` is too late.
getattr(threading, "_register_atexit", atexit.register)(end_all)
