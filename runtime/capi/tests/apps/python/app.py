"""A Python app for programs in C: accounts, and handlers that fail in every way a program meets.

Nothing but the standard library is needed.
"""

import sys
import threading

import ccf
from ledger_of import accounts


@ccf.endpoint("/accounts/{name}", methods=["PUT"], auth=["no_auth"])
def open_account(request):
    accounts.put(request.params["name"], request.body.json()["balance"])
    return {"opened": request.params["name"]}, 201


@ccf.endpoint("/accounts/{name}", mode="readonly", auth=["no_auth"])
def balance(request):
    return {"balance": accounts.get(request.params["name"])}


@ccf.endpoint("/transfer", methods=["POST"], auth=["no_auth"])
def transfer(request):
    order = request.body.json()
    return {"left": accounts.move(order["from"], order["to"], order["amount"])}


@ccf.endpoint("/echo", methods=["POST"], auth=["no_auth"])
def echo(request):
    headers = {"x-echo": request.headers.get("x-say", "nothing")}
    return ccf.Response(request.body.bytes(), headers=headers)


@ccf.endpoint("/raises", methods=["POST"], auth=["no_auth"])
def raises(request):
    accounts.put("lost", 1)
    raise ValueError("on purpose")


@ccf.endpoint("/spins", methods=["POST"], auth=["no_auth"])
def spins(request):
    while True:
        pass


@ccf.endpoint("/whoami", mode="readonly", auth=["user_cert", "no_auth"])
def whoami(request):
    return {"policy": request.caller.policy}


@ccf.endpoint("/where", mode="readonly", auth=["no_auth"])
def where(request):
    return {
        "python": list(sys.version_info[:3]),
        "ccf": ccf.__file__,
        "thread": threading.current_thread().name,
    }
