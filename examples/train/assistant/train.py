"""Trains the assistant on one CPU core, or on several.

    python3 train.py --data DIR --config configs/assistant.json --seed 1 --steps 4000 --out /tmp/train/assistant
    python3 train.py --data DIR ... --float          # the float model of the same shape, on the same examples
    python3 train.py --smoke                         # under two minutes, needs nothing but this repository

First plain text (a few percent of the steps), then turns: human phrasings and generated dialogues (mix.py). Two stages as in ../train.py.
"""
import argparse
import collections
import json
import multiprocessing
import os
import pathlib
import pickle
import random
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")
HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402

import datasets  # noqa: E402
import dialogues  # noqa: E402
import labels  # noqa: E402
import mix  # noqa: E402
import parallel  # noqa: E402
import recipe  # noqa: E402
import tokenizer  # noqa: E402
import turns  # noqa: E402
import words  # noqa: E402
from model import Model, linear  # noqa: E402

EVAL = HERE / "../../assistant/eval"
HOME = json.loads((HERE / "../../assistant/tools/home.json").read_text(encoding="utf-8"))


def tensors(batch):
    width = max(len(ids) for ids, _ in batch)
    ids = torch.zeros(len(batch), width, dtype=torch.long)
    weight = torch.zeros(len(batch), width - 1)
    for i, (a, w) in enumerate(batch):
        ids[i, : len(a)] = torch.tensor(a)
        weight[i, : len(w)] = torch.tensor(w)
    return ids, weight


def loss_of(model, ids, weight):
    """Weighted mean of the loss in nats; the head is computed where a target counts."""
    x, head = model.hidden(ids[:, :-1])
    at = weight.reshape(-1).nonzero().squeeze(1)
    logits = linear(model, x.reshape(-1, x.shape[-1])[at], head)
    w = weight.reshape(-1)[at]
    return (F.cross_entropy(logits, ids[:, 1:].reshape(-1)[at], reduction="none") * w).sum() / w.sum()


@torch.no_grad()
def exact(model, encoder, examples):
    """{source: (right, all)}: every special token of the answer is the one with the largest logit (teacher forcing)."""
    was, out, rows = model.training, {}, []
    model.eval()
    home = words.Table(HOME)
    for x, table in examples:
        try:
            table = home if table is None else table
            rows.append((x, *encoder.example(x, table)))
        except turns.Unsayable:
            a, n = out.get("unsayable", (0, 0))
            out["unsayable"] = (a, n + 1)
    rows.sort(key=lambda r: len(r[1]))
    for k in range(0, len(rows), 64):
        part = rows[k : k + 64]
        ids, _ = tensors([(r[1], []) for r in part])
        best = model(ids[:, :-1]).argmax(-1)
        for i, (x, a, _, board, end) in enumerate(part):
            right = a[board:end] == best[i, board - 1 : end - 1].tolist()
            if x["expect"]["say"] == "call":
                right = right and best[i, end - 1].item() == encoder.tok.eos
            for key in (x["source"].split("/")[0], x["expect"]["say"]):
                r, n = out.get(key, (0, 0))
                out[key] = (r + right, n + 1)
    model.train(was)
    return out


def run(config, examples, checks, encoder, args, log):
    """checks: {name: list of (example, table or None)}. Returns the model and the last results."""
    model = Model(config)
    log(f"{model.ternary_weights():,} weights, vocabulary {config['vocab_size']}")
    team = parallel.Team(args.processes, model.parameters())

    def work(rank):
        if team.size > 1:
            torch.manual_seed(args.seed * team.size + rank)
            examples.share(rank, team.size, args.seed)
        return learn(model, team, config, examples, checks if rank == 0 else None, encoder, args, log if rank == 0 else lambda line: None)

    return team.fork(work)


