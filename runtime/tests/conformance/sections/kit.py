"""What the sections share: services under test, clients, and checks that count themselves."""

import http.client
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import time

from language import PYTHON, SOURCES, either

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[3]
TXID = "x-ms-ccf-transaction-id"
START_S = 60
COMMIT_S = 30


class Answer:
    """One answer: status, headers (names as sent, values joined by comma), body."""

    def __init__(self, status, headers, body):
        self.status = status
        self.raw_headers = headers
        self.headers = {}
        for name, value in headers:
            known = self.headers.get(name.lower())
            self.headers[name.lower()] = value if known is None else f"{known}, {value}"
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def txid(self):
        return self.headers.get(TXID)

    @property
    def type(self):
        return self.headers.get("content-type")

    @property
    def error(self):
        """Status, code and message of an OData error."""
        error = self.json["error"]
        return [self.status, error["code"], error["message"]]

    @property
    def brief(self):
        """Status and code of an OData error, status and body otherwise."""
        try:
            return [self.status, self.json["error"]["code"]]
        except (ValueError, KeyError, TypeError):
            return [self.status, self.text]

    @property
    def plain(self):
        return [self.status, self.type, self.text]


class Client:
    """One connection, kept alive."""

    def __init__(self, service, address, identity=None):
        self.host, port = address.rsplit(":", 1)
        self.port = int(port)
        self.context = ssl.create_default_context(cafile=str(service.common / "service_cert.pem"))
        if identity is not None:
            self.context.load_cert_chain(*map(str, identity))
        self.connection = None

    def ask(self, method, path, body=None, headers=None):
        for attempt in (1, 2):
            if self.connection is None:
                self.connection = http.client.HTTPSConnection(
                    self.host, self.port, context=self.context, timeout=30
                )
            try:
                self.connection.request(method, path, body=body, headers=headers or {})
                response = self.connection.getresponse()
                answer = Answer(response.status, response.getheaders(), response.read())
            except (http.client.RemoteDisconnected, ConnectionError):
                self.close()
                if attempt == 2:
                    raise
                continue
            if response.will_close:
                self.close()
            return answer
        raise AssertionError("not reached")

    def get(self, path, **headers):
        return self.ask("GET", path, headers=named(headers))

    def post(self, path, body=b"", **headers):
        return self.ask("POST", path, body=body, headers=named(headers))

    def close(self):
        if self.connection is not None:
            self.connection.close()
        self.connection = None

    def open_socket(self):
        """A TLS session of one's own, for bytes that no client library would send."""
        stream = socket.create_connection((self.host, self.port), timeout=20)
        return self.context.wrap_socket(stream, server_hostname=self.host)

    def raw(self, request):
        """Sends bytes, reads until the other side closes."""
        with self.open_socket() as stream:
            stream.sendall(request)
            return read_to_end(stream)


