"""How a handler that only computes scales with worker processes; run by compare.py."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from load import Measured, drive
from servers import APPS, serve

import plan

MILLISECONDS = 5
CONNECTIONS = 8
TURNS = 2
TARGET = 1.7


def rounds_for(milliseconds: float) -> int:
    """How often the handler's loop turns in that much CPU time of this interpreter."""
    scope: dict[str, Any] = {}
    source = (APPS / "spin.py").read_text().partition("def work")
    exec(source[1] + source[2], scope)
    count = 100_000
    taken = []
    for _ in range(5):
        start = time.process_time()
        scope["work"](count)
        taken.append(time.process_time() - start)
    return max(1, int(count * milliseconds / 1000 / min(taken)))


def scaling(work: Path, seconds: int) -> float:
    """Measures one and two workers in turns, prints both; the ratio of their rates."""
    rounds = rounds_for(MILLISECONDS)
    results: dict[int, list[Measured]] = {1: [], 2: []}
    for _ in range(TURNS):
        for workers, measured in results.items():
            configuration = plan.affiant("spin.py", workers)
            with serve(configuration, work, None, "/spin?rounds=1") as server:
                path = f"/spin?rounds={rounds}"
                measured.append(drive(server, path, "get", CONNECTIONS, seconds))
    rates = {workers: sum(one.per_second for one in of) / TURNS for workers, of in results.items()}
    client = max(one.client_cpu for of in results.values() for one in of)
    ratio = rates[2] / rates[1]
    verdict = "met" if ratio > TARGET else "MISSED"
    print(f"\na handler of {MILLISECONDS} ms of pure Python, {CONNECTIONS} connections:")
    for workers, measured in results.items():
        cpu = sum(one.cpu for one in measured) / TURNS / 1000
        print(f"  --python-workers {workers}: {rates[workers]:.0f}/s, {cpu:.2f} ms of CPU each")
    print(f"  ratio {ratio:.2f} (target {TARGET}: {verdict}); the client took {client:.0f} us each")
    sys.stdout.flush()
    return ratio
