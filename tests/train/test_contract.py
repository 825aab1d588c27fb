"""The contract holds for tasks that are unlike classification: an image that is optimized, two players, carried state.

None of them needs a line in the Trainer: each is a Task, a Sampler and a Step.
"""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from worlds import recipe

from orthogon.errors import Interrupted
from orthogon.nn.spec import ModelSpec
from orthogon.optim.schedules import Timeline
from orthogon.train.checkpoint import copy_tree
from orthogon.train.compute import Compute
from orthogon.train.observers import Observer
from orthogon.train.randomness import Draw, generator
from orthogon.train.run import Run
from orthogon.train.sampler import Nothing, Sampler
from orthogon.train.step import GradientStep, Step
from orthogon.train.task import Batch, Loss, Part, Task
from orthogon.train.trainer import Trainer


class Bare(Task):
    """What tasks without a data set have no use for."""

    name = "bare"
    spec = ModelSpec((), 0)  # type: ignore[assignment]
    metrics = ()  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(SimpleNamespace(), SimpleNamespace())

    def check(self, data: Any) -> list[Any]:
        return []

    def fit(self, data: Any, rows: np.ndarray) -> None: ...

    def attach(self, data: Any, device: torch.device) -> None: ...

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "", {}

    def baselines(self) -> list[Any]:
        return []

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        return Batch((), None, None, rows)

    def counts(self, batch: Batch) -> dict[str, float]:
        return {"loss": 1.0}

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        raise NotImplementedError

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return {}

    def targets(self, rows: np.ndarray) -> np.ndarray:
        return rows

    def decode(self, results: Any) -> list[dict[str, Any]]:
        return []

    def state(self) -> dict[str, Any]:
        return {}

    def load_state(self, state: Any) -> None: ...


class StopAt(Observer):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event: Any) -> None:
        if event.step >= self.step:
            os.kill(os.getpid(), signal.SIGTERM)


def interrupted_and_resumed(tmp_path, make, steps: int, stop: int) -> tuple[Step, Step]:
    """The step after an uninterrupted run, and after one that was stopped and went on in new objects."""
    settings = recipe(train__steps=steps, train__epochs=None, train__checkpoint_steps=1).train
    whole_step, sampler = make()
    Trainer(whole_step, sampler, settings, run=Run.create(recipe(), tmp_path, "whole")).fit()
    run = Run.create(recipe(), tmp_path, "run")
    step, sampler = make()
    with pytest.raises(Interrupted):
        Trainer(step, sampler, settings, run=run, observers=[StopAt(stop)]).fit()
    step, sampler = make()
    Trainer(step, sampler, settings, run=run).fit()
    return whole_step, step


# --- an image that is optimized by L-BFGS: style transfer, deep image prior --------------------------------------


