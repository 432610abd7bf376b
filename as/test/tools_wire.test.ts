/** The command `tools`, and what an assistant's answers tell (WIRE.md, TRITKIT 6 and 8), with the whole device on a small board. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { encode } from "cborg";
import { ROOT } from "../../scripts/lib/root.mjs";
import { assistantImage } from "../../spec/test/assistant_image.ts";
import * as T from "../../spec/tools.ts";
import * as W from "../../spec/wire.ts";
import { type Body, Client } from "./client.ts";
import { deviceWasm, FakeBoard, type FlashGeometry } from "./fake_board.ts";
import { ALL_VERBS, DESK, type ToolEntry, toolsTable } from "./tools_table.ts";

const module = new WebAssembly.Module(await deviceWasm("as/device.ts", {}, 16));
const GEOMETRY: FlashGeometry = { runs: [[64, 4096]], unit: 1, page: 256, writeOnce: false };
const [LAMP, PUMP, TEMPERATURE, TIMER] = DESK.keys();

const relu2 = readFileSync(join(ROOT, "spec/vectors/relu2.trit"));
const TABLE = toolsTable(DESK);
const ASSISTANT = assistantImage(relu2, { table: TABLE });
/** Two tools with long names, so that it takes several pieces. */
const ALIASES = Array.from({ length: 40 }, (_, i) => `a rather long alias of a tool, number ${i}`);
const OTHER = toolsTable([
  { ...DESK[LAMP], name: "bulb", aliases: ALIASES },
  { ...DESK[PUMP], name: "bell" },
]);

function flash(client: Client, image: Buffer): Client {
  const sha = createHash("sha256").update(image).digest();
  for (let off = 0; off < image.length; ) {
    const head = off === 0 ? { image: 1, len: image.length, sha } : {};
    const reply = client.image(W.IMG_UPLOAD, { ...head, off, data: image.subarray(off, off + 1000) });
    assert.equal(reply.err, undefined, JSON.stringify(reply));
    off = reply.off as number;
  }
  const reply = client.image(W.IMG_STATE, { hash: sha, confirm: true, ctx: 200 });
  assert.ok(Array.isArray(reply.images), JSON.stringify(reply));
  return client;
}

/** A board that runs an image, made once; every test gets a copy. */
function boards(image: Buffer): () => Client {
  const made = flash(new Client(new FakeBoard(GEOMETRY), module), image);
  return () => {
    const board = made.board.clone();
    board.gpioPins = [13, 14];
    board.pwmPins = [15, 16];
    board.adc = { 0: 26214 };
    return new Client(board, module);
  };
}

const ready = boards(ASSISTANT);
const bare = boards(assistantImage(relu2, { table: null }));

const rc = (reply: Body) => (reply.err as { rc: number } | undefined)?.rc;
const tools = (client: Client, body: Body) => client.write(W.TK_TOOLS, body);
const make = (client: Client, ...call: unknown[]) => (tools(client, { do: call }).calls as unknown[][])[0];

/** Sends a table piece by piece; the last answer. */
function set(client: Client, table: Buffer, piece = W.TOOLS_PIECE): Body {
  for (let off = 0; ; ) {
    const reply = tools(client, { off, len: table.length, d: table.subarray(off, off + piece) });
    if (reply.off === undefined || reply.ok !== undefined) return reply;
    assert.ok((reply.off as number) > off, "it goes on");
    off = reply.off as number;
  }
}

interface Seen {
  src: number;
  table: Buffer;
  dry: boolean;
  keep: boolean;
}

/** Reads the table in use. */
function look(client: Client): Seen {
  const pieces: Buffer[] = [];
  for (let from = 0; ; ) {
    const { src, len, crc, from: at, d, dry, keep } = client.read(W.TK_TOOLS, { from }) as Record<string, never>;
    assert.equal(at, from);
    pieces.push(Buffer.from(d as Uint8Array));
    from += (d as Uint8Array).length;
    if (from < len) continue;
    const table = Buffer.concat(pieces);
    assert.equal(table.length, len);
    assert.equal(crc, len === 0 ? 0 : table.readUInt32LE(T.TBL_CRC));
    return { src, table, dry, keep };
  }
}

