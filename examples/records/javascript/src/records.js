// A ledger of records: what was said, and by whom.

const TEXT_CHARS_MAX = 1000;
const LIST_MAX = 100;

const records = ccf.kv["records"];
const counters = ccf.kv["counters"];

const fail = (statusCode, code, message) => ({ statusCode, body: { error: { code, message } } });

const absent = (id) => fail(404, "ResourceNotFound", `There is no record ${id}.`);

export function create(request) {
  let text;
  try {
    text = request.body.json()?.text;
  } catch {
    return fail(400, "InvalidInput", "The body is no JSON.");
  }
  if (typeof text !== "string" || text === "" || text.length > TEXT_CHARS_MAX) {
    return fail(400, "InvalidInput", `text must have 1 to ${TEXT_CHARS_MAX} characters.`);
  }
  const number = (counters.get("records") ?? 0) + 1;
  counters.set("records", number);
  const id = `${number}`.padStart(8, "0");
  const record = { id, text, by: request.caller.id };
  records.set(id, record);
  ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(text)));
  return { statusCode: 201, headers: { location: `/app/records/${id}` }, body: record };
}

export function read(request) {
  const { id } = request.params;
  const record = records.get(id);
  return record === undefined ? absent(id) : { body: record };
}

export function list(request) {
  const query = new URLSearchParams(request.query);
  const limit = Number(query.get("limit") ?? LIST_MAX);
  if (!Number.isInteger(limit) || limit < 1 || limit > LIST_MAX) {
    return fail(400, "InvalidQueryParameterValue", `limit must be 1 to ${LIST_MAX}.`);
  }
  const from = query.get("from") ?? "";
  const found = records.range(from, null, limit).map(([, record]) => record);
  return { body: { records: found } };
}

export function remove(request) {
  const { id } = request.params;
  const record = records.get(id);
  if (record === undefined) return absent(id);
  if (record.by !== request.caller.id) {
    return fail(403, "AuthorizationFailed", "Only who made a record may remove it.");
  }
  records.delete(id);
  return { statusCode: 204 };
}
