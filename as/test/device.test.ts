import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import binaryen from "binaryen";
import { encode } from "cborg";
import { compile } from "../../scripts/lib/asc.mjs";
import { ROOT } from "../../scripts/lib/root.mjs";
import * as I from "../../spec/image.ts";
import * as W from "../../spec/wire.ts";
import { seeded } from "./as_module.ts";
import { type Body, Client } from "./client.ts";
import { deviceWasm, FakeBoard, type FlashGeometry } from "./fake_board.ts";
import { consoleFrame } from "./wire_reference.ts";

const wasm = await deviceWasm("as/device.ts", {}, 16);
const module = new WebAssembly.Module(wasm);
const GEOMETRY: FlashGeometry = { runs: [[64, 4096]], unit: 1, page: 256, writeOnce: false };

const file = (name: string) => readFileSync(join(ROOT, "spec/vectors", name));
const transcript = JSON.parse(file("relu2.transcript.json").toString());
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();

/** An image without an end token, as the transcripts want it, and with its digest right again. */
function endless(image: Buffer): Buffer {
  const copy = Buffer.from(image);
  const sections = copy.readUInt32LE(I.HDR_SECTIONS);
  for (let i = 0; i < sections; i++) {
    const entry = I.HDR_TABLE + i * I.SECTION_ENTRY_BYTES;
    if (copy.readUInt16LE(entry + I.SEC_KIND) !== I.KIND_CONFIG) continue;
    copy.writeUInt32LE(0xffffffff, copy.readUInt32LE(entry + I.SEC_OFFSET) + I.CFG_EOS * 4);
  }
  const at = copy.length - I.TRAILER_BYTES;
  sha256(copy.subarray(0, at)).copy(copy, at + I.TRL_SHA256);
  return copy;
}

const relu2 = endless(file("relu2.trit"));
const llama = endless(file("llama.trit"));
const modelName = (image: Buffer) => image.toString("utf8", I.HDR_NAME, I.HDR_NAME + 32).replace(/\0+$/, "");

function upload(client: Client, image: Buffer, first: Body = {}): Body {
  const sha = sha256(image);
  let off = 0;
  for (;;) {
    const data = image.subarray(off, off + 1000);
    const head = off === 0 ? { image: 1, len: image.length, sha, ...first } : {};
    const reply = client.image(W.IMG_UPLOAD, { ...head, off, data });
    if (reply.match !== undefined || reply.off === undefined) return reply;
    off = reply.off as number;
  }
}

function flash(client: Client, image: Buffer, ctx?: number): Body {
  assert.deepEqual(upload(client, image), { off: image.length, match: true });
  return client.image(W.IMG_STATE, { hash: sha256(image), confirm: true, ...(ctx === undefined ? {} : { ctx }) });
}

function fresh(): Client {
  return new Client(new FakeBoard(GEOMETRY), module);
}

/** A board that has a model, made once; every test gets a copy. */
const flashed = fresh();
assert.equal((flash(flashed, relu2, transcript.context).images as Body[]).length, 1);
const ready = () => new Client(flashed.board.clone(), module);

interface Generated {
  ids: number[];
  text: Buffer;
  last: Body;
}

/** All tokens of an answer. */
function tokens(client: Client, id: number): Generated {
  const ids: number[] = [];
  const texts: Buffer[] = [];
  for (;;) {
    const reply = client.read(W.TK_NEXT, { id, ack: ids.length });
    assert.equal(reply.err, undefined, JSON.stringify(reply));
    assert.equal(reply.off, ids.length);
    const fresh = reply.ids as number[];
    const lengths = reply.l as number[];
    assert.equal(lengths.length, fresh.length);
    assert.equal(
      lengths.reduce((sum, length) => sum + length, 0),
      (reply.t as Uint8Array).length,
    );
    ids.push(...fresh);
    texts.push(Buffer.from(reply.t as Uint8Array));
    if (reply.st === W.GEN_DONE) return { ids, text: Buffer.concat(texts), last: reply };
  }
}

function generate(client: Client, id: number, prompt: string, options: Body = {}): Generated {
  const p = Buffer.from(prompt);
  const begun = client.write(W.TK_GEN, { id, off: 0, len: p.length, p, temp: 0, ...options });
  assert.equal(begun.off, p.length, JSON.stringify(begun));
  return tokens(client, id);
}

