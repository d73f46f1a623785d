// The handlers that app.json names. Each runs in one transaction: all of its writes are kept, or, when
// it answers with an error, none.

/** @import { Request, Response } from "@microsoft/ccf-app" */
/** @typedef {{ text: string, author: string }} Note */

// Encrypted in the ledger; a map whose name starts with "public:" would be readable by every auditor.
const notes = ccf.kv["notes"];

/** @param {Request} request @returns {Response} */
export function putNote(request) {
  const { text } = parsed(request);
  if (typeof text !== "string" || text === "") {
    return failure(400, 'The body must be {"text": "..."}.');
  }
  const caller = request.caller;
  const author = caller?.policy === "user_cert" && "id" in caller ? caller.id : "";
  notes.set(key(request), ccf.jsonCompatibleToBuf({ text, author }));
  return { statusCode: 204 };
}

/** @param {Request} request @returns {Response} */
export function getNote(request) {
  const value = notes.get(key(request));
  if (value === undefined) {
    return failure(404, `There is no note ${request.params.id}.`);
  }
  /** @type {Note} */
  const note = ccf.bufToJsonCompatible(value);
  return { body: note };
}

/** @returns {Response} */
export function listNotes() {
  /** @type {string[]} */
  const ids = [];
  notes.forEach((_, id) => ids.push(ccf.bufToStr(id)));
  return { body: { ids } };
}

/** @param {Request} request */
function key(request) {
  return ccf.strToBuf(request.params.id);
}

/** @param {Request} request */
function parsed(request) {
  try {
    return request.body.json() ?? {};
  } catch {
    return {};
  }
}

/** @param {number} statusCode @param {string} message */
function failure(statusCode, message) {
  return { statusCode, body: { error: { code: "InvalidInput", message } } };
}
