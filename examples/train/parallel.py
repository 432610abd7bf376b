"""Training on several cores of one machine: every process takes batches of its own, and all take the same step, by the mean of their gradients.

The processes are forks of one, so that what was loaded before is there once. They meet in shared memory, once a step; a run with the same number of
processes repeats bit by bit.
"""
import multiprocessing
import os
import sys
import traceback

import torch

PATIENCE_S = 600  # the longest wait for another process: one of them evaluates now and then


class Team:
    """`size` processes, told apart by `rank`; the one that made the team is 0."""

    def __init__(self, size, parameters):
        self.size, self.rank, self.turn = size, 0, 0
        self.parameters = list(parameters)
        if size > 1:
            self.shared = torch.zeros(2, size, sum(p.numel() for p in self.parameters)).share_memory_()
            self.barrier = multiprocessing.get_context("fork").Barrier(size)

    def fork(self, work):
        """work(rank) in every process; returns in rank 0 alone. A process that fails takes the others along."""
        for rank in range(1, self.size):
            if os.fork() == 0:
                self.rank = rank
                break
        try:
            result = work(self.rank)
        except BaseException:
            if self.size > 1:
                self.barrier.abort()
            if self.rank == 0:
                raise
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        if self.rank:
            os._exit(0)
        return result

    def mean_gradients(self):
        """Every process's gradients become their mean. Two halves of the memory take turns: one barrier a step is enough."""
        if self.size == 1:
            return
        part = self.shared[self.turn]
        self.turn = 1 - self.turn
        torch.cat([p.grad.reshape(-1) for p in self.parameters], out=part[self.rank])
        self.barrier.wait(PATIENCE_S)
        mean = part.mean(0)
        at = 0
        for p in self.parameters:
            p.grad.copy_(mean[at : at + p.numel()].view_as(p))
            at += p.numel()
