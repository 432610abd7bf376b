"""Our own dialogues, without end: phrasings (phrases/*.txt) drawn over tables (tables.py), with manners and noise (noise.py).

    python3 dialogues.py --show 40 [--heldout]     some examples
    python3 dialogues.py --count                   templates of each section
    python3 fixtures.py                            (another file) writes the test sets of examples/assistant/eval

Placeholders of templates:
    {A}            a tool as one says it: "the lamp", "my kitchen fan"; {A.name} bare, {A.one} "a timer", {A.some} "some coffee"
    {V} {W} {X}    values for the tool that the calls name, {W.same} once more; {S} by how much or how little, {S.amount} never without a number
    {D} {E}        durations
    {on A}         a clause with this verb and tool; {do M} with any verb
    {P} {Q} {R} {O} whole commands, made up; {P.do} begins with a verb in its base form, {P.ing} with its gerund
    {K}            a device of no kind; {X} when no call has it: a nonsense word
    {place} ...    fillings.txt

Every example is checked against the reading of words (words.py): a text whose calls the runtime could not make is thrown away.
"""
import argparse
import json
import pathlib
import random

import missing
import noise
import phrasings
import quantities
import tables
import turns
import words

# How much of each file: the rest of a session is like this, commands more than anything else.
SHARES = {"commands": 36, "questions": 9, "wishes": 6, "several": 14, "negation": 10, "corrections": 9, "followups": 13, "talk": 3, "refusals": 9, "asks": 4}
TAGS = {"negation": "negation", "corrections": "correction", "followups": "followup", "talk": "talk", "refusals": "refusal", "asks": "ask", "wishes": "wish", "several": "several"}
SECTIONS = {name: phrasings.load(name) for name in SHARES}
FILLINGS = {k: [w.strip() for t in v for w in t.split("|")] for k, v in phrasings.pairs("fillings").items()}
REPLIES = phrasings.pairs("replies")
TOOL_VARS, VALUE_VARS, TIME_VARS, COMMANDS = set("TABC"), set("VWX"), set("DE"), "PQRO"
LACKING = 0.12  # of the calls, a tool is taken from the table
STEPS = ["a bit", "a little", "a little bit", "slightly", "a notch", "some", "a lot", "more", "a touch", "a tad", "quite a bit", "somewhat"]
ROOMS = [w for w in FILLINGS["place"] if w != "room"]
PLURAL = set("light fan heater switch cover lock".split())
DRINKS = set("coffee tea espresso toast rice popcorn".split())
NOUNS = {"coffee": ("coffee",), "clean": ("vacuum", "clean", "hoover", "roomba", "sweeper", "mop", "robot")}
VERB_WEIGHTS = {"on": 4, "off": 4, "set": 4, "up": 1.5, "down": 1.5, "get": 0.8}


class World:
    """A table and what sentences need to know of it."""

    def __init__(self, spec):
        self.spec, self.table, self.uses, self.lesser = spec, words.Table(spec), 0, {}
        self.tools = []
        for s, t in zip(spec["tools"], self.table.tools):
            aliases = list(dict.fromkeys([s["name"], *s["aliases"]]))
            self.tools.append({"spec": s, "name": s["name"], "kind": s["kind"], "verbs": t["verbs"], "read": t, "aliases": aliases, "common": [], "first": False,
                               "unit": s.get("argument", {}).get("unit"), "drinks": [a for a in aliases if a.split()[-1] in DRINKS]})
        self.kinds, self.of = {t["kind"] for t in self.tools}, {}
        self.acting = sum(len(t["verbs"]) > 1 for t in self.tools)  # tools that can do something, not only be asked
        for t in self.tools:
            if t["kind"] not in self.of:
                t["first"] = True
                t["common"] = [n for n in tables.NOUNS[t["kind"]][0] if self.unknown(n)]
            self.of.setdefault(t["kind"], []).append(t)
        self.devices = [d for d in FILLINGS["device"] if self.unknown(d) and not self.has_noun(d)]

    def unknown(self, text):
        r = words.read(text, self.table)
        return not r.tools and not r.slots

    def has_noun(self, text):
        """Whether a tool of the table is of a kind that may be called so."""
        return any(text in nouns for t in self.tools for nouns in tables.NOUNS[t["kind"]])


class Impossible(Exception):
    """This section and this table do not go together, or the text came out wrong."""


