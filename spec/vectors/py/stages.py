"""Each stage of the integer forward pass against float64 on the very inputs that the integer pass had, so that a
formula's own error is seen without the int8 roundings that it sets off further on."""

import math

from . import numerics as nm


def real(scale):
    return scale[0] * 2.0 ** scale[1]


def values(block):
    x, s = block
    return [v * real(s) for v in x]


def relative(got, wanted):
    """RMS of the difference over the RMS of the wanted values."""
    size = math.sqrt(sum(v * v for v in wanted))
    return math.sqrt(sum((a - b) ** 2 for a, b in zip(got, wanted))) / size if size else float(any(got))


def rope_error(result, x, s, position, inc):
    half = len(x) // 2
    wanted = list(x)
    for j in range(half):
        angle = 2 * math.pi * (position * inc[j] % 2**32) / 2**32
        wanted[j] = x[j] * math.cos(angle) - x[j + half] * math.sin(angle)
        wanted[j + half] = x[j + half] * math.cos(angle) + x[j] * math.sin(angle)
    return relative(values(result), [v * real(s) for v in wanted])


def attention_error(result, q, sq, attn_scale, keys, k_words, cached, v_words):
    k_scales, v_scales = ([real(nm.kv_scale_parts(word)) for word in words] for words in (k_words, v_words))
    unit = real(sq) * real(attn_scale)
    scores = [sum(a * b for a, b in zip(q, key)) * unit * s for key, s in zip(keys, k_scales)]
    weights = [math.exp(s - max(scores)) for s in scores]
    total = sum(weights)
    wanted = [sum(w * s * row[i] for w, s, row in zip(weights, v_scales, cached)) / total for i in range(len(q))]
    return relative(values(result[:2]), wanted)


def gated_error(result, g, sg, u, su, squared_relu):
    gate, up = values((g, sg)), values((u, su))
    if squared_relu:
        wanted = [max(a, 0.0) ** 2 * b for a, b in zip(gate, up)]
    else:
        wanted = [a / (1 + math.exp(-a)) * b if a > -700 else 0.0 for a, b in zip(gate, up)]
    return relative(values(result), wanted)


def combine_error(result, heads):
    return relative(values(result), [v for head in heads for v in values(head)])


def steps_off(wanted, unit, q):
    """Largest distance of the scaled values from their integers, in steps: 0.5 is perfect rounding."""
    return max(abs(w / unit - v) for w, v in zip(wanted, q)) if unit else 0.0


def quantise_error(result, x, s, qmax):
    """Exact absmax: the unit is max / qmax."""
    wanted = values((x, s))
    return steps_off(wanted, max(abs(v) for v in wanted) / qmax, result[0])


def norm_wanted(x, s, gain, gain_exp, eps):
    value = values((x, s))
    rms = math.sqrt(sum(v * v for v in value) / len(value) + real(eps)) or 1.0
    return [v / rms * g * 2.0**gain_exp for v, g in zip(value, gain)]


def norm_steps(result, x, s, gain, gain_exp, eps, qmax):
    wanted = norm_wanted(x, s, gain, gain_exp, eps)
    return steps_off(wanted, max(abs(v) for v in wanted) / qmax, result[0])


def norm_unit_error(result, x, s, gain, gain_exp, eps, qmax):
    """Of the scale alone."""
    unit = max(abs(v) for v in norm_wanted(x, s, gain, gain_exp, eps)) / qmax
    return abs(real(result[1]) / unit - 1) if unit else real(result[1])


def weights_error(result, logits, used):
    """Of the weight that is farthest off, among those that count: above one in ten thousand."""
    every = [math.exp((v - max(logits)) / 65536) for v in logits]
    total = sum(every[e] for e, _ in result)
    wanted = [every[e] / total for e, _ in result]
    return max(abs(real(w) / a - 1) for (_, w), a in zip(result, wanted) if a > 1e-4)


MEASURES = {
    "rope": [("rope, relative", rope_error)],
    "attention": [("attention of a head, relative", attention_error)],
    "combine_heads": [("combined heads, relative", combine_error)],
    "gated": [("gated product, relative", gated_error)],
    "choose_experts": [("weights of the experts, relative", weights_error)],
    "quantise": [("quantise, largest rounding in steps", quantise_error)],
    "norm_quantise": [
        ("norm_quantise, largest rounding in steps", norm_steps),
        ("norm_quantise, relative error of the scale", norm_unit_error),
    ],
}


class Watch:
    """Between `with Watch() as errors` and its end every call of a stage is measured: errors[name] is a list."""

    def __enter__(self):
        self.saved = {name: getattr(nm, name) for name in MEASURES}
        errors = {label: [] for measures in MEASURES.values() for label, _ in measures}
        for name, function in self.saved.items():
            setattr(nm, name, watched(function, MEASURES[name], errors))
        return errors

    def __exit__(self, *_):
        for name, function in self.saved.items():
            setattr(nm, name, function)


def watched(function, measures, errors):
    def call(*arguments):
        result = function(*arguments)
        for label, measure in measures:
            errors[label].append(measure(result, *arguments))
        return result

    return call
