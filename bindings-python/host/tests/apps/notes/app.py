"""Handlers for the tests of hosts: a few that work, and those that misbehave."""

import os
import socket
import sys
import threading

import affiant
import ccf
from deep.store import fail_there


@ccf.endpoint("/notes/{id}", methods=["PUT"], auth=["no_auth"])
def put(request):
    ccf.kv["notes"][request.params["id"]] = request.body.json()


@ccf.endpoint("/notes/{id}", mode="readonly", auth=["no_auth"])
def get(request):
    note = ccf.kv["notes"].get(request.params["id"])
    if note is None:
        raise ccf.HTTPError(404, "there is no such note", code="NoSuchNote")
    return note


@ccf.endpoint("/count", methods=["POST"], auth=["no_auth"])
def count(request):
    counts = ccf.kv["counts"]
    counts["all"] = counts.get("all", 0) + 1
    return {"all": counts["all"]}


@ccf.endpoint("/fails", methods=["POST"], auth=["no_auth"])
def fails(request):
    ccf.kv["notes"]["lost"] = True
    fail_there()


@ccf.endpoint("/fails-inside", methods=["POST"], auth=["no_auth"])
def fails_inside(request):
    ccf.crypto.sign(b"data", b"key", "too", "many")


@ccf.endpoint("/spins", methods=["POST"], auth=["no_auth"])
def spins(request):
    while True:
        pass


@ccf.endpoint("/hoards", methods=["POST"], auth=["no_auth"])
def hoards(request):
    return {"kept": len([bytes(1 << 20) for _ in range(64)])}


@ccf.endpoint("/hashed", methods=["POST"], auth=["no_auth"])
def hashed(request):
    return ccf.crypto.digest("SHA-256", request.body.bytes()).hex()


@ccf.endpoint("/broken-pipe", methods=["POST"], auth=["no_auth"])
def broken_pipe(request):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        os.write(writer, b"x")
        return "written"
    except BrokenPipeError:
        return "refused"
    finally:
        os.close(writer)


@ccf.endpoint("/audit", methods=["POST"], auth=["no_auth"])
def audit(request):
    affiant.verify_ledger("/nowhere")


@ccf.endpoint("/where", mode="readonly", auth=["no_auth"])
def where(request):
    return {
        "affiant": affiant.__file__,
        "ccf": ccf.__file__,
        "version": affiant.__version__,
        "python": sys.version_info[:2],
        "executable": sys.executable,
        "prefix": sys.prefix,
        "main": threading.current_thread() is threading.main_thread(),
        "utf8": sys.flags.utf8_mode,
        "argv": sys.argv,
    }
