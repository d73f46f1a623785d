"""An app of nothing but attacks, and of one endpoint that means well."""

from __future__ import annotations

from typing import Any

import attacks
import ccf
import on_answers  # noqa: F401  (fills the table, as do the others)
import on_interpreter  # noqa: F401
import on_memory  # noqa: F401
import on_process
import on_store  # noqa: F401
import on_time  # noqa: F401


@ccf.endpoint("/attack/{name}", methods=["POST"])
def attack(request: Any) -> Any:
    return attacks.TABLE[request.params["name"]].function(request)


@ccf.endpoint("/fine/{number}", methods=["PUT"])
def fine(request: Any) -> Any:
    """Reads, writes, and says what it was asked."""
    rows = ccf.kv["fine"]
    before = rows.get("number")
    rows["number"] = request.data
    return {"before": before, "number": request.params["number"], "now": rows["number"]}


@ccf.endpoint("/undo", methods=["POST"])
def undo(request: Any) -> None:
    """Takes back what attacks changed; without a call more than that, for anything may be changed."""
    while attacks.UNDO:
        attacks.UNDO.pop()()


@ccf.endpoint("/room/{size}", methods=["GET"], mode="readonly")
def room(request: Any) -> Any:
    """Whether there is so much memory for Python."""
    return {"room": len(bytes(int(request.params["size"])))}


@ccf.endpoint("/late", methods=["GET"], mode="readonly")
def late(request: Any) -> Any:
    return on_process.LATE
