"""The bundles that the sections run against."""

import json

from language import JAVASCRIPT, PYTHON, either, module

USER_DATA = {"user1": {"role": "clerk", "since": [2026, None]}}


def code(name, function):
    """What an endpoint runs: a function of a module of src/, named without suffix."""
    # Answers in Python wait for commit unless the endpoint says otherwise; CCF's never do.
    if PYTHON:
        return {"py_module": module(name), "py_function": function, "respond": "early"}
    return {"js_module": module(name), "js_function": function}


def endpoint(name, function, mode="readwrite", policies=("no_auth",), **more):
    """The properties of an endpoint as app.json has them."""
    return {
        **code(name, function),
        "forwarding_required": "sometimes",
        "authn_policies": list(policies),
        "mode": mode,
        "openapi": {},
        **more,
    }


def echo(*policies):
    return {"get": endpoint("request", "echo", "readonly", policies)}


def endpoints():
    request, engine, tx = "request", "engine", "tx"
    everything = {
        verb: endpoint(request, "echo", "readonly")
        for verb in ("get", "post", "put", "delete", "patch")
    }
    return {
        "/run/rw": {"post": endpoint("run", "run")},
        "/run/ro": {"post": endpoint("run", "run", "readonly")},
        "/run/past": {"post": endpoint("run", "run", "historical")},
        "/respond": {"post": endpoint("run", "respond")},
        **either({}, {"/evaluate": {"post": endpoint("run", "evaluate")}}),
        "/bare": {"post": endpoint("run", "bare")},
        "/echo": everything,
        "/echo/{a}/of/{b}": {"get": endpoint(request, "echo", "readonly")},
        "/echo/anybody": echo(),
        "/echo/user": echo("user_cert"),
        "/echo/member": echo("member_cert"),
        "/echo/any": echo("any_cert"),
        "/echo/user_or_none": echo("user_cert", "no_auth"),
        "/echo/user_or_member": echo("user_cert", "member_cert"),
        "/echo/jwt_or_user": echo("jwt", "user_cert"),
        "/echo/both": echo({"all_of": ["user_cert", "any_cert"]}),
        "/echo/jwt": echo("jwt"),
        "/echo/jwt_or_none": echo("jwt", "no_auth"),
        "/echo/jwt_and_user": echo({"all_of": ["user_cert", "jwt"]}),
        "/signed": {"post": endpoint(request, "signed", policies=["user_cose_sign1"])},
        "/signed/or_user": {
            "post": endpoint(request, "signed", policies=["user_cose_sign1", "user_cert"])
        },
        "/keys": {"post": endpoint(request, "keys")},
        "/body": {"post": endpoint(request, "body")},
        "/body/fresh": {"post": endpoint(request, "fresh")},
        "/things/all": {"get": endpoint(request, "exact")},
        "/things/{id}": {
            "get": endpoint(request, "one"),
            "post": endpoint(request, "two"),
            "put": endpoint(request, "put"),
        },
        "/things/{id}:act": {"post": endpoint(request, "action")},
        "/acts/{id}:act": {"post": endpoint(request, "action")},
        "/acts/{id}:undo": {"post": endpoint(request, "two")},
        "/things/{id}/parts/{part}": {"get": endpoint(request, "pair")},
        "/files/{name}.{ext}": {"get": endpoint(request, "pair")},
        "/dots/a.b/{x}": {"get": endpoint(request, "one")},
        "/clash/{a}/x": {"get": endpoint(request, "one")},
        "/clash/y/{b}": {"get": endpoint(request, "two")},
        "/commit/{x}": {"get": endpoint(request, "one")},
        "/past": {"get": endpoint(request, "past", "historical")},
        "/past/write": {"get": endpoint(request, either("pastWrite", "past_write"), "historical")},
        "/head": {"head": endpoint(request, "head")},
        "/nothing": {"get": endpoint(tx, "nothing", "readonly")},
        "/tx/add": {"post": endpoint(tx, "add")},
        "/tx/write": {"post": endpoint(tx, "write")},
        "/tx/write_ro": {"post": endpoint(tx, "write", "readonly")},
        "/tx/committed": {"post": endpoint(tx, "write", respond="committed")},
        "/tx/receipt": {"post": endpoint(tx, "write", respond="receipt")},
        "/engine/facts": {"get": endpoint(engine, "facts")},
        "/engine/bump": {"post": endpoint(engine, "bump")},
        "/engine/bump_reused": {
            "post": endpoint(engine, "bump", interpreter_reuse={"key": "bump"})
        },
        "/engine/counted": {"get": endpoint(engine, "counted")},
        "/engine/counted_reused": {
            "get": endpoint(engine, "counted", interpreter_reuse={"key": "counted"})
        },
        "/engine/counted_shared": {
            "get": endpoint(engine, "counted", interpreter_reuse={"key": "counted"})
        },
        "/engine/counted_other": {
            "get": endpoint(engine, "counted", interpreter_reuse={"key": "other"})
        },
        "/engine/later": {"get": endpoint(engine, "later")},
        "/engine/later_ignored": {"get": endpoint(engine, "later", promises="ignored")},
        "/engine/throws": {"get": endpoint(engine, "throws")},
        "/engine/rejects": {"get": endpoint(engine, "rejects")},
        "/odd/{a}": {
            "get": endpoint(
                request,
                "one",
                openapi={"summary": "Odd", "parameters": [], "x-own": {"kept": True}},
                x_unknown={"z": 1, "a": [None]},
                redirection_strategy="to_backup",
            )
        },
        "/hidden": {"get": endpoint(tx, "nothing", openapi_hidden=True)},
    }


