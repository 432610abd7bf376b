"""Reading words (spec/TOOLS.md): a text and a table of tools become words, kind tokens and slots.

Written from the specification, independently of the device's code: spec/vectors/tools.json, which the device is tested
with, comes from here (`python3 words.py --vectors`). Values are integers in thousandths.
"""
import json
import pathlib
import re
import struct
import zlib

HERE = pathlib.Path(__file__).parent
SPEC = HERE / "../../../spec"

KINDS = "light fan heater cooler switch cover lock volume timer temperature humidity luminance sensor robot maker alarm".split()
VERBS = "on off set up down get".split()
SLOTS = "npdtw"  # number, percent, degrees, time, word
SPECIALS = (
    "call none decline ask say user board confirm".split()
    + VERBS + ["verb6", "verb7"] + KINDS + [k + "2" for k in KINDS]
    + [c + i for c in SLOTS for i in "123"] + ["all"]
)
UNITS = [None, "percent", "celsius", "seconds"]
DRIVES = ["none", "gpio", "pwm", "adc", "timer"]
CLASSES = "alias value units tens hundred half article and point percent degree celsius fahrenheit time range".split()
CALLS_MAX, TOOLS_MAX, TOOLS_MAX_BYTES = 4, 32, 4032
LIMIT = 2 ** 31

SEPARATOR = re.compile(r"""[\x00-\x20\x7f.,!?;:"()\[\]{}<>|\-_*#~^\\/=+&@$`]""")
BETWEEN_DIGITS = ".,:/"


def split_words(text):
    """Rule 1: the words of a text, lower-cased."""
    t = "".join(chr(ord(ch) + 32) if "A" <= ch <= "Z" else ch for ch in text).replace("\u2019", "").replace("'", "")
    out, cur = [], ""
    for i, ch in enumerate(t):
        before, digit_behind = t[i - 1 : i], i < len(t) - 1 and t[i + 1] in "0123456789"
        inside = digit_behind and (ch in BETWEEN_DIGITS and before != "" and before in "0123456789" or ch == "." and (before == "" or SEPARATOR.match(before)))
        if SEPARATOR.match(ch) and not inside:
            out.append(cur)
            cur = ""
        else:
            cur += ch
    out.append(cur)
    return [w for w in out if w]


def english():
    """Phrases of the language: list of (words, class, value in the table's unit)."""
    d = json.loads((SPEC / "words_en.json").read_text(encoding="utf-8"))
    out = []
    for name in CLASSES[2:]:
        entries = d[name].items() if isinstance(d[name], dict) else [(w, 0) for w in d[name]]
        for text, value in entries:
            out.append((tuple(split_words(text)), name, round(value * (1 if name == "time" else 1000))))
    return out


ENGLISH = english()


def thousandths(v):
    return round(v * 1000)


