"""PyTorch modules of the published architectures; all in double, so that no two programs round differently. The published programs, none of whose code is here:

    transformers models/llama, models/bitnet (BitNetAttention, BitNetMLP), integrations/bitnet.py (BitLinear, AutoBitLinear)
    1bitLLM/bitnet_b1_58-*: modeling_bitnet.py, utils_quant.py        NousResearch/OLMo-Bitnet-1B: modeling_olmo.py
    transformers models/mixtral (MixtralSparseMoeBlock)               karpathy/llama2.c: model.py

Written from memory of these and from the papers: OLMo-Bitnet's BitLinear158 (that its norm has no gain and an eps of 1e-5) and llama2.c's model.py were not at hand to be read.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

torch.set_default_dtype(torch.float64)


class NearestTie:
    """How near an activation came to half a step. On the boundary itself the last bit of a double decides, and no two programs need agree."""

    value = math.inf


def activation_quant(x):
    """(quantised values, steps per unit): 127 / absmax of each token, round half to even."""
    s = 127 / x.abs().max(dim=-1, keepdim=True).values.clamp(min=1e-5)
    steps = x * s
    NearestTie.value = min(NearestTie.value, float((steps - steps.floor() - 0.5).abs().min()))
    return steps.round().clamp(-128, 127), s


def weight_quant(w):
    """Absmean in float32, as BitNet checkpoints are quantised when they are loaded: the trits and their scale."""
    w = w.float()
    s = 1.0 / w.abs().mean().clamp(min=1e-5)
    return (w * s).round().clamp(-1, 1).double(), (1 / s).double()


class BitLinear(nn.Module):
    """Packed weights whose weight_scale divides: y = acc / (act_scale * weight_scale)."""

    def __init__(self, trits, weight_scale):
        super().__init__()
        self.trits, self.weight_scale = trits, weight_scale

    def forward(self, x):
        q, s = activation_quant(x)
        return F.linear(q, self.trits) / (s * self.weight_scale)


class AutoBitLinear(nn.Module):
    """Packed weights whose weight_scale multiplies."""

    def __init__(self, trits, weight_scale):
        super().__init__()
        self.trits, self.weight_scale = trits, weight_scale

    def forward(self, x):
        q, s = activation_quant(x)
        return F.linear(q / s, self.trits) * self.weight_scale


class LatentBitLinear(nn.Module):
    """Latent weights, quantised at load; with `norm` the input is normalised first (OLMo-Bitnet's BitLinear158)."""

    def __init__(self, w, norm=None):
        super().__init__()
        trits, scale = weight_quant(w)
        self.w, self.norm = trits * scale, norm

    def forward(self, x):
        if self.norm is not None:
            x = self.norm(x)
        q, s = activation_quant(x)
        return F.linear(q / s, self.w)


class Linear(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.w = w

    def forward(self, x):
        return F.linear(x, self.w)


class RMSNorm(nn.Module):
    def __init__(self, weight, eps):
        super().__init__()
        self.weight, self.eps = weight, eps

    def forward(self, x):
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return x if self.weight is None else self.weight * x


def rotate_half(x):
    """Llama's: element j turns with element j + head_dim / 2. x (T, heads, head_dim)"""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((-b, a), dim=-1)


def rope(x, theta):
    T, _, d = x.shape
    inv_freq = 1.0 / theta ** (torch.arange(0, d, 2) / d)
    angle = torch.arange(T)[:, None] * inv_freq
    angle = torch.cat((angle, angle), dim=-1)[:, None, :]
    return x * angle.cos() + rotate_half(x) * angle.sin()


def rope_interleaved(x, theta):
    """llama2.c's: neighbours turn together, as complex numbers."""
    T, _, d = x.shape
    freqs = 1.0 / theta ** (torch.arange(0, d, 2)[: d // 2] / d)
    turn = torch.polar(torch.ones(T, d // 2), torch.outer(torch.arange(T).double(), freqs))[:, None, :]
    return torch.view_as_real(torch.view_as_complex(x.reshape(*x.shape[:-1], -1, 2)) * turn).flatten(2)


class Attention(nn.Module):
    def __init__(self, q, k, v, o, heads, kv_heads, theta, sub_norm=None, rotate=rope):
        super().__init__()
        self.q, self.k, self.v, self.o, self.sub_norm = q, k, v, o, sub_norm
        self.heads, self.kv_heads, self.theta, self.rotate = heads, kv_heads, theta, rotate

    def forward(self, x):
        T = len(x)
        q = self.rotate(self.q(x).view(T, self.heads, -1), self.theta).transpose(0, 1)
        k = self.rotate(self.k(x).view(T, self.kv_heads, -1), self.theta).transpose(0, 1)
        v = self.v(x).view(T, self.kv_heads, -1).transpose(0, 1)
        k, v = (a.repeat_interleave(self.heads // self.kv_heads, dim=0) for a in (k, v))
        scores = q @ k.transpose(1, 2) / math.sqrt(q.shape[-1])
        scores = scores + torch.full((T, T), -math.inf).triu(1)
        out = (scores.softmax(-1) @ v).transpose(0, 1).reshape(T, -1)
        return self.o(out if self.sub_norm is None else self.sub_norm(out))


class MLP(nn.Module):
    def __init__(self, gate, up, down, act, sub_norm=None):
        super().__init__()
        self.gate, self.up, self.down, self.act, self.sub_norm = gate, up, down, act, sub_norm

    def forward(self, x):
        h = self.act(self.gate(x)) * self.up(x)
        return self.down(h if self.sub_norm is None else self.sub_norm(h))


def relu2(x):
    return F.relu(x) ** 2


class SparseMoe(nn.Module):
    """Softmax over all experts in the router's precision, the top k of them, divided by their sum."""

    def __init__(self, router, experts, top_k):
        super().__init__()
        self.router, self.experts, self.top_k = router, nn.ModuleList(experts), top_k

    def forward(self, x):
        weights, chosen = torch.topk(self.router(x).softmax(-1), self.top_k, dim=-1)
        weights = weights / weights.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for expert, mlp in enumerate(self.experts):
            token, place = torch.where(chosen == expert)
            if len(token):
                out[token] += mlp(x[token]) * weights[token, place, None]
        return out


class Block(nn.Module):
    def __init__(self, attn_norm, attention, ffn_norm, ffn):
        super().__init__()
        self.attn_norm, self.attention, self.ffn_norm, self.ffn = attn_norm, attention, ffn_norm, ffn

    def forward(self, x):
        x = x + self.attention(self.attn_norm(x))
        return x + self.ffn(self.ffn_norm(x))


class Model(nn.Module):
    def __init__(self, embed, blocks, norm, head):
        super().__init__()
        self.embed, self.blocks, self.norm, self.head = embed, nn.ModuleList(blocks), norm, head

    def forward(self, ids):
        x = self.embed[torch.tensor(ids)]
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.head)
