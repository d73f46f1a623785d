// Runs the body of a function that the request brings and shows what it returns, exactly.

const hexOf = (buffer) =>
  [...new Uint8Array(buffer)].map((byte) => byte.toString(16).padStart(2, "0")).join("");

function show(value) {
  switch (typeof value) {
    case "undefined":
      return { $: "undefined" };
    case "bigint":
      return { $: `${value}n` };
    case "number":
      return Number.isFinite(value) ? value : { $: `${value}` };
    case "function":
      return { $: "function" };
    case "symbol":
      return { $: "symbol" };
    case "object":
      if (value === null) return null;
      if (value instanceof ArrayBuffer) return { $hex: hexOf(value) };
      if (Array.isArray(value)) return value.map(show);
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, show(v)]));
    default:
      return value;
  }
}

function run(request) {
  const f = new Function("request", "m", "b", "s", "hex", request.body.text());
  const map = ccf.kv[request.headers["x-space"]];
  let value;
  try {
    value = show(f(request, map, ccf.strToBuf, ccf.bufToStr, hexOf));
  } catch (e) {
    value = { $threw: `${e.name}: ${e.message}` };
  }
  return { body: { value } };
}

// What the expression in the body gives is the response itself.
function respond(request) {
  return (0, eval)(`(${request.body.text()})`);
}

// Nothing is caught.
function bare(request) {
  new Function("request", request.body.text())(request);
  return {};
}

export { run, respond, bare, show };