class Table:
    """A tools.json: `tools` (list of dict) and the phrases by their first word, the longest text first."""

    def __init__(self, spec):
        self.spec = spec
        self.name = spec.get("name", "")
        self.tools = [self.tool(t) for t in spec["tools"]]
        self.by_name = {t["name"]: i for i, t in enumerate(self.tools)}
        self.kinds = sorted({t["kind"] for t in self.tools})
        phrases = []  # (class, words, value, tool or None)
        for i, t in enumerate(spec["tools"]):
            names = dict.fromkeys(tuple(split_words(alias)) for alias in [t["name"], *t.get("aliases", [])])
            phrases += [("alias", w, i, i) for w in names]
            for word, value in t.get("argument", {}).get("values", {}).items():
                phrases.append(("value", tuple(split_words(word)), thousandths(value), i))
        phrases += [(cls, w, value, None) for w, cls, value in ENGLISH]
        key = lambda p: (CLASSES.index(p[0]), -len(" ".join(p[1]).encode()), " ".join(p[1]).encode(), -1 if p[3] is None else p[3])
        self.phrases = sorted(phrases, key=key)
        self.first = {}
        for p in self.phrases:
            self.first.setdefault(p[1][0], []).append(p)
            if p[0] == "alias" and len(p[1]) == 1 and not p[1][0].endswith("s"):
                self.first.setdefault(p[1][0] + "s", []).append(p)

    @staticmethod
    def tool(t):
        a, d = t.get("argument", {}), t.get("drive", {"type": "none"})
        kind = KINDS.index(t["kind"])
        has_arg = d["type"] == "pwm" or (d["type"] == "none" and a)
        verbs = t.get("verbs") or {
            "gpio": ["on", "off", "get"], "adc": ["get"], "timer": ["off", "set", "up", "down", "get"],
        }.get(d["type"], ["on", "off", "set", "up", "down", "get"] if has_arg else ["on", "off", "get"])
        unit = UNITS.index(a.get("unit"))
        low, high = thousandths(a.get("min", 0)), thousandths(a.get("max", 1))
        return dict(name=t["name"], kind=kind, verbs=verbs, drive=d["type"], unit=unit, min=low, max=high,
                    step=thousandths(a.get("step", 0)), on=thousandths(a.get("on", a.get("max", 1))))

    def at(self, words, i, classes):
        """The first phrase of these classes that stands at word i, in the table's order, or None."""
        for p in self.first.get(words[i], ()) if i < len(words) else ():
            if p[0] in classes:
                here = tuple(words[i : i + len(p[1])])
                if here == p[1] or (p[0] == "alias" and not p[1][-1].endswith("s") and here == (*p[1][:-1], p[1][-1] + "s")):
                    return p
        return None

    def compile(self):
        """The binary table."""
        tools, texts, phrases = b"", b"", b""
        start = 16 + 32 * len(self.tools) + 12 * len(self.phrases)
        where = {}

        def put(text):
            nonlocal texts
            b = text if isinstance(text, bytes) else text.encode()
            if b not in where:
                where[b] = start + len(texts)
                texts += b
            return where[b], len(b)

        for t, s in zip(self.tools, self.spec["tools"]):
            d = s.get("drive", {"type": "none"})
            raw = d.get("duty") or d.get("raw") or [0, 1 if d["type"] == "gpio" else 65535 if d["type"] in ("pwm", "adc") else 0]
            off, n = put(t["name"])
            pin = d.get("pin", d.get("channel", 255 if d["type"] == "timer" else 0))
            tools += struct.pack("<BBBBBBBBHHiiiiHH", t["kind"], sum(1 << VERBS.index(v) for v in t["verbs"]), DRIVES.index(d["type"]), pin,
                                 int(d.get("inverted", False)), t["unit"], n, 0, off, d.get("hz", 0), t["min"], t["max"], t["step"], t["on"], raw[0], raw[1])
        for cls, words, value, tool in self.phrases:
            off, n = put(" ".join(words))
            phrases += struct.pack("<HBBiB3x", off, n, CLASSES.index(cls), value, 255 if tool is None else tool)
        body = tools + phrases + texts
        body += b"\0" * (-len(body) % 4)
        flags = int(self.spec.get("dry_run", False))
        head = struct.pack("<IHHBBHI", 0x4C4F4F54, 1, 16 + len(body), len(self.tools), flags, len(self.phrases), 0)
        crc = zlib.crc32(head + body)
        return head[:12] + struct.pack("<I", crc) + body


DIGITS = re.compile(r"([0-9]{1,7}|(?=\.))(?:\.([0-9]{1,3}))?(?![0-9./])|([0-9]{1,2})/([0-9]{1,2})(?![0-9/])")


def digits(table, word):
    """-> (thousandths, class and value of a unit glued to the digits or None, is it D/D, is it D) or None."""
    m = DIGITS.match(word)
    if not m:
        return None
    if m.group(3):
        if int(m.group(4)) == 0:
            return None
        value = (int(m.group(3)) * 2000 + int(m.group(4))) // (2 * int(m.group(4)))
    else:
        value = int(m.group(1) or 0) * 1000 + int((m.group(2) or "0").ljust(3, "0"))
    glued = None
    if m.end() < len(word):
        glued = table.at([word[m.end():]], 0, ("percent", "degree", "celsius", "fahrenheit", "time"))
        if glued is None:
            return None
    return value, glued, m.group(3) is not None, m.group(2) is None and m.group(3) is None


