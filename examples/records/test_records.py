"""What a client sees of the service, whatever it is written in.

Wants RECORDS_ADDRESS (host:port) and RECORDS_COMMON, the directory with the service's certificate
and those of user0 and user1. Writes the answers to RECORDS_TRANSCRIPT, to be compared.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import pathlib
import ssl
import time
import unittest
from typing import Any

COMMON = pathlib.Path(os.environ["RECORDS_COMMON"])
TRANSCRIPT: list[Any] = []
RECEIPT_SECONDS = 20


def user_id(name: str) -> str:
    """The id of a user: the SHA-256 of the certificate."""
    pem = (COMMON / f"{name}_cert.pem").read_text()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def ask(method: str, path: str, body: Any = None, user: str | None = "user0") -> tuple[Any, ...]:
    """Status, content type, location, JSON and transaction id of an answer."""
    context = ssl.create_default_context(cafile=str(COMMON / "service_cert.pem"))
    if user is not None:
        context.load_cert_chain(COMMON / f"{user}_cert.pem", COMMON / f"{user}_privk.pem")
    connection = http.client.HTTPSConnection(
        os.environ["RECORDS_ADDRESS"], context=context, timeout=30
    )
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    connection.request(method, path, data, {"content-type": "application/json"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    shown = (
        answer.status,
        (answer.getheader("content-type") or "").partition(";")[0] if text else "",
        answer.getheader("location"),
        json.loads(text) if text else None,
    )
    if "receipt" not in path:
        TRANSCRIPT.append([method, path, named(shown)])
    return *shown, answer.getheader("x-ms-ccf-transaction-id")


def named(value: Any) -> Any:
    """The same with names in place of the ids of users, which differ from run to run."""
    text = json.dumps(value)
    for name in ("user0", "user1"):
        text = text.replace(user_id(name), name)
    return json.loads(text)


def refused(status: int, code: str, message: str) -> list[Any]:
    error = {"error": {"code": code, "message": message}}
    return [status, "application/json", None, error]


class Records(unittest.TestCase):
    """One service, in the order of its story."""

    maxDiff = None

    def test_1_records_are_made(self) -> None:
        for number, user, text in (
            (1, "user0", "first"),
            (2, "user1", "zw\u00f6lf"),
            (3, "user0", "x"),
        ):
            record = {"id": f"{number:08}", "text": text, "by": user_id(user)}
            answer = ask("POST", "/app/records", {"text": text}, user)
            self.assertEqual(
                answer[:4],
                (201, "application/json", f"/app/records/{record['id']}", record),
            )

    def test_2_records_are_read(self) -> None:
        record = {"id": "00000002", "text": "zw\u00f6lf", "by": user_id("user1")}
        answer = ask("GET", "/app/records/00000002")
        self.assertEqual(answer[:4], (200, "application/json", None, record))
        self.assertIsNotNone(answer[4])

    def test_3_records_are_listed(self) -> None:
        for query, ids in (
            ("", [1, 2, 3]), ("?limit=2", [1, 2]), ("?from=00000002", [2, 3]),
            ("?from=00000002&limit=1", [2]), ("?from=9", []),
        ):  # fmt: skip
            found = ask("GET", f"/app/records{query}")[3]["records"]
            self.assertEqual([int(record["id"]) for record in found], ids, query)

    def test_4_what_is_wrong_is_refused(self) -> None:
        length = refused(400, "InvalidInput", "text must have 1 to 1000 characters.")
        for body in ({}, {"text": ""}, {"text": 7}, {"text": "x" * 1001}, [], None, "text"):
            data = json.dumps(body).encode()
            self.assertEqual(list(ask("POST", "/app/records", data)[:4]), length, body)
        no_json = refused(400, "InvalidInput", "The body is no JSON.")
        self.assertEqual(list(ask("POST", "/app/records", b"{")[:4]), no_json)
        limit = refused(400, "InvalidQueryParameterValue", "limit must be 1 to 100.")
        for value in ("0", "101", "-1", "x", "1.5"):
            answer = ask("GET", f"/app/records?limit={value}")
            self.assertEqual(list(answer[:4]), limit, value)
        absent = refused(404, "ResourceNotFound", "There is no record 7.")
        for method in ("GET", "DELETE"):
            self.assertEqual(list(ask(method, "/app/records/7")[:4]), absent, method)
        for answer in (ask("GET", "/app/records/7"), ask("POST", "/app/records", b"{")):
            self.assertIsNone(answer[4], "what is refused leaves no transaction")

    def test_5_nobody_is_admitted_without_a_certificate(self) -> None:
        status, _, _, body, _ = ask("GET", "/app/records", user=None)
        self.assertEqual([status, body["error"]["code"]], [401, "InvalidAuthenticationInfo"])

    def test_6_only_its_maker_removes_a_record(self) -> None:
        other = refused(403, "AuthorizationFailed", "Only who made a record may remove it.")
        self.assertEqual(list(ask("DELETE", "/app/records/00000001", user="user1")[:4]), other)
        self.assertEqual(ask("DELETE", "/app/records/00000001")[:4], (204, "", None, None))
        self.assertEqual(ask("GET", "/app/records/00000001")[0], 404)
        found = ask("GET", "/app/records")[3]["records"]
        self.assertEqual([record["id"] for record in found], ["00000002", "00000003"])

    def test_7_a_receipt_proves_the_text(self) -> None:
        *_, record, txid = ask("POST", "/app/records", {"text": "proven"})
        self.assertEqual(record["id"], "00000004", "ids are not used again")
        deadline = time.monotonic() + RECEIPT_SECONDS
        status, receipt = 202, None
        while status == 202 or (status == 404 and time.monotonic() < deadline):
            status, _, _, receipt, _ = ask("GET", f"/app/receipt?transaction_id={txid}")
            time.sleep(0.05)
        digest = hashlib.sha256(b"proven").hexdigest()
        self.assertEqual(receipt["leaf_components"]["claims_digest"], digest)


def tearDownModule() -> None:
    path = os.environ.get("RECORDS_TRANSCRIPT")
    if path:
        pathlib.Path(path).write_text(json.dumps(TRANSCRIPT, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    unittest.main()
