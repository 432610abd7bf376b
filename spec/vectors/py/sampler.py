"""NUMERICS.md, Sampler: PCG32 and the choice of a token."""

from .numerics import EXP2, LOG2E, round_shift, sat32, scale_mul, scale_of

U64 = (1 << 64) - 1
MULTIPLIER, INCREMENT = 6364136223846793005, 1442695040888963407
PENALTY_WINDOW = 64


class Pcg32:
    """PCG-XSH-RR 64/32. The increment is fixed by the page; a test of the algorithm passes another."""

    def __init__(self, seed, increment=INCREMENT):
        self.increment = increment
        self.state = 0
        self.rand32()
        self.state = (self.state + seed) & U64
        self.rand32()

    def rand32(self):
        s = self.state
        self.state = (s * MULTIPLIER + self.increment) & U64
        x = (((s >> 18) ^ s) >> 27) & 0xFFFFFFFF
        rot = s >> 59
        return (x >> rot | x << (32 - rot)) & 0xFFFFFFFF

    # For the making of cases, not part of the page.

    def below(self, n):
        return self.rand32() * n >> 32

    def between(self, low, high):
        return low + (self.rand32() << 32 | self.rand32()) % (high - low + 1)

    def choice(self, items):
        return items[self.below(len(items))]

    def gauss(self):
        """Nearly normal, mean 0, variance 1: twelve uniforms, the same on every machine."""
        return sum(self.rand32() for _ in range(12)) / 2**32 - 6


def penalise(logits, recent, penalty):
    """Repetition penalty in thousandths on the distinct ids of `recent`."""
    out = list(logits)
    if penalty not in (0, 1000):
        for token in set(recent):
            v = out[token]
            out[token] = sat32(v * 1000 // penalty if v > 0 else v * penalty // 1000)
    return out


def sample(logits, context, rng, temperature=0, top_k=0, top_p=1000, penalty=1000):
    """The next id. context: all ids so far; rng draws once when temperature > 0."""
    logits = penalise(logits, context[-PENALTY_WINDOW:], penalty)
    order = sorted(range(len(logits)), key=lambda token: (-logits[token], token))
    if temperature == 0:
        return order[0]
    if top_k > 0:
        order = order[:top_k]
    k = scale_mul(LOG2E, scale_of(1000 * 65536 // temperature, -16))
    weights = []
    for token in order:
        d = round_shift((logits[order[0]] - logits[token]) * k[0], -k[1] + 8)
        i = d >> 8
        weights.append(0 if i > 45 else (EXP2[d & 255] << 15) >> i)
    total = sum(weights)
    if top_p < 1000:
        wanted = (total * top_p + 999) // 1000
        running = kept = 0
        while kept == 0 or running < wanted:
            running += weights[kept]
            kept += 1
        order, total = order[:kept], running
    r = rng.rand32() * total >> 32
    running = 0
    for token, weight in zip(order, weights):
        running += weight
        if running > r:
            return token
    raise AssertionError("the running sum reaches the total")
