"""Web apps that never end, and whose answers are no answers."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
import wsgi_app
from besieged import LIMIT_MS, Besieged

HERE = Path(__file__).resolve().parent
ENDLESS = [
    "sync",
    "stubborn",
    "async",
    "to_thread",
    "executor",
    "many",
    "background",
    "stream",
    "sleeps",
]
WELL = {"status_split": 200, "megabytes": 200}

# What its messages and its timing are depends on the version; the attacks are written for the first one.
pytestmark = pytest.mark.once


@pytest.mark.parametrize("workers", [0, 1], ids=["node", "workers"])
def test_threads_of_endpoints_end_with_their_time(tmp_path: Path, workers: int) -> None:
    with Besieged(tmp_path, HERE / "fastapi_app.py", workers) as besieged:
        assert besieged.send("GET", "/app/fine") == (200, '{"fine":1}')
        for name in ENDLESS:
            status, text = besieged.send("GET", f"/app/{name}")
            assert status == 500, (name, text[:300])
            end = time.monotonic() + 10
            while besieged.send("GET", "/app/fine") != (200, '{"fine":1}'):
                assert time.monotonic() < end, f"the app does not answer after {name}"
        if workers:
            # A worker that was ended has forgotten.
            return
        # They are not spinning: the node has next to nothing to do. A thread may be stopped before it
        # begins to spin, or again while it notes that it was: not each one leaves a note.
        end = time.monotonic() + 20
        while True:
            before = besieged.cpu_seconds()
            time.sleep(0.5)
            spent = besieged.cpu_seconds() - before
            if spent < 0.4 or time.monotonic() > end:
                break
        assert spent < 0.4
        expected = {"sync", *(f"stubborn {n}" for n in range(3)), "async", "to_thread", "executor"}
        expected |= {*(f"many {n}" for n in range(4)), "background"}
        told = json.loads(besieged.send("GET", "/app/ended")[1])["ended"]
        assert {line.partition(":")[0] for line in told} <= expected
        assert told and all(line.endswith("TimeLimitExceeded") for line in told)


@pytest.mark.parametrize("workers", [0, 1], ids=["node", "workers"])
def test_answers_that_are_none(tmp_path: Path, workers: int) -> None:
    with Besieged(tmp_path, HERE / "wsgi_app.py:app", workers) as besieged:
        wrong = []
        for name in wsgi_app.ANSWERS:
            status, text = besieged.send("GET", f"/app/{name}")
            if status != WELL.get(name, 500):
                wrong.append((name, status, text[:200]))
            end = time.monotonic() + 10 + LIMIT_MS / 1000
            while besieged.send("GET", "/app/fine") != (200, "fine"):
                assert time.monotonic() < end, f"the app does not answer after {name}"
        assert wrong == []
