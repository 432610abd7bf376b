// Steps of a host that talks with the device: the flasher and the chat of host/device, in simulated time.
import { flashModel } from "../../device/flasher.ts";
import { checkFlash, damageError } from "../../device/verify.ts";
import { TritkitError } from "../../errors.ts";
import type { Answer } from "../../generation.ts";
import type { Bench } from "../bench.ts";
import { modelBytes } from "../model.ts";
import type { Action, Given, StepContext } from "./step.ts";

export const DEVICE_STEPS: Readonly<Record<string, Action>> = {
  async flash({ bench, scenario }, { text, option, until }) {
    const image = await modelBytes(text, scenario.folder);
    const end = until();
    const device = await bench.device(end);
    const options = {
      confirm: option<boolean>("test") !== true,
      context: option<number>("context") ?? 0,
      single: option<boolean>("single"),
    };
    let shown = "";
    const onProgress = ({ phase, bytes, total }: { phase: string; bytes: number; total: number }) => {
      shown = `${phase}, ${bytes} of ${total} bytes`;
    };
    const done = await bench.settle(flashModel(device, image, { ...options, onProgress }), end, "").catch((error) => {
      if (error instanceof TritkitError && error.code === "E_STEP_TIMEOUT")
        throw new TritkitError(error.code, error.message.replace(/\.$/, `; ${shown}.`), error.hint);
      throw error;
    });
    return `${done.total - done.skipped} of ${done.total} bytes sent, sha256 ${done.sha256.slice(0, 8)}`;
  },
  async chat({ bench }, { text, option, until }) {
    const end = until();
    const options = {
      maxTokens: option<number>("max") ?? 60,
      temperature: option<number>("temp") ?? 0,
      topK: option<number>("top_k"),
      topP: option<number>("top_p"),
      repeat: option<number>("repeat"),
      seed: option<number>("seed") ?? 0,
      keep: option<boolean>("keep"),
    };
    await bench.begin(text, options, end);
    return option<boolean>("wait") === false ? "" : told(await bench.answered(end));
  },
  async answer({ bench }, { until }) {
    if (bench.chat === null) throw new TritkitError("E_STEP_EXPECT", "Nothing was asked yet.");
    return told(await bench.answered(until()));
  },
  async stop({ bench }, { until }) {
    bench.chat?.abort.abort();
    return told(await bench.answered(until()));
  },
  expect: (context, given) => expectText(context, given.text, given),
  expect_regex: (context, given) => expectText(context, new RegExp(given.text, "s"), given),
  async expect_ids({ bench }, { value, until }) {
    const chat = chatOf(bench);
    const wanted = value as number[];
    const shown = () => `the next tokens are ${JSON.stringify(chat.ids.slice(0, wanted.length + 8))}`;
    const differs = () => chat.ids.some((id, i) => i < wanted.length && id !== wanted[i]);
    await bench.until(
      () => chat.ids.length >= wanted.length || differs(),
      until(),
      shown,
      () => ended(bench),
    );
    if (differs())
      throw new TritkitError("E_STEP_EXPECT", `The tokens are others than ${wanted.join(", ")}; ${shown()}.`);
    chat.ids.splice(0, wanted.length);
    return "";
  },
  async verify({ bench, scenario }, { text, until }) {
    const image = await modelBytes(text, scenario.folder);
    const end = until();
    const device = await bench.device(end);
    const found = await bench.settle(checkFlash(device, image), end, "");
    if (found.damaged.length > 0) throw damageError(found);
    return `${found.blocks} blocks of slot ${found.slot} are as they were`;
  },
};

async function expectText({ bench }: StepContext, wanted: string | RegExp, { until }: Given): Promise<string> {
  const { text } = chatOf(bench);
  await bench.until(
    () => text.take(wanted),
    until(),
    () => text.shown,
    () => ended(bench),
  );
  return "";
}

function ended({ chat }: Bench): string | null {
  if (chat?.ended?.error != null) throw chat.ended.error;
  const answer = chat?.ended?.answer ?? null;
  return answer === null ? null : `The answer ended (${answer.stop}) without it`;
}

function chatOf(bench: Bench): NonNullable<Bench["chat"]> {
  if (bench.chat === null) throw new TritkitError("E_STEP_EXPECT", "Nothing was asked yet.", 'A step "chat" asks.');
  return bench.chat;
}

function told(answer: Answer | null): string {
  if (answer === null) return "";
  const { tokenIds, stop } = answer;
  return `${tokenIds.length} tokens, ${stop}`;
}
