import { claims, mockEvidence } from "./affiant.js";
import assert from "node:assert/strict";
import { createHash, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as app from "../src/app.js";

/** A request with a JSON body, as the listings look at it. */
function request(data: unknown, id = "") {
  const text = JSON.stringify(data);
  const body = { text: () => text, json: () => JSON.parse(text), toString: () => text };
  return { params: { id }, data, body } as any;
}

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

test("the listings are those of the README", () => {
  const source = readFileSync("src/listing.js", "utf8");
  const readme = readFileSync("README.md", "utf8");
  const blocks = [...readme.matchAll(/```javascript\n([^]*?)```/g)].map((match) => match[1]);
  assert.equal(blocks.length, 2);
  for (const block of blocks) {
    assert.ok(source.includes(block), block);
  }
  const rest = blocks.reduce((text, block) => text.replace(block, ""), source);
  assert.match(rest.replace(/\/\/.*\n/g, "").trim(), /^import .*;$/, "nothing else but an import");
});

test("data is processed and signed", () => {
  assert.equal(app.handle(request({ n: 1 })).statusCode, 409);
  assert.equal(app.getKey().statusCode, 409);
  const { publicKey } = app.createKey().body as any;
  assert.deepEqual(app.createKey().body, { publicKey });
  assert.deepEqual(app.getKey().body, { publicKey });
  const { statusCode, body } = app.handle(request({ n: 1 })) as any;
  assert.equal(statusCode, 200);
  assert.deepEqual(body.result, { sha256: sha256('{"n":1}') });
  assert.ok(verify(null, Buffer.from('{"n":1}'), publicKey, Buffer.from(body.signature, "base64")));
  assert.deepEqual(body.attestation, mockEvidence);
});

test("a transaction is recorded with its proof", () => {
  const transaction = { id: "t-1", from: "a", to: "b", amount: 5 };
  const statement = "transaction t-1: 5 from a to b";
  const done = app.processTransaction(request(transaction));
  assert.deepEqual(done, { success: true, proof: { statement } });
  assert.equal(claims, sha256(statement));
  assert.deepEqual(app.getTransaction(request(null, "t-1")).body, transaction);
  assert.equal(app.getTransaction(request(null, "t-2")).statusCode, 404);
});

test("what is no transaction is refused", () => {
  const good = { id: "t-3", from: "a", to: "b", amount: 5 };
  for (const wrong of [null, 7, [], { id: "" }, { from: 1 }, { to: "a" }, { amount: -1 }, { amount: 0.5 }]) {
    const changes = typeof wrong === "object" && wrong !== null && !Array.isArray(wrong);
    const sent = changes ? { ...good, ...wrong } : wrong;
    const refused = { success: false, error: "Invalid transaction" };
    assert.deepEqual(app.processTransaction(request(sent)), refused, JSON.stringify(sent));
  }
  assert.equal(app.getTransaction(request(null, "t-3")).statusCode, 404);
});
