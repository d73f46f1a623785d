"""``ccf.rpc``: the fate of the running request's transaction."""

from affiant._native import set_apply_writes, set_claims_digest

__all__ = ["set_apply_writes", "set_claims_digest"]