/** Runs the device for a while, which is what its clock goes by. */
function pass(client: Client, us: number): void {
  for (const end = client.board.now + us; client.board.now < end; ) if (client.poll() === 0) client.board.now = end;
}

test("only an assistant has tools", () => {
  for (const client of [new Client(new FakeBoard(GEOMETRY), module), boards(relu2)()]) {
    assert.equal(client.read(W.TK_HELLO).tools, undefined);
    assert.equal(rc(client.read(W.TK_TOOLS)), W.TK_RC_BAD_STATE);
    for (const body of [{ off: 0, len: 16, d: TABLE.subarray(0, 16) }, { clear: true }, { dry: true }, { do: [0, 0] }])
      assert.equal(rc(tools(client, body)), W.TK_RC_BAD_STATE);
  }
});

test("the image's table is in use, also after a reset; an assistant without one has none", () => {
  const client = ready();
  for (let i = 0; i < 2; i++) {
    assert.equal(client.read(W.TK_HELLO).tools, DESK.length);
    assert.deepEqual(look(client), { src: W.TOOLS_IMAGE, table: TABLE, dry: false, keep: true });
    client.restart();
  }
  const none = bare();
  assert.equal(none.read(W.TK_HELLO).tools, 0);
  assert.deepEqual(look(none), { src: W.TOOLS_NONE, table: Buffer.alloc(0), dry: false, keep: true });
  assert.equal(rc(client.read(W.TK_TOOLS, { from: TABLE.length + 1 })), W.TK_RC_BAD_ARGUMENT);
});

test("a table that is set is in use at once and after a reset, until it is cleared", () => {
  for (const start of [ready, bare]) {
    const client = start();
    const before = look(client);
    for (const [table, count] of [[OTHER, 2] as const, [TABLE, DESK.length] as const, [OTHER, 2] as const]) {
      assert.deepEqual(set(client, table), { off: table.length, ok: true });
      for (let i = 0; i < 2; i++) {
        assert.deepEqual(look(client), { src: W.TOOLS_SET, table, dry: false, keep: true });
        assert.equal(client.read(W.TK_HELLO).tools, count);
        client.restart();
      }
    }
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(tools(client, { clear: true }), {});
      assert.deepEqual(look(client), before);
      client.restart();
      assert.deepEqual(look(client), before);
    }
  }
});

test("every piece may be repeated, in any size; the same table again costs no flash", () => {
  const client = ready();
  for (let off = 0; off < OTHER.length; ) {
    const piece = { off, len: OTHER.length, d: OTHER.subarray(off, off + 100) };
    const reply = tools(client, piece);
    off = reply.off as number;
    assert.equal(off, Math.min(OTHER.length, (piece.off as number) + 100));
    assert.deepEqual(tools(client, piece), reply);
    assert.deepEqual(tools(client, { off: 0, len: OTHER.length, d: OTHER.subarray(0, 100) }), reply);
    assert.deepEqual(tools(client, { off: OTHER.length, len: OTHER.length, d: Buffer.alloc(0) }), reply);
  }
  const { operations } = client.board;
  assert.deepEqual(set(client, OTHER), { off: OTHER.length, ok: true });
  assert.deepEqual(set(client, OTHER), { off: OTHER.length, ok: true });
  assert.equal(client.board.operations, operations);
  assert.deepEqual(set(client, TABLE), { off: TABLE.length, ok: true }, "another one is begun anew");
});

test("what is no table is refused, and nothing changes", () => {
  const client = ready();
  set(client, OTHER);
  const { operations } = client.board;
  const damaged = Buffer.from(TABLE);
  damaged[100] ^= 1;
  for (const [table, code] of [
    [damaged, W.TK_RC_CORRUPT],
    [TABLE.subarray(0, TABLE.length - 4), W.TK_RC_CORRUPT],
    [Buffer.alloc(4032), W.TK_RC_CORRUPT],
    [Buffer.alloc(4036), W.TK_RC_NO_ROOM],
  ] as const) {
    assert.equal(rc(set(client, table)), code);
    assert.deepEqual(look(client).table, OTHER);
  }
  const d = TABLE.subarray(0, 10);
  for (const body of [
    {},
    { dry: 1 },
    { clear: false },
    { clear: 1 },
    { off: 0, d },
    { off: 0, len: 0, d: Buffer.alloc(0) },
    { off: 0, len: 9, d },
    { off: 100, len: 50, d: Buffer.alloc(0) },
    { off: 0, len: 100, d: "text" },
    { off: 0, len: 1000, d: Buffer.alloc(513) },
    { do: 1 },
    { do: [] },
    { do: [0] },
    { do: [0, 6] },
    { do: [256, 0] },
    { do: [-1, 0] },
    { do: ["lamp", 0] },
    { do: [0, 2, 2147483648] },
    { do: [0, 2, [1]] },
  ])
    assert.equal(rc(tools(client, body)), W.TK_RC_BAD_ARGUMENT, JSON.stringify(body));
  const late = { off: 512, len: OTHER.length + 4, d };
  assert.equal(rc(tools(client, late)), W.TK_RC_BAD_ARGUMENT, "another len than the table has that was begun");
  assert.deepEqual(tools(ready(), late), { off: 0 }, "nothing came yet");
  assert.equal(client.board.operations, operations);
});

