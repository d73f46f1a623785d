"""What the parties learn, and what proves it."""

import affiant
import pytest
from conftest import HOSPITAL, INSURER, csv

GROUPS = [
    {"diagnosis": "flu", "region": "north", "persons": 6, "mean_age": 33.5, "mean_cost": 91250.0},
    {"diagnosis": "flu", "region": "south", "persons": 5, "mean_age": 39.0, "mean_cost": 91800.0},
]


def test_both_parties_get_the_same_result(hospital, insurer, sent):
    computed = hospital.post("/result")
    assert computed.status_code == 200
    assert computed.json()["groups"] == GROUPS
    assert insurer.post("/result").content == computed.content
    assert hospital.get("/result").content == computed.content
    assert insurer.get("/result").content == computed.content


def test_a_receipt_proves_the_result_and_what_went_into_it(hospital, insurer, sent):
    computed = hospital.post("/result")
    receipt = computed.receipt()
    assert receipt.verify(claims=computed.content)
    with pytest.raises(affiant.VerificationError, match="claims"):
        receipt.verify(claims=computed.content.replace(b"91250", b"91251"))
    assert insurer.get("/result").headers["x-result-transaction"] == computed.transaction_id
    mine, theirs = (answer.transaction_id for answer in sent)
    assert computed.json()["inputs"] == {"hospital": mine, "insurer": theirs}
    # Each party can show that this input was its table.
    nonce = bytes.fromhex(sent[0].json()["nonce"])
    assert sent[0].receipt().verify(claims=nonce + csv(HOSPITAL))


def test_there_is_no_result_before_both_tables(hospital, insurer):
    assert hospital.post("/result").status_code == 409
    hospital.put("/table", data=csv(HOSPITAL))
    early = insurer.post("/result")
    assert (early.status_code, early.json()["error"]["code"]) == (409, "TableMissing")
    assert insurer.get("/result").status_code == 404
    insurer.put("/table", data=csv(INSURER))
    assert insurer.post("/result").status_code == 200


def test_small_groups_are_shown_together_if_they_are_many(hospital, insurer):
    more = [f"P-{9000 + n},mumps,40" for n in range(4)]
    more_costs = [f"P-{9000 + n},east,500" for n in range(4)]
    hospital.put("/table", data=csv(HOSPITAL + more))
    insurer.put("/table", data=csv(INSURER + more_costs))
    groups = hospital.post("/result").json()["groups"]
    assert groups[1:] == GROUPS
    # Four with mumps, two and one with gout: seven.
    assert groups[0]["diagnosis"] == groups[0]["region"] == "(other)"
    assert groups[0]["persons"] == 7


@pytest.mark.parametrize("persons", [1, 4, 5])
def test_a_group_is_shown_from_five_persons_on(hospital, insurer, persons):
    hospital.put("/table", data=csv([HOSPITAL[0], *(f"P-{n},flu,40" for n in range(persons))]))
    insurer.put("/table", data=csv([INSURER[0], *(f"P-{n},north,10" for n in range(9))]))
    groups = insurer.post("/result").json()["groups"]
    assert [group["persons"] for group in groups] == ([5] if persons == 5 else [])


TABLES = {
    "empty": b"",
    "no rows": b"person,diagnosis,age\n",
    "other columns": b"person,region,cost\nP-1,north,3\n",
    "a column more": b"person,diagnosis,age,name\nP-1,flu,3,Ann\n",
    "a cell more": b"person,diagnosis,age\nP-1,flu,3,4\n",
    "a cell less": b"person,diagnosis,age\nP-1,flu\n",
    "no number": b"person,diagnosis,age\nP-1,flu,old\n",
    "a formula": b"person,diagnosis,age\nP-1,=cmd(),3\n",
    "a name in place of an id": b"person,diagnosis,age\nAnn,flu,3\n",
    "a person twice": b"person,diagnosis,age\nP-1,flu,3\nP-2,flu,3\nP-1,flu,3\n",
    "the suppressed group's name": b"person,diagnosis,age\nP-1,(other),3\n",
    "not UTF-8": b"person,diagnosis,age\nP-1,fl\xff,3\n",
    "an open quote": b'person,diagnosis,age\nP-1,"flu,3\n',
    "bytes": bytes(range(256)),
}


@pytest.mark.parametrize("name", TABLES)
def test_what_is_no_table_is_refused_and_may_be_sent_again(hospital, name):
    refused = hospital.put("/table", data=TABLES[name])
    assert refused.status_code == 400, refused
    assert refused.json()["error"]["code"] == "InvalidTable"
    assert hospital.get("/table").status_code == 404
    assert hospital.put("/table", data=csv(HOSPITAL)).status_code == 201


def test_the_row_at_fault_is_named(hospital):
    refused = hospital.put("/table", data=TABLES["a person twice"])
    assert refused.json()["error"]["message"] == "row 3: this person has a row already."


def test_a_table_of_more_than_a_mebibyte_is_refused(hospital):
    assert hospital.put("/table", data=b"x" * ((1 << 20) + 1)).status_code == 413
