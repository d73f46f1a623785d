// cbor-x: every kind of value to CBOR and back, with shared record structures.
import { Decoder, Encoder, decode, encode } from "cbor-x";

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export function run({ records }) {
  const value = {
    text: "h\u00e9 \u{1f600}",
    bytes: new Uint8Array([0, 255]),
    big: 2n ** 63n - 1n,
    float: 1.5,
    date: new Date(86400000),
    map: new Map([[1, "one"], ["two", [2]]]),
    set: new Set([1, 2]),
    nothing: null,
    records,
  };
  const plain = encode(value);
  const back = decode(plain);
  const encoder = new Encoder({ structuredClone: true, useRecords: true });
  const packed = encoder.encode(records);
  const unpacked = new Decoder({ structuredClone: true, useRecords: true }).decode(packed);
  return {
    length: plain.length,
    start: hex(plain.subarray(0, 24)),
    text: back.text,
    bytes: hex(back.bytes),
    big: back.big.toString(),
    date: back.date.toISOString(),
    map: [...back.map],
    set: [...back.set],
    same: JSON.stringify(back.records) === JSON.stringify(records),
    unpacked,
  };
}
