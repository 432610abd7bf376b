"""Turns as ids (spec/TOOLS.md, "What the model sees"): an example and a table become what the model reads and what it should answer.

An example is {"text", "prev", "unsure", "expect": {"say", "calls"}, "reply"}; examples/assistant/eval/README.md describes it.
"""
import words
from words import KINDS, SLOTS

CALLS = ("verb", "tool", "value", "seconds")


class Unsayable(ValueError):
    """The expected calls are none that the runtime could make of this text."""


def thousandths(x):
    return None if x is None else round(x * 1000)


def target(call, reading, table, last):
    """The token that TOOLS.md resolves to this tool. last: {kind: tool} of the turn before."""
    if call["tool"] == "all":
        return "all"
    tool = table.by_name.get(call["tool"])
    if tool is None:
        raise Unsayable(f"no tool {call['tool']}")
    for token, i in reading.tools.items():
        if i == tool:
            return token
    kind = table.tools[tool]["kind"]
    if KINDS[kind] in reading.tools:
        raise Unsayable(f"{call['tool']}: the text mentions another one of its kind")
    first = next(i for i, t in enumerate(table.tools) if t["kind"] == kind)
    if last.get(kind, first) != tool:
        raise Unsayable(f"{call['tool']} is not mentioned, and not the one that is meant")
    return KINDS[kind]


def slot_of(call, reading, tool):
    """The slot tokens of a call: [value slot] or [time slot] or []."""
    value, seconds = thousandths(call.get("value")), thousandths(call.get("seconds"))
    if call["verb"] in ("on", "off", "get"):
        if seconds is None:
            return []
        found = [s for s, v in reading.slots.items() if s[0] == "t" and v == seconds]
    elif value is None:
        if call["verb"] == "set":
            raise Unsayable("set without a value")
        return []
    else:
        found = [s for s, v in reading.slots.items() if amount(call["verb"], s, reading, tool) == value]
    if not found:
        raise Unsayable(f"no slot says {call}")
    return found[:1]


def amount(verb, slot, reading, tool):
    """What a slot gives this call: a value, or for up and down an amount; out of range it is said all the same."""
    v, unit = reading.slots[slot], words.UNITS[tool["unit"]]
    if slot[0] == "w":
        return v.get(tool["index"])
    if slot[0] == "p" and unit != "percent":
        part = (tool["max"] - tool["min"]) * v // 100000
        return part if verb in ("up", "down") else tool["min"] + part
    if slot[0] == "d" and unit != "celsius" or slot[0] == "t" and unit != "seconds":
        return None
    return v


def answer(example, reading, table, last):
    """Names of the special tokens of the answer, without EOS and reply."""
    expect = example["expect"]
    if "tokens" in example:  # to a table that lacks the tool (missing.py)
        return example["tokens"]
    if expect["say"] != "call":
        return [expect["say"]]
    out = []
    for call in expect["calls"]:
        tool = {"unit": 0, "index": -1} if call["tool"] == "all" else None
        token = target(call, reading, table, last)
        if tool is None:
            i = table.by_name[call["tool"]]
            tool = {**table.tools[i], "index": i}
        out += ["call", call["verb"], token, *slot_of(call, reading, tool)]
    return out


def before(example, table):
    """(names of the tokens of *previous*, {kind: tool} of the turn before)."""
    out, last = [], {}
    for call in example.get("prev") or ():
        if call["tool"] == "all":
            out += ["call", call["verb"], "all"]
            continue
        tool = table.by_name.get(call["tool"])
        if tool is None:
            raise Unsayable(f"no tool {call['tool']}")
        kind = table.tools[tool]["kind"]
        last[kind] = tool
        out += ["call", call["verb"], KINDS[kind]]
        if call.get("slot"):
            out.append(call["slot"])
        elif call.get("value") is not None:
            cls = {"percent": "p", "celsius": "d", "seconds": "t"}.get(words.UNITS[table.tools[tool]["unit"]], "n")
            out.append(cls + "1")
        elif call.get("seconds") is not None:
            out.append("t1")
    if example.get("unsure") and out:
        out.insert(0, "ask")
    return out, last


class Encoder:
    """tok: the assistant's tokenizer, whose specials behind <|bos|> and <|eos|> are those of TOOLS.md."""

    def __init__(self, tok):
        self.tok = tok
        self.base = tok.bos + 2
        self.id = {name: self.base + i for i, name in enumerate(words.SPECIALS)}
        self.cache = {}

    def word(self, w, resplit=0.0, rng=None):
        if resplit and rng.random() < resplit:
            return [i for part in words_of(w) for i in self.tok.encode_word(part, 0.2, rng)]
        ids = self.cache.get(w)
        if ids is None:
            ids = self.cache[w] = self.tok.encode(" " + w)
        return ids

    def prompt(self, reading, kinds, previous, resplit=0.0, rng=None):
        """Ids up to `board`, and where the user's words begin."""
        ids = [self.tok.bos, *(self.id[KINDS[k]] for k in kinds), *(self.id[t] for t in previous), self.id["user"]]
        start = len(ids)
        for x in reading.items:
            ids += self.word(x, resplit, rng) if isinstance(x, str) else [self.id[x[1]]]
        return ids + [self.id["board"]], start

    def example(self, example, table, resplit=0.0, rng=None):
        """-> (ids, index of the first word, index of the first id of the answer, index behind its special tokens). Raises Unsayable."""
        reading = words.read(example["text"], table)
        previous, last = before(example, table)
        tokens = answer(example, reading, table, last)
        ids, start = self.prompt(reading, table.kinds, previous, resplit, rng)
        board = len(ids)
        ids = ids + [self.id[t] for t in tokens]
        calls_end = len(ids)
        if tokens[0] in ("decline", "ask", "say"):
            ids = ids + self.tok.encode(example.get("reply") or DEFAULT_REPLY[tokens[0]])
        return ids + [self.tok.eos], start, board, calls_end


DEFAULT_REPLY = {"decline": "I can't do that.", "ask": "What exactly?", "say": "I am the board."}


def words_of(w):
    from tokenizer import WORD
    return WORD.findall((" " + w).encode())
