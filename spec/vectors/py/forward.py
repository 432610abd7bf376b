"""NUMERICS.md: the whole forward pass of an image, one token at a time."""

import struct

from . import image as im
from . import numerics as nm
from . import packing as pk


class Linear:
    """A BitLinear: W (rows, cols) with one scale or a scale for each row."""

    def __init__(self, section):
        self.weights, self.scale, self.row_scales = section.matrix(), section.scale, section.row_scales

    def __call__(self, q, sq):
        """The block vector W @ (q * sq)."""
        acc = pk.matvec(self.weights, q)
        nm.fits(nm.absmax(acc), 22)
        if self.row_scales is None:
            return acc, nm.scale_mul(sq, self.scale)
        return nm.bitlinear_rows(acc, sq, self.row_scales)


class Gain:
    def __init__(self, section):
        self.values, self.exponent = section.matrix()[0], section.scale[1]


class Router:
    """int8 rows with a scale each: a logit for each expert."""

    def __init__(self, section):
        self.weights, self.row_scales = section.matrix(), section.row_scales

    def __call__(self, q, sq):
        acc = pk.matvec(self.weights, q)
        nm.fits(nm.absmax(acc), 29)
        return [nm.apply(a, nm.scale_mul(sq, s), nm.LOGIT_FRAC) for a, s in zip(acc, self.row_scales)]


class Model:
    def __init__(self, data):
        self.sections = im.read(data)
        config = self.config = im.unpack_config(self.sections[im.CONFIG, 0].data)
        self.rope_inc = struct.unpack_from(f"<{config['head_dim'] // 2}I", self.sections[im.TABLES, 0].data, 3080)
        self.embed = self.sections[im.EMBED, 0]
        self.embed_rows = self.embed.matrix()
        self.head = self.embed if config["tied"] else self.sections[im.HEAD, 0]
        self.head_rows = self.embed_rows if config["tied"] else self.head.matrix()
        self.final_norm = Gain(self.sections[im.FINAL_NORM, 0])
        self.layers = []
        for i in range(config["n_layers"]):
            parts = {kind: Linear(self.sections[kind, i]) for kind in (im.ATTN_Q, im.ATTN_K, im.ATTN_V, im.ATTN_O)}
            parts.update({kind: Gain(self.sections[kind, i]) for kind in (im.ATTN_NORM, im.FFN_NORM)})
            if config["sub_norm"]:
                parts[im.ATTN_SUB_NORM] = Gain(self.sections[im.ATTN_SUB_NORM, i])
            parts["experts"] = [self.expert(i, e) for e in range(max(1, config["n_experts"]))]
            if config["n_experts"]:
                parts[im.ROUTER] = Router(self.sections[im.ROUTER, i])
            self.layers.append(parts)
        self.reset()

    def expert(self, layer, expert):
        """A feed-forward: the layer's own, or one of its experts."""
        kinds = (im.FFN_GATE, im.FFN_UP, im.FFN_DOWN)
        parts = {kind: Linear(self.sections[im.key(kind, layer, expert)]) for kind in kinds}
        if self.config["sub_norm"]:
            parts[im.FFN_SUB_NORM] = Gain(self.sections[im.key(im.FFN_SUB_NORM, layer, expert)])
        return parts

    def reset(self):
        """Empties the cache: for each layer and kv head the keys, their words, the values, their words."""
        self.cache = [[([], [], [], []) for _ in range(self.config["n_kv_heads"])] for _ in self.layers]
        self.position = 0

    def norm(self, x, s, gain, qmax):
        return nm.norm_quantise(x, s, gain.values, gain.exponent, self.config["norm_eps"], qmax)

    def attention(self, layer, cache, x, s):
        """The normed residual (q, scale) to the heads' outputs as a block vector (n_heads * head_dim)."""
        config, hd = self.config, self.config["head_dim"]
        heads = {kind: layer[kind](x, s) for kind in (im.ATTN_Q, im.ATTN_K, im.ATTN_V)}

        def head(kind, i):
            y, scale = heads[kind]
            return y[i * hd : (i + 1) * hd], scale

        for i, (keys, k_words, values, v_words) in enumerate(cache):
            rotated = nm.rope(*head(im.ATTN_K, i), self.position, self.rope_inc)
            for rows, words, block in ((keys, k_words, rotated), (values, v_words, head(im.ATTN_V, i))):
                row, scale = nm.quantise(*block, nm.KV_MAX)
                rows.append(row)
                words.append(nm.kv_scale_word(scale))
        group = config["n_heads"] // config["n_kv_heads"]
        out = []
        for i in range(config["n_heads"]):
            rotated = nm.rope(*head(im.ATTN_Q, i), self.position, self.rope_inc)
            q, sq = nm.quantise(*rotated, nm.Q_MAX)
            o, so, _ = nm.attention(q, sq, config["attn_scale"], *cache[i // group])
            out.append((o, so))
        return nm.combine_heads(out)

    def to_output(self, block, gain):
        """Sub-norm when the model has one, to int8."""
        return self.norm(*block, gain, nm.ACT_MAX) if gain else nm.quantise(*block, nm.ACT_MAX)

    def feed_forward(self, expert, normed):
        """The block vector that goes into the residual."""
        g, u = expert[im.FFN_GATE](*normed), expert[im.FFN_UP](*normed)
        hidden = self.to_output(nm.gated(*g, *u, self.config["activation"] == 1), expert.get(im.FFN_SUB_NORM))
        return expert[im.FFN_DOWN](*hidden)

    def step(self, token):
        """Logits of the next position's token: i32, 16 fraction bits."""
        config, frac = self.config, self.config["residual_frac"]
        stream = (32768, -15 - frac)
        x = [nm.apply(w, self.embed.row_scales[token], frac) for w in self.embed_rows[token]]
        for layer, cache in zip(self.layers, self.cache):
            normed = self.norm(x, stream, layer[im.ATTN_NORM], nm.ACT_MAX)
            heads = self.to_output(self.attention(layer, cache, *normed), layer.get(im.ATTN_SUB_NORM))
            x = nm.add_residual(x, *layer[im.ATTN_O](*heads), frac)
            normed = self.norm(x, stream, layer[im.FFN_NORM], nm.ACT_MAX)
            if config["n_experts"]:
                chosen = nm.choose_experts(layer[im.ROUTER](*normed), config["n_experts_used"])
                outputs = [self.feed_forward(layer["experts"][e], normed) for e, _ in chosen]
                x = nm.mix_experts(x, outputs, [weight for _, weight in chosen], frac)
            else:
                x = nm.add_residual(x, *self.feed_forward(layer["experts"][0], normed), frac)
        q, sq = self.norm(x, stream, self.final_norm, config["head_act_max"])
        acc = pk.matvec(self.head_rows, q)
        nm.fits(nm.absmax(acc), 31)
        self.position += 1
        return [nm.apply(a, nm.scale_mul(sq, s), nm.LOGIT_FRAC) for a, s in zip(acc, self.head.row_scales)]