class Drawing:
    """One example in the making."""

    def __init__(self, world, rng, heldout):
        self.world, self.rng, self.heldout = world, rng, heldout
        self.commands, self.texts, self.bound = {}, {}, []

    def template(self, section, top):
        rng = self.rng
        if self.heldout and section.heldout and (top or rng.random() < 0.5):
            return rng.choice(section.heldout)
        if self.heldout and top:
            raise Impossible
        # a section begins with what people say most: its first fifth is drawn as often as nearly half of it would be
        return section.train[int(len(section.train) * rng.random() ** 2)]

    # --- tools

    def fits(self, tool, section, var):
        if section.nouns and not any(n in a for a in tool["aliases"] for n in NOUNS[section.nouns]):
            return False
        if section.climate and {"heater", "cooler"} <= self.world.kinds or "single" in section.options and self.world.acting > 1:
            return False
        if "only" in section.options and len(self.world.of[tool["kind"]]) > 1:
            return False
        for call in section.calls + section.prev:
            if len(call) > 1 and call[1] == var and call[0] in words.VERBS and call[0] not in tool["verbs"]:
                return False
        return True

    def bind(self, section):
        """Tools for the variables of a section: distinct ones."""
        mentioned = list(dict.fromkeys(c[1] for c in section.calls + section.prev if len(c) > 1 and c[1] in TOOL_VARS))
        mentioned += [v for v in section.tools if v not in mentioned]
        if not mentioned and section.name_of_tool:
            mentioned = ["T"]
        tools = {}
        for var in mentioned:
            pool = [t for k in section.kinds if k in self.world.of for t in self.world.of[k] if self.fits(t, section, var) and t not in tools.values()]
            if section.implicit and section.prev in ([], [("none",)]):
                pool = [t for t in pool if t["first"]]
            if not pool:
                raise Impossible
            tools[var] = self.rng.choice(pool)
        units = {}
        for c in section.calls:
            if len(c) > 2 and c[2] in VALUE_VARS:
                if units.setdefault(c[2], tools[c[1]]["unit"]) != tools[c[1]]["unit"]:
                    raise Impossible
        return tools

    def noun(self, tool, how):
        rng = self.rng
        names = tool["aliases"]
        if how == "some" or how == "one":
            if how == "some":
                if not tool.get("drinks"):
                    raise Impossible
                return rng.choice(["a ", "some ", "", "a cup of ", "a fresh "]) + rng.choice(tool["drinks"])
            name = rng.choice(names)
            return rng.choice(["an" if name[0] in "aeiou" else "a", "an" if name[0] in "aeiou" else "a", "the", "my", "a new"]) + " " + name
        name = rng.choice(tool["common"]) if tool["common"] and rng.random() < 0.15 else rng.choice(names)
        if tool["kind"] in PLURAL and rng.random() < 0.14 and name in names and not name.endswith("s"):
            name += "s"
        if how == "name":
            return name
        r = rng.random()
        det = "the" if r < 0.66 else "my" if r < 0.80 else "that" if r < 0.83 else "this" if r < 0.85 else "our" if r < 0.87 else "the other" if r < 0.875 else ""
        r = rng.random()
        if r < 0.07 and tool["kind"] not in ("timer", "sensor", "temperature", "humidity", "luminance"):
            room = rng.choice(ROOMS)
            name = name if (room, tool["kind"]) == ("garage", "lock") else f"{room} {name}"  # the garage door is no door of the lock
        elif r < 0.12:
            name = f"{name} {rng.choice(['in', 'in', 'of', 'for'])} the {rng.choice(ROOMS)}"
        elif r < 0.14:
            name = f"{name} {rng.choice(['in here', 'here', 'over there', 'upstairs', 'downstairs'])}"
        return f"{det} {name}".strip()

    # --- the parts of a template

    def place(self, section, tools, slots):
        """The function that fills a template of a section; slots: {variable: (class, thousandths)} that it said."""
        rng = self.rng
        told = {}
        value_of = {c[2].rstrip("?"): c[1] for c in section.calls + section.prev if len(c) > 2}

        def fill(name, how):
            if name in told and how == "same":
                return told[name]
            if name in tools:
                return self.noun(tools[name], how)
            if name in VALUE_VARS and (name in value_of or "T" in tools):
                if name == "W" and "V" in value_of and name not in value_of:
                    tool = tools[value_of["V"]]
                else:
                    tool = tools[value_of.get(name, "T")]
                text, cls, v = quantities.value(rng, tool["spec"])
                slots[name], told[name] = (cls, v), text
                return text
            if name in TIME_VARS:
                text, cls, v = quantities.duration(rng)
                slots[name], told[name] = (cls, v), text
                return text
            if name == "S":
                if how != "amount" and rng.random() < 0.5:
                    return rng.choice(STEPS)
                text, cls, v = quantities.step(rng, tools[value_of["S"]]["spec"])
                slots["S"] = (cls, v)
                return text if how == "amount" else f"by {text}" if rng.random() < 0.75 else text
            if name in COMMANDS:
                return self.command(name, how)
            if name == "K":
                device = rng.choice(self.world.devices)
                return device if how == "name" else f"{rng.choice(['the', 'the', 'the', 'my', 'our', ''])} {device}"
            if name == "X":
                return f"{rng.choice(['the ', 'the ', 'my ', ''])}{tables.nonsense(rng)}"
            if " " in name:
                return self.clause_of(name, tools, slots)
            if name == "percent":
                return quantities.percent(rng)[0]
            if name == "number":
                return quantities.plain(rng)[0]
            if name == "degrees":
                return quantities.degrees(rng)[0]
            if name == "time":
                return quantities.duration(rng)[0]
            return rng.choice(FILLINGS[name])

        return fill

    def clause_of(self, name, tools, slots):
        """{on A}, {do M}"""
        verb, var = name.split(" ")[:2]
        tool = tools[var]
        if verb == "do":
            verb = self.rng.choice(tool["verbs"])
        if verb not in tool["verbs"]:
            raise Impossible
        return self.clause(verb, tool, "")[0]

    def clause(self, verb, tool, how):
        """A command of one verb and tool -> (text, call). how: "do" and "ing" begin with a verb, "act" is no question."""
        rng = self.rng
        forms = ("imperative",) if how else ("imperative", "imperative", "imperative", "imperative", "statement")
        form = "question" if verb == "get" else rng.choice(forms)
        pool = CLAUSES[verb, tool["kind"], form]
        if not pool:
            raise Impossible
        for _ in range(8):
            section = rng.choices(pool, CLAUSE_WEIGHTS[verb, tool["kind"], form])[0]
            if section.nouns and not any(n in a for a in tool["aliases"] for n in NOUNS[section.nouns]):
                continue
            if section.implicit and (not tool["first"] or rng.random() < 0.6 or section.climate and {"heater", "cooler"} <= self.world.kinds):
                continue
            slots, tools = {}, {"T": tool}
            text = phrasings.draw(self.template(section, False), rng, self.place(section, tools, slots))
            if how in ("do", "ing") and (not noise.base_form(text) or text.startswith(("make sure", "light "))):
                continue
            return text, self.call(section.calls[0], tools, slots)
        raise Impossible

    def command(self, name, how):
        """{P}: a random command, the same one at each mention."""
        rng = self.rng
        for _ in range(12):
            if name in self.commands:
                tool = next(t for t in self.world.tools if t["name"] == self.commands[name]["tool"])
                verb = self.commands[name]["verb"]
            else:
                tool = rng.choice(self.world.tools)
                if any(tool is t for t in self.bound) or any(tool is t for t in self.texts.values()) and rng.random() < 0.85:
                    continue
                verbs = [v for v in tool["verbs"] if not (how and v == "get")]  # a question is nothing to forbid or to put off
                if not verbs:
                    continue
                verb = rng.choices(verbs, [VERB_WEIGHTS[v] for v in verbs])[0]
            text, call = self.clause(verb, tool, how)
            if name not in self.commands:
                self.commands[name] = call
            elif self.commands[name] != call:
                continue
            self.texts[name] = tool
            return noise.gerund(text) if how == "ing" else text
        raise Impossible

    # --- what it means

    def value(self, tool, cls, v, verb):
        """A slot's thousandths in the unit of the argument (spec/TOOLS.md, "A call"), as JSON says it."""
        read = tool["read"] if "read" in tool else {"min": 0, "max": 100000}
        if cls == "p" and tool["unit"] != "percent":
            part = (read["max"] - read["min"]) * v // 100000
            v = part if verb in ("up", "down") else read["min"] + part
        return v // 1000 if v % 1000 == 0 else v / 1000

    def call(self, spec, tools, slots):
        verb, var = spec[0], spec[1]
        if var == "all":
            out = {"verb": verb, "tool": "all"}
            if len(spec) > 2:
                out["seconds"] = self.value({"unit": "seconds"}, *slots[spec[2]], verb)
            return out
        tool = tools[var]
        out = {"verb": verb, "tool": tool["name"]}
        if len(spec) > 2:
            slot = slots.get(spec[2].rstrip("?"))
            if slot is None and not spec[2].endswith("?"):
                raise Impossible
            if slot is not None:
                out["value" if verb in ("set", "up", "down") else "seconds"] = self.value(tool, *slot, verb)
        return out

    def before(self, section, tools):
        """The calls of the turn before, made up to fit."""
        out, rng = [], self.rng
        for spec in section.prev:
            tool, verb = tools[spec[1]], spec[0]
            if verb == "*":
                verb = rng.choice(tool["verbs"])
            out.append(self.past(verb, tool))
        return out

    def past(self, verb, tool):
        rng, call = self.rng, {"verb": verb, "tool": tool["name"]}
        said = None
        if verb == "set":
            said = quantities.value(rng, tool["spec"])
        elif verb in ("up", "down") and rng.random() < 0.4:
            said = quantities.duration(rng) if tool["kind"] == "timer" else quantities.step(rng, tool["spec"])
        elif verb in ("on", "off") and rng.random() < 0.06:
            said = quantities.duration(rng)
        if said:
            call["value" if verb in ("set", "up", "down") else "seconds"] = self.value(tool, said[1], said[2], verb)
            call["slot"] = said[1] + rng.choice("1111112")
        return call

    def history(self):
        """Calls of a turn before that have nothing to do with this one."""
        rng, out = self.rng, []
        for tool in rng.sample(self.world.tools, min(len(self.world.tools), rng.choice([1, 1, 1, 2, 2, 3]))):
            out.append(self.past(rng.choice(tool["verbs"]), tool))
        return out

    def example(self, section):
        rng, world = self.rng, self.world
        if any(k not in world.kinds for k in section.has) or any(k in world.kinds for k in section.lacks):
            raise Impossible
        tools, slots = self.bind(section), {}
        self.bound = list(tools.values())
        template = self.template(section, True)
        text = phrasings.draw(template, rng, self.place(section, tools, slots))
        prev = self.before(section, tools) if section.prev and section.prev[0] != ("none",) else []
        if not section.prev and section.unsure is False and rng.random() < 0.18:
            prev = self.history()
        kind = section.calls[0][0]
        x = {"text": text, "tools": world.spec["name"], "prev": prev}
        if section.unsure or (prev and not section.prev and rng.random() < 0.1):
            x["unsure"] = True
        if kind in ("none", "confirm"):
            x["expect"] = {"say": kind}
        elif kind in ("decline", "ask", "say"):
            topic = section.calls[0][1]
            x["expect"] = {"say": kind}
            x["reply"] = rng.choice(REPLIES.get(f"{topic}.{kind}") or REPLIES[topic])
        else:
            calls = [self.commands[c[0]] if c[0] in COMMANDS else self.call(c, tools, slots) for c in section.calls]
            x["expect"] = {"say": "call", "calls": calls}
        x["source"] = f"tritkit/{section.file}/{section.name}"
        if self.heldout:
            x["template"] = section.text[id(template)]
        n = len(x["expect"].get("calls", ()))
        x["tags"] = [t for t in (TAGS.get(section.file), "two" if n == 2 else "many" if n > 2 else None, "unsure" if x.get("unsure") else None) if t]
        return self.finish(x, section)

    def finish(self, x, section):
        """With manners and noise when the calls stay what they are, else without."""
        rng = self.rng
        mannered = noise.wrap(x["text"], section.form, rng)
        noisy = noise.disturb(mannered, rng) if section.noise and rng.random() < 0.14 else mannered
        for text in dict.fromkeys((noisy, mannered, x["text"])):
            y = {**x, "text": text}
            if self.sayable(y):
                y["text"] = noise.written(text, rng)
                return y
        raise Impossible

    def sayable(self, x):
        """Whether the runtime could do what is expected, and the model could learn why."""
        table = self.world.table
        reading = words.read(x["text"], table)
        try:
            answer = turns.answer(x, reading, table, turns.before(x, table)[1])
        except turns.Unsayable:
            return False
        values = list(reading.slots.values())
        if any(t in reading.slots and values.count(reading.slots[t]) > 1 for t in answer):
            return False  # which of two equal ones is meant cannot be learnt
        words_said = any(s[0] == "w" for s in reading.slots)
        # a word of the sentence happens to be a value of this table: in home that has to be learnt, elsewhere it is noise
        return not words_said or self.world.spec is tables.HOME or any(t[0] == "w" and t in reading.slots for t in answer)


