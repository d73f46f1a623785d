"""What notebooks show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from affiant import _native

if TYPE_CHECKING:
    from affiant._ledger import Ledger
    from affiant._receipt import Receipt, Verdict
    from affiant._verify import EvidenceVerdict

ROWS_SHOWN_MAX = 10
MAPS_SHOWN_MAX = 20
TEXT_SHOWN_MAX = 120


def _table(title: str, head: Sequence[str], rows: Iterable[Sequence[str]], note: str = "") -> str:
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    lines = "".join(
        f"<tr>{''.join(f'<td><code>{escape(cell)}</code></td>' for cell in row)}</tr>"
        for row in rows
    )
    after = f"<p><i>{escape(note)}</i></p>" if note else ""
    head_row = f"<thead><tr>{cells}</tr></thead>" if cells else ""
    return f"<p><b>{escape(title)}</b></p><table>{head_row}<tbody>{lines}</tbody></table>{after}"


def _short(text: str) -> str:
    return text if len(text) <= TEXT_SHOWN_MAX else f"{text[:TEXT_SHOWN_MAX]}..."


def _shown(data: bytes) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _short(data.hex(" "))
    return _short(text if text.isprintable() else repr(data))


def _rows(pairs: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(_shown(key), _shown(value)) for key, value in pairs]


def _more(size: int) -> str:
    return f"and {size - ROWS_SHOWN_MAX} more" if size > ROWS_SHOWN_MAX else ""


def map(shown: Any) -> str | None:
    """A map's first entries; None where no transaction runs, so that its repr is shown."""
    try:
        pairs, size = shown.range(limit=ROWS_SHOWN_MAX), len(shown)
    except _native.Error:
        return None
    return _table(f"map {shown.name}: {size} keys", ("key", "value"), _rows(pairs), _more(size))


def state(past: _native.HistoricalState) -> str:
    """What a past transaction wrote."""
    parts = []
    for name in past.map_names[:MAPS_SHOWN_MAX]:
        one = past.kv[name]
        parts.append(
            _table(
                f"map {name}",
                ("key", "value"),
                _rows(one.range(limit=ROWS_SHOWN_MAX)),
                _more(len(one)),
            )
        )
    return f"<p>transaction <b>{escape(past.transaction_id)}</b> wrote</p>{''.join(parts)}"


def ledger(shown: Ledger) -> str:
    """A ledger's maps and positions."""
    if shown.closed:
        return f"<p>{escape(repr(shown))}</p>"
    names = [name for name in shown.map_names() if not name.startswith("public:ccf.")]
    rows = []
    with shown.read() as tx:
        for name in names[:MAPS_SHOWN_MAX]:
            rows.append((name, str(len(tx.kv[name]))))
    note = f"newest transaction {shown.last}, on disk and signed up to {shown.committed}"
    place = "in memory" if shown.path is None else shown.path
    return _table(f"ledger {place}", ("map", "keys"), rows, note)


def receipt(shown: Receipt) -> str:
    """A receipt's parts."""
    parts = shown.to_dict()
    leaf = parts.get("leaf_components") or {}
    rows = [
        ("transaction", shown.transaction_id),
        ("commit evidence", str(leaf.get("commit_evidence", "-"))),
        ("claims digest", shown.claims_digest.hex() if shown.claims_digest else "none"),
        ("signed by node", str(parts.get("node_id", "-"))),
        ("steps to the root", str(len(parts.get("proof", [])))),
        ("forms", "JSON and COSE" if shown.cose else "JSON"),
        ("bytes", str(len(json.dumps(parts)))),
    ]
    return _table("receipt", (), rows)


def verdict(shown: Verdict) -> str:
    """Every check."""
    marks = {"passed": "ok", "failed": "FAILED", "skipped": "not checked"}
    rows = [(marks[check.outcome], check.name, check.explanation) for check in shown.checks]
    return _table(shown.summary(), ("", "check", "what was compared"), rows)


def evidence(shown: EvidenceVerdict) -> str:
    """Every check, with what was found and wanted."""
    marks = {"passed": "ok", "warned": "WARNING", "failed": "FAILED", "skipped": "not checked"}
    rows = [
        (marks[check.outcome], check.name, check.reason, _short(check.found), _short(check.wanted))
        for check in shown.checks
    ]
    head = ("", "check", "what was compared", "found", "wanted")
    return _table(shown.headline(), head, rows, " ".join(shown._notes()))
