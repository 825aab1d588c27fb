"""The twins of what surrounds the layers: penalties, dropout, optimizers, schedules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch.optim import lr_scheduler

from orthogon.equations import (
    averages,
    logistic,
    losses,
    optimizers,
    quadratic,
    regularization,
    schedules,
)

from .twins import Twin

STEPS = 12


def weights(rng: Generator) -> dict[str, Any]:
    return {"weights": [rng.normal(size=(4, 3)), rng.normal(size=(2, 4))], "strength": 0.3}


def masked(rng: Generator) -> dict[str, Any]:
    return {"A": rng.normal(size=(5, 4)), "mask": (rng.random((5, 4)) < 0.7).astype(float)}


def slopes(rng: Generator) -> dict[str, Any]:
    """A start, and the gradients of twelve steps, of unlike sizes."""
    return {"theta": rng.normal(size=4), "gradient": rng.normal(size=(STEPS, 4)) * [1.0, 1e-3, 30.0, 0.3]}


def trajectory(step: Callable[..., Any]) -> Callable[..., Any]:
    """The path of an optimizer that meets these gradients, one row per step."""

    def walk(theta, gradient, **settings):
        path, state = [], {}
        for slope in gradient:
            theta, state = step(theta, slope, state, **settings)
            path.append(theta)
        return np.array(path)

    return walk


def optimizer_twin(step: Callable[..., Any], optimizer: Callable[..., Any], **settings: float) -> Twin:
    """optimizer: from the parameters and the settings in the order they are given here to torch's optimizer."""

    def walk(theta, gradient, *values):
        parameter = torch.nn.Parameter(theta.clone())
        moves, path = optimizer([parameter], *values), []
        for slope in gradient:
            parameter.grad = slope
            moves.step()
            path.append(parameter.detach().clone())
        return torch.stack(path)

    def draw(rng: Generator) -> dict[str, Any]:
        return {**slopes(rng), **settings}

    note = ", ".join(f"{name} {value}" for name, value in settings.items())
    return Twin(step, None, inputs=draw, torch=walk, call=trajectory(step), note=note)


def torch_adamod(theta, gradient):
    """The rates and their average as the paper's algorithm has them, over whole series at once."""
    t = torch.arange(1, STEPS + 1, dtype=torch.float64)[:, None]
    age = t - t.T
    past = (age >= 0).double()
    V = (1 - 0.9) * (past * 0.9 ** age.clamp(min=0)) @ gradient / (1 - 0.9**t)
    S = (1 - 0.999) * (past * 0.999 ** age.clamp(min=0)) @ gradient**2 / (1 - 0.999**t)
    rate = 1e-3 / (S.sqrt() + 1e-8)
    bound = (1 - 0.999) * (past * 0.999 ** age.clamp(min=0)) @ rate
    return theta - (torch.minimum(rate, bound) * V).cumsum(dim=0)


def torch_backstitch(theta, gradient_at):
    """Two steps of torch's SGD: a backward one of 0.3 times the rate, a forward one of 1.3 times."""
    theta = torch.nn.Parameter(theta.clone())
    for rate in (-0.3 * 0.01, 1.3 * 0.01):
        theta.grad = torch.as_tensor(gradient_at(theta.detach().numpy()))
        optimizer = torch.optim.SGD([theta], lr=abs(rate), maximize=rate < 0)
        optimizer.step()
    return theta


def schedule_twin(
    schedule: Callable[..., float], scheduler: Callable[[torch.optim.Optimizer], Any], first: int = 0, **settings: Any
) -> Twin:
    """The rates of the first 20 epochs, from 0.2."""

    def ours(initial, **settings):
        return np.array([schedule(epoch, initial, **settings) for epoch in range(first, first + 20)])

    def theirs(initial, *_):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
        stepper, rates = scheduler(optimizer), []
        for _ in range(20):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            stepper.step()
        return torch.tensor(rates, dtype=torch.float64)

    return Twin(schedule, None, inputs=lambda rng: {"initial": 0.2, **settings}, torch=theirs, call=ours)


