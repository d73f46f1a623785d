"""An app that type checkers must accept as it is: each `type: ignore` stands where a fault must be seen."""

from __future__ import annotations

from typing import assert_type

import ccf
from ccf import crypto
from ccf.consensus import get_last_committed_txid
from ccf.historical import get_state_range
from ccf.network import get_nodes
from ccf.rpc import set_claims_digest
from ccf.snp_attestation import verify_snp_attestation


@ccf.endpoint("/notes/{id}", methods=["PUT"], auth=["user_cert", {"all_of": ["jwt", "user_cert"]}])
def put(request: ccf.Request) -> ccf.Response:
    notes = ccf.kv["notes"]
    assert_type(notes, ccf.Map)
    note_id = request.params["id"]
    assert_type(note_id, str)
    notes[note_id] = request.body.json()
    notes[b"raw"] = request.body.bytes()
    notes[b"raw"] = "text"  # type: ignore[call-overload]
    notes[7] = "text"  # type: ignore[call-overload]
    if request.caller is not None:
        notes.set(note_id, request.caller.id).set(b"k", b"v")
    request.caller.id  # type: ignore[union-attr]
    return ccf.Response({"stored": note_id}, status_code=201, headers={"etag": "1"})


@ccf.endpoint("/notes/{id}")
def get(request: ccf.Request) -> dict[str, object]:
    notes = ccf.kv["notes"]
    if request.params["id"] not in notes:
        raise ccf.HTTPError(404, "no such note")
    assert_type(notes[b"raw"], bytes)
    assert_type(notes.get(b"raw"), bytes | None)
    assert_type(notes.get(b"raw", b""), bytes)
    assert_type(list(notes), list[bytes])
    assert_type(notes.keys(str), list[str])
    assert_type(notes.items(), list[tuple[bytes, bytes]])
    assert_type(notes.range(b"a", b"b", limit=10), list[tuple[bytes, bytes]])
    assert_type(notes.get_version_of_previous_write("a"), int | None)
    notes.unknown()  # type: ignore[attr-defined]
    return {"note": notes[request.params["id"]], "size": notes.size}


def sign(request: ccf.Request, private_key: str) -> dict[str, object]:
    set_claims_digest(ccf.digest("SHA-256", request.body.bytes()))
    signature = crypto.sign(request["data"], private_key)
    assert_type(signature, str)
    raw = crypto.sign({"name": "ECDSA", "hash": "SHA-256"}, private_key, b"data")
    assert_type(raw, bytes)
    crypto.sign({"name": "RSA-PSS", "hash": "SHA-256", "saltLength": 32}, private_key, b"data")
    crypto.sign({"name": "ECDSA", "hash": "MD5"}, private_key, b"data")  # type: ignore[call-overload]
    crypto.sign({"name": "EdDSA"}, private_key, "text")  # type: ignore[call-overload]
    return {"signature": signature, "attestation": ccf.get_attestation()}


def keys() -> dict[str, str]:
    pair = crypto.generate_ecdsa_key_pair("secp256r1")
    assert_type(pair, crypto.KeyPair)
    crypto.generate_ecdsa_key_pair("secp256k1")  # type: ignore[arg-type]
    outer = crypto.generate_aes_key(256)
    wrapped = crypto.wrap_key(pair.private_key.encode(), outer, {"name": "AES-KWP"})
    assert_type(crypto.unwrap_key(wrapped, outer, {"name": "AES-KWP"}), bytes)
    crypto.wrap_key(b"", outer, {"name": "AES"})  # type: ignore[arg-type, misc]
    jwk = crypto.pub_pem_to_jwk(pair.public_key, "key-1")
    return {"public": crypto.pub_jwk_to_pem(jwk), "same": pair["publicKey"]}


def past() -> list[str]:
    txid = get_last_committed_txid()
    states = get_state_range(1, 1, txid["seqno"], 60)
    verified = verify_snp_attestation(b"", b"", endorsed_tcb="00")
    assert_type(get_nodes(), dict[str, dict[str, object]])  # type: ignore[assert-type]
    ids = [] if states is None else [state.transaction_id for state in states]
    assert_type(ids, list[str])
    running = ccf.request
    assert_type(running, ccf.Request | None)
    return [*ids, *sorted(verified)]


def faults() -> str:
    try:
        ccf.kv["public:ccf.gov.users.certs"].clear()
    except ccf.AccessError as error:
        return str(error)
    except (ccf.NoTransactionError, ccf.CryptoError) as error:
        raise ccf.HTTPError(500) from error
    runtime = ccf.CCFPythonRuntime()
    return str(runtime.get_attestation())
