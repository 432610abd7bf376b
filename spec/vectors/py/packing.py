"""PACKING.md: trits to bytes, planes, int8 and int4 rows. Matrices are lists of rows of integers."""

TRITS_1, TRITS_5, INT8, INT4, GAIN = 1, 5, 16, 17, 32
LUT_BIAS = 20480


class BadCode(ValueError):
    """A byte that no five trits give."""


def pack_byte(t):
    """Five trits, lowest column first, to a byte."""
    hi = (t[0] + 1) * 3 + (t[1] + 1)
    lo = (t[2] + 1) * 9 + (t[3] + 1) * 3 + (t[4] + 1)
    return 28 * hi + lo


def unpack_byte(byte):
    """A byte to its five trits; BadCode for an illegal one."""
    if byte > 250 or byte % 28 == 27:
        raise BadCode(byte)
    hi, lo = divmod(byte, 28)
    return [hi // 3 - 1, hi % 3 - 1, lo // 9 - 1, lo // 3 % 3 - 1, lo % 3 - 1]


def ceil_div(a, b):
    return -(-a // b)


def balanced_ternary(w, t):
    """Digits of w, p[k] for 3^k, k < t."""
    assert abs(w) <= (3**t - 1) // 2
    digits = []
    for _ in range(t):
        digit = (w + 1) % 3 - 1
        digits.append(digit)
        w = (w - digit) // 3
    assert w == 0
    return digits


def plane_offset(row, k, group, t, groups):
    return (((row >> 2) * t + (t - 1 - k)) * groups + group) * 4 + (row & 3)


def size_of(packing, rows, cols):
    """Bytes of a packed matrix."""
    if TRITS_1 <= packing <= TRITS_5:
        return ceil_div(rows, 4) * packing * ceil_div(cols, 5) * 4
    if packing == INT8:
        return rows * cols
    if packing == INT4:
        return rows * ceil_div(cols, 2)
    if packing == GAIN:
        return 2 * rows * cols
    raise ValueError(packing)


def pack_planes(matrix, t):
    rows, cols = len(matrix), len(matrix[0])
    groups = ceil_div(cols, 5)
    out = bytearray([pack_byte([0] * 5)]) * size_of(t, rows, cols)
    for row, weights in enumerate(matrix):
        digits = [balanced_ternary(w, t) for w in weights] + [[0] * t] * (groups * 5 - cols)
        for k in range(t):
            for group in range(groups):
                trits = [digits[5 * group + i][k] for i in range(5)]
                out[plane_offset(row, k, group, t, groups)] = pack_byte(trits)
    return bytes(out)


def unpack_planes(data, t, rows, cols):
    groups = ceil_div(cols, 5)
    matrix = []
    for row in range(rows):
        weights = [0] * (groups * 5)
        for k in range(t - 1, -1, -1):
            for group in range(groups):
                for i, trit in enumerate(unpack_byte(data[plane_offset(row, k, group, t, groups)])):
                    weights[5 * group + i] = weights[5 * group + i] * 3 + trit
        matrix.append(weights[:cols])
    return matrix


def signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def pack(matrix, packing):
    """A matrix of integers to the bytes of its packing code."""
    if TRITS_1 <= packing <= TRITS_5:
        return pack_planes(matrix, packing)
    if packing == INT8:
        assert all(abs(w) <= 127 for row in matrix for w in row)
        return bytes(w & 255 for row in matrix for w in row)
    if packing == INT4:
        assert all(abs(w) <= 7 for row in matrix for w in row)
        out = bytearray()
        for row in matrix:
            row = row + [0] * (len(row) % 2)
            out += bytes((row[i] & 15) | (row[i + 1] & 15) << 4 for i in range(0, len(row), 2))
        return bytes(out)
    if packing == GAIN:
        return b"".join(w.to_bytes(2, "little", signed=True) for row in matrix for w in row)
    raise ValueError(packing)


def unpack(data, packing, rows, cols):
    """The bytes of a packing code to a matrix of integers."""
    assert len(data) == size_of(packing, rows, cols)
    if TRITS_1 <= packing <= TRITS_5:
        return unpack_planes(data, packing, rows, cols)
    if packing == INT8:
        return [[signed(b, 8) for b in data[r * cols : (r + 1) * cols]] for r in range(rows)]
    if packing == INT4:
        stride = ceil_div(cols, 2)
        return [[signed(data[r * stride + c // 2] >> 4 * (c % 2) & 15, 4) for c in range(cols)] for r in range(rows)]
    if packing == GAIN:
        words = [signed(data[2 * i] | data[2 * i + 1] << 8, 16) for i in range(rows * cols)]
        return [words[r * cols : (r + 1) * cols] for r in range(rows)]
    raise ValueError(packing)


def lut(x):
    """The table of partial sums of five activations: 252 u16 entries (the 28th of each row of 28 is unused)."""
    table = []
    for hi in range(9):
        for lo in range(28):
            table.append(
                (hi // 3 - 1) * x[0]
                + (hi % 3 - 1) * x[1]
                + (lo // 9 - 1) * x[2]
                + (lo // 3 % 3 - 1) * x[3]
                + (lo % 3 - 1) * x[4]
                + LUT_BIAS
            )
    return table


def matvec(matrix, x):
    """Exact W @ x."""
    return [sum(w * v for w, v in zip(row, x)) for row in matrix]
