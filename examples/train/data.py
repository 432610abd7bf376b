"""Text: checked by SHA-256, cleaned, split into training and held-out documents.

TinyStories (CDLA-Sharing-1.0) and two public-domain books. The text is not in this repository; only the held-out end of
the two books is (examples/models/fixtures/heldout.txt).
"""
import hashlib
import json
import pathlib
import random
import re

HERE = pathlib.Path(__file__).parent
STORIES, OZ, GRIMM = "tinystories.txt", "gutenberg/wizard_of_oz_55.txt", "gutenberg/grimms_fairy_tales_2591.txt"
SPLIT_SEED = 1580  # which stories are held out; independent of the training seed

GIRLS = "Lily Mia Sara Anna Lucy Amy Sue Mary Emma Jane Molly Sally Lila Ella Jill Jenny Lisa Sarah Susie Lola".split()
BOYS = "Tom Ben Tim Max Jack Sam Bob Timmy Billy John Mike Leo Joe Jimmy Tommy Bobby Mark Nick Fred Peter".split()


def check(data_dir):
    """Raises unless every file has the digest in data.sha256.json."""
    want = json.loads((HERE / "data.sha256.json").read_text())
    for name, digest in want.items():
        path = pathlib.Path(data_dir) / name
        if not path.is_file():
            raise SystemExit(f"train: {path} is missing. examples/train/README.md says where the data comes from.")
        got = hashlib.sha256(path.read_bytes()).hexdigest()
        if got != digest:
            raise SystemExit(f"train: {path} has SHA-256 {got}, expected {digest}. Use the same edition of the text.")


def straighten(text, british=False):
    """Curly quotes to ASCII. british: the book quotes speech with single quotes; give speech double ones, as the stories do."""
    if british:
        text = re.sub("(?<=[A-Za-z])\u2019(?=[A-Za-z])", "'", text)
        text = text.replace("\u2018", '"').replace("\u2019", '"')
    for a, b in (("\u2018", "'"), ("\u2019", "'"), ("\u201c", '"'), ("\u201d", '"'), ("\u2013", "-"), ("\u2014", "-"), ("\u2026", "..."), ("\u00a0", " ")):
        text = text.replace(a, b)
    return text


def stories(data_dir):
    """List of stories. The file puts one newline between stories and two between paragraphs."""
    raw = (pathlib.Path(data_dir) / STORIES).read_text(encoding="utf-8")
    # UTF-8 quotes that were once read as Windows-1252
    raw = raw.replace("\u00e2\u20ac\u0153", '"').replace("\u00e2\u20ac\u2122", "'").replace("\u00e2\u20ac\u02dc", "'")
    raw = raw.replace("\u00e2\u20ac\u201c", "-").replace("\u00e2\u20ac\u201d", "-")
    raw = re.sub("\u00e2\u20ac[\u009d\u00a6]?", '"', raw)
    raw = straighten(raw)
    out, carry = [], ""
    for part in re.split(r"(?<!\n)\n(?!\n)", raw):
        part = part.strip()
        if not part:
            continue
        if len(part) < 120:  # a first sentence that was cut off its story
            carry = carry + part + "\n\n"
            continue
        out.append(carry + re.sub(r"\n{3,}", "\n\n", part))
        carry = ""
    return out


def book(data_dir, name, british):
    """Body of a Project Gutenberg book: boilerplate, contents and notes off, lines joined, list of paragraphs."""
    raw = (pathlib.Path(data_dir) / name).read_text(encoding="utf-8-sig")
    body = raw.split("*** START OF THIS PROJECT GUTENBERG EBOOK", 1)[1].split("\n", 1)[1]
    body = body.split("*** END OF THIS PROJECT GUTENBERG EBOOK", 1)[0].split("\n*****\n", 1)[0]
    start = "Dorothy lived in the midst" if name == OZ else "A certain king had a beautiful garden"
    body = straighten(body[body.index(start):], british)
    paras = [re.sub(r"\s+", " ", p).strip() for p in re.split(r"\n\s*\n", body)]
    paras = [p.replace("_", "").replace("--", " - ") for p in paras if p and not p.startswith("[Illustration")]
    return [p for p in paras if p]


def tail(paras, fraction):
    """(first part, last `fraction` of the characters), cut between paragraphs."""
    total, kept = sum(map(len, paras)), 0
    for i, p in enumerate(paras):
        kept += len(p)
        if kept >= total * (1 - fraction):
            return paras[: i + 1], paras[i + 1:]
    raise ValueError("nothing left to hold out")


def chunks(paras, size=1800):
    """Joins paragraphs into documents of about `size` characters."""
    out, cur = [], ""
    for p in paras:
        cur = f"{cur}\n\n{p}" if cur else p
        if len(cur) >= size:
            out.append(cur)
            cur = ""
    return out + [cur] if cur else out


def load(data_dir):
    """dict: stories_train, stories_heldout, books_train (lists of str), heldout_text (str, public domain)."""
    check(data_dir)
    s = stories(data_dir)
    order = list(range(len(s)))
    random.Random(SPLIT_SEED).shuffle(order)
    held = set(order[: round(len(s) * 0.05)])
    oz, oz_held = tail(book(data_dir, OZ, False), 0.08)
    grimm, grimm_held = tail(book(data_dir, GRIMM, True), 0.04)
    return {
        "stories_train": [s[i] for i in range(len(s)) if i not in held],
        "stories_heldout": [s[i] for i in sorted(held)],
        "books_train": chunks(oz) + chunks(grimm),
        "heldout_text": "\n\n".join(oz_held + grimm_held) + "\n",
    }


class Stream:
    """Turns documents into one token stream an epoch: shuffled, names swapped, some words cut differently (BPE-dropout)."""

    def __init__(self, tok, docs, rng, swap=0.5, resplit=0.0, drop=0.1):
        from tokenizer import WORD
        self.tok, self.rng, self.swap, self.resplit = tok, rng, swap, resplit
        self.docs = [WORD.findall(d.encode()) for d in docs]
        words = {w for d in self.docs for w in d} | {p + n.encode() for n in GIRLS + BOYS for p in (b"", b" ")}
        self.ids = {w: [tok.encode_word(w)] for w in sorted(words)}
        if resplit:
            for w, v in self.ids.items():
                if len(w) > 2:
                    v.extend(tok.encode_word(w, drop, rng) for _ in range(7))

    def names(self):
        m = {}
        for group in (GIRLS, BOYS):
            for a, b in zip(group, self.rng.sample(group, len(group))):
                m[a.encode()] = b.encode()
                m[b" " + a.encode()] = b" " + b.encode()
        return m

    def epoch(self):
        """(list of ids: <bos> document <eos> ..., list of positions where a document starts)"""
        rng, out, starts = self.rng, [], []
        order = list(range(len(self.docs)))
        rng.shuffle(order)
        for d in order:
            starts.append(len(out))
            out.append(self.tok.bos)
            m = self.names() if rng.random() < self.swap else {}
            for w in self.docs[d]:
                v = self.ids[m.get(w, w)]
                out.extend(v[0] if len(v) == 1 or rng.random() >= self.resplit else v[rng.randrange(8)])
            out.append(self.tok.eos)
        return out, starts
