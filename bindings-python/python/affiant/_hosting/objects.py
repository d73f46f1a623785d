"""Apps that are there already, as objects of this process: for tests, notebooks and hosts."""

from __future__ import annotations

import inspect
import sys
from types import ModuleType
from typing import Any

from affiant._hosting import declared, detect, load
from affiant._hosting.errors import AppLoadError
from affiant._hosting.load import Loaded, Source

UNKNOWN_SOURCE = "# An object of the host's process, without a file of its own.\n"


def load_object(thing: Any) -> Loaded:
    """Makes handlers of a module, a web app, a decorated function or a handler.

    Args:
        thing: a module: the functions under ``@ccf.endpoint`` in it, or its web app, as if its file
            had been named; it is not imported again. Anything else: that one thing.

    Raises:
        AppLoadError: it is nothing that can be served.
    """
    module = thing if isinstance(thing, ModuleType) else _module_of(thing)
    name, source = _source_of(module)
    loader = load._Loader(Source(modules={f"/{name}": source}))
    try:
        if isinstance(thing, ModuleType):
            _serve_module(loader, name, thing)
        else:
            _serve_thing(loader, name, thing)
    except BaseException:
        loader.shutdown()
        raise
    loaded = Loaded(
        endpoints=loader.endpoints,
        handlers=loader.handlers,
        modules={f"/{name}": source},
        warnings=loader.warnings,
        interface=loader.interface,
        openapi=loader.openapi,
        shutdown=loader.shutdown,
    )
    setattr(loaded, "origin", _shown(thing))
    version = sys.version_info
    manifest = {"language": "python", "requires_python": f">={version.major}.{version.minor}"}
    setattr(loaded, "manifest", manifest)
    return loaded


def _serve_module(loader: load._Loader, name: str, module: ModuleType) -> None:
    found = declared.in_modules([module.__name__])
    if found:
        _serve_declared(loader, name, found)
        return
    attribute = detect.choose(module, name)
    thing = detect.attribute(module, attribute, name)
    _serve_thing(loader, name, thing, attribute)


def _serve_thing(loader: load._Loader, name: str, thing: Any, attribute: str | None = None) -> None:
    where = getattr(thing, "__module__", None)
    own = [one for one in declared.in_modules([where] if where else []) if one.function is thing]
    if own:
        _serve_declared(loader, name, own)
        return
    interface = detect.interface_of(thing)
    if interface is None:
        raise AppLoadError(
            f"{_shown(thing)} is neither a path, a module, an ASGI or WSGI app, nor a handler of one "
            "request"
        )
    named = attribute or getattr(thing, "__name__", None)
    loader._serve_alone(name, named if isinstance(named, str) else "app", interface, thing)


def _serve_declared(loader: load._Loader, name: str, found: list[declared.Declared]) -> None:
    for one in found:
        handler = loader._plain(one.function, one.name)
        for verb in one.methods:
            loader._add(one.path, verb, name, one.name, "handler", one.properties, handler)


def _module_of(thing: Any) -> ModuleType | None:
    """The module that holds the thing under a name: a web app says only where its class is."""
    home = sys.modules.get(getattr(thing, "__module__", None) or "")
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    for module in [home, *modules]:
        if module is not None and any(value is thing for value in list(vars(module).values())):
            return module
    return None


def _source_of(module: ModuleType | None) -> tuple[str, str]:
    if module is None:
        return "app.py", UNKNOWN_SOURCE
    name = f"{module.__name__.strip('_').rpartition('.')[2]}.py"
    try:
        return name, inspect.getsource(module)
    except (OSError, TypeError):
        return name, UNKNOWN_SOURCE


def _shown(thing: Any) -> str:
    if isinstance(thing, ModuleType):
        return f"module {thing.__name__}"
    name = getattr(thing, "__qualname__", None)
    return name if isinstance(name, str) else f"an object of {type(thing).__qualname__}"
