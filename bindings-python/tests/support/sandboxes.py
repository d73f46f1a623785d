"""Real sandboxes for tests: `affiant sandbox` of the installed wheel, as a process of its own."""

from __future__ import annotations

import http.client
import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Seconds; only ever waited for when something is wrong.
PATIENCE = 120


@dataclass
class Sandbox:
    """A running service: where it is, and what a client needs.

    Attributes:
        url: such as ``https://127.0.0.1:40123``.
        workspace: the sandbox's files.
        context: trusts the service; knows no user.
    """

    url: str
    workspace: Path
    context: ssl.SSLContext

    def request(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        user: str | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of one request on a connection of its own; ``user`` such as user0."""
        context = self.context
        if user is not None:
            common = self.workspace / "sandbox_common"
            context = ssl.create_default_context(cafile=common / "service_cert.pem")
            context.load_cert_chain(common / f"{user}_cert.pem", common / f"{user}_privk.pem")
        host, _, port = self.url.removeprefix("https://").rpartition(":")
        connection = http.client.HTTPSConnection(host, int(port), timeout=PATIENCE, context=context)
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


@contextmanager
def sandbox(directory: Path, *arguments: str) -> Iterator[Sandbox]:
    """A sandbox in `directory` on a free port; ends with the block.

    Raises:
        RuntimeError: it does not start; its output is in the message.
    """
    command = [sys.executable, "-I", "-m", "affiant", "sandbox", *arguments]
    workspace = directory / "workspace"
    addresses = workspace / "sandbox_0" / "0.rpc_addresses"
    addresses.unlink(missing_ok=True)
    with (directory / "log").open("a") as log:
        process = subprocess.Popen(
            [*command, "--node", "local://127.0.0.1:0"], cwd=directory, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + PATIENCE
        while not addresses.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((directory / "log").read_text())
            time.sleep(0.05)
        (address,) = json.loads(addresses.read_text()).values()
        certificate = workspace / "sandbox_common" / "service_cert.pem"
        context = ssl.create_default_context(cafile=certificate)
        yield Sandbox(f"https://{address}", workspace, context)
    finally:
        process.terminate()
        process.wait(PATIENCE)
