"""Published file formats, written from their specifications with nothing but the standard library and numpy.

safetensors (github.com/huggingface/safetensors, README "Format"): u64 length of the header, JSON header, bytes of the tensors.
"""
import json
import pathlib
import struct

import numpy as np


def bf16(x):
    """float32 -> bfloat16 bits, half to even (as torch rounds)."""
    bits = np.ascontiguousarray(x, "<f4").view("<u4").astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def bf16_values(bits):
    return (bits.astype("<u4") << 16).view("<f4")


def rounded(x, dtype):
    """What is left of x when it is stored as `dtype`, as float64."""
    x = np.asarray(x, "<f4")
    if dtype == "BF16":
        x = bf16_values(bf16(x))
    elif dtype == "F16":
        x = x.astype("<f2")
    return x.astype(np.float64)


def write_safetensors(path, tensors):
    """tensors: name -> (dtype, array); dtype one of F32, F16, BF16, U8."""
    header, parts, at = {}, [], 0
    for name, (dtype, array) in tensors.items():
        array = np.asarray(array)
        data = bf16(array).tobytes() if dtype == "BF16" else array.astype({"F32": "<f4", "F16": "<f2", "U8": "u1"}[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    pathlib.Path(path).write_bytes(struct.pack("<Q", len(text)) + text + b"".join(parts))


def pack_rows(trits):
    """(out, in) -> U8 (out/4, in): bits 2i..2i+1 of byte row r hold trit + 1 of row i * (out/4) + r (transformers, integrations/bitnet.py)."""
    codes = (np.asarray(trits) + 1).astype(np.uint8)
    quarter = len(codes) // 4
    return sum(codes[i * quarter : (i + 1) * quarter] << np.uint8(2 * i) for i in range(4)).astype(np.uint8)


def write_tokenizer(folder, vocab_size):
    """A Llama-2-style tokenizer of 256 bytes: parity is about logits, and ids are given. <unk>, <s>, </s> come first, as in Llama's."""
    vocab = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    vocab += [f"\u2581w{i}" for i in range(vocab_size - len(vocab))]
    special = [{"id": i, "content": vocab[i], "special": True} for i in range(3)]
    model = {"type": "BPE", "unk_token": "<unk>", "byte_fallback": True, "vocab": {text: i for i, text in enumerate(vocab)}, "merges": []}
    steps = [{"type": "Prepend", "prepend": "\u2581"}, {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"}]
    tokenizer = {"added_tokens": special, "normalizer": {"type": "Sequence", "normalizers": steps}, "pre_tokenizer": None, "model": model}
    (pathlib.Path(folder) / "tokenizer.json").write_text(json.dumps(tokenizer))
    (pathlib.Path(folder) / "tokenizer_config.json").write_text(json.dumps({"add_bos_token": True}))


def write_npy(path, array):
    np.save(path, np.asarray(array, "<f8"))
