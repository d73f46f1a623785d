"""Attacks on time: what never ends, what swallows its interruption, what loops where no interruption
comes."""

from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
import itertools
import queue
import re
import select
import threading
import time
from typing import Any

from attacks import attack, for_ever, rounds, seconds

SLOW = "Operation took too long to complete."


@attack(says=SLOW)
def loop(request: Any) -> Any:
    while True:
        pass


@attack(says=SLOW)
def loop_of_an_iterator(request: Any) -> Any:
    return all(number == 0 for number in iter(int, 1))


@attack(says=SLOW)
def loop_within_finally(request: Any) -> Any:
    try:
        while True:
            pass
    finally:
        while True:
            pass


@attack(says=SLOW)
def loop_after_an_exception(request: Any) -> Any:
    with contextlib.suppress(Exception):
        while True:
            with contextlib.suppress(Exception):
                raise ValueError


@attack(says=SLOW)
def loop_in_a_comparison(request: Any) -> Any:
    class Endless:
        def __lt__(self, other: object) -> bool:
            while True:
                pass

    return sorted([Endless(), Endless()])


@attack(blocks=True, only="workers")
def twice_as_deep_with_every_exception(request: Any) -> Any:
    def deeper() -> None:
        try:
            deeper()
        finally:
            deeper()

    deeper()


@attack(blocks=True)
def swallows_its_interruption(request: Any) -> Any:
    end = time.monotonic() + seconds(request)
    while time.monotonic() < end:
        try:
            while time.monotonic() < end:
                pass
        except BaseException:
            continue
    return {"answered": True}


@attack(204, 500)
def interrupted_once_and_answers(request: Any) -> Any:
    try:
        while True:
            pass
    except BaseException:
        return None


@attack(blocks=True)
def sums_for_ever(request: Any) -> Any:
    def work(count: int) -> object:
        return sum(itertools.repeat(0, count))

    return work(rounds(request, work, 200_000))


@attack(blocks=True)
def consumes_for_ever(request: Any) -> Any:
    def work(count: int) -> object:
        return collections.deque(itertools.repeat(0, count), maxlen=0)

    work(rounds(request, work, 200_000))


@attack(blocks=True)
def matches_for_ever(request: Any) -> Any:
    if for_ever(request):
        return re.match(r"(a|a)+$", "a" * 200 + "b")

    def work(count: int) -> object:
        return re.search(r"(a|a)+$", ("a" * 12 + "b") * count)

    return work(rounds(request, work, 4))


@attack(blocks=True, only="workers")
def powers_for_ever(request: Any) -> Any:
    return pow(3, 1 << 28)


@attack(blocks=True, only="workers")
def compares_for_ever(request: Any) -> Any:
    big = "a" * 1_000_000
    return [(big * 3).find(big + "b") for _ in itertools.repeat(0)]


@attack(blocks=True, only="workers")
def sorts_for_ever(request: Any) -> Any:
    row = list(range(1000)) * 1000
    return max(map(sorted, itertools.repeat(row)))


@attack(blocks=True)
def sleeps_for_ever(request: Any) -> Any:
    time.sleep(seconds(request))


@attack(blocks=True, only="workers")
def waits_for_a_lock_of_its_own(request: Any) -> Any:
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()


@attack(blocks=True, only="workers")
def waits_for_a_queue(request: Any) -> Any:
    queue.SimpleQueue().get(timeout=seconds(request))  # type: ignore[var-annotated]


@attack(blocks=True, only="workers")
def waits_for_a_file(request: Any) -> Any:
    select.select([], [], [], seconds(request))


@attack(blocks=True, only="workers")
def waits_for_a_pool(request: Any) -> Any:
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        pool.submit(time.sleep, 1e6).result()


@attack(says=SLOW)
async def sleeps_async(request: Any) -> Any:
    await asyncio.sleep(1e6)


@attack(says=SLOW)
async def spins_async(request: Any) -> Any:
    while True:
        await asyncio.sleep(0)


@attack(204)
async def leaves_a_coroutine(request: Any) -> Any:
    asyncio.sleep(1)


@attack(204)
async def leaves_tasks(request: Any) -> Any:
    for _ in range(1000):
        asyncio.get_running_loop().create_task(asyncio.sleep(1e6))


@attack(204, 500)
async def leaves_a_task_that_refuses(request: Any) -> Any:
    async def stubborn() -> None:
        for _ in range(6):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1e6)

    asyncio.get_running_loop().create_task(stubborn())


@attack()
async def stops_the_loop(request: Any) -> Any:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    await asyncio.sleep(0.01)


@attack(says="RuntimeError")
async def closes_the_loop(request: Any) -> Any:
    asyncio.get_running_loop().close()


@attack(says="RuntimeError")
async def runs_the_loop_within_itself(request: Any) -> Any:
    asyncio.get_running_loop().run_until_complete(asyncio.sleep(0))


@attack(says="RuntimeError")
async def runs_another_loop_within(request: Any) -> Any:
    asyncio.run(asyncio.sleep(0))


@attack(blocks=True, only="workers")
def runs_a_loop_for_ever(request: Any) -> Any:
    asyncio.new_event_loop().run_forever()


@attack(says="CancelledError")
async def cancels_itself(request: Any) -> Any:
    task = asyncio.current_task()
    if task is not None:
        task.cancel()
    await asyncio.sleep(1)


@attack(says="cannot reuse already awaited coroutine")
async def awaits_twice(request: Any) -> Any:
    coroutine = asyncio.sleep(0)
    await coroutine
    await coroutine
