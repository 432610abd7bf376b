#!/usr/bin/env python3
"""Writes the golden files of this folder (--write), or checks that the committed ones are what it would write."""

import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from py.cases_experts import experts_file  # noqa: E402
from py.cases_models import model_files  # noqa: E402
from py.cases_numerics import numerics_file  # noqa: E402
from py.cases_packing import matvec_file, packing_file  # noqa: E402
from py.cases_sampler import sampler_file  # noqa: E402
from py.cases_tokenizer import tokenizer_file  # noqa: E402


def golden_files():
    """(name, bytes) of every file, one after the other."""
    yield "packing.json", packing_file()
    yield "matvec.json", matvec_file()
    yield "numerics.json", numerics_file()
    yield "experts.json", experts_file()
    yield "sampler.json", sampler_file()
    yield "tokenizer.json", tokenizer_file()
    yield from model_files()


def main(arguments):
    if arguments not in ([], ["--write"]):
        print("usage: generate.py [--write]", file=sys.stderr)
        return 2
    differing = 0
    for name, data in golden_files():
        path = HERE / name
        same = path.exists() and path.read_bytes() == data
        if arguments and not same:
            path.write_bytes(data)
        differing += not same
        state = "same" if same else "written" if arguments else "DIFFERS"
        print(f"{state:8} {name} ({len(data)} bytes, {time.process_time():.1f} s)")
    return 1 if differing and not arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
