"""The tiny random models. Scales and gains keep every part alive: scores that differ, gates that open, logits
that are not constant."""

import json
import math

from . import image as im
from . import numerics as nm
from . import packing as pk
from . import small_tokenizers as small
from . import tokenizer as tk
from .sampler import Pcg32

PLANES_TOP = {2: 4, 3: 13, 4: 40, 5: 121, 16: 127, 17: 7}
GAIN_EXP = -14
SEQ_LEN, CONTEXT = 320, 256


def scale(value):
    m, e = math.frexp(value)
    return nm.scale_of(int(m * 2**40), e - 40)


class Maker:
    """Random sections of one model."""

    def __init__(self, seed, row_wise):
        self.rng, self.row_wise = Pcg32(seed), row_wise

    def gain(self, kind, n, size, layer=0):
        """Around `size`, one in eight negative."""
        sign = [-1 if self.rng.below(8) == 0 else 1 for _ in range(n)]
        values = [s * round(size * (0.5 + self.rng.rand32() / 2**32) * 2**-GAIN_EXP) for s in sign]
        return im.gain(kind, values, GAIN_EXP, layer)

    def linear(self, kind, rows, cols, size, layer):
        """Ternary, a third zeros: outputs of about `size` for inputs of about 1."""
        matrix = [[self.rng.below(3) - 1 for _ in range(cols)] for _ in range(rows)]
        unit = size / math.sqrt(cols * 2 / 3)
        if not self.row_wise:
            return im.tensor(kind, matrix, pk.TRITS_1, layer, scale=scale(unit))
        scales = [scale(unit * (0.5 + self.rng.rand32() / 2**32)) for _ in range(rows)]
        scales[self.rng.below(rows)] = nm.ZERO_SCALE
        return im.tensor(kind, matrix, pk.TRITS_1, layer, row_scales=scales)

    def table(self, kind, rows, cols, packing, size, silent, layer=0):
        """Embedding, head or router, entries of about `size`, absmax of each row used in full. Rows of `silent` ids are
        zero (the end of text, so that no run of a transcript ends early)."""
        top, matrix, scales = PLANES_TOP[packing], [], []
        for row in range(rows):
            values = [self.rng.gauss() for _ in range(cols)]
            largest = max(abs(v) for v in values)
            if row in silent:
                values, largest = [0] * cols, 0
            matrix.append([round(v / largest * top) if largest else 0 for v in values])
            scales.append(scale(size * largest / top) if largest else nm.ZERO_SCALE)
        return im.tensor(kind, matrix, packing, layer, row_scales=scales)


def layer_sections(make, c, i, sizes):
    dim, hidden, q = c["dim"], c["hidden_dim"], c["n_heads"] * c["head_dim"]
    kv = c["n_kv_heads"] * c["head_dim"]
    out = [
        make.gain(im.ATTN_NORM, dim, 1, i),
        make.linear(im.ATTN_Q, q, dim, sizes["qk"], i),
        make.linear(im.ATTN_K, kv, dim, sizes["qk"], i),
        make.linear(im.ATTN_V, kv, dim, 1, i),
    ]
    if c["sub_norm"]:
        out.append(make.gain(im.ATTN_SUB_NORM, q, 1, i))
    out.append(make.linear(im.ATTN_O, dim, q, sizes["o"], i))
    out.append(make.gain(im.FFN_NORM, dim, 1, i))
    if c["n_experts"]:
        out.append(make.table(im.ROUTER, c["n_experts"], dim, 16, sizes["router"] / math.sqrt(dim), (), i))
    for expert in range(max(1, c["n_experts"])):
        parts = [make.linear(im.FFN_GATE, hidden, dim, 1.5, i), make.linear(im.FFN_UP, hidden, dim, 1.5, i)]
        if c["sub_norm"]:
            parts.append(make.gain(im.FFN_SUB_NORM, hidden, 1, i))
        parts.append(make.linear(im.FFN_DOWN, dim, hidden, sizes["down"], i))
        for part in parts:
            part.expert = expert
        out += parts
    return out


