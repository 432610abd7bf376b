/**
 * What a user meets when something is wrong: one line `tritkit: what. What to do. [CODE]` on stderr (or one error object with --json),
 * the documented exit status, no stack trace, and a device that still has its model.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout } from "node:timers/promises";
import { ReadStream } from "node:tty";
import { buildImage } from "../convert/index.ts";
import { randomModel } from "../convert/random.ts";
import { image } from "./bench_board.ts";
import { end, hasPty, json, type Running, run, start, startSimulator } from "./command.ts";
import { checkObject, checkWords } from "./failure.ts";
import { seeded } from "./seeded.ts";

const MODEL = image("llama");
const PROMPT = ["-p", "ab", "--temp", "0", "-n", "4"];

let folder = "";
/** The board that most cases meet, and what it says of its models. */
let sim: { port: string; running: Running };
let modelsBefore = "";
const closers: (() => void)[] = [];

const models = async (): Promise<string> => JSON.stringify(await json(["models", "--port", sim.port]));

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

/** A TCP server that is no tritkit. */
async function server(serve: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const listening = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    serve(socket);
  });
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  closers.push(() => {
    for (const socket of sockets) socket.destroy();
    listening.close();
  });
  return `tcp://127.0.0.1:${(listening.address() as AddressInfo).port}`;
}

/** A pseudo-terminal that says back what it hears, as `cat` does; null where there is none. */
function echoTerminal(): string | null {
  interface Native {
    open(columns: number, rows: number): { master: number; slave: number; pty: string };
  }
  try {
    const load = createRequire(import.meta.url)("@lydell/node-pty/requireBinary.js");
    const { master, pty } = (load.requireBinary("pty.node") as Native).open(80, 24);
    const stream = new ReadStream(master);
    stream.on("error", () => stream.destroy());
    stream.on("data", (bytes) => stream.write(bytes));
    closers.push(() => stream.destroy());
    return pty;
  } catch {
    return null;
  }
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), "tritkit-"));
  sim = await startSimulator(["--port", "tcp:0", "--flash", join(folder, "board.bin")]);
  await json(["flash", await file("model.trit", MODEL), "--port", sim.port]);
  modelsBefore = await models();
});

after(async () => {
  for (const close of closers) close();
  await end(sim.running);
  await rm(folder, { recursive: true, force: true });
});

interface Case {
  what: string;
  /** Arguments, or null when this machine cannot try it. */
  args: () => Promise<string[]> | string[] | null;
  /** Takes seconds by its nature: tried once, with --json. */
  slow?: boolean;
  code: string;
  exit: number;
}

const noise = (seed: number, length: number): Uint8Array => {
  const random = seeded(seed);
  return Uint8Array.from({ length }, () => Math.floor(random() * 256));
};

const flip = (at: number): Uint8Array => {
  const copy = MODEL.slice();
  copy[at] ^= 0x10;
  return copy;
};