test("a refusal that got lost is told again, and the table may be begun anew", () => {
  const client = ready();
  const damaged = Buffer.from(OTHER);
  damaged[600] ^= 1;
  assert.equal(rc(set(client, damaged)), W.TK_RC_CORRUPT);
  const off = 512 * Math.floor((OTHER.length - 1) / 512);
  const last = { off, len: OTHER.length, d: damaged.subarray(off) };
  assert.equal(rc(tools(client, last)), W.TK_RC_CORRUPT);
  assert.deepEqual(set(client, OTHER), { off: OTHER.length, ok: true });
});

test("an image that leaves no two sectors behind it keeps none, and says so", () => {
  const geometry: FlashGeometry = { ...GEOMETRY, runs: [[2 + 2 * 14, 4096]] };
  const image = assistantImage(relu2, { table: TABLE });
  assert.equal(Math.ceil(image.length / 4096), 13);
  const client = flash(new Client(new FakeBoard(geometry), module), image);
  assert.deepEqual(look(client), { src: W.TOOLS_IMAGE, table: TABLE, dry: false, keep: false });
  assert.equal(rc(set(client, OTHER)), W.TK_RC_NO_ROOM);
  assert.deepEqual(tools(client, { clear: true }), {});
});

test("flash that fails: the table stays the one that it was", () => {
  const client = ready();
  set(client, OTHER);
  client.board.flashFails = true;
  assert.equal(rc(set(client, TABLE)), W.RC_UNKNOWN);
  assert.equal(rc(tools(client, { clear: true })), W.RC_UNKNOWN);
  assert.deepEqual(look(client).table, OTHER);
  client.board.flashFails = false;
  assert.deepEqual(set(client, TABLE), { off: TABLE.length, ok: true });
});

test("a kept table that rotted: the image's own is in use", () => {
  const client = ready();
  set(client, OTHER);
  client.board.flash[Buffer.from(client.board.flash).lastIndexOf("number 7")] ^= 1;
  client.restart();
  assert.deepEqual(look(client), { src: W.TOOLS_IMAGE, table: TABLE, dry: false, keep: true });
});

test("another model does not see the table, and finds its own again", () => {
  const client = ready();
  set(client, OTHER);
  flash(client, assistantImage(relu2, { table: TABLE, gate: 1 }));
  assert.deepEqual(look(client).table, TABLE);
  const back = createHash("sha256").update(ASSISTANT).digest();
  client.image(W.IMG_STATE, { hash: back, confirm: true });
  assert.deepEqual(look(client).table, OTHER);
});

test("a prompt and a table are received in the same place: the later one counts", () => {
  const client = ready();
  const p = Buffer.from("turn on the lamp ".repeat(80));
  const half = { id: 7, off: 0, len: p.length, p: p.subarray(0, 700), temp: 0 };
  assert.equal(client.write(W.TK_GEN, half).off, 700);
  const first = { off: 0, len: OTHER.length, d: OTHER.subarray(0, 512) };
  assert.deepEqual(tools(client, first), { off: 512 });
  assert.equal(rc(client.write(W.TK_GEN, { id: 7, off: 700, len: p.length, p: p.subarray(700) })), W.TK_RC_BAD_STATE);
  assert.equal(client.write(W.TK_GEN, half).off, 700);
  assert.deepEqual(tools(client, { off: 512, len: OTHER.length, d: OTHER.subarray(512, 600) }), { off: 0 });
  assert.deepEqual(set(client, OTHER), { off: OTHER.length, ok: true });
  assert.equal(client.write(W.TK_STOP, { id: 7 }).err, undefined);
});

