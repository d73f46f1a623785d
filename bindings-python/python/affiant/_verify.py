"""Is a service what its evidence says? ``affiant.verify``, and a client that asks before it sends."""

from __future__ import annotations

import json as _json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any
from urllib.parse import urlencode

from affiant import _native
from affiant._answer import Answer
from affiant._receipt import Receipt, _certificate, _read, _receipt_bytes

TIMEOUT_SECONDS = 30.0
# Above which a value that lists several things takes a line for each.
VALUE_COLUMNS_MAX = 160

Policy = Mapping[str, Any] | str | os.PathLike[str]


@dataclass(frozen=True)
class EvidenceCheck:
    """One thing that was looked at.

    Attributes:
        name: such as ``tls key`` or ``measurement``.
        outcome: ``passed``, ``warned``, ``failed`` or ``skipped``.
        found: what the evidence says; empty where there is nothing to show.
        wanted: what the policy or the rule wants.
        reason: in words: what was compared and what that means.
    """

    name: str
    outcome: str
    found: str
    wanted: str
    reason: str


@dataclass(frozen=True, repr=False)
class EvidenceVerdict:
    """What was found of evidence.

    Attributes:
        trusted: the policy accepts it, and every check that was asked for held.
        checks: every check, the failed ones too.
    """

    trusted: bool
    checks: tuple[EvidenceCheck, ...]

    @property
    def failed(self) -> tuple[EvidenceCheck, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.outcome == "failed")

    def check(self, name: str) -> EvidenceCheck:
        """The check of this name.

        Raises:
            KeyError: there is none.
        """
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(name)

    def __bool__(self) -> bool:
        return self.trusted

    def headline(self) -> str:
        """One sentence."""
        if self.trusted:
            return "Trusted: the policy accepts the guest. Nothing is said of who shows it."
        return "NOT TRUSTED: the policy does not accept the evidence."

    def _lines(self) -> list[str]:
        width = max((len(check.name) for check in self.checks), default=0)
        lines = []
        for check in self.checks:
            beside = f" [{check.found}]" if check.outcome == "passed" and check.found else ""
            word = _WORDS[check.outcome]
            lines.append(f"{word:11} {check.name:{width}}  {check.reason}{beside}")
            if check.outcome in ("failed", "warned"):
                for label, value in (("found", check.found), ("wanted", check.wanted)):
                    parts = value.split("; ") if len(value) > VALUE_COLUMNS_MAX else [value]
                    for part in filter(None, parts):
                        lines.append(f"{'':11} {'':{width}}    {label:6} {part}")
                        label = ""
        return lines

    def _notes(self) -> list[str]:
        return []

    def __repr__(self) -> str:
        return "\n".join([self.headline(), *(f"  {line}" for line in self._lines()), *self._notes()])

    def _repr_html_(self) -> str:
        from affiant import _notebook

        return _notebook.evidence(self)


_WORDS = {"passed": "ok", "warned": "WARNING", "failed": "FAILED", "skipped": "not checked"}


@dataclass(frozen=True, repr=False)
class ServiceVerdict(EvidenceVerdict):
    """What was found of a service.

    Attributes:
        trusted: every check that was asked for held; a verdict is true if it is trusted.
        checks: every check, the failed ones too.
        url: the address that was asked.
        platform: ``snp``, or ``virtual``, which proves nothing.
        at: the time for which it holds, in unix seconds.
        node_id: hex SHA-256 of the key of the connection, which is the attested one if ``tls key``
            passed.
        service_identity: hex SHA-256 of the service's public key.
        service_certificate: the service's certificate, PEM; of a trusted verdict, receipts may be
            verified against it.
        summary: one sentence.
        proved: what is proved, a sentence each.
        not_proved: what stays open although it is trusted.
        evidence: what the node showed, as ``/node/attestations/self`` gave it.
    """

    url: str
    platform: str
    at: int
    node_id: str
    service_identity: str
    service_certificate: str = field(repr=False)
    summary: str
    proved: tuple[str, ...]
    not_proved: tuple[str, ...]
    evidence: bytes = field(repr=False)

    def headline(self) -> str:
        return self.summary

    def _notes(self) -> list[str]:
        notes = []
        for title, lines in (("Proved:", self.proved), ("Not proved:", self.not_proved)):
            if lines:
                notes += [title, *(f"  {line}" for line in lines)]
        return notes


class NotTrusted(Exception):
    """A service is not what the policy wants. Nothing was sent to it.

    Attributes:
        verdict: every check and how it ended.
    """

    def __init__(self, verdict: ServiceVerdict) -> None:
        reasons = "; ".join(f"{check.name}: {check.reason}" for check in verdict.failed)
        super().__init__(f"{verdict.url}: {reasons or 'no check passed'}")
        self.verdict = verdict

    @property
    def failed(self) -> tuple[EvidenceCheck, ...]:
        """The checks that failed."""
        return self.verdict.failed

    def __reduce__(self) -> tuple[type[NotTrusted], tuple[ServiceVerdict]]:
        return (type(self), (self.verdict,))