def torch_plateau(scores, initial, factor, patience):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=initial)
    stepper = lr_scheduler.ReduceLROnPlateau(optimizer, "max", factor, patience - 1, threshold=0.0)
    for score in scores:
        stepper.step(score)
    return torch.tensor(optimizer.param_groups[0]["lr"], dtype=torch.float64)


def torch_one_cycle(optimizer):
    rise = lr_scheduler.LinearLR(optimizer, start_factor=1 / 5, total_iters=4)
    return lr_scheduler.SequentialLR(optimizer, [rise, lr_scheduler.CosineAnnealingLR(optimizer, 15)], milestones=[5])


def torch_logistic(X, y, w, b):
    w, b = w.requires_grad_(), torch.tensor(b, dtype=torch.float64, requires_grad=True)
    J = F.binary_cross_entropy_with_logits(X @ w + b, y)
    J.backward()
    return J, w.grad, b.grad


def logistic_inputs(rng: Generator) -> dict[str, Any]:
    return {"X": rng.normal(size=(7, 3)), "y": rng.integers(0, 2, size=7).astype(float),
            "w": rng.normal(size=3), "b": 0.4}


def torch_quadratic_path(coefficients, w, learning_rate, steps):
    w = torch.nn.Parameter(torch.tensor(w, dtype=torch.float64))
    optimizer, path = torch.optim.SGD([w], lr=learning_rate), [w.item()]
    for _ in range(steps):
        optimizer.zero_grad()
        (coefficients[0] * w**2 + coefficients[1] * w + coefficients[2]).backward()
        optimizer.step()
        path.append(w.item())
    return path


SGD, RULE = torch.optim.SGD, lr_scheduler.LambdaLR

