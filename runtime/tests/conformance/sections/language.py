"""The language of the app that the sections talk to: JavaScript, or Python.

Most rows are about what a client sees, and are the same in both. A row whose app code differs has
its code in `either`; None there is a row that the other language has no meaning for.
"""

import os
import pathlib

NAME = os.environ.get("CONFORMANCE_LANGUAGE", "js")
if NAME not in ("js", "python"):
    raise SystemExit(f"CONFORMANCE_LANGUAGE is {NAME!r}; it is js or python")
PYTHON = NAME == "python"
JAVASCRIPT = not PYTHON
SOURCES = pathlib.Path(__file__).resolve().parents[1] / NAME / "src"
SUFFIX = ".py" if PYTHON else ".js"


def either(js, python):
    """What this run's language wants: code, or what it gives."""
    return python if PYTHON else js


def module(name):
    """The file name of a module of the app."""
    return name + SUFFIX


def javascript(code):
    """Code that only JavaScript has a meaning for."""
    return either(code, None)
