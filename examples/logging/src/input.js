// What callers send: checked here, so that handlers work on clean values. A problem is thrown as
// a BadRequest and answered with 400; anything else that is thrown is answered with 500.

export class BadRequest extends Error {}

// The id in the query string: "id=17".
export function idFromQuery(request) {
  for (const pair of request.query.split("&")) {
    const [name, value] = pair.split("=");
    if (name === "id") {
      return checkedId(Number(value), value);
    }
  }
  throw new BadRequest("The query parameter 'id' is missing: write ?id=1.");
}

// The record in the body: {"id": 17, "msg": "text"}.
export function recordFromBody(request) {
  let body;
  try {
    body = request.body.json();
  } catch (error) {
    throw new BadRequest(`The body is not JSON: ${error.message}`);
  }
  if (body === null || typeof body !== "object") {
    throw new BadRequest('The body must be an object: {"id": 1, "msg": "text"}.');
  }
  if (typeof body.msg !== "string" || body.msg === "") {
    throw new BadRequest("'msg' must be a text that is not empty.");
  }
  return { id: checkedId(body.id, body.id), msg: body.msg, claim: body.record_claim === true };
}

function checkedId(id, given) {
  if (!Number.isSafeInteger(id) || id < 0) {
    throw new BadRequest(`'id' must be a whole number from 0, not ${JSON.stringify(given)}.`);
  }
  return id;
}

// Runs a handler and turns a BadRequest into an answer.
export function answering(handler) {
  return (request) => {
    try {
      return handler(request);
    } catch (error) {
      if (error instanceof BadRequest) {
        return failure(400, "InvalidInput", error.message);
      }
      throw error;
    }
  };
}

export function failure(statusCode, code, message) {
  return { statusCode, body: { error: { code, message } } };
}