TWINS = [
    Twin(losses.mean_cost, None, inputs=lambda rng: {"losses": rng.normal(size=(5, 3))},
         torch=lambda losses: losses.sum(dim=1).mean()),
    Twin(regularization.l2_penalty, regularization.l2_penalty_backward, inputs=weights,
         torch=lambda weights, strength: sum(strength / 2 * W.norm() ** 2 for W in weights), wrt=("weights",)),
    Twin(regularization.l1_penalty, regularization.l1_penalty_backward, inputs=weights,
         torch=lambda weights, strength: sum(strength * W.abs().sum() for W in weights), wrt=("weights",)),
    Twin(regularization.max_norm, None,
         inputs=lambda rng: {"W": rng.normal(size=(6, 5)) * np.array([0.1, 1, 2, 3, 4, 5])[:, None]},
         torch=lambda W: W * (4.0 / W.norm(dim=1, keepdim=True)).clamp(max=1.0)),
    Twin(regularization.inverted_dropout, regularization.inverted_dropout_backward,
         inputs=lambda rng: {**masked(rng), "keep_prob": 0.7}, torch=lambda A, mask, keep: A * mask / keep, wrt=("A",)),
    Twin(regularization.original_dropout, regularization.original_dropout_backward, inputs=masked,
         torch=lambda A, mask: torch.where(mask > 0, A, 0.0), wrt=("A",)),
    Twin(averages.exponentially_weighted_average, None,
         inputs=lambda rng: {"series": rng.normal(size=(STEPS, 3)), "beta": 0.8},
         torch=lambda series, beta: torch.stack([
             sum((1 - beta) * beta ** (t - k) * series[k] for k in range(t + 1)) for t in range(STEPS)
         ])),
    optimizer_twin(optimizers.gradient_descent, lambda p, lr: SGD(p, lr), learning_rate=0.1),
    optimizer_twin(optimizers.momentum, lambda p, lr: SGD(p, lr * (1 - 0.9), momentum=0.9), learning_rate=0.1),
    optimizer_twin(optimizers.simplified_momentum, lambda p: SGD(p, 0.001, momentum=0.9)),
    optimizer_twin(optimizers.nesterov, lambda p: SGD(p, 0.001, momentum=0.9, nesterov=True)),
    optimizer_twin(optimizers.rmsprop, lambda p: torch.optim.RMSprop(p, 0.001, alpha=0.999, eps=1e-8)),
    optimizer_twin(optimizers.adam, torch.optim.Adam),
    optimizer_twin(optimizers.adam, lambda p, lr, b1, b2, eps: torch.optim.Adam(p, lr, (b1, b2), eps),
                   learning_rate=0.1, beta1=0.5, beta2=0.9, epsilon=0.1),
    optimizer_twin(optimizers.adamw, torch.optim.AdamW),
    optimizer_twin(optimizers.adamw, lambda p, lr, decay: torch.optim.AdamW(p, lr, weight_decay=decay),
                   learning_rate=0.1, weight_decay=0.5),
    optimizer_twin(optimizers.adagrad, torch.optim.Adagrad),
    optimizer_twin(optimizers.adadelta, torch.optim.Adadelta),
    optimizer_twin(optimizers.nadam, torch.optim.NAdam),
    optimizer_twin(optimizers.nadam, lambda p, lr, decay: torch.optim.NAdam(p, lr, momentum_decay=decay),
                   learning_rate=0.1, momentum_decay=0.3),
    Twin(optimizers.adamod, None, inputs=slopes, torch=torch_adamod, call=trajectory(optimizers.adamod)),
    Twin(optimizers.backstitch, None, inputs=lambda rng: {"theta": rng.normal(size=4), "gradient_at": np.sin},
         torch=torch_backstitch),
    schedule_twin(schedules.inverse_time, lambda o: RULE(o, lambda epoch: 1 / (1 + epoch))),
    schedule_twin(schedules.exponential, lambda o: lr_scheduler.ExponentialLR(o, 0.95)),
    schedule_twin(schedules.inverse_square_root, lambda o: RULE(o, lambda epoch: (epoch + 1) ** -0.5), first=1),
    schedule_twin(schedules.staircase, lambda o: lr_scheduler.StepLR(o, 10)),
    schedule_twin(schedules.staircase, lambda o: lr_scheduler.StepLR(o, 3, 0.5), factor=0.5, every=3),
    schedule_twin(schedules.linear_to_zero, lambda o: lr_scheduler.LinearLR(o, 1.0, 0.0, 20), steps=20),
    schedule_twin(schedules.cosine, lambda o: lr_scheduler.CosineAnnealingLR(o, 20), steps=20),
    schedule_twin(schedules.warm_up, lambda o: lr_scheduler.LinearLR(o, 1 / 8, total_iters=7), steps=8),
    schedule_twin(schedules.one_cycle, torch_one_cycle, steps=20),
    Twin(schedules.plateau, None,
         inputs=lambda rng: {"scores": [0.1, 0.3, 0.3, 0.2, 0.4, 0.4, 0.1, 0.2, 0.4, 0.3, 0.5, 0.6], "initial": 0.2,
                             "factor": 0.5, "patience": 2}, torch=torch_plateau),
    Twin(logistic.logistic, None, inputs=logistic_inputs, torch=torch_logistic),
    Twin(logistic.logistic_by_loop, None, inputs=logistic_inputs, torch=torch_logistic),
    Twin(quadratic.quadratic, quadratic.quadratic_backward,
         inputs=lambda rng: {"w": rng.normal(size=()), "coefficients": (1.0, -20.0, 100.0)},
         torch=lambda w, x: x[0] * w**2 + x[1] * w + x[2], wrt=("w",)),
    Twin(quadratic.descend_quadratic, None,
         inputs=lambda rng: {"coefficients": (2.0, -3.0, 1.0), "w": 0.5, "learning_rate": 0.1, "steps": 30},
         torch=torch_quadratic_path),
]
