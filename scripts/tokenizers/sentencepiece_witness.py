"""Ids of SentencePiece itself (Debian's python3-sentencepiece), for host/test/tokenizer_sentencepiece.test.ts.

    sentencepiece_witness.py train CORPUS FOLDER    makes small models of every kind that tritkit imports
    sentencepiece_witness.py ids MODEL              texts on stdin, a JSON string a line -> ids, a JSON list a line
"""

import json
import sys

import sentencepiece as spm

# add_dummy_prefix and byte_fallback as in Llama 2; no normalisation, which tritkit refuses.
COMMON = {
    "normalization_rule_name": "identity",
    "remove_extra_whitespaces": False,
    "num_threads": 1,
    "hard_vocab_limit": False,
    "input_sentence_size": 2000,
    "max_sentence_length": 100000,
    "split_digits": True,
}
MODELS = {
    "bpe": {"model_type": "bpe", "byte_fallback": True, "vocab_size": 900},
    "bpe_plain": {"model_type": "bpe", "add_dummy_prefix": False, "vocab_size": 400},
    "bpe_user": {
        "model_type": "bpe",
        "byte_fallback": True,
        "vocab_size": 700,
        "user_defined_symbols": ["<tool>", "ing\u2581the", "\u2581\u2581", "a b"],
        "allow_whitespace_only_pieces": True,
    },
    "unigram": {"model_type": "unigram", "byte_fallback": True, "vocab_size": 900},
    "unigram_plain": {
        "model_type": "unigram",
        "vocab_size": 500,
        "user_defined_symbols": ["<tool>", "the"],
        "allow_whitespace_only_pieces": True,
    },
}


def train(corpus, folder):
    for name, options in MODELS.items():
        spm.SentencePieceTrainer.train(input=corpus, model_prefix=f"{folder}/{name}", **COMMON, **options)


def ids(model):
    processor = spm.SentencePieceProcessor(model_file=model)
    for line in sys.stdin:
        print(json.dumps(processor.encode(json.loads(line))))


if __name__ == "__main__":
    if sys.argv[1] == "train":
        train(*sys.argv[2:])
    else:
        ids(*sys.argv[2:])
