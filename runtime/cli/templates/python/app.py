"""Notes in a ledger: the handlers of this app.

Each runs in one transaction: all of its writes are kept, or, when it raises or answers with an error,
none.
"""

from typing import Any

import ccf

# Encrypted in the ledger; a map whose name starts with "public:" would be readable by every auditor.
notes = ccf.kv["notes"]

PUT_NOTE = {
    "summary": "Write a note; answered once it is on disk and signed",
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {"text": {"type": "string"}},
                    "required": ["text"],
                },
                "example": {"text": "remember the milk"},
            }
        },
    },
}


@ccf.endpoint("/notes/{id}", methods=["PUT"], openapi=PUT_NOTE)
def put_note(request) -> None:
    """Write a note; its author is the user whose certificate came with the request."""
    text = parsed(request).get("text")
    if not isinstance(text, str) or text == "":
        raise ccf.HTTPError(400, 'The body must be {"text": "..."}.', code="InvalidInput")
    author = request.caller.id if request.caller else ""
    notes[request.params["id"]] = {"text": text, "author": author}


@ccf.endpoint("/notes/{id}", mode="readonly", openapi={"summary": "Read a note"})
def get_note(request) -> dict[str, Any]:
    """Read a note."""
    note = notes.get(request.params["id"])
    if note is None:
        message = f"There is no note {request.params['id']}."
        raise ccf.HTTPError(404, message, code="InvalidInput")
    return {"body": note}


@ccf.endpoint("/notes", mode="readonly", openapi={"summary": "The ids of all notes"})
def list_notes(request) -> dict[str, Any]:
    """List the ids of all notes."""
    return {"body": {"ids": [key.decode() for key in notes]}}


def parsed(request) -> dict[str, Any]:
    """The body as a JSON object; an empty one if it is none."""
    try:
        body = request.body.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
