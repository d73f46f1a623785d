"""CCF's converters, and digests."""

from __future__ import annotations

import hashlib
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


def digest(algorithm: str, data: bytes) -> bytes:
    """The digest of `data`.

    Args:
        algorithm: ``SHA-256``, ``SHA-384`` or ``SHA-512``.
        data: any bytes.

    Raises:
        ValueError: another algorithm.
    """
    names = {"SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
    name = names.get(algorithm)
    if name is None:
        raise ValueError(
            f"unsupported digest algorithm {algorithm!r}; supported: {', '.join(names)}"
        )
    return hashlib.new(name, data).digest()
