"""Batches of P identities × K examples: whatever compares encodings needs several examples of one identity."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from orthogon.train.randomness import generator
from orthogon.train.sampler import Sampler


class IdentitySampler(Sampler):
    """P identities, each as likely as any other, and K of the examples of each: rows of one identity lie together.

    An identity with fewer than K gives all it has. Those with one example are left out: there is nothing of theirs to
    be like. Each batch is drawn anew from (seed, epoch, k); an epoch has as many as would show every row once.

    rows: int64 (n,), of the attached data. identities: (n,), the code of each. P: at most as many as there are.
    ValueError where fewer than two identities have two examples, or K is below 2.
    """

    def __init__(self, rows: np.ndarray, identities: np.ndarray, at_once: int, examples_each: int, seed: int,
                 device: torch.device | str = "cpu") -> None:
        _, codes, sizes = np.unique(identities, return_inverse=True, return_counts=True)
        usable = np.flatnonzero(sizes[codes] > 1)
        if len(np.unique(codes[usable])) < 2 or examples_each < 2:
            raise ValueError(f"batches of {examples_each} examples of several identities cannot be made of "
                             f"{len(np.unique(codes[usable]))} identities with two examples or more")
        order = usable[np.argsort(codes[usable], kind="stable")]
        self.rows = torch.as_tensor(np.asarray(rows)[order], dtype=torch.int64)
        self.sizes = torch.as_tensor(sizes[sizes > 1], dtype=torch.int64)
        self.starts = self.sizes.cumsum(0) - self.sizes
        self.at_once, self.examples_each = min(at_once, len(self.sizes)), examples_each
        self.seed, self.device = seed, device

    def batches(self, epoch: int) -> int:
        return math.ceil(len(self.rows) / (self.at_once * self.examples_each))

    def batch(self, epoch: int, k: int) -> Tensor:
        draw = generator(self.seed, "identities", epoch, k)
        chosen = torch.randperm(len(self.sizes), generator=draw)[: self.at_once]
        sizes = self.sizes[chosen].unsqueeze(1)
        places = torch.arange(int(self.sizes.max()))
        order = torch.rand(len(chosen), len(places), generator=draw).masked_fill(places >= sizes, 2.0).argsort(1)
        taken = order[:, : self.examples_each]
        there = places[: self.examples_each] < sizes
        return self.rows[(self.starts[chosen].unsqueeze(1) + taken)[there]].to(self.device)
