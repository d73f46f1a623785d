"""B.1: bundles."""

import json

import apps
from governed import keys, row
from language import PYTHON, SOURCES, either, module


def good(**changes):
    """One endpoint's properties; None removes one."""
    properties = apps.endpoint("a", "f")
    properties.update(changes)
    return {key: value for key, value in properties.items() if value is not None}


def run(t):
    directory(t)
    imports(t)
    broken(t)


def directory(t):
    """The same app from a directory as from a bundle.json."""
    root = t.world.directory("directory")
    endpoints = {"/leaf": {"get": apps.endpoint("/deep/er/use", "f")}}
    (root / "app.json").write_text(json.dumps({"endpoints": endpoints}))
    for name in (name for name in apps.MODULES if "/" in name or name.startswith("root")):
        target = root / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((SOURCES / name).read_text())
    use = either(
        'import { named } from "./leaf.js";\nexport const f = () => ({ body: named });\n',
        "from .leaf import named\n\n\ndef f():\n    return {'body': named}\n")
    (root / "src/deep/er" / module("use")).write_text(use)
    service = t.world.sandbox("directory", root)
    t.equal("a directory's modules are named by their path below src",
            service.get("/app/leaf").plain, [200, "text/plain", "root sibling leaf"])
    t.do("modules are stored with a leading slash", keys("modules"),
         sorted(f"/{name}" for name in apps.MODULES))
    source = (SOURCES / module("root")).read_text()
    t.do("modules are stored as they are",
         f"return s(ccf.kv['public:ccf.gov.modules'].get(b('/{module('root')}')))", source)
    row_ = "ccf.kv['public:ccf.gov.endpoints'].get(b('GET /things/{id}'))"
    t.do("the module of an endpoint is stored with a leading slash",
         either(f"return ccf.bufToJsonCompatible({row_}).js_module",
                f"return ccf.buf_to_json_compatible({row_})['py_module']"), f"/{module('request')}")
    t.do("storing an app flushes interpreters", row("interpreter.flush", None), True)
    t.do("bytecode of another engine is not stored",
         "return ccf.kv['public:ccf.gov.modules_quickjs_bytecode'].size", 0)


def imports(t):
    """Module names are resolved by the engine's rule and nothing is guessed."""
    javascript = {
        "main.js": (
            'import a from "./lib/a.js";\nimport b from "lib/b.js";\nimport c from "/lib/c.js";\n'
            'export const f = () => ({ body: a + b + c });\n'
        ),
        "lib/a.js": 'import { up } from "../up.js";\nexport default `a${up} `;\n',
        "lib/b.js": 'export default "b ";\n',
        "lib/c.js": 'export { default } from "./d.js";\n',
        "lib/d.js": 'export default "d";\n',
        "up.js": 'export const up = "^";\n',
    }
    python = {
        "main.py": (
            "import lib.a\nfrom lib import b\nfrom lib.c import d\n\n\ndef f():\n"
            "    return {'body': lib.a.a + b.b + d}\n"
        ),
        "lib/__init__.py": "",
        "lib/a.py": "from up import up\n\na = f'a{up} '\n",
        "lib/b.py": "b = 'b '\n",
        "lib/c.py": "from .d import d as d\n",
        "lib/d.py": "d = 'd'\n",
        "up.py": "up = '^'\n",
    }
    modules = either(javascript, python)
    bundle = t.world.bundle({"/f": {"get": apps.endpoint("main", "f")}}, modules)
    service = t.world.sandbox("imports", bundle)
    t.equal("relative, bare and absolute specifiers", service.get("/app/f").text, "a^ b d")


def broken(t):
    """What a service does with an app that it was given and that cannot work."""
    node = apps.node(t.world)
    for path, name in () if PYTHON else (
        ("/app/broken", "a module that is not there"),
        ("/app/thrower", "a module that throws while it is evaluated"),
        ("/app/no_export", "a function that is not exported"),
    ):
        t.equal(f"{name} fails the request", node.get(path).error,
                [500, "InternalError", "Exception thrown while executing."])
    t.equal("and no other request", node.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    elsewhere = {"/x": {"get": good(**{either("js_module", "py_module"): module("b")})}}
    for name, endpoints, source, word in (
        ("a module that is not in the bundle", elsewhere,
         either("export function f() {}", "def f():\n    pass\n"),
         either('js_module "/b.js" is not in the bundle', "'b.py' is not there")),
        ("an import that is not in the bundle", {"/x": {"get": good()}},
         either('import "./b.js";\nexport function f() {}',
                "import absent\n\n\ndef f():\n    pass\n"), either("b.js", "absent")),
        ("a function that is not exported", {"/x": {"get": good()}},
         either("export function g() {}", "def g():\n    pass\n"), "'f'"),
        ("a module that does not compile", {"/x": {"get": good()}},
         either("export function f( {}", "def f( {"), "SyntaxError"),
    ):
        bundle = t.world.bundle(endpoints, {module("a"): source})
        code, said = t.world.refusal(["sandbox", "--app", bundle, "--node", "local://127.0.0.1:0"])
        t.equal(f"ours: a sandbox refuses {name}", [code, word in said or said], [1, True])