def build(name, seed, tokenizer, shape, sizes, embed, head=None, row_wise=False, chat=None, silent=()):
    """The image of one model. shape: configuration fields; embed and head: packing codes (no head: tied)."""
    make = Maker(seed, row_wise)
    c = {
        "n_layers": 2,
        "seq_len": SEQ_LEN,
        "vocab_size": len(tokenizer.tokens),
        "tied": int(head is None),
        "n_experts": 0,
        "n_experts_used": 0,
        "weights": 0,
        "rope_theta": scale(shape.pop("theta")),
        "norm_eps": scale(1e-5),
        "residual_frac": 16,
        "attn_scale": scale(1 / math.sqrt(shape["head_dim"])),
        "n_stop": 0,
        "default_context": CONTEXT,
        **shape,
    }
    theta = c["rope_theta"][0] * 2.0 ** c["rope_theta"][1]
    tables = im.pack_tables(nm.EXP2, nm.SIGMOID, nm.SINE, nm.rope_inc(theta, c["head_dim"]))
    sections = [im.Section(im.CONFIG, im.pack_config(c)), im.Section(im.TOKENIZER, tokenizer.section())]
    if chat:
        sections.append(im.Section(im.CHAT, chat))
    meta = json.dumps({"licence": "MIT", "source": f"random weights, seed {seed}"}).encode()
    sections += [im.Section(im.META, meta), im.Section(im.TABLES, tables)]
    sections.append(make.table(im.EMBED, c["vocab_size"], c["dim"], embed, sizes["embed"], silent))
    for i in range(c["n_layers"]):
        sections += layer_sections(make, c, i, sizes)
    sections.append(make.gain(im.FINAL_NORM, c["dim"], sizes["final"]))
    if head is not None:
        sections.append(make.table(im.HEAD, c["vocab_size"], c["dim"], head, 1, silent))
    return im.write(name, sections)


def chat_items(first, following):
    return im.cstruct("<%dI", [len(first), len(following), *first, *following])


def relu2():
    """As BitNet b1.58 2B4T: sub-norms, squared ReLU, grouped queries; tied embedding of 4 planes."""
    shape = {"dim": 64, "hidden_dim": 112, "n_heads": 4, "n_kv_heads": 2, "head_dim": 16, "theta": 500000}
    shape.update(activation=1, sub_norm=1, head_act_max=4095, bos=0, eos=1, add_bos=1)
    tokenizer = small.byte_level(38, [b"<s>", b"</s>"])
    sizes = {"embed": 0.35, "qk": 1.3, "o": 0.9, "down": 0.9, "final": 0.8}
    return build("relu2", 37, tokenizer, shape, sizes, embed=4, silent=(1,))


def silu():
    """Sub-norms with SwiGLU, a head of its own (int8), an embedding of 3 planes, a scale for each row, odd sizes."""
    shape = {"dim": 48, "hidden_dim": 90, "n_heads": 3, "n_kv_heads": 3, "head_dim": 20, "theta": 10000}
    shape.update(activation=0, sub_norm=1, head_act_max=4095, bos=0, eos=1, add_bos=1)
    specials = [b"<s>", b"</s>", b"<user>", b"<model>"]
    order = sorted(range(256), key=lambda byte: byte * 101 % 256)
    tokenizer = small.byte_level(21, specials, order)
    chat = chat_items([0, 2, tk.NONE, 3], [1, 2, tk.NONE, 3])
    sizes = {"embed": 1.0, "qk": 1.4, "o": 0.7, "down": 0.7, "final": 0.35}
    return build("silu", 22, tokenizer, shape, sizes, embed=3, head=16, row_wise=True, chat=chat, silent=(1,))


def llama():
    """No sub-norms, SiLU, one kv head, tied int4 embedding, int8 head activations, dim no multiple of 5."""
    shape = {"dim": 52, "hidden_dim": 77, "n_heads": 3, "n_kv_heads": 1, "head_dim": 16, "theta": 10000}
    shape.update(activation=0, sub_norm=0, head_act_max=127, bos=1, eos=2, add_bos=1)
    pieces, _ = small.piece_list(14)
    characters = [bytes([b]) for b in b" ,.aehilmnorst"] + ["é".encode()]
    pieces = [p for p in pieces if all(bytes([b]) in characters for b in p)]
    tokenizer = small.sentencepiece(pieces, tk.ADD_SPACE_PREFIX | tk.BYTE_FALLBACK, characters)
    sizes = {"embed": 0.3, "qk": 1.3, "o": 1.6, "down": 0.7, "final": 0.8}
    return build("llama", 31, tokenizer, shape, sizes, embed=17, silent=(2,))


def experts():
    """Five experts of which each token takes two, in each of two layers; sub-norms, SwiGLU, a scale for each row."""
    shape = {"dim": 40, "hidden_dim": 44, "n_heads": 4, "n_kv_heads": 2, "head_dim": 10, "theta": 10000}
    shape.update(activation=0, sub_norm=1, head_act_max=4095, bos=0, eos=1, add_bos=1, n_experts=5, n_experts_used=2)
    tokenizer = small.byte_level(30, [b"<s>", b"</s>"])
    sizes = {"embed": 0.35, "qk": 1.3, "o": 0.9, "down": 1.2, "final": 0.8, "router": 1.5}
    return build("experts", 53, tokenizer, shape, sizes, embed=4, row_wise=True, silent=(1,))


MODELS = {"relu2": relu2, "silu": silu, "llama": llama, "experts": experts}
