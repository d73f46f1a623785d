"""The Flask service of README.md, and one route more: to store what it computes on."""

from __future__ import annotations

from typing import Any

import ccf
from flask import request
from flask_listing import app

NUMBERS_COUNT_MAX = 10_000


@app.route("/data/<key>", methods=["PUT"])
def store(key: str) -> tuple[Any, int]:
    """Store a list of numbers under a key."""
    numbers = request.get_json(silent=True)
    if not isinstance(numbers, list) or not 1 <= len(numbers) <= NUMBERS_COUNT_MAX:
        return {"error": f"The body is a list of 1 to {NUMBERS_COUNT_MAX} numbers."}, 400
    if any(type(number) not in (int, float) for number in numbers):
        return {"error": "The body is a list of numbers alone."}, 400
    ccf.kv["sensitive_data"][key] = {"id": key, "numbers": numbers}
    return "", 204


@app.route("/results/<key>")
def result(key: str) -> tuple[Any, int]:
    """The stored result of a key."""
    found = ccf.kv["results"].get(key)
    if found is None:
        return {"error": f"There is no result {key}."}, 404
    return found, 200
