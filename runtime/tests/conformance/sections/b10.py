"""B.10: HTTP and TLS, to the byte where it matters."""

import http.client
import json
import socket
import ssl
import subprocess
import time

import apps
from kit import Client, parse, read_to_end

GET = b"GET /app/nothing HTTP/1.1\r\nhost: h\r\n\r\n"
LAST = b"GET /app/nothing HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


def run(t):
    limits(t)
    wire(t)
    sessions(t)
    unsecured(t)
    accept(t)
    tls(t)
    http2(t)


def limits(t):
    client = t.main.new_client()
    exact = client.post("/app/body?bytes", b"x" * (1 << 20))
    t.equal("a body of 1 MiB", [exact.status, len(exact.body)], [200, 1 << 20])
    over = t.main.new_client().post("/app/body?bytes", b"x" * ((1 << 20) + 1))
    t.equal("a body beyond it", [*over.brief, over.headers.get("connection")],
            [413, "RequestBodyTooLarge", "close"])
    chunked = t.main.new_client().raw(
        b"POST /app/body?bytes HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"
        + b"40000\r\n" + b"x" * 0x40000 + b"\r\n" + b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    )
    t.equal("a chunked body beyond it", parse(chunked)[0].brief, [413, "RequestBodyTooLarge"])
    wide = t.main.new_client().get("/app/nothing", x_wide="y" * 15000)
    t.equal("headers of 15 KB", wide.status, 200)
    over = t.main.new_client().get("/app/nothing", x_wide="y" * 17000)
    t.equal("headers beyond 16 KB", [*over.brief, over.headers.get("connection")],
            [431, "RequestHeaderTooLarge", "close"])
    over = t.main.new_client().ask("GET", f"/app/things/{'y' * 17000}")
    t.equal("a path beyond 16 KB", over.brief, [431, "RequestHeaderTooLarge"])
    many = {f"x-{n}": "y" for n in range(250)}
    t.equal("250 headers", t.main.new_client().ask("GET", "/app/nothing", headers=many).status,
            200)
    many = {f"x-{n}": "y" for n in range(257)}
    answer = t.main.new_client().ask("GET", "/app/nothing", headers=many)
    t.equal("more than 256 headers", answer.brief, [431, "RequestHeaderTooLarge"])
    node = apps.node(t.world)
    small = node.new_client(None, "small")
    t.equal("bounds of an interface: a body within", small.post("/app/body?text", b"x" * 1024)
            .status, 200)
    t.equal("bounds of an interface: a body beyond",
            small.post("/app/body?text", b"x" * 1025).brief, [413, "RequestBodyTooLarge"])
    t.equal("bounds of an interface: headers beyond",
            node.new_client(None, "small").get("/app/nothing", x="y" * 1024).brief,
            [431, "RequestHeaderTooLarge"])
    few = {f"x-{n}": "y" for n in range(25)}
    t.equal("bounds of an interface: too many headers",
            node.new_client(None, "small").ask("GET", "/app/nothing", headers=few).brief,
            [431, "RequestHeaderTooLarge"])