def clauses():
    """(verb, kind, form) -> sections that say it in one clause."""
    out = {(v, k, f): [] for v in words.VERBS for k in words.KINDS for f in ("imperative", "statement", "question")}
    for s in SECTIONS["commands"] + SECTIONS["questions"]:
        call = s.calls[0]
        if len(s.calls) == 1 and call[0] in words.VERBS and not s.prev and not s.name.startswith("timed"):
            for k in s.kinds:
                out[call[0], k, s.form].append(s)
    return out


CLAUSES = clauses()
CLAUSE_WEIGHTS = {k: [s.weight for s in v] for k, v in CLAUSES.items()}


class Worlds:
    """Tables to draw from: home, parts of it and invented ones, each used some hundred times, then replaced."""

    def __init__(self, rng, uses=150, kept=48):
        self.rng, self.uses, self.kept, self.serial = rng, uses, kept, 0
        self.home = World(tables.HOME)
        self.parts, self.invented = [], []

    def draw(self):
        r = self.rng.random()
        if r < 0.30:
            return self.home
        pool, make = (self.parts, tables.part) if r < 0.52 else (self.invented, tables.invented)
        i = self.rng.randrange(self.kept)
        if i < len(pool) and pool[i].uses < self.uses:
            pool[i].uses += 1
            return pool[i]
        self.serial += 1
        world = World(make(self.rng, self.serial))
        if i < len(pool):
            pool[i] = world
        else:
            pool.append(world)
        return world


