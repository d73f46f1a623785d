"""Finds what an app offers and makes handlers of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from affiant._hosting import declared, detect, errors, handlers, openapi
from affiant._hosting import loop as loops
from affiant._hosting.asgi import AsgiHandler, Lifespan, LifespanError
from affiant._hosting.declared import Declared
from affiant._hosting.errors import AppLoadError as AppLoadError
from affiant._hosting.modules import Root, slashed
from affiant._hosting.wsgi import WsgiHandler, understand_http_error

WEB_AUTH = ("user_cert", "no_auth")
HANDLER_AUTH = ("user_cert",)
WEB_PATH = "/*"
ENTRY_DEFAULT = "app.py"
OPTIONS = frozenset({"app", "auth", "interface", "mode", "policy", "respond"})


@dataclass
class Source:
    """An app before it is loaded.

    Args:
        modules: sources by name (``/pkg/mod.py``), as in the ledger; None: from ``directory``.
        directory: where the app lies; with endpoints, its modules are in ``src/`` if there is one.
        endpoints: the object ``endpoints`` of an app.json, possibly empty.
        entry: ``app.py``, ``app.py:app``, ``pkg/main.py:create_app()`` or ``pkg.main:app``.
        options: the table ``[tool.affiant]``.
        packages: directories to import packages from, before those of the environment.
        multiprocess: whether other processes serve the app too (``wsgi.multiprocess``).
    """

    modules: dict[str, str] | None = None
    directory: str | None = None
    endpoints: dict[str, Any] = field(default_factory=dict)
    entry: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    multiprocess: bool = False


@dataclass
class Loaded:
    """An app that can be served. Its handlers, and ``shutdown``, are called by one thread at a
    time, which need not be the one that loaded it.

    Attributes:
        endpoints: path to verb to properties, complete, as in an app.json.
        handlers: by ``"VERB /path"``; ``"* /*"`` is a web app.
        modules: the app's own sources by name, for the ledger.
        warnings: sentences for the operator.
        interface: ``"asgi"`` or ``"wsgi"`` if a web app is among the handlers.
        openapi: the web framework's OpenAPI document.
        shutdown: ends the app: its lifespan, then the event loop.
        origin: where the app came from, for messages; for the caller to say.
        manifest: what the ledger records of the app; for the caller to say.
        bundle: the open bundle whose wheels the app imports, if it came in one; kept open with it.
    """

    endpoints: dict[str, dict[str, dict[str, Any]]]
    handlers: dict[str, handlers.Handler]
    modules: dict[str, str]
    warnings: list[str]
    interface: Literal["handlers", "wsgi", "asgi"]
    openapi: dict[str, Any] | None
    shutdown: Callable[[], None]
    origin: str = ""
    manifest: dict[str, Any] | None = None
    bundle: Any = None


def load(app: Source) -> Loaded:
    """Imports an app and makes handlers of what it offers.

    With endpoints, each names its ``py_module`` and ``py_function``. Without, it is the named
    attribute of the entry; or the functions under ``@ccf.endpoint`` in any of the app's modules;
    or a web app called ``app``, ``application`` or ``api``; or ``handle_request``. A plain function
    without a declaration, such as ``handle_request``, is served as GET and POST of ``/`` and of its
    own name, ``/handle_request``. A web app is served as ``/*``, all verbs.

    Modules that an earlier call imported are kept while none of them has changed; a changed app is
    imported anew as a whole. Modules from memory are always imported anew.

    Raises:
        AppLoadError: there is nothing to serve, or several things, or a module failed.
    """
    loader = _Loader(app)
    try:
        return loader.load()
    except BaseException:
        loader.shutdown()
        raise


class _Loader:
    """One run of ``load``."""

    def __init__(self, app: Source) -> None:
        self.app = app
        directory = app.directory
        if directory is not None and app.endpoints and app.modules is None:
            below = os.path.join(directory, "src")
            directory = below if os.path.isdir(below) else directory
        self.root = Root(None if app.modules is not None else directory, app.modules)
        self.endpoints: dict[str, dict[str, dict[str, Any]]] = {}
        self.handlers: dict[str, handlers.Handler] = {}
        self.warnings: list[str] = []
        self.openapi: dict[str, Any] | None = None
        self.interface: Literal["handlers", "wsgi", "asgi"] = "handlers"
        unknown = sorted(set(app.options) - OPTIONS)
        if unknown:
            self.warnings.append(
                f"[tool.affiant]: {', '.join(unknown)} has no effect; known are "
                + ", ".join(sorted(OPTIONS))
            )
        self._made: dict[tuple[str, str, str], handlers.Handler] = {}
        self._lifespans: list[Lifespan] = []
        self._open = True
        self._slot = loops.acquire()

    def load(self) -> Loaded:
        self.root.prepare(self.app.packages)
        if self.app.endpoints:
            self._from_metadata()
            modules = self.root.all()
        else:
            name, attribute = self._entry()
            self._from_entry(name, attribute)
            # Without a project file around it, a lone file's directory may hold anything.
            project = self.app.modules is not None or bool(self.app.options)
            modules = (
                self.root.all()
                if project
                else self.root.reached([name, *self.root.imported().values()])
            )
        self.root.remember()
        return Loaded(
            endpoints=self.endpoints,
            handlers=self.handlers,
            modules=self.root.sources(modules),
            warnings=self.warnings,
            interface=self.interface,
            openapi=self.openapi,
            shutdown=self.shutdown,
        )

    def shutdown(self) -> None:
        """Ends the app; a second call does nothing."""
        if not self._open:
            return
        self._open = False
        try:
            for lifespan in self._lifespans:
                lifespan.shutdown()
        finally:
            if self.root.finder in sys.meta_path:
                sys.meta_path.remove(self.root.finder)
            self._slot.release()

    def _entry(self) -> tuple[str, str | None]:
        """The entry's module and attribute."""
        entry = self.app.entry or self.app.options.get("app") or ENTRY_DEFAULT
        if not isinstance(entry, str):
            raise AppLoadError(f"the app is {entry!r}; it must be a string such as app.py:app")
        path, colon, attribute = entry.partition(":")
        if colon and not attribute:
            raise AppLoadError(f"{entry!r} ends with a colon: name an attribute, or leave it out")
        if not path.endswith(".py"):
            path = path.replace(".", "/") + ".py"
        if self.root.directory is not None and os.path.isabs(path):
            path = os.path.relpath(os.path.realpath(path), self.root.directory)
        name = slashed(os.path.normpath(path))
        for candidate in (name, f"{name.removesuffix('.py')}/__init__.py"):
            if self.root.has(candidate):
                return candidate, attribute or None
        place = self.root.directory or "the app"
        there = ", ".join(n.lstrip("/") for n in self.root.all()[: detect.SHOWN_MAX])
        raise AppLoadError(
            f"{place} has no {name.lstrip('/')}; its Python files are: {there or 'none'}. Name the "
            "one with the app, such as --app DIRECTORY/orders.py, or in pyproject.toml, "
            '[tool.affiant], app = "orders.py:app"'
        )

    def _module(self, name: str) -> ModuleType:
        try:
            return self.root.load(name)
        except AppLoadError:
            raise
        except (Exception, SystemExit) as error:
            raise errors.importing(f"importing {name.lstrip('/')}", error, self.root.own) from error

    def _attribute(self, module: ModuleType, name: str, where: str) -> Any:
        try:
            return detect.attribute(module, name, where)
        except AppLoadError:
            raise
        except (Exception, SystemExit) as error:
            raise errors.importing(f"making {where}:{name}", error, self.root.own) from error

    def _declared(self) -> list[Declared]:
        return declared.in_modules(self.root.imported())

    def _from_entry(self, name: str, attribute: str | None) -> None:
        where = name.lstrip("/")
        module = self._module(name)
        found = self._declared()
        if attribute is None and found:
            self._serve_declared(found)
            ignored = [n for n in detect.web_apps(module) if n in detect.WEB_NAMES]
            if ignored:
                self.warnings.append(
                    f"{where}: the functions under @ccf.endpoint are served, {ignored[0]!r} is "
                    f"not; to serve that instead, name it: {where}:{ignored[0]}"
                )
            return
        attribute = attribute or detect.choose(module, where)
        thing = self._attribute(module, attribute, where)
        own = [d for d in found if d.function is thing]
        if own:
            self._serve_declared(own)
            return
        if found:
            self.warnings.append(
                f"{where}: {attribute!r} is served; the {len(found)} function(s) under "
                "@ccf.endpoint are not"
            )
        interface = self.app.options.get("interface") or detect.interface_of(thing)
        if interface not in ("asgi", "wsgi", "handler"):
            raise AppLoadError(
                f"{where}: {attribute!r} is {type(thing).__name__}, which is neither an ASGI nor a "
                f"WSGI app nor a handler of one request; {detect.offered(module)}"
            )
        self._serve_alone(where, attribute, interface, thing)

    def _serve_alone(
        self, where: str, attribute: str, interface: detect.Interface, thing: Any
    ) -> None:
        """Serves one object without a declaration: a web app everywhere, a handler by its name."""
        web = interface != "handler"
        options = self.app.options
        try:
            auth = options.get("auth", WEB_AUTH if web else HANDLER_AUTH)
            # The same checks as the decorator's.
            used = declared.properties(
                auth, options.get("mode", "readwrite"), options.get("respond", "committed")
            )
        except (TypeError, ValueError) as error:
            raise AppLoadError(f"[tool.affiant]: {error}") from error
        if web:
            used["openapi_hidden"] = True
        handler = self._handler(where, attribute, interface, thing)
        last = attribute.removesuffix("()").rpartition(".")[2]
        paths = (WEB_PATH,) if web else ("/", f"/{last}")
        for path in paths:
            for verb in ("*",) if web else ("GET", "POST"):
                self._add(path, verb, where, attribute, interface, used, handler)

    def _serve_declared(self, found: list[Declared]) -> None:
        modules = self.root.imported()
        for one in found:
            where = modules[one.module].lstrip("/")
            handler = self._plain(one.function, f"{where}: {one.name}")
            for verb in one.methods:
                self._add(one.path, verb, where, one.name, "handler", one.properties, handler)

    def _add(
        self,
        path: str,
        verb: str,
        where: str,
        name: str,
        interface: detect.Interface,
        used: dict[str, Any],
        handler: handlers.Handler,
    ) -> None:
        key = f"{verb} {path}"
        if key in self.handlers:
            other = self.endpoints[path][verb.lower()]
            raise AppLoadError(
                f"{key} is declared twice: by {other['py_function']} in {other['py_module']} and "
                f"by {name} in {where}; keep one of them"
            )
        properties = {"py_module": where, "py_function": name, "py_interface": interface, **used}
        readonly = used["mode"] != "readwrite"
        properties.setdefault("forwarding_required", "sometimes" if readonly else "always")
        self.endpoints.setdefault(path, {})[verb.lower()] = properties
        self.handlers[key] = handler

    def _from_metadata(self) -> None:
        for path, verbs in self.app.endpoints.items():
            if not isinstance(verbs, dict):
                raise AppLoadError(f"endpoints[{path!r}] is no object of verbs")
            for verb, given in verbs.items():
                self._from_properties(path, verb, given)

    def _from_properties(self, path: str, verb: str, given: Any) -> None:
        place = f'endpoints["{verb.upper()} {path}"]'
        if not isinstance(given, dict):
            raise AppLoadError(f"{place} is no object of properties")
        name, function = given.get("py_module"), given.get("py_function")
        if not (isinstance(name, str) and name and isinstance(function, str) and function):
            raise AppLoadError(
                f"{place} needs py_module, a file, and py_function, the name of its handler"
                + ("; an app has one language" if "js_module" in given else "")
            )
        interface = given.get("py_interface", "handler")
        if interface not in ("handler", "wsgi", "asgi"):
            raise AppLoadError(f"{place}: py_interface is {interface!r}: handler, wsgi or asgi")
        where = slashed(name)
        if not self.root.has(where):
            there = ", ".join(n.lstrip("/") for n in self.root.all()[: detect.SHOWN_MAX])
            raise AppLoadError(
                f"{place}: py_module {name!r} is not there; the app has: {there or 'none'}"
            )
        module = self._module(where)
        used: dict[str, Any] = {"mode": "readwrite", "respond": "committed", **given}
        used["py_interface"] = interface
        wanted = (verb.upper(), path)
        handler = self._declared_handler(module, function, where, wanted)
        if handler is None:
            handler = self._made.get((where, function, interface))
        if handler is None:
            thing = self._attribute(module, function, where.lstrip("/"))
            handler = self._handler(where.lstrip("/"), function, interface, thing)
            self._made[where, function, interface] = handler
        self._add(path, wanted[0], name, function, interface, used, handler)

    def _declared_handler(
        self, module: ModuleType, function: str, where: str, wanted: tuple[str, str]
    ) -> handlers.Handler | None:
        """The handler of a function that was declared for this endpoint: its name need not lead
        to it, for it may have been made within another function."""
        for one in declared.in_modules([module.__name__]):
            if one.name == function and one.path == wanted[1] and wanted[0] in one.methods:
                return self._plain(one.function, f"{where.lstrip('/')}: {function}")
        return None

    def _handler(
        self, where: str, name: str, interface: detect.Interface, thing: Any
    ) -> handlers.Handler:
        if interface == "handler":
            return self._plain(thing, f"{where}: {name}")
        if not callable(thing):
            raise AppLoadError(f"{where}: {name} is {type(thing).__name__}, which is no web app")
        if interface == "wsgi":
            if self.interface == "handlers":
                self.interface = "wsgi"
            try:
                understand_http_error(thing)
            except Exception as error:
                self.warnings.append(f"{where}:{name}: ccf.HTTPError will be a failure: {error}")
            return WsgiHandler(thing, self.app.multiprocess)
        self.interface = "asgi"
        loop = self._slot.get()
        lifespan = Lifespan(thing, loop)
        try:
            lifespan.startup()
        except LifespanError as error:
            raise AppLoadError(f"{where}:{name}: {error}") from error
        self._lifespans.append(lifespan)
        loop.keep()
        document, warning = openapi.document(thing)
        self.openapi = self.openapi or document
        if warning:
            self.warnings.append(f"{where}:{name}: {warning}")
        return AsgiHandler(thing, loop, lifespan.state)

    def _plain(self, function: Any, name: str) -> handlers.Handler:
        try:
            return handlers.plain(function, name)
        except TypeError as error:
            raise AppLoadError(str(error)) from error