def number(table, words, i):
    """-> (next word, thousandths, class and value of a unit glued to the digits or None, is it HALF) or None."""
    w = words[i] if i < len(words) else ""
    if w[:1] and w[0] in "0123456789.":
        d = digits(table, w)
        if d is None:
            return None
        value, glued, fraction, whole = d
        j = i + 1
        if whole and glued is None:
            d = digits(table, words[j]) if j < len(words) else None
            if d and d[2] and d[0] < 1000:
                j, value, glued, fraction = j + 1, value + d[0], d[1], True
        if fraction and glued is None:
            a = table.at(words, j, ("article",))
            if a and long_time(table, words, j + len(a[1])):
                j += len(a[1])
        return j, value, glued, False
    p = table.at(words, i, ("half",)) or table.at(words, i, ("units", "tens", "hundred", "article"))
    if p is None:
        return None
    cls, _, value, _ = p
    j = i + len(p[1])
    if cls == "half":
        a = table.at(words, j, ("article",))
        if a and long_time(table, words, j + len(a[1])):
            j += len(a[1])
        return j, value, None, True
    if cls == "article":
        if table.at(words, j, ("hundred",)):
            j, value, hundred = j + 1, 100000, True
        elif long_time(table, words, j):
            return j, 1000, None, False
        else:
            return None
    elif cls == "hundred":
        hundred = True
    else:
        hundred = cls == "units" and 1000 <= value <= 9000 and table.at(words, j, ("hundred",)) is not None
        if hundred:
            j, value = j + 1, value * 100
        elif cls == "tens":
            u = table.at(words, j, ("units",))
            if u and 1000 <= u[2] <= 9000:
                j, value = j + 1, value + u[2]
    if hundred:
        k = j + 1 if table.at(words, j, ("and",)) else j
        t = table.at(words, k, ("units", "tens"))
        if t:
            j, value = k + 1, value + t[2]
            u = table.at(words, j, ("units",)) if t[0] == "tens" else None
            if u and 1000 <= u[2] <= 9000:
                j, value = j + 1, value + u[2]
    if table.at(words, j, ("point",)):
        k, place = j + 1, 100
        while place:
            u = table.at(words, k, ("units",))
            if not u or u[2] > 9000:
                break
            k, value, place = k + 1, value + u[2] // 1000 * place, place // 10
        if k > j + 1:
            j = k
    return j, value, None, False


def long_time(table, words, i):
    """A TIME word of more than one letter."""
    p = table.at(words, i, ("time",))
    return p if p and len(p[1][0]) > 1 else None


def stands_alone(unit, words, j):
    """A unit of one letter counts behind digits only: "10 m" is a time, "ten m" is none."""
    return unit[0] in ("percent", "degree") or len(" ".join(unit[1])) > 1 or words[j - 1][-1] in "0123456789"


def and_half(table, words, j):
    """AND [ARTICLE] HALF at j -> (next word, thousandths) or None."""
    if not table.at(words, j, ("and",)):
        return None
    a = table.at(words, j + 1, ("article",))
    k = j + 1 + (len(a[1]) if a else 0)
    h = table.at(words, k, ("half",))
    return (k + len(h[1]), h[2]) if h else None


def quantity(table, words, i):
    """-> (next word, slot class, value) or None."""
    r = table.at(words, i, ("range",))
    if r:
        return i + len(r[1]), "p", r[2]
    n = number(table, words, i)
    if n is None:
        return None
    j, value, glued, half = n
    if glued is None and not half:
        more = and_half(table, words, j)
        if more:
            j, value = more[0], value + more[1]
    unit = glued
    if unit is None:
        unit = table.at(words, j, ("percent", "degree", "celsius", "fahrenheit", "time"))
        if unit and not stands_alone(unit, words, j):
            unit = None
        if unit:
            j += len(unit[1])
    if unit is None:
        result = (j, "p", value * 100) if half else (j, "n", value)
    elif unit[0] == "percent":
        result = (j, "p", value)
    elif unit[0] == "time":
        result = durations(table, words, j, value, unit[2])
    else:
        cls = unit[0]
        if cls == "degree":
            scale = table.at(words, j, ("celsius", "fahrenheit"))
            if scale:
                j, cls = j + len(scale[1]), scale[0]
        if cls == "fahrenheit":
            x = (value - 32000) * 5
            value = (abs(x) * 2 + 9) // 18 * (1 if x >= 0 else -1)
        result = (j, "d", value)
    return *result[:2], min(result[2], LIMIT - 1)


