/**
 * node scripts/run_ts.mjs FILE.ts [ARGS...]: runs a TypeScript program of this repository, which Node 20 cannot do by itself: bundled into
 * build/, inside the repository so that packages resolve.
 */
import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { join, parse } from "node:path";
import * as esbuild from "esbuild";
import { ROOT } from "./lib/root.mjs";

const [source, ...args] = process.argv.slice(2);
const outfile = join(ROOT, "build/run", `${parse(source).name}-${process.pid}.mjs`);
await esbuild.build({
  absWorkingDir: ROOT,
  entryPoints: [source],
  outfile,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "inline",
  logLevel: "warning",
});
const { status, signal } = spawnSync(process.execPath, ["--enable-source-maps", outfile, ...args], {
  stdio: "inherit",
});
await rm(outfile, { force: true });
process.exitCode = status ?? (signal === "SIGINT" ? 130 : 1);
