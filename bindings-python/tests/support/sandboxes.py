"""Real sandboxes for tests: `affiant sandbox` of the installed wheel, as a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Seconds; only ever waited for when something is wrong.
PATIENCE = 120
COMMAND = [sys.executable, "-I", "-m", "affiant"]


class Sandbox:
    """A running ``affiant sandbox`` on a free port, its files below ``directory/workspace``.

    Attributes:
        address: host and port.
        common: the directory with the certificates.
        lines: what it has printed; what it prints as an error too, unless ``errors`` is PIPE.
        process: the process.

    Raises:
        TimeoutError: it does not say what it should; its output is in the message.
    """

    def __init__(
        self,
        directory: Path,
        *arguments: str,
        environment: dict[str, str] | None = None,
        errors: int = subprocess.STDOUT,
    ) -> None:
        self.common = directory / "workspace" / "sandbox_common"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*COMMAND, "sandbox", *arguments, "--node", "local://127.0.0.1:0"],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            errors="replace",
            env=os.environ | (environment or {}),
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        try:
            node = self.line("Node [0] = https://")
            self.line("Press Ctrl+C")
        except TimeoutError:
            self.process.kill()
            raise
        self.address = node.split("https://")[1]

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def line(self, needle: str, since: int = 0) -> str:
        """The first line that has `needle`, once it is there."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            for line in self.lines[since:]:
                if needle in line:
                    return line
            if ended and not self.reader.is_alive():
                break
            time.sleep(0.02)
        raise TimeoutError(f"no line with {needle!r}: {self.lines[since:]}")

    def until(self, what: str, true: Callable[[], Any]) -> Any:
        """Waits until `true()` is, and gives it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.02)
        raise TimeoutError(f"{what}: {self.lines[-20:]}")

    def context(self, user: str | None = None) -> ssl.SSLContext:
        """Trusts the service; shows the certificate of `user`, such as user0."""
        return context(self.common, user)

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        user: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = http.client.HTTPSConnection(
            self.address, timeout=PATIENCE, context=self.context(user)
        )
        try:
            connection.request(method, path, body=body or None, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def json(self, method: str, path: str, value: Any = None, **more: Any) -> Any:
        """The JSON of an answer that must be a success."""
        body = b"" if value is None else json.dumps(value).encode()
        status, _, answer = self.request(method, path, body, **more)
        if not 200 <= status < 300:
            raise AssertionError(f"{method} {path}: {status} {answer!r}")
        return json.loads(answer) if answer else None

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stops it, and expects success; and silence, where errors are apart."""
        self.process.send_signal(number)
        errors = "" if self.process.stderr is None else self.process.stderr.read()
        assert (self.process.wait(PATIENCE), errors) == (0, ""), self.lines


def context(common: Path, user: str | None) -> ssl.SSLContext:
    """Trusts the service whose certificates are in `common`; shows that of `user`."""
    made = ssl.create_default_context(cafile=common / "service_cert.pem")
    if user is not None:
        made.load_cert_chain(common / f"{user}_cert.pem", common / f"{user}_privk.pem")
    return made


@contextmanager
def sandbox(directory: Path, *arguments: str) -> Iterator[Sandbox]:
    """A sandbox that ends with the block.

    Raises:
        TimeoutError: it does not start.
    """
    running = Sandbox(directory, *arguments)
    try:
        yield running
        running.stop()
    finally:
        running.process.kill()
        running.process.wait()
