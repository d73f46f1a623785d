// Records by id in one map. A map is private unless its name starts with "public:"; a private map
// is encrypted in the ledger, a public one is readable by anybody who holds the ledger files.

export class Records {
  constructor(mapName) {
    this.mapName = mapName;
  }

  get map() {
    return ccf.kv[this.mapName];
  }

  get(id) {
    const value = this.map.get(keyOf(id));
    return value === undefined ? undefined : ccf.bufToStr(value);
  }

  set(id, message) {
    this.map.set(keyOf(id), ccf.strToBuf(message));
  }

  delete(id) {
    this.map.delete(keyOf(id));
  }

  clear() {
    this.map.clear();
  }

  count() {
    return this.map.size;
  }
}

function keyOf(id) {
  return ccf.strToBuf(id.toString());
}
