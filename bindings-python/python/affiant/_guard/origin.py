"""Who is asking: the app's code, or that of an installed library or of Python itself.

Decided by the files the running functions come from. That serves messages and the rules of good order
(an app does not import ctypes, NumPy does); nothing that must hold rests on it alone, because code can be
made to claim another file.
"""

from __future__ import annotations

import builtins
import importlib
import sys

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_MOST_FRAMES = 10_000
# The machinery of imports stands between the code that imports and the guard.
_BETWEEN = ("<frozen importlib", "<frozen zipimport", importlib.__file__.rpartition("/")[0] + "/")


def is_trusted(filename: str, trusted: tuple[str, ...]) -> bool:
    """Whether `filename` is of Python itself or below one of `trusted` (prefixes ending in a slash)."""
    # A class of the app's own, derived from str, would answer as it likes.
    return type(filename) is str and (
        filename.startswith("<frozen ") or filename.startswith(trusted)
    )


def asked_by_app(trusted: tuple[str, ...], own: str, *, getframe=sys._getframe) -> bool:
    """Whether the nearest code with a file of its own is the app's.

    `own` is the guard's directory; the guard and the machinery of imports are passed over, and so is
    generated code ("<string>"), which is whose who runs it. True if nothing else is found.
    """
    frame = getframe(1)
    for _ in range(_MOST_FRAMES):
        if frame is None:
            return True
        filename = frame.f_code.co_filename
        if type(filename) is not str:
            return True
        generated = filename[:1] == "<" and not filename.startswith("<frozen ")
        if not generated and not filename.startswith(_BETWEEN) and not filename.startswith(own):
            return not is_trusted(filename, trusted)
        frame = frame.f_back
    return True


def nearest_file(own: str, *, getframe=sys._getframe) -> str:
    """The file name of the nearest running code that is not the guard's; empty if there is none."""
    frame = getframe(1)
    while frame is not None:
        filename = frame.f_code.co_filename
        if type(filename) is not str:
            return ""
        if not filename.startswith(own):
            return filename
        frame = frame.f_back
    return ""
