"""What an app may do, and what it must not do but will."""

from __future__ import annotations

import base64
import ctypes
import itertools
import json
import os
import signal
import sys
import threading
import time
from typing import Any

import ccf

libc = ctypes.CDLL(None)
strays: list[str] = []


def endpoint(path: str, *methods: str, **more: Any) -> Any:
    """As ccf.endpoint, for users and for anybody else."""
    return ccf.endpoint(path, methods=list(methods), auth=["user_cert", "no_auth"], **more)


@endpoint("/notes/{id}", "PUT")
def put(request: Any) -> None:
    ccf.kv["notes"][request.params["id"]] = request.body.json()


@endpoint("/notes/{id}", "GET", mode="readonly")
def get(request: Any) -> Any:
    found = ccf.kv["notes"].get(request.params["id"])
    if found is None:
        raise ccf.HTTPError(404, "There is no such note.")
    return {"note": found}


@endpoint("/notes/{id}", "DELETE")
def delete(request: Any) -> None:
    del ccf.kv["notes"][request.params["id"]]


@endpoint("/echo/{a}/{b}", "GET", "POST", mode="readonly")
def echo(request: Any) -> Any:
    caller = request.caller
    return {
        "method": request.method,
        "path": request.path,
        "url": request.url,
        "route": request.route,
        "query": request.query,
        "raw_query": request.raw_query,
        "params": request.params,
        "lines": {k: v for k, v in request.headers.items() if k != "host"},
        "items": [list(item) for item in request.header_items if item[0].startswith("x-")],
        "hex": request.body.bytes().hex(),
        "policy": caller["policy"] if caller else None,
        "id": caller.get("id") if caller else None,
        "cert": caller.get("cert") if caller else None,
        "data": caller.get("data") if caller else None,
    }


@endpoint("/kv", "POST")
def store(request: Any) -> Any:
    """Everything that a map can do, with reads that must see this transaction's writes."""
    notes = ccf.kv["store"]
    seen: list[Any] = [len(notes), b"a" in notes, notes.get(b"a")]
    notes[b"a"], notes[b"b"], notes[b"c"] = b"1", b"2", b"3"
    seen += [notes[b"a"].decode(), len(notes), b"b" in notes]
    notes[b"a"] = b"4"
    notes.delete(b"b")
    seen += [notes[b"a"].decode(), b"b" in notes, [k.decode() for k in notes]]
    seen.append([[k.decode(), v.decode()] for k, v in notes.range(b"a", b"c")])
    seen.append([[k.decode(), v.decode()] for k, v in notes.range(limit=1)])
    seen.append(notes.get_version_of_previous_write(b"a"))
    ccf.kv["typed"]["k"] = {"deep": [1, None, "x"]}
    seen += [ccf.kv["typed"]["k"], ccf.kv["public:notes"].get("never")]
    if request.query == "clear":
        notes.clear()
        seen += [len(notes), notes.get(b"a")]
    seen.append(ccf.kv["public:ccf.gov.users.certs"].size)
    for name, write in (
        ("public:ccf.gov.x", True),
        ("ccf.gov.x", False),
        ("ccf.internal.x", False),
    ):
        try:
            if write:
                ccf.kv[name][b"k"] = b"v"
            else:
                ccf.kv[name].get(b"k")
        except ccf.AccessError as error:
            seen.append(str(error))
    return {"seen": seen}


@endpoint("/readonly", "POST", mode="readonly")
def readonly(request: Any) -> Any:
    ccf.kv["notes"]["x"] = 1


@endpoint("/bounds", "POST")
def bounds(request: Any) -> Any:
    """The store's bounds are told at the call that exceeds them."""
    said = []
    for key, value in ((b"k" * ((1 << 20) + 1), b""), (b"k", bytes((1 << 28) + 1))):
        try:
            ccf.kv["notes"][key] = value
        except ValueError as error:
            said.append(str(error))
    return {"said": said}


