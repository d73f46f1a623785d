"""The Flask service, in a node."""

import ccf
import pytest

pytestmark = pytest.mark.affiant_app("../flask_app.py:app")

NUMBERS = [1, 2, 3, 4]
RESULT = {"id": "a", "count": 4, "mean": 2.5, "spread": 1.25**0.5}


@pytest.fixture
def without_evidence(monkeypatch):
    """A platform that gives none, made up."""

    def refuse(bound=None):
        raise ccf.Error("the firmware does not answer")

    monkeypatch.setattr(ccf, "get_attestation", refuse)


def test_the_computation_succeeds_and_has_evidence(client):
    assert client.put("/data/a", json=NUMBERS).status_code == 204
    answer = client.post("/secure-compute", json={"key": "a"})
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert answer.json()["attestation"]["format"] == "Insecure_Virtual"
    assert client.get("/results/a").json() == RESULT
    assert answer.receipt().verify()


def test_without_evidence_the_listing_s_own_except_answers(client, without_evidence):
    client.put("/data/a", json=NUMBERS)
    answer = client.post("/secure-compute", json={"key": "a"})
    assert answer.status_code == 200
    assert answer.json() == {"error": "Computation failed", "details": None}
    # Status 200 keeps what was written before.
    assert client.get("/results/a").json() == RESULT


@pytest.mark.parametrize("body", [{"key": "b"}, {}, []])
def test_without_data_nothing_is_computed(client, body):
    answer = client.post("/secure-compute", json=body)
    assert answer.json() == {"error": "Computation failed", "details": None}
    assert client.get("/results/b").status_code == 404


@pytest.mark.parametrize("body", [{}, [], ["1"], [True], [1, None], "numbers"])
def test_what_is_no_list_of_numbers_is_refused(client, body):
    assert client.put("/data/a", json=body).status_code == 400
    assert client.get("/results/a").status_code == 404
