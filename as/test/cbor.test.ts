import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode } from "cborg";
import { asModule, FREE, seeded } from "./as_module.ts";

const reader = await asModule(
  {
    "wire/cbor_read.ts": [
      "cbor_read",
      "has",
      "want_uint",
      "want_bool",
      "want_bytes",
      "want_text",
      "want_len",
      "fields_wrong",
    ],
    "wire/keys.ts": ["field_of"],
  },
  4,
);
const writer = await asModule(
  {
    "wire/cbor_write.ts": [
      "cbor_begin",
      "cbor_end",
      "put_array",
      "put_bool",
      "put_bytes",
      "put_key",
      "put_key9",
      "put_map",
      "put_text",
      "put_uint",
      "put_word",
      "put_bytes_later",
      "uint_bytes",
    ],
  },
  4,
);

// Field numbers of wire/keys.ts, found by the module itself.
const packed = (key: string) => Buffer.from(key.padEnd(8, "\0")).readBigUInt64LE();
const fieldOf = reader.call.field_of as unknown as (key: bigint) => number;
const field = (key: string) => fieldOf(packed(key));

function read(bytes: Uint8Array): boolean {
  reader.bytes.fill(0xff, FREE, FREE + bytes.length + 16); // breaks behind the end, to be read by nobody
  reader.bytes.set(bytes, FREE);
  return reader.call.cbor_read(FREE, bytes.length) !== 0;
}

function bytesOf(key: string): Buffer {
  const at = reader.call.want_bytes(field(key)) >>> 0;
  return Buffer.from(reader.bytes.slice(at, at + reader.call.want_len(field(key))));
}

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");
/** {"zz": item, "len": 7} around an item, in hexadecimal. */
const around = (item: string) => hex(`a2 62 7a7a ${item} 63 6c656e 07`);

// RFC 8949, Appendix A, less the two whose nesting no request may have.
const WELL_FORMED =
  `00 01 0a 17 1818 1819 1864 1903e8 1a000f4240 1b000000e8d4a51000 1bffffffffffffffff c249010000000000000000
  3bffffffffffffffff c349010000000000000000 20 29 3863 3903e7 f90000 f98000 f93c00 fb3ff199999999999a f93e00 f97bff fa47c35000
  fa7f7fffff fb7e37e43c8800759c f90001 f90400 f9c400 fbc010666666666666 f97c00 f97e00 f9fc00 fa7f800000 fa7fc00000 faff800000
  fb7ff0000000000000 fb7ff8000000000000 fbfff0000000000000 f4 f5 f6 f7 f0 f8ff c074323031332d30332d32315432303a30343a30305a
  c11a514b67b0 c1fb41d452d9e8a00000 d74401020304 d818456449455446 d82076687474703a2f2f7777772e6578616d706c652e636f6d 40 4401020304
  60 6161 6449455446 62225c 62c3bc 63e6b0b4 64f0908591 80 83010203 8301820203820405
  98190102030405060708090a0b0c0d0e0f101112131415161718181819 a0 a201020304 a26161016162820203 826161a161626163
  a56161614161626142616361436164614461656145 5f42010243030405ff 7f657374726561646d696e67ff 9fff 9f018202039f0405ffff
  9f01820203820405ff 83018202039f0405ff 83019f0203ff820405 9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff
  bf61610161629f0203ffff 826161bf61626163ff bf6346756ef563416d7421ff`.split(/\s+/);

// RFC 8949, Appendix F: reserved information, missing or misplaced breaks, strings of mixed chunks, simple values below 32.
const MALFORMED = `1c 1d 1e 3c 3d 3e 5c 5d 5e 7c 7d 7e 9c 9d 9e bc bd be dc dd de fc fd fe f800 f81f f818
  5f00ff 5f21ff 5f6100ff 5f80ff 5fa0ff 5fc000ff 5fe0ff 7f4100ff 5f5f4100ffff 7f7f6100ffff ff 81ff 8200ff a1ff a1ff00 a100ff
  a20000ff 9f81ff 9f829f819f9fffffffff bf00ff bf000000ff 1f 3f df`.split(/\s+/);

test("every well-formed example of RFC 8949 is skipped, and what follows it is read", () => {
  for (const item of WELL_FORMED) {
    assert.ok(read(around(item)), item);
    assert.equal(reader.call.want_uint(field("len"), 0), 7, item);
    assert.equal(reader.call.fields_wrong(), 0);
  }
  assert.ok(WELL_FORMED.length > 75);
});

