#!/usr/bin/env python3
"""
A tritkit board in Wasmtime instead of node:wasi: the same file, another runtime.

    pip install wasmtime
    python3 examples/wasi/board_wasmtime.py [--flash FILE] [--wasm FILE]     the board's UART is stdin and stdout

The board ends when stdin ends or when it is reset.
"""

import argparse
import pathlib
import sys

import wasmtime

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main() -> int:
    parser = argparse.ArgumentParser(description="A tritkit board in Wasmtime; its UART is stdin and stdout.")
    parser.add_argument("--flash", type=pathlib.Path, help="keeps the flash; made when it is missing")
    parser.add_argument("--wasm", type=pathlib.Path, default=ROOT / "dist/wasm/wasi.wasm")
    options = parser.parse_args()

    wasi = wasmtime.WasiConfig()
    wasi.inherit_stdin()
    wasi.inherit_stdout()
    wasi.inherit_stderr()
    if options.flash is None:
        wasi.argv = ["tritkit"]
    else:
        flash = options.flash.resolve()
        wasi.argv = ["tritkit", flash.name]
        wasi.preopen_dir(str(flash.parent), "/")

    engine = wasmtime.Engine()
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    store = wasmtime.Store(engine)
    store.set_wasi(wasi)
    instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(options.wasm)))
    try:
        instance.exports(store)["_start"](store)
    except wasmtime.ExitTrap as end:
        return end.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