class Picture(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pixels = nn.Parameter(torch.rand(1, 8, 8, generator=generator(0, "picture")))


class Smooth(Bare):
    """A picture near a target and smooth: a loss that no examples have part in."""

    target = torch.linspace(0, 1, 64).reshape(1, 8, 8)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        pixels = model.pixels
        near = ((pixels - self.target) ** 2).sum()
        rough = (pixels[:, 1:] - pixels[:, :-1]).pow(2).sum() + (pixels[:, :, 1:] - pixels[:, :, :-1]).pow(2).sum()
        return Loss((Part("near", 1.0, near, 1.0), Part("rough", 0.1, rough, 1.0)))


class LBFGSStep(Step):
    """Calls the loss as often as the line search wants."""

    def __init__(self, task: Task, model: nn.Module) -> None:
        self.task, self.trained = task, model
        self.optimizer = torch.optim.LBFGS(model.parameters(), max_iter=4, line_search_fn="strong_wolfe")

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = sum(p.weight * p.sum for p in self.task.loss(self.trained, self.task.batch(rows)).parts)
            loss.backward()  # type: ignore[union-attr]
            return loss  # type: ignore[return-value]

        return self.optimizer.step(closure).detach()  # type: ignore[arg-type,union-attr]

    def model(self) -> nn.Module:
        return self.trained

    def state(self) -> Any:
        return {"model": dict(self.trained.state_dict()), "optimizer": self.optimizer.state_dict()["state"]}

    def load_state(self, state: Any) -> None:
        self.trained.load_state_dict(state["model"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": copy_tree(state["optimizer"]), "param_groups": groups})


def test_an_image_fitted_by_lbfgs(tmp_path):
    whole, resumed = interrupted_and_resumed(
        tmp_path, lambda: (LBFGSStep(Smooth(), Picture()), Nothing(5)), steps=12, stop=4)
    assert torch.equal(whole.model().pixels, resumed.model().pixels)
    # The minimum of a quadratic, solved directly: (I + 0.1 L) x = target, L the Laplacian of the grid.
    line = torch.zeros(7, 8)
    line[range(7), range(7)], line[range(7), range(1, 8)] = -1.0, 1.0
    one = line.T @ line
    laplacian = torch.kron(one, torch.eye(8)) + torch.kron(torch.eye(8), one)
    solution = torch.linalg.solve(torch.eye(64) + 0.1 * laplacian, Smooth.target.flatten())
    torch.testing.assert_close(whole.model().pixels.detach().flatten(), solution, atol=1e-4, rtol=0)


# --- two players, two optimizers ---------------------------------------------------------------------------------


class Players(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator, self.critic = nn.Linear(2, 1), nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 1))
        for parameter in self.parameters():
            parameter.data = torch.randn(parameter.shape, generator=generator(1, str(tuple(parameter.shape)))) * 0.3


class TwoPlayerStep(Step):
    """Each player has its own optimizer and its own loss; noise comes from the step's own draw."""

    def __init__(self, model: Players) -> None:
        self.trained = model
        self.optimizers = [torch.optim.Adam(part.parameters(), lr=0.02) for part in (model.critic, model.generator)]

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        noise = torch.randn(32, 2, generator=draw.generator("noise"))
        real = 2 + 0.1 * torch.randn(32, 1, generator=draw.generator("real"))
        losses = (
            lambda: nn.functional.softplus(-self.trained.critic(real)).mean()
            + nn.functional.softplus(self.trained.critic(self.trained.generator(noise).detach())).mean(),
            lambda: nn.functional.softplus(-self.trained.critic(self.trained.generator(noise))).mean(),
        )
        total = torch.zeros(())
        for optimizer, loss_of in zip(self.optimizers, losses):
            optimizer.zero_grad()
            loss = loss_of()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        return total

    def model(self) -> Players:
        return self.trained

    def state(self) -> Any:
        return {"model": dict(self.trained.state_dict()),
                "optimizers": [each.state_dict()["state"] for each in self.optimizers]}

    def load_state(self, state: Any) -> None:
        self.trained.load_state_dict(state["model"])
        for each, saved in zip(self.optimizers, state["optimizers"]):
            each.load_state_dict({"state": copy_tree(saved), "param_groups": each.state_dict()["param_groups"]})


def test_a_step_with_two_optimizers(tmp_path):
    whole, resumed = interrupted_and_resumed(tmp_path, lambda: (TwoPlayerStep(Players()), Nothing(50)), 300, 120)
    for one, other in zip(whole.model().parameters(), resumed.model().parameters()):
        assert torch.equal(one, other)
    noise = torch.randn(500, 2, generator=generator(0, "look"))
    before, after = (float(each.generator(noise).mean().detach()) for each in (Players(), whole.model()))
    assert abs(after - 2) < abs(before - 2) / 2


# --- state that is carried from batch to batch: a language model's -------------------------------------------------


class Streams(Sampler):
    """Two parallel streams of ten steps each."""

    def batches(self, epoch: int) -> int:
        return 10

    def batch(self, epoch: int, k: int) -> Tensor:
        return torch.tensor([k, 10 + k])


class Running(Bare):
    """Predicts the running sum of what went before: only possible with what was carried."""

    stream = torch.randn(20, generator=generator(0, "stream"))

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        return Batch((self.stream[rows],), None, None, rows)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        before = torch.zeros(2) if carried is None or int(batch.rows[0]) == 0 else carried["sum"]
        error = ((model(batch.inputs[0][:, None])[:, 0] - before) ** 2).sum()
        return Loss((Part("loss", 1.0, error, 2.0),), {"sum": (before + batch.inputs[0]).detach()})


def test_carried_state_is_saved_with_the_checkpoint(tmp_path):
    def make() -> tuple[Step, Sampler]:
        model = nn.Linear(1, 1)
        nn.init.constant_(model.weight, 0.5)
        nn.init.zeros_(model.bias)
        settings = recipe(train__steps=35, train__optimizer="sgd").train
        return GradientStep(Running(), model, settings, Compute(torch.device("cpu")), Timeline(35, 10)), Streams()

    whole, resumed = interrupted_and_resumed(tmp_path, make, 35, 16)
    assert torch.equal(whole.model().weight, resumed.model().weight)
    assert torch.equal(whole.state()["carried"]["sum"], resumed.state()["carried"]["sum"])
    torch.testing.assert_close(whole.state()["carried"]["sum"],
                               torch.stack([Running.stream[:5].sum(), Running.stream[10:15].sum()]))
