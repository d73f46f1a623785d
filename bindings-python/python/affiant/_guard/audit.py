"""The audit hook: judges what Python reports that it is about to do.

The hook cannot be taken off. It runs from a copy of this module and of those it uses that nothing else
refers to (see the package), keeps what it decides by in closures, uses a copy of the built-in names, and
leaves nothing of itself in the traceback of a refusal but one frame without state. For the same reason
these modules define no classes: `object.__subclasses__()` would lead to them.
"""

from __future__ import annotations

import builtins
import sys
import types
from collections.abc import Callable
from typing import Any

from . import names, network, origin, paths
from .policy import Places, Policy

__builtins__ = dict(vars(builtins))  # type: ignore[assignment]

Judge = Callable[[str, tuple], "str | None"]

# Files of the system that libraries look at to find the machine's shape, time zones and types of media.
PROBES = (
    "/dev/null",
    "/dev/random",
    "/dev/urandom",
    "/etc/localtime",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/timezone",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/self/cgroup",
    "/proc/self/maps",
    "/proc/self/stat",
    "/proc/self/statm",
    "/proc/self/status",
    "/sys/devices/system/cpu",
    "/sys/devices/system/node",
    "/sys/fs/cgroup",
    "/usr/lib/os-release",
    "/usr/share/zoneinfo",
)

_WRITING = 0x1 | 0x2 | 0x40 | 0x200 | 0x400  # O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND
_TEMPORARY = 0x400000  # O_TMPFILE, without O_DIRECTORY

# Native functions by which libraries ask BLAS and OpenMP for their number of threads.
_SYMBOLS = (
    "openblas_",
    "scipy_openblas_",
    "cblas_",
    "omp_",
    "MKL_",
    "mkl_",
    "bli_",
    "flexiblas_",
    "dl_iterate_phdr",
)

_CHANGES = {
    "os.chflags": "change the flags of",
    "os.chmod": "change the mode of",
    "os.chown": "change the owner of",
    "os.mkdir": "make the directory",
    "os.mkfifo": "make the pipe",
    "os.remove": "remove",
    "os.removexattr": "change the attributes of",
    "os.rmdir": "remove the directory",
    "os.setxattr": "change the attributes of",
    "os.truncate": "truncate",
    "os.utime": "change the times of",
    "os.rename": "rename",
    "os.link": "link",
    "os.symlink": "link",
    "os.lockf": "lock",
}
_TWO_PATHS = frozenset({"os.rename", "os.link", "os.symlink"})
_LOOKS = {
    "os.listdir": "list",
    "os.scandir": "list",
    "os.getxattr": "read the attributes of",
    "os.listxattr": "read the attributes of",
}
_PROGRAMS = {
    "os.exec": "replace the process by a program",
    "os.fork": "fork the process",
    "os.forkpty": "fork the process",
    "os.posix_spawn": "start a program",
    "os.spawn": "start a program",
    "os.startfile": "start a program",
    "os.system": "start a program",
    "pty.spawn": "start a program",
    "subprocess.Popen": "start a program",
    "webbrowser.open": "start a program",
}
_NEVER = {
    "builtins.input": "read from the terminal",
    "cpython.PyInterpreterState_New": "make an interpreter of its own",
    "cpython.run_command": "run a command of the interpreter",
    "cpython.run_file": "run a file in the interpreter",
    "cpython.run_interactivehook": "open an interactive interpreter",
    "cpython.run_module": "run a module in the interpreter",
    "cpython.run_startup": "run a startup file",
    "cpython.run_stdin": "run the standard input",
    "ensurepip.bootstrap": "install packages",
    "gc.get_objects": "walk the objects of the process",
    "gc.get_referents": "walk the objects of the process",
    "gc.get_referrers": "walk the objects of the process",
    "os.chdir": "change the working directory",
    "os.kill": "send a signal",
    "os.killpg": "send a signal",
    "os.putenv": "change the environment of the process",
    "os.unsetenv": "change the environment of the process",
    "pdb.Pdb": "start a debugger",
    "resource.prlimit": "change limits of the process",
    "resource.setrlimit": "change limits of the process",
    "signal.pthread_kill": "send a signal",
    "socket.sethostname": "change the name of the machine",
    "sys._current_exceptions": "look into other threads",
    "sys._current_frames": "look into other threads",
    "sys.addaudithook": "add an audit hook",
    "syslog.closelog": "write to the system's log",
    "syslog.openlog": "write to the system's log",
    "syslog.setlogmask": "write to the system's log",
    "syslog.syslog": "write to the system's log",
    "sqlite3.enable_load_extension": "load an extension of SQLite",
    "sqlite3.load_extension": "load an extension of SQLite",
}
_TRACING = ("sys.monitoring.register_callback", "sys.setprofile", "sys.settrace")


def refusal(what: str, place: str, line: str | None = None) -> str:
    """The text of a refusal: what the app may not do, and the line that allows it, if one does."""
    if line is None:
        return f"the app may not {what}; it does not belong to an app, and no policy allows it"
    return f"the app may not {what}; to allow it add to [tool.affiant.policy] in {place}:  {line}"


