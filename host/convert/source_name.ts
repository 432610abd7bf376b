/** The name of a model, from the place where it lies, cut to what an image has room for. */
import { basename, dirname, resolve } from "node:path";
import { IMAGE_NAME_BYTES } from "../../spec/image.ts";

/** Of "models/bitnet.gguf" it is "bitnet". */
export function fileModelName(path: string): string {
  return cut(basename(path).replace(/\.(gguf|bin|safetensors)$/i, ""));
}

/** Of ".../stories-1m/hf" it is "stories-1m", of huggingface_hub's cache, ".../models--OWNER--NAME/snapshots/REVISION", it is NAME. */
export function directoryModelName(directory: string): string {
  const path = resolve(directory);
  const [name, parent, grandparent] = [path, dirname(path), dirname(dirname(path))].map((part) => basename(part));
  const cached = parent === "snapshots" ? /^models--(?:.*--)?(.+)$/.exec(grandparent) : null;
  return cut(cached ? cached[1] : name === "hf" && parent !== "" ? parent : name);
}

function cut(name: string): string {
  let short = name;
  while (Buffer.byteLength(short) > IMAGE_NAME_BYTES) short = [...short].slice(0, -1).join("");
  return short;
}
