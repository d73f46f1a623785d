"""The Python listing of docs/embedding.md runs as written, and again on the same ledger."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "embedding.md"


def test_the_listing_runs_and_resumes(tmp_path: Path) -> None:
    listings = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(listings) == 1
    (tmp_path / "program.py").write_text(listings[0])
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-B", "program.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert re.fullmatch(r"\d+\.\d+: alice has 10\n", done.stdout), done.stdout
    assert (tmp_path / "data" / "ledger").is_dir()
