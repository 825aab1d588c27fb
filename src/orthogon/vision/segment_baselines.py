"""What a segmentation network must beat: the commonest class everywhere, and color alone, pixel by pixel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.masks import IGNORE
from orthogon.train.task import Baseline, Task
from orthogon.vision.segment import Segment

SAMPLED = 20_000  # pixels that the linear model is fitted to
AROUND = 9  # side of the square over which the mean about a pixel is taken


class _Pixelwise(Baseline):
    """A baseline that is a network without learning of its own; `model` is set by `fit`."""

    model: nn.Module

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        pieces: list[dict[str, Tensor]] = []
        with torch.inference_mode():
            for chunk in torch.as_tensor(rows, dtype=torch.int64).split(task.most_at_once):
                pieces.append(task.results(self.model, task.batch(chunk)))
        return {name: torch.cat([piece[name] for piece in pieces]).cpu().numpy() for name in pieces[0]}


class CommonestClass(_Pixelwise):
    """The shares of the classes among the train pixels, for every pixel."""

    name = "majority"
    line = "every pixel of the commonest class"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        assert isinstance(task, Segment)  # noqa: S101
        shares = torch.as_tensor(np.maximum(task.train_share, 1e-7), dtype=torch.float32, device=task.inputs.device)
        self.model = _Constant(shares.log())


class _Constant(nn.Module):
    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.register_buffer("logits", logits)
        self.logits: Tensor

    def forward(self, picture: Tensor) -> Tensor:
        return self.logits.view(1, -1, 1, 1).expand(len(picture), -1, *picture.shape[2:])


class PixelLinear(_Pixelwise):
    """Logistic regression on the colors of a pixel and their mean over the 9×9 about it, fitted to 20,000 pixels."""

    name = "linear"
    line = "logistic regression on the color of each pixel and the mean about it"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        from sklearn.linear_model import LogisticRegression

        assert isinstance(task, Segment)  # noqa: S101
        rng = np.random.default_rng(0)
        rows = rng.permutation(np.asarray(rows))[:256]
        features, codes = [], []
        for chunk in torch.as_tensor(rows, dtype=torch.int64).split(task.most_at_once):
            batch = task.batch(chunk)
            features.append(colors(batch.inputs[0]).permute(0, 2, 3, 1).flatten(0, 2).cpu())
            codes.append(batch.target.codes.flatten().cpu())
        table, target = torch.cat(features).numpy(), torch.cat(codes).numpy()
        chosen = rng.permutation(np.flatnonzero(target != IGNORE))[:SAMPLED]
        found = LogisticRegression(max_iter=200).fit(table[chosen], target[chosen])
        self.model = _Linear(found.classes_, np.atleast_2d(found.coef_), found.intercept_, len(task.names))
        self.model.to(task.inputs.device)


def colors(pictures: Tensor) -> Tensor:
    """N×C×H×W -> N×2C×H×W: the channels, and their means over a square about each pixel, cut off at the edge."""
    around = F.avg_pool2d(pictures, AROUND, 1, AROUND // 2, count_include_pad=False)
    return torch.cat([pictures, around], dim=1)


class _Linear(nn.Module):
    """The fitted regression as a 1×1 convolution over `colors`; classes that it has not seen get −20."""

    def __init__(self, seen: np.ndarray, weight: np.ndarray, bias: np.ndarray, classes: int) -> None:
        super().__init__()
        if len(seen) == 2:  # scikit-learn has one row for two classes
            weight, bias = np.concatenate([0 * weight, weight]), np.concatenate([0 * bias, bias])
        full = np.zeros((classes, weight.shape[1])), np.full(classes, -20.0)
        full[0][seen], full[1][seen] = weight, bias
        self.conv = nn.Conv2d(weight.shape[1], classes, 1)
        weights, biases = (torch.from_numpy(each.astype(np.float32)) for each in full)
        self.conv.load_state_dict({"weight": weights[:, :, None, None], "bias": biases})

    def forward(self, picture: Tensor) -> Tensor:
        return self.conv(colors(picture))
