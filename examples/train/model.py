"""The ternary transformer, for training.

Three variants of one decoder (pre-norm, RoPE, grouped-query attention, gated FFN, no biases):

  relu2_subln   BitNet b1.58 2B-4T: RMSNorm before o and down (attn_sub_norm, ffn_sub_norm), relu(gate)^2 * up
  swiglu_subln  the same with silu(gate) * up
  llama         plain Llama: no sub norms, silu(gate) * up

With "ternary": false in the configuration no weight and no activation is rounded: the float model of the same shape.
With "bf16": true products are taken in bfloat16 while training, never when a model is evaluated.

A BitLinear multiplies ternary weights (absmean, one scale a tensor) with int8 activations (absmax, one scale a token).
Both quantisers pass gradients straight through. reference.py repeats the inference half of this file independently.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

DEFAULTS = dict(vocab_size=1024, seq_len=256, head_dim=32, rope_theta=10000.0, rms_eps=1e-5, tied=True, ternary=True, bf16=False)


def ternary(w):
    """absmean: w -> s * trits, straight through."""
    s = w.detach().abs().mean().clamp(min=1e-5)
    q = (w.detach() / s).round_().clamp_(-1, 1).mul_(s)
    return w + (q - w.detach())


class _Absmax(torch.autograd.Function):
    """Per-token int8 fake quantisation, straight through."""

    @staticmethod
    def forward(ctx, x):
        s = 127.0 / x.abs().amax(-1, keepdim=True).clamp_(min=1e-5)
        return (x * s).round_().clamp_(-128, 127).div_(s)

    @staticmethod
    def backward(ctx, dy):
        return dy


class _Linear16(torch.autograd.Function):
    """x (..., n) times w (m, n) transposed, with operands and results in bfloat16 and sums in float32: half the time of float32 on a CPU with AVX512_BF16."""

    @staticmethod
    def forward(ctx, x, w):
        a, b = x.reshape(-1, x.shape[-1]).bfloat16(), w.bfloat16()
        ctx.save_for_backward(a, b)
        ctx.shape = x.shape
        return torch.mm(a, b.t()).float().view(*x.shape[:-1], w.shape[0])

    @staticmethod
    def backward(ctx, dy):
        a, b = ctx.saved_tensors
        d = dy.reshape(-1, dy.shape[-1]).bfloat16()
        return torch.mm(d, b).float().view(ctx.shape), torch.mm(d.t(), a).float()


def linear(module, x, w):
    """x times w transposed, as the module's configuration and state say."""
    return _Linear16.apply(x, w) if module.training and module.c["bf16"] else F.linear(x, w)


class Dropout(nn.Module):
    """Dropout whose masks are pieces of a pool of random ones, drawn anew every few hundred uses: drawing a mask a time took 10 % of a step (measured)."""

    POOL, USES = 1 << 20, 500

    def __init__(self, p):
        super().__init__()
        self.p, self.pool, self.uses = p, None, 0

    def forward(self, x):
        n = x.numel()
        if not self.training or self.p == 0:
            return x
        if self.pool is None or self.uses == self.USES or n > self.pool.numel() // 2:
            self.pool, self.uses = torch.empty(max(self.POOL, 2 * n)).bernoulli_(1 - self.p).div_(1 - self.p), 0
        self.uses += 1
        at = torch.randint(self.pool.numel() - n + 1, ()).item()
        return x * self.pool[at : at + n].view(x.shape)


class _RmsNorm(torch.autograd.Function):
    """RMSNorm with gain, and optionally absmax after it, in one node: fewer passes over memory than autograd's own."""

    @staticmethod
    def forward(ctx, x, gain, eps, quantise):
        r = (torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(eps)).rsqrt_()
        xn = x * r
        ctx.save_for_backward(xn, r, gain)
        y = xn * gain
        if quantise:
            s = 127.0 / y.abs().amax(-1, keepdim=True).clamp_(min=1e-5)
            y = y.mul_(s).round_().clamp_(-128, 127).div_(s)
        return y

    @staticmethod
    def backward(ctx, dy):
        xn, r, gain = ctx.saved_tensors
        t = dy * xn
        dgain = t.sum(dim=tuple(range(t.dim() - 1)))
        m = torch.mv(t.view(-1, t.shape[-1]), gain / t.shape[-1]).view(r.shape)
        return torch.addcmul(dy * gain, xn, m, value=-1).mul_(r), dgain, None, None


