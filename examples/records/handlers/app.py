"""A ledger of records: what was said, and by whom."""

from typing import Any
from urllib.parse import parse_qs

import ccf

TEXT_CHARS_MAX = 1000
LIST_MAX = 100

records = ccf.kv["records"]
counters = ccf.kv["counters"]


def existing(id_: str) -> Any:
    """The record of that id; 404 if there is none."""
    record = records.get(id_)
    if record is None:
        raise ccf.HTTPError(404, f"There is no record {id_}.")
    return record


@ccf.endpoint("/records", methods=["POST"])
def create(request: Any) -> ccf.Response:
    try:
        body = request.body.json()
    except ValueError:
        raise ccf.HTTPError(400, "The body is no JSON.") from None
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not 1 <= len(text) <= TEXT_CHARS_MAX:
        raise ccf.HTTPError(400, f"text must have 1 to {TEXT_CHARS_MAX} characters.")
    number = counters.get("records", 0) + 1
    counters["records"] = number
    record = {"id": f"{number:08}", "text": text, "by": request.caller.id}
    records[record["id"]] = record
    ccf.rpc.set_claims_digest(ccf.digest("SHA-256", text.encode()))
    return ccf.Response(record, 201, {"location": f"/app/records/{record['id']}"})


@ccf.endpoint("/records/{id}", mode="readonly")
def read(request: Any) -> Any:
    return {"body": existing(request.params["id"])}


@ccf.endpoint("/records", mode="readonly")
def list_(request: Any) -> Any:
    query = parse_qs(request.raw_query)
    limit = query.get("limit", [f"{LIST_MAX}"])[0]
    if not limit.isdecimal() or not 1 <= int(limit) <= LIST_MAX:
        message = f"limit must be 1 to {LIST_MAX}."
        raise ccf.HTTPError(400, message, "InvalidQueryParameterValue")
    found = records.range(query.get("from", [""])[0], limit=int(limit))
    return {"body": {"records": [record for _, record in found]}}


@ccf.endpoint("/records/{id}", methods=["DELETE"])
def remove(request: Any) -> None:
    record = existing(request.params["id"])
    if record["by"] != request.caller.id:
        raise ccf.HTTPError(403, "Only who made a record may remove it.")
    del records[record["id"]]
