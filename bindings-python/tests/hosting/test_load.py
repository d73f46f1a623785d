"""What ``load`` finds in an app, from a directory and from memory."""

from __future__ import annotations

import asyncio
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import pytest
from fake import FakeRequest

from affiant._hosting.declared import endpoint
from affiant._hosting.errors import AppLoadError
from affiant._hosting.load import Loaded, Source, load

DECORATED = """
from affiant._hosting.declared import endpoint
"""

WSGI = """
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [environ["PATH_INFO"].encode()]
"""

ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise RuntimeError("http only")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode()})
"""


def files(directory: Path, sources: dict[str, str]) -> str:
    for name, source in sources.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return str(directory)


def both(tmp_path: Path, sources: dict[str, str], **given: Any) -> list[Loaded]:
    """The same app from a directory and from memory."""
    memory = load(Source(modules={f"/{n}": s for n, s in sources.items()}, **given))
    return [memory, load(Source(directory=files(tmp_path, sources), **given))]


def failure(**given: Any) -> str:
    with pytest.raises(AppLoadError) as caught:
        load(Source(**given))
    return str(caught.value)


def call(loaded: Loaded, key: str, **request: Any) -> Any:
    result = loaded.handlers[key](FakeRequest(**request))
    if asyncio.iscoroutine(result):
        from affiant._hosting import asgi

        return asgi.run(result)
    return result


def test_declared_endpoints_with_all_their_properties(tmp_path: Path) -> None:
    source = DECORATED + """
@endpoint("/orders/{id}", methods=["GET", "head"], auth="no_auth", mode="readonly",
          respond="early", openapi={"summary": "One"}, openapi_hidden=True)
def one(request):
    return {"path": request.path}

@endpoint("/orders", "POST", auth=[{"all_of": ["user_cert", "jwt"]}])
async def add(request):
    return "added"
"""
    for loaded in both(tmp_path, {"app.py": source}):
        one = {
            "py_module": "app.py",
            "py_function": "one",
            "py_interface": "handler",
            "authn_policies": ["no_auth"],
            "mode": "readonly",
            "respond": "early",
            "openapi": {"summary": "One"},
            "openapi_hidden": True,
            "forwarding_required": "sometimes",
        }
        add = {
            "py_module": "app.py",
            "py_function": "add",
            "py_interface": "handler",
            "authn_policies": [{"all_of": ["user_cert", "jwt"]}],
            "mode": "readwrite",
            "respond": "committed",
            "forwarding_required": "always",
        }
        assert loaded.endpoints == {
            "/orders/{id}": {"get": one, "head": one},
            "/orders": {"post": add},
        }
        assert set(loaded.handlers) == {"GET /orders/{id}", "HEAD /orders/{id}", "POST /orders"}
        assert loaded.interface == "handlers"
        assert {handler.kind for handler in loaded.handlers.values()} == {"handler"}
        assert call(loaded, "GET /orders/{id}", path="/app/orders/1") == {"path": "/app/orders/1"}
        assert call(loaded, "POST /orders") == "added"
        loaded.shutdown()


def test_declared_endpoints_of_every_module_and_within_functions(tmp_path: Path) -> None:
    sources = {
        "app.py": "from shop import orders\nimport helper\n",
        "helper.py": "",
        "shop/__init__.py": "",
        "shop/orders.py": DECORATED + "from . import made\n",
        "shop/made.py": DECORATED
        + """
def make(name):
    @endpoint("/" + name)
    def inner(request):
        return name
make("a")
make("b")
""",
    }
    for loaded in both(tmp_path, sources):
        assert loaded.endpoints["/a"]["get"]["py_module"] == "shop/made.py"
        assert [call(loaded, f"GET /{n}") for n in "ab"] == ["a", "b"]
        assert set(loaded.modules) == {f"/{name}" for name in sources}
        loaded.shutdown()
        # The same from what the ledger would hold.
        again = load(Source(modules=loaded.modules, endpoints=loaded.endpoints))
        assert again.endpoints == loaded.endpoints
        assert [call(again, f"GET /{n}") for n in "ab"] == ["a", "b"]
        again.shutdown()


def test_two_declarations_of_one_endpoint_are_an_error() -> None:
    source = DECORATED + """
