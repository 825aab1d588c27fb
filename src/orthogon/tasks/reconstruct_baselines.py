"""What an autoencoder must beat: the mean example, and as many principal components as its code has numbers."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.nn.autoencoder import Rebuilt
from orthogon.tasks.reconstruct import Reconstruct
from orthogon.train.task import Baseline, Task

MOST = 20_000
"""Examples that principal components are fitted to."""

GREY = 1 / 256
"""How far rebuilt pixels are kept from 0 and 1: one that is certain and wrong would cost infinity."""


class _Linear(Baseline):
    """A baseline that projects examples onto a plane; `center` and `axes` (k×D) are found by `fit`."""

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Reconstruct)  # noqa: S101
        rows = np.random.default_rng(0).permutation(np.asarray(rows))[:MOST]
        chunks = torch.as_tensor(rows, dtype=torch.int64).split(2048)
        clean = torch.cat([task.batch(chunk).target.flatten(1).cpu() for chunk in chunks]).numpy()
        center, axes = self._plane(clean)
        self.model = _Projection(torch.from_numpy(center), torch.from_numpy(axes), task.loss_name == "bernoulli")
        self.model.to(task.inputs.device)

    @abstractmethod
    def _plane(self, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]: ...

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        with torch.inference_mode():
            pieces = [task.results(self.model, task.batch(chunk))
                      for chunk in torch.as_tensor(rows, dtype=torch.int64).split(2048)]
        return {name: torch.cat([piece[name] for piece in pieces]).cpu().numpy() for name in pieces[0]}


class MeanExample(_Linear):
    """The mean of the train examples, whatever the input."""

    name = "mean"
    line = "always the mean example"

    def _plane(self, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return clean.mean(axis=0), np.zeros((1, clean.shape[1]), dtype=np.float32)


class PrincipalComponents(_Linear):
    """scikit-learn's PCA of the clean train examples; what is given is projected onto it."""

    name = "principal components"
    line = "PCA with a code of the same size"

    def __init__(self, size: int) -> None:
        self.size = size

    def _plane(self, clean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from sklearn.decomposition import PCA

        found: Any = PCA(min(self.size, *clean.shape), svd_solver="covariance_eigh").fit(clean)
        return found.mean_.astype(np.float32), found.components_.astype(np.float32)


class _Projection(nn.Module):
    def __init__(self, center: Tensor, axes: Tensor, logits: bool) -> None:
        super().__init__()
        self.register_buffer("center", center)
        self.register_buffer("axes", axes)
        self.center: Tensor
        self.axes: Tensor
        self.logits = logits

    def forward(self, x: Tensor) -> Rebuilt:
        code = (x.flatten(1) - self.center) @ self.axes.T
        values = (self.center + code @ self.axes).view(x.shape)
        return Rebuilt(values.clamp(GREY, 1 - GREY).logit() if self.logits else values, code)
