"""Whatever a handler does to its process costs its own request, and no other."""

from __future__ import annotations

import threading
import time

import pytest
from served import APP, Client, Workers, alive

ENDED = "The process that ran this handler ended."
OVERDUE = "Operation took too long to complete."


def pid(client: Client) -> int:
    status, body, _ = client("GET", "/where")
    assert status == 200, body
    return body["pid"]


def unwritten(client: Client, how: str) -> None:
    """Nothing of the request that failed is kept."""
    assert client("GET", "/notes/bad")[1] != {"note": how}


@pytest.mark.parametrize(
    ("how", "logged"),
    [
        ("segfault", "signal 11, segmentation fault"),
        ("exit", "exit code 3"),
        ("exit-0", "exit code 0"),
        ("abort", "signal 6, aborted"),
        ("kill", "signal 9, killed"),
    ],
)
def test_a_process_that_ends(served: Workers, client: Client, how: str, logged: str) -> None:
    since = len(served.lines)
    status, body, headers = client("POST", f"/bad/{how}")
    assert (status, body["error"]["code"]) == (500, "InternalError")
    assert body["error"]["message"] == ENDED
    assert "details" not in body["error"]
    assert "x-ms-ccf-transaction-id" not in headers
    line = served.line(f"({logged}", since)
    assert "POST /bad/{how}: The Python worker process" in line
    served.line(f"about to do {how}", since)
    if how in ("segfault", "abort"):
        # The interpreter's own report: which function, and no value.
        served.line("Fatal Python error", since)
    unwritten(client, how)


def test_a_loop_in_c_is_ended(served: Workers, client: Client) -> None:
    began = time.monotonic()
    status, body, _ = client("POST", "/bad/c-loop")
    assert (status, body["error"]["message"]) == (500, OVERDUE)
    # The limit, and what is left to handlers that can be interrupted.
    assert 5 <= time.monotonic() - began < 9
    unwritten(client, "c-loop")


def test_a_loop_in_python_is_interrupted(served: Workers, client: Client) -> None:
    before = served.workers()
    began = time.monotonic()
    status, body, _ = client("POST", "/bad/loop")
    assert (status, body["error"]["message"]) == (500, OVERDUE)
    assert 5 <= time.monotonic() - began < 6.5
    assert served.workers() == before
    unwritten(client, "loop")


@pytest.mark.parametrize("how", ["stubborn", "stop"])
def test_what_swallows_its_interruption_is_ended(served: Workers, client: Client, how: str) -> None:
    status, body, _ = client("POST", f"/bad/{how}")
    assert (status, body["error"]["message"]) == (500, OVERDUE)
    unwritten(client, how)


@pytest.mark.parametrize("how", ["bytes", "list", "numpy", "one"])
def test_memory_is_bounded(served: Workers, client: Client, how: str) -> None:
    if how == "numpy":
        pytest.importorskip("numpy")
    status, body, _ = client("POST", f"/bad/{how}")
    assert status == 500
    # Without NumPy in it, the message is Python's own.
    assert "MemoryError" in body["error"]["details"][0]["message"]
    unwritten(client, how)
    # Who is short of memory is replaced.
    served.until("three workers", lambda: len(served.workers()) == 3)


def test_recursion_is_bounded(served: Workers, client: Client) -> None:
    status, body, _ = client("POST", "/bad/deep")
    assert status == 500
    assert "RecursionError" in body["error"]["details"][0]["message"]


def test_a_forked_child_does_not_speak_for_the_worker(served: Workers, client: Client) -> None:
    since = len(served.lines)
    status, body, _ = client("POST", "/bad/fork")
    assert (status, body) == (200, {"forked": True})
    served.line("the child leaves", since)
    assert client("GET", "/notes/from%20the%20child")[0] == 404
    # The worker itself serves on.
    assert client("GET", "/where")[0] == 200


@pytest.mark.parametrize("how", ["garbage", "forge", "close"])
def test_a_worker_that_breaks_the_protocol_is_ended(
    served: Workers, client: Client, how: str
) -> None:
    since = len(served.lines)
    status, body, _ = client("POST", f"/bad/{how}")
    assert (status, body["error"]["message"]) == (500, ENDED)
    line = served.line("The Python worker process", since)
    if how == "forge":
        assert 'Cannot call "set" on table named public:ccf.gov.users.info' in line
    unwritten(client, how)


def test_threads_that_outlive_their_request(served: Workers) -> None:
    client = served.client()
    status, body, _ = client("POST", "/thread")
    assert (status, body) == (200, {"inside": ["here"]})
    assert client("GET", "/notes/late")[0] == 404

    def said() -> bool:
        return any("has ended" in stray for stray in client("GET", "/where")[1]["strays"])

    # Another worker may be asked at first.
    served.until("the thread's error", said)
    assert client("GET", "/notes/late")[0] == 404


def test_others_are_served_while_workers_crash(served: Workers) -> None:
    crashes: list[int] = []
    answers: list[int] = []
    done = threading.Event()

    def crash() -> None:
        client = served.client()
        for _ in range(50):
            crashes.append(client("POST", "/bad/segfault")[0])
        done.set()

    crashing = threading.Thread(target=crash)
    crashing.start()
    client = served.client()
    number = 0
    slowest = 0.0
    while not done.is_set() or number < 50:
        number += 1
        began = time.monotonic()
        answers.append(client("PUT", f"/notes/other{number}", {"n": number})[0])
        slowest = max(slowest, time.monotonic() - began)
    crashing.join()
    assert crashes == [500] * 50
    assert answers == [204] * number
    assert slowest < 5
    served.until("three workers", lambda: len(served.workers()) == 3)


def test_a_worker_killed_between_requests_is_replaced(served: Workers) -> None:
    import os
    import signal

    client = served.client()
    for _ in range(3):
        process = pid(client)
        os.kill(process, signal.SIGKILL)
        served.until("its end", lambda: not alive(process))
        assert client("GET", "/where")[0] == 200


def test_a_long_line_is_broken(served: Workers, client: Client) -> None:
    since = len(served.lines)
    assert client("POST", "/bad/shout")[1] == {"shouted": True}

    def pieces() -> list[int]:
        return [len(line) for line in served.lines[since:] if set(line) == {"x"}]

    served.until("the line", lambda: sum(pieces()) == 100_000)
    assert max(pieces()) == 4096, pieces()


def test_a_worker_has_little_of_the_node(served: Workers, client: Client) -> None:
    found = client("GET", "/where?stdin")[1]
    assert found["environment"] == ["WORKERS_TEST"]
    assert found["stdin"] == "/dev/null"
    assert found["limits"]["Max core file size"] == "0"
    assert int(found["limits"]["Max data size"]) < 2 << 30
    # Its environment to the kernel, which the guard does not filter.
    with open(f"/proc/{found['pid']}/environ", "rb") as environ:
        assert b"SECRET" not in environ.read()


def test_workers_end_with_the_node(tmp_path_factory: pytest.TempPathFactory) -> None:
    sandbox = Workers(tmp_path_factory.mktemp("killed"), APP, 2)
    workers = sandbox.until("three workers", lambda: len(found := sandbox.workers()) == 3 and found)
    # One of them in a loop that nothing interrupts.
    client = sandbox.client()
    busy = threading.Thread(target=lambda: pytest.raises(OSError, client, "POST", "/bad/c-loop"))
    busy.start()
    sandbox.line("about to do c-loop")
    sandbox.process.kill()
    sandbox.process.wait()
    busy.join()
    sandbox.until("no worker", lambda: not any(alive(worker) for worker in workers))
