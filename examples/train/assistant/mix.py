"""What the assistant is trained on: human phrasings and generated dialogues, mixed, varied and encoded.

Human examples are against home.json. Some are joined ("... and ..."), corrected or negated, some get typos and fillers, and
half of them meet a table from which tools are missing (missing.py).
"""
import random

import missing
import turns
import words

JOINTS = (" and ", " and ", " and then ", ", then ", ", ", " and also ", " and please ", " plus ", " as well as ")
SECOND_THOUGHTS = (" no wait ", " no ", " i mean ", " sorry i mean ", " actually ", " wait no ", " no actually ", " oops i meant ", " correction ", " scratch that ")
NEGATIONS = ("don't {}", "do not {}", "please don't {}", "please do not {}", "you don't need to {}", "no need to {}", "never {}", "i don't want you to {}", "don't {} yet", "you should not {}",
             "stop don't {}", "hey don't {}", "i said don't {}", "you must not {}", "under no circumstances {}", "whatever you do don't {}")
IMPERATIVES = set("turn switch set put make open close lock unlock start stop dim lower raise increase decrease shut brighten activate deactivate power mute change run lift bring".split())
BEFORE = ("please ", "hey ", "can you ", "could you ", "could you please ", "can you please ", "would you ", "i want you to ", "i need you to ", "ok ", "okay ", "so ", "uh ", "hi ", "go ahead and ", "let's ", "just ")
AFTER = (" please", " now", " for me", " right now", " thanks", " thank you", " would you", " ok", " immediately", " for me please", " if you can")
NEAR = {a: b for a, b in zip("qwertyuiopasdfghjklzxcvbnm", "wqwertyuioaasdfghjkxzxcvbn")}


def typo(text, rng):
    """One slip of the fingers: two letters swapped, one left out, doubled or beside its key."""
    spots = [i for i, ch in enumerate(text) if ch.isalpha() and ch.isascii()]
    if len(spots) < 4:
        return text
    i, what = rng.choice(spots[1:]), rng.randrange(4)
    if what == 0 and i + 1 < len(text):
        return text[:i] + text[i + 1] + text[i] + text[i + 2:]
    if what == 1:
        return text[:i] + text[i + 1:]
    if what == 2:
        return text[:i] + text[i] + text[i:]
    return text[:i] + NEAR.get(text[i].lower(), "e") + text[i + 1:]


def single(example):
    return example["expect"]["say"] == "call" and len(example["expect"]["calls"]) == 1 and not example.get("prev")


# How often an epoch sees an example: people rarely command in the public data, and often in front of a lamp. Sentences of Home Assistant and home-llm
# come from templates, thousands of them: an epoch takes a part.
COPIES = {"call": 6, "none": 2, "ask": 4, "say": 1, "decline": 1}
TEMPLATES, TEMPLATES_AN_EPOCH = ("home_assistant", "home_llm"), 6000


class Human:
    """Endless (example, table) from human examples, epoch by epoch in random order."""

    def __init__(self, examples, home, rng):
        self.home, self.rng = home, rng
        self.expanded = [x for x in examples if x["source"].startswith(TEMPLATES)]
        self.said = [x for x in examples if not x["source"].startswith(TEMPLATES) for _ in range(COPIES[x["expect"]["say"]])]
        self.commands = [x for x in examples if single(x)]
        self.by_tool = {}
        for x in self.commands:
            first = x["expect"]["calls"][0]
            self.by_tool.setdefault((first["tool"], first["verb"]), []).append(x)
        self.queue = []
        self.full = words.Table(home)
        self.tables = [self.subset() for _ in range(400)]

    def subset(self):
        keep = self.rng.uniform(0.3, 0.95)
        tools = [t for t in self.home["tools"] if self.rng.random() < keep] or self.home["tools"][:1]
        return words.Table({**self.home, "tools": tools})

    def command(self):
        """Tools and verbs are equally likely: most human commands are about the lamp."""
        return self.rng.choice(self.by_tool[self.rng.choice(list(self.by_tool))])

    def draw(self):
        rng = self.rng
        if not self.queue:
            self.queue = self.said + rng.sample(self.expanded, min(TEMPLATES_AN_EPOCH, len(self.expanded)))
            rng.shuffle(self.queue)
        x = self.queue.pop()
        r = rng.random()
        if single(x):
            if r < 0.12:
                x = self.joined(x, self.command() if rng.random() < 0.6 else rng.choice(self.commands))
            elif r < 0.16:
                x = self.corrected(x, self.command())
            elif r < 0.20:
                x = self.negated(x)
        text = x["text"]
        if rng.random() < 0.15 and x["expect"]["say"] != "say":
            text = rng.choice(BEFORE) + text if rng.random() < 0.6 else text + rng.choice(AFTER)
        if rng.random() < 0.08:
            text = typo(text, rng)
        if text is not x["text"]:
            x = {**x, "text": text}
        return self.placed(x)

    def joined(self, a, b):
        return {**a, "text": a["text"].rstrip(" .!?") + self.rng.choice(JOINTS) + b["text"],
                "expect": {"say": "call", "calls": a["expect"]["calls"] + b["expect"]["calls"]}}

    def corrected(self, a, b):
        return {**a, "text": a["text"].rstrip(" .!?") + self.rng.choice(SECOND_THOUGHTS) + b["text"], "expect": b["expect"]}

    def negated(self, a):
        first = (words.split_words(a["text"]) or [""])[0]
        if first not in IMPERATIVES:
            return a
        return {**a, "text": self.rng.choice(NEGATIONS).format(a["text"]), "expect": {"say": "none"}}

    def placed(self, x):
        """With the whole home, or with a part of it."""
        rng = self.rng
        table = self.full if rng.random() < 0.55 else rng.choice(self.tables)
        if table is self.full or x["expect"]["say"] != "call":
            return x, table
        gone = [c["tool"] for c in x["expect"]["calls"] if c["tool"] not in table.by_name and c["tool"] != "all"]
        if not gone:
            return x, table
        try:
            tokens = missing.tokens(x, self.full, table)
        except turns.Unsayable:
            tokens = None
        return (x, self.full) if tokens is None else ({**x, "expect": {"say": "decline"}, "tokens": tokens}, table)


