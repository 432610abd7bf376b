"""How one says numbers, percentages, degrees and durations: each function gives (text, slot class, thousandths), spec/TOOLS.md, "Quantity"."""

UNITS = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()
RANGES = [("max", 100), ("maximum", 100), ("the maximum", 100), ("full", 100), ("full power", 100), ("full blast", 100), ("the highest", 100), ("the max", 100),
          ("all the way up", 100), ("min", 0), ("minimum", 0), ("the minimum", 0), ("the lowest", 0), ("all the way down", 0), ("halfway", 50), ("half way", 50), ("half", 50), ("a quarter", 25)]
SECONDS = {"second": 1, "minute": 60, "hour": 3600}
SHORT = {"second": ["s", "sec", "secs"], "minute": ["min", "mins", "m"], "hour": ["h", "hr", "hrs"]}


def in_words(n, rng):
    """0..999"""
    if n < 20:
        return UNITS[n]
    if n < 100:
        return TENS[n // 10] + (rng.choice([" ", " ", "-"]) + UNITS[n % 10] if n % 10 else "")
    hundred = (rng.choice(["a", "one"]) if n < 200 else UNITS[n // 100]) + " hundred"
    return hundred + (rng.choice([" and ", " "]) + in_words(n % 100, rng) if n % 100 else "")


def number(v, rng):
    """A number of at most one decimal, 0..999, in thousandths."""
    whole, part = divmod(v, 1000)
    digits = rng.random() < 0.55
    text = str(whole) if digits else in_words(whole, rng)
    if part == 500 and rng.random() < 0.3:
        return f"{text} and a half"
    if part:
        text += f".{part // 100}" if digits else f" point {UNITS[part // 100]}"
    return text


def round_number(rng, high=100):
    r = rng.random()
    if r < 0.55:
        return rng.randrange(1, high // 10 + 1) * 10
    if r < 0.75:
        return rng.randrange(1, high // 5 + 1) * 5
    return rng.randrange(0, high + 1)


def percent(rng):
    v = (round_number(rng) if rng.random() < 0.97 else rng.randrange(101, 300)) * 1000
    if rng.random() < 0.35:
        return f"{v // 1000}{rng.choice(['%', '%', ' %'])}", "p", v
    return number(v, rng) + rng.choice([" percent", " percent", " percent", " per cent", " pct"]), "p", v


def plain(rng, high=100):
    v = (round_number(rng, high) if rng.random() < 0.97 else rng.randrange(101, 999)) * 1000
    return number(v, rng), "n", v


def extent(rng):
    text, v = rng.choice(RANGES)
    return text, "p", v * 1000


def degrees(rng):
    if rng.random() < 0.15:
        f = rng.randrange(45, 90)
        v = (f - 32) * 5000
        v = (abs(v) * 2 + 9) // 18 * (1 if v >= 0 else -1)
        return (f"{f}{rng.choice(['f', '°f', ' degrees f', ' fahrenheit', ' degrees fahrenheit'])}" if rng.random() < 0.6 else f"{in_words(f, rng)} degrees fahrenheit"), "d", v
    v = rng.choice([rng.randrange(16, 26), rng.randrange(16, 26), rng.randrange(5, 40)]) * 1000 + (500 if rng.random() < 0.12 else 0)
    if rng.random() < 0.2:
        return f"{v // 1000}{'.5' if v % 1000 else ''}{rng.choice(['c', '°', '°c'])}", "d", v
    return number(v, rng) + rng.choice([" degrees", " degrees", " degrees", " degree", " celsius", " degrees celsius", " centigrade", " degrees c"]), "d", v


def warmth(rng):
    """A set point without its unit."""
    v = rng.choice([rng.randrange(16, 26), rng.randrange(16, 26), rng.randrange(16, 26), rng.randrange(5, 40), rng.randrange(60, 80)]) * 1000
    v += 500 if rng.random() < 0.08 else 0
    return number(v, rng), "n", v


def duration(rng):
    r = rng.random()
    if r < 0.12:
        return rng.choice([("half an hour", "t", 1800000), ("a minute", "t", 60000), ("an hour", "t", 3600000), ("half a minute", "t", 30000), ("an hour and a half", "t", 5400000),
                           ("one and a half hours", "t", 5400000), ("a minute and a half", "t", 90000), ("two and a half minutes", "t", 150000)])
    unit = rng.choice(["second", "minute", "minute", "minute", "minute", "hour"])
    n = rng.choice([1, 2, 3, 5, 10, 15, 20, 30, 45, rng.randrange(1, 60)]) if unit != "hour" else rng.choice([1, 1, 2, 2, 3, 4, 6, 8, 10, 12])
    if r < 0.22:
        return f"{n}{rng.choice(['', ' '])}{rng.choice(SHORT[unit][:2])}", "t", n * SECONDS[unit] * 1000
    text = f"{number(n * 1000, rng)} {unit}{'' if n == 1 else 's'}"
    total = n * SECONDS[unit]
    if r < 0.30 and unit != "second":
        small = "second" if unit == "minute" else "minute"
        m = rng.choice([5, 10, 15, 20, 30, 40, 45])
        return f"{text} {rng.choice(['', 'and '])}{number(m * 1000, rng)} {small}s", "t", (total + m * SECONDS[small]) * 1000
    return text, "t", total * 1000


def value(rng, tool):
    """A value for the argument of a tool (of tools.json) to be set to; class w: the value of that word."""
    a = tool.get("argument", {})
    r, unit = rng.random(), a.get("unit")
    if a.get("values") and r < 0.25:
        word = rng.choice(list(a["values"]))
        return word, "w", round(a["values"][word] * 1000)
    if unit == "seconds":
        return duration(rng)
    if unit == "celsius":
        if r > 0.96:
            return extent(rng)
        if r > 0.62:
            return warmth(rng)
        return degrees(rng)
    if r > 0.90:
        return extent(rng)
    if r > 0.55:
        return plain(rng, 10 if tool["kind"] == "volume" and rng.random() < 0.5 else 100)
    return percent(rng)


def step(rng, tool):
    """By how much."""
    a = tool.get("argument", {})
    r, unit = rng.random(), a.get("unit")
    if unit == "celsius":
        v = rng.choice([1, 1, 2, 2, 3, 4, 5, 0.5, 1.5]) * 1000
        text = number(int(v), rng)
        if r < 0.3:
            return text, "n", int(v)
        return text + (" degree" if v == 1000 else " degrees") + rng.choice(["", "", "", " celsius"]), "d", int(v)
    v = rng.choice([5, 10, 10, 15, 20, 20, 25, 30, 40, 50, rng.randrange(1, 60)]) * 1000
    return (number(v, rng), "n", v) if r < 0.35 else (number(v, rng) + rng.choice([" percent", " percent", " per cent"]), "p", v) if r < 0.75 else (f"{v // 1000}%", "p", v)

