"""Runs an app under the guard, in a process of its own: a guard cannot be taken off."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from typing import Any

SOURCES = str(pathlib.Path(__file__).parents[2] / "python")
_SECONDS = 120

_DRIVER = """
import json, site, sys
sources, directory, library, table, environment = json.loads(sys.argv[1])
sys.path.insert(0, sources)
# The package without its native part, which the guard does not need.
bare = sys.modules["affiant"] = type(sys)("affiant")
bare.__path__ = [sources + "/affiant"]
from affiant import _guard
place = directory + "/pyproject.toml"
policy = _guard.Policy.parse(table, place)
sys.path[:0] = [directory, library]
refused = None
try:
    roots = [*(site.getsitepackages() if environment else []), library]
    _guard.install(policy, roots=roots, place=place, app=directory)
    import app
except PermissionError as error:
    refused = error
if refused is not None:
    print("REFUSED", str(refused))
else:
    print("PASSED")
"""


class Result:
    """What an app printed, and whether the guard refused it."""

    def __init__(self, directory: str, done: subprocess.CompletedProcess) -> None:
        """Keep the output of a run in `directory`."""
        self.directory = directory
        self.out, self.err, self.code = done.stdout, done.stderr, done.returncode

    @property
    def refusal(self) -> str:
        """The text of the refusal; an error if there was none."""
        marked = [line for line in self.out.splitlines() if line.startswith("REFUSED ")]
        if not marked:
            raise AssertionError(f"not refused: code {self.code}\n{self.out}\n{self.err}")
        return marked[-1][len("REFUSED ") :]

    def passed(self) -> Result:
        """Raise an error unless the app ran to its end."""
        if "PASSED" not in self.out.splitlines() or self.code != 0:
            raise AssertionError(f"did not pass: code {self.code}\n{self.out}\n{self.err}")
        return self


def run(
    source: str,
    policy: dict[str, Any] | None = None,
    files: dict[str, str] | None = None,
    library: dict[str, str] | None = None,
    beside: dict[str, str] | None = None,
    environment: dict[str, str] | None = None,
) -> Result:
    """Import `source` as the module `app` under the guard.

    `files` are put beside it, `library` into a directory of installed libraries. "DIRECTORY" and
    "LIBRARY" in the source are replaced by the two. With `beside` the guard runs from a copy that has
    these files beside it, as in an environment where Affiant is installed, and the environment's own
    packages are not the app's.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = pathlib.Path(temporary).resolve()
        directory, installed = root / "app", root / "library"
        for base, texts in (
            (directory, {"app.py": source, **(files or {})}),
            (installed, library or {}),
        ):
            base.mkdir()
            for name, text in texts.items():
                path = base / name
                path.parent.mkdir(parents=True, exist_ok=True)
                text = text.replace("DIRECTORY", str(directory)).replace("LIBRARY", str(installed))
                path.write_text(text)
        sources = SOURCES
        if beside is not None:
            sources = str(root / "site")
            shutil.copytree(f"{SOURCES}/affiant/_guard", f"{sources}/affiant/_guard")
            for name, text in beside.items():
                path = root / "site" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        task = json.dumps([sources, str(directory), str(installed), policy or {}, beside is None])
        done = subprocess.run(
            [sys.executable, "-I", "-c", _DRIVER, task],
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            env={**os.environ, **(environment or {})},
        )
        return Result(str(directory), done)