const CASES: Case[] = [
  { what: "no such command", args: () => ["flesh"], code: "E_USAGE", exit: 2 },
  { what: "no such option", args: () => ["flash", "a.trit", "--prot", "x"], code: "E_USAGE", exit: 2 },
  { what: "an argument that is missing", args: () => ["flash"], code: "E_USAGE", exit: 2 },
  { what: "a port that is missing", args: () => ["chat"], code: "E_USAGE", exit: 2 },
  {
    what: "a number that is none",
    args: () => ["chat", "--port", sim.port, "--temp", "warm"],
    code: "E_USAGE",
    exit: 2,
  },
  {
    what: "a temperature below zero",
    args: () => ["chat", "--port", sim.port, "-p", "a", "--temp", "-1"],
    code: "E_USAGE",
    exit: 2,
  },

  {
    what: "a file that is not there",
    args: () => ["flash", join(folder, "none.trit"), "--port", sim.port],
    code: "E_FILE_NOT_FOUND",
    exit: 1,
  },
  {
    what: "a folder as file",
    args: () => ["flash", folder, "--port", sim.port],
    code: "E_FILE_IS_FOLDER",
    exit: 1,
  },
  {
    what: "an empty file",
    args: async () => ["flash", await file("empty.trit", ""), "--port", sim.port],
    code: "E_IMAGE_MAGIC",
    exit: 1,
  },
  {
    what: "a file of any bytes",
    args: async () => ["flash", await file("noise.trit", noise(1, 30_000)), "--port", sim.port],
    code: "E_IMAGE_MAGIC",
    exit: 1,
  },
  {
    what: "a truncated image",
    args: async () => ["flash", await file("short.trit", MODEL.subarray(0, 20_000)), "--port", sim.port],
    code: "E_IMAGE_TRUNCATED",
    exit: 1,
  },
  {
    what: "an image with one bit flipped",
    args: async () => ["flash", await file("flipped.trit", flip(20_000)), "--port", sim.port],
    code: "E_IMAGE_CORRUPT",
    exit: 1,
  },
  {
    what: "an image for another board",
    args: async () => {
      const { bytes } = await buildImage(randomModel({ nLayers: 1 }), { board: "stm32h743" });
      return ["flash", await file("other.trit", bytes), "--port", sim.port];
    },
    code: "E_IMAGE_BOARD",
    exit: 3,
  },
  {
    what: "another board than --board says",
    args: () => ["flash", join(folder, "model.trit"), "--port", sim.port, "--board", "stm32f405"],
    code: "E_IMAGE_BOARD",
    exit: 3,
  },
  {
    what: "an image that is larger than a slot",
    args: async () => {
      const { bytes } = await buildImage(randomModel({ dim: 256, hiddenDim: 1024, nHeads: 8, nLayers: 6 }));
      assert.ok(bytes.length > 917_504);
      return ["flash", await file("large.trit", bytes), "--port", sim.port];
    },
    code: "E_FLASH_FULL",
    exit: 3,
  },
  {
    what: "a model that needs more SRAM than the board has",
    args: async () => {
      const { bytes } = await buildImage(randomModel({ dim: 32, nHeads: 1, hiddenDim: 24576, nLayers: 1 }));
      return ["flash", await file("wide.trit", bytes), "--port", "sim:rp2040-pico"];
    },
    code: "E_NO_MEMORY",
    exit: 3,
  },
  {
    what: "more positions than the board has SRAM for",
    args: () => ["flash", "stories-1m", "--port", "sim:stm32f405", "--context", "256"],
    code: "E_NO_MEMORY",
    exit: 3,
  },

  { what: "a board that does not exist", args: () => ["sim", "--board", "pdp11"], code: "E_UNKNOWN_BOARD", exit: 2 },
  { what: "the demo on it", args: () => ["demo", "--board", "pdp11"], code: "E_UNKNOWN_BOARD", exit: 2 },
  { what: "a port on it", args: () => ["chat", "--port", "sim:pdp11"], code: "E_UNKNOWN_BOARD", exit: 2 },
  {
    what: "a flash file that is none",
    args: async () => ["sim", "--port", "tcp:0", "--flash", await file("small.bin", "small")],
    code: "E_SIM_FLASH",
    exit: 2,
  },
  {
    what: "a TCP port that is taken",
    args: () => ["sim", "--port", `tcp:${new URL(sim.port).port}`],
    code: "E_SIM_PORT",
    exit: 1,
  },

  {
    what: "a port that does not exist",
    args: () => ["chat", "--port", "/dev/ttyNONE7", ...PROMPT],
    code: "E_PORT_NOT_FOUND",
    exit: 1,
  },
  {
    what: "a TCP port where nobody listens",
    args: () => ["chat", "--port", "tcp://127.0.0.1:1", ...PROMPT],
    code: "E_PORT_NOT_FOUND",
    exit: 1,
  },
  { what: "a scheme nobody knows", args: () => ["chat", "--port", "ftp://a:1"], code: "E_USAGE", exit: 2 },
  {
    what: "a file as port",
    args: () => ["chat", "--port", join(folder, "model.trit")],
    code: "E_PORT_NOT_SERIAL",
    exit: 1,
  },
  {
    what: "a TCP server that stays silent",
    args: async () => ["chat", "--port", await server(() => {}), ...PROMPT],
    code: "E_NOT_TRITKIT",
    exit: 4,
  },
  {
    what: "a TCP server that says back what it hears",
    slow: true,
    args: async () => ["chat", "--port", await server((socket) => socket.pipe(socket)), ...PROMPT],
    code: "E_NOT_TRITKIT",
    exit: 4,
  },
  {
    what: "a TCP server that talks garbage",
    slow: true,
    args: async () => {
      const port = await server((socket) => {
        let seed = 1;
        const timer = setInterval(() => socket.write(noise(seed++, 500)), 20);
        socket.on("close", () => clearInterval(timer));
      });
      return ["chat", "--port", port, ...PROMPT];
    },
    code: "E_NOT_TRITKIT",
    exit: 4,
  },
  {
    what: "a TCP server that hangs up",
    args: async () => ["chat", "--port", await server((socket) => socket.destroy()), ...PROMPT],
    code: "E_LINK_LOST",
    exit: 4,
  },
  {
    what: "a pseudo-terminal with an echo",
    slow: true,
    args: () => {
      const path = echoTerminal();
      return path === null ? null : ["chat", "--port", path, ...PROMPT];
    },
    code: "E_NOT_TRITKIT",
    exit: 4,
  },

  {
    what: "a prompt that is longer than the context",
    args: () => ["chat", "--port", sim.port, "-p", "word ".repeat(500)],
    code: "E_PROMPT_TOO_LONG",
    exit: 3,
  },
  {
    what: "a prompt that is longer than any device takes",
    args: () => ["chat", "--port", sim.port, "-p", "word ".repeat(2000)],
    code: "E_PROMPT_TOO_LONG",
    exit: 3,
  },
  {
    what: "a slot that does not exist",
    args: () => ["models", "use", "7", "--port", sim.port],
    code: "E_USAGE",
    exit: 2,
  },
  {
    what: "nothing to go back to",
    args: () => ["models", "rollback", "--port", sim.port],
    code: "E_NO_MODEL",
    exit: 3,
  },
  {
    what: "erasing the model in use",
    args: () => ["models", "erase", "0", "--port", sim.port],
    code: "E_BAD_STATE",
    exit: 3,
  },
  {
    what: "a board without a model",
    args: () => ["chat", "--port", "sim:rp2040-pico", ...PROMPT],
    code: "E_NO_MODEL",
    exit: 3,
  },
];

