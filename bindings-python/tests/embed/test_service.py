"""Services over HTTPS from Python."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import affiant
import ccf
import pytest

APP = Path(__file__).parent / "notes_app.py"


def call(
    service: affiant.Service, method: str, path: str, body: Any = None, user: Any = None
) -> tuple[int, Any, str | None]:
    context = ssl.create_default_context(cafile=service.certificate_path)
    if user is not None:
        context.load_cert_chain(user.certificate, user.private_key)
    place = urlsplit(service.url)
    connection = http.client.HTTPSConnection(str(place.hostname), place.port, context=context)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        answer = connection.getresponse()
        content = answer.read()
        value = json.loads(content) if content else None
        return answer.status, value, answer.getheader("x-ms-ccf-transaction-id")
    finally:
        connection.close()


def test_an_app_is_served_and_resumed(tmp_path: Path) -> None:
    with affiant.serve(APP, directory=tmp_path) as service:
        alice = service.user("alice", {"role": "clerk"})
        status, _, txid = call(service, "PUT", "/app/notes/1", {"a": 1}, alice)
        assert status == 204 and txid is not None
        assert call(service, "GET", "/app/notes/1")[0] == 401
        assert service.ledger.receipt(txid).verify(Path(service.certificate_path))
        assert oct(os.stat(alice.private_key).st_mode & 0o777) == "0o600"
        with pytest.raises(affiant.LedgerError, match="open in this process"):
            affiant.serve(APP, directory=tmp_path)
    assert "stopped" in repr(service)
    with affiant.serve(APP, directory=tmp_path) as service:
        status, value, _ = call(service, "GET", "/app/notes/1", user=alice)
        assert (status, value) == (200, {"note": {"a": 1}, "by": {"role": "clerk"}})
    assert affiant.verify_ledger(tmp_path, Path(service.certificate_path))["verified"]


def test_requests_and_the_hosts_own_code_run_side_by_side() -> None:
    @ccf.endpoint("/count", methods=["POST"], auth=["no_auth"])
    def count(request: Any) -> int | list[int]:
        counters = ccf.kv["counters"]
        counters["n"] = counters.get("n", 0) + 1
        return [counters["n"]]

    with affiant.serve(count) as service:
        threads = [
            threading.Thread(
                target=lambda: [call(service, "POST", "/app/count") for _ in range(10)]
            )
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()

        def add(tx: affiant.Transaction) -> None:
            tx.kv["counters"]["n"] = tx.kv["counters"].get("n", 0) + 1

        for _ in range(20):
            service.ledger.run(add)
        for thread in threads:
            thread.join(60)
        with service.ledger.read() as tx:
            assert tx.kv["counters"]["n"] == 60


def test_a_handler_may_not_take_for_ever() -> None:
    @ccf.endpoint("/spin", auth=["no_auth"])
    def spin(request: Any) -> None:
        while True:
            pass

    with affiant.serve(spin, time_limit=0.3) as service:
        status, value, _ = call(service, "GET", "/app/spin")
        assert status == 500 and "too long" in json.dumps(value)


def test_what_cannot_be_served_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(affiant.LedgerError, match="none.py"):
        affiant.serve(tmp_path / "none.py")
    with affiant.serve(APP) as service:
        with pytest.raises(affiant.LedgerError, match="in use"):
            affiant.serve(APP, address=service.url.removeprefix("https://"))
        with pytest.raises(ValueError, match="name"):
            service.user("../alice")


def test_serving_for_ever_ends_with_an_interrupt(tmp_path: Path) -> None:
    code = (
        "import signal, sys, threading, affiant\n"
        # Who runs the tests in the background may have it ignored, which processes inherit.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "service = affiant.serve(sys.argv[1], directory=sys.argv[2])\n"
        "threading.Timer(0.5, lambda: print(service.url, flush=True)).start()\n"
        "service.serve_forever()\n"
        "print(service, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(APP), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("https://127.0.0.1:")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and "stopped" in out
    affiant.open(tmp_path).close()


@pytest.mark.parametrize("body", ["while True: pass", "time.sleep(3600)"])
def test_a_handler_that_runs_does_not_hold_up_the_end(tmp_path: Path, body: str) -> None:
    (tmp_path / "app.py").write_text(
        "import time, ccf\n"
        "@ccf.endpoint('/run', auth=['no_auth'])\n"
        "def run(request):\n"
        f"    {body}\n"
    )
    code = (
        "import ssl, sys, threading, time, urllib.request, affiant\n"
        "service = affiant.serve(sys.argv[1], time_limit=3600)\n"
        "trust = ssl.create_default_context(cafile=service.certificate_path)\n"
        "def call():\n"
        "    try:\n"
        "        urllib.request.urlopen(service.url + '/app/run', context=trust)\n"
        "    except OSError:\n"
        "        pass\n"
        "threading.Thread(target=call, daemon=True).start()\n"
        "time.sleep(1)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "app.py")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


JOB = """
import threading, time
import ccf

def job():
    while True:
        try:
            with ccf.transaction() as tx:
                ccf.kv["jobs"]["n"] = ccf.kv["jobs"].get("n", 0) + 1
            print("job:", tx.transaction_id, flush=True)
        except ccf.Error as error:
            print("no job:", error, flush=True)
        time.sleep(0.1)

threading.Thread(target=job, daemon=True).start()

@ccf.endpoint("/jobs", auth=["no_auth"])
def jobs(request):
    return [ccf.kv["jobs"].get("n", 0)]
"""


def test_an_apps_background_jobs_have_transactions(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOB)
    command = [sys.executable, "-m", "affiant", "sandbox", "--app", str(tmp_path / "jobs.py")]
    command += ["--node", "local://127.0.0.1:0", "--workspace", str(tmp_path / "workspace")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith("job: 2."):
            break
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert seen and seen[-1].startswith("job: 2."), "".join(seen) + rest
    assert process.returncode == 0, rest
