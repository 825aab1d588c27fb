"""The contract of a task: the only thing that knows what a batch means."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, isnan, nan
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.errors import RecipeError
from orthogon.nn.spec import ModelSpec
from orthogon.stats.estimate import Estimate
from orthogon.train.rows import Rows
from orthogon.train.sampler import Sampler, Shuffled
from orthogon.train.titles import error_name, is_accuracy, title_of

if TYPE_CHECKING:
    from orthogon.data.augment import Way
    from orthogon.data.changes import Mix
    from orthogon.data.dataset import Dataset, Finding
    from orthogon.data.windows import Windows
    from orthogon.optim.schedules import Timeline
    from orthogon.train.compute import Compute
    from orthogon.train.randomness import Draw
    from orthogon.train.ranks import Ranks
    from orthogon.train.searched import Searched
    from orthogon.train.settings import DataSettings, TaskSettings, TrainSettings
    from orthogon.train.step import Step


class Batch(NamedTuple):
    """Tensors on the device, ready for the model.

    inputs: in the order of the model's arguments.
    target: what the loss compares with: a tensor, or a tree of tensors where targets are ragged.
    weight: float (n,) or None: how much each example counts.
    rows:   int64 (n,): the rows of the data set.
    mix:    how pictures of the batch were mixed with each other (mixup, cutmix), so that the loss is that of both.
    """

    inputs: tuple[Tensor, ...]
    target: Any
    weight: Tensor | None
    rows: Tensor
    mix: Mix | None = None


class Sheet(NamedTuple):
    """A picture for people of what was learnt: what a network makes, not what it says of one example.

    name: of its file, such as "samples". title, line: what is seen. picture: H×W×C uint8, pixels as large as they
    should be seen.
    """

    name: str
    title: str
    line: str
    picture: np.ndarray


class Sign(NamedTuple):
    """A sign that training has failed, or may have: its kind ("collapse"), a sentence with the evidence, what to do."""

    kind: str
    what: str
    remedy: str


class Part(NamedTuple):
    """One named term of a loss: its share is weight × sum / count, and sums and counts add over micro-batches."""

    name: str
    weight: float
    sum: Tensor
    count: float


class Loss(NamedTuple):
    """The parts of a loss, and the state that is carried to the next batch (a tree of tensors, or None)."""

    parts: tuple[Part, ...]
    carried: Any = None


@dataclass(frozen=True)
class Metric:
    """A figure of merit as a function of rows, so that it has an interval and can be compared in pairs.

    estimate: rows -> Estimate, with its interval.
    value:    rows -> float: the point alone, for every epoch.
    higher_is_better: the direction of good.
    needs:    the column of rows without which they do not have it; "": all have it.
    values:   rows -> one number for each, of which it is the mean, so that models are compared by these; None: it is
              no mean.
    sums:     where it is a figure of sums over the examples: rows -> (n, k) numbers, and (m, k) sums -> (m,) figures.
    unit:     that of its estimates; "rate": a share.
    best:     what it is at best; infinite: there is no best. Where less is better 0 unless it is said, of a share of
              which more is better 1; any other of which more is better must say it, and ValueError is raised if not.
    """

    name: str
    estimate: Callable[[Rows], Estimate]
    value: Callable[[Rows], float]
    higher_is_better: bool = True
    needs: str = ""
    values: Callable[[Rows], np.ndarray] | None = None
    unit: str = ""
    best: float = nan
    sums: tuple[Callable[[Rows], np.ndarray], Callable[[np.ndarray], np.ndarray]] | None = None

    def __post_init__(self) -> None:
        if not isnan(self.best):
            return
        if self.higher_is_better and self.unit != "rate":
            raise ValueError(f"more of {self.name} is better, so `best` must say what it is at best: "
                             "best=1.0, or best=math.inf where there is none")
        object.__setattr__(self, "best", float(self.higher_is_better))

    @property
    def bounded(self) -> bool:
        """Whether it has a best: no `error` is then below 0."""
        return isfinite(self.best)

    def error(self, value: float) -> float:
        """The value where less is better: what it is below its best, or its negative where there is no best."""
        if not self.higher_is_better:
            return value
        return self.best - value if self.bounded else -value

    @property
    def error_title(self) -> str:
        """What `error` is called: "token error", "1 - macro F1", "minus PSNR"."""
        title = title_of(error_name(self.name))
        if not self.higher_is_better or is_accuracy(self.name):
            return title
        return f"{self.best:g} - {title}" if self.bounded else f"minus {title}"


class Baseline(ABC):
    """A cheap model that any network must beat, fitted on the same train rows and compared in pairs.

    name: as shown ("majority", "linear", "boosted trees"); line: what it is, in one line.
    """

    name: ClassVar[str]
    line: ClassVar[str]

    @abstractmethod
    def fit(self, task: Task, rows: np.ndarray) -> None: ...

    @abstractmethod
    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        """As `Task.results`, as NumPy arrays."""


class Task(ABC):
    """What is to be learnt. Life: `fit` on train rows, `attach` data, then `batch`, `counts`, `loss`, `results`.

    settings: the `task` section of the recipe. data_settings: its `data` section. augment: how training pictures are
    changed; None: not at all.
    decomposes: whether the loss is a sum over examples, so that batches may be split (accumulation, ranks).
    legend: what the colors mean that `drawn` draws with; empty where it draws nothing.
    mixes: whether the loss knows pictures that are mixed of two (`Batch.mix`).
    has_loss: whether training descends on `loss`; where it does not, `step` says what it does.
    needs_target: whether the data must have a target column.
    falls_to_zero: whether the loss of examples that were learnt by heart is near zero.
    feeds_target: whether the network is given the beginning of a target, to learn what follows (teacher forcing).
    new_classes: whether dev and test hold other classes than train, as new persons are: whole classes are split.
    transfer: what of a model that starts with weights learns where the recipe leaves it open; None: by the amount of
    data.
    put_to_use: the command by which a run is used, after "orthogon", with {run} for its name.
    """

    name: ClassVar[str]
    decomposes: ClassVar[bool] = True
    has_loss: ClassVar[bool] = True
    needs_target: ClassVar[bool] = True
    falls_to_zero: ClassVar[bool] = True
    feeds_target: ClassVar[bool] = False
    new_classes: ClassVar[bool] = False
    transfer: ClassVar[str | None] = None
    legend: ClassVar[str] = ""
    mixes: ClassVar[bool] = False
    put_to_use: ClassVar[str] = "predict {run} NEW_DATA"

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        self.settings, self.data_settings, self.augment = settings, data, augment or Augmentation()
        if self.augment.mixes and not self.mixes:
            ways = [way for way in self.augment.ways if way in ("mixup", "cutmix")]
            raise RecipeError(f"{self.name} has no loss for pictures that are mixed of two ({', '.join(ways)})",
                              where="train.augment", remedy=f"Leave {' and '.join(ways)} out; all other ways are fit.")

    # --- before the loop -------------------------------------------------------------------------------------

    @classmethod
    def grouped(cls, data: Dataset) -> Dataset:
        """The data with groups that must stay in one part, where the task knows of some that the data does not name."""
        return data

    @abstractmethod
    def check(self, data: Dataset) -> list[Finding]:
        """What makes this data unfit, or doubtful, for this task."""

    @abstractmethod
    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        """Fit preprocessing, classes and class weights on the train rows; nothing else is looked at (row 9.01)."""

    @abstractmethod
    def attach(self, data: Dataset, device: torch.device) -> None:
        """Encode all rows once, so that `batch` only gathers. Called again for other data when predicting."""

    @property
    @abstractmethod
    def spec(self) -> ModelSpec:
        """What a model for this task takes and gives. After `fit`."""

    @abstractmethod
    def default_model(self) -> tuple[str, dict[str, Any]]:
        """The name and options of the model that is used when none is named. After `fit`."""

    def default_head(self) -> list[int] | None:
        """Sizes of the hidden layers of the new head that a named model gets; None: it keeps its own."""
        return None

    @classmethod
    def default_augment(cls, data: Dataset) -> tuple[Way, ...]:
        """How training pictures of this data are changed where the recipe leaves it open."""
        return ()

    @classmethod
    def windows(cls, data: Dataset, settings: TaskSettings) -> Windows | None:
        """Where an example is a window of rows in time, how windows lie; None: each row is an example by itself.

        All rows then stay, with a target or without, parts follow one another in time, and intervals draw blocks.
        """
        return None

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Defaults of the recipe's `train` section that suit this task on this kind and amount of data."""
        return {}

    @abstractmethod
    def baselines(self) -> list[Baseline]:
        """The cheap models to stand beside the network's score, the cheapest first."""

    def sampler(self, rows: np.ndarray, batch_size: int, seed: int, device: torch.device) -> Sampler:
        """Which train rows make a batch: by default every row once an epoch, in a new order each time."""
        return Shuffled(rows, batch_size, seed, device)

    def step(self, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
             ranks: Ranks | None = None) -> Step:
        """How a batch changes the model: by default a step down the gradient of the loss."""
        if settings.explicit:
            from orthogon.train.explicit import ExplicitStep

            return ExplicitStep(self, model, settings, compute, timeline, ranks)
        from orthogon.train.step import GradientStep

        return GradientStep(self, model, settings, compute, timeline, ranks)

    def order(self, rows: np.ndarray) -> np.ndarray:
        """Int64: the places of the rows in the order in which their results are computed; by default as they come."""
        return np.arange(len(rows))

    @property
    def most_at_once(self) -> int:
        """Examples of which results are computed at once, as memory allows."""
        return 512

    def check_output(self, output: Any) -> None:  # noqa: B027 - most tasks take anything
        """RecipeError where what the model gives is not what the task needs; by default anything will do."""

    # --- in the loop -----------------------------------------------------------------------------------------

    @abstractmethod
    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        """Gather rows into a batch; with a `draw` (training only) also augment it."""

    @abstractmethod
    def counts(self, batch: Batch) -> dict[str, float]:
        """Part -> count, from the targets alone, so that counts can be added before the first backward pass."""

    @abstractmethod
    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        """The loss of the model on the batch, as named parts."""

    def output_gradient(self, outputs: Tensor, batch: Batch) -> tuple[Part, Tensor] | None:
        """The loss as one part, and the gradient of its sum in the model's outputs in closed form; None: not known."""
        return None

    # --- after it --------------------------------------------------------------------------------------------

    @abstractmethod
    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Per-example results: "prediction", "loss", and "score", "probabilities", "weight" where there are."""

    def glance(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The results while training is looked at, where these may be had for less; the same by default."""
        return self.results(model, batch)

    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """The results of all examples of an evaluation, with those added that need all of them (the nearest other one).

        rows: of the attached data, in the order of the results.
        """
        return results

    @abstractmethod
    def targets(self, rows: np.ndarray) -> np.ndarray:
        """The true targets of the rows, as they stand in Rows."""

    def mean_loss(self, rows: Rows) -> float:
        """The mean of the losses that are known, by the weights of the examples in `loss`, so that it can be held
        against that of training; NaN where none is known."""
        losses, weight = np.asarray(rows["loss"], dtype=np.float64), rows.get("weight")
        weight = np.ones(len(rows)) if weight is None else weight
        counts = ~np.isnan(losses) & (weight > 0)
        return float(np.average(losses[counts], weights=weight[counts])) if counts.any() else nan

    @property
    @abstractmethod
    def metrics(self) -> tuple[Metric, ...]:
        """The figures of merit; the first one is what the result is judged by."""

    @property
    def compared_by(self) -> Metric | None:
        """What two models are compared by; None: by right and wrong, by squared errors, or by score, as rows have them.

        The first metric where the recipe names one, and where predictions are not to be like targets.
        """
        return self.metrics[0] if self.settings.metric or not self.needs_target else None

    @property
    def classes(self) -> tuple[str, ...]:
        """The names behind class codes; empty where the target is a number."""
        return ()

    @property
    def vocabularies(self) -> tuple[tuple[str, ...], ...]:
        """The tokens of each input of `spec` that is made of tokens, by which tables of weights are carried over.

        A network says in `token_tables` which of its parameters have a number for each token: the beginning of their
        names -> the place of their input here.
        """
        return ()

    def marked(self, batch: Batch, pictures: list[np.ndarray]) -> list[np.ndarray]:
        """The pictures of a batch, H×W×C uint8, with its targets drawn in where these lie on them."""
        return pictures

    @abstractmethod
    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """What a person reads of predictions: one dict of plain values per example."""

    def answers(self, model: nn.Module, data: Dataset, compute: Compute) -> list[dict[str, Any]] | None:
        """What a person reads of new data, where it takes more than `results` of batches; None: it does not."""
        return None

    def asked(self, data: Dataset) -> np.ndarray | None:
        """The rows of new data that are to be answered, where not all are; the data is then attached as a whole."""
        return None

    def drawn(self, model: nn.Module, rows: np.ndarray, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Original pictures (H×W×C uint8) of those rows of the attached data, with target and prediction drawn in where
        they lie on the picture; by default as they are."""
        return list(pictures)

    def searched(self, model: nn.Module, rows: np.ndarray, wide: int) -> Searched | None:
        """What its search found for rows of the attached data, the reference, and what a beam of `wide` finds instead;
        None where the task searches for nothing. In evaluation mode."""
        return None

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        """Pictures of what was learnt, made after training: samples, codes, filters. In evaluation mode.

        rows: of the attached data that were not learnt from, of which examples may be shown.
        """
        return []

    def snapshot(self, model: nn.Module) -> np.ndarray | None:
        """A small picture, H×W×C uint8, of where the model stands, taken some twelve times in training; None: none.

        Draws with a generator of its own, always the same draws, so that pictures differ by what was learnt alone.
        """
        return None

    def signs(self, lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
        """The ways in which learning this task fails that have happened, told beside the health of the layers.

        lines: of metrics.jsonl, in which events "health" hold what `Step.figures` told. parts: "dev", … -> its rows.
        """
        return []

    # --- to ship it ------------------------------------------------------------------------------------------

    def settle(self, parts: Mapping[str, Rows]) -> None:  # noqa: B027 - most tasks decide nothing afterwards
        """Decide what takes rows that were not learnt from, such as a threshold, before `state` is shipped.

        parts: "dev", … -> its rows. Of a network that was trained once more on dev as well, those of the one before.
        """

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """All that `fit` found, as plain JSON values: with the weights it makes a bundle."""

    @abstractmethod
    def load_state(self, state: Mapping[str, Any]) -> None: ...
