"""Where modules may come from: a finder that stands first and judges what every other finder finds.

The finder gives order and good messages, and it is an object in reach of the app. What holds against a
finder of the app's own is the audit hook: a source file must be opened and an extension loaded by its
path, and both are judged there.
"""

from __future__ import annotations

import builtins
import importlib.machinery as machinery
import os.path
import posix
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import names, origin, paths
from .audit import refusal
from .policy import Places, Policy

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_STANDARD = frozenset(sys.stdlib_module_names)
_FILES = (
    machinery.SourceFileLoader,
    machinery.SourcelessFileLoader,
    machinery.ExtensionFileLoader,
)
_OWN = (machinery.BuiltinImporter, machinery.FrozenImporter)
_SUFFIXES = (*machinery.all_suffixes(), "/__init__.py")


def check_names(
    found: Iterable[str],
    where: str,
    reserved: frozenset[str] = names.RESERVED,
) -> None:
    """Refuse names that belong to Python, and those of `reserved`.

    `found` holds names of modules or packages at the top of `where` (a directory or a wheel). Raises
    `PermissionError` that names each, for `import` would take one or the other by accident.
    """
    taken = sorted({name for name in found if name in reserved or name in _STANDARD})
    if taken:
        listed = ", ".join(repr(name) for name in taken)
        raise PermissionError(
            f"{where} has a module of a name that belongs to Python or to Affiant: {listed}; "
            "rename it, and the imports of it"
        )


def top_names(directory: str) -> list[str]:
    """Names that can be imported from `directory`, at its top; none if it cannot be listed."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
    except OSError:
        return []
    found = []
    for entry in entries:
        stem, _dot, rest = entry.name.partition(".")
        if rest and any(entry.name == stem + suffix for suffix in machinery.all_suffixes()):
            found.append(stem)
        elif not rest and os.path.isfile(os.path.join(entry.path, "__init__.py")):
            found.append(stem)
    return found


class _Rules:
    """The rules of imports, for one policy."""

    def __init__(self, policy: Policy, places: Places) -> None:
        """Keep what the rules need."""
        self.allowed = names.ALLOWED | frozenset(name.split(".")[0] for name in policy.modules)
        self.named = frozenset(policy.modules)
        self.places = places
        self.trusted = places.trusted
        self.standard = places.standard

    def asked_by_app(self) -> bool:
        """Whether the app's own code asks."""
        return origin.asked_by_app(self.trusted, self.places.own)

    def of_library(self, real: str) -> bool:
        """Whether a resolved path is of a library, or of Python itself."""
        return paths.of_library(real, self.places.roots, self.standard)

    def holds_code(self, real: str) -> bool:
        """Whether code may come from a resolved path."""
        app = self.places.app
        return self.of_library(real) or app is not None and paths.inside(real, (app,))

    def standard_refusal(self, name: str) -> str | None:
        """Why the app may not import the standard module `name`; None if it may."""
        top = name.partition(".")[0]
        if top not in _STANDARD or top in self.allowed:
            return None
        return refusal(
            f"import {name!r}, which reaches beyond computing",
            self.places.policy,
            f'modules = ["{top}"]',
        )

    def judge_spec(self, spec: machinery.ModuleSpec) -> None:
        """Refuse a module found where none may come from."""
        loader, name = spec.loader, spec.name
        standard = name.partition(".")[0] in _STANDARD
        if loader in _OWN:
            return
        if type(loader) in _FILES or loader is None or type(loader).__name__ == "NamespaceLoader":
            if type(loader) in _FILES:
                where = [loader.path]
            else:
                # The parts of a namespace; a package of modules from memory names none that exists.
                where = [part for part in spec.submodule_search_locations or () if _exists(part)]
            for path in where:
                self.judge_path(name, str(path), standard, type(loader))
            return
        if standard or name.partition(".")[0] in names.RESERVED and not self.by_library(loader):
            raise PermissionError(
                f"the app may not import {name!r} from {loader!r}: the name belongs to Python or to "
                "Affiant; rename the module"
            )
        if not self.by_library(loader):
            raise PermissionError(
                f"the app may not import {name!r} with a loader of its own; put the module into the "
                "app's directory, or into its requirements"
            )

    def by_library(self, loader: Any) -> bool:
        """Whether a loader's code is that of a library."""
        kind = loader if isinstance(loader, type) else type(loader)
        for method in ("exec_module", "load_module"):
            function = getattr(kind, method, None)
            code = getattr(getattr(function, "__func__", function), "__code__", None)
            if code is not None:
                return origin.is_trusted(code.co_filename, self.trusted)
        return False

    def judge_path(self, name: str, path: str, standard: bool, kind: type) -> None:
        """Refuse the module `name` if the file or directory `path` is not a place for it."""
        real = paths.resolve(path)
        if standard:
            if not paths.of_library(real, (), self.standard):
                raise PermissionError(
                    f"the app may not import {name!r} from {path!r}: the name belongs to Python; "
                    "rename the module"
                )
            return
        if not self.holds_code(real):
            raise PermissionError(
                f"the app may not import {name!r} from {path!r}: modules come from the app's own "
                "directory and from its installed requirements; put the module into one of them"
            )
        trusted = self.of_library(real)
        if name.partition(".")[0] in names.RESERVED and not trusted:
            raise PermissionError(
                f"the app may not import {name!r} from {path!r}: the name belongs to Affiant; "
                "rename the module"
            )
        if kind is machinery.ExtensionFileLoader and not trusted:
            raise PermissionError(
                f"the app may not import native code from its own directory ({path!r}); "
                "build a wheel of it and name that in its requirements"
            )


