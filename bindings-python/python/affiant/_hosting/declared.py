"""The decorator ``ccf.endpoint`` and its registry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

VERBS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS")
MODES = ("readwrite", "readonly", "historical")
RESPOND = ("committed", "early", "receipt")
DECLARED_COUNT_MAX = 10_000

Auth = str | dict[str, list[str]]


@dataclass(frozen=True)
class Declared:
    """One use of the decorator: a function, where it is served and how."""

    function: Callable[..., Any]
    module: str
    name: str
    path: str
    methods: tuple[str, ...]
    properties: dict[str, Any] = field(hash=False)


_registry: dict[str, list[Declared]] = {}


def endpoint(
    path: str,
    methods: str | Sequence[str] = ("GET",),
    auth: Auth | Sequence[Auth] = ("user_cert",),
    mode: str = "readwrite",
    respond: str = "committed",
    openapi: dict[str, Any] | None = None,
    openapi_hidden: bool = False,
) -> Callable[[F], F]:
    """Serves the decorated function, which stays what it is.

    Args:
        path: below ``/app``, as in app.json; ``{name}`` is a parameter (``request.params``).
        methods: HTTP verbs.
        auth: names of authentication policies, any of which admits a caller (``"no_auth"``
            admits everybody), or ``{"all_of": [names]}``.
        mode: ``"readwrite"``, ``"readonly"`` or ``"historical"``.
        respond: when the answer leaves: once ``"committed"``, ``"early"``, or with the
            ``"receipt"``.
        openapi: the OpenAPI operation object of the endpoint.
        openapi_hidden: leaves the endpoint out of the OpenAPI document.

    Raises:
        TypeError: an argument has the wrong type; ``@ccf.endpoint`` without a path, for one.
        ValueError: an argument has no such value.
    """
    if callable(path):
        raise TypeError('ccf.endpoint needs a path: write @ccf.endpoint("/path")')
    if not isinstance(path, str):
        raise TypeError(f"ccf.endpoint: path is {path!r}; it must be a string")
    if not path.startswith("/"):
        raise ValueError(f"ccf.endpoint: path is {path!r}; it must start with a slash")
    verbs = _verbs(path, methods)
    try:
        used = properties(auth, mode, respond)
    except (TypeError, ValueError) as error:
        raise type(error)(f"ccf.endpoint({path!r}): {error}") from None
    if openapi is not None:
        if not isinstance(openapi, dict):
            raise TypeError(f"ccf.endpoint({path!r}): openapi must be a dict")
        used["openapi"] = openapi
    if openapi_hidden:
        used["openapi_hidden"] = True
    caller: str = sys._getframe(1).f_globals.get("__name__", "")

    def register(function: F) -> F:
        if not callable(function):
            raise TypeError(f"ccf.endpoint({path!r}) decorates {function!r}, which is no function")
        name = getattr(function, "__qualname__", type(function).__qualname__)
        # A partial or an instance names the module of its class; then the caller's is meant.
        module = function.__module__ if hasattr(function, "__code__") else caller
        _register(Declared(function, module, name, path, verbs, used))
        return function

    return register


def properties(auth: Auth | Sequence[Auth], mode: str, respond: str) -> dict[str, Any]:
    """These options as properties of an endpoint.

    Raises:
        TypeError, ValueError: one of them is none.
    """
    return {
        "authn_policies": _policies(auth),
        "mode": _choice("mode", mode, MODES),
        "respond": _choice("respond", respond, RESPOND),
    }


def _register(declared: Declared) -> None:
    entries = _registry.setdefault(declared.module, [])
    if len(entries) >= DECLARED_COUNT_MAX:
        raise ValueError(f"ccf.endpoint: more than {DECLARED_COUNT_MAX} in {declared.module}")
    entries.append(declared)


def in_modules(names: Iterable[str]) -> list[Declared]:
    """What the modules of these names declared, in the order of the declarations per module."""
    return [declared for name in names for declared in _registry.get(name, ())]


def forget(names: Iterable[str]) -> None:
    """Drops what these modules declared, before they are run anew."""
    for name in names:
        _registry.pop(name, None)


def _verbs(path: str, methods: str | Sequence[str]) -> tuple[str, ...]:
    listed = [methods] if isinstance(methods, str) else list(methods)
    verbs = tuple(verb.upper() if isinstance(verb, str) else str(verb) for verb in listed)
    wrong = [verb for verb in verbs if verb not in VERBS]
    if wrong or not verbs:
        raise ValueError(
            f"ccf.endpoint({path!r}): methods is {methods!r}; known are {', '.join(VERBS)}"
        )
    if len(set(verbs)) != len(verbs):
        raise ValueError(f"ccf.endpoint({path!r}): methods has a verb twice: {methods!r}")
    return verbs


def _policies(auth: Auth | Sequence[Auth]) -> list[Auth]:
    if not isinstance(auth, (str, dict, list, tuple)):
        raise TypeError(f"auth is {auth!r}; it must be a list of names of policies")
    listed = [auth] if isinstance(auth, (str, dict)) else list(auth)
    for policy in listed:
        names = policy.get("all_of") if isinstance(policy, dict) else [policy]
        if not (isinstance(names, list) and names and all(isinstance(n, str) for n in names)):
            raise TypeError(
                f"auth has {policy!r}; an element is the name of a policy or " '{"all_of": [names]}'
            )
    if not listed:
        raise ValueError('auth is empty; to admit anybody say auth=["no_auth"]')
    return listed


def _choice(field_name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise ValueError(f"{field_name} is {value!r}; it must be one of {', '.join(choices)}")
    return value