def learn(model, team, config, examples, checks, encoder, args, log):
    """One process's part of run(): where checks is None, it evaluates, keeps and says nothing."""
    t = config["train"]
    opt = recipe.Optimizer(model, t)
    step, stage_now, start, tick, tokens, total, history = 0, None, time.time(), time.time(), 0, 0.0, []
    seen, recent = 0, collections.deque(maxlen=100)
    out = pathlib.Path(args.out)
    out.mkdir(parents=True, exist_ok=True)

    def progress():
        return (time.time() - start) / (args.minutes * 60) if args.minutes else step / args.steps

    def save(name):
        torch.save(dict(config=config, model=model.state_dict(), embed_quant=model.embed_quant), out / name)

    def check():
        if checks is None:
            return
        row = dict(step=step, tokens=seen, examples=examples.seen * team.size, loss=sum(recent) / max(1, len(recent)), **{k: exact(model, encoder, v) for k, v in checks.items()})
        history.append(row)
        (out / "history.json").write_text(json.dumps(history, indent=1))
        save("last.pt")
        log("  check " + "  ".join(f"{k}: " + " ".join(f"{s} {100 * r / n:.1f}% of {n}" for s, (r, n) in v.items()) for k, v in list(row.items())[4:]))

    model.train()
    while progress() < 1:
        p = progress()
        lr, wd, stage = recipe.schedule(p, step, t)
        if stage != stage_now:
            stage_now = stage
            model.embed_quant = t["embed_quant"][stage] if config.get("ternary", True) else "float"
            log(f"stage {stage + 1} at step {step}: embeddings {model.embed_quant}")
        opt.set(lr, wd)
        ids, weight = tensors(examples.next(p < t["text"], t["resplit"][stage]))
        loss = loss_of(model, ids, weight)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        team.mean_gradients()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        step += 1
        recent.append(loss.item())
        tokens, seen, total = tokens + ids.numel() * team.size, seen + ids.numel() * team.size, total + loss.item()
        if step % args.log_every == 0:
            now = time.time()
            eta = (now - start) * (1 - p) / max(p, 1e-9)
            log(f"step {step} {100 * p:.1f} % loss {total / args.log_every:.4f} lr {lr:.2e} {tokens / (now - tick):.0f} tok/s, "
                f"{examples.seen * team.size} examples, {examples.unsayable * team.size} unsayable, ETA {eta / 60:.1f} min")
            tick, tokens, total = now, 0, 0.0
        if step % args.check_every == 0:
            check()
            tick, tokens, total = time.time(), 0, 0.0
    check()
    if checks is not None:
        save("model.pt")
    return model, history


def vocabulary(human, seed, size, count=20000):
    """The tokenizer: what users say, to a board and otherwise, and what the board replies. The words as rule 1 leaves them."""
    rng = random.Random(seed)
    home = words.Table(HOME)
    said, replies = [], []
    for x in human:
        said += [w for w in words.read(x["text"], home).items if isinstance(w, str)]
        replies.append(x.get("reply") or "")
    tables = {}
    for x, spec in dialogues.generate(seed, count):
        if id(spec) not in tables:
            tables[id(spec)] = (spec, words.Table(spec))
        table = tables[id(spec)][1]
        said += [w for w in words.read(x["text"], table).items if isinstance(w, str)]
        replies.append(x.get("reply") or "")
    rng.shuffle(replies)
    parts = [((" " + " ".join(said)).encode(), 1), ("\n".join(r for r in replies if r).encode(), 0.3)]
    return tokenizer.train(parts, size, [f"<|{s}|>" for s in words.SPECIALS])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--data", help="folder of the public data (README.md)")
    ap.add_argument("--config", default=str(HERE / "configs/assistant.json"))
    ap.add_argument("--tokenizer", default=str(HERE / "tokenizer.json"))
    ap.add_argument("--write-tokenizer", action="store_true", help="make the tokenizer from the data and end")
    ap.add_argument("--float", action="store_true", help="no rounding anywhere: the float model of the same shape")
    ap.add_argument("--processes", type=int, default=1, help="a core each; a step takes batch_tokens from every one, so another number is another run (with --steps)")
    ap.add_argument("--cache", help="folder that keeps the generated dialogues for the next run")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--minutes", type=float)
    ap.add_argument("--steps", type=int)
    ap.add_argument("--out")
    ap.add_argument("--set", action="append", default=[], metavar="KEY=JSON", help="override a config or train value")
    ap.add_argument("--smoke", action="store_true")
    ap.add_argument("--check-every", type=int, default=500)
    ap.add_argument("--log-every", type=int, default=25)
    args = ap.parse_args()
    recipe.setup(args.seed)

    def log(line):
        print(line, flush=True)

    if args.smoke:
        return smoke(args, log)
    if not args.data:
        ap.error("--data is needed")
    human = datasets.load(args.data)
    if args.write_tokenizer:
        config = json.loads(pathlib.Path(args.config).read_text())
        vocabulary(human["train"], 1, config["vocab_size"]).save_hf(args.tokenizer)
        return
    if not (args.out and (args.minutes or args.steps)):
        ap.error("--out and one of --minutes and --steps are needed")
    if args.processes > 1 and not args.steps:
        ap.error("--processes needs --steps: the clock is not the same for all")
    config = json.loads(pathlib.Path(args.config).read_text())
    for item in args.set:
        key, value = item.split("=", 1)
        (config["train"] if key in config["train"] or key not in config else config)[key] = json.loads(value)
    if args.float:
        config["ternary"] = False
    tok = tokenizer.Tokenizer.load_hf(args.tokenizer)
    rng = random.Random(args.seed)
    encoder = turns.Encoder(tok)
    text = base_text(args.data)
    examples = mix.Examples(encoder, mix.Human(human["train"], HOME, rng), pool(args.seed, config["train"]["dialogues"], args.processes, args.cache, log), text, config["train"], rng)
    held = [(x, words.Table(spec)) for x, spec in dialogues.generate(7, 600, heldout=True)]
    checks = {"val": [(x, None) for x in human["val"]], "heldout": held}
    run(config, examples, checks, encoder, args, log)


