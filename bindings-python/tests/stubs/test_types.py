"""The types of ``ccf``: what a checker says of an app, and whether they are those of the modules."""

import shutil
import subprocess
import sys
import venv
from importlib.metadata import files
from pathlib import Path

HERE = Path(__file__).parent
NOT_TYPES = shutil.ignore_patterns("*.so", "__pycache__")


def run(tmp_path, *arguments):
    # Away from the sources, so that the installed packages are read.
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)


def test_an_app_is_checked_strictly(tmp_path):
    done = run(tmp_path, "mypy", "--strict", str(HERE / "app.py"))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_are_of_these_modules(tmp_path):
    allowed = ("--allowlist", str(HERE / "allowed.txt"))
    done = run(tmp_path, "mypy.stubtest", "ccf", *allowed, "--ignore-unused-allowlist")
    assert done.returncode == 0, done.stdout + done.stderr
    # What only affiant's own modules use need not be told here.
    own = ("affiant._native", *allowed, "--ignore-missing-stub", "--ignore-unused-allowlist")
    done = run(tmp_path, "mypy.stubtest", *own)
    assert done.returncode == 0, done.stdout + done.stderr


def test_our_own_module_is_checked_strictly(tmp_path):
    done = run(tmp_path, "mypy", "--strict", "-p", "affiant.ccf")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_stubs_leave_room_for_microsofts(tmp_path):
    """Partial stubs: what they do not have is looked for in the installed package ``ccf``."""
    own = {str(file): file for file in files("affiant") or ()}
    assert own["ccf-stubs/py.typed"].read_text() == "partial\n"
    installed = Path(own["ccf-stubs/py.typed"].locate()).parent.parent
    venv.create(tmp_path / "venv")
    packages = next((tmp_path / "venv").glob("lib/python*/site-packages"))
    for name in ("affiant", "ccf-stubs"):
        shutil.copytree(installed / name, packages / name, ignore=NOT_TYPES)
    theirs = packages / "ccf"
    theirs.mkdir()
    (theirs / "__init__.py").touch()
    (theirs / "py.typed").touch()
    (theirs / "receipt.py").write_text("def root(leaf: str) -> str:\n    return leaf\n")
    app = tmp_path / "app.py"
    app.write_text(
        "from typing import assert_type\n"
        "from ccf import crypto, kv\n"
        "from ccf.receipt import root\n"
        "assert_type(root('a'), str)\n"
        "assert_type(kv['m'][b'k'], bytes)\n"
        "assert_type(crypto.generate_aes_key(128), bytes)\n"
    )
    interpreter = ("--python-executable", str(tmp_path / "venv" / "bin" / "python"))
    done = run(tmp_path, "mypy", "--strict", *interpreter, str(app))
    assert done.returncode == 0, done.stdout + done.stderr


def test_star_imports_need_no_request():
    names: dict[str, object] = {}
    exec("from ccf import *", names)
    assert {"kv", "crypto", "endpoint", "Request"} <= names.keys()
    assert not {"request", "historical_state"} & names.keys()
