"""What an autoencoder has learnt, in pictures: what it rebuilds, and what lies between the codes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.draw.codes import code_map
from orthogon.draw.mosaic import mosaic
from orthogon.nn.autoencoder import Autoencoder, Rebuilt, VariationalAutoencoder
from orthogon.nn.gaussian import Gaussian
from orthogon.tasks.reconstruct import Reconstruct, as_rebuilt
from orthogon.train.randomness import normal_by_row
from orthogon.train.task import Sheet

SHOWN, PAIRS, STEPS = 12, 5, 10
SAMPLES, COLUMNS = 72, 12
PLANE = 15
"""Codes along each side of the plane that is decoded."""

CODED = 2000
"""Examples whose codes are drawn, at most."""


def sheets(task: Reconstruct, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
    """Of pictures: rebuilt, interpolated, a plane of the latent space, of variational networks samples; codes."""
    batch = task.batch(torch.as_tensor(rows[:CODED], dtype=torch.int64)) if len(rows) else None
    rebuilt = None if batch is None else as_rebuilt(model(*batch.inputs))
    found: list[Sheet] = []
    if batch is not None and rebuilt is not None and task.pictures:
        found.append(_rebuilt(task, batch.target, batch.inputs[0], rebuilt))
    if isinstance(model, Autoencoder | VariationalAutoencoder) and task.pictures:
        if isinstance(model, VariationalAutoencoder):
            found.append(_samples(task, model))
        if batch is not None and rebuilt is not None and len(batch.rows) > 1:
            found += [_between(task, model, batch.target, rebuilt.code), _plane(task, model, rebuilt)]
    if rebuilt is not None and rebuilt.code.ndim == 2 and len(rows) > 2:
        found.append(_codes(task, rebuilt.code.cpu().numpy(), task.targets(rows[:CODED])))
    return found


def snapshot(task: Reconstruct, model: nn.Module, rows: np.ndarray) -> np.ndarray:
    """Some pictures above what is rebuilt of them; of variational networks two rows of samples below."""
    batch = task.batch(torch.as_tensor(rows, dtype=torch.int64))
    drawn = [batch.inputs[0], task.values(as_rebuilt(model(*batch.inputs)).output)]
    if isinstance(model, VariationalAutoencoder):
        drawn.append(_decoded(task, model, _noise(model, 2 * len(rows), batch.rows.device)))
    return mosaic(torch.cat(drawn).cpu().numpy(), len(rows), side=30)


def _rebuilt(task: Reconstruct, clean: Tensor, given: Tensor, rebuilt: Rebuilt) -> Sheet:
    made = task.values(rebuilt.output)
    rows, line = [clean, made], "Above as they are, below rebuilt"
    if task.corruption.acts:
        rows, line = [clean, given, made], "Above as they are, then what the network is given, below what it makes"
    return Sheet("rebuilt", "Pictures and what is rebuilt of them", f"{line}; of dev, not learnt from.",
                 _mosaic(torch.cat([each[:SHOWN] for each in rows]), min(SHOWN, len(clean))))


def _samples(task: Reconstruct, model: VariationalAutoencoder) -> Sheet:
    drawn = _decoded(task, model, _noise(model, SAMPLES, task.inputs.device))
    return Sheet("samples", "Samples", "Decoded from codes drawn from N(0, 1), not chosen; each pixel is the chance of "
                 "white." if task.loss_name == "bernoulli" else "Decoded from codes drawn from N(0, 1), not chosen.",
                 _mosaic(drawn, COLUMNS))


def _between(task: Reconstruct, model: nn.Module, clean: Tensor, codes: Tensor) -> Sheet:
    """From one example to another along the straight line between their codes."""
    pairs = min(PAIRS, len(codes) // 2)
    first, last = codes[: 2 * pairs : 2], codes[1 : 2 * pairs : 2]
    share = torch.linspace(0, 1, STEPS, device=codes.device)[None, :, None]
    way = _decoded(task, model, ((1 - share) * first[:, None] + share * last[:, None]).flatten(0, 1))
    rows = [torch.cat([clean[2 * k : 2 * k + 1], way[k * STEPS : (k + 1) * STEPS], clean[2 * k + 1 : 2 * k + 2]])
            for k in range(pairs)]
    return Sheet("between", "From picture to picture", "At either end a picture of dev, between them what lies on the "
                 "straight line between their codes.", _mosaic(torch.cat(rows), STEPS + 2))


def _plane(task: Reconstruct, model: nn.Module, rebuilt: Rebuilt) -> Sheet:
    """Codes at the quantiles of a Gaussian in two directions (Kingma & Welling 2014, arXiv:1312.6114, figure 4)."""
    center, axes, line = _directions(rebuilt)
    quantiles = torch.special.ndtri((torch.arange(PLANE, device=center.device) + 0.5) / PLANE)
    across = quantiles[:, None] * axes[0]
    down = -quantiles[:, None] * axes[1] if len(axes) > 1 else torch.zeros_like(axes)
    codes = (center + down[:, None] + across[None, :]).flatten(0, 1)
    return Sheet("plane", "A plane of the latent space", line, _mosaic(_decoded(task, model, codes), PLANE))


def _directions(rebuilt: Rebuilt) -> tuple[Tensor, Tensor, str]:
    """The center, two directions of one standard deviation each (1 or 2×K), and what they are."""
    codes = rebuilt.code.float()
    if rebuilt.log_variance is None:
        center = codes.mean(0)
        _, spread, axes = torch.linalg.svd(codes - center, full_matrices=False)
        scaled = axes[:2] * (spread[:2, None] / len(codes) ** 0.5)
        return center, scaled, (f"Decoded at the quantiles of a Gaussian along the two directions in which the "
                                f"{codes.shape[1]} numbers of the code vary most, about the mean code.")
    each = Gaussian(codes, rebuilt.log_variance.float())
    used = torch.stack([Gaussian(*(value[:, k : k + 1] for value in each)).divergence().mean()
                        for k in range(codes.shape[1])]).topk(min(2, codes.shape[1]))
    axes = torch.eye(codes.shape[1], device=codes.device)[used.indices]
    others = "" if codes.shape[1] <= 2 else f"; the other {codes.shape[1] - 2} are 0"
    return torch.zeros_like(codes[0]), axes, ("Decoded at the quantiles of N(0, 1) along the numbers of the code that "
                                              f"say most ({_listed(used.values)} nats a picture){others}.")


def _listed(values: Tensor) -> str:
    return " and ".join(f"{value:.2g}" for value in values.tolist())


def _codes(task: Reconstruct, codes: np.ndarray, labels: np.ndarray) -> Sheet:
    """The codes seen from above; labels are drawn, not learnt from."""
    axes, line = ("first number of the code", "second"), "The codes of dev"
    points = codes[:, :2] if codes.shape[1] == 2 else np.pad(codes, ((0, 0), (0, 1)))
    if codes.shape[1] > 2:
        moved = codes - codes.mean(axis=0)
        points = moved @ np.linalg.svd(moved, full_matrices=False)[2][:2].T
        share = points.var(axis=0).sum() / max(moved.var(axis=0).sum(), 1e-12)
        axes = ("first direction", "second direction")
        line = f"The codes of dev along the two directions in which they vary most, {share:.0%} of all their variance"
    said = f"{line}; colored by labels, which were not learnt from." if task.labels else f"{line}."
    return Sheet("codes", "The codes from above", said, code_map(points, labels, task.labels, axes))


def _noise(model: VariationalAutoencoder, count: int, device: torch.device) -> Tensor:
    return normal_by_row(torch.arange(count, device=device), model.head.log_variance.out_features, "samples")


def _decoded(task: Reconstruct, model: nn.Module, codes: Tensor) -> Tensor:
    return task.values(model.get_submodule("head")(codes).float())


def _mosaic(pictures: Tensor, columns: int) -> np.ndarray:
    return mosaic(pictures.float().cpu().numpy(), columns)
