/** Runs yosys, iverilog and vvp, and says what to install where they are missing. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { TritkitError } from "../../../host/errors.ts";

const run = promisify(execFile);

/** What the tool prints. */
export async function tool(name: string, args: readonly string[], cwd: string): Promise<string> {
  try {
    const { stdout } = await run(name, args, { cwd, maxBuffer: 1 << 28 });
    return stdout;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if ("code" in error && error.code === "ENOENT")
      throw new TritkitError(
        "E_TOOL_MISSING",
        `${name} is not installed, and without it gates are neither counted nor checked.`,
        "On Debian and Ubuntu: apt-get install yosys iverilog.",
      );
    const told = "stderr" in error ? String(error.stderr).trim().split("\n").slice(-3).join(" ") : "";
    throw new TritkitError("E_TOOL_FAILED", `${name} failed: ${told || error.message}`, "", 1, { cause: error });
  }
}

/** "0.23" of "Yosys 0.23 (git sha1 7ce5011c24b)". */
export async function yosysVersion(): Promise<string> {
  const text = await tool("yosys", ["-V"], ".");
  return /Yosys (\S+)/.exec(text)?.[1] ?? text.trim();
}