class _Relu2Glu(torch.autograd.Function):
    """relu(gate)^2 * up."""

    @staticmethod
    def forward(ctx, gate, up):
        a = gate.relu()
        ctx.save_for_backward(a, up)
        return (a * a).mul_(up)

    @staticmethod
    def backward(ctx, dy):
        a, up = ctx.saved_tensors
        t = dy * a
        return (t * up).mul_(2), t.mul_(a)


class _Attention(torch.autograd.Function):
    """softmax(alpha * q k^T + mask) v for q (N, G*T, D), k and v (N, T, D), mask (G*T, T).

    The row sums of the softmax gradient are taken from dO * O (N, G*T, D), which saves two passes over (N, G*T, T).
    """

    @staticmethod
    def forward(ctx, q, k, v, mask, alpha):
        p = torch.baddbmm(mask, q, k.transpose(1, 2), alpha=alpha).softmax(-1)
        o = torch.bmm(p, v)
        ctx.save_for_backward(q, k, v, p, o)
        ctx.alpha = alpha
        return o

    @staticmethod
    def backward(ctx, do):
        q, k, v, p, o = ctx.saved_tensors
        dv = torch.bmm(p.transpose(1, 2), do)
        ds = torch.bmm(do, v.transpose(1, 2)).sub_((do * o).sum(-1, keepdim=True)).mul_(p)
        dq = torch.bmm(ds, k).mul_(ctx.alpha)
        dk = torch.bmm(ds.transpose(1, 2), q).mul_(ctx.alpha)
        return dq, dk, dv, None, None


