"""Autoencoders: the input again from a code that is shorter, from a noisy input, or from a Gaussian over codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.nn.autoencoder import Rebuilt
from orthogon.nn.gaussian import Gaussian
from orthogon.nn.modes import evaluating
from orthogon.nn.spec import ModelSpec
from orthogon.tasks.corruption import Corruption
from orthogon.tasks.encoded import wide
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.evaluate import predict
from orthogon.train.randomness import Draw, normal_by_row
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Baseline, Batch, Loss, Metric, Part, Sheet

if TYPE_CHECKING:
    from orthogon.train.compute import Compute

LOSSES = ("bernoulli", "squared")
RATE = 2e-3
"""Learning rate where none is given, for losses in nats."""

SHOWN = 4
"""Train pictures that are rebuilt again and again as training goes on."""


class Reconstruct(Unlabelled):
    """The input is the target (rows 23.01-23.07). Pictures are in 0 … 1; a table gives its encoded numbers.

    The loss of an example is summed over its values and averaged over the examples: "bernoulli", the cross-entropy of
    each pixel as the probability of white, in nats, or "squared", the squared error. A variational network
    (`Rebuilt.log_variance`) adds β times the divergence of its codes from N(0, 1), so that with β = 1 the loss is the
    bound of Kingma & Welling 2014, −ELBO, in nats a picture where pixels are 0 or 1.
    In results the bound is taken at one point of the Gaussian, always the same for a row; errors, PSNR and rounded
    accuracy are of what is rebuilt from its mean.
    With `task.noise` or `task.mask` the network is given corrupted examples, in training, and, always the same for a
    row, in evaluation; new pictures are taken as they are.
    """

    name = "reconstruct"
    legend = "Pictures: left what the network is given, right what it makes of it."
    normalization = "unit"

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self.loss_name = self._chosen_loss(LOSSES)
        self.corruption = Corruption(settings.noise, settings.mask)
        self.code_size = 0
        self._shown = np.empty(0, dtype=np.int64)

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        self._shown = np.asarray(rows)[np.linspace(0, len(rows) - 1, min(SHOWN, len(rows))).astype(int)]
        self.only_input(("image", "number"))
        if not self.pictures:
            self._check_numbers()
        elif not self.in_unit:
            raise RecipeError("pixels are rebuilt in 0 … 1, and the recipe standardizes them", where="data.normalize",
                              remedy="Leave data.normalize out, or set it to unit.")

    def _check_numbers(self) -> None:
        if self.settings.loss == "bernoulli" or self.settings.binarize is not None:
            raise RecipeError("numbers of a table are no probabilities",
                              where="task.loss" if self.settings.loss else "task.binarize",
                              remedy="Leave it out: the loss is then the squared error.")
        self.loss_name = "squared"

    @property
    def pictures(self) -> bool:
        """Whether the input is a picture, rather than numbers."""
        return self.inputs.kinds == ("image",)

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(self.inputs.specs(), self._outputs(), rebuilds=True)

    def _outputs(self) -> int:
        """Channels or columns: networks that give a map have as many channels."""
        return self.inputs.specs()[0].shape[0]

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return ("conv_autoencoder" if self.pictures else "autoencoder"), {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Without decay: what is rebuilt is as bright as weights are long."""
        return {**super().default_settings(rows), "lr": RATE, "weight_decay": 0.0}

    def check_output(self, output: Any) -> None:
        """The shape of the input. The size of the code is remembered for the principal components beside it, which no
        variational network is compared with: their codes cost nothing, so that their nats are no bound."""
        rebuilt, wanted = as_rebuilt(output), self.inputs.specs()[0].shape
        found = tuple(rebuilt.output.shape[1:])
        if found != wanted:
            raise RecipeError(f"the model gives {found} for each example, and is to give {wanted}: its input again",
                              where="model", remedy="Take an autoencoder: --model conv_autoencoder, vae, …")
        plain = rebuilt.code is rebuilt.output or rebuilt.log_variance is not None
        self.code_size = 0 if plain else rebuilt.code.shape[1]

    # In the loop.

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        batch = super().batch(rows, draw)
        if not self.corruption.acts:
            return batch
        noisy = self.corruption.fixed(batch.target, batch.rows) if draw is None \
            else self.corruption.drawn(batch.target, draw)
        return batch._replace(inputs=(noisy,))

    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """The clean examples, as input and as target."""
        batch = super().changed(rows, changes)
        clean, threshold = batch.inputs[0], self.settings.binarize
        if threshold is not None:
            clean = (clean > threshold).to(clean.dtype)
        return batch._replace(inputs=(clean,), target=clean)

    def counts(self, batch: Batch) -> dict[str, float]:
        count = super().counts(batch)["loss"]
        return {"reconstruction": count, "kl": count}

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        rebuilt, counts = as_rebuilt(model(*batch.inputs)), self.counts(batch)

        def part(name: str, weight: float, each: Tensor) -> Part:
            total = each.sum() if batch.weight is None else torch.dot(each, batch.weight.to(each.dtype))
            return Part(name, weight, total, counts[name])

        parts = [part("reconstruction", 1.0, self.costs(wide(rebuilt.output), batch.target))]
        if rebuilt.log_variance is not None:
            parts.append(part("kl", self.settings.beta, _divergence(rebuilt)))
        return Loss(tuple(parts))

    def costs(self, output: Tensor, clean: Tensor) -> Tensor:
        """What rebuilding costs, (n,): the sum over the values of each example."""
        error = F.binary_cross_entropy_with_logits if self.loss_name == "bernoulli" else F.mse_loss
        return error(output, clean.to(output.dtype), reduction="none").flatten(1).sum(1)

    def values(self, output: Tensor) -> Tensor:
        """What a network gives, as values of the input: pixels between 0 and 1."""
        return output.sigmoid() if self.loss_name == "bernoulli" else output

    # After it.

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """prediction: the code (n, K), or, of a network without one, the mean rebuilt value (n,). loss: what training
        lowers. reconstruction, and of variational networks kl: its parts. squared_error: the mean over the values; of
        pictures rounded: the share of pixels on the right side of ½; psnr; where it is corrupted, input_error."""
        rebuilt = as_rebuilt(model(*batch.inputs))
        output, clean = rebuilt.output.float(), batch.target
        coded = rebuilt.code is not rebuilt.output
        found = {"prediction": rebuilt.code.float() if coded else output.flatten(1).mean(1)}
        if rebuilt.log_variance is None:
            found |= {"loss": self.costs(output, clean), "reconstruction": self.costs(output, clean)}
        else:
            noise = normal_by_row(batch.rows, rebuilt.code.shape[1], "code")
            drawn = model(*batch.inputs, noise).output.float()
            found |= {"reconstruction": self.costs(drawn, clean), "kl": _divergence(rebuilt)}
            found["loss"] = found["reconstruction"] + self.settings.beta * found["kl"]
        values = self.values(output)
        found["squared_error"] = (values - clean).square().flatten(1).mean(1)
        if self.pictures:
            found["rounded"] = ((values >= 0.5) == (clean >= 0.5)).float().flatten(1).mean(1)
        if self.corruption.acts:
            found["input_error"] = (batch.inputs[0] - clean).square().flatten(1).mean(1)
        return self._with_weight(found, batch)

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.tasks.reconstruct_metrics import reconstruction_metrics

        return reconstruction_metrics(self.loss_name == "bernoulli", self.pictures, self.corruption.acts,
                                      int(np.prod(self.inputs.specs()[0].shape)))

    def baselines(self) -> list[Baseline]:
        from orthogon.tasks.reconstruct_baselines import MeanExample, PrincipalComponents

        return [MeanExample(), *([PrincipalComponents(self.code_size)] if self.code_size else [])]

    def drawn(self, model: nn.Module, rows: np.ndarray, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """What the network is given beside what it makes of it, in the size that the network sees."""
        if not self.pictures or not len(rows):
            return list(pictures)
        with evaluating(model):
            batch = self.batch(torch.as_tensor(rows, dtype=torch.int64))
            made = self.values(as_rebuilt(model(*batch.inputs)).output.float())
        beside = torch.cat([batch.inputs[0], made], dim=3).clamp(0, 1)
        return [(each * 255).byte().permute(1, 2, 0).cpu().numpy() for each in beside]

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.tasks.reconstruct_sheets import sheets

        return sheets(self, model, rows)

    def snapshot(self, model: nn.Module) -> np.ndarray | None:
        from orthogon.tasks.reconstruct_sheets import snapshot

        return snapshot(self, model, self._shown) if self.pictures else None

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"code": the numbers, "squared_error": how far what is rebuilt is from the input} per example."""
        return [{"code": np.atleast_1d(code).tolist(), "squared_error": float(error)}
                for code, error in zip(results["prediction"], results["squared_error"])]

    def answers(self, model: nn.Module, data: Dataset, compute: Compute) -> list[dict[str, Any]]:
        """Of new data as it is: nothing is corrupted."""
        plain = copy(self)
        plain.corruption = Corruption()
        plain.attach(data, compute.device)
        return plain.decode(predict(plain, model, np.arange(len(data)), compute))

    def state(self) -> dict[str, Any]:
        return {**super().state(), "loss": self.loss_name, "code_size": self.code_size}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.loss_name, self.code_size = state["loss"], int(state["code_size"])


def as_rebuilt(output: Any) -> Rebuilt:
    """A plain tensor has no code: it stands for itself."""
    return output if isinstance(output, Rebuilt) else Rebuilt(output, output)


def _divergence(rebuilt: Rebuilt) -> Tensor:
    assert rebuilt.log_variance is not None  # noqa: S101 - of variational networks
    return Gaussian(wide(rebuilt.code), wide(rebuilt.log_variance)).divergence()
