"""experts.json: which experts a router chooses, with which weights, and how their outputs join the residual."""

from . import numerics as nm
from .cases_numerics import INT32_MAX, random_scale, scale, vector
from .forward import Router
from .golden import document
from .image import ROUTER, tensor
from .packing import INT8
from .sampler import Pcg32

ONE = 1 << 16


def logit_sets(rng):
    return [
        ([7], 1),
        ([5, 9, 9, 3, 9, -2], 1),
        ([5, 9, 9, 3, 9, -2], 2),
        ([5, 9, 9, 3, 9, -2], 4),
        ([0] * 8, 3),
        ([0] * 8, 8),
        ([-(2**31)] * 3, 2),
        ([INT32_MAX, -(2**31), INT32_MAX, -(2**31)], 4),
        ([-(2**31), INT32_MAX, INT32_MAX - 1], 3),
        # 21.48 logits are the exponent 30.99, 21.49 are 31.00: the last weight that is not zero, and the first that is.
        ([0, -1407700, -1408200, -1409000, -22 * ONE], 5),
        ([0, -22 * ONE + 1, -64 * ONE], 3),
        # On both sides of where d rounds from one table entry to the next, and from one power of two to the next.
        ([0, -88, -89, -90, -266, -267], 6),
        ([0, -45425, -45426, -45427, -45337, -45338, -45339], 7),
        ([ONE * k for k in range(-8, 8)], 8),
        ([int(rng.gauss() * 2 * ONE) for _ in range(64)], 8),
        ([int(rng.gauss() * 5 * ONE) for _ in range(256)], 256),
        ([rng.between(-2, 2) for _ in range(128)], 16),
    ]


def choice_cases(rng):
    cases = []
    for logits, used in logit_sets(rng):
        chosen, weights = zip(*nm.choose_experts(logits, used))
        cases.append({"logits": logits, "used": used, "chosen": chosen, "weights": weights})
    weights = [w for case in cases for w in case["weights"]]
    assert nm.ONE in weights and nm.ZERO_SCALE in weights and any(1 <= 15 + e + 32 < 8 for m, e in weights if m)
    return cases


def router_cases(rng):
    """Logits of int8 rows: as the head's, with activations of 127 at most."""
    cases = []

    def case(rows, q, sq, scales):
        logits = Router(tensor(ROUTER, rows, INT8, row_scales=scales))(q, sq)
        cases.append({"rows": rows, "q": q, "sq": sq, "row_scales": scales, "logits": logits})

    for n, cols in ((1, 4), (3, 20), (8, 52), (5, 33)):
        rows = [[rng.between(-127, 127) for _ in range(cols)] for _ in range(n)]
        q = [rng.between(-127, 127) for _ in range(cols)]
        scales = [scale((0.5 + rng.rand32() / 2**32) / 400) for _ in range(n)]
        if n > 4:
            scales[2] = nm.ZERO_SCALE
        case(rows, q, scale(1 / 50), scales)
    case([[127] * 64, [-127] * 64], [127] * 64, (65535, 0), [(65535, 0), (65535, 0)])
    case([[127] * 64, [-127] * 64], [127] * 64, nm.ZERO_SCALE, [(65535, 0), (65535, 0)])
    return cases


def mixing_cases(rng):
    cases = []

    def case(x, outputs, weights, frac):
        after = nm.mix_experts(x, outputs, weights, frac)
        cases.append({"x": x, "outputs": outputs, "weights": weights, "residual_frac": frac, "x_after": after})

    for used, frac in ((1, 16), (2, 16), (4, 24), (8, 0)):
        weights = [w for _, w in nm.choose_experts([int(rng.gauss() * ONE) for _ in range(2 * used)], used)]
        outputs = [(vector(rng, 9, 3000), random_scale(rng, -29, -26)) for _ in range(used)]
        case(vector(rng, 9, 1 << frac), outputs, weights, frac)
    # Weights of exactly a half: each addition rounds for itself, halves upwards.
    half = [w for _, w in nm.choose_experts([3, 3], 2)]
    case([0, 0, 0, 0], [([1, -1, 3, -3], (32768, -31)), ([1, -1, 3, -3], (32768, -31))], half, 16)
    # The first addition saturates, the second comes back from the end: the order counts.
    case([INT32_MAX - 5, -(2**31) + 5], [([100, -100], (32768, -30)), ([-100, 100], (32768, -30))], half, 16)
    # No weight, no output.
    case([1, 2], [([5, 6], (40000, -20)), ([7, 8], (65535, 20))], [nm.ONE, nm.ZERO_SCALE], 16)
    return cases


def experts_file():
    rng = Pcg32(1006)
    return document(
        "NUMERICS.md, Experts",
        """router: step 1; rows are int8 weights, q int8 activations of scale sq. choice: steps 2 and 3, weights in the
        order of chosen. mixing: step 4; outputs are [y, s] of the chosen experts in order. Scales are [m, e].""",
        router=router_cases(rng),
        choice=choice_cases(rng),
        mixing=mixing_cases(rng),
    )
