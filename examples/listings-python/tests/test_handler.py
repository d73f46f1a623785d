"""The handler and the runtime object, in a node."""

import base64
import hashlib
import json

import ccf
import pytest

pytestmark = pytest.mark.affiant_app("../app.py")


@pytest.fixture
def public_key(client):
    return client.put("/key").json()["public_key"]


SIGNED = [
    ({"data": "the quick brown fox"}, "the quick brown fox", b"the quick brown fox"),
    (
        {"json": {"n": 1, "b": [True, None]}},
        {"n": 1, "b": [True, None]},
        b'{"n":1,"b":[true,null]}',
    ),
    ({"data": b"\xff\x00"}, b"\xff\x00", b"\xff\x00"),
]


@pytest.mark.parametrize(("sent", "data", "signed"), SIGNED)
def test_data_is_processed_and_signed(client, public_key, sent, data, signed):
    answer = client.post("/handle", **sent)
    assert answer.status_code == 200, answer
    body = answer.json()
    assert body["result"] == {"sha256": hashlib.sha256(signed).hexdigest()}
    assert ccf.crypto.verify(data, public_key, body["signature"])
    assert not ccf.crypto.verify("other data", public_key, body["signature"])


def test_the_answer_has_evidence_that_names_itself_virtual(client, public_key):
    attestation = client.post("/handle", data="x").json()["attestation"]
    assert attestation["format"] == "Insecure_Virtual"
    bound = base64.b64decode(attestation["bound"])
    report_data = json.loads(base64.b64decode(attestation["raw"]))["report_data"]
    assert base64.b64decode(report_data) == hashlib.sha256(bound).digest()
    statement = json.loads(bound)
    # An app's, never to be mistaken for the node's own; and the listing binds nothing to it.
    assert (statement["affiant"], statement["bound"]) == ("app", "")


def test_the_key_stays_the_same_and_its_private_half_inside(client, public_key):
    assert client.put("/key").json() == client.get("/key").json() == {"public_key": public_key}
    for answer in (client.get("/key"), client.post("/handle", data="x"), client.get("/runtime")):
        assert b"PRIVATE" not in answer.content


def test_there_is_no_signature_without_a_key(client):
    assert client.get("/key").status_code == 409
    refused = client.post("/handle", data="x")
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "KeyNotFound")


def test_the_runtime_object_works(client):
    first, second = client.get("/runtime").json(), client.get("/runtime").json()
    assert (first["visits"], second["visits"]) == (1, 2)
    assert first["sha256"] == hashlib.sha256(b"visit").hexdigest()
    assert first["service"] == "Open"
    assert second["committed"]["seqno"] >= first["committed"]["seqno"] > 0
    assert first["attestation"]["format"] == "Insecure_Virtual"
    assert "/gov/proposals" in first["proposal"]["unavailable"]
