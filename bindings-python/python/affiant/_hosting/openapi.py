"""The OpenAPI document that a web framework makes of its own app."""

from __future__ import annotations

import json
from typing import Any

from affiant._hosting.request import ROOT

DOCUMENT_BYTES_MAX = 16 << 20


def document(app: Any) -> tuple[dict[str, Any] | None, str | None]:
    """The document of a FastAPI app, as plain JSON values, and a warning where it has none to give.

    Its paths are those of the node, below ``/app``: the framework learns only from each request
    where it is served.

    An app without a method ``openapi``, and one that turned its document off
    (``openapi_url=None``), has none, and that needs no warning.
    """
    make = getattr(app, "openapi", None)
    if not callable(make) or getattr(app, "openapi_url", "") is None:
        return None, None
    try:
        text = json.dumps(make())
        if len(text) > DOCUMENT_BYTES_MAX:
            return None, f"the OpenAPI document has {len(text)} bytes; it is left out"
        made = json.loads(text)
    except Exception as error:
        # Another framework's `openapi` may be anything; the app serves without the document.
        return (
            None,
            f"app.openapi() failed, its paths are left out: {type(error).__name__}: {error}",
        )
    if not isinstance(made, dict) or not isinstance(made.get("paths"), dict):
        return None, "app.openapi() made no document with paths; it is left out"
    made["paths"] = {f"{ROOT}{path}": item for path, item in made["paths"].items()}
    return made, None
