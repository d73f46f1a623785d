"""Apps that fail, end, or have names of Python's, as they are loaded."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest
from besieged import COMMAND, PATIENCE

APPS = {
    "fails": ("raise ValueError('at import')\n", "ValueError: at import"),
    "exits": ("import sys\nsys.exit(0)\n", "SystemExit"),
    "interrupts": ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
    "recurses": ("def f(): f()\nf()\n", "RecursionError"),
    "speaks_not": (
        "class E(Exception):\n    def __str__(self): raise self\nraise E\n",
        "E",
    ),
    "is_no_text": ("\0", "app.py"),
    "exits_at_once": ("import os\nos._exit(0)\n", "the app may not"),
    "kills": ("import os\nos.kill(os.getpid(), 9)\n", "the app may not"),
    "forks": ("import os\nos.fork()\n", "the app may not"),
    "empties": ("import sys\nsys.modules.clear()\nraise ValueError('emptied')\n", "emptied"),
    "declares_not": ("import ccf\nccf.endpoint('/x')(5)\n", "app"),
    "has_nothing": ("x = 1\n", "app"),
}

# What its messages and its timing are depends on the version; the attacks are written for the first one.
pytestmark = pytest.mark.once


def start(directory: Path, workers: int) -> subprocess.Popen[str]:
    command = [*COMMAND, "sandbox", "--app", ".", "--python-workers", str(workers)]
    return subprocess.Popen(
        [*command, "--node", "local://127.0.0.1:0"],
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.parametrize("workers", [0, 1], ids=["node", "workers"])
def test_a_fault_at_import_is_told(tmp_path: Path, workers: int) -> None:
    for name, (source, says) in APPS.items():
        directory = tmp_path / name
        directory.mkdir()
        (directory / "app.py").write_text(source)
        process = start(directory, workers)
        told, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 1 and says in told, (name, process.returncode, told)
        assert not (directory / "workspace").exists(), name


@pytest.mark.parametrize("workers", [0, 1], ids=["node", "workers"])
def test_a_module_named_like_one_of_pythons_is_refused(tmp_path: Path, workers: int) -> None:
    (tmp_path / "json.py").write_text("dumps = loads = None\n")
    (tmp_path / "app.py").write_text("def handle_request(request):\n    return 'x'\n")
    process = start(tmp_path, workers)
    told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "json" in told, told


@pytest.mark.parametrize("workers", [0, 1], ids=["node", "workers"])
def test_an_import_that_never_ends_is_ended_by_a_signal(tmp_path: Path, workers: int) -> None:
    marker = "import begins"
    (tmp_path / "app.py").write_text(f"print({marker!r}, flush=True)\nwhile True:\n    pass\n")
    process = start(tmp_path, workers)
    assert process.stdout is not None
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert process.returncode != 0
