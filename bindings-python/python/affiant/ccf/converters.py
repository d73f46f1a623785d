"""CCF's converters."""

from __future__ import annotations

import json
from typing import Any


def str_to_buf(text: str) -> bytes:
    """The UTF-8 of `text`."""
    return text.encode("utf-8")


def buf_to_str(data: bytes) -> str:
    """The text whose UTF-8 is `data`. Raises `UnicodeDecodeError` if it is none."""
    return bytes(data).decode("utf-8")


def json_compatible_to_buf(value: Any) -> bytes:
    """The JSON text of `value`, without spaces, as UTF-8."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def buf_to_json_compatible(data: bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` if it is none."""
    return json.loads(bytes(data))
