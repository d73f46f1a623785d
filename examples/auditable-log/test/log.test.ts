import { commit, stateAt } from "./ledger.js";
import type { Request, Response } from "@microsoft/ccf-app";
import { ccf } from "@microsoft/ccf-app/global.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import * as log from "../src/app.js";

function request(id: string, body?: unknown, query = ""): Request {
  const text = body === undefined ? "" : JSON.stringify(body);
  const caller = { policy: "user_cert", id: "ada", data: null, cert: "" };
  return { params: { id }, query, body: { json: () => JSON.parse(text) }, caller } as unknown as Request;
}

function record(subject: string, text: string): number {
  assert.equal(log.record(request(subject, { text })).statusCode ?? 200, 200);
  return commit();
}

/** Repeats a request while it is answered with 202, as a client does. */
function repeated(send: () => Response): any {
  for (let attempt = 0; attempt < 10; attempt++) {
    const answer = send();
    if (answer.statusCode !== 202) return answer;
    assert.equal(answer.headers?.["retry-after"], "1");
  }
  assert.fail("always 202");
}

const first = record("door", "opened");
commit(); // A signature, which writes no event.
const second = record("lamp", "lit");
const third = record("door", "closed");

test("the history of a subject is a chain through the ledger", () => {
  assert.equal(log.history(request("door")).statusCode, 202, "the ledger is read first");
  const { body } = repeated(() => log.history(request("door")));
  assert.deepEqual(body, [
    { subject: "door", transactionId: `2.${third}`, text: "closed", actor: "ada", previous: first },
    { subject: "door", transactionId: `2.${first}`, text: "opened", actor: "ada" },
  ]);
  assert.equal(log.history(request("roof")).statusCode, 404);
  assert.equal((log.latest(request("door")).body as any).text, "closed");
});

test("a range shows all events in order", () => {
  const get = (query: string) => repeated(() => log.range(request("", undefined, query)));
  const texts = (query: string) => get(query).body.map((entry: any) => entry.text);
  assert.deepEqual(texts(`from=1&to=${third}`), ["opened", "lit", "closed"]);
  assert.deepEqual(texts(`from=${second}&to=${second}`), ["lit"]);
  for (const query of ["", "from=1", "from=0&to=1", "from=2&to=1", "from=1&to=101", "from=x&to=y"]) {
    assert.equal(get(query).statusCode, 400, query);
  }
  assert.equal(get(`from=1&to=${third + 1}`).statusCode, 404);
});

test("one past transaction is shown with its receipt", () => {
  ccf.historicalState = stateAt(first);
  const { body } = log.at(request("door")) as any;
  assert.deepEqual([body.text, body.transactionId], ["opened", `2.${first}`]);
  assert.ok(body.receipt);
  assert.equal(log.at(request("lamp")).statusCode, 404, "it wrote no other subject");
});

test("what is no event is refused", () => {
  for (const body of [undefined, null, {}, { text: "" }, { text: 7 }]) {
    assert.equal(log.record(request("door", body)).statusCode, 400);
  }
});
