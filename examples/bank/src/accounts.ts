// Accounts, in one map that is encrypted in the ledger. Amounts are whole cents.
import * as ccfapp from "@microsoft/ccf-app";
import { Refusal } from "./refusals.js";

export interface Account {
  owner: string;
  balance: number;
}

const accounts = ccfapp.typedKv("accounts", ccfapp.string, ccfapp.json<Account>());

export function open(id: string, owner: string): void {
  if (accounts.has(id)) {
    throw new Refusal(409, "AccountExists", `Account ${id} is open already.`);
  }
  accounts.set(id, { owner, balance: 0 });
}

export function find(id: string): Account {
  const account = accounts.get(id);
  if (account === undefined) {
    throw new Refusal(404, "ResourceNotFound", `There is no account ${id}.`);
  }
  return account;
}

export function all(): [string, Account][] {
  const found: [string, Account][] = [];
  accounts.forEach((account, id) => found.push([id, account]));
  return found;
}

/** Adds `amount`, which is negative for what leaves the account. */
export function add(id: string, amount: number): Account {
  const account = find(id);
  const balance = account.balance + amount;
  if (balance < 0) {
    throw new Refusal(400, "InsufficientFunds", `Account ${id} does not hold that much.`);
  }
  if (!Number.isSafeInteger(balance)) {
    throw new Refusal(400, "InvalidInput", `Account ${id} cannot hold that much.`);
  }
  const changed = { ...account, balance };
  accounts.set(id, changed);
  return changed;
}