def generate(seed, n=None, heldout=False, files=None, worlds=None):
    """Yields n (None: endless) pairs (example, table as a tools.json dict). heldout: only templates that training never sees."""
    rng = random.Random(seed)
    worlds = worlds or Worlds(rng)
    names = list(files or SHARES)
    shares = [SHARES[f] for f in names]
    sections = {f: [s for s in SECTIONS[f] if s.heldout or not heldout] for f in names}
    weights = {f: [s.weight for s in sections[f]] for f in names}
    done = 0
    while n is None or done < n:
        file = rng.choices(names, shares)[0]
        section = rng.choices(sections[file], weights[file])[0]
        for _ in range(12):
            try:
                world = worlds.draw()
                x = Drawing(world, rng, heldout).example(section)
            except Impossible:
                continue
            yield lacking(x, world, rng) if x["expect"]["say"] == "call" and rng.random() < LACKING else (x, world.spec)
            done += 1
            break


def lacking(x, world, rng):
    """The same words to a table that lacks a tool of the calls, where they tell which kind is meant."""
    name = rng.choice(x["expect"]["calls"])["tool"]
    if name == "all":
        return x, world.spec
    if name not in world.lesser:
        spec = missing.without(world.table, name)
        world.lesser[name] = spec and words.Table(spec)
    lesser = world.lesser[name]
    tokens = lesser and missing.tokens(x, world.table, lesser)
    return ({**x, "expect": {"say": "decline"}, "tokens": tokens}, lesser.spec) if tokens else (x, world.spec)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--show", type=int, metavar="N")
    ap.add_argument("--count", action="store_true")
    ap.add_argument("--heldout", action="store_true")
    ap.add_argument("--file", action="append", choices=list(SHARES))
    ap.add_argument("--seed", type=int, default=1)
    args = ap.parse_args()
    if args.count:
        for name, sections in SECTIONS.items():
            for s in sections:
                print(f"{name:12} {s.name:22} {len(s.templates):4} templates, {len(s.heldout):3} held out")
        print(sum(len(s.templates) for v in SECTIONS.values() for s in v))
    for x, _ in generate(args.seed, args.show or 0, args.heldout, args.file):
        e = x["expect"]
        calls = "; ".join(f"{c['verb']} {c['tool']}" + "".join(f" {k}={c[k]}" for k in ("value", "seconds") if k in c) for c in e.get("calls", ()))
        prev = " after " + "; ".join(f"{c['verb']} {c['tool']}" for c in x["prev"]) if x["prev"] else ""
        print(f"{x['source'][8:]:28} {x['text']!r}{prev}{' ?' if x.get('unsure') else ''} -> {calls or e['say'] + ' ' + x.get('reply', '')}")


if __name__ == "__main__":
    main()
