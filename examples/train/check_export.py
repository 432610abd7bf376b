"""What is exported computes what was trained: export -> reference.py gives model.py's logits, for every variant.

    python3 check_export.py

Random weights; both sides in double, so the bound is tight (a wrong rounding, scale or pairing of RoPE is off by more than 1e-3).
"""
import itertools
import pathlib
import tempfile

import numpy as np
import torch

import export_hf
import hf_files
import reference
import tokenizer
from model import Model

BOUND = 1e-6
TIE = 1e-9  # an activation that near to half a step may be rounded either way
SEEDS = range(7, 27)
SHAPE = dict(dim=64, n_layers=2, n_heads=4, n_kv_heads=2, head_dim=16, hidden_dim=96, vocab_size=300, seq_len=64)


def check(checkpoint, folder, tok, linear_class, ids, log):
    """True when the logits agree, None when a tie leaves it open."""
    export_hf.export(checkpoint, tok, folder, linear_class)
    diff, nearest_tie = reference.compare(checkpoint, folder, ids)
    log(f"{pathlib.Path(folder).name}: max |logit difference| {diff:.1e}")
    if diff < BOUND:
        return True
    if nearest_tie < TIE:
        return None
    raise SystemExit(f"check_export: {folder} does not give the trained model's logits ({diff:.3e} > {BOUND})")


def random_checkpoint(config, embed_quant, seed, path):
    torch.manual_seed(seed)
    model = Model(config)
    with torch.no_grad():
        for p in model.parameters():
            if p.dim() == 1:
                p.uniform_(0.5, 1.5)  # gains of one would hide a missing norm weight
    torch.save(dict(config=config, model=model.state_dict(), embed_quant=embed_quant), path)


def check_all(folder, tok, log):
    ids = torch.randint(0, SHAPE["vocab_size"], (48,), generator=torch.Generator().manual_seed(5)).tolist()
    for variant, tied in itertools.product(("relu2_subln", "swiglu_subln", "llama"), (True, False)):
        name = f"{variant}-{'tied' if tied else 'untied'}"
        config = dict(SHAPE, variant=variant, tied=tied, name=name)
        checkpoint = pathlib.Path(folder) / f"{name}.pt"
        linear_class = "bitlinear" if variant == "llama" else "autobitlinear"
        for seed in SEEDS:
            random_checkpoint(config, "t3" if tied else "float", seed, checkpoint)
            if check(checkpoint, pathlib.Path(folder) / name, tok, linear_class, ids, log):
                break
            log(f"{name}: seed {seed} puts an activation on a rounding boundary, another one")
        else:
            raise SystemExit(f"check_export: {name}: every seed met a rounding boundary")
    trits = np.random.default_rng(1).integers(-1, 2, (12, 7))
    if not (hf_files.unpack(hf_files.pack(trits)) == trits).all():
        raise SystemExit("check_export: packing does not round-trip")


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as tmp:
        check_all(tmp, tokenizer.Tokenizer([]), print)
