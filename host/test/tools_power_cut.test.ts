/**
 * Power is cut, torn, in every flash operation of setting an assistant's tools and of taking them back: on the whole simulated board with the shipped device
 * build and the host's own client, on three kinds of flash. Afterwards the board has the table from before or the new one, whole, and setting it again works.
 *
 *     npm run test:power    more seeds
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { SimBoard } from "../../firmware-sim/index.ts";
import { ROOT } from "../../scripts/lib/root.mjs";
import { assistantImage } from "../../spec/test/assistant_image.ts";
import { flashModel } from "../device/flasher.ts";
import { clearDeviceTools, deviceTools, setDeviceTools } from "../device/tools.ts";
import { compileTools } from "../tools/compile.ts";
import { parseTools } from "../tools/parse.ts";
import { deviceWasm, image, newBoard, type Scale, scaledBoard, withBench } from "./bench_board.ts";

/** Each leaves torn operations in another way. */
const TEARS = process.env.npm_lifecycle_event === "test:power" ? [1, 2, 3, 4, 5, 6, 7, 8] : [1];

/** With two sectors free behind the model, each large enough for a table. */
const GEOMETRIES: [what: string, board: string, scale: Scale][] = [
  ["4 KiB sectors, units of 1, pages of 256", "rp2040-pico", { sectors: 34 }],
  ["sectors of three sizes, units of 4", "stm32f405", { divide: 2 }],
  ["large equal sectors, write-once units of 32", "stm32h743", { divide: 8 }],
];

/** A table of this many tools. */
function table(names: string[]): Buffer {
  const tools = names.map((name) => ({ name, kind: "switch", aliases: [name], drive: { type: "none" } }));
  return Buffer.from(compileTools(parseTools("test", JSON.stringify({ name: "test", tools }))));
}

const OF_IMAGE = table(["lamp"]);
const FIRST = table(["pump", "bell"]);
const OLD = table(["bell"]);
const NEW = Buffer.from(
  compileTools(parseTools("home.json", readFileSync(join(ROOT, "examples/assistant/tools/home.json"), "utf8"))),
);
const MODEL = assistantImage(Buffer.from(image("relu2")), { table: OF_IMAGE });

const change = (sim: SimBoard, to: Buffer | null) =>
  withBench(sim, (device) => (to === null ? clearDeviceTools(device) : setDeviceTools(device, to)));

/** The table that the board has, as the host reads it. */
const found = (sim: SimBoard) => withBench(sim, async (device) => Buffer.from((await deviceTools(device)).bytes));

for (const [what, name, scale] of GEOMETRIES) {
  describe(`power cuts while tools are set on ${name}: ${what}`, () => {
    for (const [title, histories, to] of [
      ["set", [[], [OLD], [FIRST, OLD], [OLD, null]], NEW],
      ["cleared", [[OLD], [FIRST, OLD]], null],
    ] as const) {
      it(`every operation, when they are ${title}`, async (t) => {
        let cuts = 0;
        const seen = { old: 0, new: 0 };
        for (const history of histories) {
          const board = scaledBoard(name, scale);
          const sim = newBoard(board, deviceWasm(board), 1);
          await withBench(sim, (device) => flashModel(device, new Uint8Array(MODEL)));
          for (const before of history) await change(sim, before);
          const old = await found(sim);
          assert.deepEqual(old, history.at(-1) ?? OF_IMAGE);
          const wanted = to ?? OF_IMAGE;
          const start = sim.snapshot();
          for (const tear of TEARS) {
            for (let n = 1; ; n++) {
              const random = start.flash.random.map((word, i) => word ^ Math.imul(tear * 31 + n, 0x9e3779b1 + i));
              sim.restore({ ...start, flash: { ...start.flash, random } });
              sim.flash.cutAt(n);
              const done = await change(sim, to).then(
                () => true,
                () => false,
              );
              if (done) break;
              assert.equal(sim.state, "off", `operation ${n}`);
              cuts++;
              assert.equal(sim.powerOn(), "on");
              const now = await found(sim);
              const isNew = now.equals(wanted);
              assert.ok(isNew || now.equals(old), `after operation ${n}, tear ${tear}, the table is another one`);
              seen[isNew ? "new" : "old"]++;
              await change(sim, to);
              sim.powerOff();
              sim.powerOn();
              assert.deepEqual(await found(sim), wanted);
              assert.equal(sim.flash.strayWrite(), null);
            }
          }
        }
        t.diagnostic(`${cuts} cuts: old table ${seen.old}, new table ${seen.new}`);
        assert.ok(cuts >= 4 * TEARS.length && seen.old > 0);
      });
    }
  });
}
