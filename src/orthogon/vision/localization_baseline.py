"""What localizing without looking reaches."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.task import Baseline, Task
from orthogon.vision.localize import Localize


class MeanBox(Baseline):
    """The mean box and the mean points of the train pictures, in shares of the picture, and the most frequent class."""

    name, line = "mean box", "the mean place in training, of the most frequent class"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Localize)  # noqa: S101 - the task's own baseline
        code = task.layout.unpack(torch.from_numpy(task.packed_targets(rows))).code
        counts = torch.bincount(code[code >= 0], minlength=task.layout.classes) + 1.0
        present = (code != -1).double().mean().clamp(1e-3, 1 - 1e-3)
        logits = [torch.logit(present).float()[None]] if task.layout.absent else []
        logits += [counts.log()] if task.layout.classes > 1 else []
        self.outputs = F.pad(torch.cat(logits), (0, task.layout.outputs - sum(map(len, logits)))) if logits else (
            torch.zeros(task.layout.outputs))

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        assert isinstance(task, Localize)  # noqa: S101 - the task's own baseline
        return predict(task, _Constant(self.outputs.to(task.inputs.device)), rows, Compute(task.inputs.device))


class _Constant(nn.Module):
    """The same outputs for every picture: a place 0 standard deviations from the mean is the mean."""

    def __init__(self, outputs: Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, picture: Tensor, *others: Tensor) -> Tensor:
        return self.outputs.expand(len(picture), -1)