def _shown(value: object) -> str:
    """A value for a message, without asking the value itself: that could be code of the app."""
    kind = type(value)
    return repr(value) if kind is int or kind is str else f"of type {kind.__name__}"


def _quote(text: str) -> str:
    """A string as TOML writes it."""
    made = ['"']
    for character in text:
        if character in '"\\':
            made.append("\\" + character)
        elif character < " " or "\ud800" <= character <= "\udfff" or character == "\x7f":
            made.append(f"\\u{ord(character):04x}")
        else:
            made.append(character)
    made.append('"')
    return "".join(made)


def _file_judges(policy: Policy, places: Places, given: set[int]) -> list[tuple[str, Judge]]:
    """The judges of everything that takes a path."""
    write = tuple(paths.resolve(path) for path in policy.write) + ("/dev/null",)
    roots, standard = places.roots, places.standard
    probes = (*PROBES, *(paths.resolve(path) for path in PROBES))
    read = (*(paths.resolve(path) for path in policy.read), *write, *probes, *places.described)
    app, place = places.app, places.policy
    sqlite = "sqlite3" in policy.modules
    descriptors = bool(policy.read or policy.write or policy.network or policy.subprocess)

    def judge_path(value: object, writing: bool, what: str) -> str | None:
        text = "." if value is None else paths.plain_text(value)
        if text is None:
            # A number: a file that is open already, perhaps one of the node's.
            if descriptors or (type(value) is int and value in given):
                return None
            return refusal(f"{what} the open file {_shown(value)}", place, 'read = ["/..."]')
        if text == "":
            return None
        path = paths.resolve(text)
        if paths.inside(path, write if writing else read):
            return None
        if not writing and paths.of_library(path, roots, standard):
            return None
        if not writing and app is not None and paths.inside(path, (app,)):
            name = path.rpartition("/")[2]
            if what == "list" or name.endswith((".py", ".pyc")):
                return None
        key = "write" if writing else "read"
        purpose = ""
        if what == "open":
            purpose = " for writing" if writing else " for reading"
        return refusal(f"{what} {text!r}{purpose}", place, f"{key} = [{_quote(path)}]")

    def judge_open(_event: str, args: tuple) -> str | None:
        path, mode, flags = args
        writing = False
        if type(mode) is str:
            writing = "w" in mode or "a" in mode or "x" in mode or "+" in mode
        if type(flags) is int:
            writing = writing or flags & (_WRITING | _TEMPORARY) != 0
        return judge_path(path, writing, "open")

    def judge_look(event: str, args: tuple) -> str | None:
        return judge_path(args[0], False, _pick(_LOOKS, event))

    def judge_change(event: str, args: tuple) -> str | None:
        found = judge_path(args[0], True, _pick(_CHANGES, event))
        if found is None and event in _TWO_PATHS:
            found = judge_path(args[1], True, _pick(_CHANGES, event))
        return found

    def judge_map(_event: str, args: tuple) -> str | None:
        if args[0] == -1 or descriptors:
            return None
        return refusal(f"map the open file {_shown(args[0])} into memory", place, 'read = ["/..."]')

    def judge_fcntl(event: str, _args: tuple) -> str | None:
        if descriptors:
            return None
        return refusal(f"steer an open file ({event})", place, 'write = ["/..."]')

    def judge_sqlite(_event: str, args: tuple) -> str | None:
        # SQLite attaches further files without a word to the audit, so a path alone would not bind it.
        if not sqlite:
            return refusal("use SQLite", place, 'modules = ["sqlite3"]')
        if args[0] in (":memory:", ""):
            return None
        return judge_path(args[0], True, "open")

    found: list[tuple[str, Judge]] = [("open", judge_open), ("mmap.__new__", judge_map)]
    found += [(event, judge_look) for event in _LOOKS]
    found += [(event, judge_change) for event in _CHANGES]
    found += [(f"fcntl.{name}", judge_fcntl) for name in ("fcntl", "flock", "ioctl", "lockf")]
    found.append(("sqlite3.connect", judge_sqlite))
    return found


