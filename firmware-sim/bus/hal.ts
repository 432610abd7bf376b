/**
 * HAL: the module `hal` of spec/HAL.md, each import wired to its chip. Arguments arrive as i32; addresses are made unsigned
 * here, and a pointer to where the board has no memory is what a bus fault is on a chip: the call does not return.
 *
 * The reserved names answer HAL_ABSENT, but for gpio_read: NOT IMPLEMENTED are i2c_transfer, parallel, and the kernels gemv_* and attend_*.
 */
import type { Board } from "../../boards/board.ts";
import { HAL_ABSENT, HAL_EINVAL } from "../../spec/hal.ts";
import { type Clock, type CpuCost, US } from "../clock.ts";
import type { Adc } from "../peripherals/adc.ts";
import type { Entropy } from "../peripherals/entropy.ts";
import type { Flash } from "../peripherals/flash.ts";
import type { Gpio } from "../peripherals/gpio.ts";
import type { Pwm } from "../peripherals/pwm.ts";
import type { Timer } from "../peripherals/timer.ts";
import type { Uart } from "../peripherals/uart.ts";
import { SimError } from "../sim_error.ts";
import type { HalImports } from "../wasm_host.ts";
import { boardInfo } from "./board_info.ts";
import type { CoproBus } from "./copro.ts";
import type { FirmwareHal } from "./firmware_hal.ts";
import { inSram, type LinearMemory, type MemoryMap, readable } from "./memory_map.ts";

const RESERVED = ["i2c_transfer", "parallel", "gemv_tables", "gemv_rows", "attend_keys", "attend_values"];

export interface HalChips {
  readonly board: Board;
  readonly clock: Clock;
  readonly cost: CpuCost;
  readonly map: MemoryMap;
  readonly memory: LinearMemory;
  readonly uart: Uart;
  readonly flash: Flash;
  readonly timer: Timer;
  readonly gpio: Gpio;
  readonly pwm: Pwm;
  readonly adc: Adc;
  readonly entropy: Entropy;
  /** null: the board's firmware cannot replace itself. */
  readonly firmware: FirmwareHal | null;
  /** null: the board has no coprocessor. */
  readonly copro: CoproBus | null;
  /** The module asked for a reset, which follows when poll() has returned. */
  readonly requestReset: () => void;
  /** The module slept until its time was over: nothing came and nothing had to leave. */
  readonly onSlept: () => void;
  /** The module waits until then, ns: called before the time passes. */
  readonly onWait: (until: number) => void;
}

export function halImports(chips: HalChips): HalImports {
  const { clock, cost, map, memory, uart, flash, timer, gpio, pwm, adc, entropy, firmware, copro } = chips;
  const facts = boardInfo(chips.board);
  const view = (ptr: number, len: number): Uint8Array => memory.bytes().subarray(ptr >>> 0, (ptr >>> 0) + len);
  const source = (name: string, ptr: number, len: number): Uint8Array => {
    if (len < 0 || !readable(map, ptr >>> 0, len)) throw busFault(name, ptr, len);
    return view(ptr, len);
  };
  const target = (name: string, ptr: number, len: number): Uint8Array => {
    if (len < 0 || !inSram(map, ptr >>> 0, len)) throw busFault(name, ptr, len);
    return view(ptr, len);
  };

  const calls: HalImports = {
    board_info(key, index) {
      const fact = facts(key, index);
      return fact === HAL_ABSENT && firmware !== null ? firmware.info(key, index) : fact;
    },
    uart_read(ptr, max) {
      const bytes = uart.read(max);
      target("uart_read", ptr, bytes.length).set(bytes);
      cost.bytes(bytes.length);
      return bytes.length;
    },
    uart_write(ptr, len) {
      const taken = uart.write(source("uart_write", ptr, len));
      cost.bytes(taken);
      return taken;
    },
    uart_baud(baud) {
      clock.advanceTo(uart.txEmptyAt());
      return uart.setBaud(baud);
    },
    flash_map: (offset, len) => flash.map(offset, len),
    flash_erase: (offset, len) => flash.erase(offset, len),
    flash_program: (offset, ptr, len) =>
      len < 0 || !inSram(map, ptr >>> 0, len) ? HAL_EINVAL : flash.program(offset, view(ptr, len)),
    firmware_map: (offset, len) => firmware?.map(offset, len) ?? 0,
    firmware_erase: (offset, len) => firmware?.erase(offset, len) ?? HAL_ABSENT,
    firmware_program(offset, ptr, len) {
      if (firmware === null) return HAL_ABSENT;
      return len < 0 || !inSram(map, ptr >>> 0, len) ? HAL_EINVAL : firmware.program(offset, view(ptr, len));
    },
    firmware_try: (wanted) => firmware?.tryOther(wanted !== 0) ?? HAL_ABSENT,
    ticks: () => timer.ticks(),
    wait(us) {
      if (uart.available > 0) return 0;
      const timeout = clock.now + (us >>> 0) * US;
      const event = Math.min(uart.rxAt(), uart.txRoomAt());
      if (timeout < event) chips.onSlept();
      const until = Math.min(timeout, event);
      if (until > clock.now) chips.onWait(until);
      clock.advanceTo(until);
      return 0;
    },
    reset() {
      chips.requestReset();
      return 0;
    },
    entropy(ptr, len) {
      entropy.fill(target("entropy", ptr, len));
      cost.bytes(len);
      return len;
    },
    gpio_write(pin, level) {
      pwm.release(pin);
      return gpio.write(pin, level);
    },
    gpio_read(pin) {
      pwm.release(pin);
      return gpio.read(pin);
    },
    pwm_write(pin, duty, hz) {
      const answer = pwm.write(pin, duty, hz);
      if (answer === 0) gpio.pulse(pin);
      return answer;
    },
    adc_read(channel) {
      const pin = chips.board.adc?.pins?.[channel] ?? null;
      if (pin !== null) {
        pwm.release(pin);
        gpio.read(pin);
      }
      return adc.read(channel);
    },
    mmio_read32(address) {
      if (copro === null) return HAL_ABSENT;
      const value = copro.read(address >>> 0);
      if (value === null) throw noRegister("mmio_read32", address);
      return value | 0;
    },
    mmio_write32(address, value) {
      if (copro === null) return HAL_ABSENT;
      if (!copro.write(address >>> 0, value)) throw noRegister("mmio_write32", address);
      return 0;
    },
    copro_wait(us) {
      if (copro === null) return 0;
      const until = Math.min(clock.now + (us >>> 0) * US, copro.irqAt());
      if (until > clock.now) chips.onWait(until);
      copro.sleep(until);
      return 0;
    },
    watchdog_feed() {
      timer.feed();
      return 0;
    },
  };
  for (const name of RESERVED) calls[name] = () => HAL_ABSENT;

  const charged = Object.entries(calls).map(([name, call]) => [
    name,
    (...args: number[]) => {
      clock.advance(cost.call());
      return call(...args);
    },
  ]);
  return Object.fromEntries(charged);
}

function noRegister(name: string, address: number): SimError {
  return new SimError("E_SIM_BUS", `${name} got 0x${(address >>> 0).toString(16)}, where the board has no register`);
}

function busFault(name: string, ptr: number, len: number): SimError {
  return new SimError(
    "E_SIM_BUS",
    `${name} got ${len} bytes at 0x${(ptr >>> 0).toString(16)}, where the board has no memory for it`,
  );
}
