"""Predictions of a baseline as the rows that a network's results become."""

from __future__ import annotations

import numpy as np
import torch

from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.tasks.supervised import Supervised

SMALLEST = 1e-7  # probabilities are kept this far from 0 and 1: a tree that is certain and wrong would cost infinity


def classify_results(task: Classify, rows: np.ndarray, shares: np.ndarray) -> dict[str, np.ndarray]:
    """shares: (n, K), each row summing to 1."""
    safe = np.clip(shares, SMALLEST, 1.0)
    safe /= safe.sum(axis=1, keepdims=True)
    target, prediction = task.target_shares(rows), safe.argmax(axis=1)
    return _finished(task, rows, {
        "prediction": prediction.astype(np.int64), "probabilities": safe.astype(np.float32),
        "loss": -(target * np.log(safe)).sum(axis=1).astype(np.float32),
        "score": (prediction == target.argmax(axis=1)).astype(np.float32),
    })


def multilabel_results(task: MultiLabel, rows: np.ndarray, shares: np.ndarray) -> dict[str, np.ndarray]:
    """shares: (n, L), the probability of each label."""
    safe, target = np.clip(shares, SMALLEST, 1 - SMALLEST), task.targets(rows)
    known = ~np.isnan(target)
    carried, prediction = np.where(known, target, 0), (safe >= task.threshold).astype(np.float32)
    each = -(carried * np.log(safe) + (1 - carried) * np.log(1 - safe))
    count = np.where(known.any(axis=1), known.sum(axis=1), np.nan)
    return _finished(task, rows, {
        "prediction": prediction, "probabilities": safe.astype(np.float32),
        "loss": ((each * known).sum(axis=1) / count).astype(np.float32),
        "score": (((prediction == target) & known).sum(axis=1) / count).astype(np.float32),
    })


def regress_results(task: Regress, rows: np.ndarray, values: np.ndarray) -> dict[str, np.ndarray]:
    """values: (n, d), in the unit of the target."""
    target = task.targets(rows)
    scaled = [torch.from_numpy((table.reshape(len(rows), -1) - task.mean) / task.std) for table in (values, target)]
    loss = task.errors(scaled[0], scaled[1]).mean(1).numpy()
    return _finished(task, rows, {
        "prediction": values.reshape(target.shape).astype(np.float32), "loss": loss.astype(np.float32),
    })


def _finished(task: Supervised, rows: np.ndarray, results: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    weight = task.example_weights(rows)
    return results if weight is None else {**results, "weight": weight}
