"""Each thing an app may not do: refused with the line that allows it, and allowed by that line."""

from __future__ import annotations

import socket
import tempfile
import tomllib

import pytest
from guarded import run

# A library that has loaded what an app may not import itself.
CARRIER = {"carrier.py": "import ctypes, os, signal, subprocess\nimport _posixsubprocess\n"}

# Source; a part of the refusal; what the app prints when the line is there.
CASES = {
    "read": (
        "print(len(open('/etc/passwd').read()) > 0)",
        "open '/etc/passwd' for reading",
        "True",
    ),
    "read, os": (
        "import os\nprint(os.open('/etc/passwd', os.O_RDONLY) > 2)",
        "open '/etc/passwd'",
        "True",
    ),
    "read, pathlib": (
        "import pathlib\nprint(len(pathlib.Path('/etc/passwd').read_bytes()) > 0)",
        "open '/etc/passwd' for reading",
        "True",
    ),
    "read, bytes": ("print(len(open(b'/etc/passwd').read()) > 0)", "open '/etc/passwd'", "True"),
    "read, dots": (
        "import os\nprint(len(open(os.path.dirname(os.__file__) + '/..' * 20 + '/etc/passwd').read()) > 0)",
        "/etc/passwd' for reading",
        "True",
    ),
    "list": ("import os\nprint('passwd' in os.listdir('/etc'))", "list '/etc'", "True"),
    "write": (
        "open('DIRECTORY/x', 'w').write('1')\nprint(open('DIRECTORY/x').read())",
        "DIRECTORY/x' for writing",
        "1",
    ),
    "write into a library": (
        "open('LIBRARY/carrier.py', 'a').write('#')\nprint('written')",
        "LIBRARY/carrier.py' for writing",
        "written",
    ),
    "remove": (
        "import os\nos.remove('LIBRARY/carrier.py')\nprint('gone')",
        "remove 'LIBRARY/carrier.py'",
        "gone",
    ),
    "make a directory": (
        "import os\nos.mkdir('DIRECTORY/d')\nprint('made')",
        "make the directory",
        "made",
    ),
    "subprocess": (
        "import carrier\n"
        "print(carrier.subprocess.run(['/bin/echo', 'hello'], capture_output=True, text=True).stdout)",
        "start a program ('/bin/echo')",
        "hello",
    ),
    "os.system": ("import os\nprint(os.system('true'))", "start a program ('true')", "0"),
    "os.popen": ("import os\nprint(os.popen('echo hello').read())", "start a program", "hello"),
    "os.posix_spawn": (
        "import os\nprint(os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)[1])",
        "start a program",
        "0",
    ),
    "fork": (
        "import os\npid = os.fork()\nif not pid:\n    os.execv('/bin/true', ['true'])\n"
        "print(os.waitpid(pid, 0)[1])",
        "fork the process",
        "0",
    ),
    "exec": (
        "import os\nos.execv('/bin/echo', ['echo', 'replaced'])",
        "replace the process",
        "replaced",
    ),
    "module": ("import pwd\nprint(pwd.getpwuid(0).pw_uid)", "import 'pwd'", "0"),
    "module, loaded": (
        "import carrier\nimport ctypes\nprint(ctypes.sizeof(ctypes.c_int))",
        "import 'ctypes'",
        "4",
    ),
    "module, importlib": (
        "import importlib\nprint(importlib.import_module('pty').__name__)",
        "import 'pty'",
        "pty",
    ),
    "module, __import__": (
        "print(__import__('resource').__name__)",
        "import 'resource'",
        "resource",
    ),
    "module, eval": (
        "eval(\"print(__import__('resource').__name__)\")",
        "import 'resource'",
        "resource",
    ),
    "module, exec": (
        "exec(compile('import resource; print(resource.__name__)', 'x.py', 'exec'))",
        "import 'resource'",
        "resource",
    ),
    "native function": (
        "import carrier\nprint(carrier.ctypes.CDLL(None).abs(-3))",
        "call the native function abs",
        "3",
    ),
    "native library": (
        "import carrier\nprint(carrier.ctypes.CDLL('libm.so.6') is not None)",
        "load the native library 'libm.so.6'",
        "True",
    ),
    "native memory": (
        "import carrier\nprint(carrier.ctypes.string_at(id(1), 4) != b'')",
        "reach into native code (ctypes.string_at)",
        "True",
    ),
    "sqlite": (
        "import sqlite3\nprint(sqlite3.connect(':memory:').execute('select 7').fetchone()[0])",
        "use SQLite",
        "7",
    ),
}


def allowing(text: str) -> dict:
    """The policy that the text of a refusal says to write."""
    head, _colons, line = text.partition(":  ")
    if "; to allow it add to [tool.affiant.policy] in " not in head:
        raise AssertionError(f"names no line: {text}")
    return tomllib.loads(line)


@pytest.mark.parametrize("name", CASES)
def test_refused_and_then_allowed_by_the_line_it_names(name: str) -> None:
    source, part, printed = CASES[name]
    first = run(source, library=CARRIER)
    base = first.directory
    part = part.replace("DIRECTORY", base).replace("LIBRARY", base[: -len("app")] + "library")
    assert part in first.refusal
    assert f"in {base}/pyproject.toml:  " in first.refusal
    policy = allowing(first.refusal)
    if "/app" in str(policy) or "/library" in str(policy):
        # Each run has directories of its own: the policy names those of the next.
        policy = {key: [tempfile.gettempdir()] for key in policy}
    second = run(source, policy, library=CARRIER)
    assert printed in second.out.split("\n"), (second.out, second.err)