MODULES = [
    module(name)
    for name in ("run", "request", "engine", "root", "deep/sibling", "deep/er/leaf", "tx")
] + either([], ["deep/__init__.py", "deep/er/__init__.py"])


def main(world):
    """The service that most checks use: two users, two members, everything an app may declare."""
    bundle = world.bundle(endpoints(), MODULES)
    data = world.directory("user-data") / "users.json"
    data.write_text(json.dumps(USER_DATA))
    options = ("--initial-user-count", "2", "--initial-member-count", "2", "--user-data", data)
    return world.sandbox("main", bundle, *options)


def http2(world):
    """The same app, spoken to in HTTP/2."""
    bundle = world.bundle(endpoints(), MODULES)
    return world.sandbox("http2", bundle, "--http2")


def interface(**more):
    return {"bind_address": "127.0.0.1:0", **more}


def configuration(interfaces, **more):
    """A CCF node configuration with these interfaces."""
    return {
        "network": {
            "node_to_node_interface": {"bind_address": "127.0.0.1:0"},
            "rpc_interfaces": interfaces,
        },
        "node_certificate": {"subject_alt_names": ["iPAddress:127.0.0.1"]},
        "command": {"type": "Start", "start": {"members": []}},
        **more,
    }


def node(world):
    """A node as an operator configures it: several interfaces, exceptions kept from clients."""
    declared = endpoints()
    declared["/receipt"] = {"get": endpoint("request", "one")}
    modules = MODULES
    if JAVASCRIPT:
        # Python's modules are imported when the node starts, so these would keep it from starting.
        declared["/broken"] = {"get": endpoint("broken", "f")}
        declared["/thrower"] = {"get": endpoint("thrower", "f")}
        declared["/no_export"] = {"get": endpoint("request", "no_such_function")}
        modules = [*MODULES, "broken.js", "thrower.js"]
    bundle = world.bundle(declared, modules)
    small = {"max_body_size": "1KB", "max_header_size": "1KB", "max_headers_count": 20}
    interfaces = {
        "main": interface(),
        "some": interface(accepted_endpoints=["/app/things/.*", "/node/(state|network/.*)"]),
        "small": interface(http_configuration=small),
        "few": interface(max_open_sessions_soft=1, max_open_sessions_hard=2),
        "node_endorsed": interface(endorsement={"authority": "Node"}),
        "unsecured": interface(endorsement={"authority": "Unsecured"}),
        "unsecured_some": interface(
            endorsement={"authority": "Unsecured"}, accepted_endpoints=["/node/state"]
        ),
        "redirecting_there": interface(
            redirections={
                "to_backup": {"kind": "StaticAddress", "target": {"address": "backup.example:443"}}
            }
        ),
        "redirecting": interface(
            redirections={"to_primary": {"kind": "NodeByRole", "target": {"role": "primary"}},
                          "to_backup": {"kind": "NodeByRole", "target": {"role": "backup"}}}
        ),
    }
    return world.node("node", configuration(interfaces), "--app", bundle, "--open")


def patient(world):
    """A node that signs seldom and keeps few transactions uncommitted."""
    bundle = world.bundle(endpoints(), MODULES)
    seldom = configuration(
        {"main": interface()},
        consensus={"max_uncommitted_tx_count": 20},
        ledger_signatures={"tx_count": 100000, "delay": "30s"},
    )
    return world.node("patient", seldom, "--app", bundle, "--open")


def closed(world):
    """A service that its members have not opened."""
    return world.node("closed", configuration({"main": interface()}))
