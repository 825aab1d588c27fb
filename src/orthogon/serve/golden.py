"""Golden examples: inputs that anyone can make again, with the outputs that the shipped network gave on them.

The inputs are a formula of their place, not examples of the data: a bundle carries nobody's picture or record, and the
check needs neither the data nor a random generator that stays the same over versions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.errors import RunError
from orthogon.nn.spec import SEQUENCES, InputSpec, ModelSpec
from orthogon.train.checkpoint import flatten

EXAMPLES, KEPT = 4, 2048
TOKENS = 32
"""Of a text: what a network gives for every token of long ones would be large."""

TOLERANCE = {torch.float64: 1e-8, torch.float32: 1e-4, torch.bfloat16: 4e-2, torch.float16: 1e-2}
"""Of the largest output: what the same weights may give elsewhere, by the type of the weights."""


def golden_inputs(spec: ModelSpec, examples: int = EXAMPLES) -> tuple[Tensor, ...]:
    """One tensor per input of the spec: numbers of mean 0 and variance 1, or category codes below their levels."""
    return tuple(_input(item, number, examples) for number, item in enumerate(spec.inputs))


def _input(item: InputSpec, number: int, examples: int) -> Tensor:
    first, *rest = item.shape
    shape = (examples, min(first, TOKENS) if item.kind in SEQUENCES else first, *rest)
    place = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64(1_000_003 * (number + 1))
    spread = ((place * np.uint64(2_654_435_761)) % np.uint64(2**32)) >> np.uint64(8)  # 24 bits: exact in float32
    share = spread.astype(np.float64) / 2**24
    if item.levels:
        levels = np.array(item.levels)
        return torch.from_numpy((share.reshape(shape) * levels).astype(np.int64))
    return torch.from_numpy(((share - 0.5) * np.sqrt(12)).astype(np.float32).reshape(shape))


def golden_document(spec: ModelSpec, model: nn.Module) -> dict[str, Any]:
    """The digest of the inputs and what the model (on the CPU) makes of them, as plain JSON values."""
    inputs = golden_inputs(spec)
    return {"examples": EXAMPLES, "inputs": _digest(inputs), "outputs": _outputs(model, inputs),
            "tolerance": _tolerance(model)}


def check_golden(document: Mapping[str, Any], spec: ModelSpec, model: nn.Module, where: str) -> None:
    """RunError where the model (on the CPU) does not give the outputs that were written with its weights."""
    inputs = golden_inputs(spec, int(document["examples"]))
    if _digest(inputs) != document["inputs"]:
        raise RunError("the golden inputs come out differently here: they cannot be checked", where=where,
                       remedy="Load it with the Orthogon that wrote it (created_with in bundle.json).")
    found, expected = _outputs(model, inputs), document["outputs"]
    if found.keys() != expected.keys():
        raise RunError("the network's outputs have another form than those written with it", where=where,
                       remedy="Load it with the versions in created_with.")
    for name, output in found.items():
        off = _distance(output, expected[name])
        if not off <= document["tolerance"]:
            raise RunError(f"the network gives other outputs than when it was saved (off by {off:.2g} of the largest)",
                           where=where, remedy="Its code or its weights have changed: train again, or restore them.")


def _digest(inputs: tuple[Tensor, ...]) -> str:
    digest = hashlib.sha256()
    for each in inputs:
        digest.update(f"{each.dtype}{tuple(each.shape)}".encode())
        digest.update(each.numpy().tobytes())
    return digest.hexdigest()


def _outputs(model: nn.Module, inputs: tuple[Tensor, ...]) -> dict[str, Any]:
    """Path -> {"shape", "values": the first 2,048}; the modes of the modules are as before afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.inference_mode():
            tensors, _ = flatten(model(*inputs))
    finally:
        for module, mode in modes.items():
            module.training = mode
    return {path: {"shape": list(tensor.shape), "values": _values(tensor)} for path, tensor in tensors.items()}


def _values(tensor: Tensor) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in tensor.double().flatten()[:KEPT].tolist()]


def _distance(found: Mapping[str, Any], expected: Mapping[str, Any]) -> float:
    """The largest difference as a share of the largest value; infinite where shapes or missing values differ."""
    a, b = (np.array(each["values"], dtype=float) for each in (found, expected))
    if found["shape"] != list(expected["shape"]) or (np.isnan(a) != np.isnan(b)).any():
        return float("inf")
    scale = max(float(np.nanmax(np.abs(b), initial=0.0)), 1e-6)
    return float(np.nanmax(np.abs(a - b), initial=0.0)) / scale


def _tolerance(model: nn.Module) -> float:
    types = {value.dtype for value in model.state_dict().values() if isinstance(value, Tensor)}
    return max((TOLERANCE[dtype] for dtype in types if dtype in TOLERANCE), default=TOLERANCE[torch.float32])
