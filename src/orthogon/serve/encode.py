"""Encodings: what a trained network makes of an input before its head names it (rows 21.04, 21.12)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.nn.heads import encoding
from orthogon.nn.metric_losses import PairHead
from orthogon.nn.modes import evaluating
from orthogon.serve.golden import golden_inputs
from orthogon.serve.inputs import gather
from orthogon.serve.neighbors import Unlike
from orthogon.serve.predictor import Predictor
from orthogon.tasks.verify import Verify
from orthogon.train.evaluate import examples_at_once


def encodings(network: Predictor, inputs: Any) -> np.ndarray:
    """Float32 (n, d): an encoding for each input, in their order.

    Of a run of the task verify it is what that task compares. Of any other it is what enters the head (a map is
    averaged over its places), as a vector of length 1: the Euclidean distance of two is sqrt(2 - 2 cosine).
    inputs: whatever `Predictor.predict` takes. DataError where one cannot be used, RunError where the network has no
    head to take away.
    """
    found = gather(inputs, network.schema, network.task.data_settings)
    if found.remarks.errors:
        row, what = next(iter(found.remarks.errors.items()))
        raise DataError(what, where=found.ids[row], remedy="Leave it out, or mend it.")
    return encode(network, found.data)


def encode(network: Predictor, data: Dataset) -> np.ndarray:
    """The same of a data set with the columns that the network takes."""
    compute = network.compute.exact()
    with network.lock:
        network.task.attach(data, network.device)
        model, parts = compute.place(network.model), []
        with compute.in_force():
            for rows in torch.arange(len(data), device=network.device).split(examples_at_once(network.task.spec)):
                inputs = compute.lay_out(network.task.batch(rows).inputs)
                parts.append(_encoded(network, model, inputs).float().cpu())
    return torch.cat(parts).numpy()


def _encoded(network: Predictor, model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    if isinstance(network.task, Verify):
        with evaluating(model):
            return network.task.encoding(model(*inputs))
    try:
        return nn.functional.normalize(encoding(model, inputs).float(), dim=1)
    except ValueError as error:
        raise RunError(str(error), remedy="Take the run of another network.") from None


def unlike(network: Predictor) -> Unlike | None:
    """How two encodings are compared, where not by their Euclidean distance: minus the logit of its head for pairs."""
    head = getattr(network.model, "pair_head", None)
    if not isinstance(head, PairHead):
        return None

    def compared(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            given = (torch.from_numpy(each).to(head.weight) for each in (first, second))
            return -head(*given).float().cpu().numpy()

    return compared


def shipped_threshold(network: Predictor) -> float | None:
    """Up to which distance two pictures are of one identity, where the run chose one on its dev set."""
    chosen = network.task.threshold if isinstance(network.task, Verify) else None
    return None if chosen is None or not np.isfinite(chosen) else float(chosen)


def dimension(network: Predictor) -> int:
    """How many numbers an encoding has."""
    inputs = tuple(each.to(network.device) for each in golden_inputs(network.task.spec, examples=1))
    return _encoded(network, network.model, inputs).shape[1]


def fingerprint(network: Predictor) -> str:
    """64 hexadecimal digits of all that decides an encoding: the weights, the network's form and options, how inputs
    are prepared, and what is taken for the encoding."""
    about = network.about
    known = {
        "weights": about["weights"]["sha256"], "model": [about["model"][key] for key in ("name", "options", "class")],
        "inputs": about["task"]["state"].get("inputs"), "schema": about["schema"],
        "compared_by": network.task.loss_name if isinstance(network.task, Verify) else None,
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
