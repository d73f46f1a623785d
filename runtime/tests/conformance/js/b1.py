"""B.1: bundles."""

import json

import apps
from kit import HERE


def good(**changes):
    """One endpoint's properties; None removes one."""
    properties = apps.endpoint("a.js", "f")
    properties.update(changes)
    return {key: value for key, value in properties.items() if value is not None}


def run(t):
    directory(t)
    imports(t)
    broken(t)


def directory(t):
    """The same app from a directory as from a bundle.json."""
    root = t.world.directory("directory")
    endpoints = {"/leaf": {"get": apps.endpoint("/deep/er/use.js", "f")}}
    (root / "app.json").write_text(json.dumps({"endpoints": endpoints}))
    for name in ("root.js", "deep/sibling.js", "deep/er/leaf.js"):
        target = root / "src" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((HERE / "src" / name).read_text())
    use = 'import { named } from "./leaf.js";\nexport const f = () => ({ body: named });\n'
    (root / "src/deep/er/use.js").write_text(use)
    service = t.world.sandbox("directory", root)
    t.equal("a directory's modules are named by their path below src",
            service.get("/app/leaf").plain, [200, "text/plain", "root sibling leaf"])
    rows = (
        "const keys = []; ccf.kv['public:ccf.gov.modules'].forEach((v, k) => keys.push(s(k)));"
        "return keys.sort()"
    )
    t.js("modules are stored with a leading slash", rows,
         sorted(f"/{name}" for name in apps.MODULES))
    source = (HERE / "src" / "root.js").read_text()
    t.js("modules are stored as they are",
         "return s(ccf.kv['public:ccf.gov.modules'].get(b('/root.js')))", source)
    t.js("js_module is stored with a leading slash",
         "return ccf.bufToJsonCompatible(ccf.kv['public:ccf.gov.endpoints']"
         ".get(b('GET /things/{id}'))).js_module", "/request.js")
    t.js("storing an app flushes interpreters",
         "return s(ccf.kv['public:ccf.gov.interpreter.flush'].get(new ArrayBuffer(8)))", "true")
    t.js("bytecode of another engine is not stored",
         "return ccf.kv['public:ccf.gov.modules_quickjs_bytecode'].size", 0)


def imports(t):
    """Module names are resolved by the engine's rule and nothing is guessed."""
    modules = {
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
    bundle = t.world.bundle({"/f": {"get": apps.endpoint("main.js", "f")}}, modules)
    service = t.world.sandbox("imports", bundle)
    t.equal("relative, bare and absolute specifiers", service.get("/app/f").text, "a^ b d")


def broken(t):
    """What a service does with an app that it was given and that cannot work."""
    node = apps.node(t.world)
    for path, name in (
        ("/app/broken", "a module that is not there"),
        ("/app/thrower", "a module that throws while it is evaluated"),
        ("/app/no_export", "a function that is not exported"),
    ):
        t.equal(f"{name} fails the request", node.get(path).error,
                [500, "InternalError", "Exception thrown while executing."])
    t.equal("and no other request", node.get("/app/nothing").plain,
            [200, "text/plain", "nothing"])
    for name, endpoints, modules, word in (
        ("a module that is not in the bundle", {"/x": {"get": good(js_module="b.js")}},
         {"a.js": "export function f() {}"}, 'js_module "/b.js" is not in the bundle'),
        ("an import that is not in the bundle", {"/x": {"get": good()}},
         {"a.js": 'import "./b.js";\nexport function f() {}'}, "b.js"),
        ("a function that is not exported", {"/x": {"get": good()}},
         {"a.js": "export function g() {}"}, "'f'"),
        ("a module that does not compile", {"/x": {"get": good()}},
         {"a.js": "export function f( {}"}, "SyntaxError"),
    ):
        code, said = t.world.refusal(
            ["sandbox", "--app", t.world.bundle(endpoints, modules), "--node",
             "local://127.0.0.1:0"]
        )
        t.equal(f"ours: a sandbox refuses {name}", [code, word in said or said], [1, True])
