"""A Flask app with one of everything, which keeps its data in the ledger where there is one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    abort,
    after_this_request,
    g,
    jsonify,
    make_response,
    redirect,
    request,
    send_file,
    session,
    stream_with_context,
    url_for,
)
from flask.views import MethodView
from werkzeug.middleware.dispatcher import DispatcherMiddleware

app = Flask(__name__)
app.secret_key = "for tests only"
app.config["MAX_FORM_MEMORY_SIZE"] = 8 << 20


@app.before_request
def begin() -> None:
    g.trail = ["before"]


@app.after_request
def end(response: Response) -> Response:
    response.headers["X-Trail"] = ",".join([*g.trail, "after"])
    return response


@app.get("/")
def index() -> str:
    return "index"


@app.post("/json")
def json_body() -> dict[str, Any]:
    return {"got": request.get_json(), "type": request.content_type}


@app.post("/json-silent")
def json_silent() -> dict[str, Any]:
    return {"got": request.get_json(silent=True)}


@app.post("/form")
def form() -> dict[str, Any]:
    return {name: request.form.getlist(name) for name in sorted(request.form)}


@app.post("/upload")
def upload() -> dict[str, Any]:
    files = {
        name: [[f.filename, f.content_type, f.read().hex()] for f in request.files.getlist(name)]
        for name in sorted(request.files)
    }
    return {"files": files, "form": {n: request.form.getlist(n) for n in sorted(request.form)}}


@app.route("/echo", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
def echo() -> Response:
    return Response(request.get_data(), content_type="application/octet-stream")


@app.post("/stream-in")
def stream_in() -> dict[str, Any]:
    sizes, lines = [], 0
    while chunk := request.stream.read(1000):
        sizes.append(len(chunk))
        lines += chunk.count(b"\n")
    return {"sizes": sizes, "lines": lines}


@app.get("/stream-out")
def stream_out() -> Response:
    def parts() -> Iterator[str]:
        for number in range(int(request.args.get("count", "3"))):
            yield f"line {number}\n"

    return Response(stream_with_context(parts()), mimetype="text/plain")


@app.get("/stream-fails")
def stream_fails() -> Response:
    def parts() -> Iterator[str]:
        yield "first\n"
        raise RuntimeError("in the middle")

    return Response(parts(), mimetype="text/plain")


@app.get("/large")
def large() -> Response:
    return Response(b"0123456789abcdef" * 65_536, mimetype="application/octet-stream")


@app.get("/file")
def file() -> Response:
    return send_file(
        io.BytesIO(b"a,b\n1,2\n"), mimetype="text/csv", as_attachment=True, download_name="t.csv"
    )


@app.get("/headers")
def headers() -> dict[str, Any]:
    names = ("X-One", "X-Many", "Accept", "User-Agent", "Accept-Language", "X-Latin")
    return {name: request.headers.get(name) for name in names}


@app.get("/headers-out")
def headers_out() -> Response:
    response = make_response("ok")
    response.headers.add("X-Twice", "one")
    response.headers.add("X-Twice", "two")
    response.headers["X-Latin"] = "caf\xe9"
    response.headers["Cache-Control"] = "no-store"
    return response


@app.get("/cookies")
def cookies() -> dict[str, Any]:
    return dict(sorted(request.cookies.items()))


@app.get("/cookies-out")
def cookies_out() -> Response:
    response = make_response("ok")
    response.set_cookie("a", "1", httponly=True)
    response.set_cookie("b", "two words", max_age=60, samesite="Lax", secure=True)
    response.delete_cookie("c")
    return response


@app.get("/session")
def session_value() -> dict[str, Any]:
    return {"user": session.get("user")}


@app.get("/redirect")
def redirected() -> Any:
    return redirect(url_for("index"), 302)


@app.get("/redirect-external")
def redirected_external() -> Any:
    return redirect(url_for("item", number=7, _external=True), 307)


@app.get("/slash/")
def slash() -> str:
    return "slash"


@app.get("/items/<int:number>")
def item(number: int) -> dict[str, Any]:
    return {"number": number}


@app.get("/text/<text>")
def text(text: str) -> dict[str, Any]:
    return {"text": text}


@app.get("/path/<path:rest>")
def path(rest: str) -> dict[str, Any]:
    return {"rest": rest, "path": request.path, "root": request.script_root, "url": request.url}


@app.get("/query")
def query() -> dict[str, Any]:
    return {
        "lists": {name: request.args.getlist(name) for name in sorted(request.args)},
        "raw": request.query_string.decode("latin-1"),
    }


@app.get("/abort/<int:status>")
def aborted(status: int) -> None:
    abort(status)


@app.get("/fails")
def fails() -> None:
    raise RuntimeError("not for clients")


class OwnError(Exception):
    """Has a handler of its own."""


@app.errorhandler(OwnError)
def own_error(error: OwnError) -> tuple[dict[str, Any], int]:
    return {"error": str(error)}, 418


@app.get("/own-error")
def raises_own_error() -> None:
    raise OwnError("teapot")


@app.get("/empty")
def empty() -> tuple[str, int]:
    return "", 204


@app.get("/tuple")
def with_tuple() -> Any:
    return {"made": True}, 201, {"Location": "/items/1", "X-From": "tuple"}


@app.get("/list")
def with_list() -> Any:
    return jsonify([1, "zwei", None, 3.5, {"d": "\u00e9"}])


@app.get("/unicode")
def with_unicode() -> str:
    return "Gr\u00fc\u00dfe, \u4e16\u754c"


@app.get("/etag")
def etag() -> Response:
    response = make_response("tagged")
    response.set_etag("v1")
    return response.make_conditional(request)


@app.get("/later")
def later() -> str:
    @after_this_request
    def mark(response: Response) -> Response:
        response.headers["X-Later"] = "yes"
        return response

    return "later"


@app.get("/environ")
def environ() -> dict[str, Any]:
    names = ("REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME")
    names += ("SERVER_PORT", "SERVER_PROTOCOL", "wsgi.url_scheme", "HTTP_HOST")
    return {name: request.environ.get(name) for name in names}


class Things(MethodView):
    """One class for several verbs."""

    def get(self, name: str) -> dict[str, Any]:
        return {"get": name}

    def put(self, name: str) -> tuple[dict[str, Any], int]:
        return {"put": name, "body": request.get_json()}, 201

    def delete(self, name: str) -> tuple[str, int]:
        return "", 204


app.add_url_rule("/things/<name>", view_func=Things.as_view("things"))

part = Blueprint("part", __name__, url_prefix="/part")


@part.get("/here")
def here() -> str:
    return url_for("part.here")


app.register_blueprint(part)

mounted = Flask("mounted")


@mounted.get("/inside")
def inside() -> dict[str, Any]:
    return {"root": request.script_root, "path": request.path}


app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/mounted": mounted})  # type: ignore[method-assign]
