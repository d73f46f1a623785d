// Unit tests run in Node.js with the polyfill of @microsoft/ccf-app; this adds what Affiant has beyond
// CCF, as far as the listings need it: maps take string keys with JSON values, `sign` takes data and key,
// and `getAttestation` is there. It must be imported first.
import "@microsoft/ccf-app/polyfill.js";
import { ccf, type KvMap } from "@microsoft/ccf-app/global.js";
import { sign } from "node:crypto";

const bytes = (key: unknown) => (typeof key === "string" ? ccf.strToBuf(key) : (key as ArrayBuffer));

function typed(map: KvMap): KvMap {
  return new Proxy(map, {
    get(target: any, name) {
      const member = target[name];
      if (name === "get") {
        return (key: unknown) => {
          const value = target.get(bytes(key));
          return typeof key === "string" && value ? ccf.bufToJsonCompatible(value) : value;
        };
      }
      if (name === "set") {
        return (key: unknown, value: unknown) =>
          target.set(bytes(key), typeof key === "string" ? ccf.jsonCompatibleToBuf(value) : value);
      }
      return typeof member === "function" ? member.bind(target) : member;
    },
  });
}

const maps = ccf.kv;
ccf.kv = new Proxy({} as typeof maps, { get: (_, name: string) => typed(maps[name]) });

const original = ccf.crypto.sign.bind(ccf.crypto);
ccf.crypto.sign = ((...args: any[]) => {
  if (args.length !== 2) {
    return (original as any)(...args);
  }
  const [data, key] = args;
  const text = typeof data === "string" ? data : JSON.stringify(data);
  return sign(null, Buffer.from(text), key).toString("base64");
}) as typeof ccf.crypto.sign;

/** What the platform would give, made up. */
export const mockEvidence = { format: "Mock", raw: "", endorsements: "", bound: "" };
(ccf as typeof ccf & { getAttestation: () => unknown }).getAttestation = () => mockEvidence;

/** The claims digest that the last handler set. */
export let claims: string | undefined;
ccf.rpc.setClaimsDigest = (digest) => {
  claims = Buffer.from(digest).toString("hex");
};
