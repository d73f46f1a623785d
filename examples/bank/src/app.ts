// The endpoints of app.json. Each runs in one transaction, and transactions behave as if one ran after
// the other: a transfer reads two balances and writes both, and no other can come between.
import type { Request } from "@microsoft/ccf-app";
import { ccf } from "@microsoft/ccf-app/global.js";
import * as accounts from "./accounts.js";
import { callerOf, requireTeller } from "./callers.js";
import { Refusal, answering } from "./refusals.js";

export const openAccount = answering((request) => {
  requireTeller(request);
  const owner = textIn(bodyOf(request), "owner");
  accounts.open(request.params.id, owner);
  return { statusCode: 201, body: { id: request.params.id, owner, balance: 0 } };
});

export const deposit = answering((request) => {
  requireTeller(request);
  const account = accounts.add(request.params.id, amountIn(bodyOf(request)));
  return { body: { id: request.params.id, ...account } };
});

export const getAccount = answering((request) => {
  const account = accounts.find(request.params.id);
  requireAccess(request, account);
  return { body: { id: request.params.id, ...account } };
});

export const listAccounts = answering((request) => {
  const caller = callerOf(request);
  const visible = accounts
    .all()
    .filter(([, account]) => caller.role === "teller" || account.owner === caller.name);
  return { body: visible.map(([id, account]) => ({ id, ...account })) };
});

export const transfer = answering((request) => {
  const body = bodyOf(request);
  const [from, to, amount] = [textIn(body, "from"), textIn(body, "to"), amountIn(body)];
  requireAccess(request, accounts.find(from));
  accounts.add(from, -amount);
  accounts.add(to, amount);
  // The receipt will carry this digest: whoever holds the receipt and the statement can show that
  // this very transfer was made, without a look into the ledger.
  const statement = `transfer ${amount} from ${from} to ${to}`;
  ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(statement)));
  return { body: statement };
});

function requireAccess(request: Request, account: accounts.Account): void {
  const caller = callerOf(request);
  if (caller.role !== "teller" && caller.name !== account.owner) {
    throw new Refusal(403, "AuthorizationFailed", "This account is somebody else's.");
  }
}

type Body = Record<string, unknown>;

function bodyOf(request: Request): Body {
  let body: unknown;
  try {
    body = request.body.json();
  } catch (error) {
    throw new Refusal(400, "InvalidInput", `The body is not JSON: ${(error as Error).message}`);
  }
  if (typeof body !== "object" || body === null) {
    throw new Refusal(400, "InvalidInput", "The body must be a JSON object.");
  }
  return body as Body;
}

function textIn(body: Body, field: string): string {
  const value = body[field];
  if (typeof value !== "string" || value === "") {
    throw new Refusal(400, "InvalidInput", `'${field}' must be a text that is not empty.`);
  }
  return value;
}

function amountIn(body: Body): number {
  const amount = body.amount;
  if (typeof amount !== "number" || !Number.isSafeInteger(amount) || amount <= 0) {
    throw new Refusal(400, "InvalidInput", "'amount' must be a whole number of cents, from 1.");
  }
  return amount;
}
