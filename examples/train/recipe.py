"""What every training run shares: one repeatable core, and the two-stage schedule of BitNet b1.58."""
import ctypes
import sys

import torch


def setup(seed):
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    torch.manual_seed(seed)
    if sys.platform == "linux":
        # keep freed memory: glibc otherwise gives each 16 MB tensor back, and faulting it in again took 20 % of a step (measured)
        libc = ctypes.CDLL(None)
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD


def schedule(p, step, t):
    """Progress p in 0..1 -> (learning rate, weight decay, stage)."""
    half = t.get("stage2_at", 0.6)
    lr, lr2 = t["lr"], t["lr2"]
    if p < half:
        rate, wd, stage = lr + (lr2 * 1.1 - lr) * p / half, t["wd"], 0
    else:
        rate, wd, stage = lr2 * max(0.0, 1 - (p - half) / (1 - half)), 0.0, 1
    return rate * min(1.0, (step + 1) / t["warmup"]), wd, stage


class Optimizer:
    """AdamW; with "muon" in the schedule t, the matrices of the blocks go to Muon, which needs fewer steps for the same loss."""

    def __init__(self, model, t):
        muon = [p for p in model.blocks.parameters() if p.dim() > 1] if t.get("muon") else []
        taken = {id(p) for p in muon}
        decay = [p for p in model.parameters() if p.dim() > 1 and id(p) not in taken]
        plain = [p for p in model.parameters() if p.dim() == 1]
        self.parts = [torch.optim.AdamW([dict(params=decay), dict(params=plain, weight_decay=0.0)], lr=t["lr"], betas=(0.9, 0.95))]
        if muon:
            self.parts.append(Muon(muon, t["lr"], torch.bfloat16 if model.c["bf16"] else torch.float32))

    def set(self, lr, weight_decay):
        for part in self.parts:
            for g in part.param_groups:
                g["lr"] = lr
            part.param_groups[0]["weight_decay"] = weight_decay

    def zero_grad(self, set_to_none=True):
        for part in self.parts:
            part.zero_grad(set_to_none=set_to_none)

    def step(self):
        for part in self.parts:
            part.step()


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal (Jordan et al. 2024), scaled to the size of an AdamW step (Liu et al. 2025, "Muon is scalable"): one rate serves both.

    Takes matrices. Those of the same shape, or of the same shape transposed, go through one batched product.
    """

    def __init__(self, params, lr, dtype, momentum=0.95):
        super().__init__(list(params), dict(lr=lr, weight_decay=0.0, momentum=momentum, dtype=dtype))

    @torch.no_grad()
    def step(self):
        for g in self.param_groups:
            shapes = {}
            for p in g["params"]:
                shapes.setdefault((min(p.shape), max(p.shape)), []).append(p)
            for (rows, cols), ps in shapes.items():
                wide = []
                for p in ps:
                    s = self.state[p]
                    if not s:
                        s["momentum"] = torch.zeros_like(p)
                    s["momentum"].lerp_(p.grad, 1 - g["momentum"])
                    u = p.grad.lerp(s["momentum"], g["momentum"])
                    wide.append(u if p.shape[0] == rows else u.t())
                u = orthogonal(torch.stack(wide).to(g["dtype"])).float().mul_(0.2 * cols ** 0.5)
                for p, d in zip(ps, u):
                    p.mul_(1 - g["lr"] * g["weight_decay"]).sub_(d if p.shape[0] == rows else d.t(), alpha=g["lr"])


def orthogonal(x, rounds=5):
    """x (batch, rows, cols), rows <= cols -> its polar factor, near enough: the quintic Newton-Schulz iteration of Muon."""
    x = x / (x.flatten(1).norm(dim=1)[:, None, None] + 1e-7)
    for _ in range(rounds):
        a = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x
