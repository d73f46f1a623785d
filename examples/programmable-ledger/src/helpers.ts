// What the listings call and do not define.
import { ccf } from "@microsoft/ccf-app/global.js";

/** The key of the running request; `useKey` sets it before the listing runs. */
export let privateKey: string | undefined;

interface KeyPair {
  privateKey: string;
  publicKey: string;
}

// Not public: the private half is encrypted in the ledger and never leaves the node.
const keys = ccf.kv["keys"];
const signingKey = ccf.strToBuf("signing");

export function keyPair(): KeyPair | undefined {
  const value = keys.get(signingKey);
  return value === undefined ? undefined : ccf.bufToJsonCompatible(value);
}

export function makeKeyPair(): KeyPair {
  const made = ccf.crypto.generateEddsaKeyPair("curve25519");
  keys.set(signingKey, ccf.jsonCompatibleToBuf(made));
  return made;
}

/** Lends the key to what `run` calls; without a key, `run` is not called. */
export function useKey<R>(run: () => R): R | undefined {
  privateKey = keyPair()?.privateKey;
  return privateKey === undefined ? undefined : run();
}

export function processData(data: unknown): { sha256: string } {
  const bytes =
    data instanceof ArrayBuffer
      ? data
      : ccf.strToBuf(typeof data === "string" ? data : JSON.stringify(data ?? null));
  return { sha256: hex(ccf.crypto.digest("SHA-256", bytes)) };
}

interface Transaction {
  id: string;
  from: string;
  to: string;
  amount: number;
}

export function validateTransaction(transaction: unknown): transaction is Transaction {
  if (typeof transaction !== "object" || transaction === null) {
    return false;
  }
  const { id, from, to, amount } = transaction as Partial<Transaction>;
  const named = [id, from, to].every((name) => typeof name === "string" && name !== "");
  return named && from !== to && Number.isSafeInteger(amount) && (amount as number) > 0;
}

/** Binds a statement about the transaction to the receipt, and gives the statement. */
export function generateComplianceProof(transaction: Transaction): { statement: string } {
  const { id, from, to, amount } = transaction;
  const statement = `transaction ${id}: ${amount} from ${from} to ${to}`;
  ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(statement)));
  return { statement };
}

function hex(buffer: ArrayBuffer): string {
  return [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
