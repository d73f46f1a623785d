// The bundle in build/dist: each library's handler in a module of its own, an app.json, and the same
// handlers for Node.js in build/node.
import { mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";
import { inputs } from "./inputs.js";

const served = { cbor: "src/cbor.js", protobuf: "src/protobuf.js", rsasign: "src/rsasign.js", container: "src/container.ts" };
const common = {
  bundle: true, format: "esm", target: "es2022", logLevel: "warning",
  tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
};
await build({ ...common, entryPoints: served, outdir: "build/dist/src", platform: "browser" });

const all = Object.fromEntries(Object.keys(inputs).map((name) => [name, `./src/${name}`]));
await build({ ...common, entryPoints: all, outdir: "build/node", platform: "browser" });

const endpoints = {};
const handler = (name) => `import { run } from "./${name}.js";
export function handle(request) {
  const answer = run(request.body.json());
  ccf.kv["answers"].set(ccf.strToBuf("${name}"), ccf.jsonCompatibleToBuf(answer));
  return { body: answer };
}
`;
mkdirSync("build/dist/src", { recursive: true });
for (const name of Object.keys(inputs)) {
  writeFileSync(`build/dist/src/handle_${name}.js`, handler(name));
  for (const [path, reuse] of [[name, undefined], [`${name}/reused`, { key: name }]]) {
    endpoints[`/${path}`] = {
      post: {
        js_module: `handle_${name}.js`, js_function: "handle", forwarding_required: "always",
        authn_policies: ["user_cert"], mode: "readwrite", interpreter_reuse: reuse,
      },
    };
  }
}
writeFileSync("build/dist/app.json", JSON.stringify({ endpoints }, null, 2));
