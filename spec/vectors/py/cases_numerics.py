"""numerics.json: scales, quantisation, norms and activations."""

import math

from . import numerics as nm
from .cases_attention import attention_parts
from .golden import document
from .sampler import Pcg32

INT32_MAX = (1 << 31) - 1


def scale(value):
    """The nearest scale of a float, for making cases."""
    m, e = math.frexp(value)
    return nm.scale_of(int(m * 2**40), e - 40)


def random_scale(rng, low=-40, high=-10):
    return (rng.between(32768, 65535), rng.between(low, high))


def vector(rng, n, size):
    return [int(rng.gauss() * size) for _ in range(n)]


def scale_cases(rng):
    values = [0, 1, 2, 3, 32767, 32768, 65535, 65536, 65537, 98303, 131071, 131072, 2**31 - 1, 2**32 - 1]
    values += [2**48 - 1, 2**62 - 1, 2**62, (65535 << 10) + 512, (65535 << 10) + 511]
    values += [rng.between(1, 1 << rng.between(1, 61)) for _ in range(20)]
    of = [{"v": str(v), "e": e, "s": nm.scale_of(v, e)} for i, v in enumerate(values) for e in [(0, -31, 7)[i % 3]]]
    pairs = [((32768, -15), (32768, -15)), ((65535, 3), (65535, -9)), ((0, 0), (40000, 5)), ((46341, 0), (46341, 0))]
    pairs += [((46340, 0), (46341, 0)), ((32769, 1), (65535, 1))]
    pairs += [(random_scale(rng), random_scale(rng)) for _ in range(20)]
    mul = [{"a": a, "b": b, "s": nm.scale_mul(a, b)} for a, b in pairs]
    return of, mul


def apply_cases(rng):
    cases = []

    def case(v, s, f):
        cases.append({"v": str(v), "s": s, "f": f, "y": nm.apply(v, s, f)})

    for v in (0, 1, -1, 2**46 - 1, -(2**46) + 1, INT32_MAX, -(2**31)):
        for s in ((0, 0), (32768, -15), (65535, -30), (40000, 20), (40000, 60), (65535, -90), (50000, -62)):
            case(v, s, 16)
    case(1, (32768, -32), 16)  # exactly a half: up
    case(-1, (32768, -32), 16)  # exactly minus a half: up, to zero
    case(3, (32768, -32), 16)
    case(-3, (32768, -32), 16)
    for _ in range(30):
        case(rng.between(-(1 << 22), 1 << 22), random_scale(rng, -36, -18), rng.choice([0, 10, 16, 24]))
    return cases


def shift_cases(rng):
    cases = []
    for v in (0, 1, -1, 2, -2, 3, -3, 5, -5, 2**61, -(2**61), 2**62 - 1, -(2**62) + 1):
        for s in (-70, -62, -1, 0, 1, 2, 61, 62, 63, 64, 100):
            cases.append((v, s))
    cases += [(rng.between(-(1 << 50), 1 << 50), rng.between(0, 52)) for _ in range(20)]
    return [{"v": str(v), "s": s, "y": str(nm.round_shift(v, s))} for v, s in cases]


def isqrt_cases(rng):
    roots = [0, 1, 2, 3, 65535, 2**30, 2**31 - 1, rng.between(2**30, 2**31), rng.between(2**30, 2**31)]
    values = sorted({v for r in roots for v in (r * r - 1, r * r, r * r + 1) if v >= 0} | {2**62 - 1, 2**60})
    return [{"v": str(v), "y": math.isqrt(v)} for v in values]


def quantise_cases(rng):
    vectors = [
        ([0, 0, 0], (50000, -20)),
        ([1], (32768, -15)),
        ([-1], (65535, 4)),
        ([INT32_MAX, -(2**31), 0, 1], (32768, -15)),
        ([2**61, -(2**61) - 7, 2**60 + 1], (40000, -50)),
        ([5, -3, 2, 1, -1, 0], (0, 0)),
        ([65535, 32768, -32767, 129, 128, 127], (65535, -16)),
        ([131071, -131071, 65537, 1], (65535, -16)),
        ([127, -127, 64, -64, 63, 1, 0], (32768, -15)),
        ([254, 1, -1, 3, -3, 5, -5], (32768, -15)),
    ]
    vectors += [(vector(rng, n, 10**size), random_scale(rng)) for n, size in [(7, 1), (33, 3), (64, 5), (65, 8)]]
    cases = []
    for x, s in vectors:
        for qmax in nm.QUANT_SHIFT:
            q, sq = nm.quantise(x, s, qmax)
            big = nm.absmax(x) > INT32_MAX + 1
            cases.append({"x": [str(v) for v in x] if big else x, "s": s, "qmax": qmax, "q": q, "sq": sq})
    return cases


