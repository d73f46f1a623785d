"""Attacks on the process: programs, signals, threads, ends."""

from __future__ import annotations

import _thread
import atexit
import builtins
import contextvars
import importlib
import os
import signal
import sys
import threading
import time
from typing import Any

import ccf
from attacks import UNDO, attack

NO = "the app may not"
LATE: list[str] = []


def refused(name: str, call: Any) -> None:
    """An attack that the guard refuses."""

    def function(request: Any) -> Any:
        return {"body": repr(call())}

    function.__name__ = name
    attack(500, says=NO)(function)


def module(name: str) -> Any:
    return importlib.import_module(name)


refused("forks", lambda: os.fork())
refused("executes", lambda: os.execv(sys.executable, [sys.executable]))
refused("spawns", lambda: os.posix_spawn("/bin/true", ["true"], {}))
refused("starts_a_shell", lambda: os.system("true"))
refused("starts_a_program", lambda: os.popen("true"))
refused("kills_itself", lambda: os.kill(os.getpid(), signal.SIGKILL))
refused("kills_its_parent", lambda: os.kill(os.getppid(), signal.SIGKILL))
refused("kills_its_group", lambda: os.killpg(0, signal.SIGKILL))
refused("exits_at_once", lambda: os._exit(0))
refused("aborts", lambda: os.abort())
refused("raises_a_signal", lambda: signal.raise_signal(signal.SIGTERM))
refused("sends_a_thread_a_signal", lambda: signal.pthread_kill(threading.get_ident(), 9))
refused("handles_a_signal", lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
refused("sets_a_timer", lambda: signal.setitimer(signal.ITIMER_REAL, 0.001))
refused("sets_an_alarm", lambda: signal.alarm(1))
refused("waits_for_a_signal", lambda: signal.sigwait({signal.SIGTERM}))
refused("interrupts_the_main_thread", lambda: _thread.interrupt_main())
refused("closes_every_file", lambda: os.closerange(0, 1000))
refused("closes_a_file", lambda: os.close(3))
refused("redirects_a_file", lambda: os.dup2(0, 1))
refused("imports_ctypes", lambda: module("ctypes"))
refused("imports_ctypes_below", lambda: module("_ctypes"))
refused("uses_subprocess", lambda: module("subprocess").Popen(["true"]))
refused("imports_multiprocessing", lambda: module("multiprocessing"))
refused("uses_faulthandler", lambda: module("faulthandler")._sigsegv())
refused("imports_resource", lambda: module("resource"))
refused("profiles", lambda: sys.setprofile(lambda *_: None))
refused("traces", lambda: sys.settrace(lambda *_: None))
refused("connects", lambda: module("socket").create_connection(("127.0.0.1", 1)))
refused("reads_a_file", lambda: open("/etc/passwd").read())
refused("writes_a_file", lambda: open("hostile.txt", "w"))
refused("reads_memory", lambda: open("/proc/self/mem", "rb"))
refused("reads_the_environment", lambda: open("/proc/self/environ").read())


@attack(200)
def hooks_the_audit(request: Any) -> Any:
    """Python takes a refusal for a silent one; the hook is not added."""
    heard: list[str] = []
    sys.addaudithook(lambda event, _: heard.append(event))
    importlib.import_module("json")
    return {"heard": heard}


@attack(says="_xxsubinterpreters")
def imports_interpreters(request: Any) -> Any:
    module("_xxsubinterpreters")


def raises(name: str, error: BaseException, says: str) -> None:
    """An attack that ends with an exception that is no error of an app."""

    def function(request: Any) -> Any:
        raise error

    function.__name__ = name
    attack(500, says=says)(function)


raises("raises_exit", SystemExit(0), "SystemExit")
raises("raises_exit_of_an_object", SystemExit(object()), "SystemExit")
raises("raises_interrupt", KeyboardInterrupt(), "KeyboardInterrupt")
raises("raises_generator_exit", GeneratorExit(), "GeneratorExit")
raises("raises_stop", StopIteration(1), "StopIteration")
raises("raises_stop_async", StopAsyncIteration(), "StopAsyncIteration")
raises("raises_base", BaseException(), "BaseException")
raises("raises_time_limit", ccf.TimeLimitExceeded(), "took too long")
raises("raises_no_transaction", ccf.NoTransactionError("none"), "NoTransactionError")


@attack(says="SystemExit")
def exits(request: Any) -> Any:
    sys.exit(3)


@attack(says="SystemExit")
def quits(request: Any) -> Any:
    getattr(builtins, "exit")(3)


@attack(says="SystemExit")
async def exits_async(request: Any) -> Any:
    sys.exit(3)


@attack(says="KeyboardInterrupt")
async def interrupts_async(request: Any) -> Any:
    raise KeyboardInterrupt


@attack(204)
def exits_in_a_thread(request: Any) -> None:
    thread = threading.Thread(target=sys.exit)
    thread.start()
    thread.join()


@attack(204)
def registers_for_the_end(request: Any) -> None:
    atexit.register(lambda: None)


@attack(204)
def writes_later(request: Any) -> None:
    context = contextvars.copy_context()
    ended = threading.Event()

    def later() -> None:
        ended.wait(5)
        end = time.monotonic() + 5
        while not LATE and time.monotonic() < end:
            try:
                ccf.kv["late"]["k"] = 1
                time.sleep(0.001)
            except ccf.NoTransactionError as error:
                LATE.append(str(error))

    threading.Thread(target=context.run, args=(later,), daemon=True).start()
    ended.set()


@attack(204)
def leaves_a_spinning_thread(request: Any) -> None:
    spinning = [True]
    UNDO.append(spinning.clear)

    def spin() -> None:
        while spinning:
            pass

    threading.Thread(target=spin, daemon=True).start()


@attack(says="can't start new thread", only="workers")
def starts_ten_thousand_threads(request: Any) -> Any:
    """In the node an interruption that comes while a thread starts may leave a lock of `threading` held
    for ever, and the app with it; a lock in C, since one in Python would be such a one too."""
    lock = threading.Lock()
    lock.acquire()
    UNDO.append(lambda: lock.locked() and lock.release())

    def wait() -> None:
        with lock:
            pass

    threads = []
    try:
        for _ in range(10_000):
            thread = threading.Thread(target=wait, daemon=True)
            thread.start()
            threads.append(thread)
    finally:
        lock.release()
    return {"started": len(threads)}


@attack(204)
def a_thread_that_fails(request: Any) -> None:
    def fail() -> None:
        raise ValueError("in a thread")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()


@attack(204)
def prints_a_lot(request: Any) -> None:
    for _ in range(20_000):
        print("x" * 50)


@attack(204)
def prints_one_long_line(request: Any) -> None:
    print("x" * 20_000_000)


@attack(204)
def prints_what_is_no_text(request: Any) -> None:
    print("\udc80\0\x1b[2J\r\n\u2028")
