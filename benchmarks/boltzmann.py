"""Jobs of `unlabelled.py` with Boltzmann machines: how well one generalizes, and what pre-training saves in labels."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file

import orthogon as og
from orthogon.nn.boltzmann import BoltzmannMachine, annealed_log_partition
from orthogon.stats import compare_paired
from orthogon.tasks.boltzmann import free_energy_gap

if TYPE_CHECKING:
    from unlabelled import Asked

LABELS = 1_000
"""Of MNIST's ten classes: 100 a class."""

FINE_TUNING = {"data.normalize": "unit", "split.train": LABELS, "split.dev": 5_000, "train.optimizer": "adamw",
               "train.weight_decay": 0.01, "train.batch_size": 50, "train.schedule": "one_cycle"}
RATES = (1e-3, 3e-3, 1e-2)
"""Of each network the one with the smallest error on dev counts."""


@dataclass
class Watch:
    """Minutes since it was made."""

    asked: Asked
    began: float = field(default_factory=time.monotonic)
    cpu: float = field(default_factory=time.process_time)

    def line(self, what: str, goal: str, value: float, low: float, high: float, n: int, unit: str) -> dict[str, Any]:
        return {"what": what, "goal": goal, "seed": self.asked.seed, "value": value, "low": low, "high": high, "n": n,
                "unit": unit, "minutes": (time.monotonic() - self.began) / 60, "part": self.asked.part,
                "cpu_minutes": (time.process_time() - self.cpu) / 60, "threads": self.asked.threads}


def rbm(asked: Asked) -> list[dict[str, Any]]:
    """500 hidden units, persistent CD-1, binarized MNIST: the gap of free energies, and the log-likelihood, by annealed
    importance sampling from the pixels' own biases (its error joins the interval)."""
    watch = Watch(asked)
    with TemporaryDirectory() as folder:
        run = _trained(asked, folder, task="boltzmann", model="rbm", epochs=asked.epochs or 30,
                       options={"task.binarize": 0.5, "task.persistent": True, "train.precision": "fp32"})
        gap = free_energy_gap(run.rows(asked.part), run.rows("train"))
        energy = run.result["splits"][asked.part]["metrics"]["free_energy"]
        stored = load_file(run.path / "bundle" / "model.safetensors")
    machine = BoltzmannMachine(784, 500)
    machine.load_state_dict({name.removeprefix("layers.0."): value for name, value in stored.items()})
    constant, error = annealed_log_partition(machine, torch.Generator().manual_seed(0), chains=100, temperatures=5_000)
    value, below, above = -energy["value"] - constant, energy["high"] - energy["value"], energy["value"] - energy["low"]
    return [
        watch.line(f"RBM, 500 units, binarized MNIST: free energy of {asked.part} over that of train", "", gap.value,
                   gap.low, gap.high, gap.n, "nats"),
        watch.line("the same: log-likelihood of a picture, by annealing", "", value,
                   value - math.hypot(below, 2 * error), value + math.hypot(above, 2 * error), energy["n"], "nats"),
    ]


def dbn(asked: Asked) -> list[dict[str, Any]]:
    """Two layers of 500, trained on MNIST's train pictures without labels, then 100 labels a class; against the same
    network on the same examples from random (Glorot) weights: errors less, in points, paired."""
    watch = Watch(asked)
    hidden = {"model.options": {"hidden": [500, 500]}}
    with TemporaryDirectory() as folder:
        learnt = _trained(asked, folder, task="boltzmann", model="dbn", epochs=asked.epochs or 20,
                          options={**hidden, "split.dev": 5_000})
        tuned = _classifier(asked, folder, weights=str(learnt.path),
                            options={**hidden, "train.transfer": "all", "train.layer_decay": 1.0})
        alone = _classifier(asked, folder, options=hidden)
        errors = [each.result["splits"][asked.part]["metrics"]["error"] for each in (alone, tuned)]
        before, after = (each.rows(asked.part)["score"] for each in (alone, tuned))
    paired = compare_paired(before, after)
    lines = [watch.line(f"DBN 500-500, {LABELS:,} labels of MNIST, {name}: error", "", *(
        100 * error[key] for key in ("value", "low", "high")), error["n"], "%")
        for name, error in zip(("not pre-trained", "pre-trained"), errors)]
    gain = watch.line("the same: points gained by pre-training, paired", "above 0", *(
        100 * each for each in (paired.difference, paired.low, paired.high)), paired.n, "points")
    return [*lines, gain]


def _classifier(asked: Asked, folder: str, options: dict[str, Any], **given: Any) -> og.Run:
    """With few labels, at the rate that is best on dev."""
    runs = [_trained(asked, folder, task="classify", model="dbn", epochs=60,
                     options={**options, **FINE_TUNING, "train.lr": rate}, **given) for rate in RATES]
    return min(runs, key=lambda run: run.result["splits"]["dev"]["metrics"]["error"]["value"])


def _trained(asked: Asked, folder: str, **given: Any) -> og.Run:
    options = {**given.pop("options"), "train.seed": asked.seed, "split.seed": asked.seed,
               "train.threads": asked.threads}
    return og.train(str(Path(os.environ["ORTHOGON_DATA"]) / "mnist"), options=options, out=folder, quiet=True,
                    test=asked.part == "test", **given)
