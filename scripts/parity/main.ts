/**
 * npm run test:parity: the command against independent references.
 *
 * 1. Tiny models of every published family, made by Python with PyTorch modules that were written from the published sources (generate.py): `eval --engine float --tokens
 *    --logits` agrees with their logits to 1e-3; where an image can hold the model, the integer engine is compared too. These models are random numbers: no bar holds for
 *    them, but an image of other weights would be far off.
 * 2. The trained models of examples/models: the integer engine within the bar of the float engine on text that they were not trained on.
 *
 * npm run test:parity -- FAMILY... takes some of them. Needs Debian's python3-torch and python3-numpy; PYTHON names the interpreter.
 */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../lib/root.mjs";
import { type Matrix, readNpy, relativeError, relativeErrors, top1Agreement } from "./npy.ts";

const FLOAT_WITHIN = 1e-3;
/** Of the random models: what 8-bit activations, keys and values, and embeddings of 5 trits cost is less. */
const INTEGER_WITHIN = 0.1;
const LOSS_WITHIN = 0.005;
const TOP1_AT_LEAST = 0.98;
const TRAINED = ["stories-1m", "swiglu-300k", "llama-300k"];
const WINDOWS = 8;

const execute = promisify(execFile);
const failures: string[] = [];

async function tritkit(...args: string[]): Promise<Record<string, unknown>> {
  const { stdout } = await execute(process.execPath, [join(ROOT, "dist/cli.js"), ...args, "--json"], {
    maxBuffer: 2 ** 26,
  });
  return JSON.parse(stdout.trim().split("\n").at(-1) ?? "{}");
}

function check(what: string, holds: boolean): string {
  if (!holds) failures.push(what);
  return holds ? "" : "  FAILED";
}

/** Of a model's prediction of `ids`. */
async function predictions(folder: string, model: string, ids: number[], ...options: string[]) {
  const [tokens, out] = [join(folder, "ids.json"), join(folder, "out.npy")];
  await writeFile(tokens, JSON.stringify(ids));
  const result = await tritkit("eval", model, "--tokens", tokens, "--logits", out, ...options);
  return { loss: Number(result.loss_nats), logits: await readNpy(out) };
}

interface About {
  ids: number[];
  source: string;
  /** With which the command is given it. */
  options: string[];
  /** Why no image can hold the model; "" when one can. */
  no_image: string;
  /** A rounding may choose another expert, whose output is another: then the position in the middle of all is held to the bar, not the worst. */
  mixture: boolean;
}

async function family(folder: string, name: string): Promise<void> {
  const { ids, source, options, no_image, mixture } = JSON.parse(
    await readFile(join(folder, `${name}.json`), "utf8"),
  ) as About;
  const path = join(folder, name, source);
  const expected = await readNpy(join(folder, `${name}.npy`));
  const float = await predictions(folder, path, ids, "--engine", "float", ...options);
  const error = relativeError(expected, float.logits);
  console.log(
    `${name.padEnd(15)} float ${error.toExponential(1)} of the largest logit${check(`${name}: float ${error}`, error <= FLOAT_WITHIN)}`,
  );
  if (no_image !== "") return console.log(`${"".padEnd(15)} no image: ${no_image}`);
  const image = join(folder, `${name}.trit`);
  await tritkit("convert", path, "-o", image, "--embed", "int8", ...options);
  const integer = await predictions(folder, image, ids);
  const errors = relativeErrors(expected, integer.logits).sort();
  const apart = errors[mixture ? errors.length >> 1 : errors.length - 1];
  console.log(
    `${"".padEnd(15)} integer ${apart.toExponential(1)}${mixture ? " at half of the positions" : ""}, top-1 ${percent(top1Agreement(expected, integer.logits))}${check(`${name}: integer ${apart}`, apart <= INTEGER_WITHIN)}`,
  );
}

async function trained(folder: string, name: string): Promise<void> {
  const models = join(ROOT, "examples/models");
  const fixture = JSON.parse(await readFile(join(models, "fixtures", `${name}.fidelity.json`), "utf8"));
  const bytes = Uint8Array.from(Buffer.from(fixture.token_ids_b64, "base64"));
  const ids = [...new Uint16Array(bytes.buffer)].slice(0, WINDOWS * (fixture.window - 1));
  const float = await predictions(folder, join(models, name, "hf"), ids, "--engine", "float");
  const integer = await predictions(folder, join(models, name, `${name}.trit`), ids);
  const difference = (integer.loss - float.loss) / float.loss;
  const agreement = top1Agreement(float.logits, integer.logits as Matrix);
  const holds = Math.abs(difference) <= LOSS_WITHIN && agreement >= TOP1_AT_LEAST;
  console.log(
    `${name.padEnd(15)} loss ${float.loss.toFixed(4)} float, ${integer.loss.toFixed(4)} integer (${percent(difference)}), top-1 agrees at ${percent(agreement)} of ${ids.length} tokens${check(`${name}: beyond the bar`, holds)}`,
  );
}

function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`;
}

const folder = await mkdtemp(join(tmpdir(), "parity-"));
try {
  const python = process.env.PYTHON ?? "python3";
  const { stdout } = await execute(python, ["-B", join(ROOT, "scripts/parity/generate.py"), folder]);
  const wanted = process.argv.slice(2);
  const names = stdout
    .trim()
    .split("\n")
    .filter((name) => wanted.length === 0 || wanted.includes(name));
  for (const name of names) await family(folder, name);
  if (wanted.length === 0) for (const name of TRAINED) await trained(folder, name);
  console.log(
    `${names.length} families, ${wanted.length === 0 ? TRAINED.length : 0} trained models, ${failures.length} failures`,
  );
  for (const failure of failures) console.error(`failed: ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
