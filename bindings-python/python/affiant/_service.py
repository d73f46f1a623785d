"""An app served over HTTPS by this process: ``affiant.serve``."""

from __future__ import annotations

import os
import tempfile
import threading
from types import TracebackType
from typing import Any, NamedTuple

from affiant import _apps, _native
from affiant._errors import LedgerError
from affiant._ledger import Ledger

HANDLER_SECONDS = 5.0
HEALTH_SECONDS = 0.5
LOOPBACK_NAMES = ("127.0.0.1", "localhost")


class UserFiles(NamedTuple):
    """Files of a user's certificate and private key, as ``requests`` takes them: ``cert=user``."""

    certificate: str
    private_key: str


class Service:
    """A running service; made by :func:`affiant.serve`. Use it in a ``with`` block, or :meth:`stop` it.

    Attributes:
        url: where it is: ``https://127.0.0.1:41873``; the app is below ``/app``.
        certificate_path: a file with the service's certificate, which clients trust
            (``verify=service.certificate_path``).
        ledger: its ledger, for the code of this process.
    """

    def __init__(
        self, ledger: Ledger, engine: _native.Engine, directory: str | None, app: _apps.App
    ) -> None:
        self.ledger = ledger
        self._app = app
        self.url = f"https://{engine.address}"
        self._engine = engine
        self._stopping = threading.Event()
        self._temporary = None if directory else tempfile.TemporaryDirectory(prefix="affiant-")
        self._directory = directory or (self._temporary.name if self._temporary else "")
        self.certificate_path = os.path.join(self._directory, "service_cert.pem")
        with open(self.certificate_path, "w", encoding="ascii") as file:
            file.write(engine.service_certificate)

    def user(self, name: str, data: Any = None) -> UserFiles:
        """A user of the service with a key and a certificate, made at the first call.

        Args:
            name: also that of the files, ``<name>_cert.pem`` and ``<name>_privk.pem``.
            data: what the app finds as ``request.caller.data``; a JSON-able value.

        Raises:
            ValueError: the name cannot be one of a file.
        """
        if not name or not name.replace("-", "_").replace("_", "a").isalnum():
            raise ValueError(f"{name!r}: a user's name has letters, digits, - and _")
        files = UserFiles(
            os.path.join(self._directory, f"{name}_cert.pem"),
            os.path.join(self._directory, f"{name}_privk.pem"),
        )
        if os.path.exists(files.certificate):
            return files
        identity = _native.Identity(name)
        self._engine.admit(identity, {} if data is None else data)
        self._engine.sync(60.0)
        with open(
            os.open(files.private_key, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w"
        ) as f:
            f.write(identity.private_key)
        with open(files.certificate, "w", encoding="ascii") as file:
            file.write(identity.certificate)
        return files

    def serve_forever(self) -> None:
        """Serves until :meth:`stop`, or an interrupt (Ctrl-C), and stops the service then.

        Raises:
            LedgerError: the node has failed, such as when its disk did.
        """
        try:
            while not self._stopping.wait(HEALTH_SECONDS):
                if not self.ledger.closed and (reason := self._engine.failed):
                    raise LedgerError(f"the node accepts nothing more: {reason}")
        except KeyboardInterrupt:
            pass
        finally:
            self.stop()

    def stop(self) -> None:
        """Lets the answers under way leave, writes what there is to disk, and ends."""
        self._stopping.set()
        self.ledger.close()
        self._app.release()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> Service:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Service {self.url}{', stopped' if self.ledger.closed else ''}>"


def serve(
    app: Any,
    *,
    address: str = "127.0.0.1:0",
    directory: str | os.PathLike[str] | None = None,
    names: list[str] | None = None,
    time_limit: float = HANDLER_SECONDS,
) -> Service:
    """Serves an app over HTTPS, from this process, until the service is stopped.

    Args:
        app: a path as on the command line (``app.py``, ``app.py:attribute``, a directory), a module,
            a web app (ASGI, WSGI), a function.
        address: host and port to listen on; port 0: one that is free.
        directory: where the data lies, as for :func:`affiant.open`. None: in memory.
        names: host names and addresses under which clients come, for the certificate. None: that
            of `address`.
        time_limit: seconds that a request's handler may take.

    Raises:
        LedgerError: the app cannot be loaded, the directory not opened, or the address not listened
            on.
    """
    loaded = _apps.load(app)
    place = None if directory is None else os.path.abspath(directory)
    if names is None and address.rpartition(":")[0] in LOOPBACK_NAMES:
        names = list(LOOPBACK_NAMES)
    ledger: Ledger | None = None
    try:
        engine = _native.Engine.open(place, address, names)
        ledger = Ledger(engine, place)
        engine.deploy(loaded.native)
        engine.serve(loaded.native, time_limit)
        return Service(ledger, engine, place, loaded)
    except BaseException:
        if ledger is not None:
            ledger.close()
        loaded.release()
        raise
