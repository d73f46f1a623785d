"""A bundle as its operator meets it: built, served, served again from the ledger, refused when damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import making
import pytest
from sandboxes import sandbox

APP = '''
import ccf, greeting

@ccf.endpoint("/where", auth=["no_auth"])
def where(request):
    return {"file": greeting.__file__, "text": greeting.TEXT}

@ccf.endpoint("/flask", auth=["no_auth"])
def foreign(request):
    import pytest
'''


def build(directory: Path) -> Path:
    app = making.app(directory / "app", APP, "greeting==1.0\n")
    wheels = directory / "wheels"
    making.wheel(wheels, "greeting", "1.0", {"greeting.py": 'TEXT = "sworn"\n'})
    bundle = directory / "app.tar"
    command = [sys.executable, "-m", "affiant", "bundle", str(app), "--output", str(bundle)]
    done = subprocess.run([*command, "--wheels", str(wheels)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return bundle


@pytest.mark.once
def test_a_bundle_is_served_and_found_again_by_the_digest_in_the_ledger(tmp_path: Path) -> None:
    bundle = build(tmp_path)
    with sandbox(tmp_path, "--app", str(bundle)) as running:
        answer = running.json("GET", "/app/where")
        assert answer["text"] == "sworn"
        unpacked = Path(answer["file"])
        assert unpacked.is_file() and tmp_path not in unpacked.parents
        # What the environment has is not the app's: the bundle alone is.
        status, _, text = running.request("GET", "/app/flask")
        assert status == 500 and b"pytest" in text
    assert not unpacked.exists(), "what was unpacked is removed at the end"
    bundle.unlink()
    for workers in ("0", "1"):
        with sandbox(tmp_path, "--resume", "--python-workers", workers) as running:
            assert running.json("GET", "/app/where")["text"] == "sworn"
    (kept,) = (tmp_path / "workspace" / "sandbox_packages").glob("*.tar")
    content = bytearray(kept.read_bytes())
    content[content.index(b"PK\x03\x04") + 60] ^= 1
    kept.write_bytes(content)
    with pytest.raises(TimeoutError, match="greeting-1.0"):
        with sandbox(tmp_path, "--resume"):
            pass
    kept.unlink()
    with pytest.raises(TimeoutError, match="this node does not have it"):
        with sandbox(tmp_path, "--resume"):
            pass
