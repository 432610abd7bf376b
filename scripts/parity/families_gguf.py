"""Tiny models as GGUF files, with llama.cpp's names and its order of Q and K, and the same weights in modules.py."""
import numpy as np
import torch
from torch.nn import functional as F

import families
import gguf
import modules as m
from family import Family

# Blocks have 256 columns.
SHAPE = dict(dim=256, hidden=512, layers=2, heads=8, kv=4, head_dim=32, vocab=272, seq=64)
EPS, THETA = 1e-5, 10000.0
NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm",
    "self_attn.attn_sub_norm": "attn_sub_norm", "mlp.ffn_sub_norm": "ffn_sub_norm",
}
GLOBAL = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight", "lm_head.weight": "output.weight"}


def gguf_name(name):
    if name in GLOBAL:
        return GLOBAL[name]
    _, _, layer, *rest = name.split(".")
    return f"blk.{layer}.{NAMES['.'.join(rest[:-1])]}.weight"


def permute(w, heads):
    """convert_hf_to_gguf.py, LlamaModel.permute: llama.cpp turns neighbours, so the halves of a head are dealt out alternately."""
    return w.reshape(heads, 2, w.shape[0] // heads // 2, *w.shape[1:]).swapaxes(1, 2).reshape(w.shape)


class Weights(families.Weights):
    """Tensors as GGUF stores them; `permuted`: the architecture wants Q and K in llama.cpp's order."""

    def __init__(self, seed, embed, head, permuted, linear):
        super().__init__(seed, "F32")
        self.embed, self.head, self.permuted, self.linear, self.out = embed, head, permuted, linear, {}

    def real(self, name, *shape, spread=1.0, around=0.0, dtype=None):
        kind = self.embed if "embed" in name else self.head if "lm_head" in name else self.linear if len(shape) == 2 else "F32"
        x = around + spread * self.random.standard_normal(shape)
        data, value = gguf.stored(kind, self.order(name, x))
        self.out[gguf_name(name)] = (kind, shape, data)
        return torch.from_numpy(self.order(name, value, back=True))

    def order(self, name, x, back=False):
        heads = {"q_proj": SHAPE["heads"], "k_proj": SHAPE["kv"]}.get(name.split(".")[-2] if "." in name else "", 0)
        if not self.permuted or heads == 0:
            return x
        if not back:
            return permute(x, heads)
        index = permute(np.arange(len(x)), heads)
        out = np.empty_like(x)
        out[index] = x
        return out


def ternary(kind):
    def linear(weights, name, rows, cols):
        trits, scale = weights.trits(rows, cols), weights.scale(cols)
        scale = float(np.float32(scale) if kind.startswith("I2_S") else np.float16(scale))
        ordered = weights.order(f"{name}.weight", trits)
        if kind.startswith("I2_S"):
            data = gguf.i2_s(ordered, scale, kind.split("-")[1])
        else:
            data = {"TQ1_0": gguf.tq1_0, "TQ2_0": gguf.tq2_0}[kind](ordered, scale)
        weights.out[gguf_name(f"{name}.weight")] = (kind.split("-")[0], (rows, cols), data)
        return m.AutoBitLinear(torch.from_numpy(trits).double(), scale)

    return linear


def write(folder, weights, architecture, tied):
    s = SHAPE
    vocab = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *(f"\u2581w{i}" for i in range(s["vocab"] - 259))]
    key = lambda name: f"{architecture}.{name}"
    fields = {
        "general.architecture": architecture, "general.name": "parity", key("context_length"): s["seq"], key("embedding_length"): s["dim"],
        key("feed_forward_length"): s["hidden"], key("block_count"): s["layers"], key("attention.head_count"): s["heads"],
        key("attention.head_count_kv"): s["kv"], key("rope.dimension_count"): s["head_dim"], key("rope.freq_base"): THETA,
        key("attention.layer_norm_rms_epsilon"): EPS, "tokenizer.ggml.model": "llama", "tokenizer.ggml.tokens": vocab,
        "tokenizer.ggml.scores": [-float(i) for i in range(len(vocab))],
        "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, *[1] * (len(vocab) - 259)],
        "tokenizer.ggml.bos_token_id": 1, "tokenizer.ggml.eos_token_id": 2, "tokenizer.ggml.unknown_token_id": 0, "tokenizer.ggml.add_bos_token": True,
    }
    folder.mkdir(parents=True, exist_ok=True)
    gguf.write(folder / "model.gguf", fields, weights.out)


def family(architecture, linear, act, sub_norms, embed, head=None, weights="F32", options=(), no_image=""):
    def build(folder, seed):
        stored = Weights(seed, embed, head, architecture == "llama", weights)
        names = ("attn_sub_norm", "ffn_sub_norm") if sub_norms else None
        model = families.llama_model(stored, linear, act, names, tied=head is None, shape=SHAPE)
        write(folder, stored, architecture, head is None)
        return model

    return Family(build, "model.gguf", options, no_image, SHAPE["vocab"])


FLOATS = "its weights are floats"
FAMILIES = {
    "gguf-tq1": family("bitnet", ternary("TQ1_0"), F.silu, True, "F16"),
    "gguf-tq2": family("bitnet-b1.58", ternary("TQ2_0"), m.relu2, True, "Q8_0"),
    "gguf-i2s-x86": family("bitnet-b1.58", ternary("I2_S-x86"), m.relu2, True, "F32", options=("--i2s", "x86")),
    "gguf-i2s-arm": family("bitnet-25", ternary("I2_S-arm"), m.relu2, True, "F16", options=("--i2s", "arm")),
    "gguf-falcon3": family("llama", ternary("TQ2_0"), F.silu, False, "BF16", "Q8_0"),
    "gguf-llama": family("llama", families.dense, F.silu, False, "Q4_0", "Q8_0", weights="BF16", no_image=FLOATS),
    "gguf-llama-q8": family("llama", families.dense, F.silu, False, "F16", weights="Q8_0", no_image=FLOATS),
}
