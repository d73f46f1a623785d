"""The notary over a ledger in memory, one per test."""

import hashlib
import json

import affiant
import pytest

DOCUMENT = b"I owe Bob 5 euros. Alice"
NAME = hashlib.sha256(DOCUMENT).hexdigest()

pytestmark = pytest.mark.affiant_app("../notary.py")


def test_the_receipt_proves_the_document_and_no_other(client):
    answer = client.post("/documents", data=DOCUMENT)
    assert answer.status_code == 201
    receipt = answer.receipt()
    assert receipt.verify(claims=DOCUMENT)
    with pytest.raises(affiant.VerificationError, match="claims"):
        receipt.verify(claims=DOCUMENT.replace(b"5", b"9"))


def test_the_answer_itself_holds_the_receipt(client):
    answer = client.post("/documents", data=DOCUMENT)
    envelope = answer.json()
    assert envelope["body"] == {"digest": NAME, "size": len(DOCUMENT)}
    assert envelope["transaction_id"] == answer.transaction_id
    assert json.dumps(envelope["receipt"]) != "null"


def test_a_notarised_document_is_found_with_its_transaction(client):
    made = client.post("/documents", data=DOCUMENT)
    # Anybody may ask, in either case of letters.
    found = client.anonymous().get(f"/documents/{NAME.upper()}")
    assert found.status_code == 200
    record = found.json()
    assert record["transaction_id"] == made.transaction_id
    assert (record["digest"], record["size"]) == (NAME, len(DOCUMENT))
    assert len(record["by"]) == 64


def test_who_was_first_stays(client):
    client.post("/documents", data=DOCUMENT)
    first = client.get(f"/documents/{NAME}").json()
    again = client.as_user("user1").post("/documents", data=DOCUMENT)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "NotarisedAlready"
    assert client.get(f"/documents/{NAME}").json() == first


def test_only_users_of_the_service_notarise(client):
    assert client.anonymous().post("/documents", data=DOCUMENT).status_code == 401
    assert client.stranger().post("/documents", data=DOCUMENT).status_code == 401
    assert client.get(f"/documents/{NAME}").status_code == 404


@pytest.mark.parametrize("size", [0, (1 << 20) + 1])
def test_what_is_too_small_or_too_large_is_refused(client, size):
    refused = client.post("/documents", data=b"x" * size)
    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "InvalidDocument"


def test_what_is_no_digest_is_refused(client):
    assert client.get("/documents/abc").status_code == 400
    assert client.get(f"/documents/{'0' * 64}").status_code == 404
