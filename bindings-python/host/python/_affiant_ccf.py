"""Makes ``import affiant`` and ``import ccf`` find what the library embeds.

In a host that is no Python this module stands in for the wheel's of the same name: the packages come from
memory, and ``affiant._native`` is part of the library. A wheel that is installed in the interpreter's
environment is passed over. ``ccf`` goes on into Microsoft's package of that name, as with the wheel.
"""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import os
import posixpath
import sys
from collections.abc import Sequence
from types import CodeType, ModuleType

ORIGIN = "/affiant-embedded"
"""Where the embedded files seem to lie; no such directory exists."""

NATIVE = "affiant._native"


class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Finds and loads the embedded packages; whatever else is asked for is somebody else's.

    Args:
        sources: path of each file, such as ``affiant/__init__.py``, and its text.
        native: the module ``affiant._native``.
    """

    def __init__(self, sources: dict[str, str], native: ModuleType) -> None:
        self._sources = sources
        self._native = native

    def _path(self, fullname: str) -> str | None:
        top, dot, rest = fullname.partition(".")
        if top == "ccf":
            fullname = f"affiant.ccf{dot}{rest}"
        elif top != "affiant":
            return None
        path = fullname.replace(".", "/")
        for name in (f"{path}/__init__.py", f"{path}.py"):
            if name in self._sources:
                return name
        return None

    def _known(self, fullname: str) -> str:
        path = self._path(fullname)
        if path is None:
            raise ImportError(f"no module {fullname!r} is embedded", name=fullname)
        return path

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of an embedded module."""
        if fullname == NATIVE:
            return importlib.machinery.ModuleSpec(fullname, self, origin="built-in")
        if self._path(fullname) is None:
            return None
        file, package = self.get_filename(fullname), self.is_package(fullname)
        spec = importlib.machinery.ModuleSpec(fullname, self, origin=file, is_package=package)
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(posixpath.dirname(file))
            if fullname == "ccf":
                spec.submodule_search_locations.extend(_microsofts())
        return spec

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """The native module; a new one for every other."""
        return self._native if spec.name == NATIVE else None

    def exec_module(self, module: ModuleType) -> None:
        """Runs an embedded module. The native one is complete."""
        if module is not self._native:
            super().exec_module(module)

    def get_filename(self, fullname: str) -> str:
        """Where a module seems to lie."""
        return f"{ORIGIN}/{self._known(fullname)}"

    def is_package(self, fullname: str) -> bool:
        """Whether a module has others below it."""
        return fullname != NATIVE and self._known(fullname).endswith("/__init__.py")

    def get_source(self, fullname: str) -> str | None:
        """The text of a module; tracebacks take their lines from here."""
        return None if fullname == NATIVE else self._sources[self._known(fullname)]

    def get_code(self, fullname: str) -> CodeType | None:
        """A module, compiled."""
        if fullname == NATIVE:
            return None
        source, file = self._sources[self._known(fullname)], self.get_filename(fullname)
        return compile(source, file, "exec", dont_inherit=True)


def _microsofts() -> list[str]:
    for entry in sys.path:
        theirs = os.path.join(entry, "ccf")
        if os.path.isfile(os.path.join(theirs, "__init__.py")):
            return [theirs]
    return []


def install(sources: dict[str, str], native: ModuleType) -> None:
    """Makes the packages importable.

    Raises:
        ImportError: this interpreter has others of these names already.
    """
    for name in ("affiant", "ccf"):
        there = sys.modules.get(name)
        if there is not None:
            place = getattr(there, "__file__", None) or "somewhere"
            raise ImportError(
                f"this interpreter has imported a module {name!r} already, from {place}: have this "
                "library load an app before anything else imports it"
            )
    # The wheel's finder, which a .pth file of the environment has installed, has this module's name.
    sys.meta_path[:] = [
        finder for finder in sys.meta_path if getattr(finder, "__module__", "") != __name__
    ]
    sys.meta_path.insert(0, Finder(sources, native))
