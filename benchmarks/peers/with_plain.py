"""PyTorch alone: TensorDataset, DataLoader and a loop ("default"), and loops tuned by hand.

default: the loop of the tutorials, default threads; the loss is never read. single: the same on one thread.
index:   the batches are gathered by index instead.
tuned:   by index, fused Adam, and for the small network one thread, for the convnet bf16 in channels-last layout.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext

import torch
import torch.nn.functional as F
from problem import Clock, Problem, problem, report, training_rows
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset
from torch_networks import factor, network, parameters, predict


def by_loader(x: Tensor, y: Tensor, given: Problem) -> Iterator[tuple[Tensor, Tensor]]:
    loader = DataLoader(TensorDataset(x, y), batch_size=given.batch, shuffle=True)
    for _ in range(given.epochs):
        yield from loader


def by_index(x: Tensor, y: Tensor, given: Problem) -> Iterator[tuple[Tensor, Tensor]]:
    for _ in range(given.epochs):
        for rows in torch.randperm(len(x)).split(given.batch):
            yield x[rows], y[rows]


def main() -> None:
    given = problem()
    x, y, x_test = training_rows(given)
    tuned = given.variant == "tuned"
    pictures = given.suite != "overhead"
    if given.variant == "single" or (tuned and not pictures):
        torch.set_num_threads(1)
    model = network(given)
    if tuned and pictures:
        model = model.to(memory_format=torch.channels_last)
    clock = Clock()
    train(model, torch.from_numpy(x), torch.from_numpy(y), given, clock, tuned, half=tuned and pictures)
    found = None if x_test is None else predict(model, torch.from_numpy(x_test))
    report(clock, given, len(x), parameters(model), found, threads=torch.get_num_threads())


def train(model: nn.Module, x: Tensor, y: Tensor, given: Problem, clock: Clock, fused: bool, half: bool) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=given.lr, fused=True if fused else None)
    cosine = given.schedule == "cosine"
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor(given, len(x))) if cosine else None
    batches = (by_loader if given.variant in ("default", "single") else by_index)(x, y, given)
    steps = given.steps_per_epoch(len(x))
    model.train()
    for step, (inputs, labels) in enumerate(batches, start=1):
        if half:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16) if half else nullcontext():
            loss = F.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if schedule is not None:
            schedule.step()
        if step % steps == 0:
            clock.tick()


if __name__ == "__main__":
    main()
