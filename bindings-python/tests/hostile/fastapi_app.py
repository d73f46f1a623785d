"""A FastAPI app whose endpoints, sync and async, never end, and one that means well."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import ccf
from fastapi import BackgroundTasks, FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()
ended: list[str] = []


def spin(name: str) -> None:
    """Loops until something raises here, and remembers what."""
    try:
        while True:
            pass
    except BaseException as error:
        ended.append(f"{name}: {type(error).__name__}")
        raise


@app.get("/fine")
def fine() -> dict[str, Any]:
    ccf.kv["fine"]["k"] = 1
    return {"fine": ccf.kv["fine"]["k"]}


@app.get("/ended")
async def told() -> dict[str, Any]:
    threads = [one.name for one in threading.enumerate()]
    return {"ended": ended, "threads": len(threads)}


@app.get("/sync")
def sync() -> None:
    spin("sync")


@app.get("/stubborn")
def stubborn() -> None:
    for number in range(3):
        try:
            spin(f"stubborn {number}")
        except BaseException:
            pass


@app.get("/async")
async def spins() -> None:
    spin("async")


@app.get("/to_thread")
async def in_a_thread() -> None:
    await asyncio.to_thread(spin, "to_thread")


@app.get("/executor")
async def in_an_executor() -> None:
    await asyncio.get_running_loop().run_in_executor(None, spin, "executor")


@app.get("/many")
async def in_many_threads() -> None:
    await asyncio.gather(*(asyncio.to_thread(spin, f"many {n}") for n in range(4)))


@app.get("/background")
def in_the_background(tasks: BackgroundTasks) -> dict[str, Any]:
    tasks.add_task(spin, "background")
    return {}


@app.get("/stream")
def endless_stream() -> StreamingResponse:
    def parts() -> Iterator[bytes]:
        while True:
            yield b"x" * 1000

    return StreamingResponse(parts())


@app.get("/sleeps")
def sleeps() -> None:
    # Python does not run meanwhile: it is interrupted when it wakes.
    time.sleep(1)
    spin("sleeps")
