"""The two test clients give the same answers, and the node's own documents know the app."""

import affiant
import orders
import pytest

TEA = {"sku": "AB-7", "quantity": 2, "price": 350}

SESSION = [
    ("alice", "POST", "/orders", {"lines": [TEA], "note": "for two"}),
    ("alice", "POST", "/orders", {"lines": [TEA, {**TEA, "quantity": 1001}]}),
    ("bob", "POST", "/orders", {"lines": [{**TEA, "price": 1}]}),
    ("alice", "GET", "/orders/1", None),
    ("alice", "GET", "/orders/2", None),
    ("alice", "GET", "/orders/one", None),
    ("bob", "GET", "/orders?count=1", None),
    ("bob", "POST", "/orders/1/cancel", None),
    ("bob", "POST", "/orders/1/cancel", None),
    ("bob", "GET", "/turnover", None),
    ("", "GET", "/orders", None),
    ("", "GET", "/nowhere", None),
    ("alice", "DELETE", "/orders/1", None),
]


def run(clients):
    """Status, media type and body of each answer; users are known by name, not by id."""
    answers = []
    for user, method, path, body in SESSION:
        options = {} if body is None else {"json": body}
        answer = clients[user].request(method, path, **options)
        value = answer.json()
        if "customer" in value:
            value["customer"] = user
        for order in value.get("orders", []) if isinstance(value.get("orders"), list) else []:
            order["customer"] = user
        answers.append((method, path, answer.status_code, answer.headers["content-type"], value))
    return answers


def test_both_clients_give_the_same_answers(fastapi_clients, affiant_clients, ledger):
    by_affiant = run(affiant_clients)
    with ledger.tx() as tx:
        for name in ("orders", "customers", "turnover"):
            tx.kv[name].clear()
    by_fastapi = run(fastapi_clients)
    assert [answer[2] for answer in by_affiant] == [
        *(201, 422, 201, 200, 404, 422, 200, 200, 409, 200, 401, 404, 405)
    ]
    assert by_affiant == by_fastapi


def test_the_app_s_openapi_is_part_of_the_node_s(client):
    document = client.get("/app/api").json()
    place = document["paths"]["/app/orders"]["post"]
    assert place["summary"] == "Place"
    assert "201" in place["responses"]
    assert "NewOrder" in document["components"]["schemas"]
    own = orders.app.openapi()
    assert {f"/app{path}" for path in own["paths"]} <= set(document["paths"])


def test_a_receipt_proves_the_answer_to_the_byte(affiant_clients):
    placed = affiant_clients["alice"].post(
        "/orders", json={"lines": [TEA], "note": "Gr\u00fc\u00dfe"}
    )
    receipt = placed.receipt()
    assert receipt.verify(claims=placed.content)
    with pytest.raises(affiant.VerificationError, match="claims"):
        receipt.verify(claims=placed.content.replace(b"350", b"035"))


def test_what_is_refused_has_no_receipt(affiant_clients):
    refused = affiant_clients["alice"].post("/orders", json={"lines": []})
    assert refused.transaction_id is None
