"""The guard: inside the node an app computes and uses the store, and nothing else, unless its policy says so.

It stops mistakes, sloppy code and libraries that reach for files or the network on their own. It is no wall
against an attacker: native code of a wheel and corrupted memory run inside the same process.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.metadata  # noqa: F401  (`invalidate_caches` would load it, and what it needs, too late)
import os
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from types import ModuleType

from . import audit, imports, paths, replaced
from .policy import Places, Policy, PolicyError

__all__ = ["Policy", "PolicyError", "install"]

_installed: list[str] = []


def _standard() -> tuple[str, ...]:
    """The directories of the standard library, as written and as resolved."""
    found = [
        sysconfig.get_path("stdlib"),
        sysconfig.get_path("platstdlib"),
        os.path.dirname(os.__file__),
    ]
    dynamic = sysconfig.get_config_var("DESTSHARED")
    found += [dynamic] if dynamic else []
    found += [os.path.join(found[-1], "lib-dynload")]
    return tuple(dict.fromkeys(paths.resolve(path) for path in found if path))


def _both(directories: Sequence[str]) -> tuple[str, ...]:
    """Each directory as given and as resolved: file names of code have the one, paths the other."""
    found = []
    for directory in directories:
        plain = os.path.abspath(directory)
        found += [plain, paths.resolve(plain)]
    return tuple(dict.fromkeys(found))


def _private_audit() -> ModuleType:
    """A copy of the module `audit`, and of those it uses, that no name leads to.

    An app can reach every module that is loaded, and set its names to functions of its own.
    """
    package = sys.modules[__name__]
    copied = ("audit", "names", "network", "origin", "paths")
    kept = {name: sys.modules.pop(f"{__name__}.{name}") for name in copied}
    for name in copied:
        delattr(package, name)
    private = importlib.import_module(f"{__name__}.audit")
    for name, module in kept.items():
        sys.modules[f"{__name__}.{name}"] = module
        setattr(package, name, module)
    return private


def install(
    policy: Policy,
    *,
    roots: Sequence[str],
    place: str,
    app: str | None = None,
    described: Sequence[str] = (),
) -> None:
    """Put the guard in place in this process, for good.

    policy: what the app may do.
    roots: directories of installed libraries (a bundle's wheels, or the environment's site-packages).
    place: the file the policy is in; messages name it.
    app: the directory of the app's own sources if it is imported from files (development).
    described: files that describe it, which may be read.

    Call it before any code of the app runs. Raises `RuntimeError` if a guard is in place already, and
    `PermissionError` if a module of the app or of a root has a name of Python's or Affiant's.
    """
    if _installed:
        raise RuntimeError(f"the guard is in place already, with the policy of {_installed[0]}")
    own = os.path.dirname(os.path.abspath(__file__)) + "/"
    home = os.path.dirname(os.path.dirname(own.rstrip("/")))
    standard = _standard()
    affiant = [os.path.join(home, name) for name in ("affiant", "ccf", "_affiant_ccf.py")]
    trusted = _both([*roots, *affiant])
    for root in roots:
        if paths.resolve(root) not in (paths.resolve(home), *standard):
            imports.check_names(imports.top_names(root), root, frozenset())
    if app is not None:
        imports.check_names(imports.top_names(app), app)
        app = paths.resolve(app)
    places = Places(trusted, standard, app, own, place, _both(described))
    # Without a directory for temporary files the message would be of four directories, not of the policy.
    tempfile.tempdir = tempfile.gettempdir()
    sys.dont_write_bytecode = True
    tracing = sys.gettrace() is not None or sys.getprofile() is not None
    private = _private_audit()
    finder = imports.finder(policy, places)
    given: set[int] = set()
    judges = private.judges(policy, places, finder, given, tracing)
    replaced.replace(policy, place, own, given, audit.refusal)
    sys.meta_path.insert(0, finder)
    builtins.__import__ = imports.guarded_import(policy, places)
    # What finders remember of other directories would be found there, and then refused.
    importlib.invalidate_caches()
    _installed.append(place)
    private.add(judges)
