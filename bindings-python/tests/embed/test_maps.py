"""Maps as mutable mappings, in both layers."""

from __future__ import annotations

from collections.abc import MutableMapping

import pytest

import affiant
import ccf  # noqa: F401


@pytest.fixture
def tx():
    with affiant.open() as ledger, ledger.tx() as tx:
        yield tx


def test_a_map_pops_and_updates(tx) -> None:
    names = tx.kv["names"]
    assert isinstance(names, MutableMapping)
    names.update({"b": 2, "a": [1]})
    names.update([(b"\x00", b"raw")])
    assert list(names) == [b"\x00", b"a", b"b"]
    assert names.setdefault("a", 7) == [1] and names.setdefault("c", 7) == 7 and names["c"] == 7
    assert names.pop("b") == 2 and "b" not in names
    assert names.pop("b", None) is None
    with pytest.raises(KeyError, match="b"):
        names.pop("b")
    with pytest.raises(TypeError, match="at most one default"):
        names.pop("b", 1, 2)


def test_the_json_layer_iterates_str(tx) -> None:
    plain = tx.kv["orders"]
    orders = plain.json
    orders["2"] = {"n": 2}
    orders["1"] = None
    orders.update({"3": "x"}, four=4.5)
    assert list(orders) == ["1", "2", "3", "four"]
    assert dict(orders) == {"1": None, "2": {"n": 2}, "3": "x", "four": 4.5}
    assert plain[b"2"] == b'{"n":2}' and plain["2"] == {"n": 2}
    assert orders.range("2", "4") == [("2", {"n": 2}), ("3", "x")]
    assert orders.range(limit=1) == [("1", None)]
    assert "1" in orders and b"1" not in orders and len(orders) == 4
    del orders["1"]
    assert orders.pop("1", "gone") == "gone"
    with pytest.raises(TypeError, match="is str, not bytes"):
        orders[b"2"]
    plain[b"\xff"] = b"{}"
    with pytest.raises(ValueError, match="not UTF-8"):
        list(orders)
