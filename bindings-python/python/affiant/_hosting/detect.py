"""What an object of an app is: an ASGI app, a WSGI app, a handler, or none of them."""

from __future__ import annotations

import functools
import inspect
from types import FunctionType, ModuleType
from typing import Any, Literal

from affiant._hosting.errors import AppLoadError
from affiant._hosting.handlers import required_arguments, takes

Interface = Literal["handler", "wsgi", "asgi"]

WEB_NAMES = ("app", "application", "api")
FACTORY_NAMES = ("create_app", "make_app")
HANDLER_NAME = "handle_request"
SHOWN_MAX = 10


def interface_of(thing: Any) -> Interface | None:
    """What a callable is; None if it is none of the three, or nobody can tell."""
    if not callable(thing):
        return None
    plain = inspect.isroutine(thing) or isinstance(thing, functools.partial)
    call = thing if plain else getattr(type(thing), "__call__", None)
    asynchronous = inspect.iscoroutinefunction(call)
    if asynchronous and takes(thing, 3) and not takes(thing, 1):
        return "asgi"
    if callable(getattr(thing, "wsgi_app", None)):
        return "wsgi"
    if takes(thing, 3) and _parameter_names(thing)[:1] == ["scope"]:
        return "asgi"
    if takes(thing, 2) and not asynchronous and not takes(thing, 1):
        return "wsgi"
    if required_arguments(thing) in (0, 1) or takes(thing, 1):
        return "handler"
    return None


def _parameter_names(function: Any) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def attribute(module: ModuleType, name: str, where: str) -> Any:
    """The object under a dotted name in a module, made ready to be called.

    ``name()`` is a factory, which is called; so are ``create_app`` and ``make_app``. A class whose
    instances can be called is instantiated, once.

    Raises:
        AppLoadError: there is none; says what there is.
        BaseException: what a factory or a constructor raised.
    """
    bare = name.removesuffix("()")
    thing: Any = module
    for part in bare.split("."):
        if not hasattr(thing, part):
            raise AppLoadError(f"{where} has no {bare!r}; {offered(module)}")
        thing = getattr(thing, part)
    if name.endswith("()") or (bare in FACTORY_NAMES and takes(thing, 0)):
        if not callable(thing):
            raise AppLoadError(f"{where}: {bare!r} cannot be called, so it makes no app")
        return thing()
    return instance(thing, f"{where}:{bare}")


def instance(thing: Any, where: str) -> Any:
    """A class's instance where the class is meant to make a handler or an app; else the thing.

    Raises:
        AppLoadError: the class needs arguments.
    """
    if not inspect.isclass(thing) or not any("__call__" in base.__dict__ for base in thing.__mro__):
        return thing
    if not takes(thing, 0):
        raise AppLoadError(f"{where} is a class that needs arguments: name an instance of it")
    return thing()


def web_apps(module: ModuleType) -> dict[str, Interface]:
    """The names in a module that hold web apps made for it, and what each is."""
    found: dict[str, Interface] = {}
    for name, thing in vars(module).items():
        try:
            if name.startswith("__") or inspect.isclass(thing) or inspect.ismodule(thing):
                continue
            # Whatever takes two arguments looks like WSGI, so helper functions are not shown.
            if inspect.isroutine(thing) and name not in WEB_NAMES:
                continue
            interface = interface_of(thing)
        except Exception:
            # Proxies of what only a request has, such as Flask's `request`, raise at any look.
            continue
        if interface in ("wsgi", "asgi"):
            found[name] = interface
    return found


def offered(module: ModuleType) -> str:
    """What a module has that could be served, as the end of an error's sentence."""
    found = [f"{name} ({interface.upper()})" for name, interface in list(web_apps(module).items())]
    functions = [
        name
        for name, thing in vars(module).items()
        if type(thing) is FunctionType
        and thing.__module__ == module.__name__
        and not name.startswith("_")
    ]
    found += [f"{name}()" for name in functions]
    if not found:
        return "it has no web app and no function"
    more = f" and {len(found) - SHOWN_MAX} more" if len(found) > SHOWN_MAX else ""
    return f"it has {', '.join(found[:SHOWN_MAX])}{more}"


def choose(module: ModuleType, where: str) -> str:
    """The name of what a module without declared endpoints serves.

    Raises:
        AppLoadError: there are several candidates, or none.
    """
    apps = web_apps(module)
    usual: dict[int, str] = {}
    for name in WEB_NAMES:
        if name in apps:
            usual.setdefault(id(getattr(module, name)), name)
    if len(usual) > 1:
        names = list(usual.values())
        raise AppLoadError(
            f"{where} has several apps, {', '.join(names)}: name one, as {where}:{names[0]} or "
            f'in pyproject.toml, [tool.affiant], app = "{where}:{names[0]}"'
        )
    if usual:
        return next(iter(usual.values()))
    if callable(getattr(module, HANDLER_NAME, None)):
        return HANDLER_NAME
    raise AppLoadError(
        f"{where} has nothing to serve: no function under @ccf.endpoint, no web app called "
        f"{', '.join(WEB_NAMES)}, no {HANDLER_NAME}; {offered(module)}. To serve one of them, "
        f'name it: {where}:NAME, or in pyproject.toml, [tool.affiant], app = "{where}:NAME"'
    )
