"""An app for the tests: notes, and handlers that misbehave."""

from __future__ import annotations

import hashlib
from typing import Any

import ccf

LOADED = object()


@ccf.endpoint("/notes/{id}", methods=["PUT"])
def put(request: Any) -> None:
    ccf.kv["notes"][request.params["id"]] = request.body.json()


@ccf.endpoint("/notes/{id}", mode="readonly")
def get(request: Any) -> dict[str, Any]:
    note = ccf.kv["notes"].get(request.params["id"])
    if note is None:
        raise ccf.HTTPError(404, "there is no such note")
    return {"note": note, "by": request.caller.data}


@ccf.endpoint("/claim", methods=["POST"])
def claim(request: Any) -> None:
    ccf.kv["claims"]["last"] = request.body.text()
    ccf.rpc.set_claims_digest(hashlib.sha256(request.body.bytes()).digest())


@ccf.endpoint("/echo", methods=["GET", "POST", "PATCH", "DELETE"], auth=["no_auth"])
def echo(request: Any) -> dict[str, Any]:
    return {
        "method": request.method,
        "path": request.app_path,
        "query": request.query,
        "type": request.headers.get("content-type"),
        "extra": request.headers.get("x-extra"),
        "sent": request.body.text(),
        "caller": request.caller.policy,
    }


@ccf.endpoint("/fails", methods=["POST"], auth=["no_auth"])
def fails(request: Any) -> None:
    ccf.kv["notes"]["lost"] = True
    raise ValueError("on purpose")


@ccf.endpoint("/nested", methods=["POST"])
def nested(request: Any) -> dict[str, Any]:
    try:
        with ccf.transaction():
            return {"refused": False}
    except ccf.NoTransactionError as error:
        return {"refused": str(error)}
