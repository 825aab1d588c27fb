"""Pictures of what a generator makes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from orthogon.draw.mosaic import mosaic
from orthogon.train.randomness import normal_by_row
from orthogon.train.task import Sheet
from orthogon.vision.gan import GAN
from orthogon.vision.generate import Generate

SAMPLES, COLUMNS = 96, 12
BESIDE = 12
PATHS, STEPS = 5, 12
SIDE = 44
"""Pixels that a picture is shown in, about."""


def sheets(task: Generate, model: torch.nn.Module) -> list[Sheet]:
    """Samples; some with the train pictures that are nearest to them; ways from one to another."""
    assert isinstance(model, GAN)  # noqa: S101 - the step has refused all else
    device = task.inputs.device
    samples = task.samples(model, torch.arange(SAMPLES, device=device))
    found = [Sheet("samples", "Samples", f"{SAMPLES} samples, not chosen.", grid(samples, COLUMNS))]
    if (near := task.nearest_remembered(samples[:BESIDE])) is not None:
        found.append(Sheet(
            "nearest", "Samples beside pictures", "Above samples, below the nearest of "
            f"{task.remembered:,} train pictures. A network that has learnt by heart shows the same picture twice.",
            grid(torch.cat([samples[:BESIDE], near]), BESIDE)))
    noise = normal_by_row(torch.arange(2 * PATHS, device=device), model.latent, "paths")
    found.append(Sheet("between", "From sample to sample", "Each row goes from one sample to another on the sphere "
                       "that noise lies on. Where every picture on the way could be real, the network has learnt "
                       "more than examples.", grid(model.generator(_between(noise[:PATHS], noise[PATHS:])), STEPS)))
    return found


def _between(first: Tensor, last: Tensor) -> Tensor:
    """Points on great circles from each first to each last one (White 2016, arXiv:1609.04468): N·STEPS×latent."""
    share = torch.linspace(0, 1, STEPS, device=first.device)[None, :, None]
    angle = torch.acos(torch.cosine_similarity(first, last, dim=1))[:, None, None]
    return ((torch.sin((1 - share) * angle) * first[:, None] + torch.sin(share * angle) * last[:, None])
            / torch.sin(angle)).flatten(0, 1)


def grid(pictures: Tensor, columns: int) -> np.ndarray:
    """N×C×H×W in 0 … 1 as one picture, H×W×C uint8, row by row."""
    return mosaic(pictures.detach().cpu().numpy(), columns, SIDE)
