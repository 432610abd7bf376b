"""What the number format of the embedding (and of the tied head) costs: loss after quantising it, per checkpoint.

    python3 embeddings.py --data DIR /tmp/train/stories-1m/best.pt ...
"""
import argparse
import pathlib

import torch

import data
import tokenizer
from sample import load
from train import evaluate, setup, windows


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("checkpoints", nargs="+")
    ap.add_argument("--data", required=True)
    ap.add_argument("--tokenizer", default=str(pathlib.Path(__file__).parent / "tokenizer.json"))
    args = ap.parse_args()
    setup(1)
    tok = tokenizer.Tokenizer.load_hf(args.tokenizer)
    texts = data.load(args.data)
    stories = [i for d in texts["stories_heldout"] for i in (tok.bos, *tok.encode(d), tok.eos)]
    for path in args.checkpoints:
        model = load(path)
        trained = model.embed_quant
        seq = model.c["seq_len"]
        sets = windows(tok, stories, seq), windows(tok, tok.encode(texts["heldout_text"]), seq)
        print(f"{path}: {model.c['name']}, trained with {trained}, step {torch.load(path).get('row', {}).get('step', '?')}")
        base = None
        for kind in ("float", "int8", "t5", "t4", "t3", "t2"):
            model.embed_quant = kind
            got = [evaluate(model, tok, w)[0] for w in sets]
            base = base or got
            print(f"  {kind:6} stories {got[0]:.4f} ({got[0] - base[0]:+.4f})  public {got[1]:.4f} ({got[1] - base[1]:+.4f})", flush=True)


if __name__ == "__main__":
    main()
