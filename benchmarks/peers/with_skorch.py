"""skorch: NeuralNet at its defaults (it prints a line an epoch), without its internal validation split."""

from __future__ import annotations

import torch
from problem import Clock, problem, report, training_rows
from skorch import NeuralNetClassifier
from skorch.callbacks import Callback
from torch import nn
from torch_networks import network, parameters, predict


class Ticks(Callback):
    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def on_epoch_end(self, net: object, **_: object) -> None:
        self.clock.tick()


def main() -> None:
    given = problem()
    x, y, x_test = training_rows(given)
    clock = Clock()
    net = NeuralNetClassifier(
        network(given), criterion=nn.CrossEntropyLoss, optimizer=torch.optim.Adam, lr=given.lr,
        max_epochs=given.epochs, batch_size=given.batch, iterator_train__shuffle=True, train_split=None,
        callbacks=[("ticks", Ticks(clock))],
    )
    net.fit(x, y)
    found = None if x_test is None else predict(net.module_, torch.from_numpy(x_test))
    report(clock, given, len(x), parameters(net.module_), found, threads=torch.get_num_threads())


if __name__ == "__main__":
    main()
