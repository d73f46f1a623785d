"""Ledgers and processes: crashes, forks, ends, interrupts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import affiant
import pytest


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # Python 3.12 warns of any fork beside threads.
        [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            textwrap.dedent(code),
            *map(str, arguments),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code: str, *arguments: object, status: int = 0) -> str:
    process = start(code, *arguments)
    out, error = process.communicate(timeout=60)
    assert process.returncode == status, error
    if status == 0:
        assert error == ""
    return out


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    writer = start(
        """
        import sys, affiant
        ledger = affiant.open(sys.argv[1])
        number = 0
        while True:
            with ledger.tx() as tx:
                tx.kv["m"][str(number)] = number
            print(number, tx.transaction_id, flush=True)
            number += 1
        """,
        tmp_path,
    )
    assert writer.stdout is not None
    said = [writer.stdout.readline() for _ in range(50)]
    writer.send_signal(signal.SIGKILL)
    said += writer.stdout.readlines()
    writer.wait(10)
    writer.stderr and writer.stderr.close()
    whole = [line.split() for line in said if line.endswith("\n")]
    assert len(whole) >= 50
    with affiant.open(tmp_path) as ledger:
        with ledger.read() as tx:
            for number, _ in whole:
                assert tx.kv["m"][number] == int(number)
        for _, transaction_id in whole[-3:]:
            assert ledger.receipt(transaction_id).verify()


def test_another_process_is_told_who_has_it(tmp_path: Path) -> None:
    with affiant.open(tmp_path):
        out = run(
            """
            import sys, affiant
            try:
                affiant.open(sys.argv[1])
            except affiant.LedgerError as error:
                print(error)
            """,
            tmp_path,
        )
    assert f"open in another process (process {os.getpid()})" in out


def test_an_open_ledger_is_closed_at_the_end(tmp_path: Path) -> None:
    run(
        """
        import sys, affiant, threading
        ledger = affiant.open(sys.argv[1])
        memory = affiant.open()
        with ledger.tx(wait=False) as tx:
            tx.kv["m"]["a"] = 1
        # A thread that is in the ledger when the process ends.
        def busy():
            try:
                while True:
                    with memory.tx() as tx:
                        tx.kv["m"]["a"] = 1
            except affiant.LedgerClosedError:
                pass
        threading.Thread(target=busy, daemon=True).start()
        """,
        tmp_path,
    )
    with affiant.open(tmp_path) as ledger, ledger.read() as tx:
        assert tx.kv["m"]["a"] == 1


def test_an_open_block_does_not_hold_up_the_end(tmp_path: Path) -> None:
    run(
        """
        import sys, affiant
        ledger = affiant.open(sys.argv[1])
        tx = ledger.tx().__enter__()
        tx.kv["m"]["a"] = 1
        """,
        tmp_path,
    )
    with affiant.open(tmp_path) as ledger, ledger.read() as tx:
        assert "a" not in tx.kv["m"]


def test_a_fork_is_refused_and_does_no_harm(tmp_path: Path) -> None:
    out = run(
        """
        import os, sys, affiant
        ledger = affiant.open(sys.argv[1])
        with ledger.tx() as tx:
            tx.kv["m"]["a"] = 1
        held = ledger.tx().__enter__()
        child = os.fork()
        if child == 0:
            for attempt in (lambda: ledger.tx().__enter__(), lambda: ledger.receipt("2.1"),
                            lambda: held.__exit__(None, None, None)):
                try:
                    attempt()
                except affiant.LedgerClosedError as error:
                    print("refused:", "fork" in str(error) or "another process" in str(error))
            try:
                affiant.open()
            except affiant.LedgerError as error:
                print("refused:", "was forked from" in str(error) and "spawn" in str(error))
            print("closed:", ledger.closed, flush=True)
            ledger.close()
            sys.exit(0)
        assert os.waitpid(child, 0)[1] == 0
        held.__exit__(None, None, None)
        with ledger.tx() as tx:
            tx.kv["m"]["c"] = 1
        ledger.close()
        affiant.open(sys.argv[1]).close()
        print("parent:", tx.wrote)
        """,
        tmp_path,
    )
    assert out.split("\n")[:5] == ["refused: True"] * 4 + ["closed: True"]
    assert out.split("\n")[5] == "parent: True"


def test_a_fork_from_before_or_after_is_free(tmp_path: Path) -> None:
    out = run(
        """
        import os, sys, affiant
        affiant.open(sys.argv[1]).close()
        if os.fork() == 0:
            with affiant.open(sys.argv[1]) as own, own.tx() as tx:
                tx.kv["m"]["b"] = 1
            print(tx.wrote, flush=True)
            os._exit(0)
        os.wait()
        """,
        tmp_path,
    )
    assert out == "True\n"


def test_a_fork_that_lives_on_leaves_the_directory_free(tmp_path: Path) -> None:
    out = run(
        """
        import os, sys, time, affiant
        ledger = affiant.open(sys.argv[1])
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(0)
        ledger.close()
        with affiant.open(sys.argv[1]) as again:
            print(again.closed)
        os.close(writer)
        os.wait()
        """,
        tmp_path,
    )
    assert out == "False\n"


def test_an_interrupt_ends_a_wait() -> None:
    with affiant.open() as ledger:
        started = time.monotonic()
        previous = signal.getsignal(signal.SIGALRM)

        def interrupt(*_: object) -> None:
            raise InterruptedError("on purpose")

        signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(InterruptedError):
                list(ledger.history(1_000_000, 1_000_000))
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert time.monotonic() - started < 5


def test_importing_is_cheap() -> None:
    out = run("""
        import sys
        import affiant, affiant.pytest_plugin
        print([name for name in ("affiant._native", "affiant._ledger", "fastapi") if name in sys.modules])
        """)
    assert out == "[]\n"
