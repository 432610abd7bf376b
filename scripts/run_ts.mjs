/**
 * node scripts/run_ts.mjs FILE.ts [ARGS...]: runs a TypeScript program of this repository, which Node 20 cannot do by itself: bundled into
 * build/, inside the repository so that packages resolve.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
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
const child = spawn(process.execPath, ["--enable-source-maps", outfile, ...args], { stdio: "inherit" });
// Whoever ends this ends the program: it must not live on by itself.
for (const name of /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"])) process.on(name, () => child.kill(name));
const [status, signal] = await once(child, "exit");
await rm(outfile, { force: true });
process.exitCode = status ?? (signal === "SIGINT" ? 130 : 1);
