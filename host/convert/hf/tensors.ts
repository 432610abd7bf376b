/** The tensors of a Hugging Face directory, whichever file holds each: model.safetensors, or the shards of its index. */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { TritkitError } from "../../errors.ts";
import { JsonFields } from "../json.ts";
import { readText } from "../source_files.ts";
import { SafetensorsFile, type TensorInfo } from "./safetensors.ts";

const WHOLE = "model.safetensors";
const PYTORCH = "pytorch_model.bin";
const INDEX = "model.safetensors.index.json";

export class HfTensors {
  private readonly files: readonly SafetensorsFile[];
  private readonly owners = new Map<string, SafetensorsFile>();

  private constructor(files: readonly SafetensorsFile[]) {
    this.files = files;
    for (const file of files)
      for (const name of file.tensors.keys()) {
        if (this.owners.has(name))
          throw new TritkitError(
            "E_SOURCE_FORMAT",
            `Two files of the model hold ${name}.`,
            "Download the model again.",
          );
        this.owners.set(name, file);
      }
  }

  /**
   * @param given the one file the user named, null for what the directory holds
   * @throws TritkitError E_SOURCE_MISSING, E_SOURCE_FORMAT
   */
  static async open(directory: string, given: string | null = null): Promise<HfTensors> {
    const files: SafetensorsFile[] = [];
    try {
      for (const name of await shardNames(directory, given))
        files.push(await SafetensorsFile.open(join(directory, name)));
      return new HfTensors(files);
    } catch (error) {
      for (const file of files) await file.close();
      throw error;
    }
  }

  has(name: string): boolean {
    return this.owners.has(name);
  }

  info(name: string): TensorInfo {
    return this.owner(name).get(name);
  }

  async bytes(name: string, start: number, count: number): Promise<Uint8Array> {
    return this.owner(name).bytes(name, start, count);
  }

  async floats(name: string, start: number, count: number): Promise<Float32Array> {
    return this.owner(name).floats(name, start, count);
  }

  /** The spelling that is there, or the first when none is. */
  nameOf(place: { readonly names: readonly string[] }): string {
    return place.names.find((name) => this.has(name)) ?? place.names[0];
  }

  names(): string[] {
    return [...this.owners.keys()];
  }

  async close(): Promise<void> {
    for (const file of this.files) await file.close();
  }

  private owner(name: string): SafetensorsFile {
    const file = this.owners.get(name);
    if (!file)
      throw new TritkitError("E_SOURCE_FORMAT", `The model has no tensor ${name}.`, "Download the model again.");
    return file;
  }
}

async function shardNames(directory: string, given: string | null): Promise<string[]> {
  if (given === null && (await exists(join(directory, WHOLE)))) return [WHOLE];
  if (!(await exists(join(directory, INDEX)))) {
    if (given !== null) return [given];
    const isPyTorch =
      (await exists(join(directory, PYTORCH))) || (await exists(join(directory, `${PYTORCH}.index.json`)));
    throw new TritkitError(
      "E_SOURCE_MISSING",
      `${directory} has no ${WHOLE}.`,
      isPyTorch
        ? `Its ${PYTORCH} holds a Python program that builds tensors; take the model's safetensors files, or save it with transformers' save_pretrained.`
        : "Give a Hugging Face model directory with safetensors weights.",
    );
  }
  const index = JsonFields.parse(INDEX, await readText(join(directory, INDEX)));
  const map = index.fields("weight_map");
  if (!map) throw index.bad("weight_map", "an object");
  const names = new Set(map.keys().map((key) => map.text(key)));
  // A shard lies in the directory: an index is no leave to read other files.
  for (const name of names)
    if (/[/\\]/.test(name) || !name.endsWith(".safetensors"))
      throw new TritkitError(
        "E_SOURCE_FORMAT",
        `${INDEX} names ${JSON.stringify(name)}, which is no shard.`,
        "Download the model again.",
      );
  // A file that is no shard of the model beside it is a model of its own.
  return given === null || names.has(given) ? [...names] : [given];
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
}
