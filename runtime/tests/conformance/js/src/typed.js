// Everything of @microsoft/ccf-app that an app imports, for expressions that a request brings.

import * as app from "./ccf-app/index.js";
import * as converters from "./ccf-app/converters.js";
import * as crypto from "./ccf-app/crypto.js";
import * as endpoints from "./ccf-app/endpoints.js";
import * as global from "./ccf-app/global.js";
import * as historical from "./ccf-app/historical.js";
import { TextEncoder } from "./ccf-app/textcodec.js";
import { show } from "./run.js";

const records = app.typedKv("a13.records", app.string, app.json());
const scope = { app, converters, crypto, endpoints, global, historical, TextEncoder, records };

export function run(request) {
  const f = new Function(...Object.keys(scope), request.body.text());
  let value;
  try {
    value = show(f(...Object.values(scope)));
  } catch (e) {
    value = { $threw: e.name };
  }
  return { body: { value } };
}
