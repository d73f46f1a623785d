// What a handler sees of its request.

export function echo(request) {
  return { body: request };
}

export function keys(request) {
  return { body: Object.keys(request) };
}

export function body(request) {
  const as = request.query;
  if (as === "text") return { body: { text: request.body.text() } };
  if (as === "json") return { body: { json: request.body.json() } };
  return { body: request.body.arrayBuffer() };
}

export function fresh(request) {
  const first = request.body.arrayBuffer();
  new Uint8Array(first)[0] = 0;
  return { body: request.body.text() };
}

export function caller(request) {
  return { body: { caller: request.caller } };
}

export function signed(request) {
  const { cose, ...rest } = request.caller;
  return { body: { ...rest, cose: Object.keys(cose), content: ccf.bufToStr(cose.content) } };
}

// Which of several endpoints was found.
export const which = (name) => (request) => ({ body: { name, params: request.params } });
export const exact = which("exact");
export const one = which("one");
export const two = which("two");
export const action = which("action");
export const pair = which("pair");
export const put = which("put");
export const head = () => ({ headers: { "x-head": "own" } });

// One past transaction, and what may not be done to it.
const text = (map, key) => {
  const value = map.get(ccf.strToBuf(key));
  return value === undefined ? null : ccf.bufToStr(value);
};

export function past() {
  const { transactionId, receipt, kv } = ccf.historicalState;
  return {
    body: {
      id: transactionId,
      k: text(kv["b8"], "k"),
      o: text(kv["b8.other"], "o"),
      absent: text(kv["b8"], "absent"),
      size: kv["b8"].size,
      live: text(ccf.kv["b8"], "k"),
      receipt: Object.keys(receipt).sort(),
    },
  };
}

export function pastWrite() {
  const refusal = (map) => {
    try {
      map.set(ccf.strToBuf("k"), ccf.strToBuf("v"));
    } catch (e) {
      return `${e.name}: ${e.message}`.slice(0, 48);
    }
    return "written";
  };
  return { body: { past: refusal(ccf.historicalState.kv["b8"]), live: refusal(ccf.kv["b8"]) } };
}
