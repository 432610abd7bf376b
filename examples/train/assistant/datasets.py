"""Public data -> examples of the assistant: CLINC150, HWU64, Home Assistant's sentences and home-llm's, as calls of the tools of home.json.

    python3 datasets.py --data DIR                       counts by source and category
    python3 datasets.py --data DIR --out ../../assistant/eval   and the test and validation fixtures
    python3 datasets.py --verify ../../assistant/eval    whether the fixtures' calls can be read from their texts

`load(DIR)` gives {"train": [...], "val": [...], "test": {name: [...]}}. Each file's SHA-256 is checked (data.sha256.json). Texts that stand
in a test (after case and punctuation) are removed from training and validation. examples/assistant/eval/README.md: what means what.
"""
import argparse
import collections
import hashlib
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE))

import home_assistant  # noqa: E402
import home_llm  # noqa: E402
import labels  # noqa: E402
import turns  # noqa: E402
import words  # noqa: E402

SUMS = json.loads((HERE / "data.sha256.json").read_text(encoding="utf-8"))
COLUMNS = ("call", "none", "say", "ask", "decline")


def check(data):
    """The files of the datasets are those that the labels were written for."""
    for name, sha in SUMS.items():
        path = data / name
        if not path.is_file():
            sys.exit(f"{path} is missing: examples/assistant/eval/README.md says where the data comes from")
        if hashlib.sha256(path.read_bytes()).hexdigest() != sha:
            sys.exit(f"{path} is not the file that the labels were written for (SHA-256 {sha})")


class Collector:
    """Examples by split; what is left out is counted by its reason."""

    def __init__(self):
        self.splits = collections.defaultdict(list)
        self.dropped = collections.Counter()
        self.left_out = []

    def drop(self, split, source, text, why):
        self.dropped[split, why] += 1
        self.left_out.append((split, source, text, why))

    def add(self, split, source, text, label, against=False, tags=()):
        if label.startswith("drop "):
            return self.drop(split, source, text, label[5:])
        expect, reply = labels.expectation(label, text)
        example = {"text": text, "tools": "home", "prev": [], "expect": expect, "source": source}
        if reply:
            example["reply"] = reply
        tags = [*tags, *(["against"] if against else [])]
        if tags:
            example["tags"] = tags
        try:
            turns.answer(example, words.read(text, labels.TABLE), labels.TABLE, {})
        except turns.Unsayable:
            return self.drop(split, source, text, f"the value of {label!r} is not read from it" if split != "train" else "its value is not read from it")
        self.splits[split].append(example)


def clinc150(data, out):
    sets = json.loads((data / "clinc150.json").read_text(encoding="utf-8"))
    label = labels.Labeller("clinc150")
    for name, split in (("train", "train"), ("oos_train", "train"), ("val", "val"), ("oos_val", "val"), ("test", "clinc150"), ("oos_test", "clinc150")):
        for text, intent in sets[name]:
            out.add(split, f"clinc150/{intent}", text, *label(text, intent))
    return label


def hwu64(data, out):
    """One fold without splits: by the SHA-256 of the text, 10 % are the test, 5 % validation."""
    label = labels.Labeller("hwu64")
    for e in json.loads((data / "hwu64_rasa_fold1.json").read_text(encoding="utf-8"))["rasa_nlu_data"]["common_examples"]:
        text, intent = e["text"], e["intent"]
        share = int(hashlib.sha256(labels.plain(text).encode()).hexdigest(), 16) % 100
        out.add("hwu64" if share < 10 else "val" if share < 15 else "train", f"hwu64/{intent}", text, *label(text, intent))
    return label


def once(examples):
    """Each text once, the first stays."""
    seen = {}
    for x in examples:
        seen.setdefault(labels.plain(x["text"]), x)
    return list(seen.values())


