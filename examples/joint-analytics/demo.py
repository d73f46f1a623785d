"""Two parties and a curious third on the running service: what they learn, and what they do not.

usage: demo.py [URL [COMMON_DIRECTORY]]      the service: affiant sandbox --app . (see README.md)
"""

from __future__ import annotations

import ssl
import sys
import time
from pathlib import Path
from typing import Any

import affiant
import httpx2
import numpy as np
import pandas as pd

SEED = 7
PERSONS = 2_000
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


def check(what: str, holds: bool) -> None:
    """Ends the demo unless this holds."""
    if not holds:
        raise SystemExit(f"demo.py: it does not hold that {what}")


def made_up() -> tuple[pd.DataFrame, pd.DataFrame]:
    """The hospital's table and the insurer's, by a seed; most persons are in both."""
    random = np.random.default_rng(SEED)
    persons = np.array([f"P-{number}" for number in 100_000 + random.permutation(PERSONS)])
    hospital = pd.DataFrame(
        {
            "person": persons[: PERSONS * 9 // 10],
            "diagnosis": random.choice(
                ["flu", "gout", "rare"], PERSONS * 9 // 10, p=[0.6, 0.398, 0.002]
            ),
            "age": random.integers(1, 100, PERSONS * 9 // 10),
        }
    )
    insurer = pd.DataFrame(
        {
            "person": persons[PERSONS // 10 :],
            "region": random.choice(["north", "south"], PERSONS - PERSONS // 10),
            "cost": random.integers(1_000, 900_000, PERSONS - PERSONS // 10),
        }
    )
    return hospital, insurer


def csv(table: pd.DataFrame) -> bytes:
    """A table as CSV."""
    return table.to_csv(index=False).encode()


def receipt_of(client: httpx2.Client, transaction_id: str) -> dict[str, Any]:
    """The receipt of a committed transaction; the node reads it from the ledger meanwhile."""
    deadline = time.monotonic() + RECEIPT_SECONDS_MAX
    while True:
        answer = client.get("/receipt", params={"transaction_id": transaction_id})
        if answer.status_code != 202 or time.monotonic() > deadline:
            found: dict[str, Any] = expect(answer).json()
            return found
        time.sleep(0.05)


def expected(hospital: pd.DataFrame, insurer: pd.DataFrame) -> dict[tuple[str, str], int]:
    """What only somebody with both tables can count: persons by diagnosis and region."""
    regions = dict(zip(insurer["person"], insurer["region"], strict=True))
    counts: dict[tuple[str, str], int] = {}
    for person, diagnosis in zip(hospital["person"], hospital["diagnosis"], strict=True):
        if person in regions:
            group = (diagnosis, regions[person])
            counts[group] = counts.get(group, 0) + 1
    return counts


def main(url: str = "https://127.0.0.1:8000", directory: str = "workspace/sandbox_common") -> None:
    """The demo."""
    common = Path(directory)
    if not (common / "user2_cert.pem").is_file():
        raise SystemExit(
            f"demo.py: no {common}/user2_cert.pem: start the service as README.md says"
        )
    hospital, insurer, third = (connect(url, common, f"user{n}") for n in range(3))
    tables = made_up()

    print("Each party sends its table, once:")
    expect(hospital.put("/table", content=csv(tables[0])), 201)
    early = expect(hospital.post("/result"), 409).json()
    print(f"  the hospital, {len(tables[0])} rows; a result? {early['error']['message']}")
    sent = expect(insurer.put("/table", content=csv(tables[1])), 201)
    print(f"  the insurer, {len(tables[1])} rows")
    again = expect(hospital.put("/table", content=csv(tables[0][1:])), 409).json()
    print(f"  the hospital again, without one person: {again['error']['message']}")

    print("Both get the same result, joined by person:")
    result = expect(hospital.post("/result"))
    check(
        "the insurer gets the same bytes", expect(insurer.get("/result")).content == result.content
    )
    counts = expected(*tables)
    for group in result.json()["groups"]:
        print("  {diagnosis}, {region}: {persons} persons, {mean_cost:.0f} cents".format(**group))
        key = (group["diagnosis"], group["region"])
        if key != ("(other)", "(other)"):
            check(f"{key} is counted right", group["persons"] == counts[key])
        check(f"{key} is large enough", group["persons"] >= result.json()["group_persons_min"])
    small = [group for group, count in counts.items() if count < result.json()["group_persons_min"]]
    check("there was a group to hide", bool(small))
    print(f"  not shown by themselves, for fewer than five persons: {small}")

    print("Nobody reads the other's rows:")
    own = expect(hospital.get("/table", params={"party": "insurer"}))
    check("the hospital gets its own table, whatever it asks", own.content == csv(tables[0]))
    print(f"  a third user: {expect(third.get('/result'), 403).json()['error']['message']}")
    expect(third.get("/table"), 403)

    service = common / "service_cert.pem"
    transaction_id = expect(hospital.get("/result")).headers["x-result-transaction"]
    verdict = affiant.verify_receipt(
        receipt_of(insurer, transaction_id), service, claims=result.content
    )
    print(f"The result's receipt: {verdict.summary()}")
    came_in = result.json()["inputs"]["insurer"]
    claims = bytes.fromhex(sent.json()["nonce"]) + csv(tables[1])
    verdict = affiant.verify_receipt(receipt_of(insurer, came_in), service, claims=claims)
    print(f"The insurer's table went into it: {verdict.summary()}")
    for client in (hospital, insurer, third):
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
