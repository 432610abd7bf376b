"""IMAGE.md, Pre-tokenizers: text (bytes) to words."""

from functools import lru_cache

PRE_BYTES, PRE_GPT2, PRE_LLAMA3, PRE_QWEN2, PRE_DIGITS = 2, 3, 4, 5, 6
LLAMA3_FAMILY = (PRE_LLAMA3, PRE_QWEN2)

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


def class_names(classes):
    """A function from a character's bytes to one of "OLNS"."""

    def name(character):
        try:
            code = ord(character.decode())
        except UnicodeDecodeError:
            return "O"
        kind = 0
        for first, wanted in classes:
            if first > code:
                break
            kind = wanted
        return "OLNS"[kind]

    return lru_cache(None)(name)


def contraction(pre, marks, at):
    """How many characters of 's, 't, 're, 've, 'm, 'll, 'd stand at `at`."""
    fold = pre in LLAMA3_FAMILY
    if marks[at] != b"'":
        return 0
    tail = b"".join(marks[at + 1 : at + 3]).decode("utf-8", "replace")
    for ending in ("s", "t", "re", "ve", "m", "ll", "d"):
        part = tail[: len(ending)]
        if part == ending or (fold and part.replace("\u017f", "s").lower() == ending):
            return 1 + len(ending)
    return 0


def alternatives(pre, marks, kinds, at):
    """Ends of the alternatives of the rule's regular expression that match at `at`, in their order."""
    count = len(marks)

    def run(start, wanted, most=None):
        end = start
        while end < count and kinds[end] in wanted and (most is None or end - start < most):
            end += 1
        return end

    def newlines(start):
        end = start
        while end < count and marks[end] in (b"\r", b"\n"):
            end += 1
        return end

    after_blank = at + 1 if marks[at] == b" " else at
    yield at + contraction(pre, marks, at)
    if pre in LLAMA3_FAMILY:
        free = kinds[at] not in "LN" and marks[at] not in (b"\r", b"\n")
        letters = run(at + 1, "L") if free else at
        yield letters if letters > at + 1 else run(at, "L")
        yield run(at, "N", 3 if pre == PRE_LLAMA3 else 1)
        others = run(after_blank, "O")
        yield newlines(others) if others > after_blank else at
        space = run(at, "S")
        last = max((i + 1 for i in range(at, space) if marks[i] in (b"\r", b"\n")), default=at)
        yield last
    else:
        for wanted in "LNO":
            end = run(after_blank, wanted)
            yield end if end > after_blank else run(at, wanted)
    space = run(at, "S")
    yield space if space == count else space - 1
    yield space


def words_of(pre, text, classes, characters):
    if pre == PRE_BYTES:
        return pre_bytes(text)
    marks = list(characters(text))
    name = class_names(classes)
    kinds = [name(mark) for mark in marks]
    if pre == PRE_DIGITS:
        stretches, start = [], 0
        for i, kind in enumerate(kinds):
            if kind == "N":
                stretches += [(start, i), (i, i + 1)]
                start = i + 1
        stretches.append((start, len(marks)))
    else:
        stretches = [(0, len(marks))]
    words = []
    for start, stop in stretches:
        part, part_kinds, at = marks[start:stop], kinds[start:stop], 0
        while at < len(part):
            end = next(end for end in alternatives(pre, part, part_kinds, at) if end > at)
            words.append(b"".join(part[at:end]))
            at = end
    return words