def _code_judges(policy: Policy, places: Places) -> list[tuple[str, Judge]]:
    """The judges of native functions, of code objects and of changes to the guard's functions."""
    place, own, trusted = places.policy, places.own, places.trusted

    def judge_native(event: str, args: tuple) -> str | None:
        if event == "ctypes.dlopen":
            name = paths.plain_text(args[0])
            if name is None or (name[:1] == "/" and paths.inside(paths.resolve(name), _loaded())):
                # Opens what is in the process already; its functions are judged when they are asked for.
                return None
            what = f"load the native library {name!r}"
        elif event == "ctypes.dlsym":
            name = paths.plain_text(args[1])
            if name is not None and name.startswith(_SYMBOLS):
                return None
            what = f"call the native function {_shown(args[1]) if name is None else name}"
        else:
            what = f"reach into native code ({event})"
        return refusal(what, place, "ctypes = true")

    def judge_code(event: str, args: tuple) -> str | None:
        filename = args[1]
        if event == "code.__new__":
            what = "make code"
        else:
            what = "compile code"
        if type(filename) is bytes:
            filename = filename.decode("utf-8", "surrogateescape")
        if type(filename) is not str or not origin.is_trusted(filename, trusted):
            return None
        if origin.is_trusted(origin.nearest_file(own), trusted):
            return None
        return refusal(f"{what} that claims to be of {filename!r}", place)

    def judge_marshal(_event: str, _args: tuple) -> str | None:
        if origin.is_trusted(origin.nearest_file(own), trusted):
            return None
        return refusal("load code with marshal", place)

    def judge_setattr(event: str, args: tuple) -> str | None:
        target, name = args[0], args[1]
        if type(target) is not types.FunctionType:
            return None
        filename = target.__code__.co_filename
        if type(filename) is not str or not filename.startswith(own):
            return None
        return refusal(f"change {_shown(name)} of a function of the guard", place)

    found: list[tuple[str, Judge]] = [
        ("compile", judge_code),
        ("code.__new__", judge_code),
        ("marshal.load", judge_marshal),
        ("marshal.loads", judge_marshal),
        ("object.__delattr__", judge_setattr),
        ("object.__setattr__", judge_setattr),
    ]
    if not policy.ctypes:
        native = "dlopen dlsym dlsym/handle call_function string_at wstring_at cdata".split()
        found += [(f"ctypes.{name}", judge_native) for name in native]
    return found


def _loaded(*, opened=open) -> tuple[str, ...]:
    """The files mapped into the process: the native libraries it has loaded."""
    with opened("/proc/self/maps", encoding="utf-8", errors="surrogateescape") as lines:
        return tuple({line[line.index("/") :].rstrip("\n") for line in lines if "/" in line})


def _pick(table: dict[str, str], event: str) -> str:
    """The words of `event`."""
    return table[event]


def _import_judge(finder: Any, places: Places) -> Judge:
    """The judge of imports: native code by its path, and `finder` stays first."""
    roots, standard, place = places.roots, places.standard, places.policy

    def judge_import(_event: str, args: tuple) -> str | None:
        name, path = args[0], args[1]
        if type(name) is str and name in names.ONCE and name in sys.modules:
            return refusal(f"load {name!r} a second time", place)
        if path is not None:
            text = paths.plain_text(path)
            if text is None or not paths.of_library(paths.resolve(text), roots, standard):
                return refusal(f"load native code from {text!r}", place)
        chain = sys.meta_path
        if type(chain) is not list:
            sys.meta_path = [finder]
        elif not chain or chain[0] is not finder:
            list.insert(chain, 0, finder)
        return None

    return judge_import


def judges(
    policy: Policy,
    places: Places,
    finder: Any,
    given: set[int],
    tracing: bool,
) -> list[tuple[str, Judge]]:
    """Every event that is judged, with its judge.

    `finder`: what is to stand first in `sys.meta_path`.
    `given`: the numbers of open files that are the app's.
    `tracing`: whether a debugger or a measure of coverage runs already, and goes on.
    """
    place = places.policy
    never = types.MappingProxyType(dict(_NEVER))
    programs = types.MappingProxyType(dict(_PROGRAMS))

    def judge_never(event: str, _args: tuple) -> str | None:
        return refusal(never[event], place)

    def judge_program(event: str, args: tuple) -> str | None:
        what = programs[event]
        name = args[0] if args else None
        name = paths.plain_text(name)
        return refusal(what if name is None else f"{what} ({name!r})", place, "subprocess = true")

    def judge_tracing(_event: str, _args: tuple) -> str | None:
        return refusal("trace or profile the process", place)

    found = _file_judges(policy, places, given) + _code_judges(policy, places)
    found += network.judges(policy, place, refusal)
    found.append(("import", _import_judge(finder, places)))
    found += [(event, judge_never) for event in never]
    if not policy.subprocess:
        found += [(event, judge_program) for event in programs]
    if not tracing:
        found += [(event, judge_tracing) for event in _TRACING]
    return found


def add(found: list[tuple[str, Judge]]) -> None:
    """Put the hook in place, for good."""
    watched = frozenset(event for event, _judge in found)
    pairs = tuple(found)

    def decide(event: str, args: tuple) -> BaseException | None:
        for name, judge in pairs:
            if name == event:
                try:
                    text = judge(event, args)
                except Exception as error:
                    text = f"the app may not do this ({event}): it could not be judged ({_shown(error)})"
                except BaseException as error:
                    # Sent from outside while this ran (a time limit): it goes on, without these frames.
                    return error.with_traceback(None)
                return None if text is None else PermissionError(text)
        return None

    def hook(event, args, watched=watched, decide=decide):
        if event in watched:
            try:
                error = decide(event, args)
            except BaseException:
                # The frame of this function is what a traceback shows: it keeps no way in.
                decide = watched = None
                raise
            if error is not None:
                decide = watched = None
                raise error

    # A frame gives away its globals too, so the hook has none but the name of an exception.
    names = {"__builtins__": {"BaseException": BaseException}}
    sys.addaudithook(types.FunctionType(hook.__code__, names, "hook", hook.__defaults__))
