"""sampler.json."""

import math

from .golden import document
from .sampler import Pcg32, penalise, sample

# pcg32-demo of the reference distribution (pcg-c-basic): pcg32_srandom(42, 54), increment 54 * 2 + 1.
DEMO = [0xA15C02B7, 0x7B47F409, 0xBA1D3330, 0x83D2F293, 0xBFA4784B, 0xCBED606E]
# The same distribution's PCG32_INITIALIZER is the state after seeding with its default increment's published pair.
INITIALIZER = (0x853C49E6748FEA9B, 0xDA3E39CB94B95BDB)


def pcg_cases():
    demo = Pcg32(42, 54 * 2 + 1)
    assert [demo.rand32() for _ in DEMO] == DEMO
    started = Pcg32(0, INITIALIZER[1])
    started.state = INITIALIZER[0]
    initializer = [started.rand32() for _ in range(4)]
    cases = []
    for seed in (0, 1, 7, 42, 12345, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        rng = Pcg32(seed)
        state = f"{rng.state:016x}"
        cases.append({"seed": seed, "state": state, "rand32": [rng.rand32() for _ in range(8)]})
    return cases, {"seed": 42, "increment": "109", "rand32": DEMO, "initializer_rand32": initializer}


# Seeds whose first draw is 0, 2^31 - 1, 2^31, 2^31 + 1 and 2^32 - 1: among two equal logits they fall on the seam.
SEAM_SEEDS = [399611011, 2755802759, 462886891, 3429448983, 1186179594]


def powers_of_two():
    """Logits whose weights at temperature 1000 are 2^30 and then the bits of 1074817, down to 1: P * 999 is 359 above
    1000 * 2^30, so the prefix for top_p 999 needs the second token, by the rounding up alone."""
    bits = [n for n in range(31) if 1074817 >> n & 1]
    return [0] + [-round((30 - n) * 65536 / math.log2(math.e)) for n in reversed(bits)]


def logit_sets(rng):
    one = 1 << 16
    return {
        "ties": [5, 9, 9, 3, 9, -2],
        "all equal": [0] * 8,
        "one": [77],
        "two": [one, -one],
        "two equal": [one, one],
        "powers of two": powers_of_two(),
        "normal": [int(rng.gauss() * 3 * one) for _ in range(40)],
        "peaked": [0, 1, 2, 40 * one, 39 * one, -40 * one],
        "limits": [2**31 - 1, -(2**31), 0, 2**31 - 2, -(2**31) + 1],
        "negative": [-one * k for k in range(1, 12)],
        "wide": [int(rng.gauss() * 5 * one) for _ in range(300)],
    }


def sampling_cases():
    rng = Pcg32(1004)
    sets = logit_sets(rng)
    cases = []

    def case(logits, context=(), draws=4, seed=None, **options):
        seed = rng.rand32() if seed is None else seed
        generator = Pcg32(seed)
        ids = [sample(sets[logits], list(context), generator, **options) for _ in range(draws)]
        full = {"temperature": 0, "top_k": 0, "top_p": 1000, "penalty": 1000, **options}
        cases.append({"logits": logits, "context": list(context), "seed": seed, **full, "ids": ids})

    for name in sets:
        case(name, draws=1)
        for temperature in (1, 500, 1000, 5000):
            case(name, draws=8, temperature=temperature)
    for top_k in (1, 2, 3, 40, 1000):
        for name in ("ties", "all equal", "normal", "wide"):
            case(name, draws=8, temperature=1000, top_k=top_k)
    for top_p in (0, 1, 500, 900, 999, 1000, 1001):
        for name in ("ties", "all equal", "two", "normal", "limits", "wide"):
            case(name, draws=8, temperature=1000, top_p=top_p)
    for temperature in (3, 700, 100000, 65536000, 65536001, 4294967295):
        case("normal", draws=8, temperature=temperature, top_k=20, top_p=950)
    context = [1, 3, 3, 5] + [0] * 3
    for penalty in (0, 1, 500, 999, 1000, 1001, 1100, 1300, 2000, 100000, 4294967295):
        for name in ("limits", "normal", "negative"):
            case(name, [t % len(sets[name]) for t in context], temperature=0, penalty=penalty, draws=1)
            case(name, [t % len(sets[name]) for t in context], temperature=900, penalty=penalty, draws=6)
    for seed in SEAM_SEEDS:
        case("two equal", seed=seed, temperature=1000, draws=1)
    # The first draw is 2^32 - 1: the last id that is kept.
    for top_p in (998, 999, 1000):
        case("powers of two", seed=SEAM_SEEDS[4], temperature=1000, top_p=top_p, draws=1)
    # Ids 65 and more places back are outside the window of 64.
    best = max(range(40), key=lambda t: sets["normal"][t])
    for filler in (62, 63, 64, 65):
        case("normal", [best] + [39] * filler, penalty=100000, draws=1)
    for seed in (0, 7, 0xFFFFFFFF):
        case("wide", [1, 2, 3], draws=64, seed=seed, temperature=800, top_k=40, top_p=950, penalty=1100)
    return [{"name": name, "values": values} for name, values in sets.items()], cases


def penalty_cases():
    values = [2**31 - 1, -(2**31), 0, 1, -1, 7, -7, 65536, -65536, 1999, -1999, 123456789, -123456789]
    cases = []
    for penalty in (0, 1, 333, 999, 1000, 1001, 1100, 3000, 4294967295):
        recent = [12, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 9]
        cases.append({"logits": values, "recent": recent, "penalty": penalty, "out": penalise(values, recent, penalty)})
    return cases


def sampler_file():
    pcg, demo = pcg_cases()
    sets, cases = sampling_cases()
    return document(
        "NUMERICS.md, Sampler",
        """pcg32: the state after seeding (hex) and the first draws. reference_demo: the published demo of the
        algorithm, whose increment 2*54+1 is not ours: it checks multiplier, output function and seeding of the
        generator that wrote this file. penalised: step 1 alone. cases: `ids` are draws one after the other from
        one generator over the same logits and context (nothing is appended).""",
        reference_demo=demo,
        pcg32=pcg,
        penalised=penalty_cases(),
        logits=sets,
        cases=cases,
    )
