"""Writes a mixed ledger through a running node and collects receipts, with Python's own HTTP
client: what a stranger's program would do. Standard library only.

drive.py ADDRESS COMMON_DIR OUT_DIR --transactions N --receipts M

Uses the logging example's interface: private and public records, claims, removals. Leaves in
OUT_DIR: service_cert.pem, receipts/<txid>.json, receipts/<txid>.cose, transactions.json.
"""

import argparse
import concurrent.futures
import hashlib
import http.client
import json
import pathlib
import random
import shutil
import ssl
import sys
import time

TXID = "x-ms-ccf-transaction-id"


class Client:
    def __init__(self, address, common):
        self.address = address
        self.context = ssl.create_default_context(cafile=str(common / "service_cert.pem"))
        self.context.load_cert_chain(common / "user0_cert.pem", common / "user0_privk.pem")
        self.connection = None

    def request(self, method, path, body=None, headers=None):
        headers = dict(headers or {})
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            headers["content-type"] = "application/json"
        if self.connection is None:
            host, port = self.address.rsplit(":", 1)
            self.connection = http.client.HTTPSConnection(
                host, int(port), context=self.context, timeout=30
            )
        self.connection.request(method, path, body=data, headers=headers)
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()


def expect(status, wanted, what, body):
    if status != wanted:
        sys.exit(f"{what}: expected status {wanted}, got {status}: {body[:500]!r}")


def claims_of(message):
    return hashlib.sha256(message.encode()).hexdigest()


def write_share(address, common, first, count, seed):
    """One connection's share of the load. Returns [(txid, claims digest or None)]."""
    client = Client(address, common)
    choose = random.Random(seed)
    written = []
    for number in range(first, first + count):
        kind = choose.random()
        message = f"record {number} " + "x" * choose.randrange(0, 200)
        claims = None
        if kind < 0.55:
            call = ("POST", "/app/log/private", {"id": number, "msg": message})
        elif kind < 0.80:
            call = ("POST", "/app/log/public", {"id": number, "msg": message})
        elif kind < 0.95:
            call = ("POST", "/app/log/public", {"id": number, "msg": message, "record_claim": True})
            claims = claims_of(message)
        else:
            scope = choose.choice(["private", "public"])
            call = ("DELETE", f"/app/log/{scope}?id={choose.randrange(first, number + 1)}", None)
        method, path, body = call
        while True:
            status, headers, answer = client.request(method, path, body)
            if status != 503:
                break
            time.sleep(0.05)
        expect(status, 200, f"{method} {path}", answer)
        written.append((headers[TXID], claims))
    return written


def wait_until(client, path, done, what, seconds=30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        status, headers, body = client.request("GET", path)
        if done(status, body):
            return body
        time.sleep(0.05)
    sys.exit(f"{what} did not come true within {seconds} s; last answer {status}: {body[:300]!r}")


def fetch_receipt(client, txid, accept):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        status, _, body = client.request(
            "GET", f"/app/receipt?transaction_id={txid}", headers={"accept": accept}
        )
        if status == 200:
            return body
        if status not in (202, 404):
            sys.exit(f"receipt of {txid}: status {status}: {body[:300]!r}")
        time.sleep(0.05)
    sys.exit(f"no receipt of {txid} within 30 s")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("common", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    parser.add_argument("--transactions", type=int, default=20_000)
    parser.add_argument("--receipts", type=int, default=100)
    parser.add_argument("--connections", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()

    receipts = arguments.out / "receipts"
    receipts.mkdir(parents=True, exist_ok=True)
    shutil.copy(arguments.common / "service_cert.pem", arguments.out / "service_cert.pem")
    share = -(-arguments.transactions // arguments.connections)
    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(arguments.connections) as pool:
        shares = [
            pool.submit(
                write_share,
                arguments.address,
                arguments.common,
                1 + index * share,
                share,
                arguments.seed * 1000 + index,
            )
            for index in range(arguments.connections)
        ]
        written = [pair for one in shares for pair in one.result()]
    seconds = time.monotonic() - started
    print(f"{len(written)} transactions written in {seconds:.1f} s")

    client = Client(arguments.address, arguments.common)
    last = max((txid for txid, _ in written), key=lambda txid: int(txid.split(".")[1]))
    wait_until(
        client,
        f"/app/tx?transaction_id={last}",
        lambda status, body: status == 200 and json.loads(body)["status"] == "Committed",
        f"commit of {last}",
    )
    chosen = random.Random(arguments.seed).sample(written, min(arguments.receipts, len(written)))
    for txid, _ in chosen:
        (receipts / f"{txid}.json").write_bytes(fetch_receipt(client, txid, "application/json"))
        (receipts / f"{txid}.cose").write_bytes(fetch_receipt(client, txid, "application/cose"))
    (arguments.out / "transactions.json").write_text(
        json.dumps({"last": last, "chosen": chosen, "count": len(written)})
    )
    print(f"{len(chosen)} JSON and {len(chosen)} COSE receipts fetched")


if __name__ == "__main__":
    main()
