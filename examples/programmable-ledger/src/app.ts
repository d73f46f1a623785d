// The endpoints of app.json around the two listings.
import type { Request, Response } from "@microsoft/ccf-app";
import { ccf } from "@microsoft/ccf-app/global.js";
import { keyPair, makeKeyPair, useKey } from "./helpers.js";
import * as listing from "./listing.js";

export { processTransaction } from "./listing.js";

export function createKey(): Response {
  const pair = keyPair() ?? makeKeyPair();
  return { body: { publicKey: pair.publicKey } };
}

export function getKey(): Response {
  const pair = keyPair();
  return pair === undefined ? noKey() : { body: { publicKey: pair.publicKey } };
}

export function handle(request: listing.DataRequest): Response {
  return useKey(() => listing.handleRequest(request)) ?? noKey();
}

export function getTransaction(request: Request): Response {
  const { id } = request.params;
  const value = ccf.kv["transactions"].get(ccf.strToBuf(id));
  return value === undefined
    ? failure(404, "ResourceNotFound", `There is no transaction ${id}.`)
    : { body: ccf.bufToJsonCompatible(value) };
}

function noKey(): Response {
  return failure(409, "KeyNotFound", "There is no key to sign with yet: send PUT /app/key first.");
}

function failure(statusCode: number, code: string, message: string): Response {
  return { statusCode, body: { error: { code, message } } };
}