test("every malformed example of RFC 8949 is refused", () => {
  for (const item of MALFORMED) assert.ok(!read(around(item)), item);
});

test("a map cut at any byte is refused, and nothing behind its end is read", () => {
  for (const item of WELL_FORMED) {
    const whole = around(item);
    for (let cut = 1; cut < whole.length; cut++) assert.ok(!read(whole.subarray(0, cut)), `${item} cut at ${cut}`);
    assert.ok(!read(Buffer.concat([whole, Buffer.of(0)])), "something behind the map");
  }
});

test("eight levels of containers are read, nine are refused", () => {
  const nested = (levels: number, open: string, close: string) =>
    around(`${open.repeat(levels)}00${close.repeat(levels)}`);
  for (const [open, close] of [
    ["81", ""],
    ["9f", "ff"],
    ["a100", ""],
  ]) {
    assert.ok(read(nested(7, open, close)), open);
    assert.ok(!read(nested(8, open, close)), open);
  }
  assert.ok(read(around(`${"c1".repeat(900)}00`)), "tags are no containers");
});

test("fields by kind, in definite and indefinite lengths", () => {
  const request = {
    off: 70000,
    data: Uint8Array.of(1, 2, 3),
    d: "text",
    confirm: true,
    keep: false,
    seed: 4294967295,
    id: null,
  };
  assert.ok(read(encode(request)));
  const { call } = reader;
  assert.equal(call.want_uint(field("off"), 0), 70000);
  assert.deepEqual(bytesOf("data"), Buffer.of(1, 2, 3));
  assert.equal(call.want_len(field("d")), 4);
  assert.deepEqual([call.want_bool(field("confirm"), 0), call.want_bool(field("keep"), 1)], [1, 0]);
  assert.equal(call.want_uint(field("seed"), 0) >>> 0, 4294967295);
  assert.deepEqual([call.has(field("id")), call.has(field("off")), call.has(field("sha"))], [0, 1, 0]);
  assert.equal(call.want_uint(field("len"), 77), 77);
  assert.equal(call.fields_wrong(), 0);
  call.want_uint(field("data"), 0);
  assert.equal(call.fields_wrong(), 1);

  // {_ "data": (_ h'0102', h'', h'030405'), "p": (_ ), "off": 5}
  assert.ok(read(hex("bf 64 64617461 5f 42 0102 40 43 030405 ff 61 70 5f ff 63 6f6666 05 ff")));
  assert.deepEqual(bytesOf("data"), Buffer.of(1, 2, 3, 4, 5));
  assert.deepEqual(bytesOf("p"), Buffer.alloc(0));
  assert.equal(call.want_uint(field("off"), 0), 5);
  assert.equal(call.fields_wrong(), 0);
});

test("numbers outside u32 are no numbers for a request", () => {
  for (const item of ["1b0000000100000000", "20", "f93c00", "c101", "6131", "f4"]) {
    assert.ok(read(hex(`a1 63 6c656e ${item}`)));
    reader.call.want_uint(field("len"), 0);
    assert.equal(reader.call.fields_wrong(), 1, item);
  }
});

test("a known key twice is refused, an unknown one is not; keys of other kinds are skipped", () => {
  assert.ok(!read(hex("a2 63 6c656e 01 63 6c656e 01")));
  assert.ok(read(hex("a2 61 78 01 61 78 01")));
  assert.ok(read(hex("a4 01 02 f5 03 7f616cff 04 63 6c656e 05")));
  assert.equal(reader.call.want_uint(field("len"), 0), 5);
  assert.ok(read(hex("a1 64 6c656e00 05")), "no padding of ours");
  assert.equal(reader.call.has(field("len")), 0);
  assert.ok(read(new Uint8Array()), "no bytes are an empty map");
  for (const other of ["80", "00", "60", "f6", "bb0000000100000000"]) assert.ok(!read(hex(other)), other);
});

test("random bytes neither trap nor reach beyond the message", () => {
  const random = seeded(5);
  const heads = [0xa1, 0xbf, 0x9f, 0x5f, 0x7f, 0xff, 0x63, 0x6c, 0x65, 0x6e, 0x41, 0x1a, 0xc1, 0xfb];
  for (let run = 0; run < 200000; run++) {
    const bytes = new Uint8Array(1 + (random() % 24));
    for (let i = 0; i < bytes.length; i++) bytes[i] = random() & 3 ? heads[random() % heads.length] : random();
    bytes[0] = random() & 1 ? 0xbf : 0xa0 + (random() % 4);
    const text = Buffer.from(bytes).toString("hex");
    if (text.split("636c656e").length > 2) continue; // a known key twice is refused though it is well-formed
    assert.equal(read(bytes), isMap(bytes), text);
  }
});

