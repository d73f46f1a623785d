"""The packages of the sciences compute within an app under the policy that allows nothing."""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "hostile"))

from besieged import Besieged  # noqa: E402

SALES = [
    {"region": "n", "day": "2026-01-05", "units": 3, "price": 2.0},
    {"region": "s", "day": "2026-01-31", "units": 5, "price": 1.0},
    {"region": "n", "day": "2026-02-01", "units": 10, "price": 0.5},
]


@pytest.fixture(params=[0, 1], ids=["node", "workers"])
def app(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Besieged]:
    with Besieged(
        tmp_path, HERE / "app", request.param, limit_ms=10_000, heap_bytes=1 << 30
    ) as app:
        yield app


def answered(app: Besieged, method: str, path: str, body: Any = None) -> Any:
    status, text = app.send(method, f"/app/{path}", body)
    assert status == 200, (path, status, text[:1000])
    return json.loads(text)


def test_real_computations(app: Besieged) -> None:
    assert answered(app, "POST", "sales", SALES) == {"rows": 3}
    wrong = [{"region": "", "day": "2026-02-30", "units": -1, "price": 0}]
    status, text = app.send("POST", "/app/sales", wrong)
    assert (status, "4 faults" in text) == (400, True)

    assert answered(app, "GET", "pandas") == {
        "revenue": {"n": 11.0, "s": 5.0},
        "monthly": {"1": 8, "2": 10},
        "tax": pytest.approx(2.1),
        "csv": 4,
    }

    told = answered(app, "GET", "numpy")
    assert told["solved"] == pytest.approx([1.0, 2.0])
    assert told["eigenvalues"] == pytest.approx([2.0, 5.0])
    assert (told["same"], told["frequency"]) == (True, 5)
    assert 45 < told["random"] < 55

    told = answered(app, "GET", "scipy")
    assert told["area"] == pytest.approx(2.0)
    assert told["root"] == pytest.approx(2 ** (1 / 3))
    assert told["minimum"] == pytest.approx([1.0, -2.0], abs=1e-4)
    assert told["slope"] == pytest.approx(2.0)
    assert told["normal"] == pytest.approx(0.9750021)
    assert told["cholesky"] == [pytest.approx([2.0, 0.0]), pytest.approx([1.0, math.sqrt(2)])]

    told = answered(app, "GET", "sklearn")
    assert told["weights"] == pytest.approx([1.0, -2.0, 0.5, 4.0])
    assert told["score"] > 0.95
    assert told["centres"] == pytest.approx([-5.0, 5.0], abs=0.1)

    told = answered(app, "POST", "cryptography", "signed")
    assert told == {"refused": True, "digest": hashlib.sha256(b'"signed"').hexdigest()}
