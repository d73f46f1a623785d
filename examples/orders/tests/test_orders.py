"""Every test here runs with FastAPI's test client and with Affiant's."""

import pytest

TEA = {"sku": "AB-7", "quantity": 2, "price": 350}
MILK = {"sku": "MK-1", "quantity": 1, "price": 120}


def test_an_order_is_placed_read_and_listed(clients):
    alice = clients["alice"]
    placed = alice.post("/orders", json={"lines": [TEA, MILK], "note": "no sugar"})
    assert placed.status_code == 201
    order = placed.json()
    assert order["total"] == 820
    assert order["status"] == "placed"
    assert order["lines"] == [TEA, MILK]
    assert alice.get(f"/orders/{order['id']}").json() == order
    assert alice.get("/orders").json() == {"orders": [order], "next": None}


def test_background_tasks_add_up_the_turnover(clients):
    alice = clients["alice"]
    assert alice.get("/turnover").json() == {"orders": 0, "total": 0}
    alice.post("/orders", json={"lines": [TEA]})
    alice.post("/orders", json={"lines": [MILK]})
    assert alice.get("/turnover").json() == {"orders": 2, "total": 820}
    assert alice.post("/orders/1/cancel").status_code == 200
    assert alice.get("/turnover").json() == {"orders": 1, "total": 120}
    assert clients["bob"].get("/turnover").json() == {"orders": 0, "total": 0}


def test_a_cancelled_order_stays_cancelled(clients):
    alice = clients["alice"]
    alice.post("/orders", json={"lines": [TEA]})
    assert alice.post("/orders/1/cancel").json()["status"] == "cancelled"
    assert alice.post("/orders/1/cancel").status_code == 409
    assert alice.get("/turnover").json() == {"orders": 0, "total": 0}


def test_customers_do_not_see_each_other(clients):
    clients["alice"].post("/orders", json={"lines": [TEA]})
    bob = clients["bob"]
    assert bob.get("/orders/1").status_code == 404
    assert bob.post("/orders/1/cancel").status_code == 404
    assert bob.get("/orders").json() == {"orders": [], "next": None}


def test_pages_go_on_where_the_last_one_ended(clients):
    alice = clients["alice"]
    for price in range(12):
        alice.post("/orders", json={"lines": [{**TEA, "price": price}]})
    first = alice.get("/orders", params={"count": 10}).json()
    assert [order["id"] for order in first["orders"]] == [str(n) for n in range(1, 11)]
    rest = alice.get("/orders", params={"count": 10, "start": first["next"]}).json()
    assert [order["id"] for order in rest["orders"]] == ["11", "12"]
    assert rest["next"] is None
    assert alice.get("/orders", params={"count": 0}).status_code == 400


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, ["body", "lines"]),
        ({"lines": []}, ["body", "lines"]),
        ({"lines": [{**TEA, "quantity": 0}]}, ["body", "lines", 0, "quantity"]),
        ({"lines": [{**TEA, "sku": "tea"}]}, ["body", "lines", 0, "sku"]),
        ({"lines": [TEA], "note": "x" * 201}, ["body", "note"]),
    ],
)
def test_what_is_no_order_is_refused_and_writes_nothing(clients, body, place):
    alice = clients["alice"]
    refused = alice.post("/orders", json=body)
    assert refused.status_code == 422
    assert refused.json()["detail"][0]["loc"] == place
    assert alice.get("/orders").json()["orders"] == []


def test_nobody_in_particular_is_refused(clients):
    for method, path in [("GET", "/orders"), ("GET", "/orders/1"), ("GET", "/turnover")]:
        assert clients[""].request(method, path).status_code == 401
    assert clients[""].post("/orders", json={"lines": [TEA]}).status_code == 401
