"""The sort of table that a registry is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any

from orthogon.errors import RecipeError, nearest


@dataclass(frozen=True)
class Option:
    """A knob of a model: a key of `model.options`, with its default, its bounds, and what it is turned for (row 14.01).

    low, high: inclusive; of a list they hold for each of its numbers. None: it is no number.
    scale:     how a search should step through it: "linear" or "log".
    problem:   as in the recipe: "train fit", "dev fit", …
    """

    name: str
    default: Any
    line: str
    low: float | None = None
    high: float | None = None
    scale: str = "linear"
    problem: str = "train fit"

    def check(self, value: Any) -> None:
        """RecipeError where a number is out of bounds; what is no number is the model's to judge."""
        if self.low is None or self.high is None:
            return
        for each in value if isinstance(value, Sequence) and not isinstance(value, str) else [value]:
            if isinstance(each, int | float) and not self.low <= each <= self.high:
                raise RecipeError(f"{self.name} is from {self.low:g} to {self.high:g}; got {each!r}",
                                  where=f"model.options.{self.name}", remedy=f"The default is {self.default!r}.")


@dataclass(frozen=True)
class Entry:
    """One named thing.

    path:  "package.module:attribute".
    line:  one line of what it is.
    kinds: the kinds of input column that it accepts; empty = any.
    extra: the optional dependency that it needs.
    options: of a model, what `model.options` may hold.
    variant: where one function builds several, which of them: what it is given as `variant`.
    published: of a model for pictures, what it was published for: C×H×W, and its number of outputs.
    """

    name: str
    path: str
    line: str
    kinds: tuple[str, ...] = ()
    extra: str = ""
    options: tuple[Option, ...] = ()
    variant: str = ""
    published: tuple[int, ...] = ()

    def load(self) -> Any:
        module, _, attribute = self.path.partition(":")
        found = getattr(import_module(module), attribute)
        return partial(found, variant=self.variant) if self.variant else found


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
