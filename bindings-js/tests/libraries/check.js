// Every handler on a running service, fresh and in a kept interpreter, against the same code in Node.js.
//   usage: node check.js ADDRESS COMMON_DIRECTORY
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { inputs } from "./inputs.js";

const [, , address, common] = process.argv;
const pem = (name) => readFileSync(`${common}/${name}`);
const [hostname, port] = address.split(":");
const identity = { ca: pem("service_cert.pem"), cert: pem("user0_cert.pem"), key: pem("user0_privk.pem") };

function post(path, body) {
  return new Promise((resolve, reject) => {
    const sent = request({ ...identity, hostname, port, path, method: "POST" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, text }));
    });
    sent.on("error", reject);
    sent.end(JSON.stringify(body));
  });
}

// Libraries take other paths where Node.js's Buffer is.
globalThis.Buffer = undefined;
let checks = 0;
for (const [name, input] of Object.entries(inputs)) {
  const { run } = await import(`./build/node/${name}.js`);
  const expected = JSON.parse(JSON.stringify(run(structuredClone(input))));
  // Twice each: a pristine interpreter is restored, a kept one goes on.
  for (const path of [name, name, `${name}/reused`, `${name}/reused`]) {
    const { status, text } = await post(`/app/${path}`, input);
    assert.equal(status, 200, `${path}: ${text}`);
    assert.deepEqual(JSON.parse(text), expected, path);
    checks += 1;
  }
}
console.log(`${checks} passed, 0 failed`);
