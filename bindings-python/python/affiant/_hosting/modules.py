"""The modules of an app: what they are called, where they lie, and how they are imported.

A module is named by its path from the app's root with a leading slash, ``/pkg/mod.py``, on disk as
in the ledger. Its import name starts below the last directory that is no package, as with
``python src/orders.py``: there ``import helpers`` means ``src/helpers.py``.
"""

from __future__ import annotations

import ast
import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import linecache
import os
import posixpath
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import CodeType, ModuleType

from affiant._hosting import declared
from affiant._hosting.errors import AppLoadError

MODULES_COUNT_MAX = 2_000
MODULES_BYTES_MAX = 32 << 20
DEPTH_MAX = 32

ORIGIN = "/affiant-app"
"""Where modules from memory seem to lie; no such directory exists."""

_SKIPPED = frozenset({"tests", "build", "dist", "node_modules", "__pycache__", "site-packages"})

# Names of the modules that were imported for an app, and the file and source of each. Only these
# are ever dropped from `sys.modules`.
_imported: dict[str, tuple[str, str]] = {}


class Root:
    """Where an app's modules come from.

    Args:
        directory: the root on disk, or None.
        modules: name to source, in place of a directory.
    """

    def __init__(self, directory: str | None, modules: Mapping[str, str] | None) -> None:
        if (directory is None) == (modules is None):
            raise AppLoadError("an app is either a directory or a set of modules")
        self.directory = None if directory is None else os.path.realpath(directory)
        self.modules = None if modules is None else {slashed(n): s for n, s in modules.items()}
        self.prefixes = [""]
        self.finder: MemoryFinder | None = None
        if self.directory is not None and not os.path.isdir(self.directory):
            raise AppLoadError(f"{directory} is no directory")

    def has(self, name: str) -> bool:
        """Whether the module of this name is there."""
        if self.modules is not None:
            return name in self.modules
        return os.path.isfile(self.file(name))

    def file(self, name: str) -> str:
        """The path that tracebacks show."""
        return (self.directory or ORIGIN) + name

    def source(self, name: str) -> str:
        """A module's text.

        Raises:
            AppLoadError: it cannot be read or decoded.
        """
        if self.modules is not None:
            return self.modules[name]
        try:
            with open(self.file(name), "rb") as file:
                return importlib.util.decode_source(file.read(MODULES_BYTES_MAX + 1))
        except (OSError, SyntaxError, UnicodeDecodeError) as error:
            raise AppLoadError(f"{self.file(name)} cannot be read: {error}") from error

    def name_of(self, file: str | None) -> str | None:
        """The name of the app's module in this file; None if it is none of the app's."""
        base = self.directory or ORIGIN
        if file is None or not file.startswith(base + os.sep) or not file.endswith(".py"):
            return None
        name = "/" + os.path.relpath(file, base).replace(os.sep, "/")
        if self.modules is not None:
            return name if name in self.modules else None
        return None if any(_skipped(part) for part in name.split("/")[1:-1]) else name

    def own(self, file: str) -> bool:
        """Whether a file is one of the app's."""
        return self.name_of(file) is not None

    def all(self) -> list[str]:
        """The names of every module there is, ascending.

        Raises:
            AppLoadError: there are too many, or they lie too deep.
        """
        if self.modules is not None:
            return sorted(self.modules)
        names = sorted(self._walk())
        if len(names) > MODULES_COUNT_MAX:
            raise AppLoadError(
                f"{self.directory} holds more than {MODULES_COUNT_MAX} Python files; name the "
                "app's own directory, without its environment and data"
            )
        return names

    def _walk(self) -> Iterator[str]:
        base = self.directory or ""
        count = 0
        for at, directories, files in os.walk(base):
            below = os.path.relpath(at, base)
            depth = 0 if below == "." else below.count(os.sep) + 1
            directories[:] = sorted(
                name
                for name in directories
                if not _skipped(name) and not os.path.exists(os.path.join(at, name, "pyvenv.cfg"))
            )
            if depth >= DEPTH_MAX:
                directories.clear()
            for file in files:
                path = os.path.join(at, file)
                # A link may lead out of the app, to files that nobody meant to publish.
                if not file.endswith(".py") or not os.path.realpath(path).startswith(base + os.sep):
                    continue
                count += 1
                if count > MODULES_COUNT_MAX + 1:
                    return
                yield "/" + os.path.relpath(path, base).replace(os.sep, "/")

    def import_name(self, name: str) -> str:
        """The name to import a module by. Adds its prefix to where imports look.

        Raises:
            AppLoadError: the path makes no name.
        """
        folder, file = posixpath.split(name)
        parts = [] if file == "__init__.py" else [file.removesuffix(".py")]
        while folder not in ("", "/") and self.has(f"{folder}/__init__.py"):
            folder, part = posixpath.split(folder)
            parts.insert(0, part)
        prefix = folder.rstrip("/")
        if not parts or any(not part or "." in part for part in parts):
            raise AppLoadError(f"{name} cannot be imported: a dot in a name separates packages")
        if prefix not in self.prefixes:
            self.prefixes.insert(0, prefix)
        return ".".join(parts)

    def find(self, dotted: str) -> str | None:
        """The module that an import name means here."""
        path = dotted.replace(".", "/")
        for prefix in self.prefixes:
            for name in (f"{prefix}/{path}/__init__.py", f"{prefix}/{path}.py"):
                if self.has(name):
                    return name
        return None

    def is_package(self, dotted: str) -> bool:
        """Whether modules from memory lie below this name, with or without ``__init__``."""
        path = dotted.replace(".", "/")
        return any(
            name.startswith(f"{prefix}/{path}/")
            for prefix in self.prefixes
            for name in self.modules or ()
        )

    def prepare(self, packages: Sequence[str]) -> None:
        """Makes the app's modules and its packages importable, and drops what an earlier load
        left of modules that have changed since."""
        for package in reversed(packages):
            _to_front(package)
        # The app that was loaded last is the one whose modules imports mean.
        sys.meta_path[:] = [one for one in sys.meta_path if not isinstance(one, MemoryFinder)]
        if self.modules is not None:
            self.finder = MemoryFinder(self)
            _before_paths(self.finder)
            evict(list(_imported))
        else:
            for prefix in reversed(self.prefixes):
                _to_front(self.file(prefix))
            changed = [
                name
                for name, (file, source) in _imported.items()
                if (known := self.name_of(file)) is None
                or not self.has(known)
                or self.source(known) != source
            ]
            if changed:
                # A module holds objects of the others, so all are run anew.
                evict(list(_imported))
        importlib.invalidate_caches()

    def load(self, name: str) -> ModuleType:
        """Imports the module of this name.

        Raises:
            AppLoadError: another module has its import name.
            BaseException: what the module raised.
        """
        dotted = self.import_name(name)
        if self.modules is None:
            for prefix in reversed(self.prefixes):
                _to_front(self.file(prefix))
        loaded = sys.modules.get(dotted)
        top = dotted.partition(".")[0]
        if top in sys.stdlib_module_names or top in ("ccf", "affiant"):
            raise AppLoadError(
                f"{name} cannot be imported as {dotted!r}: another module has this name; rename it"
            )
        if loaded is not None and not self.same(loaded, name):
            evict([other for other in list(sys.modules) if other.partition(".")[0] == top])
        before = sys.dont_write_bytecode
        # Cached code is told from new by the second it was written in; too coarse to reload by.
        sys.dont_write_bytecode = True
        try:
            return importlib.import_module(dotted)
        finally:
            sys.dont_write_bytecode = before
            self.remember()

    def same(self, module: ModuleType, name: str) -> bool:
        """Whether a loaded module is the app's of this name."""
        file = getattr(module, "__file__", None)
        return file is not None and os.path.realpath(file) == self.file(name)

    def imported(self) -> dict[str, str]:
        """The app's modules in ``sys.modules``: import name to name, in the order of import."""
        found = {}
        for dotted, module in list(sys.modules.items()):
            file = getattr(module, "__file__", None)
            name = self.name_of(os.path.realpath(file)) if isinstance(file, str) else None
            if name is not None:
                found[dotted] = name
        return found

    def remember(self) -> None:
        for dotted, name in self.imported().items():
            if dotted not in _imported:
                _imported[dotted] = (self.file(name), self.source(name))

    def sources(self, names: Iterable[str]) -> dict[str, str]:
        """The text of these modules.

        Raises:
            AppLoadError: together they are too large.
        """
        found, size = {}, 0
        for name in names:
            found[name] = self.source(name)
            size += len(found[name].encode("utf-8", "surrogatepass"))
            if size > MODULES_BYTES_MAX:
                raise AppLoadError(
                    f"the app's modules have more than {MODULES_BYTES_MAX >> 20} MiB"
                )
        return found

    def reached(self, names: Iterable[str]) -> list[str]:
        """These modules and those of the app that they import, directly or through others, also
        within functions that have not run."""
        waiting, seen = list(names), set()
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if len(seen) > MODULES_COUNT_MAX:
                raise AppLoadError(f"the app imports more than {MODULES_COUNT_MAX} own modules")
            dotted = self.import_name(name)
            package = dotted if name.endswith("/__init__.py") else dotted.rpartition(".")[0]
            for wanted in _imports(self.source(name), package):
                found = self.find(wanted)
                if found is not None:
                    waiting.append(found)
        return sorted(seen)


