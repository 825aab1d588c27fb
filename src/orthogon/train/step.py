"""How one batch changes the parameters."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.optim.average import WeightAverage
from orthogon.optim.direct import direct_step
from orthogon.optim.flat import FlatParameters
from orthogon.optim.schedules import Schedule, Timeline
from orthogon.train.checkpoint import Tree, copy_tree
from orthogon.train.compute import Compute
from orthogon.train.optimizer import asks_again, build_optimizer, optimizer_groups
from orthogon.train.randomness import Draw
from orthogon.train.ranks import Ranks
from orthogon.train.regularization import Regularization
from orthogon.train.settings import TrainSettings
from orthogon.train.task import Batch, Loss, Task


class Step(ABC):
    """One change of the parameters. Owns all that it changes: optimizers, chains, averages, carried state.

    exact:      the same seed gives the same bits.
    rank_aware: gives the same result when its batch is shared among ranks.
    compilable: the model may be wrapped by torch.compile.
    norm_before_clipping: of the last step's whole gradient, where it is clipped by norm.
    count:      how much the last batch counts in the mean loss of an epoch: its examples or tokens, by their weights.
    """

    exact: ClassVar[bool] = True
    rank_aware: ClassVar[bool] = False
    compilable: ClassVar[bool] = False
    norm_before_clipping: Tensor | None = None
    count: float = 1.0

    @abstractmethod
    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        """Change the parameters by one batch (this rank's share); the loss, detached, as a scalar on the device."""

    @abstractmethod
    def model(self) -> nn.Module:
        """The model as it is trained, without wrappers."""

    def evaluation_model(self) -> nn.Module:
        """The model whose results count: an average of weights where one is kept."""
        return self.model()

    def run_model(self, rows: Tensor) -> None:  # noqa: B027 - not every model is called on rows
        """Call the model on rows without augmentation, for somebody who listens in; nothing where it takes no rows.

        In float32: beneath a TorchDispatchMode no types are cast, and functions made of others would meet two.
        """

    def figures(self) -> dict[str, Tensor]:
        """Scalars that tell how the last step went, kept in the health records; none by default."""
        return {}

    def rate(self) -> float:
        """The learning rate of the last step, for people to see; NaN where there is none."""
        return math.nan

    def observe(self, score: float) -> None:  # noqa: B027 - most steps do not care
        """Told the dev score after each evaluation, higher is better."""

    @abstractmethod
    def state(self) -> Tree:
        """Everything that must be there again to go on bit for bit, the model's weights included."""

    @abstractmethod
    def load_state(self, state: Tree) -> None: ...


class GradientStep(Step):
    """A step down the gradient of the task's loss.

    The order within a step: gradients of all micro-batches are added (and averaged over ranks by DDP), that of the L2
    penalty joins them, then they are clipped by value, then by norm, then the optimizer moves, then L1 and max-norm act
    on the weights, then the average of weights follows. The loss that is reported is the data's alone. There is no
    gradient scaler, since bf16 has the range of float32; so there is nothing to unscale before clipping.

    Optimizers that ask for loss and gradient again (Backstitch, L-BFGS) get those of the same batch, with the same
    augmentation, dropout and carried state; the loss that counts is that before the step.
    Groups of parameters that begin to learn at a later step are frozen before it.
    flat: the parameters as views of buffers, where the recipe wants that; clipping and the optimizer work on these.
    """

    rank_aware = True
    compilable = True

    def __init__(
        self, task: Task, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
        ranks: Ranks | None = None,
    ) -> None:
        ranks = ranks or Ranks()
        _check_decomposes(task, settings, ranks)
        self.task, self.compute, self.ranks = task, compute, ranks
        self.plain = compute.place(model)
        self.trained = ranks.wrap(torch.compile(self.plain) if settings.compile else self.plain)  # type: ignore[arg-type]
        self.micro = settings.micro_batch_size
        self.clip_norm, self.clip_value = settings.clip_norm, settings.clip_value
        groups = optimizer_groups(self.plain, settings)
        self.regularization = Regularization(self.plain, groups, settings)
        self.flat = FlatParameters(groups) if settings.flat else None
        self.optimizer = build_optimizer(self.flat.groups if self.flat else groups, settings)
        self.asks_again = asks_again(self.optimizer)
        self.move = direct_step(self.optimizer)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.schedule: Schedule = registry.schedules.load(settings.schedule)(timeline)
        self.average = WeightAverage(self.plain, settings.ema) if settings.ema else None
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.gradual = any(group["starts"] for group in self.optimizer.param_groups)
        self.carried: Any = None
        self.steps = 0

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        factor = self.schedule(self.steps)
        self._set_rates(factor)
        loss = self._searching_step(rows, draw) if self.asks_again else self._step(rows, draw)
        self.regularization.constrain(factor)
        if self.average is not None:
            self.average.update()
        self.steps += 1
        return loss

    def _set_rates(self, factor: float) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.base_rates):
            learns = self.steps >= group["starts"]
            group["lr"] = rate * factor if learns else 0.0
            if self.gradual:
                for parameter in group["params"]:
                    parameter.requires_grad_(learns)

    def _step(self, rows: Tensor, draw: Draw) -> Tensor:
        loss = self._clipped_gradient(rows, draw)
        self.move()
        return loss

    def _searching_step(self, rows: Tensor, draw: Draw) -> Tensor:
        carried, losses = self.carried, []

        def again() -> Tensor:
            self.carried = carried
            losses.append(self._clipped_gradient(rows, draw))
            return self.ranks.sum(losses[-1].clone())  # a search must decide alike on all ranks

        self.optimizer.step(again)  # type: ignore[call-overload]
        return losses[0]

    def _clipped_gradient(self, rows: Tensor, draw: Draw) -> Tensor:
        self.clear_gradient()
        loss = self.gradient(rows, draw)
        self.regularization.add_gradient()
        if self.clip_value is not None:
            torch.nn.utils.clip_grad_value_(self.parameters, self.clip_value)
        if self.clip_norm is not None:
            self.norm_before_clipping = torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        return loss

    def clear_gradient(self) -> None:
        """No gradient is left in the parameters."""
        if self.flat is not None:
            self.flat.clear()
            return
        for parameter in self.parameters:
            parameter.grad = None

    def gradient(self, rows: Tensor, draw: Draw) -> Tensor:
        """Leave the gradient of the mean loss over the whole batch, all ranks' shares together, in the parameters."""
        if self.ranks.world == 1 and (self.micro is None or len(rows) <= self.micro):
            draw.seed_modules()
            loss, self.carried = self._add_gradient(self.task.batch(rows, draw))
            return loss
        return self._gradient_of_pieces(rows, draw)

    def _gradient_of_pieces(self, rows: Tensor, draw: Draw) -> Tensor:
        pieces = rows.split(self.micro or max(1, len(rows)))
        draws = [draw.of_part(f"{self.ranks.rank}/{i}") for i in range(len(pieces))]
        batches = [self.task.batch(piece, each) for piece, each in zip(pieces, draws)]
        counts = self._counts(batches)
        added = torch.zeros((), device=self.compute.device)
        for i, (batch, each) in enumerate(zip(batches, draws)):
            with self._synchronized(last=i == len(batches) - 1):
                each.seed_modules()
                # DDP averages over ranks; the counts are already those of all ranks.
                loss, carried = self._add_gradient(batch, counts, factor=self.ranks.world)
                if carried is not None:
                    raise RecipeError(
                        f"{self.task.name} carries state from batch to batch, so a batch of it cannot be split",
                        where="train.micro_batch_size", remedy="Take fewer streams, and one process.",
                    )
                added += loss / self.ranks.world
        return added

    def _add_gradient(
        self, batch: Batch, counts: dict[str, float] | None = None, factor: float = 1.0
    ) -> tuple[Tensor, Any]:
        """Add factor × the gradient of the loss to that of the parameters; factor × the loss, and the carried state.

        counts: of the whole batch, where this is a piece of it.
        """
        loss = self._loss(batch)
        counts = counts or {part.name: part.count for part in loss.parts}
        self.count = next(iter(counts.values()))
        return _backward(loss, counts, factor), loss.carried

    def _counts(self, batches: list[Batch]) -> dict[str, float]:
        each = [self.task.counts(batch) for batch in batches]
        names = list(each[0])
        summed = torch.tensor([sum(counts[name] for counts in each) for name in names], dtype=torch.float64)
        if self.compute.device.type == "cuda":
            summed = summed.to(self.compute.device)
        return dict(zip(names, self.ranks.sum(summed).tolist()))

    def _loss(self, batch: Batch) -> Loss:
        batch = batch._replace(inputs=self.compute.lay_out(batch.inputs))
        with self.compute.precision():
            return self.task.loss(self.trained, batch, self.carried)

    def _synchronized(self, last: bool) -> AbstractContextManager[object]:
        """Ranks add up their gradients during the last backward pass of a batch alone."""
        return nullcontext() if last or self.ranks.world == 1 else self.trained.no_sync()  # type: ignore[operator]

    def model(self) -> nn.Module:
        return self.plain

    def run_model(self, rows: Tensor) -> None:
        if self.carried is None:  # a state that is carried fits whole batches alone
            batch = self.task.batch(rows)
            self.task.loss(self.plain, batch._replace(inputs=self.compute.lay_out(batch.inputs)))

    def evaluation_model(self) -> nn.Module:
        return self.average.model if self.average else self.plain

    def rate(self) -> float:
        return max(group["lr"] for group in self.optimizer.param_groups)

    def observe(self, score: float) -> None:
        self.schedule.observe(score)

    def state(self) -> Tree:
        return {
            "steps": self.steps,
            "model": dict(self.plain.state_dict()),
            "optimizer": self.optimizer.state_dict()["state"],
            "schedule": self.schedule.state(),
            "average": None if self.average is None else self.average.state(),
            "carried": self.carried,
        }

    def load_state(self, state: Tree) -> None:
        self.steps = state["steps"]
        self.plain.load_state_dict(state["model"])
        groups = self.optimizer.state_dict()["param_groups"]
        # Copied, since optimizers keep the tensors that they are given and write into them.
        self.optimizer.load_state_dict({"state": copy_tree(state["optimizer"]), "param_groups": groups})
        self.schedule.load_state(state["schedule"])
        if self.average is not None:
            self.average.load_state(state["average"])
        self.carried = state["carried"]


def _backward(loss: Loss, counts: dict[str, float], factor: float = 1.0) -> Tensor:
    """Add the gradient of the loss, each part over the count of the whole batch; the loss as a number.

    The scales go in as the gradients that backward starts from: that spares the graph a product for each part.
    """
    sums = [part.sum for part in loss.parts]
    scales = [torch.full_like(each, factor * part.weight / max(counts[part.name], 1e-12), requires_grad=False)
              for each, part in zip(sums, loss.parts)]
    torch.autograd.backward(sums, scales)
    terms = [each.detach() * scale for each, scale in zip(sums, scales)]
    return terms[0] if len(terms) == 1 else torch.stack(terms).sum()


def _check_decomposes(task: Task, settings: TrainSettings, ranks: Ranks) -> None:
    split = settings.micro_batch_size is not None and (
        settings.batch_size is None or settings.micro_batch_size < settings.batch_size or settings.batch_growth > 1
    )
    if not task.decomposes and (split or ranks.world > 1):
        raise RecipeError(
            f"the loss of {task.name} is not a sum over examples, so a batch of it cannot be split",
            where="train.micro_batch_size" if split else "torchrun",
            remedy="Give a batch that fits: set train.batch_size, leave train.micro_batch_size out, use one process.",
        )
