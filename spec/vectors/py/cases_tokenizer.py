"""tokenizer.json."""

import re

from . import small_tokenizers as small
from . import tokenizer as tk
from . import words
from .golden import b64, document
from .sampler import Pcg32

# \s of bytes is S: space \t \n \v \f \r.
WORDS = re.compile(rb" ?[A-Za-z\x80-\xff]+| ?[0-9]| ?[^\sA-Za-z0-9\x80-\xff]+|\s+(?!\S)|\s+")
UNICODE = "naïve café — 水车 🙂 \u2581x ﬁ"
TEXTS = [
    b"",
    b" ",
    b"  ",
    b"\n",
    b"a",
    b" a",
    b"  a",
    b"a ",
    b"a  ",
    b"a\n\n\nb",
    b"a \n b",
    b"a\n \nb \t\n",
    b"\t\tx  1  ,",
    b"the river runs past the mill",
    b"The cat sleeps on the flour, the mice sleep under the floor.",
    b"thethethe  the   the",
    b"it's 1234 5 67, isn't it?!",
    b"x=1;y=-22;\r\nprint(x+y)\r\n",
    b"... --- ...  !? ?!",
    b"<s> </s> <unk> <0x41>",
    b"\x00\x01\x7f",
    b"aaa aaaa aaaaa aaaaaaa",
    b"under_score CamelCase\x0b\x0cend",
    UNICODE.encode(),
    "zażółć gęślą jaźń".encode(),
    # Ill-formed UTF-8: lone continuation, truncated, overlong, surrogate, past U+10FFFF.
    b"a\x80b",
    b"\xe2\x82",
    b"\xe2\x82A",
    b"\xc0\x80 \xc1\xbf",
    b"\xe0\x80\x80\xe0\xa0\x80",
    b"\xed\xa0\x80\xed\x9f\xbf",
    b"\xf4\x90\x80\x80\xf4\x8f\xbf\xbf",
    b"\xf0\x8f\x80\x80\xf0\x90\x80\x80",
    b"\xff\xfe\xf5\x80",
    b"\xc3\xa9\xc3",
]


def check_words(rng):
    """pre_bytes against the regular expression of IMAGE.md on 5,000 random byte strings."""
    alphabet = b" \t\n\v\f\r  \n" + b"abZ019,.\x80\xc3\xff_" + bytes(range(0, 256, 7))
    for _ in range(5000):
        text = bytes(rng.choice(alphabet) for _ in range(rng.below(30)))
        assert words.pre_bytes(text) == WORDS.findall(text), text
        assert b"".join(words.pre_bytes(text)) == text


def check_utf8(rng):
    """utf8_length against Python's own decoder."""
    alphabet = bytes([0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF])
    alphabet += bytes([0xF0, 0xF1, 0xF4, 0xF5, 0xFF])
    for _ in range(20000):
        text = bytes(rng.choice(alphabet) for _ in range(4))
        lengths = [n for n in range(1, 5) if is_character(text[:n])]
        assert tk.utf8_length(text, 0) == (lengths[0] if lengths else 1), text


def is_character(data):
    try:
        return len(data.decode("utf-8")) == 1
    except UnicodeDecodeError:
        return False


def random_texts(rng, n):
    alphabet = b"  \n\tthe and er ing,.!0123 sm\xc3\xa9\xe6\xb0\xb4\xf0"
    return [bytes(rng.choice(alphabet) for _ in range(rng.between(1, 60))) for _ in range(n)]


def case_set(name, tokenizer, texts, width=2):
    section = tokenizer.section(width)
    parsed = tk.Tokenizer.parse(section)
    cases = []
    for text in texts:
        ids = parsed.encode(text)
        assert ids == tokenizer.encode(text)
        decoded = parsed.decode(ids)
        cases.append([b64(text), ids, b64(decoded)])
    return {"name": name, "section": b64(section), "cases": cases}