describe("failures, told", () => {
  for (const { what, args, code, exit, slow = false } of CASES) {
    it(`${what}: ${code}, exit ${exit}`, async (t) => {
      const given = await args();
      if (given === null) return t.skip("no pseudo-terminal here");
      if (!slow) checkWords(await run([...given, "--quiet"]), code, exit);
      checkObject(await run([...given, "--json"]), code, exit);
    });
  }

  it("a port that another program has: E_PORT_BUSY, and who it is", async (t) => {
    if (!(await hasPty())) return t.skip("no pseudo-terminal here");
    const other = await startSimulator(["--port", "pty"]);
    const monitor = start(["monitor", "--port", other.port], "open");
    // Its first words say that it has the port.
    assert.ok(monitor.child.stderr !== null);
    await once(monitor.child.stderr, "data");
    const ended = await run(["models", "--port", other.port, "--quiet"]);
    checkWords(ended, "E_PORT_BUSY", 1);
    assert.match(ended.stderr, new RegExp(`\\(pid (${monitor.child.pid}|${other.running.child.pid})\\)`));
    checkObject(await run(["models", "--port", other.port, "--json"]), "E_PORT_BUSY", 1);
    await end(monitor);
    await end(other.running);
  });

  it("a simulated board that another program talks to", async () => {
    const chat = start(["chat", "--port", sim.port, "--json"], "open");
    chat.child.stdin?.write("ab\n");
    await chat.line(({ event }) => event === "token");
    checkObject(await run(["models", "--port", sim.port, "--json"]), "E_LINK_LOST", 4);
    await end(chat);
  });

  it("after all of this the board has the model it had, and answers", async () => {
    assert.equal(await models(), modelsBefore);
    assert.equal((await json(["chat", "--port", sim.port, ...PROMPT])).at(-1)?.tokens, 4);
  });
});

describe("bytes that are no UTF-8", () => {
  const bytes = Buffer.from([0xff, 0xfe, 0x61, 0xc3, 0x28, 0xe2, 0x82, 0x0a]);

  it("piped in are a prompt like any other", async () => {
    const { status, stdout, stderr } = await run(
      ["chat", "--port", sim.port, "--temp", "0", "-n", "4", "--json"],
      bytes,
    );
    assert.equal(status, 0, stdout + stderr);
    assert.match(stdout, /"event":"answer"/);
  });
});

