"""IMAGE.md, TOKENIZER: the section, encoding and decoding. Text is bytes."""

import struct

from .image import align, cstruct
from .words import LLAMA3_FAMILY, PRE_BYTES, PRE_DIGITS, PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, words_of  # noqa: F401

NONE = 0xFFFFFFFF
BYTE_LEVEL, SENTENCEPIECE, UNIGRAM = 1, 2, 3
ADD_SPACE_PREFIX, BYTE_FALLBACK, IGNORE_MERGES, FUSE_UNK, NFC, FLOAT_SUMS = 1, 2, 4, 8, 16, 32
TEXT, SPECIAL, BYTE, UNUSED, ADDED = 0, 1, 2, 3, 4
PRE_NONE, PRE_SENTENCEPIECE = 0, 1
SCORE_FRAC = 24
LOW_LINE = "\u2581".encode()

def utf8_length(text, at):
    """Bytes of the well-formed UTF-8 sequence that begins at `at`; 1 where none does (Unicode, table 3-7)."""
    first = text[at]
    if first < 0x80:
        return 1
    low, high, length = 0x80, 0xBF, 0
    if 0xC2 <= first <= 0xDF:
        length = 2
    elif 0xE0 <= first <= 0xEF:
        length = 3
        low, high = (0xA0 if first == 0xE0 else low), (0x9F if first == 0xED else high)
    elif 0xF0 <= first <= 0xF4:
        length = 4
        low, high = (0x90 if first == 0xF0 else low), (0x8F if first == 0xF4 else high)
    rest = text[at + 1 : at + length]
    if length == 0 or len(rest) != length - 1 or not low <= rest[0] <= high:
        return 1
    return length if all(0x80 <= byte <= 0xBF for byte in rest[1:]) else 1


def characters(text):
    """Cuts bytes into well-formed characters; a byte that begins none stands alone."""
    at = 0
    while at < len(text):
        size = utf8_length(text, at)
        yield text[at : at + size]
        at += size