class RmsNorm(nn.Module):
    def __init__(self, dim, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.eps = eps

    def forward(self, x, quantise=False):
        return _RmsNorm.apply(x, self.weight, self.eps, quantise)


def quantise_rows(w, levels):
    """Rows of w (vocab, dim) on a grid of `levels` steps a side: returns integers and one scale a row.

    The scale is the best of eight between 0.65 and 1.0 of absmax / levels, by squared error.
    """
    top = w.abs().amax(-1, keepdim=True).clamp(min=1e-8) / levels
    if levels >= 100:
        return (w / top).round(), top
    best, scale = None, top.clone()
    for f in (1.0, 0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65):
        s = top * f
        err = ((w / s).round().clamp_(-levels, levels).mul_(s) - w).square_().sum(-1, keepdim=True)
        if best is None:
            best = err
        else:
            better = err < best
            best = torch.where(better, err, best)
            scale = torch.where(better, s, scale)
    return (w / scale).round().clamp_(-levels, levels), scale


def levels_of(kind):
    """'float' -> None, 'int8' -> 127, 't<n>' (n balanced trits) -> (3^n - 1) / 2."""
    if kind == "float":
        return None
    return 127 if kind == "int8" else (3 ** int(kind[1:]) - 1) // 2


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.c = c
        d, h, hd = c["dim"], c["hidden_dim"], c["head_dim"]
        q, kv = c["n_heads"] * hd, c["n_kv_heads"] * hd
        shapes = dict(q=(q, d), k=(kv, d), v=(kv, d), o=(d, q), gate=(h, d), up=(h, d), down=(d, h))
        for name, shape in shapes.items():
            std = c.get("init_std", 0.02)
            setattr(self, name, nn.Parameter(torch.randn(shape) * std))
        self.input_layernorm = RmsNorm(d, c["rms_eps"])
        self.post_attention_layernorm = RmsNorm(d, c["rms_eps"])
        self.sub = c["variant"] != "llama"
        if self.sub:
            self.attn_sub_norm = RmsNorm(q, c["rms_eps"])
            self.ffn_sub_norm = RmsNorm(h, c["rms_eps"])
        self.drop = Dropout(c.get("dropout", 0.0))
        self.fixed = {}  # name -> scale * trits, in place of the latent weights (to check an export)

    def weight(self, name):
        if self.fixed:
            return self.fixed[name]
        return ternary(getattr(self, name)) if self.c["ternary"] else getattr(self, name)

    def forward(self, x, cos, sin, mask):
        c = self.c
        B, T, _ = x.shape
        H, K, D = c["n_heads"], c["n_kv_heads"], c["head_dim"]
        G, rounded = H // K, c["ternary"]
        a = self.input_layernorm(x, rounded)
        qkv = linear(self, a, torch.cat([self.weight(n) for n in "qkv"]))
        q, k, v = qkv.split((H * D, K * D, K * D), -1)
        q = rope(q.view(B, T, H, D).transpose(1, 2), cos, sin).reshape(B * K, G * T, D)  # G query heads share one kv head
        k = rope(k.view(B, T, K, D).transpose(1, 2), cos, sin).reshape(B * K, T, D)
        v = v.view(B, T, K, D).transpose(1, 2).reshape(B * K, T, D)
        y = _Attention.apply(q, k, v, mask, 1.0 / math.sqrt(D)).view(B, H, T, D).transpose(1, 2).reshape(B, T, H * D)
        y = self.attn_sub_norm(y, rounded) if self.sub else _Absmax.apply(y) if rounded else y
        x = x + self.drop(linear(self, y, self.weight("o")))
        a = self.post_attention_layernorm(x, rounded)
        gate, up = linear(self, a, self.weight("gate")), linear(self, a, self.weight("up"))
        y = _Relu2Glu.apply(gate, up) if c["variant"] == "relu2_subln" else F.silu(gate) * up
        y = self.ffn_sub_norm(y, rounded) if self.sub else _Absmax.apply(y) if rounded else y
        return x + self.drop(linear(self, y, self.weight("down")))


def rope_angles(c):
    """Position times frequency, float64 (seq_len, head_dim): both halves alike."""
    freq = c["rope_theta"] ** (-torch.arange(0, c["head_dim"], 2, dtype=torch.float64) / c["head_dim"])
    return torch.arange(c["seq_len"], dtype=torch.float64)[:, None] * torch.cat((freq, freq))


def rope(x, cos, sin):
    """rotate_half: x (..., T, D), cos and sin (T, D)."""
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Model(nn.Module):
    def __init__(self, config):
        super().__init__()
        c = self.c = {**DEFAULTS, **config}
        self.embed = nn.Parameter(torch.randn(c["vocab_size"], c["dim"]) * c.get("embed_std", 0.05))
        self.head = None if c["tied"] else nn.Parameter(torch.randn(c["vocab_size"], c["dim"]) * 0.02)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c["n_layers"]))
        self.norm = RmsNorm(c["dim"], c["rms_eps"])
        self.drop = Dropout(c.get("dropout", 0.0))
        self.embed_quant = "float"  # 'float', 'int8' or 't<n>'
        angle = rope_angles(c)
        self.register_buffer("cos", angle.cos().float(), persistent=False)
        self.register_buffer("sin", angle.sin().float(), persistent=False)
        mask = torch.full((c["seq_len"], c["seq_len"]), -1e9).triu(1)
        self.register_buffer("mask", mask, persistent=False)

    def rows(self, w):
        """Embedding rows as the device will hold them."""
        levels = levels_of(self.embed_quant)
        if levels is None:
            return w
        with torch.no_grad():
            q, s = quantise_rows(w, levels)
        return w + (q * s - w).detach()

    def hidden(self, ids):
        """ids (B, T) -> (what the head takes (B, T, dim), the head's rows (vocab, dim))."""
        T = ids.shape[1]
        embed = self.rows(self.embed)
        x = self.drop(F.embedding(ids, embed))
        G = self.c["n_heads"] // self.c["n_kv_heads"]
        mask = self.mask[:T, :T].repeat(G, 1)
        cos, sin = self.cos[:T], self.sin[:T]
        for block in self.blocks:
            x = block(x, cos, sin, mask)
        return self.norm(x), embed if self.head is None else self.rows(self.head)

    def forward(self, ids, targets=None):
        """ids (B, T) -> logits (B, T, vocab), or with targets (B, T) the mean loss in nats; negative targets do not count."""
        logits = F.linear(*self.hidden(ids))
        if targets is None:
            return logits
        return F.cross_entropy(logits.view(ids.numel(), -1), targets.reshape(-1), ignore_index=-1)

    def ternary_weights(self):
        return sum(p.numel() for b in self.blocks for p in (b.q, b.k, b.v, b.o, b.gate, b.up, b.down))
