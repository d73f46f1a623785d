// The endpoints of app.json. Each runs in one transaction: all of its writes are kept, or, when it
// answers with an error, none.

import { answering, failure, idFromQuery, recordFromBody } from "./input.js";
import { Records } from "./records.js";

const privateRecords = new Records("records");
const publicRecords = new Records("public:records");

function get(records) {
  return answering((request) => {
    const id = idFromQuery(request);
    const msg = records.get(id);
    if (msg === undefined) {
      return failure(404, "ResourceNotFound", `There is no record ${id}.`);
    }
    return { body: { msg } };
  });
}

function post(records) {
  return answering((request) => {
    const { id, msg, claim } = recordFromBody(request);
    records.set(id, msg);
    if (claim) {
      // The receipt will carry this digest: whoever holds the receipt and the message can show
      // that this message was recorded, without a look into the ledger.
      ccf.rpc.setClaimsDigest(ccf.crypto.digest("SHA-256", ccf.strToBuf(msg)));
    }
    return { body: true };
  });
}

function remove(records) {
  return answering((request) => {
    records.delete(idFromQuery(request));
    return { body: true };
  });
}

function clear(records) {
  return () => {
    records.clear();
    return { body: true };
  };
}

function count(records) {
  return () => ({ body: records.count() });
}

export const get_private = get(privateRecords);
export const post_private = post(privateRecords);
export const delete_private = remove(privateRecords);
export const clear_private = clear(privateRecords);
export const count_private = count(privateRecords);

export const get_public = get(publicRecords);
export const post_public = post(publicRecords);
export const delete_public = remove(publicRecords);
export const clear_public = clear(publicRecords);
export const count_public = count(publicRecords);
