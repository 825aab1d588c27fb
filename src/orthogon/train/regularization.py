"""What the recipe asks of the weights besides fitting the data: penalties and a bound on norms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from orthogon.nn.max_norm import limit_norms
from orthogon.nn.penalties import add_l2_gradient, penalized_weights, soft_threshold
from orthogon.train.settings import TrainSettings


class Regularization:
    """Adds l2/2·Σw² + l1·Σ|w| to the mean loss that a step descends on, and holds `train.max_norm`.

    Once a step, whatever micro-batches and ranks there are: L2 through the gradient, before it is clipped; L1 by a soft
    threshold of rate × l1 after the optimizer has moved, so that weights become exactly zero; then max-norm.
    """

    def __init__(self, model: nn.Module, groups: Sequence[dict[str, Any]], settings: TrainSettings) -> None:
        self.model = model
        self.l1, self.l2, self.max_norm = settings.l1, settings.l2, settings.max_norm
        self.weights = penalized_weights(model)
        rates = {parameter: group["lr"] for group in groups for parameter in group["params"]}
        self.of_rate: dict[float, list[nn.Parameter]] = {}
        for weight in self.weights:
            self.of_rate.setdefault(rates[weight], []).append(weight)

    def add_gradient(self) -> None:
        """Call it when the gradient of the whole batch stands, before clipping."""
        if self.l2:
            add_l2_gradient(_learning(self.weights), self.l2)

    def constrain(self, factor: float) -> None:
        """Call it after the optimizer has moved. factor: what the schedule multiplied the rates by."""
        if self.l1:
            for rate, weights in self.of_rate.items():
                soft_threshold(_learning(weights), rate * factor * self.l1)
        if self.max_norm is not None:
            limit_norms(self.model, self.max_norm)


def _learning(weights: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    """Those that are not frozen for the time being."""
    return [each for each in weights if each.requires_grad]
