#!/usr/bin/env python3
"""The models of this folder in float64 against the integer forward pass: catches a mistake of NUMERICS.md itself.

Published semantics (BitNet b1.58: RMSNorm, int8 absmax activations per token, ternary weights times their scale; Llama:
rotate-half RoPE, softmax attention), from the image's dequantised tensors, with no table or fixed point. The variants
tell where a difference comes from: `float` quantises the activations of BitLinears and nothing else (the published
model); `kv8` also rounds keys and values to int8 per head; `no act8` quantises nothing; `nudged` is `float` with
embeddings changed by one part in 10,000: how far roundings that fall to the other side carry in a random model, whoever
computes it. The stages are measured on the integer pass's own inputs (py/stages.py): there a wrong formula has nowhere
to hide, and main() refuses one."""

import contextlib
import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

from py import image as im  # noqa: E402
from py import numerics as nm  # noqa: E402
from py.forward import Model  # noqa: E402
from py.sampler import Pcg32  # noqa: E402
from py.stages import Watch  # noqa: E402

POSITIONS = 200
# Largest and mean error that each stage may show.
BOUNDS = {
    "rope, relative": (2e-4, 1e-4),
    "attention of a head, relative": (6e-3, 1.5e-3),
    "combined heads, relative": (1e-8, 5e-9),
    "gated product, relative": (5e-4, 2e-4),
    "weights of the experts, relative": (1.5e-3, 8e-4),
    "quantise, largest rounding in steps": (0.6, 0.5),
    "norm_quantise, largest rounding in steps": (0.65, 0.5),
    "norm_quantise, relative error of the scale": (1e-4, 2e-5),
}


def real(scale):
    return scale[0] * 2.0 ** scale[1]


def dense(section):
    """A tensor's real weights."""
    rows = section.matrix()
    if section.row_scales is not None:
        scales = [real(s) for s in section.row_scales]
    else:
        scales = [real(section.scale)] * len(rows)
    return [[w * s for w in row] for row, s in zip(rows, scales)]


def matvec(matrix, x):
    return [sum(w * v for w, v in zip(row, x)) for row in matrix]


def absmax_round(x, qmax):
    largest = max(abs(v) for v in x)
    unit = largest / qmax
    return [round(v / unit) * unit for v in x] if largest else x


def rms_norm(x, gain, eps):
    rms = math.sqrt(sum(v * v for v in x) / len(x) + eps)
    return [v / rms * g for v, g in zip(x, gain)]


def rope(head, position, theta):
    half = len(head) // 2
    out = list(head)
    for j in range(half):
        angle = position * theta ** (-2 * j / len(head))
        sin, cos = math.sin(angle), math.cos(angle)
        out[j] = head[j] * cos - head[j + half] * sin
        out[j + half] = head[j + half] * cos + head[j] * sin
    return out


