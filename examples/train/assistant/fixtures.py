"""Test sets from what training never sees: held-out templates of the generator, and sentences written by hand (handwritten/*.txt).

    python3 fixtures.py            writes examples/assistant/eval/{heldout,negation,corrections}.test.jsonl
    python3 fixtures.py --check    says whether they are what would be written

Tagged "near" is what differs from a template of training in a word at most, "far" what does not. An example is left out when its words, as the model sees them, occur among TRAINING examples that were drawn for training with other seeds.
"""
import argparse
import json
import pathlib
import random
import sys

import dialogues
import phrasings
import tables
import turns
import words

HERE = pathlib.Path(__file__).parent
EVAL = HERE / "../../assistant/eval"
SEED, TRAINING = 20261127, 200_000
COUNTS = {"heldout": 600, "negation": 110, "corrections": 110}  # made; the handwritten ones come on top
FILES = {
    "heldout": ["commands", "questions", "wishes", "several", "followups", "talk", "refusals", "asks"],
    "negation": ["negation"],
    "corrections": ["corrections"],
}
MOSTLY_HOME = 0.65


def visible(x, table):
    """What the model sees of the words."""
    return words.shown(words.read(x["text"], table).items)


class Home(dialogues.Worlds):
    """Home more often than in training."""

    def draw(self):
        return self.home if self.rng.random() < MOSTLY_HOME else super().draw()


def seen():
    """What training sees, in a sample of its examples. Noise and manners are drawn anew each time, so this finds the plain ones."""
    read = {}
    out = set()
    for x, spec in dialogues.generate(SEED + 1, TRAINING):
        if id(spec) not in read:
            read[id(spec)] = (spec, words.Table(spec))
        out.add(visible(x, read[id(spec)][1]))
    return out


def far():
    """-> whether a template differs from every one of training in more than a word."""
    train, masked, shorter = set(), set(), set()
    for section in (s for sections in dialogues.SECTIONS.values() for s in sections):
        for tree in section.train:
            ws = tuple(section.text[id(tree)].split())
            train.add(ws)
            masked.update((i, ws[:i] + ws[i + 1 :]) for i in range(len(ws)))
            shorter.update(ws[:i] + ws[i + 1 :] for i in range(len(ws)))

    def answer(text):
        ws = tuple(text.split())
        less = [ws[:i] + ws[i + 1 :] for i in range(len(ws))]
        return ws not in train and ws not in shorter and all(w not in train and (i, w) not in masked for i, w in enumerate(less))

    return answer


def made(name, known, is_far):
    """Examples from held-out templates, the texts all different."""
    rng = random.Random(f"{SEED} {name}")
    out, texts, of_section, read = [], set(), {}, {}
    most = max(4, COUNTS[name] // (25 if name == "heldout" else 8))  # of a section, so that no one fills the set
    for x, spec in dialogues.generate(rng.randrange(2**31), None, True, FILES[name], Home(rng)):
        if id(spec) not in read:
            read[id(spec)] = (spec, words.Table(spec))
        v = visible(x, read[id(spec)][1])
        where = x["source"]
        if v in known or v in texts or of_section.get(where, 0) >= most or where.endswith("/repair"):
            continue
        texts.add(v)
        of_section[where] = of_section.get(where, 0) + 1
        x["tags"].append("far" if is_far(x.pop("template")) else "near")
        if x.pop("tokens", ["call"]).count("call") > 1:
            continue  # a part of it can be done
        out.append({**x, "tools": "home" if spec is tables.HOME else {k: spec[k] for k in ("name", "tools")}})
        if len(out) == COUNTS[name]:
            return out


def call(text):
    """`set fan 40`, `on fan t600`: the value, or the seconds."""
    verb, _, rest = text.partition(" ")
    names = sorted([t["name"] for t in tables.HOME["tools"]] + ["all"], key=len, reverse=True)
    tool = next(n for n in names if rest == n or rest.startswith(n + " "))
    out, said = {"verb": verb, "tool": tool}, rest[len(tool) :].strip()
    if said.startswith("t"):
        out["seconds"] = int(said[1:])
    elif said:
        out["value"] = float(said) if "." in said else int(said)
    return out


def handwritten(name):
    path = HERE / f"handwritten/{name}.txt"
    table, out = words.Table(tables.HOME), []
    for number, line in phrasings.lines(path):
        text, _, meant = line.rpartition(" -> ")
        expect = {"say": "none"} if meant == "none" else {"say": "call", "calls": [call(c.strip()) for c in meant.split(",")]}
        x = {"text": text, "tools": "home", "prev": [], "expect": expect, "source": f"tritkit/handwritten/{name}", "tags": ["negation" if name == "negation" else "correction", "handwritten"]}
        try:
            turns.answer(x, words.read(text, table), table, {})
        except turns.Unsayable as e:
            sys.exit(f"{path.name}:{number}: {e}")
        out.append(x)
    return out


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--check", action="store_true")
    args = ap.parse_args()
    known, is_far, wrong = seen(), far(), []
    for name in FILES:
        by_hand = handwritten(name) if name != "heldout" else []
        table = words.Table(tables.HOME)
        fresh = [x for x in by_hand if visible(x, table) not in known]
        examples = made(name, known, is_far) + fresh
        text = "".join(json.dumps(x, ensure_ascii=False, separators=(",", ":")) + "\n" for x in examples)
        path = EVAL / f"{name}.test.jsonl"
        print(f"{name}: {len(examples)} examples, {len(fresh)} by hand ({len(by_hand) - len(fresh)} more occur in training)")
        if args.check:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                wrong.append(path.name)
        else:
            EVAL.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    if wrong:
        sys.exit(f"not what the generator writes: {', '.join(wrong)}")


if __name__ == "__main__":
    main()
