"""Attacks on what the interpreter, the module ccf and the gateways stand on."""

from __future__ import annotations

import asyncio
import builtins
import contextvars
import gc
import importlib
import io
import json
import logging
import pkgutil
import sys
import threading
import traceback
import warnings
from typing import Any

import ccf
from attacks import UNDO, attack, set_for_now


def nothing(*_arguments: Any, **_named: Any) -> None:
    return None


def fails(*_arguments: Any, **_named: Any) -> Any:
    raise ValueError("replaced")


def spins(*_arguments: Any, **_named: Any) -> Any:
    while True:
        pass


@attack(200, 500)
def replaces_json(request: Any) -> Any:
    set_for_now(json, "dumps", fails)
    set_for_now(json, "loads", fails)
    ccf.kv["json"]["k"] = [1]
    return {"value": ccf.kv["json"]["k"]}


@attack(200, 500)
def replaces_builtins(request: Any) -> Any:
    for name in ("len", "isinstance", "getattr", "str", "dict", "print", "open", "Exception"):
        set_for_now(builtins, name, fails)
    return {"ok": True}


@attack(204)
def replaces_import(request: Any) -> None:
    set_for_now(builtins, "__import__", fails)


@attack(204)
def empties_the_modules(request: Any) -> None:
    kept = dict(sys.modules)
    UNDO.append(lambda: sys.modules.update(kept))
    sys.modules.clear()


@attack(500, 204)
def replaces_modules(request: Any) -> Any:
    kept = dict(sys.modules)
    UNDO.append(lambda: sys.modules.update(kept))
    for name in ("json", "traceback", "threading", "contextvars", "ccf", "affiant"):
        sys.modules[name] = None  # type: ignore[assignment]
    raise ValueError("without traceback")


@attack(500, 204)
def replaces_ccf(request: Any) -> Any:
    for name in ("HTTPError", "Response", "TimeLimitExceeded", "Error", "request"):
        if name in vars(ccf):
            set_for_now(ccf, name, None)
    raise ValueError("without ccf")


@attack(500)
def replaces_the_traceback(request: Any) -> Any:
    set_for_now(traceback, "format_exception", spins)
    raise ValueError("traced for ever")


@attack(500)
def replaces_the_hosts_modules(request: Any) -> Any:
    hosting = importlib.import_module("affiant._hosting.handlers")
    set_for_now(hosting, "HTTPError", int)
    raise ccf.HTTPError(500, "as before")


@attack(204)
def stops_the_collector(request: Any) -> None:
    UNDO.append(gc.enable)
    gc.disable()
    gc.freeze()
    UNDO.append(gc.unfreeze)


@attack(says="set the switch interval above")
def never_lets_go_of_the_lock(request: Any) -> None:
    sys.setswitchinterval(4000)
    while True:
        pass


@attack(says="give threads stacks of less than")
def starts_threads_without_a_stack(request: Any) -> None:
    threading.stack_size(32 << 10)


@attack(204)
def closes_its_output(request: Any) -> None:
    sys.stdout.close()
    sys.stderr.close()
    for name in ("stdout", "stderr"):
        fresh = io.StringIO()
        UNDO.append(lambda name=name, fresh=fresh: setattr(sys, name, fresh))  # type: ignore[misc]


@attack(204)
def has_no_output(request: Any) -> None:
    set_for_now(sys, "stdout", None)
    set_for_now(sys, "stderr", None)
    print("nowhere")


@attack(500)
def replaces_the_hooks(request: Any) -> Any:
    for name in ("excepthook", "unraisablehook", "displayhook", "breakpointhook"):
        set_for_now(sys, name, fails)
    set_for_now(threading, "excepthook", fails)
    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()

    class Dying:
        def __del__(self) -> None:
            raise ValueError("in a destructor")

    del Dying
    raise ValueError("with hooks that fail")


@attack(204)
def sets_every_context_variable(request: Any) -> None:
    for variable in list(contextvars.copy_context()):
        variable.set(None)


@attack(204)
def keeps_the_context(request: Any) -> None:
    context = contextvars.copy_context()
    UNDO.append(context.copy)
    context.run(nothing)


@attack(500)
def runs_in_a_context_of_another_request(request: Any) -> Any:
    context = contextvars.Context()
    return context.run(lambda: ccf.kv["x"].get("y"))


@attack(204)
def replaces_the_loop_policy(request: Any) -> None:
    asyncio.set_event_loop(asyncio.new_event_loop())


@attack(204)
def breaks_logging(request: Any) -> None:
    class Failing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise ValueError("no log")

    handler = Failing()
    logging.getLogger().addHandler(handler)
    UNDO.append(lambda: logging.getLogger().removeHandler(handler))
    try:
        logging.getLogger("affiant.app").error("lost")
    except ValueError:
        pass


@attack(204)
def warns_a_lot(request: Any) -> None:
    for number in range(2_000):
        warnings.warn(f"warning {number}", stacklevel=1)


@attack(204)
def logs_a_lot(request: Any) -> None:
    log = logging.getLogger("hostile")
    for number in range(2_000):
        log.warning("line %d", number)


@attack()
def changes_the_request(request: Any) -> Any:
    request.method = "GET"


@attack(204, 500)
def changes_the_class_of_requests(request: Any) -> None:
    kind = type(request)
    before = vars(kind)["method"]
    kind.method = "GET"
    UNDO.append(lambda: setattr(kind, "method", before))


@attack()
def makes_a_request(request: Any) -> Any:
    return type(request)()


@attack()
def makes_a_map(request: Any) -> Any:
    return type(ccf.kv["x"])("public:ccf.gov.users.certs")


@attack()
def derives_from_a_map(request: Any) -> Any:
    return type("Derived", (type(ccf.kv["x"]),), {})


@attack(500, 204)
def raises_every_exception_class(request: Any) -> Any:
    """Also those that only Rust should raise."""
    found = list(BaseException.__subclasses__())
    for panic in found:
        if panic.__name__ == "PanicException":
            raise panic("on purpose")


@attack(204)
def deletes_its_globals(request: Any) -> None:
    kept = dict(globals())
    UNDO.append(lambda update=globals().update: update(kept))  # type: ignore[misc]
    for name in ("json", "gc", "io", "warnings"):
        del globals()[name]


@attack(200)
def imports_everything(request: Any) -> Any:
    """What the policy gives of the standard library, as far as the time goes."""
    imported = 0
    for name in sorted(sys.stdlib_module_names):
        try:
            importlib.import_module(name)
            imported += 1
        except (ImportError, PermissionError):
            pass
        except ccf.TimeLimitExceeded:
            break
    return {"some": imported > 20}


@attack(200)
def walks_its_packages(request: Any) -> Any:
    return {"some": sum(1 for _ in pkgutil.iter_modules()) >= 0}