def collect(data):
    """-> (load()'s dict, Collector)"""
    data = pathlib.Path(data)
    check(data)
    out = Collector()
    labellers = [clinc150(data, out), hwu64(data, out)]
    home_assistant.examples(data, out)
    home_llm.examples(data, out)
    for which in labellers:
        if which.unused():
            raise ValueError(f"labels.json: not in the data: {which.unused()}")
    test = {name: once(out.splits[name]) for name in ("clinc150", "hwu64", "home_assistant")}
    tested = {labels.plain(x["text"]) for xs in test.values() for x in xs}
    val = [x for x in once(out.splits["val"]) if labels.plain(x["text"]) not in tested]
    held = tested | {labels.plain(x["text"]) for x in val}
    train = [x for x in once(out.splits["train"]) if labels.plain(x["text"]) not in held]
    out.duplicates = sum(len(v) for v in out.splits.values()) - len(train) - len(val) - sum(map(len, test.values()))
    return {"train": train, "val": val, "test": test}, out


def load(data):
    """{"train": [...], "val": [...], "test": {name: [...]}} of examples."""
    return collect(data)[0]


def counts(examples, key):
    table = collections.defaultdict(collections.Counter)
    for x in examples:
        table[key(x)][x["expect"]["say"]] += 1
    return table


def alike(sets):
    """{test: how many of its texts read the same as one of training, once tools and values are tokens}"""
    read = lambda x: words.shown(words.read(x["text"], labels.TABLE).items)  # noqa: E731
    known = {read(x) for x in sets["train"]}
    return {name: sum(read(x) in known for x in examples) for name, examples in sets["test"].items()}


def show(sets, out):
    rows = [("train", sets["train"]), ("val", sets["val"]), *sets["test"].items()]
    print(f"{'':28}{'all':>7}" + "".join(f"{c:>9}" for c in COLUMNS))
    for name, examples in rows:
        table = counts(examples, lambda x: x["source"].split("/")[0])
        table["all" if len(table) > 1 else name] = sum(table.values(), collections.Counter())
        for source, c in sorted(table.items()):
            if len(table) == 2 and source != name:
                continue
            print(f"{name + ' ' + source if source != name else name:28}{sum(c.values()):7}" + "".join(f"{c[k]:9}" for k in COLUMNS))
    print(f"the same text again: {out.duplicates}")
    for name, n in alike(sets).items():
        print(f"{name}: {n} read the same as a text of training, once tools and values are tokens")
    for (split, why), n in sorted(out.dropped.items()):
        print(f"left out of {split}: {n} {why}")


def write(folder, name, examples):
    lines = [json.dumps({k: v for k, v in x.items() if k != "reply" and v != []}, ensure_ascii=False) for x in examples]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def fixtures(sets, folder):
    """The tests, and of validation what is about the tools and as much again of the rest."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, examples in sets["test"].items():
        write(folder, f"{name}.test.jsonl", examples)
        val = [x for x in sets["val"] if x["source"].startswith(name + "/")]
        few = sorted((x for x in val if x["expect"]["say"] != "call"), key=lambda x: hashlib.sha256(x["text"].encode()).hexdigest())[:200]
        if val:
            write(folder, f"{name}.val.jsonl", [x for x in val if x["expect"]["say"] == "call"] + few)


def verify(folder):
    """Each call of the fixtures can be said in its text with its table, as words.py and home.json are now. -> number of examples"""
    tables = {p.stem: words.Table(json.loads(p.read_text(encoding="utf-8"))) for p in sorted((folder / "../tools").glob("*.json"))}
    done = 0
    for path in sorted(folder.glob("*.jsonl")):
        for n, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            x = json.loads(line)
            table = tables[x["tools"]] if isinstance(x["tools"], str) else words.Table(x["tools"])
            try:
                turns.answer(x, words.read(x["text"], table), table, turns.before(x, table)[1])
            except turns.Unsayable as e:
                sys.exit(f"{path}:{n}: {e}: {x['text']!r}")
            done += 1
    return done


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data")
    ap.add_argument("--verify", metavar="FOLDER", type=pathlib.Path, help="check fixtures, without data")
    ap.add_argument("--out", help="folder of the fixtures")
    ap.add_argument("--left-out", action="store_true", help="print each sentence that is left out")
    args = ap.parse_args()
    if args.verify:
        sys.exit(print(f"{verify(args.verify)} examples can be said"))
    if not args.data:
        ap.error("--data or --verify is needed")
    sets, out = collect(args.data)
    show(sets, out)
    if args.left_out:
        for row in out.left_out:
            print(*row, sep=" | ")
    if args.out:
        fixtures(sets, pathlib.Path(args.out))
