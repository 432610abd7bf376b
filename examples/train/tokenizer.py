"""Byte-level BPE: train it, apply it, save it as a Hugging Face tokenizer.json.

Ids: 0..255 are the raw bytes, 256 + rank the merges in rank order, the last two are specials (<|bos|>, <|eos|>).
Words are cut on bytes, so that a microcontroller can do it with a table of 256 classes; a merge never crosses a word.
"""
import collections
import json
import re

BOS = "<|bos|>"
EOS = "<|eos|>"

# Ordered alternatives, as Python's `re` matches them on bytes. \s is the six ASCII spaces.
WORD = re.compile(
    rb" ?[A-Za-z\x80-\xFF]+| ?[0-9]| ?[^\sA-Za-z0-9\x80-\xFF]+|\s+(?!\S)|\s+"
)

# The same over characters. \s is spelled out, because Unicode engines count U+00A0, U+2003, ... as spaces where bytes do not;
# the two ends of the range are literal characters, because engines differ in how they escape them.
_SP = r" \t\n\r\x0B\x0C"
_HI = "\u0080-\U0010ffff"
WORD_CHARS = (
    rf" ?[A-Za-z{_HI}]+| ?[0-9]| ?[^{_SP}A-Za-z0-9{_HI}]+|[{_SP}]+(?![^{_SP}])|[{_SP}]+"
)


def bytes_to_unicode():
    """GPT-2's printable character for each byte: a list of 256 one-character strings."""
    keep = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, n = [""] * 256, 0
    for b in range(256):
        if b in keep:
            table[b] = chr(b)
        else:
            table[b] = chr(256 + n)
            n += 1
    return table


def _merge(ids, a, b, new):
    out, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == a and ids[i + 1] == b:
            out.append(new)
            i += 2
        else:
            out.append(ids[i])
            i += 1
    return out


class Tokenizer:
    """merges: list of (left id, right id) in rank order; specials: names of further special tokens behind <|bos|> and <|eos|>."""

    def __init__(self, merges, specials=()):
        self.merges = [tuple(m) for m in merges]
        self.rank = {m: i for i, m in enumerate(self.merges)}
        self.bytes = [bytes([b]) for b in range(256)]
        for a, b in self.merges:
            self.bytes.append(self.bytes[a] + self.bytes[b])
        if len(set(self.bytes)) != len(self.bytes):
            raise ValueError("two merges make the same token: ids would not survive tokenizer.json")
        self.bos = len(self.bytes)
        self.eos = self.bos + 1
        self.specials = [BOS, EOS, *specials]
        self.vocab_size = self.bos + len(self.specials)
        self._cache = {}

    def encode_word(self, word, drop=0.0, rng=None):
        """Lowest rank first, leftmost first. With drop, each merge is skipped at random (BPE-dropout, training only)."""
        ids = list(word)
        while len(ids) > 1:
            best = None
            for i in range(len(ids) - 1):
                r = self.rank.get((ids[i], ids[i + 1]))
                if r is not None and (best is None or r < best) and not (drop and rng.random() < drop):
                    best = r
            if best is None:
                break
            ids = _merge(ids, *self.merges[best], 256 + best)
        return ids

    def encode(self, data):
        """bytes (or str) to ids, without specials."""
        out = []
        for w in WORD.findall(data.encode() if isinstance(data, str) else data):
            ids = self._cache.get(w)
            if ids is None:
                ids = self._cache[w] = self.encode_word(w)
            out.extend(ids)
        return out

    def decode(self, ids):
        """ids to bytes; specials give nothing."""
        return b"".join(self.bytes[i] for i in ids if i < self.bos)

    def save_hf(self, path):
        b2u = bytes_to_unicode()
        text = ["".join(b2u[c] for c in t) for t in self.bytes]
        special = [
            {"id": i, "content": s, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
            for i, s in enumerate(self.specials, self.bos)
        ]
        obj = {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": special, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": WORD_CHARS}, "behavior": "Isolated", "invert": False},
                {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
            ]},
            "post_processor": None,
            "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            "model": {
                "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                "vocab": {t: i for i, t in enumerate(text)},
                "merges": [f"{text[a]} {text[b]}" for a, b in self.merges],
            },
        }
        with open(path, "w", encoding="ascii") as f:
            json.dump(obj, f, indent=1)
            f.write("\n")

    @classmethod
    def load_hf(cls, path):
        """Reads what save_hf wrote: ids are checked against the order of the merges."""
        obj = json.load(open(path, encoding="utf-8"))
        model = obj["model"]
        vocab = model["vocab"]
        merges = []
        for rank, m in enumerate(model["merges"]):
            a, b = m.split(" ") if isinstance(m, str) else m
            if vocab[a + b] != 256 + rank:
                raise ValueError(f"merge {rank} has id {vocab[a + b]}, expected {256 + rank}")
            merges.append((vocab[a], vocab[b]))
        return cls(merges, [t["content"] for t in obj["added_tokens"][2:]])


def train(weighted_texts, vocab_size, specials=()):
    """weighted_texts: list of (bytes, weight). Greedy BPE over word counts; vocab_size includes bytes, <|bos|>, <|eos|> and the specials."""
    counts = collections.Counter()
    for text, weight in weighted_texts:
        for w, n in collections.Counter(WORD.findall(text)).items():
            counts[w] += n * weight
    words = [(list(w), n) for w, n in sorted(counts.items())]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for k, (ids, n) in enumerate(words):
        for p in zip(ids, ids[1:]):
            pairs[p] += n
            where[p].add(k)
    merges, tokens = [], [bytes([b]) for b in range(256)]
    known = set(tokens)
    while len(merges) < vocab_size - 258 - len(specials):
        best = max(pairs, key=lambda p: (pairs[p], p))
        joined = tokens[best[0]] + tokens[best[1]]
        if joined in known:  # the same string by another path has an id already: refuse this pair for good
            pairs[best] = float("-inf")
            continue
        new = 256 + len(merges)
        merges.append(best)
        tokens.append(joined)
        known.add(joined)
        for k in where.pop(best):
            ids, n = words[k]
            for p in zip(ids, ids[1:]):
                pairs[p] -= n
            ids = _merge(ids, *best, new)
            words[k] = (ids, n)
            for p in zip(ids, ids[1:]):
                pairs[p] += n
                where[p].add(k)
        del pairs[best]
    return Tokenizer(merges, specials)


def main():
    """python3 tokenizer.py DIR OUT.json: the tokenizer of the example models, from the training part of DIR's text."""
    import sys

    import data

    texts = data.load(sys.argv[1])
    parts = [("\n".join(texts["stories_train"]).encode(), 1), ("\n".join(texts["books_train"]).encode(), 0.25)]
    train(parts, 1024).save_hf(sys.argv[2])


if __name__ == "__main__":
    main()
