"""B.4: the request object."""

from kit import Client
from language import JAVASCRIPT, either

FIELDS = ["headers", "query", "path", "method", "hostname", "route", "url", "params", "body",
          "caller"]
# Query as sent, as shown.
QUERIES = [
    ("no query is empty", "", ""),
    ("an empty query is empty", "?", ""),
    ("a query as it is", "?a=b&c=d", "a=b&c=d"),
    ("percent-encoding is decoded", "?a=%41%20%c3%a9", "a=A \u00e9"),
    ("a plus sign is a space", "?a=b+c", "a=b c"),
    ("an encoded plus sign is a plus sign", "?a=b%2Bc", "a=b+c"),
    ("the whole is decoded at once", "?a=b%26c%3Dd", "a=b&c=d"),
    ("a second question mark is text", "?a?b", "a?b"),
    ("a stray percent sign stays", "?a=100%", "a=100%"),
]


def run(t):
    if JAVASCRIPT:
        t.equal("fields in CCF's order", t.main.post("/app/keys").json, FIELDS)
    for name, sent, shown in QUERIES:
        seen = t.main.get(f"/app/echo{sent}").json
        url = f"/app/echo?{shown}" if shown else "/app/echo"
        t.equal(f"query: {name}", [seen["query"], seen["url"]], [shown, url])
    for verb in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        t.equal(f"method of {verb}", t.main.ask(verb, "/app/echo").json["method"], verb)
    seen = t.main.get("/app/echo/a%2Fb/of/c+d").json
    t.equal("path is raw", seen["path"], "/app/echo/a%2Fb/of/c+d")
    t.equal("params are raw", seen["params"], {"a": "a%2Fb", "b": "c+d"})
    t.equal("route is prefix and template", seen["route"], "/app/echo/{a}/of/{b}")
    seen = t.main.get("/echo/1/of/2").json
    t.equal("path without the prefix is as sent", seen["path"], "/echo/1/of/2")
    t.equal("route has the prefix though none was sent", seen["route"], "/app/echo/{a}/of/{b}")
    t.equal("url without a query is the path", seen["url"], "/echo/1/of/2")
    t.equal("params are empty where there are none", t.main.get("/app/echo").json["params"], {})
    headers(t)
    bodies(t)
    caller(t)


def headers(t):
    answer = t.main.ask("GET", "/app/echo", headers={"X-Mixed-Case": "Value", "x-empty": ""})
    seen = answer.json["headers"]
    t.equal("header names are lower-case", seen.get("x-mixed-case"), "Value")
    t.equal("an empty header is there", seen.get("x-empty"), "")
    t.equal("hostname is the header Host", answer.json["hostname"], t.main.address)
    t.equal("Host is among the headers", seen["host"], t.main.address)
    client = Client(t.main, t.main.address)
    raw = client.raw(
        b"GET /app/echo HTTP/1.1\r\nhost: h\r\nx-two: first\r\nx-two: second\r\n"
        b"connection: close\r\n\r\n"
    )
    if JAVASCRIPT:
        t.equal("of repeated headers the first wins", b'"x-two":"first"' in raw, True)
    else:
        t.ours("repeated headers are joined", b'"x-two":"first,second"' in raw, True)
    raw = client.raw(b"GET /app/echo HTTP/1.0\r\n\r\n")
    t.equal("hostname is null without Host", b'"hostname":null' in raw, True)


def bodies(t):
    def post(how, body):
        return t.main.post(f"/app/body?{how}", body)

    t.equal("text", post("text", "h\u00e9".encode()).json, {"text": "h\u00e9"})
    t.equal("text of no body", post("text", b"").json, {"text": ""})
    t.equal("json", post("json", b'{"a":[1,null]}').json, {"json": {"a": [1, None]}})
    error = either("SyntaxError", "JSONDecodeError")
    answer = post("json", b"{")
    t.equal(f"bad JSON is a {error}",
            [answer.status, answer.json["error"]["details"][0]["message"].split(":")[0]],
            [500, error])
    t.equal(f"json of no body is a {error}",
            post("json", b"").json["error"]["details"][0]["message"].split(":")[0], error)
    data = bytes(range(256))
    t.equal("arrayBuffer is the bytes", post("bytes", data).body, data)
    if JAVASCRIPT:
        t.equal("arrayBuffer is fresh each time", t.main.post("/app/body/fresh", b"abc").text,
                "abc")
        t.equal("the body's functions are no JSON", t.main.post("/app/echo", b"x").json["body"], {})
    t.do("ours: request.data is parsed by content type", "return request.data",
         "return request.data")
    t.equal("a body of GET is read",
            t.main.ask("GET", "/app/echo", body=b"x").json["headers"]["content-length"], "1")


def caller(t):
    t.equal("caller is null without any policy", t.main.get("/app/echo/anybody").json["caller"],
            None)
    t.equal("caller of no_auth", t.main.get("/app/echo").json["caller"], {"policy": "no_auth"})