@endpoint("/a")
def one(request): ...
@endpoint("/a")
def two(request): ...
"""
    message = failure(modules={"/app.py": source})
    assert "GET /a is declared twice: by one in app.py and by two in app.py" in message


@pytest.mark.parametrize("name", ["app", "application", "api"])
@pytest.mark.parametrize("source,interface", [(WSGI, "wsgi"), (ASGI, "asgi")])
def test_a_web_app_is_found_by_its_usual_names(
    tmp_path: Path, name: str, source: str, interface: str
) -> None:
    for loaded in both(tmp_path, {"app.py": source.replace("def app(", f"def {name}(")}):
        assert loaded.interface == interface
        properties = loaded.endpoints["/*"]["*"]
        assert properties["py_function"] == name
        assert properties["py_interface"] == interface
        assert properties["authn_policies"] == ["user_cert", "no_auth"]
        assert properties["respond"] == "committed"
        assert list(loaded.handlers) == ["* /*"]
        assert loaded.handlers["* /*"].kind == "web"
        status, _, body = call(loaded, "* /*", path="/app/x")
        assert status == 200 and body.endswith(b"/x")
        loaded.shutdown()


def test_options_of_the_project_hold_for_what_has_no_declaration(tmp_path: Path) -> None:
    options = {"app": "src/web.py:wsgi", "auth": ["jwt"], "respond": "receipt", "mode": "readonly"}
    sources = {
        "src/web.py": "import near\n" + WSGI.replace("def app(", "def wsgi("),
        "src/near.py": "",
        "tools/other.py": "",
        "tests/test_web.py": "",
        ".venv/lib/x.py": "",
        "env/pyvenv.cfg": "",
        "env/lib/y.py": "",
        "build/lib/z.py": "",
    }
    loaded = load(Source(directory=files(tmp_path, sources), options=options))
    properties = loaded.endpoints["/*"]["*"]
    assert properties["py_module"] == "src/web.py"
    assert properties["authn_policies"] == ["jwt"]
    assert (properties["respond"], properties["mode"]) == ("receipt", "readonly")
    assert set(loaded.modules) == {"/src/web.py", "/src/near.py", "/tools/other.py"}
    loaded.shutdown()
    again = load(Source(modules=loaded.modules, options=options, endpoints=loaded.endpoints))
    assert call(again, "* /*", path="/app/q")[2] == b"/q"
    again.shutdown()


def test_a_lone_file_brings_the_local_modules_it_imports_and_no_others(tmp_path: Path) -> None:
    sources = {
        "app.py": "import near\ndef handle_request(request):\n    from pkg import late\n",
        "near.py": "import json",
        "pkg/__init__.py": "",
        "pkg/late.py": "from . import later\nfrom .deep.x import y",
        "pkg/later.py": "",
        "pkg/deep/__init__.py": "",
        "pkg/deep/x.py": "y = 1",
        "unrelated.py": "raise SystemExit",
        "json.py": "",
    }
    directory = files(tmp_path, {n: s for n, s in sources.items() if n != "json.py"})
    loaded = load(Source(directory=directory, entry="app.py"))
    assert set(loaded.modules) == {f"/{n}" for n in sources} - {"/unrelated.py", "/json.py"}
    loaded.shutdown()


def test_handle_request_alone_is_served_at_the_root_and_by_its_name(tmp_path: Path) -> None:
    source = 'def handle_request(request):\n    return {"result": request["data"]}\n'
    for loaded in both(tmp_path, {"app.py": source}):
        assert set(loaded.handlers) == {
            f"{verb} {path}" for verb in ("GET", "POST") for path in ("/", "/handle_request")
        }
        assert loaded.endpoints["/"]["post"]["authn_policies"] == ["user_cert"]
        assert call(loaded, "POST /handle_request", body=b"hi") == {"result": "hi"}
        loaded.shutdown()


def test_an_entry_may_name_a_function_an_instance_a_class_or_a_factory() -> None:
    source = """
class Counter:
    def __init__(self):
        self.count = 0
    def __call__(self, request):
        self.count += 1
        return self.count

class Async:
    async def __call__(self, request):
        return "async"

class space:
    counter = Counter()

def process(request):
    return "processed"

def nothing():
    return "no argument"

def create_app():
    def app(environ, start_response):
        start_response("204 No Content", [])
        return []
    return app

def two(a, b, c, d): ...
number = 1
class Needs:
    def __init__(self, x): ...
    def __call__(self, request): ...