def named(headers):
    """Keyword arguments as header names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def read_to_end(stream):
    received = b""
    try:
        while piece := stream.recv(65536):
            received += piece
    except (TimeoutError, ConnectionError, ssl.SSLError):
        pass
    return received


def parse(received):
    """The answers in bytes read from a socket: heads, and bodies by their content-length."""
    answers = []
    while received:
        head, _, rest = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = [tuple(line.split(": ", 1)) for line in lines[1:] if ": " in line]
        status = int(lines[0].split(" ")[1])
        lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
        length = lengths[0] if lengths else 0
        answers.append(Answer(status, headers, rest[:length]))
        received = rest[length:]
    return answers


def read_sources(modules):
    """The text of files in src/, by name."""
    return {module: (SOURCES / module).read_text() for module in modules}


def directory_bundle(root, endpoints, sources):
    """Writes an app.json with its modules in src/; the directory."""
    (root / "app.json").write_text(json.dumps({"endpoints": endpoints}))
    for name, text in sources.items():
        path = root / "src" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


class Service:
    """An affiant process of its own in a directory of its own."""

    def __init__(self, root):
        self.root = root
        self.process = None
        self.clients = {}
        self.log = root / "log"

    def start(self, arguments, addresses, common):
        self.common = common
        self.process = subprocess.Popen(
            [os.environ["AFFIANT"], *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=self.log.open("wb"),
            stderr=subprocess.STDOUT,
            cwd=self.root,
        )
        deadline = time.monotonic() + START_S
        while not (addresses.exists() and addresses.stat().st_size and self.certificate()):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the service did not start:\n{self.log.read_text()}")
            time.sleep(0.02)
        self.addresses = json.loads(addresses.read_text())
        first = next(iter(self.addresses.values()))
        self.address = self.addresses.get("main", first)
        return self

    def certificate(self):
        certificate = self.common / "service_cert.pem"
        return certificate.exists() and certificate.stat().st_size > 0

    def identity(self, name):
        return self.common / f"{name}_cert.pem", self.common / f"{name}_privk.pem"

    def client(self, identity=None, interface=None):
        """The kept-alive client of that identity (a name in the workspace, or two paths)."""
        key = (identity, interface)
        if key not in self.clients:
            self.clients[key] = self.new_client(identity, interface)
        return self.clients[key]

    def new_client(self, identity=None, interface=None):
        address = self.address if interface is None else self.addresses[interface]
        pair = self.identity(identity) if isinstance(identity, str) else identity
        return Client(self, address, pair)

    def ask(self, *arguments, **named_arguments):
        return self.client().ask(*arguments, **named_arguments)

    def get(self, path, **headers):
        return self.client().get(path, **headers)

    def post(self, path, body=b"", **headers):
        return self.client().post(path, body, **headers)

    def committed(self, txid):
        """Waits until a transaction is committed; its final status."""
        deadline = time.monotonic() + COMMIT_S
        while True:
            status = self.get(f"/node/tx?transaction_id={txid}").json["status"]
            if status in ("Committed", "Invalid") or time.monotonic() > deadline:
                return status
            time.sleep(0.01)

    def poll(self, path, wanted, **headers):
        """Asks again while the answer's status is not `wanted`."""
        deadline = time.monotonic() + COMMIT_S
        while True:
            answer = self.get(path, **headers)
            if answer.status == wanted or time.monotonic() > deadline:
                return answer
            time.sleep(0.02)

    def stop(self):
        for client in self.clients.values():
            client.close()
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


