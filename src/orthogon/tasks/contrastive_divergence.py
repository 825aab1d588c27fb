"""How one batch changes Boltzmann machines: contrastive divergence, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from orthogon.errors import RecipeError
from orthogon.nn.belief_network import DeepBeliefNetwork
from orthogon.optim.schedules import Schedule, Timeline
from orthogon.train.compute import Compute
from orthogon.train.randomness import Draw
from orthogon.train.ranks import Ranks
from orthogon.train.settings import TrainSettings
from orthogon.train.step import GradientStep

if TYPE_CHECKING:
    from orthogon.tasks.boltzmann import Boltzmann


class ContrastiveDivergence(GradientStep):
    """A `GradientStep` without a loss: its gradient is what the machine makes of the data in k Gibbs steps, less the
    data (row 23.08, E51). Optimizer, schedule, decay and clipping are those of `GradientStep`.

    Machines learn one after the other, each in its equal share of the steps and by the whole schedule; its data are the
    hidden probabilities of the one below, and those below are fixed (rows 23.09, 23.10). Where chains are persistent
    they are carried from step to step; those of a machine start at its first batch.

    What it gives to be watched is how badly the whole network rebuilds the batch: no cost that it descends on. It is no
    number where the rate is so high that weights overflow.
    """

    rank_aware = False
    compilable = False

    def __init__(self, task: Boltzmann, network: DeepBeliefNetwork, settings: TrainSettings, compute: Compute,
                 timeline: Timeline, ranks: Ranks | None = None) -> None:
        share = -(-timeline.steps // len(network.layers))
        # Optimizers move flat parameters all at once, and here only those of one machine may move.
        settings = settings.model_copy(update={"flat": False})
        super().__init__(task, network, settings, compute, replace(timeline, steps=share), ranks)
        _check(settings, self.asks_again)
        self.schedule = Repeated(self.schedule, share)
        self.watched, self.machines, self.share = task.reconstruction_loss, network.machines, share
        self.cd_steps, self.persistent = task.settings.cd_steps, task.settings.persistent

    @torch.no_grad()
    def gradient(self, rows: Tensor, draw: Draw) -> Tensor:
        batch = self.task.batch(rows, draw)
        turn = self.steps // self.share
        for at, each in enumerate(self.machines):
            each.requires_grad_(at == turn)
        data = batch.inputs[0].flatten(1)
        for below in self.machines[:turn]:
            data = below(data)
        machine = self.machines[turn]
        made = machine.gibbs(self._chains(turn, data), self.cd_steps, draw.generator("chains"))
        if self.persistent:
            self.carried = {"layer": turn, "made": made}
        for parameter, gradient in zip(machine.parameters(), machine.contrast(data, made)):
            parameter.grad = gradient
        return self.watched(self.plain, batch).mean()

    def _chains(self, turn: int, data: Tensor) -> Tensor:
        """Where the chains of this step begin."""
        return self.carried["made"] if self.carried and self.carried["layer"] == turn else data

    def run_model(self, rows: Tensor) -> None:
        self.plain(*self.task.batch(rows).inputs)


def _check(settings: TrainSettings, asks_again: bool) -> None:
    """RecipeError for what of the recipe this step cannot do."""
    if settings.max_norm is not None:
        raise RecipeError("max-norm knows no Boltzmann machines", where="train.max_norm",
                          remedy="Leave it out; train.weight_decay and train.l1 keep weights small.")
    if settings.precision == "bf16":
        raise RecipeError("the gradient is the difference of two nearly equal means, which bf16 would round away",
                          where="train.precision", remedy="Leave it out.")
    if asks_again:
        raise RecipeError("contrastive divergence has no loss that an optimizer could ask for again",
                          where="train.optimizer", remedy="Take momentum or adam, and no backstitch.")


class Repeated(Schedule):
    """A schedule that begins anew every so many steps."""

    def __init__(self, schedule: Schedule, every: int) -> None:
        self.schedule, self.every = schedule, every

    def __call__(self, step: int) -> float:
        return self.schedule(step % self.every)

    def observe(self, score: float) -> None:
        self.schedule.observe(score)

    def state(self) -> dict[str, Any]:
        return self.schedule.state()

    def load_state(self, state: dict[str, Any]) -> None:
        self.schedule.load_state(state)
