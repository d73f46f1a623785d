"""An opened bundle is loaded from memory, with its wheels, under the guard, as a node does."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import making

from affiant._bundle.build import build

_NODE = """
import json, sys
sources, path, digest, into = sys.argv[1:]
sys.path.append(sources)
bare = sys.modules["affiant"] = type(sys)("affiant")
bare.__path__ = [sources + "/affiant"]
from affiant import _guard
from affiant._bundle import open_bundle
from affiant._hosting.load import Source, load
bundle = open_bundle(path, digest, into)
manifest = bundle.manifest
_guard.install(_guard.Policy.parse(manifest["policy"], path), roots=bundle.packages, place=path)
loaded = load(Source(
    modules=bundle.sources,
    endpoints=bundle.metadata["endpoints"],
    entry=manifest["entry"],
    packages=bundle.packages,
))
answer = {}
for name, handler in loaded.handlers.items():
    try:
        answer[name] = handler(None)
    except PermissionError as error:
        answer[name] = str(error)
print(json.dumps(answer))
loaded.shutdown()
bundle.close()
"""

_APP = """
import adder
from parts import numbers


def handle_request(request):
    open("/etc/passwd")


def sums(request):
    return {"sum": adder.add(numbers.ONE, 2)}
"""


def serve(path: pathlib.Path, digest: str, into: pathlib.Path) -> dict:
    """The answers of every handler of a bundle."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _NODE, making.SOURCES, str(path), digest, str(into)],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def test_a_bundle_serves_as_the_app_did(tmp_path: pathlib.Path) -> None:
    making.wheel(tmp_path / "wheels")
    app = making.app(tmp_path / "app", _APP)
    (app / "parts").mkdir()
    (app / "parts" / "numbers.py").write_text("ONE = 1\n")
    for entry in ("app.py", "app.py:sums"):
        (app / "pyproject.toml").write_text(f'[tool.affiant]\napp = "{entry}"\n')
        built = build(str(app), str(tmp_path / "one"), wheels=str(tmp_path / "wheels"))
        assert built.modules == ("/app.py", "/parts/numbers.py")
        answers = serve(tmp_path / "one", built.digest, tmp_path)
        assert answers
        for answer in answers.values():
            if entry == "app.py":
                assert "may not open '/etc/passwd' for reading" in answer
                assert f"in {tmp_path / 'one'}:  read = " in answer
            else:
                assert answer == {"sum": 3}