describe("do", () => {
  test("makes a call without the model", () => {
    const client = ready();
    assert.deepEqual(make(client, LAMP, T.VERB_SET, 40000), [LAMP, T.VERB_SET, T.CALL_DONE, 40000, 0, 0]);
    assert.deepEqual(make(client, LAMP, T.VERB_UP, null), [LAMP, T.VERB_UP, T.CALL_DONE, 60000, 0, 0]);
    assert.deepEqual(make(client, TEMPERATURE, T.VERB_GET), [TEMPERATURE, T.VERB_GET, T.CALL_DONE, 26000, 0, 0]);
    client.board.adc[0] = 0;
    assert.deepEqual(make(client, TEMPERATURE, T.VERB_GET).slice(2, 4), [T.CALL_DONE, -40000]);
    assert.deepEqual(make(client, LAMP, T.VERB_SET, 100001).slice(2, 4), [T.CALL_RANGE, 100001]);
    assert.deepEqual(make(client, LAMP, T.VERB_SET, -1).slice(2, 4), [T.CALL_RANGE, -1]);
    assert.deepEqual(make(client, LAMP, T.VERB_ON, null, 1).slice(2, 4), [T.CALL_RANGE, null]);
    assert.deepEqual(make(client, PUMP, T.VERB_SET, 0).slice(2, 4), [T.CALL_CANNOT, null]);
    assert.deepEqual(make(client, 99, T.VERB_ON).slice(2, 4), [T.CALL_NO_TOOL, null]);
    assert.deepEqual(make(client, T.TOOL_EVERY, T.VERB_OFF), [T.TOOL_EVERY, T.VERB_OFF, T.CALL_DONE, null, 0, 0]);
    assert.deepEqual(client.board.pins, [
      ["pwm", 15, 26214, 1000],
      ["pwm", 15, 39321, 1000],
      ["pwm", 15, 0, 1000],
      ["gpio", 14, 0],
      ["pwm", 16, 65535 - 13107, 25000],
    ]);
  });

  test("with an array of indefinite length too", () => {
    const client = ready();
    const body = Buffer.concat([Buffer.from([0xa1]), encode("do"), Buffer.from([0x9f, 0x00, 0x00, 0xf6, 0xff])]);
    client.deliver(client.message(W.OP_WRITE, W.GROUP_TRITKIT, W.TK_TOOLS, body));
    client.settle();
    assert.deepEqual(client.board.pins, [["pwm", 15, 65535, 1000]]);
  });

  test("for a while: the value from before comes back although nobody asks", () => {
    const client = ready();
    assert.deepEqual(make(client, PUMP, T.VERB_ON, null, 60000), [PUMP, T.VERB_ON, T.CALL_DONE, 1000, 0, 60000]);
    pass(client, 59e6);
    assert.deepEqual(client.board.pins.splice(0), [["gpio", 14, 1]]);
    pass(client, 2e6);
    assert.deepEqual(client.board.pins.splice(0), [["gpio", 14, 0]]);
    assert.equal(client.poll(), 0, "and the board may sleep again");
  });

  test("a timer rings", () => {
    const client = ready();
    make(client, TIMER, T.VERB_SET, 5000);
    pass(client, 4.9e6);
    assert.deepEqual(client.board.pins, []);
    pass(client, 0.5e6);
    assert.deepEqual(client.board.pins, [["gpio", 13, 1]]);
    pass(client, 1e6);
    assert.deepEqual(client.board.pins.slice(1), [["gpio", 13, 0]]);
  });

  test("in a dry run, switched over the wire or asked for by the table, the pins stay as they are", () => {
    const client = ready();
    assert.deepEqual(tools(client, { dry: true }), { dry: true });
    assert.equal(look(client).dry, true);
    assert.deepEqual(make(client, LAMP, T.VERB_ON).slice(2, 4), [T.CALL_DRY, 100000]);
    assert.deepEqual(make(client, TEMPERATURE, T.VERB_GET).slice(2, 4), [T.CALL_DRY, null]);
    assert.deepEqual(client.board.pins, []);
    assert.deepEqual(tools(client, { dry: false }), { dry: false });
    assert.deepEqual(make(client, LAMP, T.VERB_ON).slice(2, 4), [T.CALL_DONE, 100000]);
    set(client, toolsTable(DESK, true));
    client.board.pins.length = 0;
    assert.equal(look(client).dry, true);
    assert.deepEqual(make(client, LAMP, T.VERB_ON).slice(2, 4), [T.CALL_DRY, 100000]);
    assert.deepEqual(client.board.pins, []);
  });

  test("another table, or another model, takes back at once what would have lasted a while, and begins with everything off", () => {
    for (const change of [(client: Client) => set(client, OTHER), (client: Client) => flash(client, relu2)]) {
      const client = ready();
      make(client, LAMP, T.VERB_ON, null, 600000);
      make(client, PUMP, T.VERB_ON);
      client.board.pins.length = 0;
      change(client);
      assert.deepEqual(client.board.pins, [
        ["pwm", 15, 0, 1000],
        ["gpio", 14, 0],
      ]);
    }
  });

  test("a refused table leaves what has its time", () => {
    const client = ready();
    make(client, LAMP, T.VERB_ON, null, 600000);
    client.board.pins.length = 0;
    assert.equal(rc(set(client, Buffer.alloc(64))), W.TK_RC_CORRUPT);
    assert.deepEqual(client.board.pins, []);
    pass(client, 601e6);
    assert.deepEqual(client.board.pins, [["pwm", 15, 0, 1000]]);
  });
});

