"""A service is verified before anything is sent to it."""

from __future__ import annotations

import json
import pickle
import re
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import affiant
import pytest

APP = Path(__file__).parent / "notes_app.py"
LAX: dict[str, Any] = {"virtual": {"measurements": "any", "host_data": "any"}}


@pytest.fixture(scope="module")
def service() -> Iterator[affiant.Service]:
    with affiant.serve(APP) as service:
        yield service


def test_virtual_evidence_is_refused_unless_the_policy_names_it(
    service: affiant.Service, tmp_path: Path
) -> None:
    refused = affiant.verify(service.url, {})
    assert not refused and not refused.trusted and refused.platform == "virtual"
    assert any("virtual evidence" in check.reason for check in refused.failed)
    assert repr(refused).startswith("NOT TRUSTED: ") and "FAILED" in repr(refused)

    policy = tmp_path / "policy.json"
    policy.write_text(json.dumps(LAX))
    for accepted in (LAX, json.dumps(LAX), policy):
        verdict = affiant.verify(service.url, accepted)
        assert verdict and verdict.trusted and not verdict.failed
    assert verdict.check("nonce").outcome == "passed"
    assert verdict.check("tls key").found == verdict.node_id
    assert "Not proved:" in repr(verdict) and not verdict.proved[1:]
    assert "<table>" in verdict._repr_html_() and "tls key" in verdict._repr_html_()
    assert json.loads(verdict.evidence)["format"] == "Insecure_Virtual"
    certificate = Path(service.certificate_path).read_text()
    assert verdict.service_certificate.strip() == certificate.strip()
    assert pickle.loads(pickle.dumps(verdict)) == verdict
    with pytest.raises(KeyError):
        verdict.check("nothing")


def test_nonce_service_receipt_and_time(service: affiant.Service) -> None:
    def outcome(name: str, **more: Any) -> str:
        return affiant.verify(service.url, LAX, **more).check(name).outcome

    assert outcome("nonce", nonce=False) == "skipped"
    assert outcome("nonce", nonce=b"8 or more bytes") == "passed"
    assert outcome("known service", service_certificate=Path(service.certificate_path)) == "passed"
    with affiant.open() as other:
        assert outcome("known service", service_certificate=other.service_certificate) == "failed"
        with other.tx() as tx:
            tx.kv["m"]["a"] = 1
        foreign = other.receipt(tx)
    with service.ledger.tx() as tx:
        tx.kv["m"]["a"] = 1
    own = service.ledger.receipt(tx)
    assert outcome("receipt", receipt=own) == "passed"
    assert outcome("receipt", receipt=own.to_dict()) == "passed"
    assert outcome("receipt", receipt=foreign) == "failed"
    assert outcome("tls certificate", at=86_400) == "failed"
    assert outcome("tls certificate", at=time.time()) == "passed"


