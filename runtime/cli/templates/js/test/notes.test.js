// Unit tests run in Node.js: the polyfill stands in for the ledger and must be imported first.
import "@microsoft/ccf-app/polyfill.js";
import assert from "node:assert/strict";
import { test } from "node:test";

const { getNote, listNotes, putNote } = await import("../src/notes.js");

/**
 * A request as a handler gets it, as far as these handlers look.
 * @param {string} id
 * @param {unknown} [body]
 */
function request(id, body) {
  const text = body === undefined ? "" : JSON.stringify(body);
  return /** @type {any} */ ({
    params: { id },
    body: { text: () => text, json: () => JSON.parse(text) },
    caller: { policy: "user_cert", id: "ada", data: null, cert: "" },
  });
}

test("a note that was put is read and listed", () => {
  assert.deepEqual(putNote(request("1", { text: "milk" })), { statusCode: 204 });
  assert.deepEqual(getNote(request("1")), { body: { text: "milk", author: "ada" } });
  assert.deepEqual(listNotes(), { body: { ids: ["1"] } });
});

test("what is no note is refused", () => {
  for (const body of [undefined, {}, { text: "" }, { text: 7 }]) {
    assert.equal(putNote(request("2", body)).statusCode, 400);
  }
  assert.equal(getNote(request("2")).statusCode, 404);
});