def wire(t):
    client = Client(t.main, t.main.address)
    answers = parse(client.raw(GET + GET + LAST))
    t.equal("pipelined requests are answered in order",
            [(answer.status, answer.text) for answer in answers], [(200, "nothing")] * 3)
    mixed = (
        b"POST /app/body?text HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\none"
        b"GET /app/nope HTTP/1.1\r\nhost: h\r\n\r\n" + LAST
    )
    t.equal("each with its own answer",
            [answer.status for answer in parse(client.raw(mixed))], [200, 404, 200])
    received = client.raw(LAST)
    t.equal("names of headers are lower-case on the wire",
            [name for name, _ in parse(received)[0].raw_headers if name != name.lower()], [])
    t.equal("the status line", received.split(b"\r\n")[0], b"HTTP/1.1 200 OK")
    for name, request in (
        ("no HTTP at all", b"nonsense\r\n\r\n"),
        ("a bad version", b"GET / HTTP/9.9\r\n\r\n"),
        ("a bad header name", b"GET / HTTP/1.1\r\nbad name: x\r\n\r\n"),
        ("a header without colon", b"GET / HTTP/1.1\r\nbad\r\n\r\n"),
        ("two lengths that differ",
         b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"),
        ("a length that is none", b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: x\r\n\r\n"),
        ("a bad chunk", b"POST /app/body?text HTTP/1.1\r\nhost: h\r\n"
         b"transfer-encoding: chunked\r\n\r\nzz\r\n"),
    ):
        answers = parse(client.raw(request))
        t.equal(f"malformed: {name}", [answers[0].status, len(answers)], [400, 1])
    received = client.raw(
        b"POST /app/body?text HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )
    t.equal("a chunked body", parse(received)[0].json, {"text": "abcde"})
    received = client.raw(
        b"POST /app/body?text HTTP/1.1\r\nhost: h\r\nconnection: close\r\n"
        b"content-length: 3\r\nexpect: 100-continue\r\n\r\nabc"
    )
    t.equal("expect: 100-continue", [answer.status for answer in parse(received)], [100, 200])
    received = client.raw(b"GET /app/nothing HTTP/1.0\r\nhost: h\r\n\r\n")
    t.equal("HTTP/1.0 is answered and closed", parse(received)[0].status, 200)
    absolute = client.raw(
        b"GET https://h/app/echo?a=b HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"
    )
    t.equal("a target in absolute form", parse(absolute)[0].json["url"], "/app/echo?a=b")
    with client.open_socket() as stream:
        for _ in range(3):
            stream.sendall(GET)
            received = stream.recv(65536)
            while b"nothing" not in received:
                received += stream.recv(65536)
        t.equal("a session is kept alive", parse(received)[0].status, 200)
    with client.open_socket() as stream:
        for byte in LAST:
            stream.sendall(bytes([byte]))
        t.equal("a request that comes byte by byte", parse(read_to_end(stream))[0].status, 200)


def sessions(t):
    """At most one session on this interface, and a second one that is told so."""
    node = apps.node(t.world)

    def begin():
        client = node.new_client(None, "few")
        return client, client.get("/app/nothing")

    first, answer = begin()
    t.equal("below the soft cap", answer.status, 200)
    second, answer = begin()
    t.equal("above the soft cap", answer.brief, [503, "SessionCapExhausted"])
    t.equal("the session is closed then", answer.headers.get("connection"), "close")
    second.close()
    first.close()
    deadline = time.monotonic() + 10
    status = 503
    while status == 503 and time.monotonic() < deadline:
        third, answer = begin()
        third.close()
        status = answer.status
    t.equal("a session that ends makes room", status, 200)
    metrics = node.get("/node/metrics").json["sessions"]["interfaces"]["few"]
    t.equal("caps are in /node/metrics", [metrics["soft_cap"], metrics["hard_cap"]], [1, 2])


def unsecured(t):
    """Plain text is served where an interface asks for it by name."""
    node = apps.node(t.world)

    def status(interface, path):
        connection = http.client.HTTPConnection(node.addresses[interface], timeout=20)
        connection.request("GET", path)
        answer = connection.getresponse()
        connection.close()
        return answer.status

    t.equal("an unsecured interface serves nothing by itself", status("unsecured", "/node/state"),
            503)
    t.equal("it serves what it accepts", status("unsecured_some", "/node/state"), 200)
    t.equal("and nothing else", status("unsecured_some", "/app/nothing"), 503)


def accept(t):
    for header, expected in (
        ("*/*", 200), ("application/*", 200), ("application/json", 200),
        ("text/html, */*;q=0.1", 200), ("text/html;q=0.9,application/json;q=0.2", 200),
        ("APPLICATION/JSON", 200), ("application/json; charset=utf-8", 200),
        ("text/html", 406), ("text/*", 406), ("application/json;q=0", 406),
        ("word", 400), ("a/b/c", 400), ("application/json, word", 400),
    ):
        t.equal(f"accept: {header}", t.main.get("/node/state", accept=header).status, expected)
    t.equal("an app's endpoint answers whatever is accepted",
            t.main.get("/app/nothing", accept="word").status, 200)


def tls(t):
    def version(minimum, maximum, ciphers=None):
        context = ssl.create_default_context(cafile=str(t.main.common / "service_cert.pem"))
        context.minimum_version, context.maximum_version = minimum, maximum
        if ciphers:
            context.set_ciphers(ciphers)
        host, port = t.main.address.rsplit(":", 1)
        try:
            with socket.create_connection((host, int(port)), timeout=20) as plain:
                with context.wrap_socket(plain, server_hostname=host) as stream:
                    return stream.version(), stream.cipher()[0]
        except (ssl.SSLError, ConnectionError) as error:
            return type(error).__name__

    one_2, one_3 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
    t.equal("TLS 1.3", version(one_3, one_3)[0], "TLSv1.3")
    t.equal("TLS 1.2", version(one_2, one_2)[0], "TLSv1.2")
    for cipher in ("ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-AES128-GCM-SHA256"):
        t.equal(f"the suite {cipher}", version(one_2, one_2, cipher), ("TLSv1.2", cipher))
    t.equal("no suite without forward secrecy", isinstance(version(
        one_2, one_2, "AES256-GCM-SHA384"), str), True)
    from cryptography import x509
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = t.main.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            presented = x509.load_der_x509_certificate(stream.getpeercert(True))
    service = x509.load_pem_x509_certificate((t.main.common / "service_cert.pem").read_bytes())
    t.equal("the node's certificate is endorsed by the service's",
            [presented.issuer, presented.public_key().curve.name],
            [service.subject, "secp384r1"])
    presented.verify_directly_issued_by(service)
    names = presented.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    t.equal("it names the address", "127.0.0.1" in map(str, names.get_values_for_type(
        x509.IPAddress)), True)
    node = apps.node(t.world)
    endorsed = node.addresses["node_endorsed"].rsplit(":", 1)
    with socket.create_connection((endorsed[0], int(endorsed[1])), timeout=20) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            own = x509.load_der_x509_certificate(stream.getpeercert(True))
    t.equal("an interface endorsed by the node presents its self-signed certificate",
            own.issuer == own.subject, True)
    shown = node.get("/node/self_signed_certificate").json["self_signed_certificate"]
    t.equal("which is the one that it shows", own, x509.load_pem_x509_certificate(shown.encode()))


def http2(t):
    service = apps.http2(t.world)
    base = ["curl", "--http2", "--silent", "--show-error", "--cacert",
            service.common / "service_cert.pem"]

    def curl(*arguments):
        return subprocess.run([*map(str, base), *arguments], capture_output=True, check=True,
                              timeout=30).stdout

    url = f"https://{service.address}"
    code = curl("--output", "/dev/null", "--write-out", "%{http_version} %{http_code}",
                f"{url}/app/nothing")
    t.equal("an HTTP/2 interface speaks HTTP/2", code, b"2 200")
    t.equal("a body in HTTP/2",
            curl("--data-binary", "h\u00e9".encode(), f"{url}/app/body?text"),
            '{"text":"h\u00e9"}'.encode())
    seen = json.loads(curl(f"{url}/app/echo?a=b"))
    t.equal("hostname in HTTP/2 is the authority", seen["hostname"], service.address)
    t.equal("the url in HTTP/2", seen["url"], "/app/echo?a=b")
    head = curl("--dump-header", "-", "--output", "/dev/null", f"{url}/app/nothing").decode()
    t.equal("the transaction id in HTTP/2", "x-ms-ccf-transaction-id: 2." in head, True)
    code = curl("--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary",
                "x" * 100, "--header", "x-wide: " + "y" * 17000, f"{url}/app/nothing")
    t.equal("bounds hold in HTTP/2", code, b"431")
    large = t.world.directory("large") / "body"
    large.write_bytes(b"x" * (3 << 20))
    code = curl("--output", "/dev/null", "--write-out", "%{http_code}", "--data-binary",
                f"@{large}", f"{url}/app/body?text")
    t.equal("the bound of a body holds in HTTP/2", code, b"413")
    cert, key = service.identity("user0")
    seen = json.loads(
        curl("--cert", str(cert), "--key", str(key), f"{url}/app/echo/user"))
    t.equal("client certificates in HTTP/2", seen["caller"]["policy"], "user_cert")
    code = curl("--output", "/dev/null", "--write-out", "%{http_code}", f"{url}/app/nope")
    t.equal("errors in HTTP/2", code, b"404")
