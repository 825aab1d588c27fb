"""What tasks on a data set share: inputs encoded once and gathered by index, the weights of examples, the metrics."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.dataset import Dataset, Finding
from orthogon.data.encode import unused_inputs
from orthogon.data.pictures import SMALL
from orthogon.data.text_encoder import TextEncoder, long_texts
from orthogon.data.tokens import TokenizerName
from orthogon.data.word_encoders import CharactersEncoder, WordsEncoder
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.spec import ModelSpec
from orthogon.tasks.inputs import Inputs
from orthogon.train.randomness import Draw
from orthogon.train.sampler import Bucketed, Sampler
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Batch, Metric, Task

TEXTS_SEEN = 400_000
"""Texts that a network is shown in all, where these are from 5 to 15 epochs: with 5 epochs of 43,000 comments the rarer
of 28 labels were hardly learnt (GoEmotions, dev)."""


class Encoded(Task):
    """A task on the columns of a data set, with a target or without.

    inputs: the encoders and what they encoded.
    weighs_errors: whether `task.costs` has a meaning.
    normalization: of pictures, where the recipe leaves it open: "unit", or None: fitted.
    tokens, lowercase: of texts, where the recipe leaves them open; None: words, in lower case.
    marks: whether texts, unless they run on, stand between the marks of their begin and end. roomy: whether texts that
    are longer than all of train are read whole, up to 1,000 tokens.
    picture_side: up to which pictures keep their own size. whole_pictures: whether new ones are asked for in theirs.
    """

    weighs_errors: ClassVar[bool] = False
    normalization: ClassVar[str | None] = None
    tokens: ClassVar[TokenizerName | None] = None
    lowercase: ClassVar[bool | None] = None
    marks: ClassVar[bool] = False
    roomy: ClassVar[bool] = False
    picture_side: ClassVar[int] = SMALL
    whole_pictures: ClassVar[bool] = False

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        if settings.costs and not self.weighs_errors:
            raise RecipeError(f"{self.name} has no errors of one class taken for another", where="task.costs",
                              remedy="Costs are for classify; leave them out.")
        preferred = {"normalize": self.normalization, "tokens": self.tokens, "lowercase": self.lowercase}
        data = data.model_copy(update={name: value for name, value in preferred.items()
                                       if value is not None and getattr(data, name) is None})
        self.inputs = Inputs(data, self.augment, self.picture_side, self.marks, self.roomy)
        self._example_weight: Tensor | None = None
        self._on_cpu = True

    def _chosen_loss(self, known: tuple[str, ...]) -> str:
        """The recipe's `task.loss`, by default the first one known; RecipeError where this task has no such loss."""
        name = self.settings.loss or known[0]
        if name not in known:
            raise RecipeError(f"{self.name} has no loss {name!r}", where="task.loss", remedy=nearest(name, known))
        return name

    def _refuse(self, knob: str, why: str, remedy: str) -> None:
        """RecipeError where the recipe turns a knob, named "task.…" or "data.…", that would do nothing or harm here.

        why: what follows the name of the task."""
        section, name = knob.split(".")
        settings = self.settings if section == "task" else self.inputs.settings
        if getattr(settings, name) != type(settings).model_fields[name].default:
            raise RecipeError(f"{self.name} {why}", where=knob, remedy=remedy)

    # What each task fills in.

    @abstractmethod
    def _outputs(self) -> int: ...

    @abstractmethod
    def _metrics(self) -> tuple[Metric, ...]:
        """The figures of merit; the first one judges where the recipe names none."""

    @abstractmethod
    def changed(self, rows: Tensor, changes: Sequence[Changes | None] = ()) -> Batch:
        """The batch of those rows, which lie on the device, each input changed as `Inputs.changes` drew it."""

    # The contract.

    def check(self, data: Dataset) -> list[Finding]:
        settings = self.inputs.settings
        return [*unused_inputs(data, settings.tokens), *long_texts(data, settings.max_tokens, settings.tokens)]

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        rows = np.asarray(rows)
        if not len(rows):
            raise DataError("there are no examples to train on", where=data.name)
        self.inputs.fit(data, rows)

    def attach(self, data: Dataset, device: torch.device) -> None:
        device = torch.device(device)
        self._on_cpu = device.type == "cpu"
        self.inputs.attach(data, device)
        weight = None if data.weight is None else torch.as_tensor(data.weight, dtype=torch.float32, device=device)
        self._example_weight = weight

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The recipe's `task.metric` first, where it names one; RecipeError where this task has no such metric."""
        found, name = self._metrics(), self.settings.metric
        if name is not None and name not in [metric.name for metric in found]:
            raise RecipeError(f"{self.name} has no metric {name!r} here", where="task.metric",
                              remedy=nearest(name, [metric.name for metric in found]))
        return tuple(sorted(found, key=lambda metric: metric.name != name))

    @property
    def vocabularies(self) -> tuple[tuple[str, ...], ...]:
        return tuple(encoder.vocabulary.words for encoder in self.inputs.encoders
                     if isinstance(encoder, (TextEncoder, WordsEncoder, CharactersEncoder)))

    @property
    def spec(self) -> ModelSpec:
        return ModelSpec(self.inputs.specs(), self._outputs())

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        """Every row once an epoch; texts of like length together."""
        lengths = self.inputs.lengths()
        if lengths is None:
            return super().sampler(rows, batch_size, seed, device)
        return Bucketed(rows, lengths.cpu().numpy()[rows], batch_size, seed, device)

    def order(self, rows: np.ndarray) -> np.ndarray:
        """Texts of like length together, so that little is spent on padding."""
        lengths = self.inputs.lengths()
        return super().order(rows) if lengths is None else np.argsort(lengths.cpu().numpy()[rows], kind="stable")

    def default_model(self) -> tuple[str, dict[str, Any]]:
        kinds = self.inputs.kinds
        if "text" in kinds:
            return ("mlp" if "image" in kinds else "text_cnn"), {}
        return ("convnet" if "image" in kinds else "mlp"), {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """AdamW under one cycle; epochs and batch by the amount of data, rates chosen on dev of several sets."""
        pictures, texts = "image" in self.inputs.kinds, "text" in self.inputs.kinds
        large = rows > 20_000
        batch = 64 if rows < 5_000 or (texts and not large) else 128 if pictures or texts else 256
        epochs = 15 if large else 30
        if not pictures:
            epochs = min(15, max(5, TEXTS_SEEN // rows)) if texts else 10 if large else 40
        return {
            "optimizer": "adamw", "schedule": "one_cycle", "epochs": epochs, "batch_size": min(batch, max(1, rows)),
            "lr": 3e-3 if pictures else 2e-3, "weight_decay": 0.05 if pictures else 0.01,
        }

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        if not self._on_cpu:
            rows = rows.to(self.inputs.device, non_blocking=True)
        return self.changed(rows, self.inputs.changes(len(rows), draw))

    def _with_weight(self, results: dict[str, Tensor], batch: Batch) -> dict[str, Tensor]:
        """The results with the examples' own weights (not those of their classes), where they have any."""
        if self._example_weight is not None:
            results["weight"] = self._example_weight.index_select(0, batch.rows)
        return results

    def example_weights(self, rows: np.ndarray) -> np.ndarray | None:
        """Float32 (n,): the examples' own weights; None where they have none."""
        weight = self._example_weight
        return None if weight is None else weight[torch.as_tensor(rows, device=weight.device)].cpu().numpy()

    def state(self) -> dict[str, Any]:
        return {"task": self.name, "inputs": self.inputs.state()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.inputs.load_state(state["inputs"])


def wide(output: Tensor) -> Tensor:
    """What a loss is computed from: float32, whatever autocast made of it; a float64 model stays in float64."""
    return output if output.dtype == torch.float64 else output.float()