def base_text(data_dir):
    import data
    return [words.split_words(s) for s in data.stories(data_dir)]


SMOKE = dict(name="smoke", variant="relu2_subln", dim=64, n_layers=2, n_heads=2, n_kv_heads=1, head_dim=32, hidden_dim=128, vocab_size=640, seq_len=128,
             dropout=0.0, train=dict(batch_tokens=2048, muon=True, lr=5e-3, lr2=2.5e-3, wd=0.1, warmup=20, embed_quant=["float", "t3"], resplit=[0.0, 0.0], text=0.0,
                                     word_weight=0.25, reply_weight=0.5, human=0.0, dialogues=20000))
SMOKE_STEPS, SMOKE_LOSS, SMOKE_EXACT = 800, 1.5, 0.45  # measured: 1.437 nats, of two processes 1.361, the mean of the last 100 steps; 51 %


def smoke(args, log):
    """A tiny model on generated dialogues alone: held-out phrasings have to be understood better than any table of answers could."""
    args.steps, args.minutes, args.check_every, args.log_every = SMOKE_STEPS, None, 10**9, 20
    args.out = args.out or "/tmp/tritkit-smoke-assistant"
    tok = vocabulary([], 1, SMOKE["vocab_size"], 3000)
    encoder = turns.Encoder(tok)
    rng = random.Random(args.seed)
    examples = mix.Examples(encoder, None, pool(args.seed, SMOKE["train"]["dialogues"], args.processes, None, log), [], SMOKE["train"], rng)
    held = [(x, words.Table(spec)) for x, spec in dialogues.generate(7, 300, heldout=True)]
    _, history = run(SMOKE, examples, {"heldout": held}, encoder, args, log)
    loss = history[-1]["loss"]
    if loss > SMOKE_LOSS:
        raise SystemExit(f"smoke: the loss is {loss:.3f}, above {SMOKE_LOSS}")
    right, n = (sum(v[i] for k, v in history[-1]["heldout"].items() if k in SAYS) for i in (0, 1))
    if right < SMOKE_EXACT * n:
        raise SystemExit(f"smoke: {right} of {n} held-out phrasings are understood, fewer than {SMOKE_EXACT:.0%}")
    log(f"smoke: loss {loss:.3f} <= {SMOKE_LOSS}; {right} of {n} held-out phrasings understood, at least {SMOKE_EXACT:.0%}")


SAYS = ("call", "none", "decline", "ask", "say", "confirm")


def tested():
    """The texts of the tests, as labels.plain leaves them."""
    lines = [line for f in sorted(EVAL.glob("*.test.jsonl")) for line in f.read_text(encoding="utf-8").splitlines()]
    return {labels.plain(json.loads(line)["text"]) for line in lines}


PARTS = 12  # of the dialogues: each is made with a seed of its own, so that several processes make the same ones


def part(job):
    seed, count, at = job
    return list(dialogues.generate(f"{seed} {at}", count // PARTS))


def pool(seed, count, processes, cache, log):
    """`count` dialogues, but for those that say word for word what a test says. They take a fifth of a millisecond each: `cache` (a folder) keeps them."""
    path = pathlib.Path(cache or ".") / f"dialogues-{seed}-{count}.pickle"
    if cache and path.is_file():
        made = pickle.loads(path.read_bytes())
    else:
        made, start = [], time.time()
        with multiprocessing.get_context("fork").Pool(processes) as workers:
            for some in workers.imap(part, [(seed, count, at) for at in range(PARTS)]):
                made += some
                rate = len(made) / (time.time() - start)
                log(f"{len(made)} of {count} dialogues, {rate:.0f} a second, ETA {(count - len(made)) / rate / 60:.1f} min")
        if cache:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(pickle.dumps(made))
    said_in_tests = tested()
    kept = [x for x in made if labels.plain(x[0]["text"]) not in said_in_tests]
    log(f"{len(kept)} of {count} dialogues say what no test says")
    return kept


if __name__ == "__main__":
    main()
