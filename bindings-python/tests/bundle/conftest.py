"""Makes `affiant._bundle` importable, from a tree of sources too."""

from __future__ import annotations

import importlib.machinery
import pathlib
import sys
import types

SOURCES = str(pathlib.Path(__file__).parents[2] / "python")

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
if SOURCES not in sys.path:
    sys.path.append(SOURCES)
if "affiant" not in sys.modules:
    try:
        import affiant  # noqa: F401
    except ModuleNotFoundError:
        # Without its native part, which bundles do not need.
        for name in [name for name in sys.modules if name.partition(".")[0] == "affiant"]:
            del sys.modules[name]
        bare = sys.modules["affiant"] = types.ModuleType("affiant")
        bare.__path__ = [SOURCES + "/affiant"]
        bare.__spec__ = importlib.machinery.ModuleSpec("affiant", None, is_package=True)
        bare.__spec__.submodule_search_locations = bare.__path__
