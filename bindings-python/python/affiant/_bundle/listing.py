"""The digest of a bundle: SHA-256 over a listing of everything the app is.

The listing is UTF-8 text, one line (ended by a line feed) per thing, fields separated by one space:

    affiant-bundle 1
    requires-python >=3.11
    entry app.py:app
    endpoints SHA256
    policy SHA256
    module SHA256 SIZE /app.py
    wheel SHA256 SIZE numpy-2.5.5-cp313-cp313-manylinux_2_28_x86_64.whl

SHA256 is 64 lower-case hexadecimal digits, SIZE decimal bytes. Endpoints and policy are hashed as JSON with
keys ascending, no spaces, and only ASCII (others as \\uXXXX). Modules are hashed as UTF-8, and come ascending
by name; so do wheels. `entry` is empty after its space if the app names none. The digest is 64 lower-case
hexadecimal digits. Where the parts lie in the file does not matter, so that a ledger which holds the modules,
and a directory which holds the wheels, have the same digest as the bundle.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical(value: Any) -> bytes:
    """A JSON value as the one text that is hashed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def listing(metadata: dict, modules: list[dict[str, str]], manifest: dict[str, Any]) -> bytes:
    """The listing of a bundle; its parts must have been checked to be of their types."""
    lines = [
        "affiant-bundle 1",
        f"requires-python {manifest['requires_python']}",
        f"entry {manifest.get('entry') or ''}",
        f"endpoints {hashlib.sha256(canonical(metadata['endpoints'])).hexdigest()}",
        f"policy {hashlib.sha256(canonical(manifest['policy'])).hexdigest()}",
    ]
    for item in sorted(modules, key=lambda item: item["name"]):
        raw = item["module"].encode("utf-8", "surrogatepass")
        lines.append(f"module {hashlib.sha256(raw).hexdigest()} {len(raw)} {item['name']}")
    for item in sorted(manifest["wheels"], key=lambda item: item["file"]):
        lines.append(f"wheel {item['sha256']} {item['size']} {item['file']}")
    return "".join(line + "\n" for line in lines).encode("utf-8", "surrogatepass")


def digest(metadata: dict, modules: list[dict[str, str]], manifest: dict[str, Any]) -> str:
    """The digest of a bundle, in hexadecimal."""
    return hashlib.sha256(listing(metadata, modules, manifest)).hexdigest()
