"""What the listings call and do not define."""

from __future__ import annotations

import hashlib
import json
import statistics
from typing import Any

private_key: str | None = None
"""The key that the handler signs with: app.py sets the listing's own name for each request."""


def process_data(data: Any) -> dict[str, str]:
    """The digest of what was sent: bytes as they are, text as UTF-8, a value as its JSON."""
    if isinstance(data, str):
        data = data.encode()
    elif not isinstance(data, bytes):
        data = json.dumps(data, separators=(",", ":"), ensure_ascii=False).encode()
    return {"sha256": hashlib.sha256(data).hexdigest()}


def complex_algorithm(data: dict[str, Any]) -> dict[str, Any]:
    """Mean and spread of the stored numbers."""
    numbers = data["numbers"]
    return {
        "id": data["id"],
        "count": len(numbers),
        "mean": statistics.fmean(numbers),
        "spread": statistics.pstdev(numbers),
    }
