"""Joint analytics: two parties learn what their tables say together, and nothing else of each other's.

Each party's rows are in an encrypted map, and every endpoint takes the party from the caller's
certificate, so there is no way to even name the other's table. A table is final once it is sent: who
could change one row and ask again would learn that row from the difference.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

import ccf
import tables

TABLE_BYTES_MAX = 1 << 20
NONCE_BYTES = 32

rows = ccf.kv["rows"]
nonces = ccf.kv["nonces"]
results = ccf.kv["results"]


def party_of(request: Any) -> str:
    """The caller's party, as the service knows it."""
    party = (request.caller.data or {}).get("party")
    if party not in tables.COLUMNS:
        raise ccf.HTTPError(403, "This is for the parties of the analysis.", code="NoParty")
    return str(party)


def transaction_of(party: str) -> str | None:
    """The transaction that brought a party's table; None before it."""
    seqno = rows.get_version_of_previous_write(party.encode())
    return None if seqno is None else f"{ccf.consensus.get_view_for_seqno(seqno)}.{seqno}"


@ccf.endpoint("/table", methods=["PUT"])
def send_table(request: Any) -> Any:
    """Send the caller's table, once, as CSV."""
    party = party_of(request)
    content = request.body.bytes()
    if len(content) > TABLE_BYTES_MAX:
        message = f"A table has at most {TABLE_BYTES_MAX} bytes."
        raise ccf.HTTPError(413, message, code="TableTooLarge")
    if party.encode() in rows:
        raise ccf.HTTPError(409, "Your table is here, and final.", code="TableIsFinal")
    try:
        table = tables.parse(party, content)
    except tables.TableError as error:
        raise ccf.HTTPError(400, f"{error}.", code="InvalidTable") from error
    # Receipts are public: without a nonce, the digest in this one would let others check guesses.
    nonce = secrets.token_bytes(NONCE_BYTES)
    rows[party.encode()] = content
    nonces[party.encode()] = nonce
    ccf.rpc.set_claims_digest(hashlib.sha256(nonce + content).digest())
    return ccf.Response({"party": party, "rows": len(table), "nonce": nonce.hex()}, status_code=201)


@ccf.endpoint("/table", mode="readonly")
def read_table(request: Any) -> Any:
    """The caller's own table, as it was sent."""
    party = party_of(request).encode()
    content = rows.get(party)
    if content is None:
        raise ccf.HTTPError(404, "You have sent no table.", code="NoTable")
    return ccf.Response(bytes(content), content_type="text/csv")


@ccf.endpoint("/status", mode="readonly")
def status(request: Any) -> dict[str, Any]:
    """Which parties have sent their tables, and in which transactions."""
    party_of(request)
    return {"body": {"tables": {party: transaction_of(party) for party in tables.COLUMNS}}}


@ccf.endpoint("/result", methods=["POST"])
def compute(request: Any) -> bytes:
    """Join and aggregate, once both tables are here; the same bytes for both parties."""
    party_of(request)
    known = results.get(b"result")
    if known is not None:
        return bytes(known)
    inputs = {party: transaction_of(party) for party in tables.COLUMNS}
    missing = [party for party, transaction in inputs.items() if transaction is None]
    if missing:
        message = f"The table of {' and '.join(missing)} is not here."
        raise ccf.HTTPError(409, message, code="TableMissing")
    parsed = [tables.parse(party, rows[party.encode()]) for party in ("hospital", "insurer")]
    result = {
        "inputs": inputs,
        "group_persons_min": tables.GROUP_PERSONS_MIN,
        "groups": tables.analyse(*parsed),
    }
    content = json.dumps(result, separators=(",", ":")).encode()
    results[b"result"] = content
    ccf.rpc.set_claims_digest(hashlib.sha256(content).digest())
    return content


@ccf.endpoint("/result", mode="readonly")
def read_result(request: Any) -> Any:
    """The result, and in its header `x-result-transaction` the transaction that its receipt is of."""
    party_of(request)
    content = results.get(b"result")
    if content is None:
        raise ccf.HTTPError(404, "There is no result yet: POST /app/result.", code="NoResult")
    seqno = results.get_version_of_previous_write(b"result")
    headers = {"x-result-transaction": f"{ccf.consensus.get_view_for_seqno(seqno)}.{seqno}"}
    return ccf.Response(bytes(content), headers=headers, content_type="application/json")
