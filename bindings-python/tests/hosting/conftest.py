"""Lets the hosting part be tested with and without the extension module."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE.parent / "web"))


def _package() -> None:
    """Where the extension module is not built, its package cannot be imported as a whole; the
    hosting part can, for it needs nothing of it."""
    sources = str(HERE.parents[1] / "python")
    if sources not in sys.path:
        sys.path.insert(0, sources)
    spec = importlib.util.find_spec("affiant")
    if spec is not None and spec.submodule_search_locations:
        if any(Path(p, "_native.abi3.so").exists() for p in spec.submodule_search_locations):
            return
    package = ModuleType("affiant")
    package.__path__ = [f"{sources}/affiant"]
    sys.modules.setdefault("affiant", package)


_package()


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Gives each test the import state that it found."""
    from affiant._hosting import modules

    path, finders, loaded = sys.path[:], sys.meta_path[:], set(sys.modules)
    yield
    sys.path[:], sys.meta_path[:] = path, finders
    modules.evict([name for name in modules._imported])
    for name in set(sys.modules) - loaded:
        if getattr(sys.modules[name], "__file__", None) and "/pytest-of-" in str(
            sys.modules[name].__file__
        ):
            del sys.modules[name]