"""
    modules = {"/orders.py": source}

    def served(name: str) -> Loaded:
        loaded = load(Source(modules=modules, entry=f"orders.py:{name}"))
        loaded.shutdown()
        return loaded

    assert call(served("process"), "POST /process") == "processed"
    assert call(served("nothing"), "GET /") == "no argument"
    counter = served("Counter")
    assert [call(counter, "GET /Counter") for _ in range(2)] == [1, 2]
    assert call(served("space.counter"), "GET /counter") == 1
    assert call(served("Async"), "GET /Async") == "async"
    for name in ("create_app", "create_app()"):
        factory = served(name)
        assert factory.interface == "wsgi"
        assert call(factory, "* /*") == (204, [], b"")
        again = load(Source(modules=factory.modules, endpoints=factory.endpoints))
        assert call(again, "* /*") == (204, [], b"")
        again.shutdown()
    assert "nor a handler" in failure(modules=modules, entry="orders.py:two")
    assert "is int" in failure(modules=modules, entry="orders.py:number")
    assert "needs arguments" in failure(modules=modules, entry="orders.py:Needs")
    missing = failure(modules=modules, entry="orders.py:missing")
    assert "orders.py has no 'missing'" in missing and "process()" in missing


def test_metadata_names_modules_and_dotted_functions(tmp_path: Path) -> None:
    sources = {
        "src/orders.py": "class api:\n    @staticmethod\n    def add(r):\n        return 'added'\n",
        "src/pkg/__init__.py": "",
        "src/pkg/web.py": "import orders\n" + ASGI,
    }
    endpoints = {
        "/add": {"post": {"py_module": "orders.py", "py_function": "api.add", "extra": 1}},
        "/*": {
            "*": {"py_module": "/pkg/web.py", "py_function": "app", "py_interface": "asgi"},
        },
    }
    loaded = load(Source(directory=files(tmp_path, sources), endpoints=endpoints))
    assert call(loaded, "POST /add") == "added"
    assert call(loaded, "* /*", path="/app/z")[2] == b"/app/z"
    assert loaded.endpoints["/add"]["post"]["respond"] == "committed"
    assert loaded.endpoints["/add"]["post"]["extra"] == 1
    assert set(loaded.modules) == {"/orders.py", "/pkg/__init__.py", "/pkg/web.py"}
    loaded.shutdown()


@pytest.mark.parametrize(
    "endpoints,said",
    [
        ({"/a": {"get": {"js_module": "a.js"}}}, "an app has one language"),
        ({"/a": {"get": {"py_module": "no.py", "py_function": "f"}}}, "'no.py' is not there"),
        ({"/a": {"get": {"py_module": "app.py", "py_function": "g"}}}, "app.py has no 'g'"),
        ({"/a": {"get": {"py_module": "app.py", "py_function": "x"}}}, "cannot be called"),
        (
            {"/a": {"get": {"py_module": "app.py", "py_function": "f", "py_interface": "cgi"}}},
            "py_interface is 'cgi'",
        ),
        ({"/a": {"get": 1}}, "no object of properties"),
        ({"/a": 1}, "no object of verbs"),
    ],
)
def test_metadata_that_leads_nowhere(endpoints: dict[str, Any], said: str) -> None:
    source = "x = 1\ndef f(request): ..."
    assert said in failure(modules={"/app.py": source}, endpoints=endpoints)


def test_several_apps_or_none_say_what_was_found() -> None:
    several = WSGI + ASGI.replace("def app(", "def api(")
    message = failure(modules={"/app.py": several})
    assert "several apps, app, api" in message and "app.py:app" in message
    message = failure(
        modules={
            "/app.py": "class W:\n  def __call__(self, environ, start): ...\n"
            "web = W()\ndef process(request): ...\n"
        }
    )
    assert "nothing to serve" in message
    assert "web (WSGI)" in message and "process()" in message and "app.py:NAME" in message
    assert "its Python files are: shop.py" in failure(modules={"/shop.py": ""})
    same = load(Source(modules={"/app.py": WSGI + "application = app\n"}))
    assert same.endpoints["/*"]["*"]["py_function"] == "app"
    same.shutdown()


def test_what_is_left_out_is_warned_of() -> None:
    source = DECORATED + "@endpoint('/a')\ndef a(request): ...\n" + WSGI
    loaded = load(Source(modules={"/app.py": source}))
    assert list(loaded.handlers) == ["GET /a"]
    assert "app.py:app" in loaded.warnings[0]
    loaded.shutdown()
    loaded = load(Source(modules={"/app.py": source}, entry="app.py:app"))
    assert list(loaded.handlers) == ["* /*"]
    assert "1 function(s) under @ccf.endpoint are not" in loaded.warnings[0]
    loaded.shutdown()


def test_a_failing_import_shows_the_apps_own_lines() -> None:
    sources = {"/app.py": "import part\n", "/part.py": "def f():\n    1 / 0  # here\n\nf()\n"}
    message = failure(modules=sources)
    assert "importing app.py failed" in message
    assert "1 / 0  # here" in message and "ZeroDivisionError" in message
    assert "importlib" not in message
    assert "SyntaxError" in failure(modules={"/app.py": "def"})
    assert "No module named 'absent'" in failure(modules={"/app.py": "import absent"})
    assert "SystemExit" in failure(modules={"/app.py": "raise SystemExit(3)"})


def test_tracebacks_and_inspect_show_source_from_memory() -> None:
    source = "import inspect\ndef handle_request(request):\n    raise KeyError('x')  # this line\n"
    loaded = load(Source(modules={"/app.py": source}))
    handler = loaded.handlers["POST /"]
    try:
        handler(FakeRequest())
    except KeyError as error:
        assert "# this line" in "".join(traceback.format_exception(error))
    import inspect

    assert "# this line" in inspect.getsource(handler.func)  # type: ignore[attr-defined]
    loaded.shutdown()


def test_packages_relative_imports_and_namespaces_from_memory() -> None:
    sources = {
        "/app.py": "from pkg.sub import deep\nimport space.inner\n"
        "def handle_request(request):\n    return [deep.value, space.inner.value]\n",
        "/pkg/__init__.py": "base = 1",
        "/pkg/sub/__init__.py": "from .. import base",
        "/pkg/sub/deep.py": "from . import base\nfrom ..other import more\nvalue = base + more",
        "/pkg/other.py": "more = 1",
        "/space/inner.py": "value = __name__",
    }
    loaded = load(Source(modules=sources))
    assert call(loaded, "GET /") == [2, "space.inner"]
    assert loaded.modules == sources
    loaded.shutdown()
    assert not any(type(finder).__name__ == "MemoryFinder" for finder in sys.meta_path)


def test_a_changed_app_is_imported_anew_as_a_whole(tmp_path: Path) -> None:
    source = "import part\ndef handle_request(request):\n    return part.value\n"
    directory = files(tmp_path, {"app.py": source, "part.py": "value = 1"})
    first = load(Source(directory=directory))
    unchanged = sys.modules["part"]
    assert call(first, "GET /") == 1
    load(Source(directory=directory)).shutdown()
    assert sys.modules["part"] is unchanged
    (tmp_path / "part.py").write_text("value = 2")
    second = load(Source(directory=directory))
    assert call(second, "GET /") == 2
    assert call(first, "GET /") == 1
    first.shutdown()
    second.shutdown()


def test_two_apps_with_the_same_module_names_do_not_mix(tmp_path: Path) -> None:
    source = "import part\ndef handle_request(request):\n    return part.value\n"
    loaded = [
        load(Source(directory=files(tmp_path / n, {"app.py": source, "part.py": f"value = '{n}'"})))
        for n in "ab"
    ]
    loaded.append(load(Source(modules={"/app.py": source, "/part.py": "value = 'c'"})))
    assert [call(one, "GET /") for one in loaded] == ["a", "b", "c"]
    for one in loaded:
        one.shutdown()


def test_declarations_of_an_earlier_load_do_not_stay() -> None:
    for path in ("/one", "/two"):
        source = DECORATED + f"@endpoint('{path}')\ndef f(request): ...\n"
        loaded = load(Source(modules={"/app.py": source}))
        assert list(loaded.endpoints) == [path]
        loaded.shutdown()


def test_names_of_other_modules_are_refused() -> None:
    assert "rename it" in failure(modules={"/json.py": ""}, entry="json.py")
    assert "rename it" in failure(modules={"/ccf.py": ""}, entry="ccf.py")
    assert "separates packages" in failure(modules={"/a.b.py": ""}, entry="a.b.py")


def test_a_link_out_of_the_app_is_not_published(tmp_path: Path) -> None:
    files(tmp_path, {"secret/key.py": "k = 1", "app/app.py": "def handle_request(r): ..."})
    (tmp_path / "app" / "link.py").symlink_to(tmp_path / "secret" / "key.py")
    loaded = load(Source(directory=str(tmp_path / "app"), options={"app": "app.py"}))
    assert set(loaded.modules) == {"/app.py"}
    loaded.shutdown()


def test_packages_of_the_bundle_come_before_the_environments(tmp_path: Path) -> None:
    files(tmp_path, {"wheel/bundledpackage.py": "value = 'bundled'"})
    source = "import bundledpackage\ndef handle_request(r):\n    return bundledpackage.value\n"
    loaded = load(Source(modules={"/app.py": source}, packages=[str(tmp_path / "wheel")]))
    assert call(loaded, "GET /") == "bundled"
    assert set(loaded.modules) == {"/app.py"}
    loaded.shutdown()


@pytest.mark.parametrize(
    "given,error,said",
    [
        ({"path": lambda r: r}, TypeError, "needs a path"),
        ({"path": "orders"}, ValueError, "start with a slash"),
        ({"path": "/a", "methods": ["FETCH"]}, ValueError, "known are GET"),
        ({"path": "/a", "methods": []}, ValueError, "known are GET"),
        ({"path": "/a", "methods": ["GET", "get"]}, ValueError, "twice"),
        ({"path": "/a", "auth": []}, ValueError, "no_auth"),
        ({"path": "/a", "auth": [1]}, TypeError, "all_of"),
        ({"path": "/a", "mode": "write"}, ValueError, "readwrite, readonly, historical"),
        ({"path": "/a", "respond": "now"}, ValueError, "committed, early, receipt"),
        ({"path": "/a", "openapi": "x"}, TypeError, "must be a dict"),
    ],
)
def test_the_decorator_refuses_what_it_cannot_serve(
    given: dict[str, Any], error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        endpoint(**given)


def test_the_decorator_leaves_the_function_as_it_is() -> None:
    def function(request: Any) -> None: ...

    assert endpoint("/left")(function) is function


def test_wrong_options_are_refused() -> None:
    modules = {"/app.py": WSGI}
    assert "[tool.affiant]: respond" in failure(modules=modules, options={"respond": "soon"})
    assert "[tool.affiant]: auth" in failure(modules=modules, options={"auth": 7})
    assert "must be a string" in failure(modules=modules, options={"app": 7})
    assert "either a directory or" in failure()


def test_after_shutdown_nothing_is_served() -> None:
    statuses: list[int] = []

    def serve() -> None:
        loaded = load(Source(modules={"/app.py": ASGI}))
        statuses.append(call(loaded, "* /*")[0])
        loaded.shutdown()
        loaded.shutdown()
        statuses.append(call(loaded, "* /*")[0])

    # A thread of its own: this one's loop may serve other apps still.
    thread = threading.Thread(target=serve)
    thread.start()
    thread.join()
    assert statuses == [200, 500]


def test_options_that_nobody_knows_are_warned_of() -> None:
    loaded = load(Source(modules={"/app.py": WSGI}, options={"respnd": "early"}))
    assert "respnd has no effect" in loaded.warnings[0] and "respond" in loaded.warnings[0]
    loaded.shutdown()


def test_an_interface_may_be_said_where_it_cannot_be_seen() -> None:
    source = """
def anything(*arguments):
    arguments[1]("200 OK", [])
    return [b"wsgi"]
"""
    options = {"app": "app.py:anything", "interface": "wsgi"}
    loaded = load(Source(modules={"/app.py": source}, options=options))
    assert call(loaded, "* /*") == (200, [], b"wsgi")
    loaded.shutdown()
    assert "neither an ASGI" in failure(
        modules={"/app.py": source}, options={**options, "interface": "cgi"}
    )


def test_proxies_that_raise_outside_of_a_request_are_passed_over(tmp_path: Path) -> None:
    source = WSGI + """
class Proxy:
    def __call__(self): ...
    def __getattr__(self, name):
        raise RuntimeError("outside of a request")
request = Proxy()
"""
    for loaded in both(tmp_path, {"app.py": source}):
        assert loaded.interface == "wsgi"
        loaded.shutdown()
