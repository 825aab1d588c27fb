"""`predict`: what a trained network says of new inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.serve.bundle import load

if TYPE_CHECKING:
    from orthogon.serve.predictions import Predictions
    from orthogon.train.run import Run


def predict(
    run: str | Path | Run, inputs: Any, *, root: str | Path = "runs", device: str = "cpu",
    batch_size: int | None = None, precision: str = "fp32",
) -> Predictions:
    """Predictions for new inputs, one per item, in their order.

    run:    a run (a path, a name under `root`, "last", "last~1"), or the folder of a bundle.
    inputs: pictures, folders of them, a table, texts, a data frame, arrays, a list of dicts: see `Predictor.predict`.
    precision: "fp32" or "bf16", as in `load`.

    What cannot be read or lacks a column gives an error for that item alone. Raises RunError, DataError.
    """
    single = isinstance(inputs, list | tuple) and len(inputs) == 1 and isinstance(inputs[0], str | Path)
    network = load(run, root=root, device=device, precision=precision)
    return network.predict(inputs[0] if single else inputs, batch_size=batch_size)
