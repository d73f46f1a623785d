"""Facts that only a module can tell."""

import ccf
import deep.sibling
from deep.er.leaf import named

handle = ccf.kv["engine.handle"]
calls = 0


def facts():
    return {"body": {"named": named, "sibling": deep.sibling.name, "module": __name__}}


def bump():
    key = ccf.str_to_buf("n")
    before = int(ccf.buf_to_str(handle.get(key, b"0")))
    handle.set(key, ccf.str_to_buf(str(before + 1)))
    return {"body": before + 1}


def counted():
    global calls
    calls += 1
    return {"body": calls}


async def later():
    return {"body": "later"}


def inner():
    raise RuntimeError("test error: 42")


def throws():
    inner()


async def rejects():
    raise TypeError("late")