@endpoint("/many", "POST")
def many(request: Any) -> Any:
    """More writes than travel at once, and a range of more than a page."""
    count, size = (int(part) for part in request.query.split("x"))
    rows = ccf.kv["many"]
    for number in range(count):
        rows[b"%08d" % number] = b"%d" % (number % 10) * size
    pairs = rows.range(b"%08d" % 1)
    right = all(key == b"%08d" % (n + 1) for n, (key, _) in enumerate(pairs))
    return {"found": len(pairs), "bytes": sum(len(v) for _, v in pairs), "right": right}


@endpoint("/claims", "POST", respond="receipt")
def claims(request: Any) -> Any:
    ccf.rpc.set_claims_digest(ccf.digest("SHA-256", b"claim"))
    ccf.kv["public:claims"]["k"] = "claimed"
    return {"ok": True}


@endpoint("/apply", "POST")
def apply(request: Any) -> Any:
    ccf.kv["notes"]["applied"] = request.query
    ccf.rpc.set_apply_writes(request.query == "yes")
    return ccf.Response({"why": "because"}, status_code=418 if request.query == "yes" else 200)


@endpoint("/fails", "POST")
def fails(request: Any) -> Any:
    ccf.kv["notes"]["failed"] = True
    kind = request.query
    if kind == "http":
        raise ccf.HTTPError(402, "Pay first.", code="PaymentRequired")
    if kind == "exit":
        sys.exit(3)
    if kind == "type":
        return object()
    raise RuntimeError("on purpose")


@endpoint("/count", "POST", mode="readwrite")
def count(request: Any) -> Any:
    """Conflicts with itself."""
    counter = ccf.kv["counter"]
    now = counter.get("n") or 0
    time.sleep(0.002)
    counter["n"] = now + 1
    return {"n": now + 1}


@endpoint("/consensus", "GET", mode="readonly")
def consensus(request: Any) -> Any:
    last = ccf.consensus.get_last_committed_txid()
    view, seqno = last["view"], last["seqno"]
    return {
        "status": ccf.consensus.get_status_for_txid(view, seqno),
        "ahead": ccf.consensus.get_status_for_txid(view, seqno + 1_000_000),
        "view": ccf.consensus.get_view_for_seqno(seqno) == view,
        "none": ccf.consensus.get_view_for_seqno(seqno + 1_000_000),
    }


@endpoint("/past/{id}", "GET", mode="historical")
def past(request: Any) -> Any:
    state = ccf.historical_state
    receipt = state.receipt
    return {
        "note": state.kv["notes"].get(request.params["id"]),
        "size": len(state.kv["notes"]),
        "txid": state.transaction_id,
        "claims": "leaf_components" in receipt and bool(receipt["signature"]),
    }


@endpoint("/range/{first}/{last}", "GET", mode="readonly")
def history(request: Any) -> Any:
    first, last = int(request.params["first"]), int(request.params["last"])
    states = ccf.historical.get_state_range(7, first, last, 60)
    if states is None:
        return ccf.Response({}, status_code=202)
    notes = [[k.decode() for k in state.kv["notes"]] for state in states]
    return {
        "ids": [state.transaction_id for state in states],
        "notes": notes,
        "dropped": ccf.historical.drop_cached_states(7),
    }


@endpoint("/evidence", "POST", mode="readonly")
def evidence(request: Any) -> Any:
    """What of the platform's evidence is the same in every service."""
    given = ccf.get_attestation(request.body.bytes())
    statement = json.loads(base64.b64decode(given["bound"]))
    try:
        ccf.get_attestation(bytes(65537))
    except ValueError as error:
        refused = str(error)
    return [given["format"], sorted(given), statement["affiant"], statement["bound"], refused]


@endpoint("/verify", "POST", mode="readonly")
def verify(request: Any) -> Any:
    try:
        ccf.snp_attestation.verify_snp_attestation(b"none", b"none")
    except (ccf.Error, ValueError) as error:
        return {"type": type(error).__name__, "reason": str(error)}


