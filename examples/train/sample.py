"""Text from a checkpoint of train.py, by PyTorch.

    python3 sample.py /tmp/train/stories-1m/best.pt "Once upon a time" --temp 0.8 --seed 1
"""
import argparse
import pathlib

import torch

import tokenizer
from model import Model


@torch.no_grad()
def sample(model, tok, prompt, n, temperature, seed):
    """bytes of the prompt and of up to n more tokens; stops at <|eos|> and at the end of the context."""
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    ids = [tok.bos, *tok.encode(prompt)]
    while n > 0 and len(ids) < model.c["seq_len"]:
        logits = model(torch.tensor([ids]))[0, -1]
        if temperature == 0:
            i = int(logits.argmax())
        else:
            i = int(torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator))
        if i == tok.eos:
            break
        ids.append(i)
        n -= 1
    return tok.decode(ids)


def load(checkpoint):
    ck = torch.load(checkpoint, map_location="cpu")
    model = Model(ck["config"])
    model.load_state_dict(ck["model"])
    model.embed_quant = ck.get("embed_quant", "float")  # a resume checkpoint does not say
    return model.eval()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("checkpoint")
    ap.add_argument("prompt", nargs="+")
    ap.add_argument("-n", type=int, default=255)
    ap.add_argument("--temp", type=float, default=0.0)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--tokenizer", default=str(pathlib.Path(__file__).parent / "tokenizer.json"))
    args = ap.parse_args()
    torch.set_num_threads(1)
    tok, model = tokenizer.Tokenizer.load_hf(args.tokenizer), load(args.checkpoint)
    for prompt in args.prompt:
        print(f"--- temperature {args.temp}, seed {args.seed}\n{sample(model, tok, prompt, args.n, args.temp, args.seed).decode(errors='replace')}")


if __name__ == "__main__":
    main()
