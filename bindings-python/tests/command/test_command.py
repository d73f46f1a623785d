"""The command of the wheel as its users meet it: a new project, served, watched, stopped, resumed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandboxes import COMMAND, Sandbox


def asked(sandbox: Sandbox, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """Status and text of the answer to user0."""
    text = b"" if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    status, _, answer = sandbox.request(method, path, text, headers, "user0")
    return status, answer.decode()


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
    sandbox = Sandbox(project, "--app", ".", "--watch", errors=subprocess.PIPE)
    try:
        assert asked(sandbox, "PUT", "/app/notes/1", {"text": "milk"}) == (204, "")
        status, text = asked(sandbox, "GET", "/app/notes/1")
        assert (status, json.loads(text)["text"]) == (200, "milk")
        assert asked(sandbox, "GET", "/app/notes") == (200, '{"ids":["1"]}')
        assert asked(sandbox, "PUT", "/app/notes/2", {"text": ""})[0] == 400
        assert "There is no note 2." in asked(sandbox, "GET", "/app/notes/2")[1]

        source = project / "app.py"
        text = source.read_text().replace("There is no note", "No such note")
        source.write_text(text.replace("    note = ", '    print("asked for it")\n    note = '))
        sandbox.line("Reloaded .: 3 endpoints")
        assert "No such note 2." in asked(sandbox, "GET", "/app/notes/2")[1]
        sandbox.line("asked for it")
        # As Ctrl-C does it: the interpreter raises nothing of its own.
        sandbox.stop(signal.SIGINT)
        assert any(line.startswith("Stopped.") for line in sandbox.lines)

        sandbox = Sandbox(project, "--resume", errors=subprocess.PIPE)
        status, text = asked(sandbox, "GET", "/app/notes/1")
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
