"""A running sandbox with worker processes, and requests to it."""

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
from pathlib import Path
from typing import Any

# Seconds; only ever waited for when something is wrong.
PATIENCE = 120
COMMAND = [sys.executable, "-I", "-m", "affiant"]


class Client:
    """A connection of a user, or of nobody. Not for several threads."""

    def __init__(self, sandbox: Sandbox, user: bool = True) -> None:
        context = ssl.create_default_context(cafile=sandbox.common / "service_cert.pem")
        if user:
            name = sandbox.common / "user0"
            context.load_cert_chain(f"{name}_cert.pem", f"{name}_privk.pem")
        self.connection = http.client.HTTPSConnection(
            sandbox.address, context=context, timeout=PATIENCE
        )

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any, dict[str, str]]:
        """Status, body (parsed if it is JSON) and headers of the answer."""
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers = {"content-type": "application/json"} | (headers or {})
        self.connection.request(method, f"/app{path}", body, headers or {})
        answer = self.connection.getresponse()
        text = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
        if found.get("content-type", "").startswith("application/json"):
            return answer.status, json.loads(text), found
        return answer.status, text.decode(), found


class Sandbox:
    """``affiant sandbox`` with an app.

    Raises:
        TimeoutError: it does not say what it should; its output is in the message.
    """

    def __init__(
        self,
        directory: Path,
        app: Path,
        workers: int,
        *arguments: str,
        environment: dict[str, str] | None = None,
    ) -> None:
        self.common = directory / "workspace" / "sandbox_common"
        self.lines: list[str] = []
        options = ["--app", str(app), "--python-workers", str(workers), *arguments]
        options += ["--workspace", str(directory / "workspace"), "--node", "local://127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*COMMAND, "sandbox", *options],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
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

    def client(self, user: bool = True) -> Client:
        """A new connection."""
        return Client(self, user)

    def workers(self) -> set[int]:
        """The processes that the node has started and that have not ended."""
        return children(self.process.pid)

    def until(self, what: str, true: Any) -> Any:
        """Waits until `true()` is, and gives it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            found = true()
            if found:
                return found
            time.sleep(0.02)
        raise TimeoutError(f"{what}: {self.lines[-20:]}")

    def stop(self) -> None:
        """Stops it, and expects success."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.lines


def children(parent: int) -> set[int]:
    """The processes whose parent is `parent`, zombies left out."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == parent and fields[0] != "Z":
            found.add(int(entry.name))
    return found


def alive(process: int) -> bool:
    """Whether a process is there, or a thread of it: its files are open until the last one ends."""
    try:
        text = Path(f"/proc/{process}/stat").read_text()
        threads = len(list(Path(f"/proc/{process}/task").iterdir()))
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z" or threads > 1
