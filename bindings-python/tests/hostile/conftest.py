"""Sandboxes of hostile apps, in both modes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE / "app")]

from besieged import Besieged  # noqa: E402


# One worker: what an attack changed is taken back in the process where it was changed.
@pytest.fixture(params=[0, 1], ids=["node", "workers"])
def besieged(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Besieged]:
    """The app of attacks."""
    with Besieged(tmp_path, HERE / "app", request.param) as running:
        yield running
