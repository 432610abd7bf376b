// Who holds a serial port open: on Linux /proc knows. Elsewhere nobody is named.
import { readdir, readFile, readlink, realpath } from "node:fs/promises";

/** "name (pid n)" of another process that has `path` open, or null when none can be seen. */
export async function portHolder(path: string): Promise<string | null> {
  const target = await realpath(path).catch(() => path);
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    if (Number(pid) === process.pid) continue;
    const fds = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const fd of fds) {
      if ((await readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")) !== target) continue;
      const name = (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "a process")).trim();
      return `${name} (pid ${pid})`;
    }
  }
  return null;
}
