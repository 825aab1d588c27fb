"""A trained network, ready to predict: what `og.load` gives."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from orthogon.data.text_columns import TokensColumn
from orthogon.draw.tables import format_estimate, html_table
from orthogon.errors import DataError
from orthogon.nn.cost import multiply_adds
from orthogon.nn.fused import fused
from orthogon.serve.golden import golden_inputs
from orthogon.serve.inputs import Gathered, gather
from orthogon.serve.predictions import Predictions
from orthogon.serve.schema import Schema
from orthogon.stats.estimate import Estimate
from orthogon.stats.temperature import apply_temperature, logits_of
from orthogon.train.compute import Workload, prediction_compute
from orthogon.train.evaluate import predict
from orthogon.train.task import Task

SLAB = 16_384
"""Rows that are encoded at once: bounds the memory for any number of inputs."""
TYPICAL_BATCH = 64
"""Examples by which threads are chosen, since how many will come is not known when the network is loaded."""


class Predictor:
    """Preprocessing, network and labels in one. Made by `orthogon.load`; may be called from several threads.

    task, model: loaded and in evaluation mode; batch norms are folded into convolutions for prediction (`network`).
    schema: the columns it takes. about: the whole of bundle.json;
    its "temperature", where `calibrate` shipped one, is what the probabilities are given at.
    """

    def __init__(
        self, task: Task, model: nn.Module, schema: Schema, about: Mapping[str, Any], device: torch.device,
        precision: str = "fp32",
    ) -> None:
        self.task, self.model, self.schema, self.about = task, model.eval(), schema, dict(about)
        self.device = device
        example = tuple(each.to(device) for each in golden_inputs(task.spec, examples=1))
        work = Workload(multiply_adds(self.model, example), TYPICAL_BATCH, "image" in task.spec.kinds)
        self.compute = prediction_compute(device, precision, work)
        self.network = self.compute.place(fused(self.model))
        self.temperature = float(self.about.get("temperature", 1.0))
        self.lock = threading.Lock()

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes or labels; empty for numbers."""
        return self.task.classes

    @property
    def metrics(self) -> dict[str, dict[str, Estimate]]:
        """Split -> metric -> Estimate: how well it did on "dev" and "test"."""
        return {split: {name: _estimate(value) for name, value in of["metrics"].items()}
                for split, of in self.about["metrics"].items()}

    def predict(self, inputs: Any, *, batch_size: int | None = None) -> Predictions:
        """What the network says of each input, in their order.

        inputs: a path or paths of pictures, a folder of them, a table (CSV, TSV, Parquet, JSON lines), a Dataset, a
            polars or pandas frame, a dict or a list of dicts (column -> value), arrays or tensors of the shape that
            training read (columns in the order of training). Of a network that takes a text and nothing else, a text
            or a list of them.
        An item that cannot be used (an unreadable picture, text for a number) has an "error"; categories that training
        has not seen and missing values are used as such, with "notes". DataError where the columns are not those of
        training, or nothing is there to read.
        """
        if batch_size is not None and batch_size < 1:
            raise DataError(f"a batch holds at least one example, not {batch_size}")
        found = gather(inputs, self.schema, self.task.data_settings)
        items: list[dict[str, Any]] = [{"id": identity} for identity in found.ids]
        asked = self.task.asked(found.data)
        if asked is not None:
            return self._asked(found, asked, batch_size)
        for row, what in found.remarks.errors.items():
            items[row]["error"] = what
        with self.lock:
            for start in range(0, len(found.rows), SLAB):
                for row, said in zip(found.rows[start : start + SLAB], self._slab(found, start, batch_size)):
                    notes = found.remarks.notes.get(int(row))
                    items[row] |= {**said, **({"notes": notes} if notes else {})}
        for sentences in (each for each in found.data.columns.values() if isinstance(each, TokensColumn)):
            for at, words in zip(found.rows, sentences.values):
                items[at]["words"] = list(words or ())
        return Predictions(items)

    def _asked(self, found: Gathered, rows: np.ndarray, batch_size: int | None) -> Predictions:
        """Of a table whose rows follow one another those that are to be answered: one item for each."""
        for row, what in found.remarks.errors.items():
            raise DataError(f"the row {found.ids[row]!r} cannot be read, and others need it: {what}",
                            remedy="Mend it, or leave out all rows up to it.")
        with self.lock:
            self.task.attach(found.data, self.device)
            results = predict(self.task, self.network, rows, self.compute, batch_size)
            said = self.task.decode({**results, "row": rows})
        return Predictions([{"id": found.ids[row], **each} for row, each in zip(rows, said)])

    def _slab(self, found: Gathered, start: int, batch_size: int | None) -> list[dict[str, Any]]:
        rows = np.arange(start, min(start + SLAB, len(found.rows)))
        data = found.data if len(found.rows) <= SLAB else found.data.take(rows)
        answers = self.task.answers(self.network, data, self.compute)
        if answers is not None:
            return answers
        self.task.attach(data, self.device)
        results = predict(self.task, self.network, np.arange(len(data)), self.compute, batch_size)
        if self.temperature != 1:
            cooled = apply_temperature(logits_of(results["probabilities"]), self.temperature)
            results["probabilities"] = cooled.astype(np.float32)
        return self.task.decode(results)

    __call__ = predict

    def __repr__(self) -> str:
        name = self.about["model"]["name"] or self.about["model"]["class"]
        return f"Predictor(run={self.about['run']!r}, task={self.task.name!r}, model={name!r})"

    def _repr_html_(self) -> str:
        rows = [[split, name.replace("_", " "), format_estimate(value)]
                for split, of in self.metrics.items() for name, value in of.items()]
        takes = ", ".join(self.schema.names[:12]) + ("…" if len(self.schema.names) > 12 else "")
        return html_table(["split", "metric", "estimate"], rows, caption=f"{self!r}; takes {takes}")


def _estimate(saved: Mapping[str, Any]) -> Estimate:
    nan = float("nan")
    ends = {key: nan if saved.get(key) is None else float(saved[key]) for key in ("value", "low", "high")}
    return Estimate(**ends, n=int(saved.get("n") or 0), method=saved.get("method") or "", unit=saved.get("unit") or "")
