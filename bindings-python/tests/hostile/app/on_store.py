"""Attacks on the store, and with objects that belong to other requests."""

from __future__ import annotations

import itertools
from typing import Any

import ccf
from attacks import attack
from on_answers import Failing, LyingDict, LyingStr, Spinning

KEPT: list[Any] = []


def stores(name: str, call: Any, *statuses: int, says: str = "") -> None:
    """An attack by one call."""

    def function(request: Any) -> Any:
        return {"body": repr(call())[:100]}

    function.__name__ = name
    attack(*(statuses or (500,)), says=says)(function)


stores("stores_a_long_key", lambda: ccf.kv["m"].set(b"k" * (1 << 21), b"v"), says="key")
stores("stores_a_long_value", lambda: ccf.kv["m"].set(b"k", bytes((1 << 28) + 1)), says="")
stores("names_a_map_too_long", lambda: ccf.kv["m" * 2000].set("k", 1))
stores("names_a_map_of_nothing", lambda: ccf.kv[""].set("k", 1), 200, 500)
stores("names_a_map_of_surrogates", lambda: ccf.kv["\ud800"].set("k", 1))
stores("names_a_map_of_zero", lambda: ccf.kv["\0"].set("k", 1), 200, 500)
stores("names_a_map_by_a_number", lambda: ccf.kv[1])
stores("names_a_map_by_a_lie", lambda: ccf.kv[LyingStr("m")].get("k"), 200, 500)
stores("names_a_map_by_a_failure", lambda: ccf.kv[Failing()])
stores(
    "writes_governance",
    lambda: ccf.kv["public:ccf.gov.users.certs"].set("k", 1),
    says="AccessError",
)
stores(
    "writes_governance_in_bytes",
    lambda: ccf.kv["public:ccf.gov.x"].set(b"k", b"v"),
    says="AccessError",
)
stores(
    "clears_governance", lambda: ccf.kv["public:ccf.gov.users.certs"].clear(), says="AccessError"
)
stores("reads_internals", lambda: ccf.kv["ccf.internal.x"].get("k"), says="AccessError")
stores(
    "writes_internals", lambda: ccf.kv["public:ccf.internal.tree"].set("k", 1), says="AccessError"
)
stores("stores_under_a_number", lambda: ccf.kv["m"].set(1, 1), says="TypeError")
stores("stores_under_a_failure", lambda: ccf.kv["m"].set(Failing(), 1))
stores("stores_under_surrogates", lambda: ccf.kv["m"].set("\ud800", 1))
stores("stores_a_failure", lambda: ccf.kv["m"].set("k", Failing()))
stores("stores_a_spin", lambda: ccf.kv["m"].set("k", [Spinning()]))
stores("stores_a_lie", lambda: ccf.kv["m"].set("k", LyingDict(a=1)), 200)
stores("stores_bytes_as_json", lambda: ccf.kv["m"].set("k", b"v"), says="TypeError")
stores("stores_json_as_bytes", lambda: ccf.kv["m"].set(b"k", {"a": 1}), says="TypeError")
stores("stores_surrogates", lambda: ccf.kv["m"].set("k", "\ud800"))
stores("stores_not_a_number", lambda: ccf.kv["m"].set("k", float("nan")))
stores("asks_for_a_past_version", lambda: ccf.kv["m"].get_version_of_previous_write(1))
stores("asks_for_a_failing_range", lambda: ccf.kv["m"].range(Failing(), Spinning()))
stores("asks_for_a_mixed_range", lambda: ccf.kv["m"].range("a", b"b"))
stores("asks_for_a_negative_range", lambda: ccf.kv["m"].range(limit=-1))
stores("asks_for_a_huge_range", lambda: ccf.kv["m"].range(limit=1 << 100))
stores("asks_with_a_failing_function", lambda: [ccf.kv["m"].set("k", 1), ccf.kv["m"].for_each(1)])
stores("asks_for_a_huge_txid", lambda: ccf.consensus.get_status_for_txid(1 << 70, -1))
stores("asks_for_a_huge_seqno", lambda: ccf.consensus.get_view_for_seqno(1 << 63), 200, 500)
stores(
    "asks_for_the_past", lambda: ccf.historical.get_state_range(1, 1 << 60, 1 << 61, 1), 200, 500
)
stores(
    "asks_for_all_the_past",
    lambda: ccf.historical.get_state_range(1, 0, 1 << 61, 1 << 60),
    200,
    500,
)
stores("claims_nonsense", lambda: ccf.rpc.set_claims_digest("x"))
stores("claims_too_much", lambda: ccf.rpc.set_claims_digest(bytes(1 << 20)))
stores("applies_a_failure", lambda: ccf.rpc.set_apply_writes(Failing()))
stores(
    "verifies_nonsense", lambda: ccf.snp_attestation.verify_snp_attestation(b"x" * (1 << 20), b"")
)
stores("attests_to_too_much", lambda: ccf.get_attestation(bytes(1 << 20)))
stores("digests_by_nonsense", lambda: ccf.digest("MD5\0", b""))
stores("generates_a_huge_key", lambda: ccf.crypto.generate_rsa_key_pair(1 << 30))
stores("generates_a_huge_aes_key", lambda: ccf.crypto.generate_aes_key(1 << 40))
stores("reads_a_broken_key", lambda: ccf.crypto.sign(b"x", "-----BEGIN PRIVATE KEY-----"))


@attack(204, 500)
def stores_many_entries(request: Any) -> Any:
    """Within the time, or not."""
    rows = ccf.kv["many"]
    for number in range(1_000_000):
        rows[number.to_bytes(8, "big")] = b"v"


@attack(500, 413, 503)
def stores_more_than_a_transaction(request: Any) -> Any:
    value = bytes(1 << 24)
    for number in itertools.count():
        ccf.kv["much"][b"%d" % number] = value


@attack()
def names_maps_for_ever(request: Any) -> Any:
    for number in itertools.count():
        ccf.kv[f"m{number}"].get("k")


@attack()
def reads_for_ever(request: Any) -> Any:
    rows = ccf.kv["m"]
    rows["k"] = "v" * 100_000
    return [rows.get("k") for _ in itertools.count()]


@attack(200)
def changes_what_it_walks(request: Any) -> Any:
    rows = ccf.kv["walked"]
    for number in range(100):
        rows[b"%d" % number] = b"v"
    seen = 0
    for key in rows:
        del rows[key]
        rows[b"x" + key] = b"v"
        seen += 1
    rows.for_each(lambda value, key, of: of.clear())
    return {"seen": seen, "left": len(rows)}


@attack()
def walks_within_walks(request: Any) -> Any:
    rows = ccf.kv["within"]
    rows[b"k"] = b"v"

    def within(value: Any, key: Any, of: Any) -> None:
        of.for_each(within)

    rows.for_each(within)


@attack()
def fails_within_a_walk(request: Any) -> Any:
    rows = ccf.kv["failing"]
    rows[b"k"] = b"v"
    rows.for_each(lambda *_: {}["nothing"])


@attack(204)
def keeps_everything(request: Any) -> None:
    rows = ccf.kv["kept"]
    KEPT[:] = [request, request.body, request.caller, rows, rows.items, iter(rows)]
    rows["k"] = "kept"


@attack(200)
def uses_what_it_kept(request: Any) -> Any:
    """A map belongs to the request that runs; a request stays what it was."""
    if not KEPT:
        return {"kept": "elsewhere"}
    old, body, caller, rows, items, walk = KEPT
    return {
        "kept": rows["k"],
        "old": old is not request,
        "body": len(body),
        "walk": len(list(walk)),
    }
