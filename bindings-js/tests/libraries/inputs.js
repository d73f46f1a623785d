// What each library is given.
import { readFileSync } from "node:fs";

const pem = (name) => readFileSync(new URL(`build/${name}`, import.meta.url), "utf8");

export const inputs = {
  lodash: {
    orders: [
      { item: "tea", count: 2 }, { item: "rye & oat", count: 5 }, { item: "tea", count: 1 },
      { item: "tea", count: 2 }, { item: "ale", count: 5 },
    ],
    defaults: { orders: [{ paid: true }], tax: { rate: 7 } },
  },
  cbor: { records: Array.from({ length: 20 }, (_, id) => ({ id, name: `n${id}`, even: id % 2 === 0 })) },
  protobuf: {
    entry: {
      id: "e1", amounts: ["-9007199254740993", "5"], notes: { a: "AP8=" },
      parent: { id: "e0", account: "x" }, kind: "DEPOSIT", rate: 0.25,
    },
  },
  rsasign: {
    certificate: pem("cert.pem"),
    privateKey: pem("key.pem"),
    claims: { iss: "affiant", sub: "x", nbf: 1700000000, exp: 1800000000 },
  },
  csv: { csv: 'name,count,when\n"Eve ""E"" Doe",1,2020-01-01\n"two\nlines",-2.5,\n\nlast,true,x\n' },
  container: { changes: [[1, "EUR"], [2, "USD"], [3, "SEK"]] },
  base64: { text: "\u00e9t\u00e9 \u{1f30d} >>>???" },
};