class World:
    """The services that sections ask for, each started at its first use, all ended with it."""

    def __init__(self):
        self.root = pathlib.Path(tempfile.mkdtemp(prefix="conformance-"))
        self.services = {}
        self.number = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for service in self.services.values():
            service.stop()
        shutil.rmtree(self.root)

    def directory(self, name):
        self.number += 1
        path = self.root / f"{self.number}-{name}"
        path.mkdir()
        return path

    def bundle(self, endpoints, modules, name="bundle"):
        """Writes a bundle.json, or for Python a directory, since its bundles come with wheels and a
        digest; modules are given as names of files in src/ or as a dict."""
        sources = modules
        if not isinstance(modules, dict):
            sources = read_sources(modules)
        if PYTHON:
            return directory_bundle(self.directory(name), endpoints, sources)
        path = self.directory(name) / "bundle.json"
        listed = [{"name": module, "module": text} for module, text in sources.items()]
        path.write_text(json.dumps({"metadata": {"endpoints": endpoints}, "modules": listed}))
        return path

    def proposal(self, name, actions):
        """Writes a proposal of (action, arguments); its path."""
        path = self.directory(name) / f"{name}.json"
        listed = [{"name": action, "args": args} for action, args in actions]
        path.write_text(json.dumps({"actions": listed}))
        return path

    def sandbox(self, name, app, *options, common=()):
        """The sandbox of that name. An app of None comes from a proposal among the options; `common`
        are (name, path) of files to find in its sandbox_common."""
        if name not in self.services:
            root = self.directory(name)
            workspace = root / "workspace"
            for file, path in common:
                (workspace / "sandbox_common").mkdir(parents=True, exist_ok=True)
                shutil.copy(path, workspace / "sandbox_common" / file)
            arguments = ["sandbox", "--node", "local://127.0.0.1:0", "--workspace", workspace]
            arguments += [*options] if app is None else ["--app", app, *options]
            service = Service(root)
            self.services[name] = service.start(
                arguments,
                workspace / "sandbox_0" / "0.rpc_addresses",
                workspace / "sandbox_common",
            )
        return self.services[name]

    def node(self, name, configuration, *options):
        """The node of that name, from a CCF node configuration."""
        if name not in self.services:
            root = self.directory(name)
            configuration["output_files"] = {
                "node_certificate_file": str(root / "node.pem"),
                "pid_file": str(root / "node.pid"),
                "rpc_addresses_file": str(root / "rpc_addresses"),
            }
            configuration["ledger"] = {"directory": str(root / "ledger")}
            configuration["command"]["service_certificate_file"] = str(root / "service_cert.pem")
            path = root / "config.json"
            path.write_text(json.dumps(configuration))
            service = Service(root)
            self.services[name] = service.start(
                ["node", "--config", path, *options], root / "rpc_addresses", root
            )
        return self.services[name]

    def refusal(self, arguments):
        """What a command that is to fail says: exit code and output."""
        try:
            ended = subprocess.run(
                [os.environ["AFFIANT"], *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                cwd=self.root,
                timeout=15,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return 0, "it started"
        return ended.returncode, ended.stdout.decode()


UNDEFINED = either({"$": "undefined"}, None)


def threw(text, python=None):
    """What a snippet's answer is if it threw that; `python`: in Python's words."""
    return {"$threw": text if python is None else either(text, python)}


def buffer(data):
    """What a snippet's answer is if it returned these bytes."""
    return {"$hex": data.hex()}


class Section:
    """The checks of one row of the reference, such as A.4."""

    def __init__(self, row, world, main):
        self.row = row
        self.world = world
        self.main = main
        self.names = set()
        self.passed = 0
        # Checks that JavaScript has no counterpart of.
        self.own = 0
        self.failures = []

    @property
    def count(self):
        return self.passed + len(self.failures)

    def equal(self, name, got, expected):
        """One check."""
        if name in self.names:
            self.failures.append((name, "a name of its own", "a second check of this name"))
        self.names.add(name)
        if got == expected and type(got) is type(expected):
            self.passed += 1
        else:
            self.failures.append((name, expected, got))

    def all(self, name, pairs):
        """One check of several values, all of which must be as expected."""
        self.equal(name, [got for got, _ in pairs], [expected for _, expected in pairs])

    def do(self, name, source, expected, mode="rw", space=None, service=None):
        """Runs the body of a function inside a handler and compares what it returns.

        In scope: `m`, a map of this check's own (or of `space`); `b` and `s`, from text to buffer
        and back; `hex`; `request`. No source, no check: this language has no meaning for it.
        """
        if source is not None:
            self.equal(name, self.value(source, mode, space, service), expected)

    def value(self, source, mode="rw", space=None, service=None):
        """What the body of a function returned, as `do` compares it."""
        if space is None:
            space = f"{self.row}.{self.count}"
        answer = (service or self.main).post(
            f"/app/run/{mode}", source.encode(), x_space=space, content_type="text/plain"
        )
        if answer.status != 200:
            return f"{answer.status} {answer.text}"
        return answer.json["value"]

    def expressions(self, table, **options):
        """Checks (name, expression, expected)."""
        for name, expression, expected in table:
            source = None if expression is None else either(
                f"return ({expression});", f"return ({expression})")
            self.do(name, source, expected, **options)

    def ours(self, name, got, expected):
        """One check that JavaScript has no counterpart of."""
        self.own += 1
        self.equal(name, got, expected)
