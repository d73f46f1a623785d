"""Trains with simulated trainers on the running service, then proves every round offline.

usage: demo.py [URL [COMMON_DIRECTORY]]      the service: affiant sandbox --app . (see README.md)
"""

from __future__ import annotations

import ssl
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import affiant
import data
import httpx2
import model
import numpy as np

TRAINERS = ("user1", "user2", "user3")
ROUNDS = 30
RATE = 1.0
ACCURACY_MIN = 0.9
RECEIPT_SECONDS_MAX = 10.0


def connect(url: str, common: Path, user: str) -> httpx2.Client:
    """A client that trusts this service alone and shows the user's certificate."""
    context = ssl.create_default_context(cafile=common / "service_cert.pem")
    context.load_cert_chain(common / f"{user}_cert.pem", common / f"{user}_privk.pem")
    return httpx2.Client(base_url=f"{url}/app", verify=context, trust_env=False, timeout=60)


def expect(answer: httpx2.Response, status: int = 200) -> httpx2.Response:
    """The answer. Ends the demo unless it has this status."""
    if answer.status_code != status:
        raise SystemExit(
            f"demo.py: {answer.request.method} {answer.url}: status {answer.status_code}, "
            f"not {status}: {answer.text}"
        )
    return answer


def take_part(client: httpx2.Client, number: int, index: int) -> tuple[model.Array, int]:
    """One trainer's part of a round: fetch the model, compute the gradient, send it."""
    images, labels = data.shard(index, len(TRAINERS))
    _, weights = model.load(expect(client.get(f"/rounds/{number - 1}/model")).content)
    gradient = model.gradient(weights, images, labels)
    if index == 0:
        body: dict[str, Any] = {"json": {"samples": len(images), "gradient": gradient.tolist()}}
    else:
        body = {"params": {"samples": len(images)}, "content": model.save_array(gradient)}
    expect(client.post(f"/rounds/{number}/gradients", **body))
    return gradient, len(images)


def receipt_of(client: httpx2.Client, transaction_id: str) -> dict[str, Any]:
    """The receipt of a committed transaction; the node reads it from the ledger meanwhile."""
    deadline = time.monotonic() + RECEIPT_SECONDS_MAX
    while True:
        answer = client.get("/receipt", params={"transaction_id": transaction_id})
        if answer.status_code != 202 or time.monotonic() > deadline:
            found: dict[str, Any] = expect(answer).json()
            return found
        time.sleep(0.05)


def prove(auditor: httpx2.Client, number: int, expected: bytes, service: Path) -> None:
    """Checks that the service committed exactly this model as what came out of this round."""
    record = expect(auditor.get(f"/rounds/{number}")).json()
    content = expect(auditor.get(f"/rounds/{number}/model")).content
    if content != expected:
        raise SystemExit(f"demo.py: round {number}: another model than that of the gradients sent")
    receipt = receipt_of(auditor, record["transaction_id"])
    affiant.verify_receipt(receipt, service, claims=content)
    forged = model.save(number + 1, model.load(content)[1])
    try:
        affiant.verify_receipt(receipt, service, claims=forged)
    except affiant.VerificationError:
        return
    raise SystemExit(f"demo.py: round {number}: the receipt proves another round too")


def main(url: str = "https://127.0.0.1:8000", directory: str = "workspace/sandbox_common") -> None:
    """The demo."""
    common = Path(directory)
    if not (common / "user4_cert.pem").is_file():
        raise SystemExit(
            f"demo.py: no {common}/user4_cert.pem: start the service as README.md says"
        )
    coordinator, auditor = connect(url, common, "user0"), connect(url, common, "user4")
    begun = expect(
        coordinator.post("/training", json={"trainers": len(TRAINERS), "rate": RATE}), 201
    )
    print(f"round  0: accuracy {begun.json()['accuracy']:.3f} on the held-out set")

    trainers = [connect(url, common, user) for user in TRAINERS]
    files, weights = [model.save(0, model.start())], model.start()
    began = time.monotonic()
    with ThreadPoolExecutor(len(trainers)) as pool:
        for number in range(1, ROUNDS + 1):
            work = [pool.submit(take_part, one, number, n) for n, one in enumerate(trainers)]
            weights = model.step(weights, [done.result() for done in work], RATE)
            files.append(model.save(number, weights))
            if number % 10 == 0:
                record = expect(auditor.get(f"/rounds/{number}")).json()
                print(
                    f"round {number:2}: accuracy {record['accuracy']:.3f}, loss {record['loss']:.3f}"
                )
    print(f"{ROUNDS} rounds of {len(TRAINERS)} trainers in {time.monotonic() - began:.1f} s")
    if not (np.isfinite(record["loss"]) and record["accuracy"] > ACCURACY_MIN):
        raise SystemExit(f"demo.py: the model did not converge: {record}")
    expect(auditor.post(f"/rounds/{ROUNDS + 1}/gradients", json={}), 403)

    for number, expected in enumerate(files):
        prove(auditor, number, expected, common / "service_cert.pem")
    print(
        f"{len(files)} receipts verified offline: which model came out of which round, to the bit"
    )
    for client in (coordinator, auditor, *trainers):
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
