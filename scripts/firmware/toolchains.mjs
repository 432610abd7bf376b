/** Compilers and flags: one entry for each core of boards/*.json that Debian has a compiler for. */

/**
 * @typedef {{ prefix: string, flags: string[], start: string[], packages: string[], unroll: number, small: string[] }} Toolchain
 *   unroll: steps a round of the table kernel's inner loop; small: more flags for what wasm2c made and is compiled for size
 */

const COMMON = [
  "-std=gnu11",
  "-Wall",
  "-Wextra",
  "-Werror",
  "-ffunction-sections",
  "-fdata-sections",
  "-fno-strict-aliasing", // linear memory has no types
  "-ffp-contract=off", // the product has no float at all; nobody shall fuse one that comes
  "-fno-common",
  "-g0",
];

/** @param {string[]} flags */
const arm = (...flags) => ({
  prefix: "arm-none-eabi-",
  flags: [...COMMON, "-mthumb", ...flags],
  link: ["-nostartfiles", "--specs=nano.specs", "--specs=nosys.specs"],
  start: ["start_cortex_m.c", "mpu.c"],
  unroll: 4,
  small: /** @type {string[]} */ ([]),
  packages: ["gcc-arm-none-eabi", "libnewlib-arm-none-eabi"],
});

/** @param {ReturnType<typeof arm>} toolchain */
const withMve = (toolchain) => ({ ...toolchain, start: [...toolchain.start, "mve.c"] });

/** @param {string[]} flags */
const riscv = (...flags) => ({
  prefix: "riscv64-unknown-elf-",
  // By version 2.2 of the ISA the letter i brings CSRs and fence.i. Written as _zicsr they would lead gcc to a library for 64 bits.
  flags: [...COMMON, ...flags, "-misa-spec=2.2", "--specs=picolibc.specs"],
  link: ["-nostartfiles", "-Wl,--strip-debug"],
  start: ["start_riscv.c", "pmp.c"],
  unroll: 4,
  // Registers are saved by routines that functions share, 3.7 % of device.c: only there, because a shim's functions may have to run while flash is busy.
  small: ["-msave-restore"],
  packages: ["gcc-riscv64-unknown-elf", "picolibc-riscv64-unknown-elf"],
});

/**
 * By cpu.core. Boards with a core that is missing here (xtensa-lx7) are not built by this project.
 * @type {Record<string, ReturnType<typeof arm>>}
 */
export const TOOLCHAINS = {
  // Two, because what four leave over is computed with sums on the stack: 26 groups are 13 rounds of two.
  "cortex-m0plus": { ...arm("-mcpu=cortex-m0plus"), unroll: 2 },
  "cortex-m3": arm("-mcpu=cortex-m3"),
  "cortex-m4": arm("-mcpu=cortex-m4", "-mfloat-abi=soft"),
  "cortex-m7": arm("-mcpu=cortex-m7", "-mfloat-abi=soft"),
  "cortex-m33": arm("-mcpu=cortex-m33", "-mfloat-abi=soft"),
  "cortex-m55": withMve(arm("-mcpu=cortex-m55", "-mfloat-abi=hard")),
  riscv32imac: riscv("-march=rv32imac", "-mabi=ilp32"),
  riscv32imc: riscv("-march=rv32imc", "-mabi=ilp32"),
};
