"""Functions Python reports to no audit hook: they are replaced by functions that refuse.

An attribute of a module is not a wall: who kept the function from before, or makes the module anew from
its native code, has it. `_imp` is therefore kept from making these modules a second time.
"""

from __future__ import annotations

import _imp
import _signal
import _socket
import _thread
import builtins
import os
import posix
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

from . import names, origin
from .policy import Policy

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

RECURSION_DEPTH_MAX = 10_000
"""Calls within calls; in C each takes up to a kilobyte of a stack."""

STACK_BYTES_MIN = 16 << 20
"""The stack of a thread that an app chooses."""

THREADS_COUNT_MAX = 256
"""Threads of Python at one time; each that waits for its turn costs all others time."""

SWITCH_SECONDS_MAX = 0.1
"""How long a thread may keep others from running."""

_PROCESS = """
    _exit abort chroot fchdir initgroups nice setegid seteuid setgid setgroups setns setpgid setpgrp
    setpriority setregid setresgid setresuid setreuid setsid setuid sched_setaffinity sched_setparam
    sched_setscheduler tcsetpgrp umask unshare wait wait3 wait4 waitid waitpid pidfd_open login_tty openpty
    posix_openpt mknod mkfifo
    """.split()
# They take the number of an open file, which may be one of the node's.
_DESCRIPTORS = """
    closerange copy_file_range dup dup2 fchmod fchown fdatasync fsync ftruncate lockf posix_fallocate
    posix_fadvise pread preadv pwrite pwritev readv sendfile set_blocking set_inheritable splice
    writev memfd_create eventfd eventfd_read eventfd_write
    """.split()
_SIGNALS = """
    alarm pthread_sigmask raise_signal set_wakeup_fd setitimer siginterrupt signal sigpending sigtimedwait
    sigwait sigwaitinfo pidfd_send_signal pause
    """.split()
_CRASHES = """
    _fatal_error _fatal_error_c_thread _read_null _sigabrt _sigfpe _sigsegv _stack_overflow
    dump_traceback_later enable register
    """.split()


def _refuser(what: str, place: str, line: str | None, refusal: Callable[..., str]) -> Callable:
    """A function that takes anything and refuses."""
    text = refusal(what, place, line)

    def refused(*_args: Any, **_named: Any) -> Any:
        raise PermissionError(text)

    return refused


def _put(modules: tuple[Any, ...], listed: list[str], make: Callable[[str], Callable]) -> None:
    """Replace the functions `listed` in every module of `modules` that has them."""
    for name in listed:
        if any(hasattr(module, name) for module in modules):
            function = make(name)
            function.__name__ = function.__qualname__ = name
            for module in modules:
                if hasattr(module, name):
                    setattr(module, name, function)


def _pipes(given: set[int], place: str, refusal: Callable[..., str]) -> None:
    """Let the app read, write and close the ends of pipes it made; other numbers may be the node's.

    Pools of threads tell each other through pipes. `given` receives the ends.
    """
    pipe = posix.pipe

    def own_pipe() -> tuple[int, int]:
        ends = pipe()
        given.update(ends)
        return ends

    def make(name: str) -> Callable:
        real = getattr(posix, name)
        text = refusal(f"call os.{name} on a file by its number", place, 'read = ["/..."]')

        def own(fd: int, *rest: Any) -> Any:
            if type(fd) is not int or fd not in given:
                raise PermissionError(text)
            if name == "close":
                given.discard(fd)
            return real(fd, *rest)

        return own

    system = (os, posix)
    _put(system, ["read", "write", "close"], make)
    _put(system, ["pipe"], lambda name: own_pipe)


def _signals(place: str, own: str, refusal: Callable[..., str]) -> None:
    """Signals are the node's: their functions refuse, and asyncio is told so in its own way."""
    text = refusal("set what a signal does", place, None)

    def set_signal(*_args: Any, **_named: Any) -> Any:
        if origin.nearest_file(own).endswith("/asyncio/runners.py"):
            raise ValueError("signals are handled by the node")  # what other threads get
        raise PermissionError(text)

    def make(name: str) -> Callable:
        if name == "signal":
            return set_signal
        return _refuser(f"use signal.{name}", place, None, refusal)

    _put((signal, _signal), _SIGNALS, make)


