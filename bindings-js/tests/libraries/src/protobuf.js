// protobufjs: a schema parsed at run time, messages coded both ways, and refused when wrong.
import protobuf from "protobufjs";

const { root } = protobuf.parse(`
  syntax = "proto3";
  package ledger;
  enum Kind { TRANSFER = 0; DEPOSIT = 1; }
  message Entry {
    string id = 1;
    repeated sint64 amounts = 2;
    map<string, bytes> notes = 3;
    oneof source { string account = 4; Entry parent = 5; }
    Kind kind = 6;
    double rate = 7;
  }
`);
const Entry = root.lookupType("ledger.Entry");

export function run({ entry }) {
  const message = Entry.fromObject(entry);
  const bytes = Entry.encode(message).finish();
  const back = Entry.toObject(Entry.decode(bytes), {
    longs: String, enums: String, bytes: String, defaults: true, oneofs: true,
  });
  let refused = "";
  try {
    Entry.decode(bytes.subarray(0, bytes.length - 1));
  } catch (error) {
    refused = error.name;
  }
  return {
    bytes: Array.from(bytes),
    back,
    wrong: Entry.verify({ id: 7 }),
    refused,
    delimited: Entry.encodeDelimited(message).finish().length,
  };
}