def test_a_socket_is_refused_and_allowed_by_host_and_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = (
            f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 5)\nprint('connected')"
        )
        first = run(source)
        assert allowing(first.refusal) == {"network": [f"127.0.0.1:{port}"]}
        assert "connected" in run(source, {"network": [f"127.0.0.1:{port}"]}).passed().out
        other = run(source, {"network": [f"127.0.0.1:{port % 65535 + 1}"]})
        assert f"127.0.0.1:{port}" in other.refusal
        assert "connected" in run(source, {"network": ["127.0.0.1:*"]}).passed().out
        assert "connected" in run(source, {"network": ["*"]}).passed().out


def test_a_host_that_was_looked_up_is_reached_by_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        source = (
            f"import socket\nsocket.create_connection(('localhost', {port}), 5)\nprint('connected')"
        )
        assert "look up the host 'localhost'" in run(source).refusal
        assert "connected" in run(source, {"network": [f"localhost:{port}"]}).passed().out
        elsewhere = run(
            source.replace("'localhost'", "'127.0.0.2'"), {"network": [f"localhost:{port}"]}
        )
        assert f"127.0.0.2:{port}" in elsewhere.refusal


SOCKETS = {
    "make": "import socket\nsocket.socket()",
    "make of a number": "import socket\nsocket.socket(fileno=0)",
    "make, native": "import socket\nsocket.SocketType()",
    "listen": "import socket\nsocket.create_server(('127.0.0.1', 0))",
    "http": (
        "import urllib.request\ntry:\n    urllib.request.urlopen('http://192.0.2.1/')\n"
        "except OSError as error:\n    raise error.reason"
    ),
}


@pytest.mark.parametrize("name", SOCKETS)
def test_sockets_are_refused(name: str) -> None:
    assert "network = [" in run(SOCKETS[name]).refusal


NEVER = {
    "_exit": "import os\nos._exit(3)",
    "_exit, posix": "import sys\nsys.modules['posix']._exit(3)",
    "abort": "import os\nos.abort()",
    "signal": "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)",
    "alarm": "import signal\nsignal.alarm(1)",
    "raise_signal": "import signal\nsignal.raise_signal(9)",
    "kill": "import os\nos.kill(os.getpid(), 9)",
    "interrupt": "import _thread\n_thread.interrupt_main()",
    "trace": "import sys\nsys.settrace(lambda *a: None)",
    "profile": "import threading, sys\nsys.setprofile(lambda *a: None)",
    "heap": "import gc\ngc.get_objects()",
    "referrers": "import gc\ngc.get_referrers(1)",
    "chdir": "import os\nos.chdir('/')",
    "umask": "import os\nos.umask(0)",
    "input": "input()",
    "marshal": "import sys\nsys.modules['marshal'].loads(b'N')",
    "code": "f = lambda: 1\nf.__code__.replace(co_filename='LIBRARY/x.py')",
    "compile": "compile('1', 'LIBRARY/x.py', 'exec')",
}


@pytest.mark.parametrize("name", NEVER)
def test_never_allowed(name: str) -> None:
    assert "it does not belong to an app, and no policy allows it" in run(NEVER[name]).refusal


def test_no_further_audit_hook_is_added() -> None:
    # Python swallows the refusal of this one call: the hook is not added, without a word.
    source = "import sys\nsys.addaudithook(lambda *a: print('heard'))\nsys.audit('x')\nopen('/etc/passwd')"
    done = run(source)
    assert "heard" not in done.out and "/etc/passwd" in done.refusal


def test_the_environment_is_empty_but_for_the_names_of_the_policy() -> None:
    source = (
        "import os, sys\nprint(dict(os.environ), sys.modules['posix'].environ, os.getenv('SECRET'))\n"
        "os.environ['NEW'] = 'x'\nprint(os.environ['NEW'])"
    )
    given = {"SECRET": "s", "SHOWN": "t"}
    assert run(source, environment=given).passed().out.split("\n")[:2] == ["{} {} None", "x"]
    shown = run(source, {"environment": ["SHOWN"]}, environment=given).passed().out
    assert shown.split("\n")[0] == "{'SHOWN': 't'} {b'SHOWN': b't'} None"


def test_an_open_file_cannot_be_taken_by_its_number() -> None:
    for call in (
        "open(0)",
        "__import__('os').read(0, 1)",
        "__import__('os').write(1, b'x')",
        "__import__('os').close(1)",
    ):
        assert "to allow it" in run(call).refusal


def test_threads_loops_logging_and_computing_go_on() -> None:
    source = (
        "import asyncio, logging, sys, threading, json, decimal, zoneinfo, datetime, concurrent.futures\n"
        "logging.basicConfig(level=logging.INFO); logging.info('logged')\n"
        "async def f():\n    return await asyncio.to_thread(lambda: 42)\n"
        "print(asyncio.run(f()))\n"
        "with concurrent.futures.ThreadPoolExecutor(2) as pool:\n"
        "    print(sum(pool.map(abs, [-1, -2])))\n"
        "print(datetime.datetime(2026, 7, 1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin')).utcoffset())\n"
        "print('error', file=sys.stderr)\n"
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    logging.exception('kept')\n"
    )
    done = run(source).passed()
    assert done.out.split("\n")[:3] == ["42", "3", "2:00:00"]
    assert "INFO:root:logged" in done.err and "1 / 0" in done.err
