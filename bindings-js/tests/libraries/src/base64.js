// js-base64: text and bytes, both alphabets.
import { Base64 } from "js-base64";

export function run({ text }) {
  const encoded = Base64.encode(text);
  const safe = Base64.encodeURI(text);
  const bytes = Base64.toUint8Array(encoded);
  return {
    encoded,
    safe,
    decoded: Base64.decode(safe),
    bytes: Array.from(bytes),
    again: Base64.fromUint8Array(bytes, true),
    valid: [Base64.isValid("YQ=="), Base64.isValid("Y!")],
  };
}
