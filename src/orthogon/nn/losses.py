"""Losses as (sum, count), so that a batch may be split: the sums and counts of its pieces add up to its own.

Examples come first. The loss of an example sums over all that belongs to it: labels, outputs, time steps.
`weight`, float (N,), is what each example counts. Everything is differentiable; losses are computed in the type of what
is given, and added up in at least float32.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.errors import nearest
from orthogon.nn.gaussian import Gaussian
from orthogon.nn.robust_loss import robust_errors
from orthogon.nn.total import Total, total

REGRESSION = ("squared", "absolute", "huber", "robust")


def cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None, label_smoothing: float = 0.0) -> Total:
    """−Σ y·log softmax(logits) (rows 3.03-3.05, 3.14).

    logits: N×K. target: classes int64 (N,), or probabilities N×K. weight: (N,), what each example counts.
    label_smoothing: share of the label spread evenly over the K classes (Szegedy et al. 2016, arXiv:1512.00567).
    ValueError for shapes that do not fit and classes outside 0 … K−1.
    """
    _check_classes(logits, target)
    return total(F.cross_entropy(logits, target, reduction="none", label_smoothing=label_smoothing), weight)


def binary_cross_entropy(logits: Tensor, target: Tensor, weight: Tensor | None = None,
                         known: Tensor | None = None) -> Total:
    """−Σ [y·log σ(z) + (1 − y)·log(1 − σ(z))] over the labels, tasks or pixels of an example (rows 3.01, 3.09, 3.11).

    logits z, target y in [0, 1]: N×…. known: booleans of that shape, the labels that count; the target may be anything,
    NaN too, where one is not known. The label is a vector, the loss of an example one number (E22).
    ValueError for shapes that differ and, on the CPU, targets outside [0, 1].
    """
    _check_same(logits, target)
    if known is not None:
        _check_same(logits, known)
        target = torch.where(known, target, 0.0)
    if target.device.type == "cpu" and target.numel() and not (target.min() >= 0 and target.max() <= 1):
        raise ValueError("targets outside [0, 1]; binary cross-entropy takes 0, 1 or a probability: scale them, or say "
                         "in `known` which are known")
    each = F.binary_cross_entropy_with_logits(logits, target.to(logits.dtype), reduction="none")
    return total(each.flatten(1).sum(1) if known is None else (each * known).flatten(1).sum(1), weight)


def squared_hinge(scores: Tensor, target: Tensor, weight: Tensor | None = None) -> Total:
    """Σ max(0, 1 − t·s)², one class against the rest, t = ±1: a linear SVM in place of softmax (row 2.12).

    Tang 2013, arXiv:1306.0239; his ½‖w‖² is L2 regularization. scores: N×K. target: classes int64 (N,), or
    probabilities N×K, of which the expected loss is taken. ValueError as `cross_entropy`.
    """
    _check_classes(scores, target)
    yes = F.one_hot(target, scores.shape[1]).to(scores.dtype) if target.ndim == 1 else target
    each = yes * F.relu(1 - scores).square() + (1 - yes) * F.relu(1 + scores).square()
    return total(each.sum(1), weight)


def squared_hinge_probabilities(scores: Tensor, least: float = 1e-3) -> Tensor:
    """What scores learnt by `squared_hinge` say of the probability of each class, N×K, rows summing to 1.

    The expected squared hinge is least at s = 2p − 1 (Zhang 2004, Annals of Statistics 32), so p = (s + 1) / 2, kept
    within [least, 1 − least] and divided by the sum over the classes. Beyond ±1 scores say nothing more: these
    probabilities are coarser than those of softmax, and class by class they were not fitted to sum to 1.
    """
    shares = ((scores + 1) / 2).clamp(least, 1 - least)
    return shares / shares.sum(1, keepdim=True)


def brier(probabilities: Tensor, target: Tensor, weight: Tensor | None = None) -> Total:
    """Σ (p − y)² over the classes (Brier 1950): from 0, sure and right, to 2, sure and wrong.

    probabilities: N×K, after softmax. target: classes int64 (N,), or probabilities N×K. ValueError as `cross_entropy`.
    """
    _check_classes(probabilities, target)
    true = F.one_hot(target, probabilities.shape[1]) if target.ndim == 1 else target
    return total((probabilities - true).square().sum(1), weight)


def kl_divergence(p: Tensor, log_q: Tensor, weight: Tensor | None = None) -> Total:
    """KL(p‖q) = Σ p·(log p − log q), how far the distribution q lies from p, in nats (row 3.13).

    p: probabilities N×K; where it is 0 it adds nothing, even where q is 0 too. log_q: N×K, as log_softmax gives it.
    torch.nn.functional.kl_div takes them in the other order.
    """
    _check_same(p, log_q)
    return total(F.kl_div(log_q.masked_fill(p == 0, 0.0), p, reduction="none").sum(1), weight)


def gaussian_kl(mean: Tensor, log_variance: Tensor, weight: Tensor | None = None) -> Total:
    """KL(N(μ, σ²)‖N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²), which makes a latent space regular (row 3.13).

    mean, log_variance: N×D (Kingma & Welling 2014, arXiv:1312.6114).
    """
    _check_same(mean, log_variance)
    return total(Gaussian(mean, log_variance).divergence(), weight)


def sequence_cross_entropy(logits: Tensor, target: Tensor, mask: Tensor, weight: Tensor | None = None) -> Total:
    """Cross-entropy at each step, summed over the steps of a sequence (row 3.10).

    logits: N×T×K. target: classes int64 N×T, anything where there is no step. mask: booleans N×T, True where there is
    one. For a mean over steps divide `sum` by mask.sum(). ValueError as `cross_entropy`.
    """
    if logits.ndim != 3 or target.shape != logits.shape[:2] or mask.shape != target.shape:
        raise ValueError(f"logits {tuple(logits.shape)}, target {tuple(target.shape)} and mask {tuple(mask.shape)}; "
                         "give examples × steps × classes, and examples × steps for the other two")
    there = torch.where(mask, target, 0)
    _check_classes(logits.flatten(0, 1), there.flatten())
    each = F.cross_entropy(logits.flatten(0, 1), there.flatten(), reduction="none").view(target.shape)
    return total((each * mask).sum(1), weight)


def regression_loss(prediction: Tensor, target: Tensor, loss: str = "squared", weight: Tensor | None = None) -> Total:
    """Σ of `regression_errors` over the outputs of an example (row 3.07). prediction, target: N×…."""
    return total(regression_errors(prediction, target, loss).flatten(1).sum(1), weight)


def regression_errors(prediction: Tensor, target: Tensor, loss: str, shape: float = 1.0) -> Tensor:
    """Elementwise error, in the shape of the target.

    loss: "squared"; "absolute"; "huber" (delta 1; Huber 1964); "robust", `robust_errors` of scale 1 and that shape.
    ValueError for another name, and for shapes that differ.
    """
    _check_same(prediction, target)
    if loss == "squared":
        return F.mse_loss(prediction, target, reduction="none")
    if loss == "absolute":
        return F.l1_loss(prediction, target, reduction="none")
    if loss == "huber":
        return F.huber_loss(prediction, target, reduction="none")
    if loss == "robust":
        return robust_errors(prediction - target, shape)
    raise ValueError(f"there is no regression loss {loss!r}. {nearest(loss, REGRESSION)}")


def _check_same(given: Tensor, other: Tensor) -> None:
    if given.shape != other.shape:
        raise ValueError(f"shapes {tuple(given.shape)} and {tuple(other.shape)}; they must be the same: one that "
                         "broadcasts would give another loss")


def _check_classes(logits: Tensor, target: Tensor) -> None:
    """Classes (N,) within the range, or probabilities N×K. On a GPU the range is left unread, since reading waits."""
    if target.is_floating_point() and target.shape == logits.shape and logits.ndim == 2:
        return
    count = logits.shape[-1]
    if logits.ndim != 2 or target.is_floating_point() or target.shape != logits.shape[:1]:
        raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} of {target.dtype}; "
                         "give N×K, and classes int64 (N,) or probabilities N×K")
    if target.device.type != "cpu" or not target.numel():
        return
    low, high = int(target.min()), int(target.max())
    if low < 0 or high >= count:
        raise ValueError(f"classes from {low} to {high} for {count} outputs; they count from 0 to {count - 1}: "
                         "subtract what they begin with, or give the network more outputs")