def verify(
    url: str,
    policy: Policy,
    *,
    nonce: bool | bytes = True,
    service_certificate: str | os.PathLike[str] | None = None,
    receipt: dict[str, Any] | bytes | str | os.PathLike[str] | Receipt | None = None,
    at: float | None = None,
    timeout: float = TIMEOUT_SECONDS,
) -> ServiceVerdict:
    """Verifies the service at an address, over a connection of its own.

    Whatever certificate is shown is taken, and then held against the evidence that the node gives on
    that same connection. ``docs/attestation.md`` says what that proves.

    Args:
        url: such as ``https://example.com:8000``.
        policy: what is accepted: a dict, JSON text, or the path of a file (`pathlib.Path`). What it
            does not name is refused.
        nonce: True: the node must make evidence now, over random bytes. Bytes (8 to 64): over these.
            False: any evidence that it has; CCF's nodes have no other.
        service_certificate: of the service that it must be: PEM, or the path of a file. None: any
            service whose nodes the policy accepts.
        receipt: one that this service must have signed.
        at: the time for which all must hold, in unix seconds. None: now.
        timeout: seconds that connecting, and then asking, may take.

    Returns:
        A verdict that lists every check. It may be one that is not trusted.

    Raises:
        ConnectionError: nobody answers there, or not in time.
        ValueError: the policy, a certificate, the receipt or an answer cannot be read.
        OSError: a file cannot be read.
    """
    judged = _native.verify_service(
        url, _policy(policy), _options(nonce, service_certificate, receipt, at, timeout)
    )
    return _service_verdict(judged)


def verify_evidence(
    evidence: Mapping[str, Any] | bytes | str | os.PathLike[str],
    policy: Policy,
    *,
    bound: bytes | None = None,
    at: float | None = None,
) -> EvidenceVerdict:
    """Judges evidence offline: does the policy accept the guest that it is of?

    Args:
        evidence: what ``ccf.get_attestation()`` or ``/node/attestations/self`` gave, or an
            attestation sidecar's answer: a dict, JSON text or bytes, or the path of a file; or a report
            as it comes from the firmware.
        policy: as for :func:`verify`.
        bound: the bytes that it must be bound to. None: those that it says itself.
        at: the time for which it must hold, in unix seconds. None: now.

    Raises:
        ValueError: the evidence or the policy cannot be read.
        OSError: a file cannot be read.
    """
    if isinstance(evidence, Mapping):
        content = _json.dumps(dict(evidence)).encode()
    elif isinstance(evidence, str):
        content = evidence.encode()
    elif isinstance(evidence, os.PathLike):
        content = _read(evidence)
    else:
        content = bytes(evidence)
    moment = int(time.time() if at is None else at)
    found = _json.loads(
        _native.verify_evidence(
            content, _policy(policy), None if bound is None else bytes(bound), moment
        )
    )
    return EvidenceVerdict(found["trusted"], _checks(found))


