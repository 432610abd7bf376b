"""NUMERICS.md: scales, quantisation, norms, RoPE, attention, activations. A scale is a pair (m, e), a vector a list."""

import math

ACT_MAX, Q_MAX, KV_MAX = 127, 2047, 127
LOGIT_FRAC = 16
QUANT_SHIFT = {127: 24, 2047: 20, 4095: 19}
ZERO_SCALE = (0, 0)
ONE = (32768, -15)
LOG2E = (47274, -15)
KV_EXP_MIN = -50


def table(values):
    """Rounded to integers; refuses a value so near to a half that another libm could round it elsewhere."""
    out = []
    for value in values:
        assert abs(value - math.floor(value) - 0.5) > 1e-7, value
        out.append(round(value))
    return out


EXP2 = table(2**15 * 2 ** (-f / 256) for f in range(256))
SIGMOID = table(32768 / (1 + math.exp(-i / 16)) if i else 16384 for i in range(257))
SINE = table(32767 * math.sin(math.pi * k / 2048) for k in range(1025))


def fits(v, bits):
    """v, which the page bounds by 2^bits."""
    assert abs(v) <= 1 << bits, (v, bits)
    return v


def clamp(v, low, high):
    return min(max(v, low), high)


def sat32(v):
    return clamp(v, -(1 << 31), (1 << 31) - 1)


def round_shift(v, s):
    fits(v, 62)
    if s > 62:
        return 0
    if s > 0:
        return (v + (1 << (s - 1))) >> s
    return clamp(v << min(-s, 64), -(1 << 62), 1 << 62)


def absmax(x):
    return max((abs(v) for v in x), default=0)


# Scales


def scale_of(v, e):
    if v == 0:
        return ZERO_SCALE
    n = v.bit_length() - 16
    m = round_shift(v, n)
    if m == 65536:
        m, n = 32768, n + 1
    return (m, e + n)


def scale_mul(a, b):
    return scale_of(a[0] * b[0], a[1] + b[1])


def apply(v, s, f):
    if s[0] == 0:
        return 0
    fits(v, 46)
    return sat32(round_shift(v * s[0], -(s[1] + f)))


# Quantisation


def absmax_quantise(t, qmax):
    """The integers q with M (16 bits) and sh: a unit of q is M * 2^sh / qmax of a unit of t. M = 0 for zeros."""
    m64 = absmax(t)
    if m64 == 0:
        return [0] * len(t), 0, 0
    sh = m64.bit_length() - 16
    m = round_shift(m64, sh)
    z = QUANT_SHIFT[qmax]
    r = (qmax << z) // m
    q = []
    for v in t:
        product = round_shift(v, sh) * r + (1 << (z - 1))
        assert -(1 << 31) <= product < 1 << 31
        q.append(product >> z)
    assert absmax(q) <= qmax
    return q, m, sh