def test_what_cannot_be_read_is_no_verdict(service: affiant.Service, tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host, port = silent.getsockname()
        began = time.monotonic()
        with pytest.raises(ConnectionError, match="no whole answer"):
            affiant.verify(f"https://{host}:{port}", LAX, timeout=0.5)
        assert time.monotonic() - began < 5
    with pytest.raises(ConnectionError, match="cannot be reached"):
        affiant.verify(f"https://{host}:{port}", LAX)
    for arguments, match in (
        ((service.url, {"measurement": []}), "unknown field"),
        ((service.url, "policy.json"), "pathlib.Path"),
        (("http://127.0.0.1:1", LAX), "https://"),
    ):
        with pytest.raises(ValueError, match=match):
            affiant.verify(*arguments)
    with pytest.raises(ValueError, match="8 to 64"):
        affiant.verify(service.url, LAX, nonce=b"short")
    with pytest.raises(ValueError, match="receipt"):
        affiant.verify(service.url, LAX, receipt=b"nonsense")
    with pytest.raises(FileNotFoundError):
        affiant.verify(service.url, tmp_path / "missing.json")
    with pytest.raises(TypeError):
        affiant.verify(service.url, 7)  # type: ignore[arg-type]


def test_evidence_is_judged_offline(service: affiant.Service, tmp_path: Path) -> None:
    evidence = affiant.verify(service.url, LAX).evidence
    file = tmp_path / "evidence.json"
    file.write_bytes(evidence)
    for form in (evidence, evidence.decode(), json.loads(evidence), file):
        verdict = affiant.verify_evidence(form, LAX)
        assert verdict.trusted and verdict.check("binding").outcome == "passed"
    assert "Nothing is said of who shows it" in repr(verdict)
    assert not affiant.verify_evidence(evidence, {})
    other = affiant.verify_evidence(evidence, LAX, bound=b"other bytes")
    assert [check.name for check in other.failed] == ["binding"]
    with pytest.raises(ValueError, match="cannot be read"):
        affiant.verify_evidence({}, LAX)


def test_a_client_sends_to_a_trusted_service(service: affiant.Service) -> None:
    alice = service.user("alice", {"role": "clerk"})
    with affiant.VerifiedClient(service.url, LAX, cert=alice) as client:
        assert client.verdict.trusted
        answer = client.put("/app/notes/1", json={"a": 1})
        assert answer.ok and answer.transaction_id is not None, answer
        answer = client.get("/app/notes/1", headers={"Accept": "application/json"})
        assert answer.json() == {"note": {"a": 1}, "by": {"role": "clerk"}}
        assert answer.headers["Content-Type"] == "application/json" and "200" in repr(answer)
        assert client.get("/app/receipt", params={"transaction_id": "x"}).status_code == 400
        assert client.request("GET", "/app/notes/1", timeout=5).status_code == 200
        for wrong in ("app/notes/1", "/app/a b"):
            with pytest.raises(ValueError):
                client.get(wrong)
    with pytest.raises(ValueError, match="closed"):
        client.get("/app/notes/1")
    with affiant.VerifiedClient(service.url, LAX) as client:
        assert client.get("/app/notes/1").status_code == 401


def test_threads_share_a_client(service: affiant.Service) -> None:
    alice = service.user("alice", {"role": "clerk"})
    statuses: list[int] = []
    with affiant.VerifiedClient(service.url, LAX, cert=alice) as client:

        def write(number: int) -> None:
            for turn in range(5):
                answer = client.put(f"/app/notes/{number}-{turn}", json={"a": turn})
                statuses.append(answer.status_code)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [204] * 20


def test_the_listings_of_the_guide_run(
    service: affiant.Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = Path(__file__).parents[3] / "docs" / "attestation.md"
    listings = re.findall(r"```python\n(.*?)```", guide.read_text(), re.DOTALL)
    assert len(listings) == 2
    monkeypatch.chdir(tmp_path)
    Path("policy.json").write_text(json.dumps(LAX))
    names: dict[str, Any] = {}
    for listing in listings:
        exec(listing.replace("https://127.0.0.1:8000", service.url), names)
    assert names["verdict"].trusted
    # The notes are for users with a certificate.
    assert names["answer"].status_code == 401


class Proxy(threading.Thread):
    """Ends TLS with a key of its own and relays what comes, either way."""

    def __init__(self, certificate: Any, port: int) -> None:
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.certificate, certificate.private_key)
        self.port = port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self.listener.getsockname()[1]}"
        self.relayed: list[bytes] = []

    def run(self) -> None:
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname = False
        client.verify_mode = ssl.CERT_NONE
        while True:
            plain, _ = self.listener.accept()
            with (
                self.context.wrap_socket(plain, server_side=True) as near,
                client.wrap_socket(socket.create_connection(("127.0.0.1", self.port))) as far,
            ):
                while asked := near.recv(65_536):
                    self.relayed.append(asked)
                    far.sendall(asked)
                    near.sendall(whole(far))


def whole(connection: ssl.SSLSocket) -> bytes:
    """One answer, head and body."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += connection.recv(65_536)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body


def test_a_client_sends_nothing_to_a_proxy(service: affiant.Service) -> None:
    proxy = Proxy(service.user("mallory"), int(service.url.rpartition(":")[2]))
    proxy.start()
    verdict = affiant.verify(proxy.url, LAX)
    assert {"tls key", "tls certificate"} == {check.name for check in verdict.failed}
    assert verdict.check("nonce").outcome == "passed"
    with pytest.raises(affiant.NotTrusted, match="tls key: .* not the attested one") as caught:
        affiant.VerifiedClient(proxy.url, LAX)
    assert caught.value.verdict.url == proxy.url
    assert {check.name for check in caught.value.failed} == {"tls key", "tls certificate"}
    assert pickle.loads(pickle.dumps(caught.value)).verdict == caught.value.verdict
    with pytest.raises(affiant.NotTrusted, match="virtual evidence"):
        affiant.VerifiedClient(service.url, {})
    # Only evidence and the service's certificate were ever asked for.
    asked = b"".join(proxy.relayed)
    assert asked.count(b"GET /node/") == asked.count(b"HTTP/1.1\r\n") == 4


def test_waiting_lets_others_run_and_hears_signals() -> None:
    class Alarm(Exception):
        pass

    def ring(*_: object) -> None:
        raise Alarm

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host, port = silent.getsockname()
        turns = 0
        done = threading.Event()

        def count() -> None:
            nonlocal turns
            while not done.wait(0.001):
                turns += 1

        other = threading.Thread(target=count)
        other.start()
        before = signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, 0.5)
        began = time.monotonic()
        try:
            with pytest.raises(Alarm):
                affiant.verify(f"https://{host}:{port}", LAX, timeout=60)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            done.set()
            other.join()
        assert time.monotonic() - began < 10
        assert turns > 50
