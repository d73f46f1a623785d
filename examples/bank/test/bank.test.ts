// Unit tests run in Node.js: the polyfill stands in for the ledger and must be imported first.
import "@microsoft/ccf-app/polyfill.js";
import type { Request, Response } from "@microsoft/ccf-app";
import { ccf } from "@microsoft/ccf-app/global.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { beforeEach, test } from "node:test";
import * as bank from "../src/app.js";

const teller = { role: "teller" };
const alice = { role: "customer", name: "alice" };
const bob = { role: "customer", name: "bob" };

// The polyfill has no claims: they are caught here.
let claims: ArrayBuffer | undefined;
ccf.rpc.setClaimsDigest = (digest) => {
  claims = digest;
};

/** Calls a handler as somebody; answers with the status and the body. */
function call(
  handler: (request: Request) => Response,
  data: unknown,
  id: string,
  body?: unknown,
): [number, any] {
  const text = typeof body === "string" ? body : JSON.stringify(body ?? null);
  const request = {
    params: { id },
    body: { text: () => text, json: () => JSON.parse(text) },
    caller: { policy: "user_cert", id: "", data, cert: "" },
  } as unknown as Request;
  const answer = handler(request);
  return [answer.statusCode ?? 200, answer.body];
}

const balance = (id: string) => call(bank.getAccount, teller, id)[1].balance;

beforeEach(() => {
  claims = undefined;
  ccf.kv["accounts"].clear();
  call(bank.openAccount, teller, "1", { owner: "alice" });
  call(bank.openAccount, teller, "2", { owner: "bob" });
  call(bank.deposit, teller, "1", { amount: 100 });
});

test("a transfer moves money and is bound to the receipt", () => {
  const [status, statement] = call(bank.transfer, alice, "", { from: "1", to: "2", amount: 30 });
  assert.deepEqual([status, statement], [200, "transfer 30 from 1 to 2"]);
  assert.deepEqual([balance("1"), balance("2")], [70, 30]);
  const expected = createHash("sha256").update("transfer 30 from 1 to 2").digest("hex");
  assert.ok(claims);
  assert.equal(Buffer.from(claims).toString("hex"), expected);
});

test("a transfer to the same account changes nothing", () => {
  assert.equal(call(bank.transfer, alice, "", { from: "1", to: "1", amount: 30 })[0], 200);
  assert.equal(balance("1"), 100);
});

test("who may do what", () => {
  for (const customer of [alice, bob]) {
    assert.equal(call(bank.openAccount, customer, "3", { owner: "bob" })[0], 403);
    assert.equal(call(bank.deposit, customer, "1", { amount: 1 })[0], 403);
  }
  assert.equal(call(bank.transfer, bob, "", { from: "1", to: "2", amount: 30 })[0], 403);
  assert.equal(call(bank.getAccount, bob, "1")[0], 403);
  assert.equal(call(bank.getAccount, alice, "1")[0], 200);
  for (const nobody of [null, {}, { role: "customer" }, { role: "owner" }]) {
    assert.equal(call(bank.getAccount, nobody, "1")[0], 403);
  }
  const ids = (caller: unknown) => call(bank.listAccounts, caller, "")[1].map((a: any) => a.id);
  assert.deepEqual([ids(teller), ids(alice), ids(bob)], [["1", "2"], ["1"], ["2"]]);
});

test("what cannot be is refused", () => {
  const pay = (body: unknown) => call(bank.transfer, alice, "", body);
  assert.equal(pay({ from: "1", to: "2", amount: 101 })[1].error.code, "InsufficientFunds");
  assert.equal(pay({ from: "1", to: "9", amount: 1 })[0], 404);
  assert.equal(pay({ from: "9", to: "1", amount: 1 })[0], 404);
  for (const amount of [0, -5, 1.5, "7", null, 2 ** 53]) {
    assert.equal(pay({ from: "1", to: "2", amount })[0], 400);
  }
  for (const body of ["", "nonsense", null, [], { to: "2", amount: 1 }]) {
    assert.equal(pay(body)[0], 400);
  }
  assert.equal(call(bank.openAccount, teller, "1", { owner: "bob" })[0], 409);
  const much = { amount: Number.MAX_SAFE_INTEGER };
  assert.equal(call(bank.deposit, teller, "1", much)[0], 400);
  assert.equal(claims, undefined);
});
