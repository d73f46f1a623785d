"""Proposals to the service's members."""

from __future__ import annotations

from typing import Any

from affiant._native import Error


def create_proposal(action: str, data: Any = None) -> Any:
    """Proposes `action` with `data` to the members of the service.

    Args:
        action: the name of an action of the constitution, such as ``set_user``.
        data: the action's arguments: a JSON-able value.

    Raises:
        Error: always, for now: a node does not take proposals from apps yet.
    """
    raise Error(
        f"create_proposal({action!r}): this node takes no proposals from apps yet; a member submits "
        "them, signed, to POST /gov/proposals, and `affiant sandbox --apply FILE` applies one"
    )
