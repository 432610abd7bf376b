"""Phrasings as data: reads phrases/*.txt into sections of templates, and draws a text from a template.

A file is sections; each opens with a line `[name | calls | options]` and has one template a line, `#` begins a comment line.

    calls    what the words mean: `on T; set A V`, or `none`, `confirm`, `decline TOPIC`, `ask TOPIC`, `say TOPIC` (replies: replies.txt).
             Tools are T A B C, values V W X, steps S, durations D E; P Q R are whole commands that the generator makes up; `S?`: if it was said
    options  kinds=light,fan (of T), form=imperative|question|statement|fixed (what may stand around it), weight=N, implicit (the tool is
             not named), prev=CALLS (of the turn before, with , for ;), unsure, lacks=kind, has=kind, nouns=WORD (the tool must have such an alias)
    template words, [what may be left out], (this|that), {placeholders}: see dialogues.py

15 % of the templates are held out of training, chosen by a hash of their text: a template that is added moves no other one, and one that stands in
several sections is held out of all of them.
"""
import pathlib
import re
import zlib

PHRASES = pathlib.Path(__file__).parent / "phrases"
GROUPS = {
    "switchable": "light fan heater cooler switch robot maker alarm",
    "valued": "light fan heater cooler cover volume",
    "acting": "light fan heater cooler switch cover lock volume robot maker alarm",
    "measuring": "temperature humidity luminance sensor",
}
HELD_OUT = 15  # percent
TOKENS = re.compile(r"\{[^}]*\}|[\[\]()|]|[^\[\](){}|]+")
CLOSING = {"[": "]", "(": ")"}


class Section:
    def __init__(self, file, header, line):
        parts = [p.strip() for p in header.split("|")]
        if len(parts) != 3:
            raise ValueError(f"{file}:{line}: expected [name | calls | options]")
        self.file, self.name = file, parts[0]
        self.calls = [tuple(c.split()) for c in parts[1].split(";")]
        options = dict(o.partition("=")[::2] for o in re.split(r"\s+(?=[a-z]+(?:=|\s|$))", parts[2]) if o)
        kinds = options.get("kinds", "acting")
        self.kinds = GROUPS.get(kinds, kinds.replace(",", " ")).split()
        self.form = options.get("form", "fixed")
        self.weight = float(options.get("weight", 1))
        self.implicit, self.unsure = "implicit" in options, "unsure" in options
        self.climate = "climate" in options
        self.noise = "exact" not in options
        self.prev = [tuple(c.split()) for c in options["prev"].split(",")] if options.get("prev") else []
        self.has = options.get("has", "").replace(",", " ").split()
        self.lacks = options.get("lacks", "").replace(",", " ").split()
        self.nouns = options.get("nouns", "")
        self.tools = options.get("tools", "").replace(",", " ").split()
        self.options = set(options)
        self.templates, self.train, self.heldout, self.text = [], [], [], {}  # text: of a tree, by its id

    def add(self, text):
        if text in self.templates:
            raise ValueError(f"{self.file}.txt: twice in [{self.name}]: {text}")
        self.templates.append(text)
        tree = parse(text)
        self.text[id(tree)] = text
        (self.heldout if held_out(text) else self.train).append(tree)

    def close(self):
        """A section too small for the hash holds out nothing rather than everything."""
        self.name_of_tool = any(re.search(r"\{T[.}]", t) for t in self.templates)
        if not self.train:
            self.train, self.heldout = self.heldout, []


def held_out(text):
    """Whether training never sees this template, whatever its letter for the tool."""
    return zlib.crc32(re.sub(r"\{[TABC]([.}])", r"{T\1", text).encode()) % 100 < HELD_OUT


def parse(text):
    """A template as a tree: list of str, ("?", tree), ("|", [trees]), ("{", name, modifier)."""
    tokens, at = TOKENS.findall(text), 0

    def sequence(end):
        nonlocal at
        branches, out = [], []
        while at < len(tokens):
            t = tokens[at]
            at += 1
            if t == end:
                break
            if t == "|":
                branches.append(out)
                out = []
            elif t in CLOSING:
                inside = sequence(CLOSING[t])
                out.append(("?", inside) if t == "[" else inside[0])
            elif t[0] == "{":
                name, _, modifier = t[1:-1].partition(".")
                out.append(("{", name, modifier))
            else:
                out.append(t)
        else:
            if end:
                raise ValueError(f"{end} is missing in: {text}")
        branches.append(out)
        return [("|", branches)] if len(branches) > 1 else out if end is None else [("|", [out])] if end == ")" else out

    return sequence(None)


def draw(tree, rng, place, optional=0.35):
    """A text of a tree. place(name, modifier) -> what stands there."""
    return " ".join(pieces(tree, rng, place, optional).split())


def pieces(tree, rng, place, optional):
    out = []
    for node in tree:
        if isinstance(node, str):
            out.append(node)
        elif node[0] == "?":
            if rng.random() < optional:
                out.append(pieces(node[1], rng, place, optional))
        elif node[0] == "|":
            out.append(pieces(rng.choice(node[1]), rng, place, optional))
        else:
            out.append(place(node[1], node[2]))
    return "".join(out)


def lines(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        line = line.strip()
        if line and not line.startswith("#"):
            yield number, line


def load(name):
    """The sections of phrases/NAME.txt."""
    sections = []
    for number, line in lines(PHRASES / f"{name}.txt"):
        if line.startswith("[") and line.endswith("]") and line.count("|") == 2 and not line.startswith("[{"):
            sections.append(Section(name, line[1:-1], number))
        elif not sections:
            raise ValueError(f"{name}.txt:{number}: a template before the first section")
        else:
            sections[-1].add(line)
    for s in sections:
        s.close()
    return sections


def pairs(name):
    """phrases/NAME.txt with lines `key: text`, as {key: [texts]}."""
    out = {}
    for _, line in lines(PHRASES / f"{name}.txt"):
        key, _, text = line.partition(":")
        out.setdefault(key.strip(), []).append(text.strip())
    return out