def durations(table, words, j, value, seconds):
    total, last = value * seconds, seconds
    while True:
        k = j + 1 if table.at(words, j, ("and",)) else j
        n = number(table, words, k)
        if n is not None:
            k, v, unit, _ = n
            if unit is None:
                unit = table.at(words, k, ("time",))
                if unit and stands_alone(unit, words, k):
                    k += len(unit[1])
                else:
                    unit = None
            if unit and unit[0] == "time" and unit[2] < last:
                j, total, last = k, total + v * unit[2], unit[2]
                continue
        more = and_half(table, words, j)
        if more:
            j, total = more[0], total + more[1] * last
        return j, "t", total


class Reading:
    """What a text becomes: `items` (str: a word; ("tok", name): a special token), `slots` {name: value}, `tools` {kind token: tool}."""

    def __init__(self):
        self.items, self.slots, self.tools, self.words = [], {}, {}, {}


def read(text, table):
    """Rules 1 to 3."""
    words = split_words(text)
    r, i = Reading(), 0
    count = dict.fromkeys(SLOTS, 0)

    def slot(cls, value, said, j):
        nonlocal i
        if count[cls] == 3:
            r.items += words[i:j]
        else:
            count[cls] += 1
            name = f"{cls}{count[cls]}"
            r.slots[name] = value
            r.items.append(("tok", name))
            if cls == "w":
                r.words[name] = said
        i = j

    while i < len(words):
        a = table.at(words, i, ("alias",))
        if a:
            kind = KINDS[table.tools[a[3]]["kind"]]
            token = next((k for k in (kind, kind + "2") if r.tools.get(k, a[3]) == a[3]), None)
            if token is None:
                r.items += words[i : i + len(a[1])]
            else:
                r.tools[token] = a[3]
                r.items.append(("tok", token))
            i += len(a[1])
            continue
        q = quantity(table, words, i)
        if q:
            slot(q[1], q[2], None, q[0])
            continue
        v = table.at(words, i, ("value",))
        if v:
            slot("w", {p[3]: p[2] for p in reversed(table.first[words[i]]) if p[0] == "value" and p[1] == v[1]}, " ".join(v[1]), i + len(v[1]))
            continue
        r.items.append(words[i])
        i += 1
    return r


def value_of(reading, slot, tool):
    """A slot's value for an argument, thousandths (spec/TOOLS.md, "A call"), or an error's name."""
    v, cls, unit = reading.slots[slot], slot[0], UNITS[tool["unit"]]
    if cls == "w":
        return v.get(tool["index"], "unit") if isinstance(v, dict) else "unit"
    if cls == "p":
        v = v if unit == "percent" else tool["min"] + (tool["max"] - tool["min"]) * v // 100000
    elif cls == "d" and unit != "celsius" or cls == "t" and unit != "seconds":
        return "unit"
    return v if tool["min"] <= v <= tool["max"] else "range"


def shown(items):
    return " ".join(x if isinstance(x, str) else f"<|{x[1]}|>" for x in items)


if __name__ == "__main__":
    import argparse
    ap = argparse.ArgumentParser(description=__doc__)
    ap.add_argument("--tools", default=str(HERE / "../../assistant/tools/home.json"))
    ap.add_argument("--vectors", action="store_true", help="write spec/vectors/tools.json")
    ap.add_argument("text", nargs="*")
    args = ap.parse_args()
    table = Table(json.loads(pathlib.Path(args.tools).read_text(encoding="utf-8")))
    if args.vectors:
        import words_vectors
        words_vectors.write(SPEC / "vectors/tools.json")
    for text in args.text:
        r = read(text, table)
        print(shown(r.items), r.slots, {k: table.tools[t]["name"] for k, t in r.tools.items()})