class Examples:
    """Endless batches of (ids (B, T) padded with 0, targets weight (B, T)): examples of similar length side by side."""

    def __init__(self, encoder, human, dialogues, text, t, rng):
        """dialogues: list of (example, table as dict), gone through in another order each time. text: list of lists of words."""
        self.encoder, self.human, self.dialogues, self.text, self.t, self.rng = encoder, human, dialogues, text, t, rng
        self.tables, self.batches, self.unsayable, self.seen = {}, [], 0, 0
        self.queue = []

    def share(self, part, parts, seed):
        """Becomes one of `parts` such streams: a part of the dialogues is its own, and what it draws is."""
        self.dialogues = self.dialogues[part::parts]
        self.rng.seed(seed * parts + part)

    def table(self, spec):
        key = id(spec)
        if key not in self.tables:
            if len(self.tables) > 5000:
                self.tables.clear()
            self.tables[key] = (spec, words.Table(spec))  # the spec is kept, so that its id stays its own
        return self.tables[key][1]

    def one(self, resplit):
        """(ids, weights of the targets)"""
        while True:
            if self.rng.random() < self.t["human"]:
                x, table = self.human.draw()
            else:
                if not self.queue:
                    self.queue = self.dialogues[:]
                    self.rng.shuffle(self.queue)
                x, spec = self.queue.pop()
                table = self.table(spec)
            self.seen += 1
            try:
                ids, start, board, calls_end = self.encoder.example(x, table, resplit, self.rng)
            except turns.Unsayable:
                self.unsayable += 1
                continue
            if len(ids) > 100:
                continue
            w = [0.0] * (start - 1) + [self.t["word_weight"]] * (board - start) + [1.0] * (calls_end - board)
            w += [self.t["reply_weight"]] * (len(ids) - 1 - calls_end) + [1.0]
            # the `board` token is given, not foretold; w[i] belongs to the target ids[i + 1]
            w[board - 2] = 0.0
            return ids, w[: len(ids) - 1]

    def sentence(self):
        ws = self.rng.choice(self.text)
        at = self.rng.randrange(max(1, len(ws) - 40))
        ids = [self.encoder.tok.bos, self.encoder.id["user"]]
        for w in ws[at : at + 60]:
            ids += self.encoder.word(w)
        ids = ids[:96]
        return ids, [0.0] + [1.0] * (len(ids) - 2)

    def next(self, text, resplit):
        """text: whether to give plain text instead of turns."""
        if not self.batches:
            pool = [self.sentence() if text else self.one(resplit) for _ in range(512 if text else 3000)]
            pool.sort(key=lambda p: len(p[0]) + self.rng.random())
            while pool:
                width = len(pool[-1][0])
                n = max(1, self.t["batch_tokens"] // width)
                self.batches.append(pool[-n:])
                del pool[-n:]
            self.rng.shuffle(self.batches)
        return self.batches.pop()
