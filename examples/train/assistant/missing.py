"""Commands to tools that a table lacks. The model says the call all the same and the board answers that it has no such tool (spec/TOOLS.md, CALL_NO_TOOL):
what is meant depends on the words alone then, and not on the table too.
"""
import tables
import turns
import words


def without(table, name):
    """The table less one tool, or None when no other is left or another one is of its kind."""
    tool = next(t for t in table.spec["tools"] if t["name"] == name)
    rest = [t for t in table.spec["tools"] if t is not tool]
    return {**table.spec, "tools": rest} if rest and all(t["kind"] != tool["kind"] for t in rest) else None


def tokens(example, table, lesser):
    """What the model is to say to `lesser`, which lacks tools that the calls name; None when the words alone do not tell the kind that is meant."""
    full, less = words.read(example["text"], table), words.read(example["text"], lesser)
    gone = {c["tool"] for c in example["expect"]["calls"]} - set(lesser.by_name)
    kinds = {t["kind"] for t in lesser.spec["tools"]}
    named = lambda reading, of: {token: of.spec["tools"][i]["name"] for token, i in reading.tools.items()}  # noqa: E731
    said, left = named(full, table), named(less, lesser)
    if example.get("prev") or "all" in gone or left != {k: v for k, v in said.items() if v not in gone}:
        return None
    text = f" {' '.join(words.split_words(example['text']))} "
    for name in gone:
        kind = table.spec["tools"][table.by_name[name]]["kind"]
        if kind in kinds:
            return None
        if name in said.values():
            if not any(f" {noun} " in text or f" {noun}s " in text for nouns in tables.NOUNS[kind] for noun in nouns):
                return None
        elif kind == "cooler":  # who is hot gets the fan instead
            return None
    out = turns.answer(example, full, table, {})
    slots = [t for t in out if t in full.slots]
    return out if all(t[0] != "w" and less.slots.get(t) == full.slots[t] for t in slots) else None
