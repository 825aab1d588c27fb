"""Which inputs are likely: restricted Boltzmann machines, learnt without labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import hypot, inf, prod
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.nn.autoencoder import Rebuilt
from orthogon.nn.belief_network import DeepBeliefNetwork
from orthogon.nn.spec import ModelSpec
from orthogon.optim.schedules import Timeline
from orthogon.stats import Estimate
from orthogon.tasks.boltzmann_sheets import all_sheets, filters
from orthogon.tasks.encoded import wide
from orthogon.tasks.metrics import mean_estimate, mean_metric
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.compute import Compute
from orthogon.train.randomness import uniform_by_row
from orthogon.train.ranks import Ranks
from orthogon.train.rows import Rows
from orthogon.train.settings import TrainSettings
from orthogon.train.step import Step
from orthogon.train.task import Batch, Loss, Metric, Sheet, Sign

ASKED = 16
"""Visible units from which the pseudo-likelihood of an example is estimated; each example has its own."""


class Boltzmann(Unlabelled):
    """Learns p(input) by contrastive divergence (rows 23.08 to 23.10). One input: pictures in 0 … 1, or numbers.

    Binary visible units take pixels as probabilities of white; with `task.binarize` they are 0 or 1. Real-valued ones
    (`model.options.visible: gaussian`) want standardized inputs.

    In results, "loss" is that of rebuilding the input through the whole stack: cross-entropy in nats, or half the
    squared error, summed over the input. "prediction" is the free energy under the lowest machine: an example's −log
    p(v), but for a constant that changes as the machine learns. So it is compared between examples, and between parts
    of the data: a mean on dev above that on train says that the machine has learnt its examples by heart (Hinton 2012,
    section 6).
    """

    name = "boltzmann"
    decomposes: ClassVar[bool] = False
    has_loss: ClassVar[bool] = False
    normalization: ClassVar[str | None] = "unit"

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        if data.weight is not None:
            raise RecipeError("boltzmann learns from all examples alike", where="data.weight",
                              remedy="Leave the weights of examples out.")
        super().fit(data, rows)
        self.only_input(("image", "number"))
        if self.settings.binarize is not None and not self.in_unit:
            raise RecipeError("only pictures in 0 … 1 become black and white", where="task.binarize",
                              remedy="Leave it out, or set data.normalize=unit.")

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        batch, threshold = super().changed(rows, changes), self.settings.binarize
        return batch if threshold is None else batch._replace(inputs=((batch.inputs[0] > threshold).float(),))

    def _outputs(self) -> int:
        return prod(self.inputs.specs()[0].shape)

    @property
    def spec(self) -> ModelSpec:
        return replace(super().spec, rebuilds=True)

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "rbm", {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Chosen by the log-likelihood of dev on 20,000 binarized MNIST pictures. With much momentum persistent chains
        lag behind what is learnt, and all units end switched on or off."""
        return {
            "optimizer": "momentum", "momentum": 0.5 if self.settings.persistent else 0.9, "schedule": "linear",
            "lr": 0.05 if self.in_unit else 1e-3, "weight_decay": 2e-4, "precision": "fp32",
            "batch_size": min(100 if rows > 5_000 else 20, rows), "epochs": 15 if rows > 20_000 else 60,
        }

    def check_output(self, output: Any) -> None:
        if not isinstance(output, Rebuilt):
            raise RecipeError("the model is no Boltzmann machine", where="model.name", remedy="Take rbm or dbn.")

    def step(self, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
             ranks: Ranks | None = None) -> Step:
        from orthogon.tasks.contrastive_divergence import ContrastiveDivergence

        return ContrastiveDivergence(self, self._network(model), settings, compute, timeline, ranks)

    def _network(self, model: nn.Module) -> DeepBeliefNetwork:
        """The model; RecipeError where it is no stack of machines, or its visible units are not for this input."""
        if not isinstance(model, DeepBeliefNetwork):
            raise RecipeError("the model is no Boltzmann machine", where="model.name", remedy="Take rbm or dbn.")
        visible = model.machines[0].visible
        if visible == "bernoulli" and not self.in_unit:
            raise RecipeError("bernoulli visible units take values in 0 … 1, these are standardized",
                              where="model.options.visible", remedy="Take gaussian ones, or pictures and "
                              "data.normalize=unit.")
        if visible == "gaussian" and self.in_unit:
            raise RecipeError("gaussian visible units have variance 1, pictures in 0 … 1 vary far less",
                              where="data.normalize", remedy="Set data.normalize=fitted.")
        return model

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        raise NotImplementedError("contrastive divergence descends on no loss")

    def reconstruction_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Of each example, (n,): how badly it is rebuilt from what the uppermost units say of it."""
        return _reconstruction_loss(self._network(model), wide(model(*batch.inputs).output), batch.inputs[0])

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        network = self._network(model)
        machine, inputs = network.machines[0], batch.inputs[0]
        output, visible = wide(network(inputs).output), inputs.flatten(1)
        rebuilt, loss = output, _reconstruction_loss(network, output, inputs)
        energy = machine.free_energy(visible)
        results = {"prediction": energy, "loss": loss}
        if machine.visible == "bernoulli":
            rebuilt, results["cross_entropy"] = output.sigmoid(), loss
            asked = (uniform_by_row(batch.rows, ASKED, "asked units") * visible.shape[1]).long()
            results["pseudo_log_likelihood"] = machine.pseudo_log_likelihood(visible, asked)
        results["squared_error"] = (rebuilt - inputs).square().flatten(1).mean(1)
        exact = machine.visible == "gaussian" or self.settings.binarize is not None
        if machine.enumerable and exact and len(network.machines) == 1:
            results["log_likelihood"] = -energy - machine.log_partition()
        return results

    def _metrics(self) -> tuple[Metric, ...]:
        return boltzmann_metrics()

    def signs(self, lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
        """Overfitting: the free energy of examples that were not learnt lies above that of those that were."""
        if "train" not in parts or "dev" not in parts:
            return []
        gap = free_energy_gap(parts["dev"], parts["train"])
        sizes = f"n = {len(parts['dev']):,} and {len(parts['train']):,}"
        what = (f"the free energy of dev is {gap.value:.3g} nats [{gap.low:.3g}, {gap.high:.3g}] above that of "
                f"train ({sizes}): what was learnt is likelier to the machine than what is new")
        remedy = "Fewer hidden units, more weight decay, fewer epochs, or more examples."
        return [Sign("overfitting", what, remedy)] if gap.low > 0 else []

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        return [{"free_energy": round(float(energy), 3), "squared_error": round(float(error), 5)}
                for energy, error in zip(results["prediction"], results["squared_error"])]

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        if self.inputs.kinds != ("image",):
            return []
        shown = torch.as_tensor(rows, dtype=torch.int64, device=self.inputs.device)
        return all_sheets(self._network(model), self.batch(shown).inputs[0], self.in_unit)

    def snapshot(self, model: nn.Module) -> np.ndarray | None:
        """The filters of the first 16 units of the lowest machine."""
        return filters(self._network(model), most=16, columns=4)[0] if self.inputs.kinds == ("image",) else None


def free_energy_gap(held_out: Rows, train: Rows) -> Estimate:
    """Mean free energy of held-out examples less that of learnt ones, in nats: log Z, which is not known, drops out.

    The interval joins those of the two means (MOVER: Zou & Donner 2008, Statistics in Medicine 27).
    """
    new, learnt = (mean_estimate(rows["prediction"], rows, "nats") for rows in (held_out, train))
    gap = new.value - learnt.value
    low = gap - hypot(new.value - new.low, learnt.high - learnt.value)
    high = gap + hypot(new.high - new.value, learnt.value - learnt.low)
    return Estimate(gap, low, high, new.n, f"MOVER of two {new.method}", "nats")


def boltzmann_metrics() -> tuple[Metric, ...]:
    """The error of rebuilding first: it alone means the same throughout a training, layer by layer."""
    return (
        _mean("squared_error", higher_is_better=False),
        _mean("cross_entropy", "nats", higher_is_better=False),
        _mean("log_likelihood", "nats"),
        _mean("pseudo_log_likelihood", "nats"),
        mean_metric("free_energy", lambda rows: rows["prediction"], "nats", higher_is_better=False,
                    best=-inf),
    )


def _mean(name: str, unit: str = "", higher_is_better: bool = True) -> Metric:
    return mean_metric(name, lambda rows: _column(rows, name), unit, higher_is_better, needs=name, best=0.0)


def _column(rows: Rows, name: str) -> np.ndarray:
    found = rows.get(name)
    if found is None:
        raise RecipeError(f"this machine has no {name}", where="task.metric",
                          remedy="`orthogon list metrics` says which have it; squared_error they all have.")
    return found


def _reconstruction_loss(network: DeepBeliefNetwork, output: Tensor, inputs: Tensor) -> Tensor:
    if network.machines[0].visible == "gaussian":
        return 0.5 * (output - inputs).square().flatten(1).sum(1)
    return F.binary_cross_entropy_with_logits(output, inputs, reduction="none").flatten(1).sum(1)
