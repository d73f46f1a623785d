// Unit tests run in Node.js: the polyfill stands in for the maps. It has no history; this adds one, to
// which `commit` writes. It must be imported first.
import "@microsoft/ccf-app/polyfill.js";
import { ccf, type HistoricalState, type KvMap } from "@microsoft/ccf-app/global.js";

const written: Map<string, ArrayBuffer>[] = [];
const versions = new Map<string, number>();
/** Ranges that were asked for; the first time each is not there yet. */
const asked = new Set<string>();
let pending = new Map<string, ArrayBuffer>();

const events = ccf.kv["events"];
const set = events.set.bind(events);
events.set = (key, value) => {
  pending.set(ccf.bufToStr(key), value);
  return set(key, value);
};
events.getVersionOfPreviousWrite = (key) => versions.get(ccf.bufToStr(key));

/** Ends a transaction; what was set since the last one is its write set. */
export function commit(): number {
  written.push(pending);
  for (const key of pending.keys()) {
    versions.set(key, written.length);
  }
  pending = new Map();
  return written.length;
}

function writeSet(entries: Map<string, ArrayBuffer>): KvMap {
  return {
    get: (key: ArrayBuffer) => entries.get(ccf.bufToStr(key)),
    forEach: (run: (value: ArrayBuffer, key: ArrayBuffer) => void) =>
      entries.forEach((value, key) => run(value, ccf.strToBuf(key))),
  } as unknown as KvMap;
}

export function stateAt(seqno: number): HistoricalState {
  const kv = { events: writeSet(written[seqno - 1]) };
  return { transactionId: `2.${seqno}`, kv, receipt: { proof: [] } } as unknown as HistoricalState;
}

ccf.historical.getStateRange = (handle, from, to, expiry) => {
  const range = `${handle} ${from} ${to} ${expiry}`;
  if (!asked.has(range)) {
    asked.add(range);
    return null;
  }
  return Array.from({ length: to - from + 1 }, (_, index) => stateAt(from + index));
};
ccf.consensus.getLastCommittedTxId = () => ({ view: 2, seqno: written.length });
ccf.rpc.setClaimsDigest = () => {};
