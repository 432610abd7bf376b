"""IMAGE.md: a model as bytes. `write` makes an image of sections, `read` takes one apart and checks it."""

import hashlib
import struct

from . import packing as pk

BLOCK = 4096
CONFIG, TOKENIZER, TABLES, CHAT, META = 1, 2, 3, 4, 5
EMBED, HEAD, FINAL_NORM = 16, 17, 18
ATTN_NORM, ATTN_Q, ATTN_K, ATTN_V, ATTN_SUB_NORM, ATTN_O = 19, 20, 21, 22, 23, 24
FFN_NORM, FFN_GATE, FFN_UP, FFN_SUB_NORM, FFN_DOWN = 25, 26, 27, 28, 29
ROUTER = 30

CONFIG_FIELDS = (
    "dim hidden_dim n_layers n_heads n_kv_heads head_dim seq_len vocab_size activation sub_norm tied n_experts "
    "n_experts_used weights rope_theta norm_eps residual_frac head_act_max attn_scale bos eos n_stop"
).split()
N_CONFIG, AT_STOP, AT_CONTEXT, AT_ADD_BOS = 32, 22, 30, 31
SCALE_FIELDS = ("rope_theta", "norm_eps", "attn_scale")


def align(n, to):
    return -(-n // to) * to


def cstruct(form, values):
    """struct.pack of as many values as there are; form has a %d for their number."""
    return struct.pack(form % len(values), *values)


def pack_config(config):
    words = [0] * N_CONFIG
    for i, name in enumerate(CONFIG_FIELDS):
        value = config[name]
        words[i] = value[0] | (value[1] & 0xFFFF) << 16 if name in SCALE_FIELDS else value
    words[AT_CONTEXT], words[AT_ADD_BOS] = config["default_context"], config["add_bos"]
    return cstruct("<%dI", words)


def unpack_config(data):
    words = struct.unpack_from(f"<{N_CONFIG}I", data)
    config = {}
    for i, name in enumerate(CONFIG_FIELDS):
        is_scale = name in SCALE_FIELDS
        config[name] = (words[i] & 0xFFFF, pk.signed(words[i] >> 16, 16)) if is_scale else words[i]
    config["stop"] = words[AT_STOP : AT_STOP + config["n_stop"]]
    config["default_context"], config["add_bos"] = words[AT_CONTEXT], words[AT_ADD_BOS]
    return config


def pack_tables(exp2, sigmoid, sine, rope_inc):
    return (
        cstruct("<%dH", exp2) + cstruct("<%dH", [*sigmoid, 0]) + cstruct("<%dh", [*sine, 0]) + cstruct("<%dI", rope_inc)
    )


class Section:
    """One entry of the table and its bytes. scale: (m, e) of the tensor; row_scales: a list of (m, e)."""

    expert = 0

    def __init__(self, kind, data, layer=0, packing=0, rows=0, cols=0, scale=None, row_scales=None):
        self.kind, self.data, self.layer = kind, data, layer
        self.packing, self.rows, self.cols = packing, rows, cols
        self.scale, self.row_scales = scale, row_scales

    def matrix(self):
        return pk.unpack(self.data, self.packing, self.rows, self.cols)


def tensor(kind, matrix, packing, layer=0, scale=None, row_scales=None):
    return Section(kind, pk.pack(matrix, packing), layer, packing, len(matrix), len(matrix[0]), scale, row_scales)


def gain(kind, values, exponent, layer=0):
    return tensor(kind, [values], pk.GAIN, layer, scale=(32768, exponent))


def scale_fields(section):
    """Scale kind, mantissa and exponent of a table entry."""
    if section.packing == pk.GAIN:
        return 0, *section.scale
    if section.row_scales is not None:
        return 2, 0, max((e for m, e in section.row_scales if m), default=0)
    return (1, *section.scale) if section.scale is not None else (0, 0, 0)


def write(name, sections, board=""):
    body = bytearray(BLOCK)
    entries = b""
    for s in sections:
        body += bytes(align(len(body), 16) - len(body))
        offset, scales_at = len(body), 0
        body += s.data
        if s.row_scales is not None:
            body += bytes(align(len(body), 4) - len(body))
            scales_at = len(body)
            body += b"".join(struct.pack("<Hh", *scale) for scale in s.row_scales)
        place = (offset, len(s.data), s.rows, s.cols)
        kind, m, e = scale_fields(s)
        entries += struct.pack("<HHHBBIIIIHhI", s.kind, s.layer, s.expert, s.packing, kind, *place, m, e, scales_at)
    assert 128 + len(entries) <= BLOCK
    digests_at = align(len(body), BLOCK)
    body += bytes(digests_at - len(body))
    count = digests_at // BLOCK
    total = digests_at + 8 * count + 128
    head = struct.pack("<IHH6I", 0x54495254, 1, 0, total, BLOCK, len(sections), digests_at, count, 0)
    body[: len(head)] = head
    body[32:96] = name.encode().ljust(32, b"\0") + board.encode().ljust(32, b"\0")
    body[128 : 128 + len(entries)] = entries
    for i in range(count):
        body += hashlib.sha256(body[BLOCK * i : BLOCK * (i + 1)]).digest()[:8]
    trailer = struct.pack("<4I", 0x444E4554, 128, 0, 0) + hashlib.sha256(body).digest()
    return bytes(body) + trailer.ljust(128, b"\0")


def read(data):
    """Sections by (kind, layer), from expert 1 on by (kind, layer, expert), after checking magic, sizes, digests and
    shapes."""
    magic, major, _, total, header, n, digests_at, count, zero = struct.unpack_from("<IHH6I", data)
    assert (magic, major, zero) == (0x54495254, 1, 0) and total == len(data)
    assert digests_at % BLOCK == 0 and count == digests_at // BLOCK and total == digests_at + 8 * count + 128
    assert header % BLOCK == 0 and 128 + 32 * n <= header
    for i in range(count):
        digest = hashlib.sha256(data[BLOCK * i : BLOCK * (i + 1)]).digest()[:8]
        assert data[digests_at + 8 * i :][:8] == digest
    trailer = data[total - 128 :]
    assert struct.unpack_from("<4I", trailer) == (0x444E4554, 128, 0, 0)
    assert trailer[16:48] == hashlib.sha256(data[: total - 128]).digest() and not any(trailer[48:])
    sections = {}
    for i in range(n):
        entry = struct.unpack_from("<HHHBBIIIIHhI", data, 128 + 32 * i)
        kind, layer, expert, packing, scale_kind, offset, size, rows, cols, m, e, scales_at = entry
        name = key(kind, layer, expert)
        assert offset % 16 == 0 and offset + size <= digests_at and name not in sections
        section = Section(kind, data[offset : offset + size], layer, packing, rows, cols)
        if packing:
            assert size == pk.size_of(packing, rows, cols)
        if scale_kind == 2:
            assert scales_at % 4 == 0 and offset + size <= scales_at <= digests_at - 4 * rows
            section.row_scales = [struct.unpack_from("<Hh", data, scales_at + 4 * r) for r in range(rows)]
            assert e == max((e for m, e in section.row_scales if m), default=0)
        elif scale_kind == 1 or packing == pk.GAIN:
            section.scale = (m, e)
        sections[name] = section
    return sections


def key(kind, layer, expert=0):
    return (kind, layer, expert) if expert else (kind, layer)
