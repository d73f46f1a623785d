// The private write and read of a logging service, for the load driver: twice in app.json, with an
// interpreter that is kept and with a fresh one for each request.

const records = ccf.kv["records"];

function idOf(query) {
  for (const pair of query.split("&")) {
    const [name, value] = pair.split("=");
    if (name === "id") {
      return parseInt(value);
    }
  }
  throw new Error("the query parameter 'id' is missing");
}

function keyOf(id) {
  const key = new ArrayBuffer(8);
  new DataView(key).setBigUint64(0, BigInt(id), true);
  return key;
}

export function post_private(request) {
  const { id, msg } = request.body.json();
  if (typeof msg !== "string" || msg === "") {
    return { statusCode: 400, body: "Cannot record an empty log message" };
  }
  records.set(keyOf(id), ccf.strToBuf(msg));
  return { body: true };
}

export function get_private(request) {
  const id = idOf(request.query);
  const msg = records.get(keyOf(id));
  if (msg === undefined) {
    return { statusCode: 404, body: `No such record: ${id}.` };
  }
  return { body: { msg: ccf.bufToStr(msg) } };
}
