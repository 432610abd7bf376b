"""GGUF version 3 and the tensor types that parity needs, written from ggml's documents (docs/gguf.md, ggml-common.h) and numpy.

    TQ1_0  256 weights in 54 bytes: qs[48] qh[4] f16 d. 32 bytes of 5 trits (element n*32+m is digit n of byte m), 16 bytes of 5 (160 + n*16 + m), 4 bytes of 4 (240 + n*4 + m);
           a byte is ceil(base3 * 256 / 243), the first trit most significant
    TQ2_0  256 weights in 66 bytes: qs[64] f16 d. Element j*128 + l*32 + m is bits 2l of byte 32j + m, trit + 1
    I2_S   one f32 scale for the tensor, behind n/4 bytes and up to 32 bytes after them: x86 blocks of 128, byte j bits 7-6, 5-4, 3-2, 1-0 = elements j, j+32, j+64, j+96;
           Arm blocks of 64, elements j, j+16, j+32, j+48; trit + 1 (microsoft/BitNet, ggml-bitnet-mad.cpp)
    Q8_0   32 weights in 34 bytes: f16 d, i8[32]         Q4_0   32 weights in 18 bytes: f16 d, 16 bytes: low nibble element i, high i + 16; (nibble - 8) * d
"""
import struct

import numpy as np

import files

TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q8_0": 8, "BF16": 30, "TQ1_0": 34, "TQ2_0": 35, "I2_S": 36}


def half(x):
    return np.asarray(x, "<f2").tobytes()


def tq1_0(trits, scale):
    out = []
    for block in (trits.reshape(-1, 256) + 1).astype(np.uint32):
        rows = [(block[:160].reshape(5, 32), 5), (block[160:240].reshape(5, 16), 5), (block[240:].reshape(4, 4), 4)]
        for digits, n in rows:
            value = sum(digits[i] * 3 ** (4 - i) for i in range(n))
            out.append(((value * 256 + 242) // 243).astype(np.uint8).tobytes())
        out.append(half(scale))
    return b"".join(out)


def tq2_0(trits, scale):
    out = []
    for block in (trits.reshape(-1, 256) + 1).astype(np.uint8):
        for part in block.reshape(2, 4, 32):
            out.append(sum(part[l] << np.uint8(2 * l) for l in range(4)).astype(np.uint8).tobytes())
        out.append(half(scale))
    return b"".join(out)


def i2_s(trits, scale, order):
    lanes = {"x86": 32, "arm": 16}[order]
    codes = (trits.reshape(-1, 4, lanes) + 1).astype(np.uint8)
    packed = sum(codes[:, i] << np.uint8(6 - 2 * i) for i in range(4)).astype(np.uint8).tobytes()
    return packed + struct.pack("<f", scale) + bytes(28)


def q8_0(x):
    """(bytes, the values they stand for)"""
    blocks = x.reshape(-1, 32)
    d = np.abs(blocks).max(1) / 127
    d = np.where(d == 0, 1, d).astype("<f2")
    q = np.clip(np.rint(blocks / d[:, None].astype(np.float64)), -127, 127).astype(np.int8)
    data = b"".join(half(s) + row.tobytes() for s, row in zip(d, q))
    return data, (q * d[:, None].astype(np.float64)).reshape(x.shape)


def q4_0(x):
    blocks = x.reshape(-1, 32)
    d = (np.abs(blocks).max(1) / 7).astype("<f2")
    d = np.where(d == 0, np.float16(1), d)
    q = np.clip(np.rint(blocks / d[:, None].astype(np.float64)), -8, 7).astype(np.int64)
    nibbles = (q + 8).astype(np.uint8)
    data = b"".join(half(s) + (row[:16] | row[16:] << np.uint8(4)).tobytes() for s, row in zip(d, nibbles))
    return data, (q * d[:, None].astype(np.float64)).reshape(x.shape)


def stored(dtype, x):
    """(bytes, the values they stand for) of real numbers."""
    if dtype in ("Q8_0", "Q4_0"):
        return {"Q8_0": q8_0, "Q4_0": q4_0}[dtype](x)
    value = files.rounded(x, dtype)
    data = files.bf16(value).tobytes() if dtype == "BF16" else value.astype({"F32": "<f4", "F16": "<f2"}[dtype]).tobytes()
    return data, value


def text(value):
    data = value.encode()
    return struct.pack("<Q", len(data)) + data


def field(value):
    """A typed value: bool, u32, f32, string, or an array of one of i32, f32, string."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    kind, pack = {int: (5, lambda v: struct.pack("<i", v)), float: (6, lambda v: struct.pack("<f", v)), str: (8, text)}[type(value[0])]
    return struct.pack("<IIQ", 9, kind, len(value)) + b"".join(map(pack, value))


def write(path, fields, tensors):
    """tensors: name -> (type, shape (rows first), bytes)"""
    head = struct.pack("<4sIQQ", b"GGUF", 3, len(tensors), len(fields))
    head += b"".join(text(key) + field(value) for key, value in fields.items())
    body, at = [], 0
    for name, (kind, shape, data) in tensors.items():
        head += text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape)) + struct.pack("<IQ", TYPES[kind], at)
        padded = data + bytes(-len(data) % 32)
        body.append(padded)
        at += len(padded)
    head += bytes(-len(head) % 32)
    path.write_bytes(head + b"".join(body))
