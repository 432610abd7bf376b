"""The models' images and transcripts."""

import hashlib
import struct

from . import image as im
from .forward import Model
from .golden import b64, document
from .models import CONTEXT, MODELS
from .sampler import Pcg32, sample
from .tokenizer import Tokenizer

PROMPT = "The heron waits by the mill, 32 steps from the old bridge."
TOKENS = 200
OPTIONS = {"temperature": 800, "top_k": 40, "top_p": 950, "penalty": 1100}
SEED = 7


def i32(values):
    return struct.pack(f"<{len(values)}i", *values)


def run(model, prompt, choose):
    """Ids made and the logits of every position computed."""
    model.reset()
    rows = [model.step(token) for token in prompt]
    context = list(prompt)
    for _ in range(TOKENS):
        context.append(choose(rows[-1], context))
        if len(context) < len(prompt) + TOKENS:
            rows.append(model.step(context[-1]))
    return context[len(prompt) :], rows


def logits_of(model, ids):
    model.reset()
    return [model.step(token) for token in ids]


def digest(rows):
    return hashlib.sha256(b"".join(i32(row) for row in rows)).hexdigest()


def transcript(name, data):
    model = Model(data)
    config = model.config
    tokenizer = Tokenizer.parse(model.sections[im.TOKENIZER, 0].data)
    prompt = [config["bos"]] * config["add_bos"] + tokenizer.encode(PROMPT.encode())
    assert len(prompt) + TOKENS <= CONTEXT <= config["seq_len"], len(prompt)
    rng = Pcg32(SEED)
    greedy, rows = run(model, prompt, lambda logits, context: sample(logits, context, rng))
    sampled, sampled_rows = run(model, prompt, lambda logits, context: sample(logits, context, rng, **OPTIONS))
    first = len(prompt) - 1
    assert rows[:first] == sampled_rows[:first]
    assert config["eos"] not in greedy + sampled, "a run would end early"
    quiet = [config["eos"], *prompt[1:3]]

    def record(ids, rows):
        return {
            "ids": ids,
            "text": b64(tokenizer.decode(ids, from_start=False)),
            "decode_logits_sha256": digest(rows[first:]),
            "all_logits_sha256": digest(rows),
        }

    return document(
        "all of NUMERICS.md and IMAGE.md",
        """One prompt (text, BOS included in its ids as ADD_BOS says) continued by 200 ids at context 256. Token i of
        ids is chosen from the logits of position len(prompt_ids) - 1 + i. decode_logits_sha256: SHA-256 over the
        i32 LE logits of the 200 positions from which ids were chosen, one after the other; all_logits_sha256:
        likewise from position 0. first_logits: positions 0, 1, 2. quiet: the same for other ids, of which the
        first has an embedding of zeros, so that every vector of position 0 is zero. text: the ids' bytes, base64.""",
        image=f"{name}.trit",
        image_bytes=len(data),
        upload_sha256=hashlib.sha256(data).hexdigest(),
        prompt=PROMPT,
        prompt_ids=prompt,
        context=CONTEXT,
        vocab_size=config["vocab_size"],
        greedy=record(greedy, rows),
        sampling={**OPTIONS, "seed": SEED},
        sampled=record(sampled, sampled_rows),
        first_logits=rows[:3],
        quiet={"ids": quiet, "logits": logits_of(model, quiet)},
    )


def model_files():
    for name, make in MODELS.items():
        data = make()
        assert len(data) < 60000 and make() == data
        yield f"{name}.trit", data
        yield f"{name}.transcript.json", transcript(name, data)
