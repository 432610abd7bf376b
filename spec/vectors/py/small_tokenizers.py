"""Small tokenizers with real structure: byte-level BPE and SentencePiece-style BPE, learned from training_text.py."""

import unicodedata
from collections import Counter

from . import tokenizer as tk
from . import words
from .training_text import CORPUS


def learn(words, n):
    """Byte-pair merges as pairs of byte strings: the most frequent pair, then the smallest."""
    words = Counter(tuple(bytes([b]) for b in word) for word in words)
    merges = []
    while len(merges) < n:
        pairs = Counter()
        for word, count in words.items():
            for pair in zip(word, word[1:]):
                pairs[pair] += count
        best = min(pairs, key=lambda pair: (-pairs[pair], pair))
        merges.append(best)
        joined = Counter()
        for word, count in words.items():
            out, at = [], 0
            while at < len(word):
                step = 2 if word[at : at + 2] == best else 1
                out.append(b"".join(word[at : at + step]))
                at += step
            joined[tuple(out)] += count
        words = joined
    return merges


def class_table():
    """Classes of some characters only, those of which every version of Unicode says the same: Latin, Arabic digits, spaces,
    Chinese. For a table of all see host/image/unicode_classes.ts."""
    table, before = [], None
    for code in [*range(0x180), *range(0x660, 0x66B), *range(0x2000, 0x2030), 0x4E00, 0x9FA6, 0x1F600]:
        category = "L" if code == 0x4E00 else unicodedata.category(chr(code))
        is_space = category[0] == "Z" or 9 <= code <= 13 or code == 0x85
        kind = 3 if is_space else {"L": 1, "N": 2}.get(category[0], 0) if code not in (0x9FA6, 0x66A) else 0
        if kind != before:
            table.append((code, kind))
        before = kind
        if code in (0x17F, 0x202F):
            table.append((code + 1, 0))
            before = 0
    return table


def byte_level(n_merges, specials, order=None, pre=tk.PRE_BYTES, absent=(), flags=0, added=(), whole=()):
    """Specials first, then the bytes in `order`, then the merges, `whole` words that no merge makes, and added tokens. `absent`
    bytes have no symbol."""
    corpus = words.pre_bytes(CORPUS.encode()) if pre >= tk.PRE_BYTES else CORPUS.encode().split(b"\n")
    tokens = list(specials)
    byte_ids = [tk.NONE] * 256
    for byte in order or range(256):
        byte_ids[byte] = tk.NONE if byte in absent else len(tokens)
        tokens.append(bytes([byte]))
    ids = {bytes([byte]): byte_ids[byte] for byte in range(256)}
    merges = []
    for rank, (left, right) in enumerate(learn(corpus, n_merges)):
        ids[left + right] = len(tokens)
        merges.append((ids[left], ids[right], len(tokens), rank))
        tokens.append(left + right)
    types = [tk.SPECIAL] * len(specials) + [tk.TEXT] * (len(tokens) - len(specials))
    assert not set(whole) & set(tokens)
    tokens += [*whole, *added]
    types += [tk.TEXT] * len(whole) + [tk.ADDED] * len(added)
    for byte in absent:
        types[len(specials) + list(order or range(256)).index(byte)] = tk.UNUSED
    classes = class_table() if pre >= tk.PRE_GPT2 else ()
    return tk.Tokenizer(tk.BYTE_LEVEL, flags, pre, tokens, types, merges, byte_ids, classes=classes)


def sentencepiece(pieces, flags, characters, specials=(b"<unk>", b"<s>", b"</s>")):
    """Specials, the fallback bytes (with BYTE_FALLBACK), `pieces` in order of rank, the single characters. As in
    SentencePiece a piece has one rank, however it is put together: every split of it into two tokens is a merge."""
    tokens, types = list(specials), [tk.SPECIAL] * len(specials)
    byte_ids = [tk.NONE] * 256
    if flags & tk.BYTE_FALLBACK:
        byte_ids = [len(tokens) + byte for byte in range(256)]
        tokens += [bytes([byte]) for byte in range(256)]
        types += [tk.BYTE] * 256
    first = len(tokens)
    tokens += [*pieces, *characters]
    types += [tk.TEXT] * (len(tokens) - first)
    ids = {token: first + i for i, token in enumerate(tokens[first:])}
    assert len(ids) == len(tokens) - first
    merges = []
    for rank, piece in enumerate(pieces):
        splits = [(piece[:i], piece[i:]) for i in range(1, len(piece))]
        records = [(ids[a], ids[b], ids[piece], rank) for a, b in splits if a in ids and b in ids]
        assert records, piece
        merges += records
    return tk.Tokenizer(tk.SENTENCEPIECE, flags, tk.PRE_SENTENCEPIECE, tokens, types, merges, byte_ids, unknown=0)


def sentencepiece_words():
    """Lines with a space before each, as a SentencePiece model sees them."""
    return [b" " + word for word in CORPUS.encode().split()]


def piece_list(n):
    """The first n distinct pieces of the corpus, by rank, and the characters they are made of."""
    pieces = []
    for left, right in learn(sentencepiece_words(), n):
        if left + right not in pieces:
            pieces.append(left + right)
    characters = sorted({bytes([b]) for piece in pieces for b in piece})
    return pieces, characters


def unigram(pieces, flags, characters):
    """A unigram model: every piece costs about its length's logarithm, single characters and the unknown token more."""
    base = sentencepiece([], flags, [*pieces, *characters])
    costs = []
    for i, token in enumerate(base.tokens):
        place = i - len(base.tokens) + len(pieces) + len(characters)
        costs.append((5 << tk.SCORE_FRAC) + place * 1234567 // (1 + len(token)) if base.types[i] == tk.TEXT else 0)
    costs[0] = max(costs) + (10 << tk.SCORE_FRAC)
    fields = (tk.UNIGRAM, base.flags, base.pre, base.tokens, base.types, [], base.byte_ids, 0)
    return tk.Tokenizer(*fields, costs=costs)
