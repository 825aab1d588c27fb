"""The twins of the normalizers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from numpy.random import Generator
from torch.nn.utils import parametrizations

from orthogon.equations import normalization, weight_normalization

from .twins import Twin

NORMS = ("Z", "gamma", "beta")


def normal_inputs(*shape: int) -> Callable[[Generator], dict[str, Any]]:
    def draw(rng: Generator) -> dict[str, Any]:
        Z, gamma, beta = rng.normal(1.0, 2.0, size=shape), rng.normal(size=shape[1]), rng.normal(size=shape[1])
        return {"Z": Z, "gamma": gamma, "beta": beta}

    return draw


def inference_inputs(*shape: int) -> Callable[[Generator], dict[str, Any]]:
    def draw(rng: Generator) -> dict[str, Any]:
        running = {"running_mean": rng.normal(size=shape[1]), "running_variance": rng.uniform(0.5, 2.0, size=shape[1])}
        return {**normal_inputs(*shape)(rng), **running}

    return draw


def torch_running(Z, running_mean, running_variance):
    F.batch_norm(Z, running_mean, running_variance, training=True, momentum=0.1)
    return running_mean, running_variance


def torch_weight_norm(V, g):
    layer = parametrizations.weight_norm(torch.nn.Linear(V.shape[1], V.shape[0], bias=False, dtype=torch.float64))
    stored = layer.parametrizations["weight"]
    return torch.func.functional_call(stored, {"original0": g[:, None], "original1": V}, ())


def torch_batch_norm(Z, gamma, beta):
    return F.batch_norm(Z, None, None, gamma, beta, training=True)


def torch_batch_norm_inference(Z, gamma, beta, mean, variance):
    return F.batch_norm(Z, mean, variance, gamma, beta)


def torch_layer_norm(Z, gamma, beta):
    return F.layer_norm(Z, (4,), gamma, beta)


TWINS = [
    Twin(normalization.standardize, normalization.standardize_backward,
         inputs=lambda rng: {"X": rng.normal(size=(5, 3)), "mean": rng.normal(size=3),
                             "variance": rng.uniform(1.0, 9.0, size=3)},
         torch=lambda X, mean, variance: F.batch_norm(X, mean, variance, eps=1e-8), wrt=("X",)),
    Twin(normalization.batch_norm, normalization.batch_norm_backward, inputs=normal_inputs(6, 3),
         torch=torch_batch_norm, wrt=NORMS),
    Twin(normalization.batch_norm, normalization.batch_norm_backward, inputs=normal_inputs(3, 4, 2, 3),
         torch=torch_batch_norm, wrt=NORMS, note="images"),
    Twin(normalization.running_statistics, None,
         inputs=lambda rng: {"Z": rng.normal(size=(3, 4, 2)), "running_mean": rng.normal(size=4),
                             "running_variance": rng.uniform(1, 2, size=4)}, torch=torch_running),
    Twin(normalization.batch_norm_inference, normalization.batch_norm_inference_backward,
         inputs=inference_inputs(6, 3),
         torch=torch_batch_norm_inference, wrt=NORMS),
    Twin(normalization.batch_norm_inference, normalization.batch_norm_inference_backward,
         inputs=inference_inputs(2, 3, 2, 2),
         torch=torch_batch_norm_inference, wrt=NORMS,
         note="images"),
    Twin(normalization.layer_norm, normalization.layer_norm_backward, inputs=normal_inputs(5, 4),
         torch=torch_layer_norm, wrt=NORMS),
    Twin(normalization.layer_norm, normalization.layer_norm_backward, inputs=normal_inputs(3, 4, 4),
         torch=torch_layer_norm, wrt=NORMS, note="sequences"),
    Twin(normalization.group_norm, normalization.group_norm_backward,
         inputs=lambda rng: {**normal_inputs(3, 6, 2, 2)(rng), "groups": 3},
         torch=lambda Z, gamma, beta, groups: F.group_norm(Z, groups, gamma, beta), wrt=NORMS),
    Twin(normalization.instance_norm, normalization.instance_norm_backward, inputs=normal_inputs(3, 4, 2, 3),
         torch=lambda Z, gamma, beta: F.instance_norm(Z, weight=gamma, bias=beta), wrt=NORMS),
    Twin(weight_normalization.weight_norm, weight_normalization.weight_norm_backward,
         inputs=lambda rng: {"V": rng.normal(size=(4, 3)), "g": rng.normal(size=4)}, torch=torch_weight_norm,
         wrt=("V", "g")),
    Twin(weight_normalization.cosine_norm, weight_normalization.cosine_norm_backward,
         inputs=lambda rng: {"X": rng.normal(size=(5, 3)), "W": rng.normal(size=(4, 3))},
         torch=lambda X, W: F.cosine_similarity(X[:, None], W[None], dim=2), wrt=("X", "W")),
    Twin(weight_normalization.local_response_norm, weight_normalization.local_response_norm_backward,
         inputs=lambda rng: {"A": rng.normal(size=(2, 7, 3)) * 50.0},
         torch=lambda A: F.local_response_norm(A, 5), wrt=("A",)),
    Twin(weight_normalization.local_response_norm, weight_normalization.local_response_norm_backward,
         inputs=lambda rng: {"A": rng.normal(size=(2, 6, 2, 2)), "size": 4, "alpha": 0.9, "beta": 1.3, "k": 2.0},
         torch=F.local_response_norm, wrt=("A",), note="an even window"),
]
