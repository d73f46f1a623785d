"""Rules of the network: which host and port an app may reach, judged at each use of a socket."""

from __future__ import annotations

import _socket
import builtins
import socket
import sys
import time
from collections.abc import Callable

from . import paths
from .policy import Policy

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

_WORDS = {
    "socket.bind": "listen at",
    "socket.connect": "connect to",
    "socket.sendto": "send to",
    "socket.sendmsg": "send to",
}
_NAMES = {
    "socket.getaddrinfo": "look up the host",
    "socket.gethostbyaddr": "look up the host",
    "socket.gethostbyname": "look up the host",
    "socket.getnameinfo": "look up the host",
}
_KEEP_ADDRESSES_SECONDS = 60.0
_NO_PORT = "*"


def split(rule: str) -> tuple[str, str]:
    """Host (lower case, without brackets) and port of a rule "host:port"."""
    host, _colon, port = rule.rpartition(":")
    if host[:1] == "[" and host[-1:] == "]":
        host = host[1:-1]
    return host.lower(), port


def _resolver() -> Callable[[str], frozenset[str]]:
    """A function that gives the addresses of a host, asked for at most once a minute."""
    known: dict[str, tuple[float, frozenset[str]]] = {}
    getaddrinfo, now = _socket.getaddrinfo, time.monotonic

    def addresses(host: str) -> frozenset[str]:
        at, found = known.get(host, (0.0, frozenset()))
        if found and now() - at < _KEEP_ADDRESSES_SECONDS:
            return found
        try:
            answers = getaddrinfo(host, None)
        except OSError:
            return frozenset()
        found = frozenset(answer[4][0] for answer in answers)
        known[host] = (now(), found)
        return found

    return addresses


def judges(policy: Policy, place: str, refusal: Callable[..., str]) -> list[tuple[str, Callable]]:
    """The judges of events of sockets, for the policy's rules."""
    if "*" in policy.network:
        return []
    rules = tuple(split(rule) for rule in policy.network)
    addresses = _resolver()
    pair_code, init_code = socket.socketpair.__code__, socket.socket.__init__.__code__
    getframe = sys._getframe

    def allowed(host: str, port: str | None) -> bool:
        host = host.lower()
        fitting = [rule for rule in rules if port is None or rule[1] in (_NO_PORT, port)]
        if any(rule[0] == host for rule in fitting):
            return True
        # A name the app has looked up comes back as an address.
        numeric = ":" in host or host.replace(".", "").isdigit()
        return numeric and any(host in addresses(rule[0]) for rule in fitting)

    def line(host: str, port: object) -> str:
        return f'network = ["{"[" + host + "]" if ":" in host else host}:{port}"]'

    def judge_address(event: str, args: tuple) -> str | None:
        address = args[1] if len(args) > 1 else None
        what = _WORDS[event]
        if address is None:
            return None  # a message on a socket that is connected, which was judged
        if type(address) is tuple and len(address) >= 2 and type(address[1]) is int:
            host = paths.plain_text(address[0])
            if host is not None:
                port = str(address[1])
                if allowed(host, port):
                    return None
                if port == "0":
                    port = "*"
                return refusal(f"{what} {host}:{port}", place, line(host or "0.0.0.0", port))
        return refusal(f"{what} an address of this kind", place, 'network = ["*"]')

    def judge_name(event: str, args: tuple) -> str | None:
        value = args[0]
        if event == "socket.getnameinfo" and type(value) is tuple and value:
            value = value[0]
        host = paths.plain_text(value)
        if host is None:
            return None  # no host: addresses of this machine, which say nothing outside
        if allowed(host, None):
            return None
        port = args[1] if event == "socket.getaddrinfo" else None
        return refusal(f"{_NAMES[event]} {host!r}", place, line(host, port or "*"))

    def judge_socket(_event: str, _args: tuple) -> str | None:
        # Event loops wake themselves through a pair of sockets. Any other could be given the number of
        # a connection that is not the app's.
        frame = getframe(1)
        while frame is not None and frame.f_code is not init_code:
            if not frame.f_code.co_filename.startswith(own):
                break
            frame = frame.f_back
        if frame is not None and frame.f_code is init_code and frame.f_back is not None:
            if frame.f_back.f_code is pair_code:
                return None
        return refusal("make a socket", place, 'network = ["host:port"]')

    own = __file__.rpartition("/")[0] + "/"
    found: list[tuple[str, Callable]] = [(event, judge_address) for event in _WORDS]
    found += [(event, judge_name) for event in _NAMES]
    if not rules:
        found.append(("socket.__new__", judge_socket))
    return found