def tokenizer_sets(rng):
    texts = TEXTS + random_texts(rng, 40)
    shuffled = sorted(range(256), key=lambda byte: byte * 101 % 256)
    pieces, characters = small.piece_list(120)
    extra = [c.encode() for c in "éï水🙂"]
    both = tk.ADD_SPACE_PREFIX | tk.BYTE_FALLBACK
    byte_level = small.byte_level(200, [b"<s>", b"</s>"])
    for text in texts:
        assert byte_level.decode(byte_level.encode(text)) == text
    fallback = small.sentencepiece(pieces, both, [*characters, *extra])
    for text in texts:
        # SentencePiece takes U+2581 for the space that it writes so.
        assert fallback.decode(fallback.encode(text)) == text.replace(tk.LOW_LINE, b" ")
    # A text token of one byte that is no UTF-8 is found like a character.
    odd = small.sentencepiece(pieces[:40], tk.BYTE_FALLBACK, [*small.piece_list(40)[1], b"\x80", b"\xe2"])
    # Pairs of one rank overlap, and a piece of three is made in two ways: the leftmost pair wins.
    runs = small.sentencepiece([b"aa", b"  ", b"aaa", b" a"], tk.ADD_SPACE_PREFIX, [b"a", b" "])
    return [
        case_set(
            "SentencePiece, runs of one letter", runs, [t for t in texts if b"a" in t or b"  " in t][:12] + [b"a" * 9]
        ),
        case_set("byte-level, PRE_BYTES", byte_level, texts),
        case_set("byte-level, PRE_BYTES, ids of 4 bytes", small.byte_level(30, [b"<s>"]), texts, width=4),
        case_set(
            "byte-level, PRE_NONE, bytes in another order", small.byte_level(60, [], shuffled, tk.PRE_NONE), texts
        ),
        case_set(
            "byte-level, some bytes absent", small.byte_level(60, [b"<s>"], None, tk.PRE_BYTES, b"\x00qz\xff"), texts
        ),
        case_set("SentencePiece, prefix and byte fallback", fallback, texts),
        case_set("SentencePiece, no prefix, lone bytes as text tokens", odd, texts),
        *(case_set(f"byte-level, {name}", tokenizer, texts + WORDY) for name, tokenizer in unicode_word_sets()),
        *(case_set(f"unigram, {name}", tokenizer, texts) for name, tokenizer in unigram_sets(pieces, characters)),
        case_set("SentencePiece, unknown id", small.sentencepiece(pieces, tk.ADD_SPACE_PREFIX, characters), texts),
    ]


# What the rules of GPT-2 and Llama 3 tell apart.
WORDY = [
    text.encode()
    for text in (
        "it's IT'S we'll WE'LL 'tis 'Re ''s x'\u017f '\u017fo l'x",
        "a1b22c333 4444 55555  6 \u0663\u0664 x\u00b2\u00bd",
        "!hello !!hello\n\n? \n!\r\n.\n",
        "a \n \n  b\n\n  \n",
        "\u00a0x \u00a0 y\u2003\u2003z \u2028\u0085.",
        "tab\tx\t\ty (z) \u4e2d\u6587\u3002 \u00ef\U0001f642\u00e9",
        "the river  runs   past    the\n\n mill 12 345 67890",
        "<s><pad>the<pad> <pad>  <pad",
    )
] + [b"'\xe2\x82 '\xc5 '\xc5\xbf ' ", b"\xffa\xfe1\xfd \xfc\n"]


def unicode_word_sets():
    added = [b"  ", b"<pad>", b"   ", b"<pad><pad>"]
    whole = [b" mice", b"hello"]
    yield "words of GPT-2", small.byte_level(120, [b"<s>"], None, tk.PRE_GPT2)
    yield (
        "words of Llama 3, whole words first",
        small.byte_level(120, [b"<s>"], None, tk.PRE_LLAMA3, (), tk.IGNORE_MERGES, (), whole),
    )
    yield "words of Qwen 2", small.byte_level(120, [], None, tk.PRE_QWEN2)
    yield "words with digits apart", small.byte_level(120, [], None, tk.PRE_DIGITS)
    yield "words of GPT-2, added tokens", small.byte_level(60, [b"<s>"], None, tk.PRE_GPT2, (), 0, added)


def unigram_sets(pieces, characters):
    extra = [c.encode() for c in "\u00e9\u6c34"]
    fallback = tk.ADD_SPACE_PREFIX | tk.BYTE_FALLBACK
    runs = [b"aa", b"aaa", b"  ", b" a"]
    yield "prefix, byte fallback, float sums", small.unigram(pieces, fallback | tk.FLOAT_SUMS, [*characters, *extra])
    yield "exact sums", small.unigram(pieces[:40], tk.BYTE_FALLBACK, characters)
    yield "unknown tokens in one", small.unigram(runs, tk.ADD_SPACE_PREFIX | tk.FUSE_UNK, [b"a", b" "])


def tokenizer_file():
    rng = Pcg32(1005)
    check_words(rng)
    check_utf8(rng)
    cut = [[b64(t), [b64(w) for w in words.pre_bytes(t)]] for t in TEXTS + random_texts(rng, 60)]
    return document(
        "IMAGE.md, TOKENIZER",
        """pre_bytes: [text, its words], base64, checked against the regular expression. sets: `section` is a
        TOKENIZER section (base64), cases are [text, ids, decoded text] with texts in base64; a decoded text is
        that of a whole decode (ADD_SPACE_PREFIX drops one leading space). A reader takes the width of ids from
        the section, whatever the vocabulary.""",
        pre_bytes=cut,
        sets=tokenizer_sets(rng),
    )