/** Asks and takes all of the answer; the last `next`. */
function answer(client: Client, id: number, prompt: string, more: Body = {}): Body & { all: number[] } {
  const p = Buffer.from(prompt);
  const begun = client.write(W.TK_GEN, { id, off: 0, len: p.length, p, temp: 0, ...more });
  assert.equal(begun.off, p.length, JSON.stringify(begun));
  const all: number[] = [];
  for (;;) {
    const reply = client.read(W.TK_NEXT, { id, ack: all.length });
    assert.equal(reply.err, undefined, JSON.stringify(reply));
    all.push(...(reply.ids as number[]));
    if (reply.st === W.GEN_DONE) return { ...reply, all };
    assert.equal(reply.calls, undefined, "calls come with the last tokens");
  }
}

const PROMPTS = [
  "turn on the lamp",
  "dim it",
  "lamp 40%",
  "fan off",
  "all off",
  "pump",
  "how warm is it",
  "x",
  "",
  "timer for 5 minutes",
];

describe("an answer", () => {
  test("of an assistant tells its calls and how it began, and its pins are those of its calls", () => {
    let made = 0;
    const says = new Set<number>();
    // Models that differ in the ids that are special say other things.
    for (const base of [232, 200, 150, 100]) {
      const client = boards(assistantImage(relu2, { table: TABLE, base }))();
      for (const [i, prompt] of PROMPTS.entries()) {
        const { calls, say, all, why } = answer(client, i + 1, prompt);
        assert.equal(say, all[0] - base);
        says.add(say as number);
        assert.ok([T.TOK_CALL, T.TOK_NONE, T.TOK_DECLINE, T.TOK_ASK, T.TOK_SAY].includes(say as number));
        assert.ok(why === W.WHY_EOS || why === W.WHY_MAX);
        const list = calls as [
          tool: number,
          verb: number,
          rc: number,
          value: number | null,
          margin: number,
          s: number,
        ][];
        const said = all.filter((id) => id === base + T.TOK_CALL).length;
        assert.equal(list.length, say === T.TOK_CALL ? said : 0);
        const driven = list.filter(([tool, verb, rc]) => {
          return rc === T.CALL_DONE && verb !== T.VERB_GET && tool < DESK.length && DESK[tool].drive !== T.DRIVE_TIMER;
        });
        const every = list.filter(([tool, , rc]) => tool === T.TOOL_EVERY && rc === T.CALL_DONE).length;
        assert.equal(client.board.pins.splice(0).length, driven.length + 3 * every);
        for (const [tool, , rc, value] of list) {
          if (rc === T.CALL_DONE) assert.equal(value !== null, tool < DESK.length);
          else assert.ok(value === null || rc === T.CALL_RANGE);
        }
        made += list.length;
      }
    }
    assert.ok(made > 10, `${made} calls`);
    assert.ok(says.size > 1, "not all answers are of one kind");
  });

  test("acts when a call is complete, not when the host asks for the rest", () => {
    for (const base of [232, 200, 150, 100]) {
      const client = boards(assistantImage(relu2, { table: TABLE, base }))();
      for (const [i, prompt] of PROMPTS.entries()) {
        const p = Buffer.from(prompt);
        client.write(W.TK_GEN, { id: i + 1, off: 0, len: p.length, p, temp: 0 });
        client.settle();
        if (client.board.pins.length > 0) return;
      }
    }
    assert.fail("no prompt moved a pin");
  });

  test("is dry in a dry run, and unsure below the gate", () => {
    const gated = boards(assistantImage(relu2, { table: TABLE, base: 150, gate: 0x7fffffff }))();
    const dry = boards(assistantImage(relu2, { table: TABLE, base: 150 }))();
    tools(dry, { dry: true });
    const seen = new Set<number>();
    for (const [i, prompt] of PROMPTS.entries()) {
      for (const [, , rc] of answer(gated, i + 1, prompt).calls as number[][])
        assert.ok([T.CALL_UNSURE, T.CALL_NO_TOOL].includes(rc), `${rc}`);
      for (const [, , rc] of answer(dry, i + 1, prompt).calls as number[][]) seen.add(rc);
    }
    assert.ok(!seen.has(T.CALL_DONE));
    assert.deepEqual([gated.board.pins, dry.board.pins], [[], []]);
  });

  test("of any other model, and of an assistant without a table, has no calls", () => {
    for (const client of [boards(relu2)(), bare()]) {
      const { calls, say } = answer(client, 1, "turn on the lamp", { max: 5 });
      assert.deepEqual([calls, say], [undefined, undefined]);
    }
  });

  test("keeps the table until it is done; one that is abandoned gives way", () => {
    const client = ready();
    const p = Buffer.from("turn on the lamp ".repeat(8));
    client.write(W.TK_GEN, { id: 1, off: 0, len: p.length, p, temp: 0 });
    assert.equal(rc(tools(client, { off: 0, len: OTHER.length, d: OTHER.subarray(0, 512) })), W.TK_RC_BUSY);
    assert.equal(rc(tools(client, { clear: true })), W.TK_RC_BUSY);
    client.board.now += W.LINK_IDLE_US;
    assert.deepEqual(set(client, OTHER), { off: OTHER.length, ok: true });
    assert.equal(client.read(W.TK_HELLO).tools, 2);
  });
});

