"""Talks to the running orders service: orders, cancels, is refused, and proves an order by its receipt.

usage: demo.py [URL [COMMON_DIRECTORY]]
"""

from __future__ import annotations

import ssl
import sys
import time
from pathlib import Path
from typing import Any

import affiant
import httpx2

RECEIPT_SECONDS_MAX = 10.0


def connect(url: str, common: Path, user: str | None) -> httpx2.Client:
    """A client that trusts this service alone and shows the user's certificate, if there is one."""
    context = ssl.create_default_context(cafile=common / "service_cert.pem")
    if user is not None:
        context.load_cert_chain(common / f"{user}_cert.pem", common / f"{user}_privk.pem")
    return httpx2.Client(base_url=f"{url}/app", verify=context, trust_env=False)


def expect(answer: httpx2.Response, status: int) -> Any:
    """The answer's value. Ends the demo unless it has this status."""
    if answer.status_code != status:
        raise SystemExit(
            f"demo.py: {answer.request.method} {answer.url}: status {answer.status_code}, "
            f"not {status}: {answer.text}"
        )
    return answer.json()


def check(what: str, found: Any, expected: Any) -> None:
    """Ends the demo unless these are equal."""
    if found != expected:
        raise SystemExit(f"demo.py: {what}: {found!r}, not {expected!r}")


def receipt_of(client: httpx2.Client, transaction_id: str) -> dict[str, Any]:
    """The receipt of a committed transaction; the node reads it from the ledger meanwhile."""
    deadline = time.monotonic() + RECEIPT_SECONDS_MAX
    while True:
        answer = client.get("/receipt", params={"transaction_id": transaction_id})
        if answer.status_code != 202 or time.monotonic() > deadline:
            found: dict[str, Any] = expect(answer, 200)
            return found
        time.sleep(0.1)


def main(url: str = "https://127.0.0.1:8000", directory: str = "workspace/sandbox_common") -> None:
    """The demo."""
    common = Path(directory)
    if not (common / "user0_cert.pem").is_file():
        raise SystemExit(
            f"demo.py: no {common}/user0_cert.pem: start the service: affiant sandbox --app ."
        )
    with connect(url, common, "user0") as client, connect(url, common, None) as nobody:
        before = expect(client.get("/turnover"), 200)
        print("An order, answered once it is on disk and signed:")
        lines = [{"sku": "AB-7", "quantity": 2, "price": 350}]
        placed = client.post("/orders", json={"lines": lines, "note": "no sugar"})
        order = expect(placed, 201)
        transaction_id = placed.headers["x-ms-ccf-transaction-id"]
        print(f"  order {order['id']}: {order['total']} cents (transaction {transaction_id})")
        check("the order", expect(client.get(f"/orders/{order['id']}"), 200), order)

        print("The background task ran in the same transaction:")
        after = expect(client.get("/turnover"), 200)
        print(f"  {before} -> {after}")
        check("the turnover", after["total"] - before["total"], order["total"])

        print("What is refused, and writes nothing:")
        refused = expect(client.post("/orders", json={"lines": []}), 422)
        print(f"  no lines: {refused['detail'][0]['msg']}")
        print(f"  nobody in particular: {expect(nobody.get('/orders'), 401)['detail']}")
        check("the turnover", expect(client.get("/turnover"), 200), after)

        print("An order is cancelled once:")
        cancel = f"/orders/{order['id']}/cancel"
        expect(client.post(cancel), 200)
        print(f"  again: {expect(client.post(cancel), 409)['detail']}")
        check("the turnover", expect(client.get("/turnover"), 200), before)

        paths = expect(client.get("/api"), 200)["paths"]
        print(
            f"In the node's OpenAPI document: {', '.join(path for path in paths if 'orders' in path)}"
        )
        check("its paths", {"/app/orders", "/app/orders/{number}"} <= set(paths), True)

        receipt = receipt_of(client, transaction_id)
    print("The receipt, verified offline:")
    service = common / "service_cert.pem"
    verdict = affiant.verify_receipt(receipt, service, claims=placed.content)
    check("its transaction", verdict.transaction_id, transaction_id)
    print(f"  {verdict.summary()}")
    try:
        affiant.verify_receipt(receipt, service, claims=placed.content.replace(b"350", b"035"))
    except affiant.VerificationError:
        print("  It proves this order to the byte, and no other.")
    else:
        raise SystemExit("demo.py: the receipt proves another order too")


if __name__ == "__main__":
    main(*sys.argv[1:])
