"""The parties, and tables for them."""

from __future__ import annotations

from typing import Any

import pytest

HOSPITAL = ["person,diagnosis,age"]
INSURER = ["person,region,cost"]
# Six persons with flu in the north, five in the south, two with gout in the north, one in the south.
for number, (diagnosis, region) in enumerate(
    [("flu", "north")] * 6 + [("flu", "south")] * 5 + [("gout", "north")] * 2 + [("gout", "south")]
):
    HOSPITAL.append(f"P-{7100 + number},{diagnosis},{31 + number}")
    INSURER.append(f"P-{7100 + number},{region},{91000 + 100 * number}")
# In one table only.
HOSPITAL.append("P-8001,flu,97")
INSURER.append("P-8002,north,98765")


def csv(lines: list[str]) -> bytes:
    """Lines as a CSV file."""
    return ("\n".join(lines) + "\n").encode()


@pytest.fixture
def hospital(client: Any) -> Any:
    """The hospital's client."""
    return client.as_user("hospital", {"party": "hospital"})


@pytest.fixture
def insurer(client: Any) -> Any:
    """The insurer's client."""
    return client.as_user("insurer", {"party": "insurer"})


@pytest.fixture
def sent(hospital: Any, insurer: Any) -> tuple[Any, Any]:
    """The answers to both tables."""
    answers = (
        hospital.put("/table", data=csv(HOSPITAL)),
        insurer.put("/table", data=csv(INSURER)),
    )
    assert [answer.status_code for answer in answers] == [201, 201]
    return answers
