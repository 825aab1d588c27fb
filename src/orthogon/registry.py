"""What can be named in a recipe: name -> where it lives, readable without importing it.

A registry is a table. Other packages join through the entry-point groups `orthogon.models`, `orthogon.tasks`,
`orthogon.optimizers` and `orthogon.schedules`: the entry point's name is the name, its value the dotted path.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from orthogon.errors import RecipeError, nearest


@dataclass(frozen=True)
class Entry:
    """One named thing.

    path:  "package.module:attribute".
    line:  one line of what it is.
    kinds: the kinds of input column that it accepts; empty = any.
    extra: the optional dependency that it needs.
    """

    name: str
    path: str
    line: str
    kinds: tuple[str, ...] = ()
    extra: str = ""

    def load(self) -> Any:
        module, _, attribute = self.path.partition(":")
        return getattr(import_module(module), attribute)


class Registry:
    """A table of entries of one sort ("model", "task", …)."""

    def __init__(self, sort: str, entries: tuple[Entry, ...]) -> None:
        self.sort = sort
        self.entries = {entry.name: entry for entry in entries}

    @cache  # noqa: B019 - registries live as long as the process
    def table(self) -> dict[str, Entry]:
        """The entries of Orthogon, then those that installed packages add."""
        joined = dict(self.entries)
        for point in entry_points(group=f"orthogon.{self.sort}s"):
            joined.setdefault(point.name, Entry(point.name, point.value, f"from {point.value.split(':')[0]}"))
        return joined

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.table().values())

    def __contains__(self, name: object) -> bool:
        return name in self.table()

    def names(self) -> list[str]:
        return list(self.table())

    def entry(self, name: str) -> Entry:
        """The entry of that name; RecipeError naming the nearest where there is none."""
        try:
            return self.table()[name]
        except KeyError:
            raise RecipeError(
                f"there is no {self.sort} called {name!r}",
                remedy=f"{nearest(name, self.names())} `orthogon list {self.sort}s` shows them all.",
            ) from None

    def load(self, name: str) -> Callable[..., Any]:
        return self.entry(name).load()


tasks = Registry(
    "task",
    (
        Entry("classify", "orthogon.tasks.classify:Classify", "one label of several, from pictures or tables"),
        Entry("regress", "orthogon.tasks.regress:Regress", "a number, or several"),
        Entry("multilabel", "orthogon.tasks.multilabel:MultiLabel", "any number of labels; unknown ones left out"),
    ),
)

models = Registry(
    "model",
    (
        Entry("linear", "orthogon.nn.models:linear", "logistic, softmax or linear regression: no hidden layer"),
        Entry("mlp", "orthogon.nn.models:mlp", "fully connected layers; category embeddings on tables"),
        Entry("lenet5", "orthogon.vision.lenet5:lenet5", "LeNet-5 (1998), modern or paper variant", ("image",)),
        Entry("convnet", "orthogon.vision.convnet:convnet", "small batch-normalized convnet", ("image",)),
        Entry("gmlp", "orthogon.vision.gmlp:gmlp", "gated MLP over patches, without attention", ("image",)),
    ),
)

optimizers = Registry(
    "optimizer",
    (
        Entry("sgd", "torch.optim:SGD", "plain gradient descent"),
        Entry("momentum", "torch.optim:SGD", "gradient descent along the sum of past gradients, each older one fading"),
        Entry("averaged_momentum", "orthogon.optim.momentum:AveragedMomentum",
              "the same along their average: momentum at rate lr·(1 − β)"),
        Entry("nesterov", "torch.optim:SGD", "momentum that looks a step ahead"),
        Entry("rmsprop", "torch.optim:RMSprop", "gradient over its running root mean square"),
        Entry("adagrad", "torch.optim:Adagrad", "gradient over the root of all its past squares; for sparse data"),
        Entry("adadelta", "torch.optim:Adadelta", "Adagrad that forgets, and needs no rate: --lr 1"),
        Entry("adam", "torch.optim:Adam", "adaptive moments; weight decay through the gradient"),
        Entry("adamw", "torch.optim:AdamW", "Adam with decoupled weight decay; the default"),
        Entry("nadam", "torch.optim:NAdam", "Adam that looks a step ahead"),
        Entry("adamod", "orthogon.optim.adamod:AdaMod", "Adam whose rates stay below their own long average"),
    ),
)

schedules = Registry(
    "schedule",
    (
        Entry("constant", "orthogon.optim.schedules:Constant", "the rate stays as it is"),
        Entry("linear", "orthogon.optim.schedules:Linear", "in a straight line to zero"),
        Entry("cosine", "orthogon.optim.schedules:Cosine", "half a cosine from the rate to zero"),
        Entry("one_cycle", "orthogon.optim.schedules:OneCycle", "up to the rate, then down to zero"),
        Entry("inverse_time", "orthogon.optim.schedules:InverseTime", "over 1 + epoch"),
        Entry("exponential", "orthogon.optim.schedules:Exponential", "times 0.95 each epoch"),
        Entry("root", "orthogon.optim.schedules:Root", "over the root of the epoch"),
        Entry("step", "orthogon.optim.schedules:Staircase", "times a factor every so many epochs"),
        Entry("manual", "orthogon.optim.schedules:Manual", "by a table of epochs: train.schedule_table"),
        Entry("plateau", "orthogon.optim.schedules:Plateau", "times a factor when the dev score stops improving"),
    ),
)