class VerifiedClient:
    """An HTTPS client of one service, which sends nothing before the service is verified.

    >>> with affiant.VerifiedClient("https://example.com:8000", Path("policy.json")) as client:
    ...     client.post("/app/notes", json={"text": "hello"})

    Connecting verifies, as :func:`verify` does, on the connection that the requests then use. A new
    connection is used only if its key is one that was attested within the last hour, else it is
    verified first; it must be of the same service. Redirections are handed back, not followed. Threads
    may share a client; their requests go one after the other.

    Args:
        url: such as ``https://example.com:8000``.
        policy, nonce, service_certificate, receipt, at, timeout: as for :func:`verify`.
        cert: who the caller is: the paths of certificate and private key, such as
            ``service.user("alice")`` gives.

    Raises:
        NotTrusted: the service is not what the policy wants.
        ConnectionError, ValueError, OSError: as for :func:`verify`.
    """

    def __init__(
        self,
        url: str,
        policy: Policy,
        *,
        nonce: bool | bytes = True,
        service_certificate: str | os.PathLike[str] | None = None,
        receipt: dict[str, Any] | bytes | str | os.PathLike[str] | Receipt | None = None,
        at: float | None = None,
        timeout: float = TIMEOUT_SECONDS,
        cert: tuple[str | os.PathLike[str], str | os.PathLike[str]] | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout = timeout
        self._policy = _policy(policy)
        self._options = _options(nonce, service_certificate, receipt, at, timeout)
        self._cert = cert
        self._lock = threading.Lock()
        self._native: _native.VerifiedConnection | None = None
        self._closed = False
        self._verdict = self._connect()

    def _connect(self) -> ServiceVerdict:
        identity = None
        if self._cert is not None:
            certificate, key = (_read(path).decode("ascii", "replace") for path in self._cert)
            identity = (certificate, key)
        judged, self._native = _native.VerifiedConnection.open(
            self.url, self._policy, self._options, identity
        )
        verdict = _service_verdict(judged)
        if self._native is None:
            raise NotTrusted(verdict)
        # From here on it is this service, and no other that the policy would accept too.
        nonce, _, receipt, at, timeout = self._options
        self._options = (nonce, verdict.service_certificate, receipt, at, timeout)
        return verdict

    @property
    def verdict(self) -> ServiceVerdict:
        """The verdict on the node that was verified last."""
        with self._lock:
            judged = None if self._native is None else self._native.verdict
            if judged is not None:
                self._verdict = _service_verdict(judged)
            return self._verdict

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
        content: bytes | str | None = None,
        timeout: float | None = None,
    ) -> Answer:
        """Sends a request and waits for the answer.

        Args:
            method: such as ``GET``.
            path: of the service, such as ``/app/notes``.
            params: the query.
            headers: by name.
            json: the body, as a JSON-able value.
            content: the body itself, in place of `json`.
            timeout: seconds; None: that of the client.

        Raises:
            NotTrusted: the node that answers now is not what the policy wants; nothing was sent.
            ConnectionError: no whole answer came; the request may have been carried out.
            ValueError: the path or a header is none, or the client is closed.
        """
        if not path.startswith("/"):
            raise ValueError(f"{path!r}: a path begins with a slash, as /app/notes does")
        target = f"{path}{'&' if '?' in path else '?'}{urlencode(params)}" if params else path
        named = [(name.lower(), value) for name, value in (headers or {}).items()]
        body = b""
        if json is not None:
            body = _json.dumps(json).encode()
            if not any(name == "content-type" for name, _ in named):
                named.append(("content-type", "application/json"))
        elif content is not None:
            body = content.encode() if isinstance(content, str) else bytes(content)
        seconds = self._timeout if timeout is None else timeout
        with self._lock:
            if self._closed:
                raise ValueError("this client is closed")
            if self._native is None or self._native.lost:
                self._verdict = self._connect()
            assert self._native is not None
            refused, answer = self._native.request(method, target, named, body, seconds)
        if refused is not None:
            raise NotTrusted(_service_verdict(refused))
        assert answer is not None
        return Answer(f"{method} {target}", *answer)

    def get(self, path: str, **more: Any) -> Answer:
        """``GET``; see :meth:`request`."""
        return self.request("GET", path, **more)

    def post(self, path: str, **more: Any) -> Answer:
        """``POST``; see :meth:`request`."""
        return self.request("POST", path, **more)

    def put(self, path: str, **more: Any) -> Answer:
        """``PUT``; see :meth:`request`."""
        return self.request("PUT", path, **more)

    def delete(self, path: str, **more: Any) -> Answer:
        """``DELETE``; see :meth:`request`."""
        return self.request("DELETE", path, **more)

    def close(self) -> None:
        """Ends the connection. A closed client sends nothing more."""
        with self._lock:
            self._closed = True
            self._native = None

    def __enter__(self) -> VerifiedClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<VerifiedClient {self.url}{', closed' if self._closed else ''}>"


_Options = tuple[bytes | None, str | None, bytes | None, int | None, float]


def _options(
    nonce: bool | bytes,
    service_certificate: str | os.PathLike[str] | None,
    receipt: dict[str, Any] | bytes | str | os.PathLike[str] | Receipt | None,
    at: float | None,
    timeout: float,
) -> _Options:
    if nonce is True:
        chosen: bytes | None = b""
    elif nonce is False:
        chosen = None
    else:
        chosen = bytes(nonce)
        if not chosen:
            raise ValueError("a nonce has 8 to 64 bytes")
    if isinstance(receipt, Receipt):
        receipt = receipt.to_json()
    return (
        chosen,
        None if service_certificate is None else _certificate(service_certificate),
        None if receipt is None else _receipt_bytes(receipt),
        None if at is None else int(at),
        float(timeout),
    )


def _policy(policy: Policy) -> str:
    if isinstance(policy, Mapping):
        return _json.dumps(dict(policy))
    if isinstance(policy, str):
        if not policy.lstrip().startswith("{"):
            raise ValueError("a policy of str is JSON text; for a file, give a pathlib.Path")
        return policy
    if isinstance(policy, os.PathLike):
        return _read(policy).decode("utf-8", "replace")
    raise TypeError(f"a policy is a dict, JSON text or a path, not {type(policy).__name__}")


def _checks(found: dict[str, Any]) -> tuple[EvidenceCheck, ...]:
    return tuple(EvidenceCheck(**check) for check in found["checks"])


def _service_verdict(judged: tuple[str, bytes]) -> ServiceVerdict:
    found, evidence = judged
    value = _json.loads(found)
    return ServiceVerdict(
        trusted=value["trusted"],
        checks=_checks(value),
        url=value["url"],
        platform=value["platform"],
        at=value["at"],
        node_id=value["node_id"],
        service_identity=value["service_identity"],
        service_certificate=value["service_certificate"],
        summary=value["summary"],
        proved=tuple(value["proved"]),
        not_proved=tuple(value["not_proved"]),
        evidence=evidence,
    )
