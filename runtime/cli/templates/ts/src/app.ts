// The handlers that app.json names. Each runs in one transaction: all of its writes are kept, or, when
// it answers with an error, none.
import * as ccfapp from "@microsoft/ccf-app";

interface Note {
  text: string;
  author: string;
}

// Encrypted in the ledger; a map whose name starts with "public:" would be readable by every auditor.
const notes = ccfapp.typedKv("notes", ccfapp.string, ccfapp.json<Note>());

export function putNote(request: ccfapp.Request): ccfapp.Response {
  const { text } = parsed(request);
  if (typeof text !== "string" || text === "") {
    return failure(400, 'The body must be {"text": "..."}.');
  }
  notes.set(request.params.id, { text, author: callerId(request) });
  return { statusCode: 204 };
}

export function getNote(request: ccfapp.Request): ccfapp.Response {
  const note = notes.get(request.params.id);
  return note === undefined
    ? failure(404, `There is no note ${request.params.id}.`)
    : { body: note };
}

export function listNotes(): ccfapp.Response<{ ids: string[] }> {
  const ids: string[] = [];
  notes.forEach((_, id) => ids.push(id));
  return { body: { ids } };
}

function callerId({ caller }: ccfapp.Request): string {
  return caller?.policy === "user_cert" && "id" in caller ? caller.id : "";
}

function parsed(request: ccfapp.Request): { text?: unknown } {
  try {
    return request.body.json() ?? {};
  } catch {
    return {};
  }
}

function failure(statusCode: number, message: string): ccfapp.Response {
  return { statusCode, body: { error: { code: "InvalidInput", message } } };
}
