"""packing.json and matvec.json."""

from . import packing as pk
from .golden import document
from .sampler import Pcg32

NAMES = {1: "trits_1", 2: "trits_2", 3: "trits_3", 4: "trits_4", 5: "trits_5", 16: "int8", 17: "int4"}
LARGEST = {1: 1, 2: 4, 3: 13, 4: 40, 5: 121, 16: 127, 17: 7}


def random_matrix(rng, packing, rows, cols):
    top = LARGEST[packing]
    return [[rng.between(-top, top) for _ in range(cols)] for _ in range(rows)]


def extreme_matrix(packing, rows, cols):
    """Rows of the largest, the smallest, both in turn, and zeros."""
    top = LARGEST[packing]
    kinds = [lambda c: top, lambda c: -top, lambda c: top if c % 2 else -top, lambda c: 0]
    return [[kinds[r % 4](c) for c in range(cols)] for r in range(rows)]


def packed_case(packing, matrix):
    rows, cols = len(matrix), len(matrix[0])
    data = pk.pack(matrix, packing)
    assert pk.unpack(data, packing, rows, cols) == matrix and len(data) == pk.size_of(packing, rows, cols)
    return {"packing": packing, "rows": rows, "cols": cols, "weights": matrix, "bytes": data.hex()}


def packing_file():
    rng = Pcg32(1001)
    legal, illegal = [], []
    for byte in range(256):
        try:
            trits = pk.unpack_byte(byte)
            assert pk.pack_byte(trits) == byte
            legal.append([byte, trits])
        except pk.BadCode:
            illegal.append(byte)
    assert len(legal) == 243 and len({tuple(t) for _, t in legal}) == 243
    matrices = []
    for packing in NAMES:
        for rows, cols in [(1, 1), (1, 5), (3, 4), (4, 5), (5, 6), (7, 11), (8, 20), (9, 33)]:
            matrices.append(packed_case(packing, random_matrix(rng, packing, rows, cols)))
        matrices.append(packed_case(packing, extreme_matrix(packing, 6, 7)))
    gains = [[32767, -32768, 0, 1, -1, 16384, -255]]
    matrices.append(
        {"packing": pk.GAIN, "rows": 1, "cols": 7, "weights": gains, "bytes": pk.pack(gains, pk.GAIN).hex()}
    )
    luts = []
    for x in [[0] * 5, [4095] * 5, [-4095] * 5, [1, 10, 100, 1000, 4000], [rng.between(-127, 127) for _ in range(5)]]:
        table = pk.lut(x)
        assert min(table) >= 0 and max(table) <= 65535
        for byte, trits in legal:
            assert table[byte] - pk.LUT_BIAS == sum(t * v for t, v in zip(trits, x))
        luts.append({"x": x, "entries": [table[byte] for byte, _ in legal]})
    return document(
        "PACKING.md, all sections",
        """legal: [byte, trits t0..t4]; illegal: BAD_CODE; matrices: rows of weights and the packed bytes (hex);
        tables: the partial sums (bias included) of the legal bytes in their order""",
        legal=legal,
        illegal=illegal,
        matrices=matrices,
        tables=luts,
    )


def matvec_file():
    rng = Pcg32(1002)
    cases = []

    def case(packing, matrix, x):
        assert all(abs(v) < 1 << 31 for v in pk.matvec(matrix, x))
        cases.append(
            {
                "packing": packing,
                "rows": len(matrix),
                "cols": len(x),
                "bytes": pk.pack(matrix, packing).hex(),
                "x": x,
                "y": pk.matvec(matrix, x),
            }
        )

    for packing in NAMES:
        for rows, cols in [(1, 1), (2, 3), (4, 5), (5, 16), (6, 21), (13, 67), (8, 128), (3, 257)]:
            top = 4095 if packing in (2, 3, 4, 5, 16, 17) and cols % 2 else 127
            x = [rng.between(-top, top) for _ in range(cols)]
            case(packing, random_matrix(rng, packing, rows, cols), x)
        for value in (127, -127, 4095, -4095):
            case(packing, extreme_matrix(packing, 5, 43), [value] * 43)
        case(packing, random_matrix(rng, packing, 5, 43), [0] * 43)
        case(packing, extreme_matrix(packing, 8, 43), [127 if c % 2 else -127 for c in range(43)])
    # Many columns: sums past 16 bits, and table tiles that do not fit one pass.
    case(1, random_matrix(rng, 1, 5, 2051), [rng.between(-127, 127) for _ in range(2051)])
    case(1, extreme_matrix(1, 4, 4099), [127] * 4099)
    case(4, extreme_matrix(4, 3, 1003), [4095] * 1003)
    case(16, extreme_matrix(16, 2, 4128), [4095] * 4128)
    return document(
        "PACKING.md; NUMERICS.md, BitLinear and Head: exact products",
        "bytes: the packed matrix (hex); x: activations; y: W @ x as int32",
        cases=cases,
    )
