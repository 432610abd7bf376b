"""The safetensors container and the 2-bit layout of packed BitNet checkpoints, in plain numpy.

safetensors: u64 LE header length, JSON header (padded with spaces to 8 bytes), data.
packed:      U8 (out/4, in); bits 2i..2i+1 of row r hold trit + 1 of output row i*(out/4) + r.
"""
import json
import struct

import numpy as np

DTYPES = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8"), "U8": np.dtype("u1")}
NAMES = {v: k for k, v in DTYPES.items()}


def save(path, tensors, metadata=None):
    """tensors: dict name -> numpy array (f4, f8 or u1)."""
    header, offset = {"__metadata__": metadata or {"format": "pt"}}, 0
    for name, a in tensors.items():
        header[name] = {"dtype": NAMES[a.dtype], "shape": list(a.shape), "data_offsets": [offset, offset + a.nbytes]}
        offset += a.nbytes
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head)
        for a in tensors.values():
            f.write(np.ascontiguousarray(a).tobytes())


def load(path):
    raw = open(path, "rb").read()
    (n,) = struct.unpack_from("<Q", raw)
    header = json.loads(raw[8 : 8 + n])
    header.pop("__metadata__", None)
    out = {}
    for name, t in header.items():
        a, b = t["data_offsets"]
        out[name] = np.frombuffer(raw[8 + n + a : 8 + n + b], DTYPES[t["dtype"]]).reshape(t["shape"])
    return out


def pack(trits):
    """(out, in) of -1, 0, +1 -> U8 (out/4, in)."""
    out, width = trits.shape
    if out % 4:
        raise ValueError(f"{out} output rows cannot be packed by four")
    code = (trits + 1).astype(np.uint8).reshape(4, out // 4, width)
    return code[0] | code[1] << 2 | code[2] << 4 | code[3] << 6


def unpack(packed):
    """U8 (out/4, in) -> (out, in) int8 trits."""
    code = np.concatenate([(packed >> (2 * i)) & 3 for i in range(4)])
    if (code == 3).any():
        raise ValueError("code 3 is not a trit")
    return code.astype(np.int8) - 1
