"""A handler that only computes: `rounds` turns of a loop in pure Python."""

import ccf


@ccf.endpoint("/spin", methods=["GET"], mode="readonly", auth=["no_auth"])
def spin(request):
    """Computes as long as the query `rounds=N` says."""
    return {"sum": work(int(request.query.partition("=")[2]))}


def work(rounds: int) -> int:
    """A sum that takes time in proportion to `rounds`."""
    total = 0
    for turn in range(rounds):
        total = (total * 31 + turn) % 1_000_003
    return total
