"""Loads an app under the guard, in a process of its own, and says what it serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from .errors import BundleError

SECONDS_MAX = 600
ANSWER_BYTES_MAX = 128 << 20

# Without the native part, as in a tree of sources, the package is what lies in its directory.
_START = """
import sys
home = sys.argv[1]
sys.path.append(home)
try:
    import affiant
except ModuleNotFoundError as error:
    if error.name not in ("affiant._native", "_affiant_ccf"):
        raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "affiant"]:
        del sys.modules[name]
    bare = sys.modules["affiant"] = type(sys)("affiant")
    bare.__path__ = [home + "/affiant"]
from affiant._bundle import probe
probe.main()
"""


def ask(python: str, app: str, packages: str) -> dict[str, Any]:
    """What the app at the path `app` serves, with libraries in the directory `packages`.

    `python` is the interpreter to ask. Returns `endpoints`, `modules`, `entry`, `policy` and
    `warnings`. Raises `BundleError` with what the app's author has to know.
    """
    home = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    task = json.dumps({"app": os.path.abspath(app), "packages": packages})
    try:
        done = subprocess.run(
            [python, "-I", "-c", _START, home],
            input=task.encode(),
            stdout=subprocess.PIPE,
            timeout=SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{app} could not be loaded: {error}") from error
    try:
        if len(done.stdout) > ANSWER_BYTES_MAX:
            raise ValueError("too much")
        answer = json.loads(done.stdout)
    except ValueError as error:
        raise BundleError(
            f"{app} could not be loaded: its process ended with code {done.returncode} and without an "
            "answer; see what it wrote above"
        ) from error
    if "error" in answer:
        raise BundleError(answer["error"])
    return answer


def main() -> None:
    """Answer one task from the standard input."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    # What the app prints is for people; the answer goes its own way.
    os.dup2(2, 1)
    task = json.load(sys.stdin)
    try:
        answer = _load(task["app"], task["packages"])
    except (Exception, SystemExit) as error:
        answer = {"error": str(error) or type(error).__name__}
    json.dump(answer, answers)
    answers.flush()


def _load(app: str, packages: str) -> dict[str, Any]:
    from affiant import _guard
    from affiant._hosting import load, place

    source, _origin = place.resolve(app)
    # ":attribute" stands behind the last slash, so the directory is the same with and without it.
    directory = app if os.path.isdir(app) else os.path.dirname(app)
    policy_place = os.path.join(directory, "pyproject.toml")
    policy = _guard.Policy.parse(source.options.get("policy", {}), policy_place)
    source.packages = [packages]
    _guard.install(policy, roots=[packages], place=policy_place, app=source.directory)
    loaded = load.load(source)
    try:
        return {
            "endpoints": loaded.endpoints,
            "modules": loaded.modules,
            "entry": source.entry,
            "policy": policy.table(),
            "warnings": loaded.warnings,
        }
    finally:
        loaded.shutdown()
