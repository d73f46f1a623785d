"""What a handler sees of its request."""

import ccf


def seen(request):
    """The fields that CCF's JavaScript has too, as JSON."""
    names = ("headers", "query", "path", "method", "hostname", "route", "url", "params")
    fields = {name: request[name] for name in names}
    caller = request.caller
    return {**fields, "caller": None if caller is None else caller.to_dict()}


def echo(request):
    return {"body": seen(request)}


def keys(request):
    return {"body": list(seen(request))}


def body(request):
    if request.query == "text":
        return {"body": {"text": request.body.text()}}
    if request.query == "json":
        return {"body": {"json": request.body.json()}}
    return {"body": request.body.array_buffer()}


def fresh(request):
    first = bytearray(request.body.array_buffer())
    first[0] = 0
    return {"body": request.body.text()}


def signed(request):
    caller = request.caller.to_dict()
    cose = caller.pop("cose")
    return {"body": {**caller, "cose": list(cose), "content": ccf.buf_to_str(cose["content"])}}


def which(name):
    """A handler that says which of several endpoints was found."""
    return lambda request: {"body": {"name": name, "params": request.params}}


exact = which("exact")
one = which("one")
two = which("two")
action = which("action")
pair = which("pair")
put = which("put")


def head():
    return {"headers": {"x-head": "own"}}


def text(map_, key):
    value = map_.get(ccf.str_to_buf(key))
    return None if value is None else ccf.buf_to_str(value)


def past():
    state = ccf.historical_state
    return {
        "body": {
            "id": state.transaction_id,
            "k": text(state.kv["b8"], "k"),
            "o": text(state.kv["b8.other"], "o"),
            "absent": text(state.kv["b8"], "absent"),
            "size": len(state.kv["b8"]),
            "live": text(ccf.kv["b8"], "k"),
            "receipt": sorted(state.receipt),
        }
    }


def past_write():
    def refusal(map_):
        try:
            map_.set(ccf.str_to_buf("k"), ccf.str_to_buf("v"))
        except ccf.Error as error:
            return f"{type(error).__name__}: {error}"[:48]
        return "written"

    return {"body": {"past": refusal(ccf.historical_state.kv["b8"]), "live": refusal(ccf.kv["b8"])}}
