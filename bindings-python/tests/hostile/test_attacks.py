"""Each attack is answered, the next request is right, and the node answers all the time."""

from __future__ import annotations

import json
import time

import pytest
import on_answers  # noqa: F401  (fills the table, as do the others)
import on_interpreter  # noqa: F401
import on_memory  # noqa: F401
import on_process  # noqa: F401
import on_store  # noqa: F401
import on_time  # noqa: F401
from attacks import TABLE, Attack
from besieged import HEAP_BYTES, PATIENCE, Besieged

# What its messages and its timing are depends on the version; the attacks are written for the first one.
pytestmark = pytest.mark.once


def test_every_attack_is_survived(besieged: Besieged) -> None:
    mode = "workers" if besieged.workers else "node"
    fine(besieged, 0)
    wrong = []
    for name, attack in TABLE.items():
        assert besieged.process.poll() is None, wrong
        if attack.only in ("", mode):
            wrong += run(besieged, name, attack, mode)
    assert wrong == []
    if mode == "node":
        end = time.monotonic() + PATIENCE
        while "has ended" not in besieged.send("GET", "/app/late")[1]:
            assert time.monotonic() < end, "a thread that outlives its request is not told so"
    # What the attacks took of the bound is given back.
    room = HEAP_BYTES // 2
    assert besieged.send("GET", f"/app/room/{room}") == (200, f'{{"room":{room}}}')


def run(besieged: Besieged, name: str, attack: Attack, mode: str) -> list[str]:
    begun = time.monotonic()
    status, text = besieged.send("POST", f"/app/attack/{name}?{mode}")
    took = time.monotonic() - begun
    print(
        f"{mode} {name}: {status} after {took:.2f} s, {besieged.memory() >> 20} MiB: {text[:300]}"
    )
    wrong = []
    # Where the machine is busy the time ends before memory or stack do.
    late = "TimeLimitExceeded" in text and attack.says in (on_memory.FULL, on_memory.DEEP)
    if status not in attack.statuses or not (late or attack.says in text):
        wrong.append(f"{name}: {status} {text[:300]}")
    first = besieged.send("PUT", "/app/fine/1", 1)[0]
    # Where the machine is quick it has ended by now.
    if attack.blocks and mode == "node" and first not in (200, 503):
        wrong.append(f"{name}, then: {first}")
    if first == 503:
        if not attack.blocks:
            wrong.append(f"{name} blocks the app")
        end = time.monotonic() + PATIENCE
        while besieged.send("PUT", "/app/fine/1", 1)[0] == 503:
            assert time.monotonic() < end, f"{name} blocks the app for ever"
            time.sleep(0.05)
    besieged.send("POST", "/app/undo")
    try:
        fine(besieged, 1)
    except AssertionError as error:
        wrong.append(f"after {name}: {str(error)[:300]}")
    for line in wrong:
        print("WRONG", line)
    return wrong


def fine(besieged: Besieged, number: int) -> int:
    """A request that means well is answered as it should be, and kept."""
    status, text = besieged.send("PUT", f"/app/fine/{number}", number)
    assert status == 200, (status, text)
    answer = json.loads(text)
    assert (answer["number"], answer["now"]) == (str(number), number)
    return number
