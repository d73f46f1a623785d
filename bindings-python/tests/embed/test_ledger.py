"""A ledger as a library: transactions, conflicts, history, receipts."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import affiant
import ccf
import pytest
from affiant import Ledger


def put(ledger: Ledger, key: str, value: Any) -> str:
    with ledger.tx() as tx:
        tx.kv["m"][key] = value
    assert tx.transaction_id is not None
    return tx.transaction_id


def get(ledger: Ledger, key: str) -> Any:
    with ledger.read() as tx:
        return tx.kv["m"].get(key)


def test_a_block_is_kept_and_durable_when_it_ends(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = {"n": 1}
        tx.kv["m"][b"\x00"] = b"\x01"
        assert ccf.kv["m"]["a"] == {"n": 1}
        assert tx.transaction_id is None
    assert tx.wrote and ledger.status(str(tx.transaction_id)) == "Committed"
    with ledger.read() as tx:
        assert tx.kv["m"]["a"] == {"n": 1}
        assert tx.kv["m"].keys() == [b"\x00", b"a"]
    assert not tx.wrote and tx.transaction_id is not None


def test_a_block_that_raises_leaves_no_trace(ledger: Ledger) -> None:
    before = ledger.last
    with pytest.raises(ZeroDivisionError):
        with ledger.tx() as tx:
            tx.kv["m"]["a"] = 1
            1 // 0
    assert get(ledger, "a") is None and tx.transaction_id is None
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
        tx.abort()
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
        ccf.rpc.set_apply_writes(False)
    assert get(ledger, "a") is None and tx.transaction_id is None
    with ledger.tx() as tx:
        pass
    assert (tx.transaction_id, tx.wrote) == (None, False)
    assert ledger.last == before


def test_outside_of_a_block_nothing_can_be_reached(ledger: Ledger) -> None:
    tx = ledger.tx()
    with pytest.raises(RuntimeError, match="has not begun"):
        tx.kv
    with tx:
        kept = tx.kv["m"]
        loose = ccf.kv["m"]
    with pytest.raises(ccf.NoTransactionError, match="ended"):
        kept.get("a")
    with pytest.raises(ccf.NoTransactionError, match="ccf.transaction"):
        loose.get("a")
    with pytest.raises(RuntimeError, match="has ended"):
        tx.set_claims(b"x")
    with pytest.raises(RuntimeError, match="one block"):
        tx.__enter__()


def test_transactions_can_be_nested_and_keep_apart(ledger: Ledger) -> None:
    with ledger.tx() as outer:
        outer.kv["outer"]["k"] = 1
        with ledger.tx() as inner:
            inner.kv["inner"]["k"] = 2
            outer.kv["outer"]["l"] = 3
            assert ccf.kv["inner"].get("k") == 2 and ccf.kv["outer"].get("k") is None
        assert ccf.kv["outer"].get("k") == 1
    with ledger.read() as tx:
        assert tx.kv["outer"].items(str) == [("k", 1), ("l", 3)]
        assert tx.kv["inner"].items(str) == [("k", 2)]


def test_a_conflict_is_an_error_and_run_tries_again(ledger: Ledger) -> None:
    put(ledger, "n", 0)
    with pytest.raises(affiant.ConflictError, match="ledger.run"):
        with ledger.tx() as tx:
            seen = tx.kv["m"]["n"]
            put(ledger, "n", 10)
            tx.kv["m"]["n"] = seen + 1
    assert get(ledger, "n") == 10
    tries = 0

    def add(tx: affiant.Transaction) -> int:
        nonlocal tries
        tries += 1
        seen: int = tx.kv["m"]["n"]
        if tries < 3:
            put(ledger, "n", seen + 100)
        tx.kv["m"]["n"] = seen + 1
        return seen + 1

    assert ledger.run(add) == 211 and tries == 3 and get(ledger, "n") == 211
    tries = 0
    with pytest.raises(affiant.ConflictError):
        ledger.run(add, attempts=2)
    assert tries == 2


def test_threads_share_a_ledger(ledger: Ledger) -> None:
    put(ledger, "n", 0)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(25):
                ledger.run(lambda tx: tx.kv["m"].set("n", tx.kv["m"]["n"] + 1))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failed and get(ledger, "n") == 200


def test_a_transaction_of_its_own_serves_threads_without_the_context(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        maps = tx.kv

        def write() -> None:
            maps["m"]["from-thread"] = 1

        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert get(ledger, "from-thread") == 1


def test_reading_only_refuses_to_write(ledger: Ledger) -> None:
    with pytest.raises(ccf.AccessError):
        with ledger.read() as tx:
            tx.kv["m"]["a"] = 1


def test_tables_of_governance_are_not_for_programs(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        with pytest.raises(ccf.AccessError):
            tx.kv["public:ccf.gov.users.certs"][b"x"] = b"y"
        assert len(tx.kv["public:ccf.gov.nodes.info"]) == 1


def test_what_is_too_large_is_refused_and_the_rest_goes_on(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        with pytest.raises(ValueError, match="value"):
            tx.kv["m"][b"k"] = bytes((1 << 28) + 1)
        with pytest.raises(ValueError, match="key"):
            tx.kv["m"][bytes((1 << 20) + 1)] = b""
        tx.kv["m"]["a"] = 1
    assert get(ledger, "a") == 1


def test_writing_need_not_wait(ledger: Ledger) -> None:
    ids = []
    for number in range(50):
        with ledger.tx(wait=False) as tx:
            tx.kv["m"][str(number)] = number
        ids.append(tx.transaction_id)
    last = ledger.sync()
    assert last == ids[-1]
    assert {ledger.status(str(one)) for one in ids} == {"Committed"}


def test_a_wait_that_is_cut_short_leaves_the_id(ledger: Ledger) -> None:
    # Now and then the commit is faster than the look at it.
    with pytest.raises(TimeoutError, match="may still be"):
        for _ in range(1000):
            with ledger.tx(timeout=0.0) as tx:
                tx.kv["m"]["a"] = 1
    assert tx.transaction_id is not None
    ledger.sync()
    assert ledger.status(tx.transaction_id) == "Committed" and get(ledger, "a") == 1
    with pytest.raises(ValueError, match="seconds"):
        with ledger.tx(timeout=-1.0) as tx:
            tx.kv["m"]["a"] = 2
    assert get(ledger, "a") == 1


def test_receipts_verify_and_attest_claims(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
        tx.set_claims(b"the claim")
    receipt = ledger.receipt(tx)
    assert receipt.transaction_id == tx.transaction_id
    assert receipt.claims_digest == hashlib.sha256(b"the claim").digest()
    verdict = receipt.verify(claims=b"the claim")
    assert verdict and verdict.transaction_id == tx.transaction_id
    assert {check.form for check in verdict.checks} == {"json", "cose"}
    with pytest.raises(affiant.VerificationError, match="claims: expected digest"):
        receipt.verify(claims=b"another claim")
    with affiant.open() as other:
        with pytest.raises(affiant.VerificationError, match="certificate chain"):
            receipt.verify(other.service_certificate)
    assert ledger.receipt(put(ledger, "b", 1)).claims_digest is None


def test_a_receipt_of_nothing_is_refused(ledger: Ledger) -> None:
    with pytest.raises(affiant.LedgerError, match="not heard of"):
        ledger.receipt("2.999999")
    with pytest.raises(affiant.LedgerError, match="never was"):
        ledger.receipt("1.3")
    for nonsense in ("", "2", "2.x", "2.1.1"):
        with pytest.raises(ValueError, match="2.17"):
            ledger.receipt(nonsense)
    with ledger.tx() as tx:
        pass
    with pytest.raises(affiant.LedgerError, match="not in the ledger"):
        ledger.receipt(tx)


def test_past_transactions_have_what_they_wrote_and_receipts(ledger: Ledger) -> None:
    first, second = put(ledger, "a", 1), put(ledger, "b", 2)
    state = ledger.transaction(second)
    assert state.transaction_id == second and state.map_names == ["m"]
    assert state.kv["m"].items(str) == [("b", 2)] and state.kv["m"].get("a") is None
    assert affiant.verify_receipt(state.receipt, ledger.service_certificate)
    with pytest.raises(affiant.LedgerError, match="Invalid"):
        ledger.transaction("9.3" if first != "9.3" else "8.3")
    ids = [state.transaction_id for state in ledger.history()]
    assert ids == sorted(ids, key=lambda one: int(one.split(".")[1])) and ids[0] == "2.1"
    assert [s.transaction_id for s in ledger.history(first, second)][0] == first
    with pytest.raises(TimeoutError):
        list(ledger.history(10_000, 10_001, timeout=0.2))
    with pytest.raises(affiant.LedgerError):
        list(ledger.history(0))


def test_history_spans_chunks_of_its_reader(ledger: Ledger) -> None:
    for number in range(250):
        with ledger.tx(wait=False) as tx:
            tx.kv["m"]["n"] = number
    ledger.sync()
    values = [s.kv["m"]["n"] for s in ledger.history() if "m" in s.map_names]
    assert values == list(range(250))


def test_a_closed_ledger_says_so(ledger: Ledger) -> None:
    transaction = ledger.tx()
    open_one = ledger.tx().__enter__()
    open_one.kv["m"]["a"] = 1
    ledger.close()
    ledger.close()
    assert ledger.closed and "closed" in repr(ledger)
    with pytest.raises(affiant.LedgerClosedError):
        with transaction:
            pass
    with pytest.raises(affiant.LedgerClosedError):
        open_one.__exit__(None, None, None)
    for call in (
        lambda: ledger.receipt("2.1"),
        lambda: ledger.status("2.1"),
        lambda: ledger.service_certificate,
        lambda: list(ledger.history()),
        lambda: ledger.sync(),
    ):
        with pytest.raises(affiant.LedgerClosedError, match="closed"):
            call()


def test_the_ledger_of_the_process_is_found(ledger: Ledger) -> None:
    seen = {}

    def job() -> None:
        with ccf.transaction() as tx:
            ccf.kv["jobs"]["last"] = "done"
        seen["id"] = tx.transaction_id

    thread = threading.Thread(target=job)
    thread.start()
    thread.join()
    assert ledger.status(seen["id"]) == "Committed"
    with ledger.tx():
        with pytest.raises(ccf.NoTransactionError, match="runs here already"):
            with ccf.transaction():
                pass
    with affiant.open():
        with pytest.raises(ccf.NoTransactionError, match="2 ledgers"):
            with ccf.transaction():
                pass
    ledger.close()
    with pytest.raises(ccf.NoTransactionError, match="no ledger is open"):
        with ccf.transaction():
            pass


def test_a_directory_is_resumed_and_open_once(tmp_path: Path) -> None:
    place = tmp_path / "below" / "data"
    with affiant.open(place) as ledger:
        identifier = put(ledger, "a", [1, "two"])
        certificate = ledger.service_certificate
        with pytest.raises(affiant.LedgerError, match="open in this process already"):
            affiant.open(place)
    with affiant.open(place) as ledger:
        assert get(ledger, "a") == [1, "two"]
        assert ledger.service_certificate == certificate
        assert ledger.receipt(identifier).verify(certificate)
        later = put(ledger, "b", 1)
        assert int(later.split(".")[0]) > int(identifier.split(".")[0])
    report = affiant.verify_ledger(place)
    assert report["verified"] and report["entries"] > 5


def test_damaged_data_is_refused_by_name(tmp_path: Path) -> None:
    with affiant.open(tmp_path) as ledger:
        put(ledger, "a", "x" * 1000)
    chunk = max((tmp_path / "ledger").iterdir())
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(affiant.LedgerError, match=chunk.name.split("-")[0]):
        affiant.open(tmp_path)
    with pytest.raises(affiant.VerificationError, match=chunk.name):
        affiant.verify_ledger(tmp_path)


def test_a_place_that_cannot_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(affiant.LedgerError, match="file"):
        affiant.open(tmp_path / "file")
    with pytest.raises(ValueError, match="cannot read"):
        affiant.verify_ledger(tmp_path / "nothing")


def test_notebooks_show_tables(ledger: Ledger) -> None:
    with ledger.tx() as tx:
        for number in range(20):
            tx.kv["numbers"][f"<{number:02}>"] = number
        shown = tx.kv["numbers"]._repr_html_()
        assert "&lt;00&gt;" in shown and "and 10 more" in shown and "<0" not in shown
    assert ccf.kv["numbers"]._repr_html_() is None
    assert "numbers" in ledger._repr_html_() and "<code>20</code>" in ledger._repr_html_()
    receipt = ledger.receipt(tx)
    assert str(tx.transaction_id) in receipt._repr_html_()
    verdict = receipt.verify()
    assert "signature" in verdict._repr_html_() and "Verified" in repr(verdict)
    assert "numbers" in ledger.transaction(str(tx.transaction_id))._repr_html_()
    assert repr(ledger.transaction(str(tx.transaction_id))).endswith("wrote to numbers>")