class FloatModel:
    def __init__(self, data, act8=True, kv8=False, nudge=0.0):
        sections = im.read(data)
        self.config = im.unpack_config(sections[im.CONFIG, 0].data)
        self.act8, self.kv8 = act8, kv8
        self.theta, self.eps = real(self.config["rope_theta"]), real(self.config["norm_eps"])
        self.tensors = {}
        for key, section in sections.items():
            if section.packing == 32:
                self.tensors[key] = [v * 2.0 ** section.scale[1] for v in section.matrix()[0]]
            elif section.packing:
                self.tensors[key] = dense(section)
        rng = Pcg32(5)
        embed = self.tensors[im.EMBED, 0]
        self.embed = [[v * (1 + nudge * rng.gauss()) for v in row] for row in embed] if nudge else embed
        self.cache = [[[] for _ in range(self.config["n_kv_heads"])] for _ in range(self.config["n_layers"])]
        self.position = 0
        self.chosen = []

    def linear(self, kind, layer, x, expert=0):
        """A BitLinear. x is not rounded yet."""
        return matvec(self.tensors[im.key(kind, layer, expert)], absmax_round(x, 127) if self.act8 else x)

    def norm(self, kind, layer, x, expert=0):
        return rms_norm(x, self.tensors[im.key(kind, layer, expert)], self.eps)

    def heads(self, y):
        size = self.config["head_dim"]
        return [y[i : i + size] for i in range(0, len(y), size)]

    def attention(self, layer, x):
        q = [rope(h, self.position, self.theta) for h in self.heads(self.linear(im.ATTN_Q, layer, x))]
        k = [rope(h, self.position, self.theta) for h in self.heads(self.linear(im.ATTN_K, layer, x))]
        v = self.heads(self.linear(im.ATTN_V, layer, x))
        for cache, key, value in zip(self.cache[layer], k, v):
            cache.append((absmax_round(key, 127), absmax_round(value, 127)) if self.kv8 else (key, value))
        group = len(q) // len(k)
        out = []
        for i, query in enumerate(q):
            cache = self.cache[layer][i // group]
            scores = [sum(a * b for a, b in zip(query, key)) / math.sqrt(len(query)) for key, _ in cache]
            weights = [math.exp(s - max(scores)) for s in scores]
            total = sum(weights)
            out += [sum(w * value[j] for w, (_, value) in zip(weights, cache)) / total for j in range(len(query))]
        return out

    def feed_forward(self, layer, x, expert=0):
        gate, up = self.linear(im.FFN_GATE, layer, x, expert), self.linear(im.FFN_UP, layer, x, expert)
        if self.config["activation"] == 1:
            hidden = [max(g, 0.0) ** 2 * u for g, u in zip(gate, up)]
        else:
            hidden = [g / (1 + math.exp(-g)) * u for g, u in zip(gate, up)]
        hidden = self.norm(im.FFN_SUB_NORM, layer, hidden, expert) if self.config["sub_norm"] else hidden
        return self.linear(im.FFN_DOWN, layer, hidden, expert)

    def experts(self, layer, x):
        """As Mixtral: a plain linear router, softmax over all experts, the largest divided by their sum."""
        logits = matvec(self.tensors[im.ROUTER, layer], x)
        every = [math.exp(v - max(logits)) for v in logits]
        probabilities = [v / sum(every) for v in every]
        order = sorted(range(len(logits)), key=lambda e: -probabilities[e])[: self.config["n_experts_used"]]
        self.chosen.append(set(order))
        total = sum(probabilities[e] for e in order)
        outputs = [(probabilities[e] / total, self.feed_forward(layer, x, e)) for e in order]
        return [sum(w * y[i] for w, y in outputs) for i in range(len(x))]

    def step(self, token):
        x = list(self.embed[token])
        sub_norm = self.config["sub_norm"]
        for layer in range(self.config["n_layers"]):
            heads = self.attention(layer, self.norm(im.ATTN_NORM, layer, x))
            heads = self.norm(im.ATTN_SUB_NORM, layer, heads) if sub_norm else heads
            x = [a + b for a, b in zip(x, self.linear(im.ATTN_O, layer, heads))]
            normed = self.norm(im.FFN_NORM, layer, x)
            mixed = self.experts(layer, normed) if self.config["n_experts"] else self.feed_forward(layer, normed)
            x = [a + b for a, b in zip(x, mixed)]
        x = self.norm(im.FINAL_NORM, 0, x)
        x = absmax_round(x, self.config["head_act_max"]) if self.act8 else x
        self.position += 1
        return matvec(self.tensors[im.EMBED if self.config["tied"] else im.HEAD, 0], x)


def loss(logits, target):
    top = max(logits)
    return top + math.log(sum(math.exp(v - top) for v in logits)) - logits[target]


def logits_of(model, ids):
    return [model.step(token) for token in ids]


def compare(a, b, targets):
    """Largest and RMS logit difference, top-1 agreement, losses."""
    differences = [x - y for r, s in zip(a, b) for x, y in zip(r, s)]
    agree = sum(r.index(max(r)) == s.index(max(s)) for r, s in zip(a, b))
    losses = [sum(loss(r, t) for r, t in zip(rows, targets)) / len(targets) for rows in (a, b)]
    rms = math.sqrt(sum(d * d for d in differences) / len(differences))
    return max(abs(d) for d in differences), rms, agree, losses


def report_stages(errors):
    """Prints them; the number of stages out of their bounds."""
    bad = 0
    for name, (largest, mean) in BOUNDS.items():
        if not errors[name]:
            continue  # a model without experts
        found = (max(errors[name]), sum(errors[name]) / len(errors[name]))
        inside = found[0] <= largest and found[1] <= mean
        bad += not inside
        print(
            f"  {name:44} max {found[0]:.2e} mean {found[1]:.2e} of {len(errors[name])}{'' if inside else '  TOO FAR'}"
        )
    return bad


@contextlib.contextmanager
def chosen_by(numerics):
    """The sets of experts that the integer pass chooses, layer after layer."""
    chosen, choose = [], numerics.choose_experts

    def watched(*arguments):
        result = choose(*arguments)
        chosen.append({e for e, _ in result})
        return result

    numerics.choose_experts = watched
    yield chosen
    numerics.choose_experts = choose


def main():
    bad = 0
    for path in sorted(HERE.glob("*.trit")):
        data = path.read_bytes()
        integer = Model(data)
        rng = Pcg32(99)
        ids = [rng.below(integer.config["vocab_size"]) for _ in range(POSITIONS + 1)]
        with Watch() as errors, chosen_by(nm) as chosen:
            got = [[v / 65536 for v in row] for row in logits_of(integer, ids[:-1])]
        spread = math.sqrt(sum(v * v for row in got for v in row) / sum(len(row) for row in got))
        print(f"{path.name}: {POSITIONS} random ids, logits RMS {spread:.3f}")
        variants = {
            "float": FloatModel(data),
            "kv8": FloatModel(data, kv8=True),
            "no act8": FloatModel(data, act8=False),
            "nudged": FloatModel(data, nudge=1e-4),
        }
        rows = {name: logits_of(model, ids[:-1]) for name, model in variants.items()}
        rows["integer"] = got
        bad += report_stages(errors)
        for name, model in variants.items():
            same = sum(a == b for a, b in zip(chosen, model.chosen))
            if chosen:
                print(f"  integer  and     {name:8} choose the same experts in {same} of {len(chosen)} layers")
        pairs = ("integer float", "integer kv8", "float kv8", "float no act8", "float nudged")
        for a, b in (pair.split(" ", 1) for pair in pairs):
            largest, rms, agree, losses = compare(rows[a], rows[b], ids[1:])
            print(
                f"  {a:8} against {b:8} max |d| {largest:.4f}  RMS {rms:.4f}  top-1 {agree}/{POSITIONS}"
                f"  loss {losses[0]:.4f} {losses[1]:.4f}"
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
