"""The twins of the feed-forward half: layers, activations, losses."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator

from orthogon.equations import activations, dense, losses, regression_losses

from .twins import Twin

NETWORK = ("tanh", "gelu", "softplus", "sigmoid")
TORCH_ACTIVATIONS: dict[str, Callable[..., Any]] = {
    "identity": lambda z: z * 1.0,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": F.relu,
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "selu": F.selu,
    "gelu": F.gelu,
    "silu": F.silu,
    "softplus": F.softplus,
    "mish": F.mish,
    "softmax": lambda z: torch.softmax(z, dim=-1),
}


def scores(rng: Generator) -> dict[str, Any]:
    """Scores off the kink at 0."""
    z = rng.normal(size=(5, 4)) * 2.0
    return {"z": np.where(np.abs(z) < 0.05, 0.5, z)}


def network_inputs(rng: Generator) -> dict[str, Any]:
    sizes = [3, 3, 4, 3, 1]
    return {
        "X": rng.normal(size=(5, 3)),
        "weights": [rng.normal(size=(n, before)) for before, n in pairwise(sizes)],
        "biases": [rng.normal(size=n) for n in sizes[1:]],
        "activations": NETWORK,
    }


def torch_network(X, weights, biases, activations):
    for W, b, name in zip(weights, biases, activations):
        X = TORCH_ACTIVATIONS[name](F.linear(X, W, b))
    return X


def probabilities(rng: Generator, *names: str) -> dict[str, Any]:
    return {name: rng.dirichlet(np.full(4, 5.0), size=5) for name in names}


def between(rng: Generator, *names: str) -> dict[str, Any]:
    """Numbers inside (0, 1)."""
    return {name: rng.uniform(0.05, 0.95, size=(5, 3)) for name in names}


def errors(rng: Generator) -> dict[str, Any]:
    """Predictions and targets whose distance is neither 0 nor a Huber δ of 1 or 0.7."""
    distance = rng.choice([-2.0, -0.9, -0.4, 0.3, 0.8, 1.7], size=(5, 3))
    y = rng.normal(size=(5, 3))
    return {"prediction": y + distance, "y": y}


def robust_twin(alpha: float, note: str, wrt: tuple[str, ...], rho: Callable[..., Any]) -> Twin:
    return Twin(
        regression_losses.robust, regression_losses.robust_backward,
        inputs=lambda rng: {"x": rng.normal(size=7) * 3.0, "alpha": np.array(alpha), "c": np.array(1.3)},
        torch=rho, wrt=wrt, note=note,
    )


def torch_robust(x, alpha, c):
    b = (alpha - 2).abs()
    return b / alpha * (((x / c) ** 2 / b + 1) ** (alpha / 2) - 1)


def masked_mean(z, y, known):
    return F.binary_cross_entropy_with_logits(z[known], y[known], reduction="sum") / len(z)


def sequence_mean(z, y, lengths):
    kept = torch.arange(z.shape[1]) < lengths[:, None]
    return F.cross_entropy(z[kept], y[kept], reduction="sum") / len(z)


TWINS = [
    Twin(dense.dense, dense.dense_backward,
         inputs=lambda rng: {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(4, 3)), "b": rng.normal(size=4)},
         torch=F.linear, wrt=("X", "W", "b")),
    Twin(dense.network, dense.network_backward, inputs=network_inputs, torch=torch_network,
         wrt=("X", "weights", "biases")),
    Twin(dense.network_by_loop, None, inputs=network_inputs, torch=torch_network),
    *(Twin(*activations.ACTIVATIONS[name], inputs=scores, torch=twin, wrt=("z",))
      for name, twin in TORCH_ACTIVATIONS.items()),
    Twin(activations.softmax, activations.softmax_backward, inputs=lambda rng: {**scores(rng), "axis": 0},
         torch=lambda z, axis: torch.softmax(z, dim=axis), wrt=("z",), note="axis 0"),
    Twin(activations.leaky_relu, activations.leaky_relu_backward, inputs=lambda rng: {**scores(rng), "slope": 0.3},
         torch=F.leaky_relu, wrt=("z",), note="slope 0.3"),
    Twin(activations.elu, activations.elu_backward, inputs=lambda rng: {**scores(rng), "alpha": 0.4},
         torch=F.elu, wrt=("z",), note="α = 0.4"),
    Twin(activations.hardmax, None, inputs=scores,
         torch=lambda z: F.one_hot(z.argmax(dim=-1), z.shape[-1]).double()),
    Twin(losses.binary_cross_entropy, losses.binary_cross_entropy_backward,
         inputs=lambda rng: between(rng, "a", "y"),
         torch=lambda a, y: F.binary_cross_entropy(a, y, reduction="sum") / len(a), wrt=("a",)),
    Twin(losses.binary_cross_entropy_from_logits, losses.binary_cross_entropy_from_logits_backward,
         inputs=lambda rng: {"z": rng.normal(size=6) * 3.0, "y": rng.integers(0, 2, size=6).astype(float)},
         torch=F.binary_cross_entropy_with_logits, wrt=("z",)),
    Twin(losses.cross_entropy, losses.cross_entropy_backward, inputs=lambda rng: probabilities(rng, "a", "y"),
         torch=lambda a, y: -(y * a.log()).sum(dim=1).mean(), wrt=("a",)),
    Twin(losses.cross_entropy_from_logits, losses.cross_entropy_from_logits_backward,
         inputs=lambda rng: {"z": rng.normal(size=(5, 4)), **probabilities(rng, "y")},
         torch=F.cross_entropy, wrt=("z",), note="soft labels"),
    Twin(losses.cross_entropy_from_logits, losses.cross_entropy_from_logits_backward,
         inputs=lambda rng: {"z": rng.normal(size=(5, 4)), "y": rng.integers(0, 4, size=5)},
         torch=F.cross_entropy, wrt=("z",), note="classes"),
    Twin(losses.cross_entropy_from_logits, losses.cross_entropy_from_logits_backward,
         inputs=lambda rng: {"z": rng.normal(size=(5, 4)), "y": rng.uniform(size=(5, 4))},
         torch=F.cross_entropy, wrt=("z",), note="labels that do not sum to 1"),
    Twin(losses.one_hot, None, inputs=lambda rng: {"classes": rng.integers(0, 4, size=(3, 2)), "count": 4},
         torch=lambda classes, count: F.one_hot(classes, count).double()),
    Twin(losses.multi_task_cross_entropy, losses.multi_task_cross_entropy_backward,
         inputs=lambda rng: {"z": rng.normal(size=(5, 3)), "y": rng.integers(0, 2, size=(5, 3)).astype(float),
                             "known": rng.uniform(size=(5, 3)) < 0.6},
         torch=masked_mean, wrt=("z",)),
    Twin(losses.sequence_cross_entropy, losses.sequence_cross_entropy_backward,
         inputs=lambda rng: {"z": rng.normal(size=(3, 4, 5)), "y": rng.integers(0, 5, size=(3, 4)),
                             "lengths": np.array([4, 1, 3])},
         torch=sequence_mean, wrt=("z",)),
    Twin(losses.weighted_outputs, losses.weighted_outputs_backward,
         inputs=lambda rng: {"costs": rng.uniform(size=2), "weights": np.array([0.1, 0.9])},
         torch=lambda costs, weights: weights @ costs, wrt=("costs",)),
    Twin(losses.weighted_examples, losses.weighted_examples_backward,
         inputs=lambda rng: {"losses": rng.uniform(size=6), "weights": rng.uniform(0.5, 10.0, size=6)},
         torch=lambda losses, weights: (weights * losses).sum() / weights.sum(), wrt=("losses",)),
    Twin(losses.kl_divergence, losses.kl_divergence_backward, inputs=lambda rng: probabilities(rng, "p", "q"),
         torch=lambda p, q: F.kl_div(q.log(), p, reduction="batchmean"), wrt=("p", "q")),
    Twin(losses.squared_hinge, losses.squared_hinge_backward,
         inputs=lambda rng: {"z": rng.normal(size=(5, 4)) * 2.0, "classes": rng.integers(0, 4, size=5)},
         torch=lambda z, classes: (1 - z * (2 * F.one_hot(classes, 4) - 1)).clamp(min=0).square().sum() / len(z),
         wrt=("z",)),
    Twin(regression_losses.squared_error, regression_losses.squared_error_backward, inputs=errors,
         torch=lambda prediction, y: F.mse_loss(prediction, y, reduction="sum") / len(y), wrt=("prediction",)),
    Twin(regression_losses.brier, regression_losses.brier_backward, inputs=lambda rng: probabilities(rng, "a", "y"),
         torch=lambda a, y: (a - y).square().sum(dim=1).mean(), wrt=("a",)),
    Twin(regression_losses.absolute_error, regression_losses.absolute_error_backward, inputs=errors,
         torch=lambda prediction, y: F.l1_loss(prediction, y, reduction="sum") / len(y), wrt=("prediction",)),
    Twin(regression_losses.huber, regression_losses.huber_backward, inputs=errors,
         torch=lambda prediction, y: F.huber_loss(prediction, y, reduction="sum") / len(y), wrt=("prediction",)),
    Twin(regression_losses.huber, regression_losses.huber_backward, inputs=lambda rng: {**errors(rng), "delta": 0.7},
         torch=lambda prediction, y, delta: F.huber_loss(prediction, y, reduction="sum", delta=delta) / len(y),
         wrt=("prediction",), note="δ = 0.7"),
    robust_twin(1.0, "α = 1", ("x", "alpha", "c"), torch_robust),
    robust_twin(-2.0, "α = −2", ("x", "alpha", "c"), torch_robust),
    robust_twin(3.0, "α = 3", ("x", "alpha", "c"), torch_robust),
]
