"""Every way that a party, or somebody else, could try to get at the other's rows."""

import hashlib

import affiant
import affiant.testing
import pytest
from conftest import HOSPITAL, INSURER, csv

# What is in the insurer's rows and nowhere else.
SECRETS = [b"91000", b"91300", b"98765", b"P-8002"]

PATHS = [
    "/table",
    "/table/insurer",
    "/table?party=insurer",
    "/table/../table",
    "/tables/insurer",
    "/status",
    "/result",
    "/rows",
    "/kv/rows",
    "/api",
    "/commit",
    "/",
    "/node/state",
    "/node/network",
    "/node/api",
    "/gov/api",
    "/gov/service/javascript-app",
    "/gov/kv/rows",
    "/rows/insurer",
]
VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def bodies(answer):
    """All that an answer says."""
    return answer.content + repr(answer.headers).encode()


def shows_nothing(answer):
    found = [secret for secret in SECRETS if secret in bodies(answer)]
    assert not found, f"{answer!r} shows {found}"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("path", PATHS)
def test_no_request_of_the_other_party_shows_a_row(hospital, sent, verb, path):
    shows_nothing(hospital.request(verb, path))
    shows_nothing(
        hospital.request(verb, path, headers={"x-ms-ccf-transaction-id": sent[1].transaction_id})
    )


def test_the_owner_alone_reads_a_table(client, hospital, insurer, sent):
    # The secrets above are what a leak would show.
    assert all(secret in insurer.get("/table").content for secret in SECRETS)
    assert insurer.get("/table").content == csv(INSURER)
    assert hospital.get("/table").content == csv(HOSPITAL)
    auditor = client.as_user("auditor", {"role": "auditor"})
    for other in (client, auditor, client.as_user("eve", {"party": "hospital "})):
        for path in ("/table", "/status", "/result"):
            assert other.get(path).status_code == 403
        assert other.put("/table", data=csv(HOSPITAL)).status_code == 403
        assert other.post("/result").status_code == 403
    for other in (client.anonymous(), client.stranger()):
        for path in ("/table", "/status", "/result"):
            assert other.get(path).status_code == 401


def test_the_party_comes_from_the_certificate_alone(hospital, sent):
    for headers in ({"x-party": "insurer"}, {"x-user-data": '{"party": "insurer"}'}):
        assert hospital.get("/table", headers=headers).content == csv(HOSPITAL)
    assert hospital.get("/table", params={"party": "insurer"}).content == csv(HOSPITAL)
    body = {"party": "insurer"}
    assert hospital.request("GET", "/table", json=body).content == csv(HOSPITAL)


def test_no_table_changes_once_it_is_sent(hospital, insurer, sent):
    before = hospital.post("/result").content
    # With one person less, the difference of two results would be that person's cost.
    for lines in (HOSPITAL[:2] + HOSPITAL[3:], [HOSPITAL[0], *HOSPITAL[2:]]):
        again = hospital.put("/table", data=csv(lines))
        assert (again.status_code, again.json()["error"]["code"]) == (409, "TableIsFinal")
    assert hospital.post("/result").content == before
    assert hospital.get("/table").content == csv(HOSPITAL)


def test_one_person_does_not_fill_a_group(hospital):
    lines = [HOSPITAL[0], *["P-7103,flu,40"] * 5]
    assert hospital.put("/table", data=csv(lines)).status_code == 400


def test_a_receipt_is_no_way_to_check_guesses(hospital, sent):
    theirs = hospital.get("/receipt", params={"transaction_id": sent[1].transaction_id})
    assert theirs.status_code == 200
    shows_nothing(theirs)
    digest = theirs.json()["leaf_components"]["claims_digest"]
    nonce = bytes.fromhex(sent[1].json()["nonce"])
    assert digest == hashlib.sha256(nonce + csv(INSURER)).hexdigest()
    assert digest != hashlib.sha256(csv(INSURER)).hexdigest()
    assert nonce.hex().encode() not in hospital.get("/status").content


def test_the_files_of_the_ledger_hold_no_row(tmp_path):
    with affiant.open(tmp_path / "data") as ledger:
        client = affiant.testing.Client("analytics.py", ledger=ledger)
        hospital = client.as_user("hospital", {"party": "hospital"})
        insurer = client.as_user("insurer", {"party": "insurer"})
        assert hospital.put("/table", data=csv(HOSPITAL)).status_code == 201
        assert insurer.put("/table", data=csv(INSURER)).status_code == 201
        result = insurer.post("/result").content
    files = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    stored = b"".join(path.read_bytes() for path in files)
    # The users' certificates are in public tables, so this is the right place to look in.
    assert b"BEGIN CERTIFICATE" in stored
    for line in HOSPITAL[1:] + INSURER[1:]:
        assert line.encode() not in stored
    assert result not in stored and b'"groups"' not in stored