def quantise(x, s, qmax):
    if s[0] == 0:
        return [0] * len(x), ZERO_SCALE
    q, m, sh = absmax_quantise(x, qmax)
    return q, scale_of((m * s[0] << 16) // qmax, s[1] + sh - 16)


def norm_quantise(x, s, gain, gain_exp, eps, qmax):
    n = len(x)
    if s[0] == 0:
        return [0] * n, ZERO_SCALE
    q, m, sh = absmax_quantise([fits(v * g, 46) for v, g in zip(x, gain)], qmax)
    if m == 0:
        return q, ZERO_SCALE
    k = max(0, absmax(x).bit_length() - 15)
    ss = fits(sum(round_shift(v, k) ** 2 for v in x), 45)
    a = fits((eps[0] * n) << 31, 62) // (s[0] * s[0])
    v = ss + min(round_shift(a, -(eps[1] - 2 * s[1] - 2 * k - 31)), 1 << 60)
    z1 = even_shift(v)
    u = (v << z1) // n
    z2 = even_shift(u)
    root = math.isqrt(u << z2)
    assert 1 << 30 <= root < 1 << 31
    half = (z1 + z2) // 2
    return q, scale_of(fits(m << 46, 62) // (root * qmax), sh + gain_exp - 46 + half - k)


def even_shift(v):
    """The even number z with v << z in [2^60, 2^62)."""
    z = (62 - v.bit_length()) & ~1
    assert z >= 0 and 1 << 60 <= v << z < 1 << 62
    return z


def normalise(x, b):
    """y and d: |y| <= 2^b, a unit of y is 2^d units of x."""
    largest = absmax(x)
    d = largest.bit_length() - b if largest else 0
    return [round_shift(v, d) for v in x], d


def bitlinear_rows(acc, sq, row_scales):
    """Row-wise weight scales: the block vector (y, scale)."""
    exponents = [e for m, e in row_scales if m]
    top = max(exponents, default=0)
    y = [round_shift(a * m, 8 + top - e) if m else 0 for a, (m, e) in zip(acc, row_scales)]
    return y, scale_mul(sq, (32768, top - 15 + 8))


def add_residual(x, y, scale, residual_frac):
    return [sat32(a + apply(b, scale, residual_frac)) for a, b in zip(x, y)]


# RoPE


def rope_inc(theta, head_dim):
    turns = [theta ** (-2 * j / head_dim) / (2 * math.pi) * 2**32 for j in range(head_dim // 2)]
    return [t & 0xFFFFFFFF for t in table(turns)]


def sin15(phase):
    quadrant, p = phase >> 30, phase & ((1 << 30) - 1)
    if quadrant & 1:
        p = (1 << 30) - p
    i, f = p >> 20, (p >> 4) & 65535
    value = SINE[1024] if i == 1024 else SINE[i] + (((SINE[i + 1] - SINE[i]) * f + 32768) >> 16)
    return -value if quadrant & 2 else value


def cos15(phase):
    return sin15((phase + (1 << 30)) & 0xFFFFFFFF)


def rope(x, s, position, inc):
    """One head: the rotated block vector."""
    y, d = normalise(x, 15)
    half = len(x) // 2
    out = [0] * len(x)
    for j in range(half):
        phase = (position * inc[j]) & 0xFFFFFFFF
        sin, cos = sin15(phase), cos15(phase)
        a, b = y[j], y[j + half]
        out[j] = a * cos - b * sin
        out[j + half] = b * cos + a * sin
    assert absmax(out) < 1 << 31
    return out, (s[0], s[1] + d - 15) if s[0] else ZERO_SCALE


# KV cache and attention


def kv_scale_word(s):
    m, e = s
    if m == 0:
        return 0
    m11, e = (m + 16) >> 5, e + 5
    if m11 == 2048:
        m11, e = 1024, e + 1
    biased = e - KV_EXP_MIN
    if biased < 0:
        return 0
    if biased > 63:
        return 65535
    return biased << 10 | (m11 & 1023)


def kv_scale_parts(word):
    """Mantissa 1024..2047 (0: the zero scale) and exponent."""
    if word == 0:
        return 0, 0
    return 1024 + (word & 1023), (word >> 10) + KV_EXP_MIN


def attention(q, sq, attn_scale, keys, k_words, values, v_words):
    """One head over the positions given. keys and values: lists of int8 lists. Returns o, so and the steps between."""
    c = scale_mul(scale_mul(sq, LOG2E), attn_scale)
    z = []
    for key, word in zip(keys, k_words):
        mk, ek = kv_scale_parts(word)
        dot = sum(a * b for a, b in zip(q, key))
        z.append(sat32(round_shift(dot * mk * c[0], -(c[1] + ek + 16))) if mk and c[0] else 0)
    top = max(z)
    p = []
    for v in z:
        d = (top - v + 128) >> 8
        i = d >> 8
        p.append(0 if i > 15 else EXP2[d & 255] >> i)
    total = sum(p)
    parts = [kv_scale_parts(word) for word in v_words]
    heard = [j for j in range(len(p)) if p[j] > 0 and parts[j][0]]
    steps = {"z": z, "p": p, "total": total}
    if not heard:
        return [0] * len(q), ZERO_SCALE, steps
    ev = max(parts[j][1] for j in heard)
    g = [0] * len(p)
    for j in heard:
        g[j] = (p[j] * parts[j][0]) >> min(31, ev - parts[j][1])
    sh = max(0, absmax(g).bit_length() - 15)
    w = [v >> sh for v in g]
    o = [sum(w[j] * values[j][i] for j in heard) for i in range(len(q))]
    m, e = scale_of((1 << 46) // total, ev + sh - 46)
    d = absmax(o).bit_length() - 24
    if d > 0:
        o, e = [round_shift(v, d) for v in o], e + d
    return o, (m, e), steps


def combine_heads(heads):
    """All heads' (o, so) as one block vector."""
    tops = [absmax(o).bit_length() + so[1] + 16 for o, so in heads if any(o)]
    if not tops:
        return [0] * sum(len(o) for o, _ in heads), (32768, 0)
    e_x = max(tops) - 30
    x = [fits(round_shift(v * so[0], e_x - so[1]), 30) if v else 0 for o, so in heads for v in o]
    return x, (32768, e_x - 15)


# Experts


def choose_experts(logits, used):
    """The chosen experts in order, each with its weight: [(expert, scale)]."""
    order = sorted(range(len(logits)), key=lambda e: (-logits[e], e))[:used]
    p = []
    for e in order:
        d = round_shift((logits[order[0]] - logits[e]) * LOG2E[0], 23)
        i = d >> 8
        p.append((EXP2[d & 255] << 15) >> i if i <= 30 else 0)
    total = fits(sum(p), 38)
    return [(e, scale_of(fits(v << 32, 62) // total, -32)) for e, v in zip(order, p)]


def mix_experts(x, outputs, weights, residual_frac):
    """The residual after the chosen experts' outputs (y, scale), one after the other."""
    for (y, s), weight in zip(outputs, weights):
        x = add_residual(x, y, scale_mul(s, weight), residual_frac)
    return x


# Feed-forward


def sigmoid15(t):
    """Of t with 10 fraction bits, with 15."""
    n = abs(t)
    if n >= 16384:
        value = 32768
    else:
        i, f = n >> 6, n & 63
        value = SIGMOID[i] + (((SIGMOID[i + 1] - SIGMOID[i]) * f + 32) >> 6)
    return 32768 - value if t < 0 else value


def gated(g, sg, u, su, squared_relu):
    """relu(g)^2 * u or silu(g) * u as a block vector."""
    gn, dg = normalise(g, 15)
    un, du = normalise(u, 15)
    if squared_relu:
        a = [max(v, 0) ** 2 for v in gn]
        sa = scale_mul((sg[0], sg[1] + dg), (sg[0], sg[1] + dg))
    else:
        a = [v * sigmoid15(apply(raw, sg, 10)) for v, raw in zip(gn, g)]
        sa = (sg[0], sg[1] + dg - 15)
    h = [round_shift(fits(v * w, 45), 15) for v, w in zip(a, un)]
    return h, scale_mul(sa, (su[0], su[1] + du + 15))
