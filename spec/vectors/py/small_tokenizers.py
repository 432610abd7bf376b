"""Small tokenizers with real structure: byte-level BPE and SentencePiece-style BPE, learned from training_text.py."""

from collections import Counter

from . import tokenizer as tk
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


def byte_level(n_merges, specials, order=None, pre=tk.PRE_BYTES, absent=()):
    """Specials first, then the bytes in `order`, then the merges. `absent` bytes have no symbol."""
    words = tk.pre_bytes(CORPUS.encode()) if pre == tk.PRE_BYTES else CORPUS.encode().split(b"\n")
    tokens = list(specials)
    byte_ids = [tk.NONE] * 256
    for byte in order or range(256):
        byte_ids[byte] = tk.NONE if byte in absent else len(tokens)
        tokens.append(bytes([byte]))
    ids = {bytes([byte]): byte_ids[byte] for byte in range(256)}
    merges = []
    for rank, (left, right) in enumerate(learn(words, n_merges)):
        ids[left + right] = len(tokens)
        merges.append((ids[left], ids[right], len(tokens), rank))
        tokens.append(left + right)
    types = [tk.SPECIAL] * len(specials) + [tk.TEXT] * (len(tokens) - len(specials))
    for byte in absent:
        types[len(specials) + list(order or range(256)).index(byte)] = tk.UNUSED
    return tk.Tokenizer(tk.BYTE_LEVEL, 0, pre, tokens, types, merges, byte_ids)


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