def _interpreter(place: str, refusal: Callable[..., str]) -> None:
    """Keep what the interpreter's own safety stands on: the depth of calls that fits on a stack, and
    how soon a thread lets others run, such as the one that watches the time limit."""

    def bounded(module: Any, name: str, within: Callable[[Any], bool], what: str) -> None:
        real = getattr(module, name)
        text = refusal(what, place)

        def own(*args: Any) -> Any:
            for value in args:
                if type(value) not in (int, float) or not within(value):
                    raise PermissionError(text)
            return real(*args)

        modules = (module, threading) if module is _thread else (module,)
        _put(modules, [name], lambda _name: own)

    bounded(
        sys,
        "setrecursionlimit",
        lambda value: value <= RECURSION_DEPTH_MAX,
        f"set the recursion limit above {RECURSION_DEPTH_MAX}",
    )
    bounded(
        sys,
        "setswitchinterval",
        lambda value: value <= SWITCH_SECONDS_MAX,
        f"set the switch interval above {SWITCH_SECONDS_MAX} s",
    )
    bounded(
        _thread,
        "stack_size",
        lambda value: value == 0 or value >= STACK_BYTES_MIN,
        f"give threads stacks of less than {STACK_BYTES_MIN} bytes",
    )


def _threads() -> None:
    """Bound the number of threads, as the system would, but sooner."""
    count = _thread._count
    text = f"can't start new thread: an app may have {THREADS_COUNT_MAX} of them at one time"

    def make(name: str) -> Callable:
        real = getattr(_thread, name.removeprefix("_"))

        def own(*args: Any, **named: Any) -> Any:
            if count() >= THREADS_COUNT_MAX:
                raise RuntimeError(text)
            return real(*args, **named)

        return own

    _put((threading,), ["_start_new_thread", "_start_joinable_thread"], make)
    _put((_thread,), ["start_new_thread", "start_new", "start_joinable_thread"], make)


def _environment(policy: Policy) -> None:
    """Leave the policy's names in `os.environ`; what is set from now on stays within Python."""

    def kept(*_args: Any) -> None:
        """Changes reach the mapping alone: native threads read the environment of the process."""

    os.putenv = os.unsetenv = kept  # type: ignore[assignment]
    shown = frozenset(policy.environment)
    for name in list(os.environ):
        if name not in shown:
            del os.environ[name]
    raw = posix.environ
    for name in list(raw):
        if os.fsdecode(name) not in shown:
            del raw[name]


def _no_second(refusal: Callable[..., str], place: str) -> None:
    """Keep `_imp` from making again the modules whose functions are replaced."""
    make = _imp.create_builtin
    once = names.ONCE

    def create_builtin(spec: Any) -> Any:
        name = spec.name
        if type(name) is not str or name in once:
            raise PermissionError(refusal("load a module of the system a second time", place))

        class Exact:
            """The name that was judged, whatever `spec` says next time."""

        exact = Exact()
        exact.name = name  # type: ignore[attr-defined]
        exact.origin = "built-in"  # type: ignore[attr-defined]
        return make(exact)

    _imp.create_builtin = create_builtin


def replace(
    policy: Policy,
    place: str,
    own: str,
    given: set[int],
    refusal: Callable[..., str],
) -> None:
    """Replace every function without an audit event that the policy does not allow.

    `given` is to hold the numbers of open files that are the app's.
    """
    system = (os, posix)

    def refuse(prefix: str, line: str | None = None) -> Callable[[str], Callable]:
        return lambda name: _refuser(f"call {prefix}.{name}", place, line, refusal)

    if not policy.subprocess:
        import _posixsubprocess

        line = "subprocess = true"
        _put((_posixsubprocess,), ["fork_exec"], refuse("_posixsubprocess", line))
        loaded = sys.modules.get("subprocess")
        if loaded is not None:
            _put((loaded,), ["_fork_exec"], refuse("subprocess", line))
    process = [name for name in _PROCESS if not (policy.subprocess and name.startswith("wait"))]
    _put(system, process, refuse("os"))
    if not (policy.read or policy.write or policy.network or policy.subprocess):
        _put(system, _DESCRIPTORS, refuse("os", 'read = ["/..."]'))
        _pipes(given, place, refusal)
        _put((_socket,), ["close", "dup"], refuse("socket", 'network = ["host:port"]'))
    _put((_thread,), ["interrupt_main"], refuse("_thread"))
    import faulthandler

    _put((faulthandler,), _CRASHES, refuse("faulthandler"))
    _signals(place, own, refusal)
    _interpreter(place, refusal)
    _threads()
    _environment(policy)
    _no_second(refusal, place)
