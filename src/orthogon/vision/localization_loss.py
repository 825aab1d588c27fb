"""The loss of a network that localizes: what does not exist is not asked for (row 20.02)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.nn.boxes import generalized_overlap
from orthogon.vision.object_layout import Layout, Said, Truth

LOSSES = ("giou", "log_likelihood", "squared", "huber")
"""For P_c and classes all but "squared" take the negative log-likelihood. For places "huber" counts errors beyond one
standard deviation in proportion, "giou" adds 1 − GIoU of the box to that, the others square errors. The first is the
default: on cells of blood it gained 0.013 [0.008, 0.018] in mean IoU over "log_likelihood", the note's."""


def localization_losses(said: Said, truth: Truth, layout: Layout, loss: str, smoothing: float = 0.0
                        ) -> dict[str, Tensor]:
    """Part -> (n,): what each picture costs.

    "object": the log-likelihood −(y log ŷ + (1 − y) log(1 − ŷ)) of P_c (E33), or (ŷ − y)². Where there is no object all
    else is 0 and has no gradient: "class"; "box", the mean over b_x, b_y, b_h, b_w in standard deviations of the train
    boxes; "points", the mean over those that are visible.
    """
    present, found = truth.present, {}
    if said.present is not None:
        found["object"] = _of_presence(said.present, present, loss)
    if said.classes is not None:
        found["class"] = torch.where(present, _of_classes(said.classes, truth.code.clamp(min=0), loss, smoothing), 0)
    if said.box is not None and truth.box is not None:
        boxed = _boxed(truth.box)
        corners = torch.where(boxed[:, None], truth.box.to(said.box.dtype), 0)
        off = _errors(said.box, layout.standardized_box(corners), loss).mean(1)
        if loss == "giou":
            off = off + 1 - generalized_overlap(layout.corners(said.box), corners)
        found["box"] = torch.where(boxed, off, 0)
    if said.points is not None and truth.points is not None:
        seen = visible(truth)
        places = torch.where(seen[..., None], truth.points.to(said.points.dtype), 0)
        off = _errors(said.points, layout.standardized_points(places), loss).mean(2)
        found["points"] = torch.where(seen, off, 0).sum(1) / seen.sum(1).clamp(min=1)
    return found


def counted(truth: Truth, layout: Layout) -> dict[str, Tensor]:
    """Part -> bool (n,): which pictures it is asked of, from the targets alone."""
    everything = torch.ones_like(truth.present)
    asked = {"object": everything if layout.absent else None, "class": truth.present if layout.classes > 1 else None,
             "box": None if truth.box is None else _boxed(truth.box),
             "points": None if truth.points is None else visible(truth).any(1)}
    return {name: rows for name, rows in asked.items() if rows is not None}


def _boxed(box: Tensor) -> Tensor:
    return ~box.isnan().any(1)


def visible(truth: Truth) -> Tensor:
    """Bool (n, L): which points are known."""
    assert truth.points is not None  # noqa: S101 - asked where there are points
    return ~truth.points.isnan().any(2)


def _of_presence(logit: Tensor, present: Tensor, loss: str) -> Tensor:
    target = present.to(logit.dtype)
    if loss == "squared":
        return (torch.sigmoid(logit) - target).square()
    return F.binary_cross_entropy_with_logits(logit, target, reduction="none")


def _of_classes(logits: Tensor, code: Tensor, loss: str, smoothing: float) -> Tensor:
    if loss == "squared":
        return (logits.softmax(1) - F.one_hot(code, logits.shape[1]).to(logits.dtype)).square().sum(1)
    return F.cross_entropy(logits, code, reduction="none", label_smoothing=smoothing)


def _errors(said: Tensor, target: Tensor, loss: str) -> Tensor:
    if loss in ("huber", "giou"):
        return F.huber_loss(said, target, reduction="none")
    return (said - target).square()