def _exists(path: str) -> bool:
    """Whether there is anything at `path`."""
    try:
        posix.stat(path)
    except (OSError, ValueError):
        return False
    return True


def _outside(name: str, entries: list[str], rules: _Rules) -> str | None:
    """A file outside the places of code that `import name` would have found; None if there is none."""
    for entry in entries:
        if not rules.holds_code(paths.resolve(entry)):
            for suffix in _SUFFIXES:
                path = f"{entry or '.'}/{name}{suffix}"
                if _exists(path):
                    return path
    return None


def _find(rules: _Rules, fullname: str, path: Any, target: Any) -> Any:
    """What Python's own finders find in the places of code."""
    standard = fullname.partition(".")[0] in _STANDARD
    for own in _OWN:
        spec = own.find_spec(fullname, path, target)
        if spec is not None:
            return spec
    entries = [entry for entry in (sys.path if path is None else path) if type(entry) is str]
    allowed = [entry for entry in entries if rules.holds_code(paths.resolve(entry))]
    if standard and path is None:
        allowed = [*rules.standard, *allowed]
    spec = machinery.PathFinder.find_spec(fullname, allowed, target)
    # A library that does without what is not there (`except ImportError`) is told the usual way.
    if spec is None and rules.asked_by_app():
        stray = _outside(fullname.rpartition(".")[2], entries, rules)
        if stray is not None:
            rules.judge_path(fullname, stray, standard, object)
    return spec


def finder(policy: Policy, places: Places) -> Any:
    """The finder to stand first in `sys.meta_path`."""
    rules = _Rules(policy, places)

    def judge_name(fullname: str) -> None:
        top = fullname.partition(".")[0]
        if fullname in names.ONCE and fullname in sys.modules:
            raise PermissionError(refusal(f"load {fullname!r} a second time", places.policy))
        databases = top in ("_gdbm", "_dbm") and "dbm" in rules.named
        if top in names.NEVER and top not in rules.named and not databases:
            # As if Python were built without it: the standard library goes on without.
            raise ModuleNotFoundError(
                f"the module {fullname!r} is not given to apps", name=fullname
            )
        if rules.asked_by_app():
            text = rules.standard_refusal(fullname)
            if text is not None:
                raise PermissionError(text)

    def ask(others: list, fullname: str, path: Any, target: Any) -> Any:
        for other in others:
            find = getattr(other, "find_spec", None)
            spec = None if find is None else find(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def look(fullname: str, path: Any, target: Any, self: Any) -> Any:
        judge_name(fullname)
        chain = [other for other in sys.meta_path if other is not self and other not in _OWN]
        at = chain.index(machinery.PathFinder) if machinery.PathFinder in chain else len(chain)
        spec = None
        if fullname.partition(".")[0] not in _STANDARD:
            spec = ask(chain[:at], fullname, path, target)
        if spec is None:
            spec = _find(rules, fullname, path, target)
        if spec is None or spec.loader is None:
            spec = ask(chain[at + 1 :], fullname, path, target) or spec
        if spec is not None:
            rules.judge_spec(spec)
        return spec

    class Finder:
        """Finds what other finders find, if it may be imported."""

        __slots__ = ()

        def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> Any:
            """The specification of a module; `PermissionError` if it may not be imported."""
            return look(fullname, path, target, self)

        def invalidate_caches(self) -> None:
            """Nothing is kept here."""

    return Finder()


def guarded_import(policy: Policy, places: Places) -> Callable:
    """`builtins.__import__`, which also refuses modules that a library has loaded already."""
    rules = _Rules(policy, places)
    real = builtins.__import__
    allowed, trusted = rules.allowed, rules.trusted

    def __import__(name, globals=None, locals=None, fromlist=(), level=0):  # noqa: A002, N807
        if level == 0 and type(name) is str:
            top = name.partition(".")[0]
            if top in _STANDARD and top not in allowed and rules.asked_by_app():
                raise PermissionError(rules.standard_refusal(name))
        return real(name, globals, locals, fromlist, level)

    return __import__