class Tokenizer:
    """tokens: bytes of each id. merges: list of (left, right, result, rank). costs: of kind UNIGRAM, 2^-SCORE_FRAC.
    classes: of PRE_GPT2 and above, list of (first character, class)."""

    def __init__(
        self, kind, flags, pre, tokens, types, merges, byte_ids, unknown=NONE, costs=(), classes=()
    ):
        assert len(byte_ids) == 256 and len(tokens) == len(types)
        self.kind, self.flags, self.pre, self.unknown = kind, flags, pre, unknown
        self.tokens, self.types, self.byte_ids = tokens, types, byte_ids
        self.merges = sorted(merges)
        self.pairs = {(left, right): (rank, result) for left, right, result, rank in merges}
        assert len(self.pairs) == len(merges)
        self.by_bytes = {token: i for i, token in enumerate(tokens) if types[i] == TEXT}
        self.costs, self.classes = list(costs), list(classes)
        added = (i for i, kind in enumerate(types) if kind == ADDED)
        self.added = sorted(added, key=lambda i: (-len(tokens[i]), i))

    def section(self, width=2):
        ids = "<%d" + "HI"[width // 4]
        ordered = sorted((i for i, t in enumerate(self.types) if t == TEXT), key=lambda i: self.tokens[i])
        starts = [0]
        for token in self.tokens:
            starts.append(starts[-1] + len(token))
        records = cstruct(ids, [v for record in self.merges for v in record])
        has_sorted = self.kind != BYTE_LEVEL or self.flags & IGNORE_MERGES
        entries = b"".join(struct.pack("<I", first << 2 | kind)[:3] for first, kind in self.classes)
        parts = [
            struct.pack(f"<{len(starts)}I", *starts),
            b"".join(self.tokens),
            bytes(self.types),
            cstruct("<%dI", self.costs) if self.kind == UNIGRAM else records,
            struct.pack("<256I", *self.byte_ids),
            cstruct(ids, ordered) if has_sorted else None,
            struct.pack("<I", len(self.classes)) + entries if self.pre >= PRE_GPT2 else None,
            struct.pack("<I", len(self.added)) + cstruct(ids, self.added) if self.added else None,
        ]
        offsets, body = [], b""
        for part in parts:
            body += bytes(align(64 + len(body), 4) - 64 - len(body))
            offsets.append(0 if part is None else 64 + len(body))
            body += part or b""
        body += bytes(align(len(body), 4) - len(body)) if parts[6] or parts[7] else b""
        longest = max(len(token) for token in self.tokens)
        head = [self.kind, self.flags, self.pre, len(self.tokens), len(self.merges), width, self.unknown, longest]
        return struct.pack("<16I", *head, *offsets) + body

    @staticmethod
    def parse(data):
        kind, flags, pre, vocab, n_merges, width, unknown, _, *offsets = struct.unpack_from("<16I", data)
        at_starts, at_bytes, at_types, at_merges, at_byte_ids, at_sorted, at_classes, at_added = offsets
        code = "HI"[width // 4]
        starts = struct.unpack_from(f"<{vocab + 1}I", data, at_starts)
        tokens = [data[at_bytes + a : at_bytes + b] for a, b in zip(starts, starts[1:])]
        types = list(data[at_types : at_types + vocab])
        flat = struct.unpack_from(f"<{4 * n_merges}{code}", data, at_merges)
        merges = [flat[i : i + 4] for i in range(0, len(flat), 4)]
        byte_ids = list(struct.unpack_from("<256I", data, at_byte_ids))
        costs = struct.unpack_from(f"<{vocab}I", data, at_merges) if kind == UNIGRAM else ()
        classes = []
        if pre >= PRE_GPT2:
            for i in range(struct.unpack_from("<I", data, at_classes)[0]):
                entry = int.from_bytes(data[at_classes + 4 + 3 * i :][:3], "little")
                classes.append((entry >> 2, entry & 3))
        parsed = Tokenizer(kind, flags, pre, tokens, types, merges, byte_ids, unknown, costs, classes)
        assert bool(at_added) == bool(parsed.added)
        return parsed

    def symbols(self, word):
        """Ids before any merge, absent ones left out."""
        if self.kind == BYTE_LEVEL:
            ids = [self.byte_ids[byte] for byte in word]
        else:
            ids, after_unknown = [], False
            for character in characters(word):
                found = self.by_bytes.get(b" " if character == LOW_LINE else character)
                if found is not None:
                    ids.append(found)
                elif self.flags & BYTE_FALLBACK:
                    ids += [self.byte_ids[byte] for byte in character]
                elif not (after_unknown and self.flags & FUSE_UNK):
                    ids.append(self.unknown)
                after_unknown = found is None
        return [i for i in ids if i != NONE]

    def merge(self, ids):
        while True:
            found = [(self.pairs[pair][0], at) for at, pair in enumerate(zip(ids, ids[1:])) if pair in self.pairs]
            if not found:
                return ids
            _, at = min(found)
            ids = ids[:at] + [self.pairs[ids[at], ids[at + 1]][1]] + ids[at + 2 :]

    def unigram(self, word):
        """The cheapest way to write a word as pieces, character by character; of equal ones the one found first, pieces
        that begin earlier before later ones."""
        marks = list(characters(word))
        spelled = [b" " if mark == LOW_LINE else mark for mark in marks]
        best = [(0, None, None)] + [None] * len(marks)

        def reach(end, start, token, is_unknown):
            exact = best[start][0] + (self.costs[token] if token != NONE else 0)
            kept = to_float(exact) if self.flags & FLOAT_SUMS else exact
            if best[end] is None or (kept if is_unknown else exact) < best[end][0]:
                best[end] = (kept, start, token)

        longest = max(map(len, self.by_bytes), default=0)
        for start in range(len(marks)):
            piece, alone = b"", False
            for end in range(start + 1, len(marks) + 1):
                piece += spelled[end - 1]
                if len(piece) > longest:
                    break
                if piece in self.by_bytes:
                    reach(end, start, self.by_bytes[piece], False)
                    alone |= end == start + 1
            if not alone:
                reach(start + 1, start, self.unknown, True)
        path, end = [], len(marks)
        while end > 0:
            path.append((best[end][2], marks[best[end][1] : end]))
            end = best[end][1]
        ids, after_unknown = [], False
        for token, piece in reversed(path):
            if token != self.unknown:
                ids.append(token)
            elif self.flags & BYTE_FALLBACK:
                ids += [self.byte_ids[byte] for mark in piece for byte in mark]
            elif not (after_unknown and self.flags & FUSE_UNK):
                ids.append(token)
            after_unknown = token == self.unknown
        return [i for i in ids if i != NONE]

    def word(self, word):
        if self.kind == UNIGRAM:
            return self.unigram(word)
        if self.flags & IGNORE_MERGES and word in self.by_bytes:
            return [self.by_bytes[word]]
        return self.merge(self.symbols(word))

    def stretch(self, text):
        """Ids of what stands between two added tokens."""
        words = words_of(self.pre, text, self.classes, characters) if self.pre >= PRE_BYTES else [text] if text else []
        return [i for word in words for i in self.word(word)]

    def encode(self, text):
        if self.flags & ADD_SPACE_PREFIX and text:
            text = b" " + text
        return self.encode_as_it_is(text)

    def encode_as_it_is(self, text):
        ids, start, at = [], 0, 0
        while at < len(text):
            found = next(((i, end) for i in self.added if (end := self.end_of(i, text, at))), None)
            if found is None:
                at += 1
                continue
            ids += [*self.stretch(text[start:at]), found[0]]
            start = at = found[1]
        return ids + self.stretch(text[start:])

    def end_of(self, token, text, at):
        """Where the token ends that stands at `at`, or 0; U+2581 stands for a space, but not in byte-level models."""
        for byte in self.tokens[token]:
            if self.kind != BYTE_LEVEL and byte == 0x20 and text.startswith(LOW_LINE, at):
                at += len(LOW_LINE)
            elif text[at : at + 1] == bytes([byte]):
                at += 1
            else:
                return 0
        return at

    def decode(self, ids, from_start=True):
        text = b"".join(b"" if self.types[i] in (SPECIAL, UNUSED) else self.tokens[i] for i in ids)
        strip = self.kind != BYTE_LEVEL and self.flags & ADD_SPACE_PREFIX and from_start and text[:1] == b" "
        return text[1:] if strip else text


def to_float(cost):
    """The nearest number of 24 significant bits, the even one of two: what a float sum keeps."""
    shift = max(0, cost.bit_length() - 24)
    low = cost & ((1 << shift) - 1)
    cost >>= shift
    half = 1 << (shift - 1) if shift else 0
    if shift and (low > half or (low == half and cost & 1)):
        cost += 1
    return cost << shift
