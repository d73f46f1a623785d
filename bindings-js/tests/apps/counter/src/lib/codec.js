// Numbers as eight bytes, big-endian.

export function encode(number) {
  const buffer = new ArrayBuffer(8);
  new DataView(buffer).setBigInt64(0, BigInt(number));
  return buffer;
}

export function decode(buffer) {
  return Number(new DataView(buffer).getBigInt64(0));
}
