"""A sandbox of a hostile app: its limits, requests to it, and a witness that its node answers."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from sandboxes import COMMAND, context

# Seconds; only ever waited for when something is wrong.
PATIENCE = 20
LIMIT_MS = 400
HEAP_BYTES = 256 << 20
NODE_PATHS = ("/node/state", "/app/commit")


def options(directory: Path, limit_ms: int, heap_bytes: int) -> Path:
    """A proposal that sets limits."""
    arguments = {
        "max_heap_bytes": heap_bytes,
        "max_stack_bytes": 1 << 20,
        "max_execution_time_ms": limit_ms,
        "log_exception_details": True,
        "return_exception_details": True,
    }
    path = directory / "options.json"
    action = {"name": "set_js_runtime_options", "args": arguments}
    path.write_text(json.dumps({"actions": [action]}))
    return path


class Besieged:
    """``affiant sandbox`` with an app under low limits, stopped at the end, where it must have lived.

    workers: how many worker processes; 0: the app is in the node's process.
    limit_ms: the time of a handler.
    heap_bytes: the memory of handlers.

    Raises:
        TimeoutError: it does not start; what it printed is in the message.
    """

    def __init__(
        self,
        directory: Path,
        app: Path,
        workers: int,
        limit_ms: int = LIMIT_MS,
        heap_bytes: int = HEAP_BYTES,
    ) -> None:
        self.workers = workers
        self.common = directory / "workspace" / "sandbox_common"
        self.log = directory / "log"
        command = [*COMMAND, "sandbox", "--app", str(app), "--python-workers", str(workers)]
        command += ["--apply", str(options(directory, limit_ms, heap_bytes))]
        command += ["--node", "local://127.0.0.1:0"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=directory, stdout=log, stderr=log)
        addresses = directory / "workspace" / "sandbox_0" / "0.rpc_addresses"
        try:
            self._until("it does not start", lambda: b"Press Ctrl+C" in self.log.read_bytes())
        except TimeoutError:
            self.process.kill()
            raise
        (self.address,) = json.loads(addresses.read_text()).values()
        self._connection = self.connect()
        self.witness = Witness(self)

    def _until(self, what: str, true: Any) -> None:
        end = time.monotonic() + PATIENCE
        while not true():
            if self.process.poll() is not None or time.monotonic() > end:
                raise TimeoutError(f"{what}: {self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)

    def __enter__(self) -> Besieged:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if error is None:
                self.witness.end()
                self.process.send_signal(signal.SIGTERM)
                assert self.process.wait(PATIENCE) == 0, self.log.read_text(errors="replace")
        finally:
            self.process.kill()
            self.process.wait()

    def connect(self) -> http.client.HTTPSConnection:
        """A new connection of user0."""
        return http.client.HTTPSConnection(
            self.address, context=context(self.common, "user0"), timeout=PATIENCE
        )

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        on: http.client.HTTPSConnection | None = None,
    ) -> tuple[int, str]:
        """Status and text of the answer."""
        connection = on or self._connection
        headers = {"content-type": "application/json"}
        text = None if body is None else json.dumps(body)
        try:
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return 0, f"{type(error).__name__}: {error}"

    def memory(self) -> int:
        """Resident bytes of the node."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024

    def cpu_seconds(self) -> float:
        """What the node has worked."""
        text = Path(f"/proc/{self.process.pid}/stat").read_text()
        fields = text.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Witness:
    """Asks for the node's own endpoints all the time, on a connection of its own."""

    def __init__(self, besieged: Besieged) -> None:
        self._besieged = besieged
        self._done = threading.Event()
        self.asked = 0
        self.slowest = 0.0
        self.wrong: list[tuple[str, int, str]] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def _ask(self) -> None:
        connection = self._besieged.connect()
        while not self._done.wait(0.01):
            for path in NODE_PATHS:
                begun = time.monotonic()
                status, text = self._besieged.send("GET", path, on=connection)
                self.slowest = max(self.slowest, time.monotonic() - begun)
                self.asked += 1
                if status != 200:
                    self.wrong.append((path, status, text))

    def end(self) -> None:
        """Expects that each answer was right and none was long in coming."""
        self._done.set()
        self._thread.join(PATIENCE)
        assert self.asked > 0 and self.wrong[:3] == []
        # A handler's limit and the time beyond it are less than that; a machine may be busy.
        assert self.slowest < 5, f"an answer of the node took {self.slowest:.1f} s"
