"""What an app answers does not depend on where its handlers run."""

from __future__ import annotations

import re
from typing import Any

import pytest
from served import Client, Workers

# In this order: later requests see what earlier ones wrote.
REQUESTS: list[tuple[str, str, Any, dict[str, str]]] = [
    ("GET", "/notes/1", None, {}),
    ("PUT", "/notes/1", {"text": "milk"}, {}),
    ("GET", "/notes/1", None, {}),
    ("DELETE", "/notes/1", None, {}),
    ("DELETE", "/notes/1", None, {}),
    ("GET", "/echo/a%20b/%C3%A4?q=a%26b+c&x=%ff", None, {"x-one": "1", "x-two": "t\xe9"}),
    ("POST", "/echo/1/2", b"\x00\xff\x80", {"content-type": "application/octet-stream"}),
    ("POST", "/echo/1/2?", {"json": [1, 2.5, "\u20ac"]}, {}),
    ("POST", "/kv", None, {}),
    ("POST", "/kv?clear", None, {}),
    ("POST", "/readonly", None, {}),
    ("POST", "/bounds", None, {}),
    ("POST", "/many?3000x400", None, {}),
    ("POST", "/many?20x300000", None, {}),
    ("POST", "/claims", None, {}),
    ("POST", "/apply?no", None, {}),
    ("GET", "/notes/applied", None, {}),
    ("POST", "/apply?yes", None, {}),
    ("GET", "/notes/applied", None, {}),
    ("POST", "/fails?http", None, {}),
    ("POST", "/fails?exit", None, {}),
    ("POST", "/fails?type", None, {}),
    ("POST", "/fails?other", None, {}),
    ("GET", "/notes/failed", None, {}),
    ("GET", "/consensus", None, {}),
    ("POST", "/evidence", {"bound": 1}, {}),
    ("POST", "/verify", None, {}),
    ("POST", "/thread", None, {}),
    ("GET", "/no/such/endpoint", None, {}),
]


def told(answer: tuple[int, Any, dict[str, str]]) -> Any:
    """An answer without what belongs to one service: ids, keys, signatures, places in files."""
    status, body, headers = answer
    if isinstance(body, dict):
        for name in ("id", "cert"):
            if body.get(name):
                body[name] = "of the user"
        if "receipt" in body:
            body = [body["body"], sorted(body["receipt"])]
    names = sorted(set(headers) - {"date"})
    text = re.sub(r", line \d+", "", str(body))
    return status, text, names, headers.get("content-type")


@pytest.mark.parametrize("user", [True, False])
def test_answers_are_equal(here: Workers, served: Workers, user: bool) -> None:
    one, other = here.client(user), served.client(user)
    for request in REQUESTS:
        first, second = told(one(*request)), told(other(*request))
        assert first == second, request
        assert first[0] != 503


def test_the_past_is_equal(here: Workers, served: Workers) -> None:
    assert past(here) == past(served)


def past(sandbox: Workers) -> Any:
    client = sandbox.client()
    ids = []
    for number in range(3):
        answer = client("PUT", f"/notes/past{number}", {"n": number})
        ids.append(answer[2]["x-ms-ccf-transaction-id"])
    found = []
    for number, txid in enumerate(ids):
        headers = {"x-ms-ccf-transaction-id": txid}
        body = retried(client, f"/past/past{number}", headers)
        assert body.pop("txid") == txid
        found.append(body)
    first, last = (txid.split(".")[1] for txid in (ids[0], ids[-1]))
    body = retried(client, f"/range/{first}/{last}", {})
    assert [txid for txid in body["ids"] if txid in ids] == ids
    return found, [notes for notes in body["notes"] if notes], body["dropped"]


def retried(client: Client, path: str, headers: dict[str, str]) -> Any:
    import time

    for _ in range(600):
        status, body, _ = client("GET", path, headers=headers)
        if status == 200:
            return body
        assert status == 202, (status, body)
        time.sleep(0.05)
    raise TimeoutError(path)


def test_claims_are_in_the_receipt(served: Workers) -> None:
    import hashlib

    status, answer, _ = served.client()("POST", "/claims")
    assert (status, answer["body"]) == (200, {"ok": True})
    claimed = hashlib.sha256(b"claim").hexdigest()
    assert answer["receipt"]["leaf_components"]["claims_digest"] == claimed


def test_conflicts_are_run_again(served: Workers) -> None:
    import threading

    rounds, count = 20, 4
    statuses: list[int] = []

    def run() -> None:
        client = served.client()
        for _ in range(rounds):
            status = client("POST", "/count")[0]
            while status == 503:
                status = client("POST", "/count")[0]
            statuses.append(status)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [200] * rounds * count
    assert served.client()("POST", "/count")[1] == {"n": rounds * count + 1}


def test_handlers_run_at_the_same_time(served: Workers) -> None:
    import threading
    import time

    workers: set[int] = set()

    def run() -> None:
        workers.add(served.client()("GET", "/sleep")[1]["pid"])

    threads = [threading.Thread(target=run) for _ in range(2)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(workers) == 2
    assert time.monotonic() - began < 1.9
