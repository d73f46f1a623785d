"""CCF's converters."""

from __future__ import annotations

import json
from typing import Any

from affiant import _native


def str_to_buf(text: str) -> bytes:
    """The UTF-8 of `text`."""
    if not isinstance(text, str):
        raise TypeError(f"str_to_buf takes a str, not {type(text).__name__}")
    return text.encode("utf-8")


def buf_to_str(data: bytes) -> str:
    """The text whose UTF-8 is `data`. Raises `UnicodeDecodeError` if it is none."""
    return _bytes("buf_to_str", data).decode("utf-8")


def json_compatible_to_buf(value: Any) -> bytes:
    """The JSON text of `value`, without spaces, as UTF-8."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def buf_to_json_compatible(data: bytes) -> Any:
    """The value of a JSON text. Raises `ValueError` if it is none."""
    return json.loads(_bytes("buf_to_json_compatible", data))


def pem_to_id(pem: str) -> str:
    """The id of a certificate's holder in the service's tables: the hex SHA-256 of its DER.

    Raises:
        TypeError: `pem` is no text.
        CryptoError: it is not one certificate.
    """
    if not isinstance(pem, (str, bytes)):
        raise TypeError(f"pem_to_id takes a str, not {type(pem).__name__}")
    return _native.crypto_pem_to_id(pem)


def _bytes(function: str, data: Any) -> bytes:
    # Not bytes(data) at once, which makes zeros of a number.
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise TypeError(f"{function} takes bytes, not {type(data).__name__}")
    return bytes(data)
