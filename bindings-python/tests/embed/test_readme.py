"""The page of the package: its listings run as written, in order."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def test_the_listings_run(tmp_path: Path) -> None:
    listings = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    program = []
    for listing in listings:
        file = re.match(r"# (\w+\.py)\n", listing)
        if file:
            (tmp_path / file[1]).write_text(listing)
        else:
            program.append(listing)
    (tmp_path / "program.py").write_text("\n".join(program))

    def run(*arguments: str) -> str:
        environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    out = run("program.py")
    for expected in ("True\n15\n", "Verified: ", "refused: json receipt: claims", "https://127."):
        assert expected in out
    out = run("-m", "pytest", "-p", "no:cacheprovider")
    assert "1 passed" in out and "warning" not in out