class MemoryFinder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports an app's modules from memory."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        name = self.root.find(fullname)
        if name is None:
            if not self.root.is_package(fullname):
                return None
            spec = importlib.machinery.ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [f"{ORIGIN}/{fullname.replace('.', '/')}"]
            return spec
        file = self.root.file(name)
        spec = importlib.machinery.ModuleSpec(
            fullname, self, origin=file, is_package=name.endswith("/__init__.py")
        )
        spec.has_location = True
        if spec.submodule_search_locations is not None:
            spec.submodule_search_locations.append(posixpath.dirname(file))
        return spec

    def get_source(self, fullname: str) -> str:
        name = self.root.find(fullname)
        if name is None:
            raise ImportError(f"the app has no module {fullname!r}", name=fullname)
        return self.root.source(name)

    def get_code(self, fullname: str) -> CodeType:
        source, file = self.get_source(fullname), self.get_filename(fullname)
        # Tracebacks, `inspect` and pydantic read the lines of a module from here.
        lines = source.splitlines(keepends=True)
        linecache.cache[file] = (len(source), None, lines, file)
        return compile(source, file, "exec", dont_inherit=True)

    def get_filename(self, fullname: str) -> str:
        name = self.root.find(fullname)
        if name is None:
            raise ImportError(f"the app has no module {fullname!r}", name=fullname)
        return self.root.file(name)

    def is_package(self, fullname: str) -> bool:
        return self.get_filename(fullname).endswith("/__init__.py")


