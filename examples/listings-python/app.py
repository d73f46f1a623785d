"""The endpoints around the handler of README.md: its key, the handler, the runtime as one object."""

from __future__ import annotations

from typing import Any

import ccf
import handler_listing

# Encrypted in the ledger; the private half never leaves the node.
keys = ccf.kv["keys"]


def no_key() -> ccf.HTTPError:
    """The answer before there is a key."""
    message = "There is no key to sign with yet: send PUT /app/key first."
    return ccf.HTTPError(409, message, code="KeyNotFound")


@ccf.endpoint("/key", methods=["PUT"])
def make_key(request: Any) -> dict[str, Any]:
    """Make the service's signing key, if there is none."""
    pair = keys.get("signing")
    if pair is None:
        made = ccf.crypto.generate_eddsa_key_pair("curve25519")
        pair = {"private": made.private_key, "public": made.public_key}
        keys["signing"] = pair
    return {"body": {"public_key": pair["public"]}}


@ccf.endpoint("/key", mode="readonly")
def read_key(request: Any) -> dict[str, Any]:
    """The public half of the key."""
    pair = keys.get("signing")
    if pair is None:
        raise no_key()
    return {"body": {"public_key": pair["public"]}}


@ccf.endpoint("/handle", methods=["POST"])
def handle(request: Any) -> Any:
    """The listing, with the key of this request's state."""
    pair = keys.get("signing")
    if pair is None:
        raise no_key()
    handler_listing.private_key = pair["private"]
    try:
        return handler_listing.handle_request(request)
    finally:
        handler_listing.private_key = None


@ccf.endpoint("/runtime")
def show_runtime(request: Any) -> dict[str, Any]:
    """Each part of the runtime object at work."""
    runtime = ccf.CCFPythonRuntime()
    visits = runtime.kv["visits"].get("count", 0) + 1
    runtime.kv["visits"]["count"] = visits
    try:
        proposal = runtime.create_proposal("set_user", {"cert": "none"})
    except ccf.Error as error:
        proposal = {"unavailable": str(error)}
    return {
        "body": {
            "visits": visits,
            "sha256": runtime.crypto.digest("SHA-256", b"visit").hex(),
            "service": runtime.network.get_service_status(),
            "committed": runtime.consensus.get_last_committed_txid(),
            "attestation": runtime.get_attestation(),
            "proposal": proposal,
        }
    }
