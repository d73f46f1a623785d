"""A ledger of records: what was said, and by whom."""

from typing import Any

import ccf
from flask import Flask, request

TEXT_CHARS_MAX = 1000
LIST_MAX = 100

app = Flask(__name__)
records = ccf.kv["records"]
counters = ccf.kv["counters"]


def caller() -> str:
    """The id of the user who asks."""
    return request.environ["ccf.caller"]["id"]


def existing(id_: str) -> Any:
    """The record of that id; 404 if there is none."""
    record = records.get(id_)
    if record is None:
        raise ccf.HTTPError(404, f"There is no record {id_}.")
    return record


@app.post("/records")
def create() -> Any:
    try:
        body = request.get_json(force=True)
    except Exception:
        raise ccf.HTTPError(400, "The body is no JSON.") from None
    text = body.get("text") if isinstance(body, dict) else None
    if not isinstance(text, str) or not 1 <= len(text) <= TEXT_CHARS_MAX:
        raise ccf.HTTPError(400, f"text must have 1 to {TEXT_CHARS_MAX} characters.")
    number = counters.get("records", 0) + 1
    counters["records"] = number
    record = {"id": f"{number:08}", "text": text, "by": caller()}
    records[record["id"]] = record
    ccf.rpc.set_claims_digest(ccf.digest("SHA-256", text.encode()))
    return record, 201, {"location": f"/app/records/{record['id']}"}


@app.get("/records/<id_>")
def read(id_: str) -> Any:
    return existing(id_)


@app.get("/records")
def list_() -> Any:
    limit = request.args.get("limit", f"{LIST_MAX}")
    if not limit.isdecimal() or not 1 <= int(limit) <= LIST_MAX:
        message = f"limit must be 1 to {LIST_MAX}."
        raise ccf.HTTPError(400, message, "InvalidQueryParameterValue")
    found = records.range(request.args.get("from", ""), limit=int(limit))
    return {"records": [record for _, record in found]}


@app.delete("/records/<id_>")
def remove(id_: str) -> Any:
    record = existing(id_)
    if record["by"] != caller():
        raise ccf.HTTPError(403, "Only who made a record may remove it.")
    del records[record["id"]]
    return "", 204
