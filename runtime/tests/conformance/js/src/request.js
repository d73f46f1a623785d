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

// Which of several endpoints was found.
export const which = (name) => (request) => ({ body: { name, params: request.params } });
export const exact = which("exact");
export const one = which("one");
export const two = which("two");
export const action = which("action");
export const pair = which("pair");
export const put = which("put");
export const head = () => ({ headers: { "x-head": "own" } });
