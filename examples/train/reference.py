"""Float64 reference of a packed BitNet / Llama-BitNet Hugging Face directory, and the fidelity fixtures made with it.

    python3 reference.py ../models/stories-1m/hf --text ../models/fixtures/heldout.txt --out ../models/fixtures/stories-1m.fidelity.json
    python3 reference.py ../models/stories-1m/hf --check /tmp/train/stories-1m/best.pt

Plain numpy, written from the published semantics and not from model.py: per-token absmax int8 activations (round half to
even), ternary product in exact integers, one rescale; everything else (norms, RoPE, softmax, SiLU, head) in float64.
"""
import argparse
import base64
import hashlib
import json
import math
import pathlib

import numpy as np

import hf_files
import tokenizer

WINDOW = 256


class Reference:
    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.config = json.loads((folder / "config.json").read_text())
        self.tensors = hf_files.load(folder / "model.safetensors")
        # How near an activation came to half a step. On the boundary itself the last bit of a double decides which way it is
        # rounded, and no two programs need agree: v of a first position, say, is a row of whole numbers over their largest.
        self.nearest_tie = math.inf
        quant = self.config["quantization_config"]
        self.multiply = quant.get("linear_class") == "autobitlinear" or quant.get("offline_quantization") is True
        self.trits = {k: hf_files.unpack(v).astype(np.float64) for k, v in self.tensors.items() if v.dtype == np.uint8}

    def tensor(self, name):
        return self.tensors[name].astype(np.float64)

    def bitlinear(self, x, name):
        """x (T, in) -> (T, out). The product is of integers below 2^53: exact in float64."""
        act_s = 127.0 / np.maximum(np.abs(x).max(-1, keepdims=True), 1e-5)
        steps = x * act_s
        self.nearest_tie = min(self.nearest_tie, float(np.abs(steps - np.floor(steps) - 0.5).min()))
        q = np.clip(np.rint(steps), -128, 127)
        acc = q @ self.trits[f"{name}.weight"].T
        scale = self.tensor(f"{name}.weight_scale")[0]
        return acc / act_s * scale if self.multiply else acc / (act_s * scale)

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + self.config["rms_norm_eps"]) * self.tensor(f"{name}.weight")

    def attention(self, x, layer):
        """x (T, dim) after input_layernorm -> (T, n_heads * head_dim), before o_proj and its norm."""
        c, T = self.config, len(x)
        H, K, D = c["num_attention_heads"], c["num_key_value_heads"], c["head_dim"]
        q, k, v = (self.bitlinear(x, f"{layer}.self_attn.{n}_proj").reshape(T, -1, D) for n in "qkv")
        freq = c["rope_theta"] ** (-np.arange(D // 2) * 2.0 / D)
        angle = np.arange(T)[:, None] * freq  # (T, D/2)
        cos, sin = np.cos(angle)[:, None, :], np.sin(angle)[:, None, :]

        def rotate(a):  # halves are the pairs: element j turns with element j + D/2
            lo, hi = a[..., : D // 2], a[..., D // 2 :]
            return np.concatenate((lo * cos - hi * sin, hi * cos + lo * sin), -1)

        q, k = rotate(q), rotate(k)
        out = np.zeros((T, H, D))
        later = np.triu(np.ones((T, T), bool), 1)
        for h in range(H):
            kv = h // (H // K)
            s = q[:, h] @ k[:, kv].T / math.sqrt(D)
            s[later] = -np.inf
            p = np.exp(s - s.max(-1, keepdims=True))
            out[:, h] = p / p.sum(-1, keepdims=True) @ v[:, kv]
        return out.reshape(T, H * D)

    def ffn(self, x, layer):
        """x (T, dim) after post_attention_layernorm -> (T, hidden_dim), before down_proj and its norm."""
        gate, up = (self.bitlinear(x, f"{layer}.mlp.{n}_proj") for n in ("gate", "up"))
        if self.config["hidden_act"] == "relu2":
            return np.maximum(gate, 0) ** 2 * up
        return gate / (1 + np.exp(-gate)) * up

    def logits(self, ids):
        """ids (T,) -> float64 (T, vocab_size)."""
        embed = self.tensor("model.embed_tokens.weight")
        x = embed[np.asarray(ids)]
        for i in range(self.config["num_hidden_layers"]):
            layer = f"model.layers.{i}"
            for block, out, inner in (
                (self.attention, "self_attn.o_proj", "self_attn.attn_sub_norm"),
                (self.ffn, "mlp.down_proj", "mlp.ffn_sub_norm"),
            ):
                before = "input_layernorm" if block == self.attention else "post_attention_layernorm"
                y = block(self.norm(x, f"{layer}.{before}"), layer)
                if f"{layer}.{inner}.weight" in self.tensors:
                    y = self.norm(y, f"{layer}.{inner}")
                x = x + self.bitlinear(y, f"{layer}.{out}")
        head = embed if self.config["tie_word_embeddings"] else self.tensor("lm_head.weight")
        return self.norm(x, "model.norm") @ head.T


def fidelity(ref, tok, text):
    """Loss over non-overlapping windows: <bos> and 255 tokens of running text, the rest of the text left off. A dict for JSON."""
    ids = tok.encode(text)
    n = len(ids) // (WINDOW - 1)
    ids = ids[: n * (WINDOW - 1)]
    nll, top, first = [], [], None
    for w in range(n):
        body = ids[w * (WINDOW - 1) : (w + 1) * (WINDOW - 1)]
        logits = ref.logits([tok.bos, *body[:-1]])
        if first is None:
            first = logits[:8]
        top.append(logits.argmax(-1))
        m = logits.max(-1)
        nll.append(m + np.log(np.exp(logits - m[:, None]).sum(-1)) - logits[np.arange(len(body)), body])
    nll, top = np.concatenate(nll), np.concatenate(top)
    size = len(tok.decode(ids))

    def b64(a, dtype):
        return base64.b64encode(np.asarray(a).astype(dtype).tobytes()).decode()

    return {
        "text_sha256": hashlib.sha256(text).hexdigest(), "window": WINDOW, "stride": WINDOW, "tokens": len(ids), "text_bytes": size,
        "loss_nats": float(nll.mean()), "ppl": float(np.exp(nll.mean())), "bits_per_byte": float(nll.sum() / math.log(2) / size),
        "token_ids_b64": b64(ids, "<u2"), "nll_b64": b64(nll, "<f4"), "top1_b64": b64(top, "<u2"), "first_logits_b64": b64(first, "<f4"),
    }


def compare(checkpoint, folder, ids):
    """Largest |logit difference| between the reference and model.py, both in double, and how near an activation came to a tie.

    model.py runs with its own trits and embeddings from the checkpoint; only the scales are taken as the directory rounds them to
    float32, because an int8 activation beside a rounding boundary would otherwise fall on the other side.
    """
    import torch

    from export_hf import LINEARS, rows
    from model import Model, rope_angles, ternary

    ck, ref = torch.load(checkpoint, map_location="cpu"), Reference(folder)
    model = Model(ck["config"])
    model.load_state_dict(ck["model"])
    with torch.no_grad():
        model.embed.copy_(rows(model.embed, ck["embed_quant"]))
        if model.head is not None:
            model.head.copy_(rows(model.head, ck["embed_quant"]))
        for i, block in enumerate(model.blocks):
            for ours, theirs in LINEARS.items():
                scale = ref.tensor(f"model.layers.{i}.{theirs}.weight_scale")[0]
                block.fixed[ours] = ternary(getattr(block, ours)).sign().double() * (scale if ref.multiply else 1 / scale)
        model.double().eval()
        angle = rope_angles(model.c)
        model.cos, model.sin = angle.cos(), angle.sin()
        theirs = model(torch.tensor([ids]))[0].numpy()
    return float(np.abs(ref.logits(ids) - theirs).max()), ref.nearest_tie


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("folder")
    ap.add_argument("--text")
    ap.add_argument("--out")
    ap.add_argument("--check", metavar="CHECKPOINT", help="compare with model.py on the fidelity text or a fixed prompt")
    args = ap.parse_args()
    tok = tokenizer.Tokenizer.load_hf(pathlib.Path(args.folder) / "tokenizer.json")
    text = pathlib.Path(args.text).read_bytes() if args.text else b"Once upon a time, there was a little girl named Lily. She loved to play outside."
    if args.check:
        ids = [tok.bos, *tok.encode(text)][:WINDOW]
        diff, _ = compare(args.check, args.folder, ids)
        print(f"max |logit difference| over {len(ids)} positions, in double: {diff:.3e}")
        if diff > 1e-6:
            raise SystemExit("reference: the directory does not give the model's logits")
    if args.out:
        result = fidelity(Reference(args.folder), tok, text)
        pathlib.Path(args.out).write_text(json.dumps(result, indent=1) + "\n")
        print({k: v for k, v in result.items() if not k.endswith("b64")})


if __name__ == "__main__":
    main()
