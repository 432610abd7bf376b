"""Tiny models of the published families with reference logits, for `npm run test:parity`.

    python3 generate.py OUT [FAMILY...]

    OUT/<family>/           the model as published          OUT/<family>.json   ids, source, how near to a tie
    OUT/<family>.npy        logits (positions, vocab), float64
"""
import json
import pathlib
import sys

import numpy as np
import torch

import families
import families_gguf
import files
import modules

FAMILIES = {**families.FAMILIES, **families_gguf.FAMILIES}
IDS = 40
# Another program may round an activation this near to half a step to the other side: such models are drawn anew.
TIE = 1e-9


def make(out, name):
    family = FAMILIES[name]
    for seed in range(100):
        modules.NearestTie.value = float("inf")
        model = family.build(out / name, [seed, *name.encode()])
        random = np.random.default_rng(seed)
        # tritkit eval puts bos (1) before the ids and predicts each of them.
        ids = [int(i) for i in random.integers(3, family.vocab, IDS)]
        with torch.no_grad():
            logits = model([1, *ids[:-1]]).numpy()
        if modules.NearestTie.value > TIE:
            break
    else:
        raise SystemExit(f"{name}: every seed comes near a tie")
    files.write_npy(out / f"{name}.npy", logits)
    about = {"ids": ids, "source": family.source, "options": family.options, "no_image": family.no_image, "mixture": family.mixture,
             "seed": seed, "nearest_tie": min(modules.NearestTie.value, 1.0)}
    (out / f"{name}.json").write_text(json.dumps(about))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for name in sys.argv[2:] or FAMILIES:
        make(out, name)
        print(name)


if __name__ == "__main__":
    main()
