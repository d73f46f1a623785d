"""Transactions: what is kept, what conflicts, how long it takes."""

import ccf


def number(map_, key):
    return int(ccf.buf_to_str(map_.get(ccf.str_to_buf(key), b"0")))


def add(request):
    """Adds one, slowly, so that others come between; reads by `how`."""
    wanted = request.body.json()
    how = wanted["how"]
    map_ = ccf.kv[wanted["space"]]
    before = 0
    if how == "get":
        before = number(map_, "n")
    elif how == "size":
        before = len(map_)
    elif how == "forEach":
        before = sum(1 for _ in map_)
    waste = 0
    for i in range(wanted["spin"]):
        waste += i % 7
    if how == "get":
        map_.set(ccf.str_to_buf("n"), ccf.str_to_buf(str(before + 1)))
    else:
        map_.set(ccf.str_to_buf(str(before)), ccf.str_to_buf("x"))
    return {"body": {"before": before, "waste": waste}}


def write(request):
    """Writes under a key of its own and says how."""
    wanted = request.body.json()
    ccf.kv[wanted["space"]].set(ccf.str_to_buf(wanted["key"]), ccf.str_to_buf("v"))
    if "apply" in wanted:
        ccf.rpc.set_apply_writes(wanted["apply"])
    if "claims" in wanted:
        claims = ccf.str_to_buf(wanted["claims"])
        ccf.rpc.set_claims_digest(ccf.crypto.digest("SHA-256", claims))
    if wanted.get("fail"):
        raise RuntimeError("on purpose")
    status = wanted.get("status")
    return {"statusCode": 200 if status is None else status}


def nothing():
    return {"body": "nothing"}
