import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "../lib/root.mjs";
import { violations } from "./import_rules.ts";

const TOWERS = ["spec", "boards", "as", "firmware-sim", "host", "examples"];

test("no source file breaks the import rules", () => {
  const found = TOWERS.filter((tower) => existsSync(join(ROOT, tower))).flatMap((tower) =>
    readdirSync(join(ROOT, tower), { recursive: true, encoding: "utf8" })
      .map((name) => `${tower}/${name.replaceAll("\\", "/")}`)
      .filter((file) => /\.(ts|mjs)$/.test(file) && !file.includes("node_modules/"))
      .flatMap((file) => violations(file, readFileSync(join(ROOT, file), "utf8"))),
  );
  assert.deepEqual(
    found.map(({ file, line, what }) => `${file}:${line} ${what}`),
    [],
  );
});

const FORBIDDEN: [file: string, source: string][] = [
  ["spec/wire.ts", 'import { X } from "../boards/types.ts";'],
  ["spec/wire.ts", 'import "node:fs";'],
  ["boards/board.ts", 'import { X } from "../spec/hal.ts";'],
  ["as/app/app.ts", 'import { X } from "../../host/wire/frame.ts";'],
  ["as/app/app.ts", 'import { X } from "../../firmware-sim/bus.ts";'],
  ["as/app/app.ts", 'import { X } from "../../boards/board.ts";'],
  ["as/app/app.ts", 'import { X } from "cborg";'],
  ["as/app/app.ts", 'import { X } from "../hal";'],
  ["as/app/app.ts", '@external("hal", "ticks")\ndeclare function ticks(): u64;'],
  ["as/kernels/tl1.ts", 'import { X } from "../hal.ts";'],
  ["as/kernels/tl1.ts", 'import { X } from "../store/store.ts";'],
  ["as/kernels/tl1.ts", 'import { X } from "../wire/frame.ts";'],
  ["as/tokenizer/bpe.ts", 'import { X } from "../model/forward.ts";'],
  ["as/tokenizer/bpe.ts", 'import { X } from "../sampler/top_p.ts";'],
  ["as/sampler/top_p.ts", 'import { X } from "../tokenizer/bpe.ts";'],
  ["as/model/forward.ts", 'import {\n  X,\n} from "../sampler/top_p.ts";'],
  ["firmware-sim/bus.ts", 'import type { X } from "../host/index.ts";'],
  ["firmware-sim/bus.ts", 'export { X } from "../as/hal.ts";'],
  ["firmware-sim/peripherals/uart.ts", 'import { X } from "./timer.ts";'],
  ["firmware-sim/peripherals/flash/flash.ts", 'import { X } from "../uart.ts";'],
  ["firmware-sim/bus.ts", "process.exit(1);"],
  ["host/wire/frame.ts", 'import { X } from "../../as/wire/frame.ts";'],
  ["host/device/chat.ts", 'import { X } from "../../firmware-sim/index.ts";'],
  ["host/transports/sim.ts", 'const sim = await import("../../firmware-sim/sim_board.ts");'],
  ["host/wire/frame.ts", 'import { X } from "./test/helper.ts";'],
  ["host/wire/frame.ts", "console.log(1);"],
  ["host/test/frame.test.ts", 'import { X } from "../../firmware-sim/bus.ts";'],
  ["examples/chat.ts", 'import { X } from "../host/device/chat.ts";'],
];

const ALLOWED: [file: string, source: string][] = [
  ["as/kernels/tl1.ts", 'import { X } from "../../spec/packing.ts";'],
  ["as/generate.ts", 'import { X } from "./sampler/top_p.ts";\nimport { Y } from "./tokenizer/bpe.ts";'],
  ["as/hal.ts", '@external("hal", "ticks")\ndeclare function ticks(): u64;'],
  ["firmware-sim/peripherals/uart.ts", 'import { X } from "../bus.ts";\nimport { Y } from "../../spec/hal.ts";'],
  ["firmware-sim/peripherals/flash/flash.ts", 'import { X } from "./sector.ts";'],
  ["host/transports/sim.ts", 'const sim = await import("../../firmware-sim/index.ts");'],
  ["host/cli/main.ts", "console.log(process.exitCode);\nprocess.exit(1);"],
  ["host/wire/frame.ts", '// console.log("x")\nconst hint = "call process.exit";\n/* import "../as/hal.ts" */'],
  ["host/test/sim.test.ts", 'import { X } from "../../firmware-sim/index.ts";\nimport "../../scripts/build.mjs";'],
  ["examples/chat.ts", 'import { X } from "../host/index.ts";\nimport { Y } from "tritkit";'],
];

test("each forbidden arrow is found", () => {
  for (const [file, source] of FORBIDDEN) assert.equal(violations(file, source).length, 1, `${file}: ${source}`);
});

test("nothing allowed is reported", () => {
  for (const [file, source] of ALLOWED) assert.deepEqual(violations(file, source), [], `${file}: ${source}`);
});

test("a violation names its line", () => {
  const [found] = violations("host/wire/frame.ts", '/* a\n * b */\nimport { X } from "../../as/wire/frame.ts";\n');
  assert.deepEqual([found.file, found.line], ["host/wire/frame.ts", 3]);
});