def check_norm(x, s, gain, gain_exp, eps, qmax, q, sq):
    """Against floats: half a step, and the 15 bits of r and 16 of T."""
    value = [v * s[0] * 2.0 ** s[1] for v in x]
    if eps[0] * 2.0 ** eps[1] * len(x) > (s[0] * 2.0 ** s[1]) ** 2 * 2.0**59:
        return  # E saturates at 2^60: the output is nearly 0 and only its exact value is defined
    rms = math.sqrt(sum(v * v for v in value) / len(value) + eps[0] * 2.0 ** eps[1])
    wanted = [v / rms * g * 2.0**gain_exp for v, g in zip(value, gain)]
    unit = sq[0] * 2.0 ** sq[1]
    assert max(abs(a - b * unit) for a, b in zip(wanted, q)) <= unit * (0.501 + qmax / 2**14), (s, eps)


def norm_cases(rng):
    one, eps5, eps6 = (32768, -31), scale(1e-5), scale(1e-6)
    cases, uniform = [], []

    def case(x, s, gain, gain_exp, eps):
        for qmax in (127, 4095):
            q, sq = nm.norm_quantise(x, s, gain, gain_exp, eps, qmax)
            if sq[0] and nm.absmax(x) > 2:
                check_norm(x, s, gain, gain_exp, eps, qmax, q, sq)
            cases.append(
                {"x": x, "s": s, "gain": gain, "gain_exp": gain_exp, "eps": eps, "qmax": qmax, "q": q, "sq": sq}
            )

    def gains(n):
        return [rng.between(8192, 32767) * (-1 if rng.below(8) == 0 else 1) for _ in range(n)]

    for n in (1, 5, 32, 65, 128):
        x = vector(rng, n, 65536)
        case(x, one, gains(n), -14, eps5)
        case(x, one, gains(n), -14, nm.ZERO_SCALE)
        # Massive activations: thousands at a few places of a stream with 16 fraction bits.
        massive = list(x)
        massive[n // 2] = 5713 << 16
        massive[-1] = -(9208 << 16)
        case(massive, one, gains(n), -14, eps5)
        case(massive, one, [1 if abs(v) > 1 << 24 else g for v, g in zip(massive, gains(n))], -14, eps6)
    small = [3, -1, 0, 2, 1]
    for eps in (nm.ZERO_SCALE, eps5, eps6, scale(0.5), scale(1e-30), scale(1e30)):
        case(small, one, [16384] * 5, -14, eps)
    case([0] * 4, one, [16384] * 4, -14, eps5)
    case([0] * 4, one, [16384] * 4, -14, nm.ZERO_SCALE)
    case([5, 0, 9], one, [0, 16384, 0], -14, eps5)
    case([5, -7, 9], nm.ZERO_SCALE, [16384] * 3, -14, eps5)
    case([1], one, [16384], -14, nm.ZERO_SCALE)
    case([1], one, [-32768], -15, eps5)
    case([INT32_MAX], one, [32767], -14, eps5)
    case([-(2**31)], one, [-32768], -14, nm.ZERO_SCALE)
    case([INT32_MAX, -(2**31), INT32_MAX, 0], one, [32767, -32768, 1, 5], -10, eps5)
    case([2**30, -(2**30), 12345, 1], (65535, -70), [16384] * 4, -14, eps5)
    case([2**30, -(2**30), 12345, 1], (65535, 60), [16384] * 4, -14, eps5)
    case([7, -5, 3, 1], (65535, -90), [16384] * 4, -14, eps5)
    for n in (3, 1000, 32768):
        for x, gain in ((INT32_MAX, 32767), (-(2**31), -32768), (1, 1), (32767, 16384)):
            q, sq = nm.norm_quantise([x] * n, one, [gain] * n, -14, eps5, 127)
            assert len(set(q)) == 1
            uniform.append({"n": n, "x": x, "s": one, "gain": gain, "gain_exp": -14, "eps": eps5, "q": q[0], "sq": sq})
    return cases, uniform


def normalise_cases(rng):
    vectors = [[0, 0], [1], [-1, 1], [32767], [32768], [65535, -65535], [65536], [-(2**31), 5], [INT32_MAX, -3]]
    vectors += [vector(rng, 9, 10**size) for size in (1, 3, 5, 7)]
    cases = []
    for x in vectors:
        y, d = nm.normalise(x, 15)
        assert nm.absmax(y) <= 1 << 15
        cases.append({"x": x, "b": 15, "y": y, "d": d})
    return cases


def row_scale_cases(rng):
    cases = []
    for rows in (1, 4, 9):
        scales = [random_scale(rng, -22, -18) for _ in range(rows)]
        scales[rows // 2] = (65535, -12)
        if rows > 4:
            scales[0] = nm.ZERO_SCALE
            scales[1] = (40000, -60)
        acc = [rng.between(-(1 << 22), 1 << 22) for _ in range(rows)]
        acc[0] = 1 << 22
        sq = random_scale(rng, -24, -20)
        y, s = nm.bitlinear_rows(acc, sq, scales)
        nm.fits(nm.absmax(y), 30)
        x = vector(rng, rows, 65536)
        cases.append(
            {"acc": acc, "sq": sq, "rows": scales, "y": y, "s": s, "x": x, "x_after": nm.add_residual(x, y, s, 16)}
        )
    return cases


def gated_cases(rng):
    vectors = []
    for n in (1, 8, 33):
        vectors.append((vector(rng, n, 300), scale(1 / 150), vector(rng, n, 300), scale(1 / 200)))
        vectors.append((vector(rng, n, 10**6), scale(1e-3), vector(rng, n, 20), scale(0.1)))
    vectors.append(([0, 0, 0], scale(1.0), [1, 2, 3], scale(1.0)))
    vectors.append(([1, 2, -3], scale(1.0), [0, 0, 0], scale(1.0)))
    vectors.append(([1, 2, -3], nm.ZERO_SCALE, [4, 5, 6], scale(1.0)))
    vectors.append(([-4, -5, -6], scale(1.0), [4, 5, 6], scale(1.0)))
    vectors.append(([2**30, -(2**30), 2**29], (65535, -40), [-(2**30), 2**30, 1], (65535, -40)))
    vectors.append(([16384, -16384, 16383, -16383, 8191, 64, 63, -64, 1, -1], (32768, -25), [100] * 10, (32768, -20)))
    cases = []
    for g, sg, u, su in vectors:
        for name, squared in (("relu2", True), ("silu", False)):
            h, sh = nm.gated(g, sg, u, su, squared)
            cases.append({"activation": name, "g": g, "sg": sg, "u": u, "su": su, "h": h, "s": sh})
    return cases


def sigmoid_cases(rng):
    t = [0, 1, -1, 63, 64, -64, 65, 1023, 1024, 16383, 16384, -16383, -16384, INT32_MAX, -(2**31)]
    t += [rng.between(-12000, 12000) for _ in range(20)]
    return [[v, nm.sigmoid15(v)] for v in t]


def numerics_file():
    rng = Pcg32(1003)
    of, mul = scale_cases(rng)
    norm, uniform = norm_cases(rng)
    return document(
        "NUMERICS.md: Notation to Feed-forward",
        """Scales are [m, e]. v of round_shift, scale_of, apply and isqrt, y of round_shift, and x of quantise where
        it is text are 64-bit integers as decimal text. sigmoid: [t with 10 fraction bits, value with 15].
        norm_uniform: n equal entries of x and of gain, qmax 127, every q is the same. trig: [phase, sin15,
        cos15]. attention: keys and values are int8, base64, a position after the other; kv_scale words u16.
        combine: heads of [o, so].""",
        exp2=nm.EXP2,
        sigmoid_table=nm.SIGMOID,
        sine=nm.SINE,
        round_shift=shift_cases(rng),
        scale_of=of,
        scale_mul=mul,
        apply=apply_cases(rng),
        isqrt=isqrt_cases(rng),
        quantise=quantise_cases(rng),
        norm_quantise=norm,
        norm_uniform=uniform,
        normalise=normalise_cases(rng),
        row_scales=row_scale_cases(rng),
        sigmoid=sigmoid_cases(rng),
        gated=gated_cases(rng),
        **attention_parts(rng),
    )
