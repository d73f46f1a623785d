"""Balances by name, in the map ``accounts``, which C programs read as JSON."""

import ccf


def put(name, balance):
    ccf.kv["accounts"][name] = balance


def get(name):
    balance = ccf.kv["accounts"].get(name)
    if balance is None:
        raise ccf.HTTPError(404, f"{name} has no account", code="NoSuchAccount")
    return balance


def move(source, target, amount):
    left = get(source) - amount
    if left < 0:
        raise ccf.HTTPError(409, f"{source} has too little", code="TooLittle")
    put(source, left)
    put(target, get(target) + amount)
    return left
