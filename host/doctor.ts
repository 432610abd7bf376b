// What could be wrong on this machine or at a port, found by looking.
import { access, constants, readdir } from "node:fs/promises";
import { listBoards, listModels, loadWasm } from "./assets.ts";
import { type CoproReport, coproText } from "./device/copro.ts";
import { Device } from "./device/device.ts";
import { listModels as listDeviceModels, type SlotInfo } from "./device/models.ts";
import { bundledImage, checkSlot, damageError, isWhole } from "./device/verify.ts";
import { TritkitError } from "./errors.ts";
import { openPort } from "./transports/open.ts";
import { portHolder } from "./transports/port_holder.ts";
import { loadSerialport } from "./transports/serial.ts";
import { version } from "./version.ts";

export interface Finding {
  check: string;
  state: "ok" | "warn" | "fail";
  detail: string;
  /** What to do; "" when there is nothing. */
  advice: string;
}

const ok = (check: string, detail: string): Finding => ({ check, state: "ok", detail, advice: "" });
const warn = (check: string, detail: string, advice: string): Finding => ({ check, state: "warn", detail, advice });
const fail = (check: string, detail: string, advice: string): Finding => ({ check, state: "fail", detail, advice });

/** Looks at this machine, and says hello at `port`. @throws TritkitError E_NOT_BUILT, E_INTERRUPTED; all else is a finding */
export async function inspectMachine({
  port,
  signal,
}: {
  port?: string;
  signal?: AbortSignal;
} = {}): Promise<Finding[]> {
  const findings = [node(), await simd(), await packageFiles(), await serialport(), ...(await serialPorts())];
  if (port !== undefined) findings.push(...(await atPort(port, signal)));
  return findings;
}

function node(): Finding {
  const [major] = process.versions.node.split(".").map(Number);
  const detail = `Node ${process.versions.node}, V8 ${process.versions.v8}`;
  return major >= 20 ? ok("node", detail) : fail("node", detail, "tritkit needs Node 20 or newer.");
}

async function simd(): Promise<Finding> {
  try {
    const valid = WebAssembly.validate(await loadWasm("engine.wasm"));
    if (valid) return ok("simd", "WebAssembly SIMD works: `tritkit run` uses it");
    return fail("simd", "this Node cannot run the SIMD engine", "Use Node 20 or newer on a CPU with SSE4.1 or NEON.");
  } catch {
    return fail("simd", "the engine is not there", "Run `npm run build`.");
  }
}

async function packageFiles(): Promise<Finding> {
  const [boards, models] = await Promise.all([listBoards(), listModels()]);
  return ok("package", `tritkit ${version()}, ${boards.length} boards, models: ${models.join(", ") || "none"}`);
}

async function serialport(): Promise<Finding> {
  try {
    await loadSerialport();
    return ok("serialport", "the native part loads");
  } catch (error) {
    const { message, hint } = error as TritkitError;
    return warn("serialport", message, hint);
  }
}

/** Linux: may this user open the ports that are there, and who holds them? */
async function serialPorts(): Promise<Finding[]> {
  const names = (await readdir("/dev").catch(() => [])).filter((name) => /^tty(ACM|USB)\d+$|^cu\.usb/.test(name));
  if (names.length === 0)
    return [warn("ports", "no USB serial port", "Plug a board in, or try `tritkit demo`: it needs none.")];
  return Promise.all(
    names.map(async (name) => {
      const path = `/dev/${name}`;
      const allowed = await access(path, constants.R_OK | constants.W_OK).then(
        () => true,
        () => false,
      );
      if (!allowed)
        return fail("ports", `you may not open ${path}`, "Add yourself to the group dialout and log in again.");
      const holder = await portHolder(path);
      if (holder !== null) return warn("ports", `${path} is in use by ${holder}`, "Close it before you flash or chat.");
      return ok("ports", `${path} can be opened`);
    }),
  );
}

function coprocessor(copro: CoproReport): Finding {
  if (copro.state === "used" && copro.errors === 0) return ok("coprocessor", "in use, no error since reset");
  const hint =
    copro.state === "left alone"
      ? "`tritkit reset` tries it again."
      : "Answers are right, only slower. Report it with the board's name.";
  return warn("coprocessor", coproText(copro), hint);
}

/** Whether flash still holds what was verified: of models whose image is at hand. */
async function flashFindings(device: Device, slots: readonly SlotInfo[], signal?: AbortSignal): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const info of slots.filter(isWhole)) {
    const image = await bundledImage(info.sha);
    if (image === null) {
      const advice = "`tritkit models verify FILE` compares it with the file it was flashed from.";
      findings.push(ok("flash", `${info.name} was right at the last boot or upload. ${advice}`));
      continue;
    }
    const found = await checkSlot(device, info.slot, image, signal);
    if (found.damaged.length === 0) findings.push(ok("flash", `${info.name}: all ${found.blocks} blocks are right`));
    else {
      const { message, hint } = damageError(found);
      findings.push(fail("flash", message, hint));
    }
  }
  return findings;
}

async function atPort(port: string, signal?: AbortSignal): Promise<Finding[]> {
  try {
    const device = await Device.connect(await openPort(port), { baud: 0, signal });
    try {
      const { board, firmware, model, lost, context, native, copro } = device.hello;
      const findings = [
        firmware === version()
          ? ok("firmware", `${board} runs tritkit ${firmware}`)
          : warn(
              "firmware",
              `${board} runs tritkit ${firmware}, this is ${version()}`,
              "Flash the firmware of this version.",
            ),
      ];
      const slots = await listDeviceModels(device, signal);
      if (model !== "") findings.push(ok("model", `${model}, context ${context} positions`));
      else if (slots.some(({ state }) => state === "verified")) {
        findings.push(warn("model", "a model is there, none is active", "`tritkit models use SLOT` activates it."));
      } else findings.push(warn("model", "no model", "`tritkit flash` puts one there."));
      findings.push(...(await flashFindings(device, slots, signal)));
      const losses = lost.rx + lost.crc;
      if (losses > 0) {
        const detail = `${lost.crc} frames were damaged and ${lost.rx} too long since reset`;
        findings.push(warn("line", detail, "A shorter cable or --baud 115200 may help."));
      } else findings.push(ok("line", "no frame damaged since reset"));
      if (native === true) findings.push(ok("kernels", "the board's own"));
      else if (native === false) {
        const detail =
          "the board's own differ from the firmware's, or there was no room to compare; its own are not used";
        findings.push(warn("kernels", detail, "Answers are right, only slower. Report it with the board's name."));
      }
      if (copro !== null) findings.push(coprocessor(copro));
      return findings;
    } finally {
      await device.close();
    }
  } catch (error) {
    if (!(error instanceof TritkitError) || error.code === "E_INTERRUPTED") throw error;
    return [fail("port", error.message, error.hint)];
  }
}
