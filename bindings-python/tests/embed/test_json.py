"""The typed layer reads JSON exactly as Python's own `json` does, errors included."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import pytest

import affiant

TEXTS = [
    "null", "true", "false", " [ ] ", "{}", '""', "0", "-0", "-0.0", "1e400", "-1E-7", "1.5e+3",
    "9223372036854775807", "9223372036854775808", "-99999999999999999999999", "0.1", "5e-324",
    '"caf\\u00e9 \\ud83d\\ude00 \\ud83d \\\\ \\/ \\b\\f\\n\\r\\t"', '"é😀"', '"\\u0000"',
    '{"a": 1, "a": 2, "": [[[]]]}', "[1, 2.0, \"x\", {\"y\": null}]", "NaN", "-Infinity",
    "[" * 60 + "]" * 60, "[" * 80 + "]" * 80, "[" * 200 + "]" * 200,
    # Faults.
    "", " ", "01", "+1", ".5", "1.", "1e", "-", "tru", "[1,]", "[1 2]", '{"a"}', '{"a":}', "{a:1}",
    '{"a":1,}', '"abc', '"\n"', '"\\x"', '"\\u12"', '"\\u12g4"', "[}", "1 2", "'a'", "\ufeff1", "// x",
]  # fmt: skip


def outcome(run: Any) -> Any:
    try:
        return ("value", run())
    except ValueError as error:
        return ("ValueError", type(error).__name__, str(error))
    except RecursionError:
        return ("RecursionError",)


def same(one: Any, other: Any) -> bool:
    """Equal in type too, and NaN is NaN."""
    if type(one) is not type(other):
        return False
    if isinstance(one, float):
        return (math.isnan(one) and math.isnan(other)) or one.hex() == other.hex()
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def check(texts: list[str]) -> None:
    with affiant.open() as ledger, ledger.tx() as tx:
        values = tx.kv["values"]
        for text in texts:
            values[b"k"] = text.encode("utf-8", "surrogatepass")
            ours, own = outcome(lambda: values["k"]), outcome(lambda: json.loads(text))
            assert same(ours, own), f"{text[:200]!r}: {ours!r:.300} and {own!r:.300}"


@pytest.mark.once
def test_texts_are_read_as_json_reads_them() -> None:
    check(TEXTS)


@pytest.mark.once
def test_texts_with_random_changes_are_read_as_json_reads_them() -> None:
    chance = random.Random(20261125)
    letters = '[]{}",:\\0123456789.eE+-tfnul u\t\n'
    seeds = [text for text in TEXTS if len(text) < 100]
    changed = []
    for _ in range(5_000):
        text = list(chance.choice(seeds))
        for _ in range(chance.randrange(1, 4)):
            place = chance.randrange(len(text) + 1)
            kind = chance.randrange(3)
            if kind == 0:
                text.insert(place, chance.choice(letters))
            elif text and kind == 1:
                del text[min(place, len(text) - 1)]
            elif text:
                text[min(place, len(text) - 1)] = chance.choice(letters)
        changed.append("".join(text))
    check(changed)


@pytest.mark.once
def test_floats_are_read_to_the_last_bit() -> None:
    chance = random.Random(7)
    check([repr(chance.uniform(-1, 1) * 10 ** chance.randrange(-300, 300)) for _ in range(5_000)])
