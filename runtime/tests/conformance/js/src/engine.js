// Facts that only a module can tell.

import { named } from "./deep/er/leaf.js";
import * as sibling from "/deep/sibling.js";

const handle = ccf.kv["engine.handle"];
const date = ccf.enableUntrustedDateTime(true);
const present = [
  typeof ccf.consensus.getLastCommittedTxId,
  typeof ccf.historical.getStateRange,
  typeof ccf.rpc.setApplyWrites,
  typeof ccf.crypto.digest,
  typeof ccf.historicalState,
];
let evaluated = 0;
evaluated += 1;

export function facts() {
  const strict = (function () {
    return this === undefined;
  })();
  return {
    body: {
      strict,
      named,
      sibling: sibling.default,
      date,
      present,
      evaluated: evaluated++,
      url: typeof import.meta,
    },
  };
}

export function bump() {
  const key = ccf.strToBuf("n");
  const before = handle.has(key) ? Number(ccf.bufToStr(handle.get(key))) : 0;
  handle.set(key, ccf.strToBuf(`${before + 1}`));
  return { body: before + 1 };
}

let calls = 0;
export function counted() {
  calls += 1;
  return { body: calls };
}

export async function later() {
  await null;
  return { body: "later" };
}

function inner() {
  throw new Error("test error: 42");
}

export function throws() {
  inner();
}

export async function rejects() {
  await null;
  throw new TypeError("late");
}