test("30,000 mutated requests of the command neither trap nor move a pin out of its range", () => {
  const client = ready();
  const limits: ToolEntry[] = [
    { ...DESK[LAMP], raw: [100, 200] },
    { ...DESK[PUMP], verbs: ALL_VERBS },
    DESK[TEMPERATURE],
    DESK[TIMER],
  ];
  set(client, toolsTable(limits));
  const bodies = [
    { do: [0, 2, 50000, 0] },
    { do: [1, 0, null, 5000] },
    { do: [254, 1] },
    { do: [3, 2, 5000] },
    { dry: false },
    { from: 0 },
    { off: 0, len: 100, d: TABLE.subarray(0, 50) },
  ].map((body) => Buffer.from(encode(body)));
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return state >>> 8;
  };
  for (let i = 0; i < 30000; i++) {
    const body = Buffer.from(bodies[random() % bodies.length]);
    for (let n = random() % 3; n > 0; n--) body[random() % body.length] ^= 1 << (random() % 8);
    client.deliver(client.message(random() % 4 === 0 ? W.OP_READ : W.OP_WRITE, W.GROUP_TRITKIT, W.TK_TOOLS, body));
    for (let polls = 0; client.board.toDevice.length > 0 && polls < 100; polls++) client.poll();
    client.settle(4);
    client.inbox.length = 0;
    for (const [what, pin, value] of client.board.pins.splice(0)) {
      if (pin === 15) assert.ok(what === "pwm" && value >= 100 && value <= 200, `${value}`);
      else assert.ok(what === "gpio" && (pin === 13 || pin === 14) && (value === 0 || value === 1));
    }
  }
  assert.equal(client.read(W.TK_HELLO).tools, limits.length);
});
