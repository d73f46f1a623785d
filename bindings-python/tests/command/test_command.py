"""The command of the wheel as its users meet it: a new project, served, watched, stopped, resumed."""

from __future__ import annotations

import http.client
import json
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Seconds; only ever waited for when something is wrong.
PATIENCE = 120
COMMAND = [sys.executable, "-I", "-m", "affiant"]


class Sandbox:
    """A running ``affiant sandbox`` in a directory, and requests to it as user0.

    Raises:
        TimeoutError: it does not say what it should; its output is in the message.
    """

    def __init__(self, directory: Path, *arguments: str) -> None:
        self.common = directory / "workspace" / "sandbox_common"
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [*COMMAND, "sandbox", *arguments, "--node", "local://127.0.0.1:0"],
            cwd=directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
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
        self.lines.extend(line.rstrip("\n") for line in self.process.stdout)

    def line(self, needle: str) -> str:
        """The first line that has ``needle``, once it is there."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            ended = self.process.poll() is not None
            for line in list(self.lines):
                if needle in line:
                    return line
            if ended and not self.reader.is_alive():
                break
            time.sleep(0.02)
        raise TimeoutError(f"no line with {needle!r}: {self.lines}")

    def request(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """Status and text of the answer."""
        context = ssl.create_default_context(cafile=self.common / "service_cert.pem")
        context.load_cert_chain(self.common / "user0_cert.pem", self.common / "user0_privk.pem")
        connection = http.client.HTTPSConnection(self.address, context=context, timeout=PATIENCE)
        try:
            headers = {"content-type": "application/json"}
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def stop(self, number: int) -> None:
        """Stops it, and expects success and silence."""
        self.process.send_signal(number)
        assert self.process.stderr is not None
        errors = self.process.stderr.read()
        assert (self.process.wait(PATIENCE), errors) == (0, "")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project as ``affiant new python`` makes it."""
    made = subprocess.run(
        [*COMMAND, "new", "python", "notes"], cwd=tmp_path, capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    yield tmp_path / "notes"


def test_a_new_project_passes_its_own_tests(project: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "5 passed" in ended.stdout


def test_a_new_project_is_served_watched_and_resumed(project: Path) -> None:
    sandbox = Sandbox(project, "--app", ".", "--watch")
    try:
        assert sandbox.request("PUT", "/app/notes/1", {"text": "milk"}) == (204, "")
        status, text = sandbox.request("GET", "/app/notes/1")
        assert (status, json.loads(text)["text"]) == (200, "milk")
        assert sandbox.request("GET", "/app/notes") == (200, '{"ids":["1"]}')
        assert sandbox.request("PUT", "/app/notes/2", {"text": ""})[0] == 400
        assert "There is no note 2." in sandbox.request("GET", "/app/notes/2")[1]

        source = project / "app.py"
        text = source.read_text().replace("There is no note", "No such note")
        source.write_text(text.replace("    note = ", '    print("asked for it")\n    note = '))
        sandbox.line("Reloaded .: 3 endpoints")
        assert "No such note 2." in sandbox.request("GET", "/app/notes/2")[1]
        sandbox.line("asked for it")
        # As Ctrl-C does it: the interpreter raises nothing of its own.
        sandbox.stop(signal.SIGINT)
        assert any(line.startswith("Stopped.") for line in sandbox.lines)

        sandbox = Sandbox(project, "--resume")
        status, text = sandbox.request("GET", "/app/notes/1")
        assert (status, json.loads(text)["text"]) == (200, "milk")
        sandbox.stop(signal.SIGTERM)
    finally:
        sandbox.process.kill()
    ledger = project / "workspace" / "sandbox_0" / "0.ledger"
    verified = subprocess.run([*COMMAND, "ledger", "verify", ledger], capture_output=True)
    assert verified.returncode == 0, verified.stderr


def test_faults_of_an_app_are_told_and_leave_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("def handle_request(:\n")
    ended = subprocess.run(
        [*COMMAND, "sandbox", "--app", "app.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert "SyntaxError" in ended.stderr and "app.py" in ended.stderr
    assert not (tmp_path / "workspace").exists()


def test_usage_is_that_of_the_command() -> None:
    for arguments, code in [(["--help"], 0), (["frobnicate"], 2), (["ledger", "verify"], 2)]:
        ended = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True)
        assert ended.returncode == code
        assert "Usage: affiant " in ended.stdout + ended.stderr
