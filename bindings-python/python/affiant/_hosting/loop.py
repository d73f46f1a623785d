"""The event loop of a thread: made once, kept, and driven for one coroutine at a time.

A request's coroutine runs to its end before the next request begins, so between requests the loop
stands still: tasks that must outlive a request belong to the app's lifespan, and run only while
requests do.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from asyncio import events
from collections.abc import Awaitable, Coroutine
from typing import Any

log = logging.getLogger("affiant.app.asgi")

LEFTOVER_SECONDS_MAX = 1.0
"""How long cancelled tasks of a finished request may take to end."""

LEFTOVER_ROUNDS_MAX = 3
LEFTOVERS_LOGGED_MAX = 5

SPAWNED_COUNT = 1_000
"""Tasks of one request that are remembered before those that are done are forgotten."""

# Set in a request's context, thus in that of every task it makes, and of no other task.
_in_request: contextvars.ContextVar[bool] = contextvars.ContextVar("in_request", default=False)

# Since 3.12 a task can take its first step at once, without a turn of the loop.
_EAGER = sys.version_info >= (3, 12)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that drives coroutines of requests, each in a copy of the calling context."""

    def __init__(self) -> None:
        super().__init__()
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
        context = contextvars.copy_context()
        context.run(_in_request.set, True)
        try:
            if not _EAGER:
                return self.run_until_complete(asyncio.Task(coroutine, loop=self, context=context))
            task = self._first_step(coroutine, context)
            return task.result() if task.done() else self.run_until_complete(task)
        finally:
            if self._spawned or self._ready:  # type: ignore[attr-defined]
                self._clean_up()

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
        left = {task for task in self._spawned if not task.done()}
        self._spawned.clear()
        if not left:
            # What is ready are calls of the finished request, such as a generator's end.
            self._turn()
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

    def _turn(self) -> None:
        self.call_soon(self.stop)
        self.run_forever()

    def keep(self) -> None:
        """Gives anyio's worker threads a task to live with, so that they serve many requests.

        They end with the outermost task that ran when they were made; that would be a request's.
        """
        if self._keeper is not None or "anyio" not in sys.modules:
            return
        ready = self.create_future()
        self._keeper = self.create_task(_keep(ready), name="affiant-keeper")
        self.run_until_complete(ready)

    def finish(self) -> None:
        """Cancels every task and closes the loop."""
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


def _nothing() -> None:
    """What a worker thread is made with."""


def _name(task: asyncio.Task[Any]) -> str:
    coroutine = task.get_coro()
    return getattr(coroutine, "__qualname__", None) or repr(coroutine)


class _Threads(threading.local):
    loop: Loop | None = None
    users: int = 0


_threads = _Threads()


def of_thread() -> Loop:
    """This thread's loop; made at the first call."""
    loop = _threads.loop
    if loop is None or loop.is_closed():
        loop = _threads.loop = Loop()
    return loop


def acquire() -> None:
    """One more app on this thread; it will say ``release`` on the same thread."""
    _threads.users += 1


def release() -> None:
    """One app less on this thread; the last one closes the loop."""
    loop = _threads.loop
    _threads.users = max(0, _threads.users - 1)
    if loop is not None and not _threads.users and not loop.is_closed():
        _threads.loop = None
        loop.finish()


def run(coroutine: Awaitable[Any]) -> Any:
    """Runs what an async handler returned, on this thread's loop, and returns its result.

    Raises:
        BaseException: what the coroutine raised.
    """
    if not asyncio.iscoroutine(coroutine):
        coroutine = _await(coroutine)
    return of_thread().drive(coroutine)


async def _await(awaitable: Awaitable[Any]) -> Any:
    return await awaitable
