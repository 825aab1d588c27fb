"""Hugging Face Accelerate: model, optimizer and loader through `prepare`, its documented loop."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from accelerate import Accelerator
from problem import Clock, problem, report, training_rows
from torch.utils.data import DataLoader, TensorDataset
from torch_networks import network, parameters, predict


def main() -> None:
    given = problem()
    x, y, x_test = training_rows(given)
    accelerator = Accelerator(cpu=True)
    plain = network(given)
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), batch_size=given.batch, shuffle=True)
    model, optimizer, loader = accelerator.prepare(plain, torch.optim.Adam(plain.parameters(), lr=given.lr), loader)
    clock = Clock()
    model.train()
    for _ in range(given.epochs):
        for inputs, labels in loader:
            optimizer.zero_grad()
            loss = F.cross_entropy(model(inputs), labels)
            accelerator.backward(loss)
            optimizer.step()
        clock.tick()
    found = None if x_test is None else predict(plain, torch.from_numpy(x_test))
    report(clock, given, len(x), parameters(plain), found, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
