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
