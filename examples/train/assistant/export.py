"""Checkpoint of train.py -> Hugging Face directory with the assistant's settings, and the tools it starts with beside it.

    python3 export.py /tmp/train/assistant/model.pt ../../models/assistant/hf --gate 1.0 --tools ../../assistant/tools/home.json
"""
import argparse
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import export_hf  # noqa: E402
import tokenizer  # noqa: E402

if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("checkpoint")
    ap.add_argument("out")
    ap.add_argument("--tokenizer", default=str(HERE / "tokenizer.json"))
    ap.add_argument("--gate", type=float, default=0.0, help="smallest margin of a call that is made, in logits")
    ap.add_argument("--text-max", type=int, default=32, help="longest reply, tokens")
    ap.add_argument("--tools")
    args = ap.parse_args()
    extra = {"tritkit_assistant": {"gate": args.gate, "text_max": args.text_max}}
    export_hf.export(args.checkpoint, tokenizer.Tokenizer.load_hf(args.tokenizer), args.out, "autobitlinear", extra=extra)
    if args.tools:
        shutil.copy(args.tools, pathlib.Path(args.out) / "tools.json")
