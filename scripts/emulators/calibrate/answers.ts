/**
 * One run on a device, in two phases whose costs are counted apart: reading the prompt (its positions, and one token sampled), and the answer
 * (the prompt's last position again, then a position and a sampled token for each token but the last). The same questions to an emulated
 * and to a simulated board give the same tokens and hence the same work; who calls asserts it.
 */
import { generateOnDevice } from "../../../host/device/chat.ts";
import type { Device } from "../../../host/device/device.ts";
import type { Run } from "./runs.ts";

export type Phase = "prefill" | "decode";

export interface Answered<Counts> {
  readonly phase: Phase;
  readonly tokenIds: readonly number[];
  /** Positions that were computed. */
  readonly positions: number;
  /** Counters before and after. */
  readonly before: Counts;
  readonly after: Counts;
}

/** An emulated chip on a busy machine is slow, not lost; and a request that is sent again is work that the other side does not have. */
const PATIENT = { deadlineMs: 300_000, attempts: 1 };

/** Makes a device wait for answers as long as they take. */
export function patient(device: Device): Device {
  const read = device.read.bind(device);
  const write = device.write.bind(device);
  device.read = (command, body, options) => read(command, body, { ...options, ...PATIENT });
  device.write = (command, body, options) => write(command, body, { ...options, ...PATIENT });
  return device;
}

/** @param counts reads the counters of what runs the device */
export async function answers<Counts>(
  device: Device,
  { prompt, options }: Run,
  counts: () => Promise<Counts>,
): Promise<Answered<Counts>[]> {
  const ask = async (phase: Phase, maxTokens: number | undefined): Promise<Answered<Counts>> => {
    const before = await counts();
    const { tokenIds, position, promptTokens } = await generateOnDevice(device, prompt, { ...options, maxTokens });
    const positions = phase === "prefill" ? position : position - promptTokens + 1;
    return { phase, tokenIds, positions, before, after: await counts() };
  };
  return [await ask("prefill", 1), await ask("decode", options.maxTokens)];
}
