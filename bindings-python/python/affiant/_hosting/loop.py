"""The event loop of a thread: made once, kept, and driven for one coroutine at a time.

A request's coroutine runs to its end before the next request begins, so between requests the loop
stands still: tasks that must outlive a request belong to the app's lifespan, and run only while
requests do.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import contextvars
import functools
import logging
import selectors
import sys
import threading
from asyncio import events
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from typing import Any

try:
    from affiant._native import assisting
except ImportError:  # tests of this part alone

    def assisting(function: Any) -> Any:
        return function


log = logging.getLogger("affiant.app.asgi")

BUSY_SECONDS_MAX = 60.0
"""How long a thread waits for another to let the loop go."""

LEFTOVER_SECONDS_MAX = 0.5
"""How long cancelled tasks of a finished request may take to end."""

WAIT_SECONDS_MAX = 0.05
"""How long the loop waits at once; see ``_Waking``."""

LEFTOVER_ROUNDS_MAX = 3
LEFTOVERS_LOGGED_MAX = 5

TURNS_MAX = 8
"""Turns of the loop that what a finished request left may take before it is cancelled."""

SPAWNED_COUNT = 1_000
"""Tasks of one request that are remembered before those that are done are forgotten."""

# Set in a request's context, thus in that of every task it makes, and of no other task.
_in_request: contextvars.ContextVar[bool] = contextvars.ContextVar("in_request", default=False)

# Since 3.12 a task can take its first step at once, without a turn of the loop.
_EAGER = sys.version_info >= (3, 12)


class _Waking(selectors.DefaultSelector):
    """Never waits long, for a time limit is raised only where Python code runs, and a request's
    code may run on a worker thread while its loop waits."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > WAIT_SECONDS_MAX:
            timeout = WAIT_SECONDS_MAX
        return super().select(timeout)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that drives coroutines of requests, each in a copy of the calling context."""

    def __init__(self) -> None:
        super().__init__(_Waking())
        self._lock = threading.Lock()
        self._spawned: list[asyncio.Task[Any]] = []
        self._spawned_max = SPAWNED_COUNT
        self._keeper: asyncio.Task[None] | None = None
        self._thread_id: int | None = None
        self.set_task_factory(_make_task)  # type: ignore[arg-type]

    def drive(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """Runs one coroutine of a request to its end and returns its result.

        Tasks that the request left behind are cancelled: they would run within the next one.

        Raises:
            RuntimeError: a loop already runs on this thread.
            BaseException: what the coroutine raised.
        """
        if events._get_running_loop() is not None:
            coroutine.close()
            raise RuntimeError(
                "an event loop already runs on this thread; a request cannot be served within it"
            )
        try:
            self._take()
        except RuntimeError:
            coroutine.close()
            raise
        context = contextvars.copy_context()
        context.run(_in_request.set, True)
        task: asyncio.Task[Any] | None = None
        try:
            if _EAGER:
                task = self._first_step(coroutine, context)
                if task.done():
                    return task.result()
            else:
                task = asyncio.Task(coroutine, loop=self, context=context)
            return self.run_until_complete(task)
        finally:
            try:
                if task is not None and not task.done():
                    # A time limit strikes the loop itself while it waits for another thread.
                    self._spawned.append(task)
                if self._spawned or self._ready:  # type: ignore[attr-defined]
                    self._clean_up()
            finally:
                self._lock.release()

    def _take(self) -> None:
        """Waits until no other thread uses the loop: an app may be loaded, served and ended on
        three."""
        if not (self._lock.acquire(False) or self._lock.acquire(timeout=BUSY_SECONDS_MAX)):
            raise RuntimeError("the app's event loop is in use on another thread")
        if self.is_closed():
            self._lock.release()
            raise RuntimeError("the app's event loop is closed: the app was shut down")

    @contextlib.contextmanager
    def taken(self) -> Iterator[None]:
        """This thread has the loop, to run what is no request.

        Raises:
            RuntimeError: it is closed, or another thread does not let it go.
        """
        self._take()
        try:
            yield
        finally:
            self._lock.release()

    def _first_step(
        self, coroutine: Coroutine[Any, Any, Any], context: contextvars.Context
    ) -> asyncio.Task[Any]:
        """Makes a task that has taken its first step, which most requests end with.

        Around it stands what ``run_forever`` would set up: this loop is the running one, and
        async generators are this loop's to close.
        """
        hooks = sys.get_asyncgen_hooks()
        self._thread_id = threading.get_ident()
        sys.set_asyncgen_hooks(
            firstiter=self._asyncgen_firstiter_hook,  # type: ignore[attr-defined]
            finalizer=self._asyncgen_finalizer_hook,  # type: ignore[attr-defined]
        )
        events._set_running_loop(self)
        try:
            return asyncio.Task(coroutine, loop=self, context=context, eager_start=True)  # type: ignore[call-arg,unused-ignore]
        finally:
            events._set_running_loop(None)
            sys.set_asyncgen_hooks(*hooks)
            self._thread_id = None

    def _remember(self, task: asyncio.Task[Any]) -> None:
        self._spawned.append(task)
        if len(self._spawned) >= self._spawned_max:
            self._spawned = [one for one in self._spawned if not one.done()]
            self._spawned_max = max(SPAWNED_COUNT, 2 * len(self._spawned))

    def _clean_up(self) -> None:
        # First what needs no waiting: calls that are ready, generators that close, tasks that
        # have only to see that their work is done.
        for _ in range(TURNS_MAX):
            self._turn()
            left = {task for task in self._spawned if not task.done()}
            if not left and not self._ready:  # type: ignore[attr-defined]
                break
        self._spawned.clear()
        if not left:
            return
        named = ", ".join(sorted(_name(task) for task in left)[:LEFTOVERS_LOGGED_MAX])
        log.warning(
            "%d task(s) outlived their request and are cancelled: %s; await them, use the "
            "framework's background tasks, or start them in the app's lifespan",
            len(left),
            named,
        )
        for _ in range(LEFTOVER_ROUNDS_MAX):
            for task in left:
                task.cancel()
            self.run_until_complete(asyncio.wait(left, timeout=LEFTOVER_SECONDS_MAX))
            left = {task for task in (*left, *self._spawned) if not task.done()}
            self._spawned.clear()
            if not left:
                return
        log.error("%d task(s) of a finished request refuse to be cancelled: %s", len(left), named)

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """As of any loop; the time limit of a request holds for its work on other threads too."""
        if executor is None or isinstance(executor, ThreadPoolExecutor):
            func = assisting(func)
        return super().run_in_executor(executor, func, *args)

    def _turn(self) -> None:
        self.call_soon(self.stop)
        self.run_forever()

    def keep(self) -> None:
        """Gives anyio's worker threads a task to live with, so that they serve many requests.

        They end with the outermost task that ran when they were made; that would be a request's.
        """
        if self._keeper is not None or "anyio" not in sys.modules:
            return
        # A thread inherits whether the process waits for it at its end. A handler that never ends
        # must not hold up a node that stops, so the first worker is made by a daemon.
        thread = threading.Thread(target=self._keep, name="affiant-keeper", daemon=True)
        thread.start()
        thread.join()

    def _keep(self) -> None:
        _limit_threads_of_anyio()
        with self.taken():
            ready = self.create_future()
            self._keeper = self.create_task(_keep(ready), name="affiant-keeper")
            self.run_until_complete(ready)

    def finish(self) -> None:
        """Cancels every task and closes the loop."""
        with self.taken():
            tasks = asyncio.all_tasks(self)
            for task in tasks:
                task.cancel()
            if tasks:
                self.run_until_complete(asyncio.wait(tasks, timeout=LEFTOVER_SECONDS_MAX))
            self.run_until_complete(self.shutdown_asyncgens())
            self.run_until_complete(self.shutdown_default_executor())
            self.close()


def _make_task(
    loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    if isinstance(loop, Loop) and _in_request.get():
        loop._remember(task)
    return task


async def _keep(ready: asyncio.Future[None]) -> None:
    from anyio import to_thread

    try:
        await to_thread.run_sync(_nothing)
    except Exception as error:
        log.warning("no worker thread: %s; sync endpoints cannot be served", error)
    ready.set_result(None)
    await asyncio.get_running_loop().create_future()


def _limit_threads_of_anyio() -> None:
    """Makes the time limit of a request hold for its sync endpoints, which anyio runs."""
    from anyio import to_thread

    run_sync = to_thread.run_sync
    if getattr(run_sync, "_limited", False):
        return

    @functools.wraps(run_sync)
    async def limited(func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return await run_sync(assisting(func), *args, **options)

    limited._limited = True  # type: ignore[attr-defined]
    to_thread.run_sync = limited  # type: ignore[assignment]


def _nothing() -> None:
    """What a worker thread is made with."""


def _name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or repr(coroutine)


class Slot:
    """The loop of one thread, and how many apps need it."""

    def __init__(self) -> None:
        self.loop: Loop | None = None
        self.users = 0

    def get(self) -> Loop:
        """The loop; made at the first call."""
        if self.loop is None or self.loop.is_closed():
            self.loop = Loop()
        return self.loop

    def release(self) -> None:
        """One app less, on any thread; the last one closes the loop."""
        self.users = max(0, self.users - 1)
        if not self.users and self.loop is not None:
            loop, self.loop = self.loop, None
            if not loop.is_closed():
                loop.finish()


class _Threads(threading.local):
    def __init__(self) -> None:
        self.slot = Slot()


_threads = _Threads()


def acquire() -> Slot:
    """This thread's slot, for one app more; the app will release it."""
    _threads.slot.users += 1
    return _threads.slot


def _at_exit() -> None:
    """Ends what an app without its ``shutdown`` left: Python waits for worker threads at exit, and
    anyio's wait for their task."""
    loop = _threads.slot.loop
    if loop is not None and not loop.is_closed() and not loop.is_running():
        loop.finish()


# `atexit` is too late: it comes after the wait for threads.
getattr(threading, "_register_atexit", atexit.register)(_at_exit)


def run(coroutine: Awaitable[Any]) -> Any:
    """Runs what an async handler returned, on this thread's loop, and returns its result.

    Raises:
        BaseException: what the coroutine raised.
    """
    if not asyncio.iscoroutine(coroutine):
        coroutine = _await(coroutine)
    return _threads.slot.get().drive(coroutine)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
