"""One tiny model of each published family: its files as published, and the same weights in modules.py."""
import json
import pathlib
import struct

import numpy as np
import torch
from torch.nn import functional as F

import files
import modules as m
from family import Family

# No size is a multiple of another by accident, so that a mixed-up axis cannot pass.
SHAPE = dict(dim=48, hidden=80, layers=3, heads=4, kv=2, head_dim=12, vocab=272, seq=64)
EPS, THETA = 1e-5, 10000.0


class Weights:
    """Seeded numbers, stored as `dtype`: what the file holds is what the reference computes with."""

    def __init__(self, seed, dtype="F32"):
        self.random, self.dtype, self.tensors = np.random.default_rng(seed), dtype, {}

    def real(self, name, *shape, spread=1.0, around=0.0, dtype=None):
        dtype = dtype or self.dtype
        value = files.rounded(around + spread * self.random.standard_normal(shape), dtype)
        self.tensors[name] = (dtype, value)
        return torch.from_numpy(value)

    def gain(self, name, n, eps=EPS):
        return m.RMSNorm(self.real(name, n, spread=0.2, around=1.0), eps)

    def trits(self, rows, cols):
        return self.random.choice([-1, 0, 1], (rows, cols), p=[0.3, 0.4, 0.3])

    def scale(self, cols):
        return float(np.float32(self.random.uniform(0.8, 1.6) / np.sqrt(cols)))


def packed(weights, name, rows, cols, multiply):
    trits, scale = weights.trits(rows, cols), weights.scale(cols)
    stored = np.float32(scale if multiply else 1 / scale)
    weights.tensors[f"{name}.weight"] = ("U8", files.pack_rows(trits))
    weights.tensors[f"{name}.weight_scale"] = ("F32", np.array([stored]))
    return (m.AutoBitLinear if multiply else m.BitLinear)(torch.from_numpy(trits).double(), float(stored))


def latent(weights, name, rows, cols):
    return m.LatentBitLinear(weights.real(f"{name}.weight", rows, cols, spread=1 / np.sqrt(cols)))


def dense(weights, name, rows, cols):
    return m.Linear(weights.real(f"{name}.weight", rows, cols, spread=1 / np.sqrt(cols)))


def rounded(quantiser):
    """Float weights that --quantize rounds when the model is opened; activations stay floats."""

    def linear(weights, name, rows, cols):
        # Not around zero, so that the mean that binary weights are taken from matters.
        return m.Linear(quantiser(weights.real(f"{name}.weight", rows, cols, spread=1 / np.sqrt(cols), around=0.2 / np.sqrt(cols))))

    return linear


