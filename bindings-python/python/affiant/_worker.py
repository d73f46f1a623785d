"""A worker process: an interpreter with the app in it, and a socket to the node.

The node starts it with the socket as standard input; everything else is in the extension module.
"""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Serves until the node wants no more, then ends the process."""
    from affiant import _native

    for stream in (sys.stdout, sys.stderr):
        # What is printed reaches the node's log as it happens, and is not lost in a crash.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.exit(_native.worker())


def environment(place: str) -> list[str]:
    """The environment variables that the policy of the app at `place` names.

    Reads the app's metadata only: nothing of the app is imported.

    Raises:
        AppLoadError: there is no app, or its metadata is malformed.
    """
    from affiant._hosting.place import resolve

    source, _origin = resolve(place)
    policy = source.options.get("policy", {})
    names = policy.get("environment", []) if isinstance(policy, dict) else []
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