@endpoint("/thread", "POST")
def thread(request: Any) -> Any:
    """Threads that have the request's context, in it and after it."""
    import contextvars

    context = contextvars.copy_context()
    inside: list[Any] = []

    def late() -> None:
        inside.append(ccf.kv["notes"].get("thread"))
        time.sleep(0.3)
        try:
            ccf.kv["notes"]["late"] = 1
            strays.append("written")
        except ccf.NoTransactionError as error:
            strays.append(str(error))

    started = threading.Thread(target=lambda: context.run(late))
    ccf.kv["notes"]["thread"] = "here"
    started.start()
    time.sleep(0.05)
    return {"inside": inside}


@endpoint("/sleep", "GET", mode="readonly")
def sleep(request: Any) -> Any:
    time.sleep(1)
    return {"pid": os.getpid()}


@endpoint("/where", "GET", mode="readonly")
def where(request: Any) -> Any:
    return {
        "pid": os.getpid(),
        "strays": strays,
        "environment": sorted(os.environ),
        "stdin": os.readlink("/proc/self/fd/0") if request.query == "stdin" else None,
        "limits": limits(),
    }


def limits() -> dict[str, str]:
    """The limits of this process, by name."""
    import re

    size = 1 << 14
    buffer = ctypes.create_string_buffer(size)
    descriptor = libc.open(b"/proc/self/limits", 0)
    count = libc.read(descriptor, buffer, size)
    libc.close(descriptor)
    lines = buffer.raw[:count].decode().splitlines()[1:]
    parts = [re.split(r"\s{2,}", line.strip()) for line in lines]
    return {part[0]: part[1] for part in parts}


def fork_and_answer() -> Any:
    """A child that goes on as if it were the worker."""
    if libc.fork() == 0:
        try:
            ccf.kv["notes"]["from the child"] = 1
            ccf.kv["notes"].get("x")
        finally:
            print("the child leaves")
    return {"forked": True}


def hoard(make: Any) -> None:
    kept = []
    while True:
        kept.append(make())


@endpoint("/bad/{how}", "POST")
def bad(request: Any) -> Any:
    how = request.params["how"]
    ccf.kv["notes"]["bad"] = how
    print(f"about to do {how}")
    if how == "segfault":
        ctypes.string_at(0)
    elif how == "exit":
        libc._exit(3)
    elif how == "exit-0":
        libc._exit(0)
    elif how == "abort":
        libc.abort()
    elif how == "kill":
        libc.kill(os.getpid(), int(signal.SIGKILL))
    elif how == "stop":
        libc.kill(os.getpid(), int(signal.SIGSTOP))
    elif how == "close":
        for descriptor in range(3, 64):
            libc.close(descriptor)
        ccf.kv["notes"].get("x")
    elif how == "c-loop":
        sum(itertools.repeat(0))
    elif how == "loop":
        while True:
            pass
    elif how == "stubborn":
        while True:
            try:
                while True:
                    pass
            except BaseException:
                pass
    elif how == "bytes":
        hoard(lambda: bytearray(1 << 20))
    elif how == "list":
        hoard(lambda: [None] * 4096)
    elif how == "one":
        bytearray(1 << 40)
    elif how == "numpy":
        import numpy

        hoard(lambda: numpy.ones(1 << 18))
    elif how == "deep":

        def deeper(depth: int) -> int:
            return deeper(depth + 1) + 1

        deeper(0)
    elif how == "fork":
        return fork_and_answer()
    elif how == "garbage":
        # As an app that took its worker over would try.
        for descriptor in range(3, 64):
            libc.write(descriptor, b"\xff" * 64, 64)
        time.sleep(60)
    elif how == "forge":
        # A write of a table of governance, as the worker's own checks would never send it.
        table = b"public:ccf.gov.users.info"
        put = bytes([3, 1, 0, len(table)]) + table + bytes([1]) + b"k" + bytes([1]) + b"v"
        frame = len(put).to_bytes(4, "little") + bytes([1]) + put
        for descriptor in range(3, 64):
            libc.write(descriptor, frame, len(frame))
    elif how == "shout":
        print("x" * 100_000)
        return {"shouted": True}
    return {"survived": how}
