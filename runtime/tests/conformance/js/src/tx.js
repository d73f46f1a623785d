// Transactions: what is kept, what conflicts, how long it takes.

const number = (map, key) => {
  const value = map.get(ccf.strToBuf(key));
  return value === undefined ? 0 : Number(ccf.bufToStr(value));
};

// Adds one, slowly, so that others come between; reads by `how`.
export function add(request) {
  const { space, how, spin } = request.body.json();
  const map = ccf.kv[space];
  let before = 0;
  if (how === "get") before = number(map, "n");
  else if (how === "size") before = map.size;
  else if (how === "forEach") map.forEach(() => (before += 1));
  let waste = 0;
  for (let i = 0; i < spin; i++) waste += i % 7;
  if (how === "get") map.set(ccf.strToBuf("n"), ccf.strToBuf(`${before + 1}`));
  else map.set(ccf.strToBuf(`${before}`), ccf.strToBuf("x"));
  return { body: { before, waste } };
}

// Writes under a key of its own and says how.
export function write(request) {
  const { space, key, apply, status, fail, claims } = request.body.json();
  ccf.kv[space].set(ccf.strToBuf(key), ccf.strToBuf("v"));
  if (apply !== undefined) ccf.rpc.setApplyWrites(apply);
  if (claims !== undefined)
    ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(claims)));
  if (fail) throw new Error("on purpose");
  return { statusCode: status ?? 200 };
}

export function nothing() {
  return { body: "nothing" };
}