describe("the cable is pulled", () => {
  const chatArgs = (port: string) => ["chat", "--port", port, "-p", "ab", "--temp", "0", "-n", "100000"];

  for (const port of ["tcp:0", "pty"]) {
    const noPty = async () => port === "pty" && !(await hasPty());

    it(`${port}, in the middle of flashing: E_LINK_LOST, and the next time goes on`, async (t) => {
      if (await noPty()) return t.skip("no pseudo-terminal here");
      const flash = join(folder, `pulled-${port.slice(0, 3)}.bin`);
      const board = ["--port", port, "--flash", flash, "--speed", "1"];
      const first = await startSimulator(board);
      const model = await file("silu.trit", image("silu"));
      const upload = start(["flash", model, "--port", first.port, "--json"]);
      await upload.line(({ event, phase, bytes }) => event === "flash" && phase === "write" && Number(bytes) > 20_000);
      await end(first.running);
      checkObject(await upload.ended, "E_LINK_LOST", 4);

      const second = await startSimulator(board);
      const done = (await json(["flash", model, "--port", second.port])).at(-1);
      assert.ok(Number(done?.skipped) >= 16_384, JSON.stringify(done));
      await end(second.running);
    });

    it(`${port}, in the middle of an answer: E_LINK_LOST, and the model is there afterwards`, async (t) => {
      if (await noPty()) return t.skip("no pseudo-terminal here");
      const flash = join(folder, `answer-${port.slice(0, 3)}.bin`);
      const first = await startSimulator(["--port", port, "--flash", flash]);
      await json(["flash", join(folder, "model.trit"), "--port", first.port]);
      const chat = start([...chatArgs(first.port), "--json"]);
      await chat.line(({ event }) => event === "token");
      await end(first.running);
      checkObject(await chat.ended, "E_LINK_LOST", 4);
      const second = await startSimulator(["--port", port, "--flash", flash]);
      assert.equal((await json(["models", "--port", second.port])).at(0)?.state, "active");
      await end(second.running);
    });
  }
});

describe("Ctrl-C", () => {
  const long = () => ["chat", "--port", sim.port, "--temp", "0", "-n", "100000", "--json"];

  it("ends a single answer: exit 130, and the board is free at once", async () => {
    const chat = start([...long(), "-p", "ab"]);
    await chat.line(({ event }) => event === "token");
    chat.signal("SIGINT");
    const { status, stderr } = await chat.ended;
    assert.equal(status, 130);
    assert.equal(stderr, "");
    const answer = chat.lines.at(-1);
    assert.deepEqual([answer?.event, answer?.stop], ["answer", "stopped"]);
    const { text } = answer ?? {};
    assert.equal(
      chat.lines
        .filter(({ event }) => event === "token")
        .map((token) => token.text)
        .join(""),
      text,
    );
    assert.equal((await json(["chat", "--port", sim.port, ...PROMPT])).at(-1)?.tokens, 4);
  });

  it("stops the answer of a conversation, which goes on; once more leaves", async () => {
    const chat = start(long(), "open");
    chat.child.stdin?.write("ab\n");
    await chat.line(({ event }) => event === "token");
    chat.signal("SIGINT");
    await chat.line(({ event, stop }) => event === "answer" && stop === "stopped");
    const before = chat.lines.length;
    chat.child.stdin?.write("/max 3\ncd\n");
    await chat.line(({ event, stop }) => event === "answer" && stop === "max");
    assert.ok(chat.lines.length > before);
    chat.signal("SIGINT");
    assert.equal((await chat.ended).status, 0);
  });

  it("twice leaves at once, even when the board says nothing any more: exit 130", async () => {
    const board = await startSimulator(["--port", "tcp:0"]);
    await json(["flash", join(folder, "model.trit"), "--port", board.port]);
    for (const stdin of ["open", undefined] as const) {
      const args = ["chat", "--port", board.port, "--temp", "0", "-n", "100000", "--json"];
      const chat = start(stdin === undefined ? [...args, "-p", "ab"] : args, stdin);
      chat.child.stdin?.write("ab\n");
      await chat.line(({ event }) => event === "token");
      board.running.signal("SIGSTOP");
      chat.signal("SIGINT");
      await setTimeout(300);
      assert.equal(chat.child.exitCode, null);
      chat.signal("SIGINT");
      assert.equal((await chat.ended).status, 130);
      board.running.signal("SIGCONT");
    }
    await end(board.running);
  });

  it("in the middle of flashing: exit 130, and the next time goes on", async () => {
    const board = await startSimulator(["--port", "tcp:0", "--speed", "1"]);
    const model = await file("silu.trit", image("silu"));
    const upload = start(["flash", model, "--port", board.port, "--json"]);
    await upload.line(({ event, phase, bytes }) => event === "flash" && phase === "write" && Number(bytes) > 20_000);
    upload.signal("SIGINT");
    checkObject(await upload.ended, "E_INTERRUPTED", 130);
    const done = (await json(["flash", model, "--port", board.port])).at(-1);
    assert.ok(Number(done?.skipped) >= 16_384, JSON.stringify(done));
    await end(board.running);
  });

  it("ends a simulator: exit 0", async () => {
    const board = await startSimulator(["--port", "tcp:0"]);
    assert.equal((await end(board.running, "SIGINT")).status, 0);
  });
});