/** name/arguments of the imports that HAL.md's tables say between two of its headings. */
function documented(from: string, to: string): string[] {
  const page = readFileSync(join(ROOT, "spec/HAL.md"), "utf8");
  const table = page.slice(page.indexOf(from), page.indexOf(to));
  return [...table.matchAll(/^\| `(\w+)` \| \(([^)]*)\)/gm)].map(([, name, args]) => {
    return `${name}/${args === "" ? 0 : args.split(",").length}`;
  });
}

/** The same of a module. */
function imports(bytes: Uint8Array): string[] {
  const text = binaryen.readBinary(bytes).emitText();
  return [...text.matchAll(/\(import "(\w+)" "(\w+)" \(func \$\S+(?: \(type \S+\))?((?: \(param[^)]*\))?)/g)].map(
    ([, from, name, params]) => {
      assert.equal(from, "hal");
      return `${name}/${(params.match(/i32/g) ?? []).length}`;
    },
  );
}

test("the device imports exactly the pins of HAL.md and exports what the board calls", () => {
  const pins = documented("## Imports", "## Coprocessor");
  assert.equal(pins.length, 23);
  assert.deepEqual(imports(wasm).sort(), pins.sort());
  assert.deepEqual(
    WebAssembly.Module.exports(module)
      .map(({ name }) => name)
      .sort(),
    ["boot", "heap_base", "memory", "poll"],
  );
});

test("with a coprocessor it imports three more", async () => {
  const flags = ["--target", "device-copro", "--initialMemory", "16", "--maximumMemory", "16"];
  const { wasm: copro } = await compile(["as/device.ts", ...flags]);
  const pins = documented("## Imports", "## Reserved names");
  assert.equal(pins.length, 26);
  assert.deepEqual(imports(copro).sort(), pins.sort());
});

test("the device has no floating-point instruction, no bulk memory, and no state outside its memory", () => {
  const text = binaryen.readBinary(wasm).emitText();
  assert.ok(text.includes("i32.mul"));
  // Instructions stand behind a parenthesis; names of functions, memory.copy of AssemblyScript's library among them, behind a dollar sign.
  assert.deepEqual(text.match(/\((f(32|64)\.\w+|i(32|64)\.trunc\w*|memory\.(copy|fill|grow)|v128\.\w+)/g), null);
  assert.deepEqual(text.match(/\(global \S+ \(mut/g), null);
});

test("echo as an SMP client sends it, byte for byte, in both versions", () => {
  const client = fresh();
  const echo = Buffer.from("0a0000090000 0100 a161646568656c6c6f".replaceAll(" ", ""), "hex");
  client.deliver(echo);
  client.settle();
  assert.equal(client.inbox.shift()?.toString("hex"), "0b0000090000" + "0100" + "a161726568656c6c6f");
  echo[0] = 0x02;
  client.deliver(echo);
  client.settle();
  assert.equal(client.inbox.shift()?.toString("hex"), "0300000900000100a161726568656c6c6f");
  assert.deepEqual(client.write(W.OS_ECHO, { d: "x".repeat(1130) }, W.GROUP_OS), { r: "x".repeat(1130) });
  assert.deepEqual(client.write(W.OS_ECHO, {}, W.GROUP_OS), { rc: W.RC_BAD_ARGUMENT });
});

test("group OS: parameters, info, reset after the answer", () => {
  const client = fresh();
  assert.deepEqual(client.read(W.OS_PARAMS, {}, W.GROUP_OS), { buf_size: W.MTU, buf_count: 2 });
  assert.deepEqual(client.read(W.OS_INFO, { format: "a" }, W.GROUP_OS), { output: "tritkit 0.1.0 fake" });
  client.board.txRoom = 3;
  client.board.makeRoom();
  assert.deepEqual(client.write(W.OS_RESET, {}, W.GROUP_OS), {});
  for (let polls = 0; client.board.resets === 0 && polls < 3; polls++) client.poll();
  assert.equal(client.board.resets, 1);
});

test("enumeration: four groups", () => {
  const client = fresh();
  const read = (command: number, body: Body = {}) => client.read(command, body, W.GROUP_ENUM);
  assert.deepEqual(read(W.ENUM_COUNT), { count: 4 });
  assert.deepEqual(read(W.ENUM_LIST), { groups: [0, 1, 10, 84] });
  assert.deepEqual(read(W.ENUM_SINGLE), { group: 0 });
  assert.deepEqual(read(W.ENUM_SINGLE, { index: 3 }), { group: 84, end: true });
  assert.deepEqual(read(W.ENUM_SINGLE, { index: 4 }), { rc: 3 });
  const { groups } = read(W.ENUM_DETAILS) as { groups: Body[] };
  assert.deepEqual(
    groups.map(({ name }) => name),
    ["os mgmt", "img mgmt", "enum mgmt", "tritkit"],
  );
});

test("what is unknown or malformed gets an error in the request's version, answers are not answered", () => {
  const client = fresh();
  assert.deepEqual(client.read(0, {}, 99), { rc: 8 });
  assert.deepEqual(client.read(99, {}, W.GROUP_TRITKIT), { rc: 8 });
  assert.deepEqual(client.write(W.TK_HELLO), { rc: 8 });
  assert.deepEqual(client.read(W.TK_MODELS, { slot: 7 }), { err: { group: 84, rc: 3 } });
  client.version = W.SMP_V1;
  assert.deepEqual(client.read(W.TK_MODELS, { slot: 7 }), { rc: 3 });
  client.version = 2;
  assert.deepEqual(client.read(W.TK_HELLO), { rc: 8 });
  client.version = W.SMP_V2;
  client.deliver(client.message(W.OP_READ, W.GROUP_TRITKIT, W.TK_HELLO, Buffer.from("a1ff", "hex")));
  client.settle();
  assert.equal(client.inbox.shift()?.subarray(8).toString("hex"), Buffer.from(encode({ rc: 3 })).toString("hex"));
  assert.equal(client.ask(W.OP_READ_RSP, W.GROUP_TRITKIT, W.TK_HELLO), null);
  assert.equal(client.ask(7, W.GROUP_TRITKIT, W.TK_HELLO), null);
});

test("hello of an empty board", () => {
  const client = fresh();
  const hello = client.read(W.TK_HELLO);
  const { arena, ...rest } = hello as { arena: { need: number; have: number } } & Body;
  assert.deepEqual(rest, {
    v: 1,
    fw: "0.1.0",
    board: "fake",
    mtu: 1152,
    win: 2,
    rx: 4096,
    baud: 115200,
    restbaud: 115200,
    maxbaud: 4000000,
    part: 262144,
    slots: [
      { off: 0, len: 126976 },
      { off: 126976, len: 126976 },
    ],
    runs: [[62, 4096]],
    unit: 1,
    page: 256,
    ctx: 0,
    model: "",
    lost: { rx: 0, crc: 0 },
  });
  assert.ok(arena.have > 700000 && arena.need < 8192);
});

test("upload, activation, hello, state and models tell of the same model, also after a reset", () => {
  const client = ready();
  for (let boots = 0; boots < 2; boots++) {
    const hello = client.read(W.TK_HELLO);
    assert.equal(hello.ctx, transcript.context);
    assert.equal(hello.model, modelName(relu2));
    assert.ok((hello.arena as Body).need !== 0);
    const sha = new Uint8Array(sha256(relu2));
    assert.deepEqual(client.read(W.IMG_STATE, {}, W.GROUP_IMAGE), {
      images: [
        {
          image: 1,
          slot: 0,
          version: modelName(relu2),
          hash: sha,
          bootable: true,
          pending: false,
          confirmed: true,
          active: true,
          permanent: true,
        },
      ],
    });
    const info = client.read(W.TK_MODELS, { slot: 0 });
    assert.deepEqual([info.state, info.len, info.sha], [W.SLOT_ACTIVE, relu2.length, sha]);
    assert.ok((info.seq as number) >= (info.ctx as number) && info.ctx === transcript.context);
    assert.deepEqual(client.read(W.TK_MODELS, { slot: 1 }).state, W.SLOT_EMPTY);
    client.restart();
  }
});

test("an answer over the wire is the transcript's, greedy and sampled, and the LED is on meanwhile", () => {
  const client = ready();
  const { prompt, greedy, sampling, sampled } = transcript;
  const p = Buffer.from(prompt);
  const begun = client.write(W.TK_GEN, { id: 7, off: 0, len: p.length, p, max: 200, temp: 0 });
  assert.deepEqual(begun, { id: 7, off: p.length, n: transcript.prompt_ids.length, pos: 0 });
  assert.equal(client.board.led, 1);
  const first = tokens(client, 7);
  assert.equal(client.board.led, 0);
  assert.deepEqual(first.ids, greedy.ids);
  assert.deepEqual(first.text, Buffer.from(greedy.text, "base64"));
  assert.deepEqual([first.last.why, first.last.ctx], [W.WHY_MAX, transcript.context]);
  const options = {
    max: 200,
    temp: sampling.temperature,
    topk: sampling.top_k,
    topp: sampling.top_p,
    rep: sampling.penalty,
    seed: sampling.seed,
  };
  const second = generate(client, 8, prompt, options);
  assert.deepEqual(second.ids, sampled.ids);
});

test("every request of a generation may be repeated", () => {
  const client = ready();
  const p = Buffer.from(transcript.prompt);
  const pieces = [p.subarray(0, 5), p.subarray(5)];
  const first = { id: 9, off: 0, len: p.length, p: pieces[0], max: 20, temp: 0 };
  assert.deepEqual(client.write(W.TK_GEN, first), { id: 9, off: 5 });
  assert.deepEqual(client.write(W.TK_GEN, first), { id: 9, off: 5 });
  const second = { id: 9, off: 5, len: p.length, p: pieces[1] };
  assert.deepEqual(client.write(W.TK_GEN, { ...second, off: 7 }), { id: 9, off: 5 }, "no gap");
  const begun = client.write(W.TK_GEN, second);
  assert.equal(begun.n, transcript.prompt_ids.length);
  client.settle();
  assert.deepEqual(client.write(W.TK_GEN, second), begun);
  assert.deepEqual(client.write(W.TK_GEN, first), begun);
  const once = client.read(W.TK_NEXT, { id: 9, ack: 0 });
  assert.deepEqual(client.read(W.TK_NEXT, { id: 9, ack: 0 }), once);
  assert.deepEqual(once.ids, transcript.greedy.ids.slice(0, 20));
  assert.deepEqual(client.read(W.TK_NEXT, { id: 9, ack: 21 }), { err: { group: 84, rc: 3 } });
  assert.deepEqual(client.read(W.TK_NEXT, { id: 10, ack: 0 }), { err: { group: 84, rc: 6 } });
});

test("64 tokens that nobody took are kept, then the device pauses", () => {
  const client = ready();
  const p = Buffer.from(transcript.prompt);
  client.write(W.TK_GEN, { id: 1, off: 0, len: p.length, p, max: 100, temp: 0 });
  client.settle();
  const all: number[] = [];
  for (let asked = 0; all.length < 100; asked++) {
    assert.ok(asked < 20);
    const reply = client.read(W.TK_NEXT, { id: 1, ack: all.length });
    all.push(...(reply.ids as number[]));
    assert.equal(reply.st === W.GEN_DONE, all.length === 100, "done comes with the last token");
    client.settle();
  }
  assert.deepEqual(all, transcript.greedy.ids.slice(0, 100));
});

test("busy, stop within a token, and the next answer", () => {
  const client = ready();
  const p = Buffer.from(transcript.prompt);
  client.write(W.TK_GEN, { id: 1, off: 0, len: p.length, p, temp: 0 });
  assert.deepEqual(client.write(W.TK_GEN, { id: 2, off: 0, len: p.length, p }), { err: { group: 84, rc: 10 } });
  assert.deepEqual(client.write(W.TK_STOP, { id: 2 }), { err: { group: 84, rc: 6 } });
  const stopped = client.write(W.TK_STOP, { id: 1 });
  const reply = client.read(W.TK_NEXT, { id: 1, ack: stopped.n as number });
  assert.deepEqual([reply.st, reply.why, reply.ids], [W.GEN_DONE, W.WHY_STOPPED, []]);
  assert.deepEqual(client.write(W.TK_STOP, { id: 1 }), stopped, "a repeated stop changes nothing");
  assert.equal(client.board.led, 0);
  assert.deepEqual(generate(client, 2, transcript.prompt, { max: 30 }).ids, transcript.greedy.ids.slice(0, 30));
  const { ids, n } = client.read(W.TK_IDS, { id: 2, from: 0 }) as { ids: number[]; n: number };
  assert.equal(n, transcript.prompt_ids.length + 30);
  assert.deepEqual(ids, [...transcript.prompt_ids, ...transcript.greedy.ids.slice(0, 30)]);
  assert.deepEqual(client.read(W.TK_IDS, { id: 2, from: n }), { ids: [], n });
});

test("a kept context goes on where it was", () => {
  const client = ready();
  const first = generate(client, 1, transcript.prompt, { max: 10 });
  const again = client.write(W.TK_GEN, { id: 2, off: 0, len: 1, p: Buffer.from("x"), keep: true, max: 5, temp: 0 });
  assert.equal(again.pos, transcript.prompt_ids.length + first.ids.length - 1);
  tokens(client, 2);
});

test("prompts that are too long are refused, with how long they are", () => {
  const client = ready();
  const p = Buffer.from("Nothing repeats here, 0123456789. ".repeat(30)).subarray(0, 1000);
  const { err, n, ctx } = client.write(W.TK_GEN, { id: 3, off: 0, len: p.length, p });
  assert.deepEqual([err, ctx], [{ group: 84, rc: 7 }, transcript.context]);
  assert.ok((n as number) > transcript.context - 1);
  assert.deepEqual(client.write(W.TK_GEN, { id: 4, off: 0, len: 4097, p }), { err: { group: 84, rc: 7 } });
  assert.deepEqual(fresh().write(W.TK_GEN, { id: 4, off: 0, len: 1, p: Buffer.of(65) }), { err: { group: 84, rc: 5 } });
});

test("next is a long poll: answered after 250 ms at the latest, and the older of two is dropped", () => {
  const client = ready();
  const p = Buffer.from(transcript.prompt);
  client.write(W.TK_GEN, { id: 1, off: 0, len: p.length, p, max: 3, temp: 0 });
  const message = (ack: number) => client.message(W.OP_READ, W.GROUP_TRITKIT, W.TK_NEXT, encode({ id: 1, ack }));
  const [older, newer] = [message(0), message(0)];
  client.deliver(older);
  client.deliver(newer);
  client.settle();
  assert.deepEqual(
    client.inbox.map((bytes) => bytes[6]),
    [newer[6]],
  );

  // Also when the newer one is answered at once.
  client.inbox.length = 0;
  client.write(W.TK_GEN, { id: 2, off: 0, len: p.length, p, max: 60, temp: 0 });
  const { length } = client.read(W.TK_NEXT, { id: 2, ack: 0 }).ids as number[];
  const ask = (ack: number) => client.message(W.OP_READ, W.GROUP_TRITKIT, W.TK_NEXT, encode({ id: 2, ack }));
  const [waiting, repeated] = [ask(length + 1), ask(0)]; // a token was made since
  client.deliver(waiting);
  client.deliver(repeated);
  client.settle();
  assert.deepEqual(
    client.inbox.map((bytes) => bytes[6]),
    [repeated[6]],
  );
});

test("without a seed the board's entropy is asked", () => {
  const client = ready();
  const answers = [1, 2, 3].map((id) => generate(client, id, transcript.prompt, { max: 12, temp: 2000 }).ids.join());
  assert.equal(new Set(answers).size, 3);
  const seeded = [4, 5].map((id) =>
    generate(client, id, transcript.prompt, { max: 12, temp: 2000, seed: 1 }).ids.join(),
  );
  assert.equal(seeded[0], seeded[1]);
});

test("a second model is tested, confirmed, and the first one can come back", () => {
  const client = ready();
  upload(client, llama);
  const hash = sha256(llama);
  client.image(W.IMG_STATE, { hash });
  assert.equal(client.read(W.TK_HELLO).model, modelName(llama));
  assert.deepEqual(
    [0, 1].map((slot) => client.read(W.TK_MODELS, { slot }).state),
    [W.SLOT_ACTIVE, W.SLOT_TEST],
  );
  assert.deepEqual(upload(client, file("silu.trit")), { err: { group: 1, rc: W.IMG_RC_BAD_STATE } });
  client.restart();
  assert.equal(client.read(W.TK_HELLO).model, modelName(relu2));
  client.image(W.IMG_STATE, { hash });
  client.image(W.IMG_STATE, { confirm: true });
  client.restart();
  assert.equal(client.read(W.TK_HELLO).model, modelName(llama));
  client.image(W.IMG_STATE, { hash: sha256(relu2), confirm: true, ctx: transcript.context });
  assert.deepEqual(generate(client, 1, transcript.prompt, { max: 9 }).ids, transcript.greedy.ids.slice(0, 9));
});

test("an image that cannot run is refused with its error, and the old model goes on", () => {
  const client = ready();
  const odd = Buffer.from(llama);
  odd.writeUInt16LE(2, 4);
  const wrongBoard = Buffer.from(llama);
  wrongBoard.write("another", I.HDR_BOARD);
  for (const [image, error] of [
    [odd, I.IMAGE_BAD_VERSION],
    [wrongBoard, I.IMAGE_WRONG_BOARD],
  ] as const) {
    assert.deepEqual(upload(client, image), { off: image.length, match: true });
    const refused = { err: { group: 1, rc: W.IMG_RC_REFUSED } };
    const state = { hash: sha256(image), confirm: true };
    assert.deepEqual(client.image(W.IMG_STATE, state), refused, "no key that foreign clients do not know");
    assert.deepEqual(client.image(W.IMG_STATE, { ...state, ctx: 0 }), { ...refused, img: error });
    assert.equal(client.read(W.TK_HELLO).model, modelName(relu2));
    assert.deepEqual(generate(client, error, transcript.prompt, { max: 9 }).ids, transcript.greedy.ids.slice(0, 9));
    assert.deepEqual(client.image(W.IMG_ERASE, {}), {});
  }
  const reply = client.image(W.IMG_STATE, { hash: Buffer.alloc(32), confirm: true });
  assert.deepEqual(reply, { err: { group: 1, rc: W.IMG_RC_NO_ENTRY } });
  assert.deepEqual(client.image(W.IMG_ERASE, { slot: 0 }), { err: { group: 1, rc: W.IMG_RC_BAD_STATE } });
});

test("an active model that cannot be opened leaves a board that says so", () => {
  const client = ready();
  client.board.mapMax = 4096; // a board that only copies windows
  client.restart();
  const hello = client.read(W.TK_HELLO);
  assert.deepEqual([hello.ctx, hello.model, hello.img], [0, "", I.IMAGE_UNSUPPORTED]);
  assert.equal(client.read(W.TK_MODELS, { slot: 0 }).img, I.IMAGE_UNSUPPORTED);
  assert.deepEqual(client.write(W.TK_GEN, { id: 1, off: 0, len: 1, p: Buffer.of(65) }), { err: { group: 84, rc: 5 } });
});

test("an upload for the firmware is not supported, a malformed one is refused, a mismatch is told", () => {
  const client = fresh();
  const head = { len: 5000, sha: Buffer.alloc(32), off: 0, data: Buffer.alloc(100) };
  assert.deepEqual(client.image(W.IMG_UPLOAD, { ...head, image: 0 }), { rc: 8 });
  const refused = { err: { group: 1, rc: W.IMG_RC_BAD_ARGUMENT } };
  for (const bad of [{ sha: Buffer.alloc(31) }, { len: 0 }, { image: 2 }, { data: "text" }, { off: -1 }, { len: 50 }])
    assert.deepEqual(client.image(W.IMG_UPLOAD, { ...head, ...bad }), refused, JSON.stringify(bad));
  assert.equal(client.board.operations, 0, "nothing was begun");
  assert.deepEqual(client.image(W.IMG_UPLOAD, { off: 100, data: Buffer.alloc(10) }), {
    err: { group: 1, rc: W.IMG_RC_BAD_STATE },
  });
  assert.deepEqual(client.image(W.IMG_UPLOAD, { ...head, len: 200000 }), { err: { group: 1, rc: W.IMG_RC_TOO_LARGE } });
  const image = Buffer.from(llama);
  assert.deepEqual(upload(client, image, { sha: Buffer.alloc(32, 1) }), { off: image.length, match: false });
  const last = { off: image.length - 100, data: image.subarray(-100) };
  assert.deepEqual(client.image(W.IMG_UPLOAD, last), { off: image.length, match: false }, "also when asked again");
});

test("an upload resumes after a reset, and hello tells of it", () => {
  const client = fresh();
  const sha = sha256(relu2);
  const head = { len: relu2.length, sha, off: 0, data: relu2.subarray(0, 1000), image: 1 };
  assert.deepEqual(client.image(W.IMG_UPLOAD, head), { off: 1000 });
  for (let off = 1000; off < 30000; off += 1000)
    client.image(W.IMG_UPLOAD, { off, data: relu2.subarray(off, off + 1000) });
  assert.deepEqual(client.read(W.TK_HELLO).up, { slot: 0, len: relu2.length, off: 30000, sha: new Uint8Array(sha) });
  assert.equal(client.read(W.TK_MODELS, { slot: 0 }).state, W.SLOT_UPLOADING);
  client.restart();
  const { off } = client.image(W.IMG_UPLOAD, head) as { off: number };
  assert.ok(off > 20000 && off % 4096 === 0, `${off}`);
  assert.deepEqual(upload(client, relu2), { off: relu2.length, match: true });
  assert.deepEqual(upload(client, relu2), { off: relu2.length, match: true }, "and is there at once");
});

test("block hashes are those of flash as it is now", () => {
  const client = ready();
  const { h } = client.read(W.TK_HASHES, { slot: 0, from: 0, n: 128 }) as { h: Uint8Array };
  assert.equal(h.length, 31 * 8);
  for (let block = 0; block < 31; block++) {
    const at = 8192 + block * 4096;
    const digest = sha256(client.board.flash.subarray(at, at + 4096)).subarray(0, 8);
    assert.deepEqual(Buffer.from(h.subarray(block * 8, block * 8 + 8)), digest);
  }
  const tail = client.read(W.TK_HASHES, { slot: 1, from: 30, n: 5 });
  assert.deepEqual([tail.slot, tail.from, (tail.h as Uint8Array).length], [1, 30, 8]);
  assert.deepEqual(client.read(W.TK_HASHES, { slot: 0, from: 32 }), { err: { group: 84, rc: 3 } });
});

test("the link switches after its answer, reverts without a frame, and ends after ten seconds of silence", () => {
  const client = fresh();
  const { board } = client;
  const idle = (us: number) => {
    for (const until = board.now + us; board.now < until; ) if (client.poll() === 0) board.now += 1000;
  };
  assert.deepEqual(client.write(W.TK_LINK, { f: W.FRAMING_COBS, b: 921600 }), {});
  client.poll();
  assert.equal(board.baud, 921600);
  client.framing = W.FRAMING_COBS;
  idle(900000);
  assert.deepEqual([client.read(W.TK_HELLO).win, client.read(W.TK_HELLO).baud], [3, 921600]);
  idle(9900000);
  assert.equal(client.read(W.TK_HELLO).restbaud, 115200);
  idle(10100000);
  assert.equal(board.baud, 115200);
  client.framing = W.FRAMING_CONSOLE;
  client.read(W.TK_HELLO);

  client.write(W.TK_LINK, { f: W.FRAMING_COBS, b: 0 });
  idle(1100000);
  client.read(W.TK_HELLO);
  assert.deepEqual(client.write(W.TK_LINK, { f: 2, b: 0 }), { err: { group: 84, rc: 3 } });
  assert.deepEqual(client.write(W.TK_LINK, { f: 1, b: 5000000 }), { err: { group: 84, rc: 3 } });

  // Back to the mode after reset is not on trial.
  client.write(W.TK_LINK, { f: W.FRAMING_COBS, b: 921600 });
  client.poll();
  client.framing = W.FRAMING_COBS;
  client.read(W.TK_HELLO);
  client.write(W.TK_LINK, { f: W.FRAMING_CONSOLE, b: 115200 });
  client.framing = W.FRAMING_CONSOLE;
  idle(3000000);
  assert.equal(board.baud, 115200);
  client.read(W.TK_HELLO);
});

test("noise does not keep a link on trial", () => {
  const client = fresh();
  client.write(W.TK_LINK, { f: W.FRAMING_COBS, b: 921600 });
  client.poll();
  for (let i = 0; i < 150; i++) {
    client.board.toDevice.push(0x55, 0xaa, 0);
    client.poll();
    client.board.now += 10000;
  }
  assert.equal(client.board.baud, 115200);
});

test("an idle board may sleep, a full transmitter is waited for", () => {
  const client = ready();
  client.settle();
  assert.equal(client.poll(), 0);
  client.board.txRoom = 10;
  client.board.makeRoom();
  client.board.waited = 0;
  client.read(W.TK_HELLO);
  assert.ok(client.board.waited > 20);
  assert.ok(client.board.fed > 100);
});

test("200,000 mutated requests: no trap, and every whole frame is answered or was none", () => {
  const random = seeded(2024);
  const pick = <T>(values: readonly T[]): T => values[random() % values.length];
  const p = Buffer.from("The heron");
  const sha = sha256(llama);
  const requests: [op: number, group: number, command: number, body: Body][] = [
    [W.OP_WRITE, W.GROUP_OS, W.OS_ECHO, { d: "hello" }],
    [W.OP_READ, W.GROUP_OS, W.OS_PARAMS, {}],
    [W.OP_READ, W.GROUP_OS, W.OS_INFO, { format: "a" }],
    [W.OP_READ, W.GROUP_IMAGE, W.IMG_STATE, {}],
    [W.OP_WRITE, W.GROUP_IMAGE, W.IMG_STATE, { hash: sha, confirm: true, ctx: 64 }],
    [W.OP_WRITE, W.GROUP_IMAGE, W.IMG_UPLOAD, { image: 1, len: 500, sha, off: 0, data: llama.subarray(0, 300) }],
    [W.OP_WRITE, W.GROUP_IMAGE, W.IMG_UPLOAD, { off: 300, data: llama.subarray(0, 200) }],
    [W.OP_WRITE, W.GROUP_IMAGE, W.IMG_ERASE, { slot: 1 }],
    [W.OP_READ, W.GROUP_ENUM, W.ENUM_SINGLE, { index: 2 }],
    [W.OP_READ, W.GROUP_ENUM, W.ENUM_DETAILS, {}],
    [W.OP_READ, W.GROUP_TRITKIT, W.TK_HELLO, {}],
    [W.OP_READ, W.GROUP_TRITKIT, W.TK_HASHES, { slot: 1, from: 29, n: 1 }],
    [W.OP_READ, W.GROUP_TRITKIT, W.TK_IDS, { id: 5, from: 0 }],
    [W.OP_READ, W.GROUP_TRITKIT, W.TK_MODELS, { slot: 0 }],
    [W.OP_WRITE, W.GROUP_TRITKIT, W.TK_GEN, { id: 5, off: 0, len: p.length, p, max: 2, temp: 700, seed: 3, topp: 900 }],
    [W.OP_READ, W.GROUP_TRITKIT, W.TK_NEXT, { id: 5, ack: 0 }],
    [W.OP_WRITE, W.GROUP_TRITKIT, W.TK_STOP, { id: 5 }],
  ];
  const payloads = requests.map(([, , , body]) => Buffer.from(encode(body)));
  let client = ready();
  let answered = 0;
  for (let run = 0; run < 200000; run++) {
    const which = random() % requests.length;
    const [op, group, command] = requests[which];
    let payload = Buffer.from(payloads[which]);
    for (let n = random() % 4; n > 0 && payload.length > 0; n--) {
      const at = random() % payload.length;
      const kind = random() % 4;
      if (kind === 0) payload[at] ^= 1 << (random() & 7);
      else if (kind === 1) payload[at] = pick([0, 0xff, 0x5f, 0x9f, 0xbf, 0x1b, 0x5b, 0x7f, 0xa0, 0xf6, 0x20]);
      else if (kind === 2) payload = payload.subarray(0, at);
      else payload = Buffer.concat([payload.subarray(0, at), payload.subarray(at >> 1)]);
    }
    const message = client.message(op, group, command, payload.subarray(0, 1100));
    if ((random() & 31) === 0) message[random() % message.length] = random();
    client.deliver(message);
    // Generations and long polls go on in the background of the next requests.
    for (let i = 0; i < 8 && client.poll() !== 0; i++);
    const answers = client.inbox.splice(0);
    answered += answers.length;
    for (const answer of answers) assert.equal(answer.length, 8 + answer.readUInt16BE(2));
    if (client.board.resets > 0) {
      client = ready();
    }
    if (run % 1000 !== 0) continue;
    // Whatever happened before, it still answers.
    client.settle();
    client.inbox.length = 0;
    assert.deepEqual(client.write(W.OS_ECHO, { d: "still here" }, W.GROUP_OS), { r: "still here" });
  }
  assert.ok(answered > 180000, `${answered} answers`);
});

test("requests sent together are answered in order", () => {
  const client = ready();
  const first = client.message(W.OP_READ, W.GROUP_TRITKIT, W.TK_HELLO, encode({}));
  const second = client.message(W.OP_READ, W.GROUP_TRITKIT, W.TK_MODELS, encode({ slot: 0 }));
  for (const byte of Buffer.concat([consoleFrame(first), consoleFrame(second)])) client.board.toDevice.push(byte);
  client.settle();
  assert.deepEqual(
    client.inbox.map((bytes) => bytes[6]),
    [first[6], second[6]],
  );
});

test("a model that stands in for a rotted one and is confirmed stays, also when the other one reads right again", () => {
  const client = ready();
  flash(client, llama);
  const at = Buffer.from(client.board.flash.buffer).indexOf(llama.subarray(0, 64)) + 5000;
  assert.ok(at > 5000);
  client.board.flash[at] ^= 1;
  client.restart();
  assert.equal(client.read(W.TK_HELLO).model, modelName(relu2));
  assert.equal(client.image(W.IMG_STATE, { hash: sha256(relu2), confirm: true }).err, undefined);
  client.board.flash[at] ^= 1;
  client.restart();
  assert.equal(client.read(W.TK_HELLO).model, modelName(relu2));
});
