"""The pytest plugin: how the app is found, in test suites of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

APP = """
import ccf

@ccf.endpoint("/name", auth=["no_auth"])
def name(request):
    return NAME

NAME = "{name}"
"""
TEST = """
def test_name(client, ledger):
    assert client.get("/name").text == "{name}"
    assert client.ledger is ledger
"""


def suite(root: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    ("files", "passed"),
    [
        ({"app.py": APP.format(name="a"), "tests/test_it.py": TEST.format(name="a")}, 1),
        (
            {
                "pyproject.toml": '[tool.affiant]\napp = "orders.py"\n',
                "orders.py": APP.format(name="b"),
                "tests/deep/test_it.py": TEST.format(name="b"),
            },
            1,
        ),
        (
            {
                "pytest.ini": "[pytest]\naffiant_app = services/c.py:name\n",
                "services/c.py": APP.format(name="c"),
                "tests/test_it.py": TEST.format(name="c"),
            },
            1,
        ),
        (
            {
                "pytest.ini": "[pytest]\naddopts = --strict-markers\n",
                "app.py": APP.format(name="root"),
                "tests/d.py": APP.format(name="d"),
                "tests/test_it.py": "import pytest\npytestmark = pytest.mark.affiant_app('d.py')\n"
                + TEST.format(name="d"),
            },
            1,
        ),
        (
            {
                "test_it.py": "import pytest, e\n\n@pytest.fixture\ndef affiant_app():\n    return e\n"
                + TEST.format(name="e"),
                "e.py": APP.format(name="e"),
            },
            1,
        ),
        (
            {
                "one/app.py": APP.format(name="f"),
                "one/test_one.py": TEST.format(name="f"),
                "two/pyproject.toml": "[tool.affiant]\n",
                "two/app.py": APP.format(name="g"),
                "two/test_two.py": TEST.format(name="g"),
                "one/test_three.py": TEST.format(name="f"),
            },
            3,
        ),
    ],
)
def test_the_app_is_found(tmp_path: Path, files: dict[str, str], passed: int) -> None:
    out = suite(tmp_path, files)
    assert f"{passed} passed" in out and "failed" not in out and "error" not in out, out


def test_a_missing_app_is_said(tmp_path: Path) -> None:
    out = suite(tmp_path, {"test_it.py": "def test_it(client): pass\n"})
    assert "no app for fixture client" in out and "pytest.mark.affiant_app" in out, out
