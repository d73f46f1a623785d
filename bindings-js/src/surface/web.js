// Globals of the web platform that run in pure JavaScript or on a few native functions: evaluated
// once per interpreter, when an app first uses one of them. The value of this script is a function
// from the natives (web.rs) to the globals, which it puts in the place of the accessors that load it.
(function (native) {
  "use strict";
  const { decode, encode, formParse, formSerialize, urlResolve, urlSet } = native;

  const bytesOf = (input, what) => {
    if (input === undefined) return new Uint8Array(0);
    if (ArrayBuffer.isView(input)) {
      return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
    }
    if (input instanceof ArrayBuffer || input instanceof SharedArrayBuffer) {
      return new Uint8Array(input);
    }
    throw new TypeError(`${what}: the input is no ArrayBuffer and no view of one`);
  };
  const wellFormed = (value) => `${value}`.toWellFormed();
  const hide = (prototype, names) => {
    for (const name of names) {
      const descriptor = Object.getOwnPropertyDescriptor(prototype, name);
      Object.defineProperty(prototype, name, { ...descriptor, enumerable: true });
    }
  };
  const tag = (prototype, name) =>
    Object.defineProperty(prototype, Symbol.toStringTag, { value: name, configurable: true });

  class TextEncoder {
    get encoding() {
      return "utf-8";
    }
    encode(input = "") {
      return new Uint8Array(encode(wellFormed(input)));
    }
    encodeInto(source, destination) {
      if (!(destination instanceof Uint8Array)) {
        throw new TypeError("TextEncoder.encodeInto: the destination is no Uint8Array");
      }
      let read = 0;
      let written = 0;
      for (const character of wellFormed(source)) {
        const bytes = new Uint8Array(encode(character));
        if (written + bytes.length > destination.length) break;
        destination.set(bytes, written);
        written += bytes.length;
        read += character.length;
      }
      return { read, written };
    }
  }
  hide(TextEncoder.prototype, ["encoding", "encode", "encodeInto"]);
  tag(TextEncoder.prototype, "TextEncoder");

  // The labels of the Encoding standard for the encodings that are here.
  const LABELS = {
    "utf-8": "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8",
    "utf-16le": "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le",
    "utf-16be": "unicodefffe utf-16be",
    "windows-1252":
      "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1 " +
      "iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252",
  };
  const ENCODINGS = new Map();
  for (const [name, labels] of Object.entries(LABELS)) {
    for (const label of labels.split(" ")) ENCODINGS.set(label, name);
  }

  class TextDecoder {
    #encoding;
    #fatal;
    #ignoreBOM;
    #rest = new Uint8Array(0);
    #begun = false;
    constructor(label = "utf-8", options = {}) {
      const name = ENCODINGS.get(`${label}`.trim().toLowerCase());
      if (name === undefined) {
        throw new RangeError(
          `TextDecoder: the encoding "${label}" is not supported; there are utf-8, utf-16le, ` +
            "utf-16be and windows-1252 (latin1)",
        );
      }
      this.#encoding = name;
      this.#fatal = Boolean(options?.fatal);
      this.#ignoreBOM = Boolean(options?.ignoreBOM);
    }
    get encoding() {
      return this.#encoding;
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(input, options = {}) {
      const stream = Boolean(options?.stream);
      let bytes = bytesOf(input, "TextDecoder.decode");
      if (this.#rest.length > 0) {
        const joined = new Uint8Array(this.#rest.length + bytes.length);
        joined.set(this.#rest);
        joined.set(bytes, this.#rest.length);
        bytes = joined;
      }
      const whole = decode(this.#encoding, bytes, this.#fatal, stream);
      if (whole === undefined) {
        this.#rest = new Uint8Array(0);
        this.#begun = false;
        throw new TypeError(`TextDecoder.decode: the input is no valid ${this.#encoding}`);
      }
      let [text, used] = whole;
      this.#rest = bytes.slice(used);
      if (!this.#begun && text.length > 0) {
        this.#begun = true;
        if (!this.#ignoreBOM && text.charCodeAt(0) === 0xfeff && this.#encoding !== "windows-1252") {
          text = text.slice(1);
        }
      }
      if (!stream) this.#begun = false;
      return text;
    }
  }
  hide(TextDecoder.prototype, ["encoding", "fatal", "ignoreBOM", "decode"]);
  tag(TextDecoder.prototype, "TextDecoder");

  class URLSearchParams {
    #pairs = [];
    // Told of every change; set by the URL that this is the query of.
    #changed = () => {};
    constructor(init = "") {
      if (typeof init === "object" && init !== null) {
        if (typeof init[Symbol.iterator] === "function") {
          for (const pair of init) {
            const [name, value, ...more] = pair;
            if (value === undefined || more.length > 0) {
              throw new TypeError("URLSearchParams: each element must be a pair of name and value");
            }
            this.#pairs.push([wellFormed(name), wellFormed(value)]);
          }
        } else {
          for (const name of Object.keys(init)) {
            this.#pairs.push([wellFormed(name), wellFormed(init[name])]);
          }
        }
      } else {
        this.#read(wellFormed(init).replace(/^\?/, ""));
      }
    }
    static of(query, changed) {
      const params = new URLSearchParams(query);
      params.#changed = changed;
      return params;
    }
    static reread(params, query) {
      params.#read(query.replace(/^\?/, ""));
    }
    #read(text) {
      const flat = formParse(text);
      this.#pairs = [];
      for (let i = 0; i < flat.length; i += 2) this.#pairs.push([flat[i], flat[i + 1]]);
    }
    get size() {
      return this.#pairs.length;
    }
    append(name, value) {
      this.#pairs.push([wellFormed(name), wellFormed(value)]);
      this.#changed();
    }
    delete(name, value) {
      name = wellFormed(name);
      this.#pairs = this.#pairs.filter(
        (pair) => pair[0] !== name || (value !== undefined && pair[1] !== wellFormed(value)),
      );
      this.#changed();
    }
    get(name) {
      name = wellFormed(name);
      return this.#pairs.find((pair) => pair[0] === name)?.[1] ?? null;
    }
    getAll(name) {
      name = wellFormed(name);
      return this.#pairs.filter((pair) => pair[0] === name).map((pair) => pair[1]);
    }
    has(name, value) {
      name = wellFormed(name);
      return this.#pairs.some(
        (pair) => pair[0] === name && (value === undefined || pair[1] === wellFormed(value)),
      );
    }
    set(name, value) {
      name = wellFormed(name);
      const found = this.#pairs.find((pair) => pair[0] === name);
      if (found === undefined) {
        this.#pairs.push([name, wellFormed(value)]);
      } else {
        found[1] = wellFormed(value);
        this.#pairs = this.#pairs.filter((pair) => pair === found || pair[0] !== name);
      }
      this.#changed();
    }
    sort() {
      this.#pairs.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0));
      this.#changed();
    }
    forEach(callback, self) {
      for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
    }
    *entries() {
      for (const [name, value] of this.#pairs) yield [name, value];
    }
    *keys() {
      for (const [name] of this.#pairs) yield name;
    }
    *values() {
      for (const [, value] of this.#pairs) yield value;
    }
    toString() {
      return formSerialize(this.#pairs.flat());
    }
  }
  const { of: paramsOf, reread } = URLSearchParams;
  delete URLSearchParams.of;
  delete URLSearchParams.reread;
  URLSearchParams.prototype[Symbol.iterator] = URLSearchParams.prototype.entries;
  Object.defineProperty(URLSearchParams.prototype, Symbol.iterator, { enumerable: false });
  hide(URLSearchParams.prototype, [
    "size", "append", "delete", "get", "getAll", "has", "set", "sort", "forEach", "entries", "keys",
    "values", "toString",
  ]);
  tag(URLSearchParams.prototype, "URLSearchParams");

  // In the order of web.rs.
  const PARTS = [
    "href", "origin", "protocol", "username", "password", "host", "hostname", "port", "pathname",
    "search", "hash",
  ];

  class URL {
    #parts;
    #params;
    constructor(input, base) {
      const parts = urlResolve(wellFormed(input), base === undefined ? undefined : wellFormed(base));
      if (parts === undefined) {
        const error = new TypeError(
          `Invalid URL: "${input}"${base === undefined ? "" : ` with base "${base}"`}`,
        );
        error.code = "ERR_INVALID_URL";
        throw error;
      }
      this.#parts = parts;
    }
    static canParse(input, base) {
      return URL.parse(input, base) !== null;
    }
    static parse(input, base) {
      try {
        return new URL(input, base);
      } catch {
        return null;
      }
    }
    static part(url, index) {
      return url.#parts[index];
    }
    static change(url, index, value) {
      const parts = urlSet(url.#parts[0], index, value);
      if (parts === undefined) {
        if (index === 0) throw new TypeError(`Invalid URL: "${value}"`);
        return;
      }
      url.#parts = parts;
      if (url.#params !== undefined) reread(url.#params, parts[9]);
    }
    get searchParams() {
      this.#params ??= paramsOf(this.#parts[9], () => {
        const query = this.#params.toString();
        this.#parts = urlSet(this.#parts[0], 9, query) ?? this.#parts;
      });
      return this.#params;
    }
    toString() {
      return this.#parts[0];
    }
    toJSON() {
      return this.#parts[0];
    }
  }
  const { part, change } = URL;
  delete URL.part;
  delete URL.change;
  PARTS.forEach((name, index) => {
    const accessor = {
      get() {
        return part(this, index);
      },
      configurable: true,
      enumerable: true,
    };
    if (name !== "origin") {
      accessor.set = function (value) {
        change(this, index, wellFormed(value));
      };
    }
    Object.defineProperty(URL.prototype, name, accessor);
  });
  hide(URL.prototype, ["searchParams", "toString", "toJSON"]);
  tag(URL.prototype, "URL");

  const uncloneable = (value) => {
    const what = typeof value === "symbol" ? value.toString() : `a ${typeof value}`;
    return new DOMException(`structuredClone: ${what} cannot be cloned`, "DataCloneError");
  };
  const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

  const clone = (value, seen) => {
    if (typeof value === "function" || typeof value === "symbol") throw uncloneable(value);
    if (typeof value !== "object" || value === null) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    const note = (copy) => (seen.set(value, copy), copy);
    const fill = (copy) => {
      for (const key of Object.keys(value)) copy[key] = clone(value[key], seen);
      return copy;
    };
    if (Array.isArray(value)) return fill(note(new Array(value.length)));
    switch (Object.prototype.toString.call(value)) {
      case "[object Boolean]":
      case "[object Number]":
      case "[object String]":
      case "[object BigInt]":
        return note(Object(value.valueOf()));
      case "[object Date]":
        return note(new Date(value.getTime()));
      case "[object RegExp]":
        return note(new RegExp(value.source, value.flags));
      case "[object ArrayBuffer]":
        return note(value.slice(0));
      case "[object SharedArrayBuffer]":
        return note(value);
      case "[object Map]": {
        const copy = note(new Map());
        for (const [key, item] of [...value]) copy.set(clone(key, seen), clone(item, seen));
        return copy;
      }
      case "[object Set]": {
        const copy = note(new Set());
        for (const item of [...value]) copy.add(clone(item, seen));
        return copy;
      }
      case "[object Error]": {
        const Kind = ERRORS[value.name] ?? Error;
        const copy = note(Object.create(Kind.prototype, Object.getOwnPropertyDescriptors(new Kind())));
        for (const key of ["message", "stack", "cause"]) {
          if (!Object.hasOwn(value, key)) continue;
          const item = key === "cause" ? clone(value[key], seen) : `${value[key]}`;
          Object.defineProperty(copy, key, { value: item, writable: true, configurable: true });
        }
        return copy;
      }
      case "[object WeakMap]":
      case "[object WeakSet]":
      case "[object Promise]":
      case "[object Generator]":
        throw uncloneable(value);
      default:
    }
    if (ArrayBuffer.isView(value)) {
      const buffer = clone(value.buffer, seen);
      const length = value instanceof DataView ? value.byteLength : value.length;
      return note(new value.constructor(buffer, value.byteOffset, length));
    }
    return fill(note({}));
  };

  function structuredClone(value, options) {
    if (arguments.length === 0) throw new TypeError("structuredClone: one argument is required");
    const seen = new Map();
    const transfer = [...(options?.transfer ?? [])];
    for (const buffer of transfer) {
      if (!(buffer instanceof ArrayBuffer) || buffer.detached) throw uncloneable(buffer);
      seen.set(buffer, buffer.slice(0));
    }
    const copy = clone(value, seen);
    for (const buffer of transfer) buffer.transfer();
    return copy;
  }

  const globals = { TextDecoder, TextEncoder, URL, URLSearchParams, structuredClone };
  for (const [name, value] of Object.entries(globals)) {
    const present = Object.getOwnPropertyDescriptor(globalThis, name);
    if (present?.get?.name === `affiant:${name}`) {
      Object.defineProperty(globalThis, name, {
        value, writable: true, configurable: true, enumerable: false,
      });
    }
  }
  return globals;
});