/** Whether the bytes are one well-formed map: the pseudocode of RFC 8949, Appendix C, with our limit of nesting. */
function isMap(bytes: Uint8Array): boolean {
  let at = 0;
  const take = (n: number): number => {
    let value = 0;
    for (let i = 0; i < n; i++) {
      if (at >= bytes.length) throw new Error("ends early");
      value = value * 256 + bytes[at++];
    }
    return value;
  };
  const wellFormed = (isBreakable: boolean, level: number): number => {
    const initial = take(1);
    const major = initial >> 5;
    let value = initial & 31;
    if (level > 8 && (major === 4 || major === 5)) throw new Error("too deep");
    if (value >= 24 && value <= 27) {
      const simple = value;
      value = take(2 ** (value - 24));
      if (major === 7 && simple === 24 && value < 32) throw new Error("a simple value in two bytes");
    } else if (value > 27 && value < 31) {
      throw new Error("reserved");
    } else if (value === 31) {
      return indefinite(major, isBreakable, level);
    }
    if (major === 2 || major === 3) {
      if (value > bytes.length - at) throw new Error("ends early");
      at += value;
    }
    const items = major === 4 ? value : major === 5 ? 2 * value : major === 6 ? 1 : 0;
    for (let i = 0; i < items; i++) wellFormed(false, major === 6 ? level : level + 1);
    return major;
  };
  const indefinite = (major: number, isBreakable: boolean, level: number): number => {
    if (major === 7 && isBreakable) return -1;
    if (major < 2 || major > 5) throw new Error("no indefinite length");
    for (;;) {
      const first = bytes[at];
      const inner = wellFormed(true, level + 1);
      if (inner === -1) return major;
      if (major < 4 && (inner !== major || (first & 31) === 31)) throw new Error("mixed chunks");
      if (major === 5) wellFormed(false, level + 1);
    }
  };
  try {
    return wellFormed(false, 1) === 5 && at === bytes.length;
  } catch {
    return false;
  }
}

test("what is written is what the library reads", () => {
  const { call, bytes } = writer;
  const { cbor_begin: begin, put_key: key } = call as unknown as Record<
    string,
    (...args: (number | bigint)[]) => number
  >;
  begin(FREE, FREE + 1000);
  const numbers = [0, 23, 24, 255, 256, 65535, 65536, 4294967295];
  key(packed("ids"));
  call.put_array(numbers.length);
  for (const number of numbers) call.put_uint(number);
  bytes.set(Buffer.from("Grüße"), 0x8000);
  key(packed("name"));
  call.put_text(0x8000, Buffer.byteLength("Grüße"));
  key(packed("h"));
  call.put_bytes(0x8000, 3);
  key(packed("confirm"));
  call.put_bool(1);
  key(packed("arena"));
  call.put_map(1);
  (call as unknown as Record<string, (word: bigint) => void>).put_word(packed("need"));
  call.put_uint(5);
  (call as unknown as Record<string, (word: bigint, last: number) => void>).put_key9(packed("buf_coun"), 0x74);
  call.put_uint(3);
  const length = call.cbor_end();
  const written = bytes.slice(FREE, FREE + length);
  const wanted = {
    ids: numbers,
    name: "Grüße",
    h: new Uint8Array(Buffer.from("Gr\xc3", "latin1")),
    confirm: true,
    arena: { need: 5 },
    buf_count: 3,
  };
  assert.deepEqual(decode(written), wanted);
  for (const number of numbers) assert.equal(call.uint_bytes(number), encode(number).length);
});

test("what does not fit is told, and nothing is written behind the end", () => {
  const { call, bytes } = writer;
  for (let room = 1; room < 40; room++) {
    bytes.fill(0xee, FREE, FREE + 64);
    call.cbor_begin(FREE, FREE + room);
    call.put_array(3);
    call.put_bytes(0x8000, 10);
    call.put_uint(70000);
    call.put_text(0x8000, 12);
    const length = call.cbor_end();
    assert.equal(length, room >= 31 ? 31 : 0, `${room} bytes of room`);
    assert.ok(bytes.slice(FREE + room, FREE + 64).every((byte) => byte === 0xee));
    assert.equal(call.put_bytes_later(5000), 0);
  }
});
