"""``ccf.consensus``: how far transactions have come."""

from affiant._native import get_last_committed_txid, get_status_for_txid, get_view_for_seqno

__all__ = ["get_last_committed_txid", "get_status_for_txid", "get_view_for_seqno"]
