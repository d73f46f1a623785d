"""A running sandbox with worker processes, and requests to it."""

from __future__ import annotations

import http.client
import json
from pathlib import Path
from typing import Any

from sandboxes import COMMAND, PATIENCE, Sandbox

__all__ = ["APP", "COMMAND", "PATIENCE", "Client", "Workers", "alive", "children"]

APP = Path(__file__).parent / "app"


class Client:
    """A connection of a user, or of nobody. Not for several threads."""

    def __init__(self, sandbox: Sandbox, user: bool = True) -> None:
        context = sandbox.context("user0" if user else None)
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


class Workers(Sandbox):
    """A sandbox with an app, and its worker processes."""

    def __init__(self, directory: Path, app: Path, workers: int, *arguments: str, **more: Any) -> None:
        options = ["--app", str(app), "--python-workers", str(workers), *arguments]
        super().__init__(directory, *options, **more)

    def client(self, user: bool = True) -> Client:
        """A new connection."""
        return Client(self, user)

    def workers(self) -> set[int]:
        """The processes that the node has started and that have not ended."""
        return children(self.process.pid)


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
