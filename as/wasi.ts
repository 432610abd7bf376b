/**
 * Entry of the WASI build: the same device as a program. Its UART is stdin and stdout, its flash the file named by the first
 * argument (hal_wasi.ts). It ends when stdin has ended and everything was answered.
 */
import { boot, poll } from "./app/app.ts";
import { wait } from "./hal.ts";
import { wasi_begin, wasi_eof, wasi_fail } from "./hal_wasi.ts";

/** How long to sleep when there is nothing to do; stdin wakes earlier. */
const IDLE_US: u32 = 100000;

function run(): void {
  if (!wasi_begin()) wasi_fail();
  boot();
  for (;;) {
    if (poll() != 0) continue;
    if (wasi_eof()) return;
    wait(IDLE_US);
  }
}

run();