def ternary_floats(weights, name, rows, cols):
    """TriLM's: floats that are {0, +-s}, with one s for each shard of the training's model parallelism; of rows, or of columns where the layer is split so."""
    trits = weights.trits(rows, cols)
    shards = np.array([weights.scale(cols), weights.scale(cols)])
    if name.endswith(("o_proj", "down_proj")):
        values = trits * np.repeat(shards, cols // 2)[None, :]
    else:
        values = trits * np.repeat(shards, rows // 2)[:, None]
    values = files.rounded(values, weights.dtype)
    weights.tensors[f"{name}.weight"] = (weights.dtype, values)
    return m.Linear(torch.from_numpy(values))


def llama_model(weights, linear, act, sub_norms=None, tied=True, shape=SHAPE, eps=EPS, theta=THETA, ffn=None):
    """Names of transformers' Llama; sub_norms: their names in attention and mlp."""
    s = shape
    queries, keys = s["heads"] * s["head_dim"], s["kv"] * s["head_dim"]
    embed = weights.real("model.embed_tokens.weight", s["vocab"], s["dim"])
    blocks = []
    for i in range(s["layers"]):
        at = f"model.layers.{i}"
        q, k, v = (linear(weights, f"{at}.self_attn.{n}_proj", rows, s["dim"]) for n, rows in (("q", queries), ("k", keys), ("v", keys)))
        o = linear(weights, f"{at}.self_attn.o_proj", s["dim"], queries)
        inner = sub_norms and weights.gain(f"{at}.self_attn.{sub_norms[0]}.weight", queries, eps)
        attention = m.Attention(q, k, v, o, s["heads"], s["kv"], theta, inner)
        if ffn is not None:
            mlp = ffn(weights, at)
        else:
            gate, up = (linear(weights, f"{at}.mlp.{n}_proj", s["hidden"], s["dim"]) for n in ("gate", "up"))
            down = linear(weights, f"{at}.mlp.down_proj", s["dim"], s["hidden"])
            mlp = m.MLP(gate, up, down, act, sub_norms and weights.gain(f"{at}.mlp.{sub_norms[1]}.weight", s["hidden"], eps))
        norms = [weights.gain(f"{at}.{n}.weight", s["dim"], eps) for n in ("input_layernorm", "post_attention_layernorm")]
        blocks.append(m.Block(norms[0], attention, norms[1], mlp))
    norm = weights.gain("model.norm.weight", s["dim"], eps)
    head = embed if tied else weights.real("lm_head.weight", s["vocab"], s["dim"])
    return m.Model(embed, blocks, norm, head)


def llama_config(act, tied, **more):
    s = SHAPE
    return dict(
        hidden_size=s["dim"], intermediate_size=s["hidden"], num_hidden_layers=s["layers"], num_attention_heads=s["heads"], num_key_value_heads=s["kv"],
        head_dim=s["head_dim"], hidden_act=act, max_position_embeddings=s["seq"], vocab_size=s["vocab"], rms_norm_eps=EPS, rope_theta=THETA,
        tie_word_embeddings=tied, bos_token_id=1, eos_token_id=2, **more,
    )


def write_hf(folder, weights, config):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    files.write_tokenizer(folder, config.get("embedding_size", config["vocab_size"]))
    files.write_safetensors(folder / "model.safetensors", weights.tensors)


def bitnet(folder, seed):
    """microsoft/bitnet-b1.58-2B-4T: sub-norms, squared ReLU, packed, weight_scale multiplies."""
    weights = Weights(seed, "BF16")
    model = llama_model(weights, lambda *a: packed(*a, multiply=True), m.relu2, ("attn_sub_norm", "ffn_sub_norm"))
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
    write_hf(folder, weights, llama_config("relu2", True, model_type="bitnet", quantization_config=quantization))
    return model


def bitnet_bf16(folder, seed):
    """microsoft/bitnet-b1.58-2B-4T-bf16: the same with latent weights, quantised at load."""
    weights = Weights(seed, "BF16")
    model = llama_model(weights, latent, m.relu2, ("attn_sub_norm", "ffn_sub_norm"))
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "online"}
    write_hf(folder, weights, llama_config("relu2", True, model_type="bitnet", quantization_config=quantization))
    return model


def llama_packed(folder, seed):
    """HF1BitLLM/Llama3-8B-1.58, Falcon3-1.58bit, Falcon-E: no sub-norms, SiLU, weight_scale divides, a head of its own."""
    weights = Weights(seed, "F16")
    model = llama_model(weights, lambda *a: packed(*a, multiply=False), F.silu, tied=False)
    quantization = {"quant_method": "bitnet", "modules_to_not_convert": None}
    write_hf(folder, weights, llama_config("silu", False, model_type="llama", quantization_config=quantization))
    return model


def onebit(folder, seed):
    """1bitLLM/bitnet_b1_58-large: other names of the sub-norms, latent float32 weights."""
    weights = Weights(seed, "F32")
    model = llama_model(weights, latent, F.silu, ("inner_attn_ln", "ffn_layernorm"))
    config = llama_config("silu", True, model_type="llama", weight_bits=1, input_bits=8)
    del config["head_dim"]
    write_hf(folder, weights, config)
    return model


def llama(folder, seed):
    """A float Llama: what the paper compares with."""
    weights = Weights(seed, "F16")
    model = llama_model(weights, dense, F.silu, tied=False)
    write_hf(folder, weights, llama_config("silu", False, model_type="llama"))
    return model


def llama_absmean(folder, seed):
    """The same with --quantize absmean (arXiv 2402.17764)."""
    weights = Weights(seed, "F16")
    model = llama_model(weights, rounded(lambda w: torch.mul(*m.weight_quant(w))), F.silu, tied=False)
    write_hf(folder, weights, llama_config("silu", False, model_type="llama"))
    return model


def llama_sign(folder, seed):
    """And with --quantize sign: BitNet b1's Sign(W - mean W) * mean |W| (arXiv 2310.11453, equations 1 to 3)."""
    weights = Weights(seed, "F16")
    model = llama_model(weights, rounded(lambda w: torch.sign(w - w.mean()) * w.abs().mean()), F.silu, tied=False)
    write_hf(folder, weights, llama_config("silu", False, model_type="llama"))
    return model


EXPERTS, USED = 6, 2


def mixture(linear, act, router, names, sub_norm=None):
    """Experts in place of a layer's feed-forward. names: of the router, and of an expert's gate, up and down."""
    s = SHAPE

    def ffn(weights, at):
        def expert(e):
            gate, up = (linear(weights, f"{at}.{names[1 + i].format(e)}", s["hidden"], s["dim"]) for i in range(2))
            down = linear(weights, f"{at}.{names[3].format(e)}", s["dim"], s["hidden"])
            return m.MLP(gate, up, down, act, sub_norm and weights.gain(f"{at}.{sub_norm.format(e)}.weight", s["hidden"]))

        return m.SparseMoe(router(weights, f"{at}.{names[0]}", EXPERTS, s["dim"]), [expert(e) for e in range(EXPERTS)], USED)

    return ffn


def spread_router(weights, name, rows, cols):
    """Logits that lie apart, so that int8 rarely chooses otherwise."""
    return m.Linear(weights.real(f"{name}.weight", rows, cols, spread=3 / np.sqrt(cols)))


def mixtral(folder, seed):
    """mistralai/Mixtral-8x7B: w1, w3, w2 of block_sparse_moe, all floats."""
    weights = Weights(seed, "BF16")
    names = ("block_sparse_moe.gate", *(f"block_sparse_moe.experts.{{}}.w{i}" for i in (1, 3, 2)))
    model = llama_model(weights, dense, F.silu, tied=False, ffn=mixture(dense, F.silu, dense, names))
    config = llama_config("silu", False, model_type="mixtral", num_local_experts=EXPERTS, num_experts_per_tok=USED)
    write_hf(folder, weights, config)
    return model


def bitnet_experts(folder, seed):
    """A BitNet 2B-4T whose feed-forwards are experts with sub-norms of their own: packed, the router a float32 matrix as in MoTE."""
    weights = Weights(seed, "F32")
    linear = lambda *a: packed(*a, multiply=True)
    names = ("mlp.gate", *(f"mlp.experts.{{}}.{n}_proj" for n in ("gate", "up", "down")))
    ffn = mixture(linear, m.relu2, spread_router, names, "mlp.experts.{}.ffn_sub_norm")
    model = llama_model(weights, linear, m.relu2, ("attn_sub_norm", "ffn_sub_norm"), ffn=ffn)
    quantization = {"quant_method": "bitnet", "linear_class": "autobitlinear", "quantization_mode": "offline"}
    more = dict(num_experts=EXPERTS, num_experts_per_tok=USED, norm_topk_prob=True, quantization_config=quantization)
    write_hf(folder, weights, llama_config("relu2", True, model_type="bitnet", **more))
    return model


def trilm(folder, seed):
    """SpectraSuite/TriLM: a Llama whose floats are ternary; its activations are not quantised."""
    weights = Weights(seed, "F16")
    model = llama_model(weights, ternary_floats, F.silu, tied=False)
    write_hf(folder, weights, llama_config("silu", False, model_type="llama"))
    return model


def olmo(folder, seed, affine=False):
    """NousResearch/OLMo-Bitnet-1B: fused projections, one absmean for each, BitLinear158 with a norm of its own in front. affine: block norms with gains."""
    weights, s = Weights(seed, "F32"), SHAPE
    block_norm = lambda name: weights.gain(f"{at}.{name}.weight", s["dim"]) if affine else norm
    width = s["heads"] * s["head_dim"]
    norm = m.RMSNorm(None, EPS)
    at = "model.transformer"
    embed = weights.real(f"{at}.wte.weight", s["vocab"], s["dim"])
    blocks = []

    def rows(linear, start, count):
        part = m.LatentBitLinear.__new__(m.LatentBitLinear)
        torch.nn.Module.__init__(part)
        part.w, part.norm = linear.w[start : start + count], norm
        return part

    for i in range(s["layers"]):
        fused = {n: latent(weights, f"{at}.blocks.{i}.{n}", r, c) for n, r, c in (
            ("att_proj", 3 * width, s["dim"]), ("attn_out", s["dim"], width), ("ff_proj", 2 * s["hidden"], s["dim"]), ("ff_out", s["dim"], s["hidden"]))}
        for linear in fused.values():
            linear.norm = norm
        q, k, v = (rows(fused["att_proj"], j * width, width) for j in range(3))
        attention = m.Attention(q, k, v, fused["attn_out"], s["heads"], s["heads"], THETA)
        # SwiGLU: x, gate = ff_proj(x).chunk(2)
        up, gate = (rows(fused["ff_proj"], j * s["hidden"], s["hidden"]) for j in range(2))
        blocks.append(m.Block(block_norm(f"blocks.{i}.attn_norm"), attention, block_norm(f"blocks.{i}.ff_norm"), m.MLP(gate, up, fused["ff_out"], F.silu)))
    config = dict(
        model_type="olmo", d_model=s["dim"], n_heads=s["heads"], n_layers=s["layers"], mlp_hidden_size=2 * s["hidden"], mlp_ratio=4, max_sequence_length=s["seq"],
        vocab_size=s["vocab"], embedding_size=s["vocab"], weight_tying=True, rope=True, alibi=False, ternary=True, activation_type="swiglu", layer_norm_type="rms",
        layer_norm_with_affine=affine, attention_layer_norm=False, include_bias=False, bias_for_layer_norm=False, block_type="sequential", multi_query_attention=False,
        bos_token_id=1, eos_token_id=2,
    )
    final = block_norm("ln_f")
    write_hf(folder, weights, config)
    return m.Model(embed, blocks, final, embed)


def llama2c(folder, seed):
    """karpathy/llama2.c: model.py's interleaved RoPE, export.py's version 0 (seven i32 and float32 tensors), tokenizer.bin beside it."""
    weights, s = Weights(seed, "F32"), SHAPE
    width, keys = s["heads"] * s["head_dim"], s["kv"] * s["head_dim"]
    embed = weights.real("tok_embeddings", s["vocab"], s["dim"])
    blocks = []
    for i in range(s["layers"]):
        one = lambda name, r, c: dense(weights, f"{i}.{name}", r, c)
        attention = m.Attention(one("wq", width, s["dim"]), one("wk", keys, s["dim"]), one("wv", keys, s["dim"]), one("wo", s["dim"], width), s["heads"], s["kv"], THETA,
                                rotate=m.rope_interleaved)
        mlp = m.MLP(one("w1", s["hidden"], s["dim"]), one("w3", s["hidden"], s["dim"]), one("w2", s["dim"], s["hidden"]), F.silu)
        blocks.append(m.Block(weights.gain(f"{i}.attention_norm", s["dim"]), attention, weights.gain(f"{i}.ffn_norm", s["dim"]), mlp))
    norm = weights.gain("norm", s["dim"])
    names = [f"{{}}.{n}" for n in ("attention_norm", "wq.weight", "wk.weight", "wv.weight", "wo.weight", "ffn_norm", "w1.weight", "w2.weight", "w3.weight")]
    order = ["tok_embeddings", *(n.format(i) for n in names for i in range(s["layers"])), "norm"]
    freqs = np.outer(np.arange(s["seq"]), 1.0 / THETA ** (np.arange(0, s["head_dim"], 2) / s["head_dim"]))
    tensors = [weights.tensors[n][1] for n in order] + [np.cos(freqs), np.sin(freqs)]
    header = struct.pack("<7i", s["dim"], s["hidden"], s["layers"], s["heads"], s["kv"], s["vocab"], s["seq"])
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tokenizer(folder, s["vocab"])
    (folder / "model.bin").write_bytes(header + b"".join(np.asarray(t, "<f4").tobytes() for t in tensors))
    # tokenizer.py's export(): the longest token, then score, length and bytes of each
    tokens = ["<unk>", "\n<s>\n", "\n</s>\n", *(f"<0x{b:02X}>" for b in range(256)), *(f" w{i}" for i in range(s["vocab"] - 259))]
    data = [t.encode() for t in tokens]
    body = b"".join(struct.pack("<fI", -float(i), len(t)) + t for i, t in enumerate(data))
    (folder / "tokenizer.bin").write_bytes(struct.pack("<I", max(map(len, data))) + body)
    return m.Model(embed, blocks, norm, embed)


def mixtral_packed(folder, seed):
    """The same with packed ternary experts and attention, as MoE-BitNet158 trains them."""
    weights = Weights(seed, "F16")
    linear = lambda *a: packed(*a, multiply=False)
    names = ("block_sparse_moe.gate", *(f"block_sparse_moe.experts.{{}}.w{i}" for i in (1, 3, 2)))
    model = llama_model(weights, linear, F.silu, tied=False, ffn=mixture(linear, F.silu, spread_router, names))
    quantization = {"quant_method": "bitnet", "modules_to_not_convert": ["lm_head", "gate"]}
    more = dict(model_type="mixtral", num_local_experts=EXPERTS, num_experts_per_tok=USED, quantization_config=quantization)
    write_hf(folder, weights, llama_config("silu", False, **more))
    return model


FLOATS = "its weights are floats"
FAMILIES = {
    "bitnet": Family(bitnet),
    "bitnet-bf16": Family(bitnet_bf16),
    "llama-packed": Family(llama_packed),
    "1bitllm": Family(onebit),
    "llama": Family(llama, no_image=FLOATS),
    "llama-absmean": Family(llama_absmean, options=("--quantize", "absmean")),
    "llama-sign": Family(llama_sign, options=("--quantize", "sign")),
    "trilm": Family(trilm),
    "olmo": Family(olmo),
    "olmo-affine": Family(lambda folder, seed: olmo(folder, seed, affine=True), no_image="its BitLinear divides by the norm of what a gain has changed"),
    "mixtral": Family(mixtral, no_image=FLOATS),
    "mixtral-packed": Family(mixtral_packed, mixture=True),
    "bitnet-experts": Family(bitnet_experts, mixture=True),
    "llama2c": Family(llama2c, "model.bin", no_image=FLOATS),
}
