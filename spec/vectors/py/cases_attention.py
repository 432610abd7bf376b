"""The parts of numerics.json about positions: trigonometry, RoPE, the KV cache, attention."""

import math

from . import numerics as nm
from .golden import int8s


def trig_cases(rng):
    quarter = 1 << 30
    phases = {
        (k * quarter + d) & 0xFFFFFFFF for k in range(4) for d in (0, 1, -1, 15, 16, 17, -16, 1 << 20, quarter // 2)
    }
    phases |= {rng.rand32() for _ in range(60)}
    for p in phases:
        assert abs(nm.sin15(p) - 32767 * math.sin(p * math.pi / 2**31)) < 1.01
        assert abs(nm.cos15(p) - 32767 * math.cos(p * math.pi / 2**31)) < 1.01
    return [[p, nm.sin15(p), nm.cos15(p)] for p in sorted(phases)]


def rope_inc_cases():
    cases = [(10000, 16), (10000, 20), (500000, 8), (500000, 64), (10000, 2)]
    return [{"theta": t, "head_dim": d, "inc": nm.rope_inc(t, d)} for t, d in cases]


def rope_cases(rng):
    cases = []
    vectors = [[0] * 8, [1, 0, 0, 0, 0, 0, 0, -1], [2**22, -(2**22)] * 8, [32768] * 8, [-32768, 32767] * 4]
    vectors += [[int(rng.gauss() * size) for _ in range(n)] for n, size in [(16, 400), (20, 5), (64, 90000)]]
    for acc in vectors:
        inc = nm.rope_inc(10000, len(acc))
        for position in (0, 1, 77, 4095, 131071):
            s = (rng.between(32768, 65535), rng.between(-40, -20))
            out, so = nm.rope(acc, s, position, inc)
            q, sq = nm.quantise(out, so, nm.Q_MAX)
            k, sk = nm.quantise(out, so, nm.KV_MAX)
            cases.append(
                {
                    "acc": acc,
                    "s": s,
                    "position": position,
                    "theta": 10000,
                    "rotated": out,
                    "rotated_s": so,
                    "q": q,
                    "sq": sq,
                    "k": k,
                    "k_word": nm.kv_scale_word(sk),
                }
            )
    return cases


def kv_word_cases(rng):
    scales = [(0, 0), (32768, -15), (65535, -15), (65519, -15), (65520, -15), (32783, -20), (32784, -20)]
    scales += [(32768, -55), (32769, -55), (32784, -55), (32768, -56), (65535, -56), (32768, -54), (40000, -200)]
    scales += [(65535, 8), (65519, 8), (65520, 8), (32768, 9), (40000, 100), (65535, 7)]
    scales += [(rng.between(32768, 65535), rng.between(-50, 5)) for _ in range(20)]
    cases = []
    for s in scales:
        word = nm.kv_scale_word(s)
        cases.append({"s": s, "word": word, "parts": nm.kv_scale_parts(word)})
    return cases


def random_heads(rng, n, head_dim, spread):
    keys = [[nm.clamp(int(rng.gauss() * 40), -127, 127) for _ in range(head_dim)] for _ in range(n)]
    values = [[nm.clamp(int(rng.gauss() * 40), -127, 127) for _ in range(head_dim)] for _ in range(n)]
    words = [[nm.kv_scale_word((rng.between(32768, 65535), -21 + rng.below(spread))) for _ in range(n)] for _ in "kv"]
    return keys, words[0], values, words[1]


def attn_scale_of(head_dim):
    return nm.scale_of(math.isqrt((1 << 80) // head_dim), -40)


def scores(q, sq, keys, k_words):
    return nm.attention(q, sq, attn_scale_of(len(q)), keys, k_words, keys, k_words)[2]


def quiet_scale(q, keys, k_words):
    """The first scale of q with which some position lies 15 octaves below the loudest: p = 2^15 >> 15."""
    for m in range(32768, 65536, 64):
        sq = (m, -23)
        steps = scores(q, sq, keys, k_words)
        if any(((max(steps["z"]) - z + 128) >> 8) == 15 << 8 for z in steps["z"]):
            return sq
    raise AssertionError("no such scale")


def attention_cases(rng):
    cases = []

    def case(name, q, sq, cache):
        keys, k_words, values, v_words = cache
        attn_scale = attn_scale_of(len(q))
        o, so, steps = nm.attention(q, sq, attn_scale, keys, k_words, values, v_words)
        entry = {
            "name": name,
            "head_dim": len(q),
            "positions": len(keys),
            "q": q,
            "sq": sq,
            "attn_scale": attn_scale,
            "keys": int8s(keys),
            "k_words": k_words,
            "values": int8s(values),
            "v_words": v_words,
            "o": o,
            "so": so,
            "total": steps["total"],
        }
        if len(keys) <= 64:
            entry.update(z=steps["z"], p=steps["p"])
        cases.append(entry)

    def query(head_dim, size=600):
        return [nm.clamp(int(rng.gauss() * size), -2047, 2047) for _ in range(head_dim)]

    alive = (45000, -25)
    for n, head_dim in [(1, 16), (3, 16), (64, 16), (600, 16), (64, 20), (3, 64), (513, 4)]:
        case(f"{n} positions of {head_dim}", query(head_dim), alive, random_heads(rng, n, head_dim, 2))
    wide = random_heads(rng, 64, 8, 24)
    case("value scales 24 octaves apart", query(8), (45000, -48), wide)
    case("huge score differences: z saturates", query(8, 2000), (45000, 5), random_heads(rng, 9, 8, 2))
    case("a zero query", [0] * 8, nm.ZERO_SCALE, random_heads(rng, 9, 8, 2))
    case("a query of zero scale", query(8), nm.ZERO_SCALE, random_heads(rng, 9, 8, 2))
    case("scores that all round to 0", query(8), (45000, -80), random_heads(rng, 9, 8, 2))
    keys, k_words, values, v_words = random_heads(rng, 9, 8, 2)
    case("zero key scales", query(8), alive, (keys, [0, *k_words[1:5], 0, *k_words[6:]], values, v_words))
    case("zero value scales", query(8), alive, (keys, k_words, values, [0, *v_words[1:5], 0, *v_words[6:]]))
    case("every value scale zero", query(8), alive, (keys, k_words, values, [0] * 9))
    case(
        "largest and smallest words",
        query(8),
        (45000, -60),
        (keys, [65535, 1] * 4 + [1024], values, [1, 65535] * 4 + [1024]),
    )
    # Positions so quiet that their weights are a few units, and p = 1; in the second case nothing louder is heard.
    keys, k_words, values, v_words = random_heads(rng, 64, 8, 1)
    q = query(8)
    sq = quiet_scale(q, keys, k_words)
    case("weights down to 1", q, sq, (keys, k_words, values, v_words))
    p = scores(q, sq, keys, k_words)["p"]
    quiet_words = [word if v < 6 else 0 for v, word in zip(p, v_words)]
    case("only weights below 6 are heard", q, sq, (keys, k_words, values, quiet_words))
    # The only position that is heard has a far smaller value scale than one that is not.
    far = ([[127] * 8, [-127] * 8], [v_words[0]] * 2, [[5, -5] * 4, [127] * 8], [1 << 10, 63 << 10])
    case("a loud value at a position without weight", [2047] * 8, (65535, -10), far)
    flat = ([[1] * 8] * 600, [k_words[0]] * 600, [[127, -127] * 4] * 600, [v_words[0]] * 600)
    case("600 equal positions: o needs more than 24 bits", [100] * 8, alive, flat)
    return cases


def combine_cases(rng):
    def head(n, size, e):
        return [[rng.between(-size, size) for _ in range(n)], (rng.between(32768, 65535), e)]

    zero = [[0] * 4, nm.ZERO_SCALE]
    groups = [
        [head(4, 1 << 23, -40)],
        [head(4, 1 << 23, -40), head(4, 1 << 20, -38), head(4, 9, -60)],
        [head(4, 1, -40), zero],
        [zero, zero],
        [head(4, 1 << 23, -20), head(4, 1 << 23, -120)],
        [[[1 << 24, -(1 << 24), 1, -1], (65535, -44)], head(4, 1 << 24, -44)],
        [[[0] * 4, (40000, 30)], head(4, 3, -44)],
    ]
    cases = []
    for heads in groups:
        x, s = nm.combine_heads([(o, so) for o, so in heads])
        cases.append({"heads": heads, "x": x, "s": s})
    return cases


def attention_parts(rng):
    return {
        "trig": trig_cases(rng),
        "rope_inc": rope_inc_cases(),
        "rope": rope_cases(rng),
        "kv_scale": kv_word_cases(rng),
        "attention": attention_cases(rng),
        "combine": combine_cases(rng),
    }
