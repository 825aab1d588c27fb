"""A step of two players: a discriminator learns to tell pictures from samples, a generator learns to mislead it."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.optim.average import WeightAverage
from orthogon.optim.direct import direct_step
from orthogon.optim.flat import FlatParameters
from orthogon.optim.schedules import Schedule, Timeline
from orthogon.train.checkpoint import Tree, copy_tree
from orthogon.train.compute import Compute
from orthogon.train.optimizer import build_optimizer, optimizer_groups
from orthogon.train.randomness import Draw
from orthogon.train.regularization import Regularization
from orthogon.train.settings import TrainSettings
from orthogon.train.step import Step
from orthogon.train.task import Task
from orthogon.vision.gan import GAN

PENALIZE_EVERY = 16
"""Steps between penalties, each so many times as strong (Karras et al. 2020, arXiv:1912.04958)."""


class TwoPlayerStep(Step):
    """Both players move once, the discriminator first, on the same samples.

    The discriminator descends on softplus(−D(x)) + softplus(D(G(z))), which is −log of the probability of being right
    on each; the generator on softplus(−D(G(z))): the non-saturating loss, whose slope does not die where the
    discriminator is sure (Goodfellow et al. 2014, arXiv:1406.2661, section 3).

    penalty: γ of R1, γ/2 · E|∇D(x)|² at pictures, every 16th step. Of the two ways that keep such a game from circling,
    R1 is the one of which convergence near the goal is proved (Mescheder et al. 2018, arXiv:1801.04406); spectral norms
    would bound the discriminator everywhere and rename its weights.

    The loss that is told is the discriminator's. Each player has an optimizer of its own with the settings of the
    recipe; `train.parameter_rules` gives them different rates, e.g. {pattern: discriminator.*, lr: 2}.
    """

    def __init__(self, task: Task, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
                 penalty: float) -> None:
        if not isinstance(model, GAN):
            raise RecipeError(f"{task.name} needs two players, a generator and a discriminator; "
                              f"{type(model).__name__} is one network", where="model.name", remedy="Use --model gan.")
        _check(settings)
        self.task, self.compute, self.penalty = task, compute, penalty
        self.plain: GAN = compute.place(model)  # type: ignore[assignment]
        self.discriminator = Player(self.plain, self.plain.discriminator, settings)
        self.generator = Player(self.plain, self.plain.generator, settings)
        self.schedule: Schedule = registry.schedules.load(settings.schedule)(timeline)
        self.average = WeightAverage(self.plain, settings.ema) if settings.ema else None
        self.steps = 0
        self._figures: dict[str, Tensor] = {}

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        factor = self.schedule(self.steps)
        draw.seed_modules()
        pictures, = self.compute.lay_out(self.task.batch(rows, draw).inputs)
        noise = torch.randn(len(pictures), self.plain.latent, generator=draw.generator("noise"),
                            device=pictures.device)
        with self.compute.precision():
            samples = self.plain.generator(noise)
            real, made = self._judge(pictures), self._judge(samples.detach())
        loss = (F.softplus(-real) + F.softplus(made)).mean()
        penalized = self.penalty > 0 and self.steps % PENALIZE_EVERY == 0
        self.discriminator.move(loss + self._penalty(pictures) if penalized else loss, factor)
        with self.compute.precision():
            fooled = self._judge(samples)
        self.generator.move(F.softplus(-fooled).mean(), factor)
        if self.average is not None:
            self.average.update()
        self.steps += 1
        self._figures = {"real_right": (real > 0).float().mean(), "made_right": (made < 0).float().mean()}
        return loss.detach()

    def _judge(self, pictures: Tensor) -> Tensor:
        return self.plain.discriminator(pictures).float()[:, 0]

    def _penalty(self, pictures: Tensor) -> Tensor:
        """γ/2 of the mean squared slope of the logit in the picture, times the steps that it stands for; in float32."""
        pictures = pictures.detach().requires_grad_()
        slope, = torch.autograd.grad(self.plain.discriminator(pictures).sum(), pictures, create_graph=True)
        return PENALIZE_EVERY * self.penalty / 2 * slope.square().sum((1, 2, 3)).mean()

    def figures(self) -> dict[str, Tensor]:
        """Of the last batch: the shares of pictures and of samples that the discriminator told right."""
        return self._figures

    def model(self) -> nn.Module:
        return self.plain

    def evaluation_model(self) -> nn.Module:
        return self.average.model if self.average else self.plain

    def run_model(self, rows: Tensor) -> None:
        """From noise through both players, as the generator's gradient comes back."""
        noise = torch.zeros(len(rows), self.plain.latent, device=self.compute.device)
        noise.normal_(generator=torch.Generator(self.compute.device).manual_seed(0))
        self.plain(self.plain.generator(noise))

    def rate(self) -> float:
        return max(group["lr"] for group in self.generator.optimizer.param_groups)

    def observe(self, score: float) -> None:
        self.schedule.observe(score)

    def state(self) -> Tree:
        return {
            "steps": self.steps,
            "model": dict(self.plain.state_dict()),
            "optimizers": [each.optimizer.state_dict()["state"] for each in (self.discriminator, self.generator)],
            "schedule": self.schedule.state(),
            "average": None if self.average is None else self.average.state(),
        }

    def load_state(self, state: Tree) -> None:
        self.steps = state["steps"]
        self.plain.load_state_dict(state["model"])
        for player, saved in zip((self.discriminator, self.generator), state["optimizers"]):
            groups = player.optimizer.state_dict()["param_groups"]
            player.optimizer.load_state_dict({"state": copy_tree(saved), "param_groups": groups})
        self.schedule.load_state(state["schedule"])
        if self.average is not None:
            self.average.load_state(state["average"])


class Player:
    """One of two modules of a model, with an optimizer of its own. The other one's gradients are never touched."""

    def __init__(self, model: nn.Module, module: nn.Module, settings: TrainSettings) -> None:
        mine = set(module.parameters())
        groups = [{**group, "params": [each for each in group["params"] if each in mine]}
                  for group in optimizer_groups(model, settings)]
        groups = [group for group in groups if group["params"]]
        self.regularization = Regularization(module, groups, settings)
        self.flat = FlatParameters(groups) if settings.flat else None
        self.learning = [each for group in groups for each in group["params"]]
        self.optimizer = build_optimizer(self.flat.groups if self.flat else groups, settings)
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.clip_norm, self.clip_value = settings.clip_norm, settings.clip_value
        self._optimize = direct_step(self.optimizer)

    def move(self, loss: Tensor, factor: float) -> None:
        """A step down the loss, in the order of `GradientStep`. factor: of the rates."""
        for group, rate in zip(self.optimizer.param_groups, self.base_rates):
            group["lr"] = rate * factor
        if self.flat is not None:
            self.flat.clear()
        else:
            for each in self.learning:
                each.grad = None
        loss.backward(inputs=self.learning)
        self.regularization.add_gradient()
        if self.clip_value is not None:
            nn.utils.clip_grad_value_(self.learning, self.clip_value)
        if self.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.learning, self.clip_norm)
        self._optimize()
        self.regularization.constrain(factor)


def _check(settings: TrainSettings) -> None:
    """RecipeError for what has no meaning between two players."""
    asked: dict[str, Any] = {"micro_batch_size": settings.micro_batch_size, "backstitch": settings.backstitch}
    for name, value in asked.items():
        if value:
            raise RecipeError("two players move by turns on the same batch, which is neither split nor taken twice",
                              where=f"train.{name}", remedy=f"Leave train.{name} out.")
