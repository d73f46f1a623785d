"""Why an app cannot be loaded."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable

FRAMES_SHOWN_MAX = 12

# Each import passes through these; they say nothing to the app's author.
_MACHINERY = ("<frozen", os.path.join(os.path.dirname(os.path.dirname(__file__)), "_guard", ""))


class AppLoadError(Exception):
    """The app cannot be served; the message says what was found and what to do."""


def importing(what: str, error: BaseException, own: Callable[[str], bool]) -> AppLoadError:
    """The error for an app whose code raised while it was imported or made.

    Args:
        what: the app's file or attribute.
        error: what it raised.
        own: whether a file is the app's; the frames before its first one are the host's.
    """
    frames = traceback.extract_tb(error.__traceback__)
    first = next((i for i, frame in enumerate(frames) if own(frame.filename)), len(frames))
    shown = [f for f in frames[first:] if not f.filename.startswith(_MACHINERY)]
    lines = traceback.format_list(shown[-FRAMES_SHOWN_MAX:])
    lines += traceback.format_exception_only(error)
    return AppLoadError(f"{what} failed:\n{''.join(lines).rstrip()}")
