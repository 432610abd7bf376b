"""IMAGE.md, TOKENIZER: the section, encoding and decoding. Text is bytes."""

import struct

from .image import align, cstruct

NONE = 0xFFFFFFFF
BYTE_LEVEL, SENTENCEPIECE = 1, 2
ADD_SPACE_PREFIX, BYTE_FALLBACK = 1, 2
TEXT, SPECIAL, BYTE, UNUSED = 0, 1, 2, 3
PRE_NONE, PRE_SENTENCEPIECE, PRE_BYTES = 0, 1, 2

SPACES = b" \t\n\v\f\r"


def char_class(byte):
    if byte in SPACES:
        return "S"
    if byte >= 0x80 or bytes([byte]).isalpha():
        return "L"
    return "D" if 0x30 <= byte <= 0x39 else "P"


def run_end(text, start, kind):
    end = start
    while end < len(text) and char_class(text[end]) == kind:
        end += 1
    return end


def pre_bytes(text):
    """The words of PRE_BYTES, without a regular expression."""
    words, at = [], 0
    while at < len(text):
        first = at + 1 if text[at] == 0x20 and at + 1 < len(text) and char_class(text[at + 1]) != "S" else at
        kind = char_class(text[first])
        if kind == "D":
            end = first + 1
        elif kind != "S":
            end = run_end(text, first, kind)
        else:
            end = run_end(text, at, "S")
            if end < len(text) and end - at > 1:
                end -= 1
        words.append(text[at:end])
        at = end
    return words


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


class Tokenizer:
    """tokens: bytes of each id. merges: list of (left, right, result, rank)."""

    def __init__(self, kind, flags, pre, tokens, types, merges, byte_ids, unknown=NONE):
        assert len(byte_ids) == 256 and len(tokens) == len(types)
        self.kind, self.flags, self.pre, self.unknown = kind, flags, pre, unknown
        self.tokens, self.types, self.byte_ids = tokens, types, byte_ids
        self.merges = sorted(merges)
        self.pairs = {(left, right): (rank, result) for left, right, result, rank in merges}
        assert len(self.pairs) == len(merges)
        self.by_bytes = {token: i for i, token in enumerate(tokens) if types[i] == TEXT}

    def section(self, width=2):
        ids = "<%d" + "HI"[width // 4]
        ordered = sorted((i for i, t in enumerate(self.types) if t == TEXT), key=lambda i: self.tokens[i])
        starts = [0]
        for token in self.tokens:
            starts.append(starts[-1] + len(token))
        parts = [
            struct.pack(f"<{len(starts)}I", *starts),
            b"".join(self.tokens),
            bytes(self.types),
            cstruct(ids, [v for record in self.merges for v in record]),
            struct.pack("<256I", *self.byte_ids),
            cstruct(ids, ordered) if self.kind == SENTENCEPIECE else b"",
        ]
        offsets, body = [], b""
        for part in parts:
            body += bytes(align(64 + len(body), 4) - 64 - len(body))
            offsets.append(64 + len(body))
            body += part
        if self.kind != SENTENCEPIECE:
            offsets[5] = 0
        longest = max(len(token) for token in self.tokens)
        head = [self.kind, self.flags, self.pre, len(self.tokens), len(self.merges), width, self.unknown, longest]
        return struct.pack("<16I", *head, *offsets, 0, 0) + body

    @staticmethod
    def parse(data):
        kind, flags, pre, vocab, n_merges, width, unknown, _, *offsets = struct.unpack_from("<14I", data)
        at_starts, at_bytes, at_types, at_merges, at_byte_ids, at_sorted = offsets
        code = "HI"[width // 4]
        starts = struct.unpack_from(f"<{vocab + 1}I", data, at_starts)
        tokens = [data[at_bytes + a : at_bytes + b] for a, b in zip(starts, starts[1:])]
        types = list(data[at_types : at_types + vocab])
        flat = struct.unpack_from(f"<{4 * n_merges}{code}", data, at_merges)
        merges = [flat[i : i + 4] for i in range(0, len(flat), 4)]
        byte_ids = list(struct.unpack_from("<256I", data, at_byte_ids))
        return Tokenizer(kind, flags, pre, tokens, types, merges, byte_ids, unknown)

    def symbols(self, word):
        """Ids before any merge, absent ones left out."""
        if self.kind == BYTE_LEVEL:
            ids = [self.byte_ids[byte] for byte in word]
        else:
            ids, at = [], 0
            while at < len(word):
                character = word[at : at + utf8_length(word, at)]
                if character in self.by_bytes:
                    ids.append(self.by_bytes[character])
                elif self.flags & BYTE_FALLBACK:
                    ids += [self.byte_ids[byte] for byte in character]
                else:
                    ids.append(self.unknown)
                at += len(character)
        return [i for i in ids if i != NONE]

    def merge(self, ids):
        while True:
            found = [(self.pairs[pair][0], at) for at, pair in enumerate(zip(ids, ids[1:])) if pair in self.pairs]
            if not found:
                return ids
            _, at = min(found)
            ids = ids[:at] + [self.pairs[ids[at], ids[at + 1]][1]] + ids[at + 2 :]

    def encode(self, text):
        if self.flags & ADD_SPACE_PREFIX and text:
            text = b" " + text
        words = pre_bytes(text) if self.pre == PRE_BYTES else [text] if text else []
        return [i for word in words for i in self.merge(self.symbols(word))]

    def decode(self, ids, from_start=True):
        text = b"".join(b"" if self.types[i] in (SPECIAL, UNUSED) else self.tokens[i] for i in ids)
        strip = self.kind == SENTENCEPIECE and self.flags & ADD_SPACE_PREFIX and from_start and text[:1] == b" "
        return text[1:] if strip else text
