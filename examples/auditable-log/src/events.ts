// Events by subject, in one map that is encrypted in the ledger. The map holds the latest event of each
// subject; the earlier ones are in the ledger, and each event says where: `previous` is the sequence
// number of the transaction that wrote the one before.
import * as ccfapp from "@microsoft/ccf-app";
import { ccf, type HistoricalState, type KvMaps } from "@microsoft/ccf-app/global.js";

export interface Event {
  text: string;
  /** The id of the user who recorded it. */
  actor: string;
  previous?: number;
}

/** An event, and the transaction that wrote it. */
export interface Entry extends Event {
  subject: string;
  transactionId: string;
}

/** Sequence numbers that are read at once. */
export const RANGE_MAX = 100;
/** How long the node keeps what it read from the ledger, after the last request for it. */
const EXPIRY_S = 60;

/** The events in `kv`: the present state, or what one past transaction wrote. */
function eventsIn(kv: KvMaps) {
  return ccfapp.typedKv(kv["events"], ccfapp.string, ccfapp.json<Event>());
}

export function record(subject: string, text: string, actor: string): Event {
  const events = eventsIn(ccf.kv);
  // A transaction that comes between changes this, and the handler then runs again.
  const previous = events.getVersionOfPreviousWrite(subject);
  const event = { text, actor, ...(previous === undefined ? {} : { previous }) };
  events.set(subject, event);
  return event;
}

export function latest(subject: string): Event | undefined {
  return eventsIn(ccf.kv).get(subject);
}

/** Up to `count` events of a subject, the latest first; null while the ledger is being read. */
export function history(subject: string, count: number): Entry[] | null {
  const found: Entry[] = [];
  let seqno = eventsIn(ccf.kv).getVersionOfPreviousWrite(subject);
  while (seqno !== undefined && found.length < count) {
    const states = statesBetween(seqno, seqno);
    if (states === null) {
      return null;
    }
    const event = eventsIn(states[0].kv).get(subject);
    if (event === undefined) {
      throw new Error(`transaction ${states[0].transactionId} should have written ${subject}`);
    }
    found.push({ subject, transactionId: states[0].transactionId, ...event });
    seqno = event.previous;
  }
  return found;
}

/** All events between two sequence numbers, both included; null while the ledger is being read. */
export function between(from: number, to: number): Entry[] | null {
  const states = statesBetween(from, to);
  if (states === null) {
    return null;
  }
  return states.flatMap(({ kv, transactionId }) => {
    const found: Entry[] = [];
    eventsIn(kv).forEach((event, subject) => found.push({ subject, transactionId, ...event }));
    return found;
  });
}

/** The event of one past transaction. */
export function writtenIn(state: HistoricalState, subject: string): Entry | undefined {
  const event = eventsIn(state.kv).get(subject);
  return event && { subject, transactionId: state.transactionId, ...event };
}

function statesBetween(from: number, to: number): HistoricalState[] | null {
  // A handle stands for one range: another range under the same handle would replace it.
  const handle = from * RANGE_MAX + (to - from);
  return ccf.historical.getStateRange(handle, from, to, EXPIRY_S);
}
