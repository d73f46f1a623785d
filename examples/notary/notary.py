"""A notary: proves that a document existed, and who brought it, without keeping the document.

The document's SHA-256 becomes the claims digest of the transaction, so the transaction's receipt together
with the document is a proof that anybody can check offline.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import ccf

DOCUMENT_BYTES_MAX = 1 << 20

# Encrypted in the ledger: which documents there are is nobody's business who has only the ledger.
documents = ccf.kv["documents"]


@ccf.endpoint("/documents", methods=["POST"], respond="receipt")
def notarise(request: Any) -> Any:
    """Record the document in the body; the answer leaves with the receipt, once the record is final."""
    document = request.body.bytes()
    if not 0 < len(document) <= DOCUMENT_BYTES_MAX:
        message = f"The body has {len(document)} bytes; a document has 1 to {DOCUMENT_BYTES_MAX}."
        raise ccf.HTTPError(400, message, code="InvalidDocument")
    digest = hashlib.sha256(document)
    name = digest.hexdigest()
    if name in documents:
        message = f"This document is notarised already: GET /app/documents/{name} says when."
        raise ccf.HTTPError(409, message, code="NotarisedAlready")
    documents[name] = {"size": len(document), "by": request.caller.id}
    ccf.rpc.set_claims_digest(digest.digest())
    return ccf.Response({"digest": name, "size": len(document)}, status_code=201)


@ccf.endpoint("/documents/{digest}", auth=["user_cert", "no_auth"], mode="readonly")
def look_up(request: Any) -> dict[str, Any]:
    """Who notarised the document of this digest, in which transaction."""
    name = request.params["digest"].lower()
    if not re.fullmatch("[0-9a-f]{64}", name):
        raise ccf.HTTPError(400, "A digest is a SHA-256: 64 hex digits.", code="InvalidDigest")
    record = documents.get(name)
    if record is None:
        raise ccf.HTTPError(
            404, f"No document of digest {name} was notarised.", code="NotNotarised"
        )
    seqno = documents.get_version_of_previous_write(name)
    view = ccf.consensus.get_view_for_seqno(seqno)
    return {"body": {"digest": name, **record, "transaction_id": f"{view}.{seqno}"}}