def slashed(name: str) -> str:
    """A module's name with its leading slash."""
    return "/" + name.replace(os.sep, "/").lstrip("/")


def evict(names: Iterable[str]) -> None:
    """Drops modules, and what they declared, so that the next import runs them anew."""
    names = list(names)
    declared.forget(names)
    for name in names:
        sys.modules.pop(name, None)
        _imported.pop(name, None)


def _skipped(directory: str) -> bool:
    return directory in _SKIPPED or directory.startswith(".") or directory.endswith(".egg-info")


def _to_front(directory: str) -> None:
    directory = os.path.realpath(directory)
    if directory in sys.path:
        sys.path.remove(directory)
    sys.path.insert(0, directory)


def _before_paths(finder: MemoryFinder) -> None:
    # Behind what is built in and before what lies on disk, as the first entry of a path would be.
    at = [i for i, f in enumerate(sys.meta_path) if f is importlib.machinery.PathFinder]
    sys.meta_path.insert(at[0] if at else len(sys.meta_path), finder)


def _imports(source: str, package: str) -> Iterator[str]:
    """Every name that a module imports, and the packages above each."""
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join(filter(None, (*(above if node.level else ()), node.module)))
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in filter(None, names):
            parts = name.split(".")
            yield from (".".join(parts[:count]) for count in range(1, len(parts) + 1))
