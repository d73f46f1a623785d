"""The guard for the one app of this process: put in place before the app's first line runs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from affiant import _guard
from affiant._hosting.errors import AppLoadError

_in_place: dict[str, Any] | None = None


def guard(
    table: dict[str, Any],
    *,
    place: str,
    app: str | None,
    roots: list[str] | None,
    described: Sequence[str] = (),
) -> None:
    """Puts the guard in place; it stays for the life of the process.

    Args:
        table: `[tool.affiant.policy]`.
        place: the file that holds it, for messages.
        app: the directory of the app's sources; None if they come from the ledger.
        roots: directories of installed packages; None: those of the environment.
        described: files that are read again, under the guard, at each reload.

    Raises:
        AppLoadError: the policy is not valid, or another one is in force already.
    """
    global _in_place
    try:
        policy = _guard.Policy.parse(table, place)
    except _guard.PolicyError as error:
        raise AppLoadError(str(error)) from error
    wanted = {"policy": policy.table(), "app": app}
    if _in_place is not None:
        # Sources from the ledger need no directory: a sandbox that applies proposals to an app on
        # disk loads it again from there.
        if _in_place["policy"] != wanted["policy"] or app not in (None, _in_place["app"]):
            raise AppLoadError(
                f"{place}: the policy or the place of the app has changed; a running process keeps "
                "its policy, so start it again"
            )
        return
    try:
        roots = environment() if roots is None else roots
        _guard.install(policy, roots=roots, place=place, app=app, described=described)
    except PermissionError as error:
        raise AppLoadError(str(error)) from error
    _in_place = wanted


def environment() -> list[str]:
    """Where the environment has its packages."""
    return [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
