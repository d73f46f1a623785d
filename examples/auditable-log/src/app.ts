// The endpoints of app.json. Past transactions come from the ledger on disk: the first request for them
// is answered with 202 while they are read and verified, and is to be repeated.
import type { Request, Response } from "@microsoft/ccf-app";
import { ccf } from "@microsoft/ccf-app/global.js";
import * as events from "./events.js";

const HISTORY_COUNT_MAX = 20;

export function record(request: Request): Response {
  const text = textOf(request);
  if (text === undefined) {
    return failure(400, "InvalidInput", 'The body must be {"text": "..."}, and the text not empty.');
  }
  const caller = request.caller;
  const actor = caller !== undefined && caller !== null && "id" in caller ? caller.id : "";
  // The receipt of this transaction will prove this text.
  ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(text)));
  return { body: events.record(request.params.id, text, actor) };
}

export function latest(request: Request): Response {
  const event = events.latest(request.params.id);
  return event === undefined ? unknown(request) : { body: event };
}

export function history(request: Request): Response {
  if (events.latest(request.params.id) === undefined) {
    return unknown(request);
  }
  const entries = events.history(request.params.id, HISTORY_COUNT_MAX);
  return entries === null ? notYet() : { body: entries };
}

export function range(request: Request): Response {
  const query = new Map(request.query.split("&").map((pair) => pair.split("=", 2) as [string, string]));
  const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
  const valid = Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 1;
  if (!valid || to < from || to - from >= events.RANGE_MAX) {
    const message = `Write ?from=1&to=20: sequence numbers, at most ${events.RANGE_MAX} of them.`;
    return failure(400, "InvalidQueryParameterValue", message);
  }
  const committed = ccf.consensus.getLastCommittedTxId().seqno;
  if (to > committed) {
    return failure(404, "TransactionPendingOrUnknown", `${committed} is the last that is committed.`);
  }
  const entries = events.between(from, to);
  return entries === null ? notYet() : { body: entries };
}

// An endpoint with mode "historical": the runtime finds the transaction and answers 202 by itself.
export function at(request: Request): Response {
  const state = ccf.historicalState;
  const entry = state && events.writtenIn(state, request.params.id);
  return entry === undefined
    ? unknown(request)
    : { body: { ...entry, receipt: state?.receipt } };
}

function textOf(request: Request): string | undefined {
  try {
    const text = request.body.json()?.text;
    return typeof text === "string" && text !== "" ? text : undefined;
  } catch {
    return undefined;
  }
}

function notYet(): Response {
  return {
    statusCode: 202,
    headers: { "retry-after": "1" },
    body: { message: "The ledger is being read: send the request again." },
  };
}

function unknown(request: Request): Response {
  return failure(404, "ResourceNotFound", `There is no such event of ${request.params.id}.`);
}

function failure(statusCode: number, code: string, message: string): Response {
  return { statusCode, body: { error: { code, message } } };
}
