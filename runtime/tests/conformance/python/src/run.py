"""Runs the body of a function that the request brings and shows what it returns, exactly."""

import math
import textwrap

import ccf


def show(value):
    """JSON that tells apart what JSON does not."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": repr(value)}
    if isinstance(value, bytes):
        return {"$hex": value.hex()}
    if isinstance(value, (list, tuple)):
        return [show(item) for item in value]
    if isinstance(value, dict):
        return {key: show(item) for key, item in value.items()}
    if callable(value):
        return {"$": "function"}
    return {"$": type(value).__name__}


def function(source, parameters):
    """The function with this body."""
    names = {"ccf": ccf}
    body = textwrap.indent(source, "    ")
    exec(f"def made({', '.join(parameters)}):\n{body}\n", names)
    return names["made"]


def run(request):
    map_ = ccf.kv[request.headers["x-space"]]
    arguments = {
        "request": request,
        "m": map_,
        "b": ccf.str_to_buf,
        "s": ccf.buf_to_str,
        "hex": bytes.hex,
    }
    made = function(request.body.text(), arguments)
    try:
        value = show(made(**arguments))
    except Exception as error:
        text = str(error)
        value = {"$threw": type(error).__name__ + (f": {text}" if text else "")}
    return {"body": {"value": value}}


def respond(request):
    """What the expression in the body gives is the response itself."""
    return eval(request.body.text(), {"ccf": ccf})


def evaluate(request):
    """What the expression in a header gives, so that the body may be anything."""
    value = eval(request.headers["x-python"], {"ccf": ccf, "request": request})
    return {"body": {"value": show(value)}}


def bare(request):
    """Nothing is caught."""
    function(request.body.text(), ["request"])(request)
    return {"statusCode": 200}
