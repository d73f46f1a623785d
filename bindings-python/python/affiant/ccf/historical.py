"""``ccf.historical``: past transactions, with their receipts."""

from affiant._native import drop_cached_states, get_state_range

__all__ = ["drop_cached_states", "get_state_range"]
