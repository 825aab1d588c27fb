"""Shell completion: the names that can be typed. Called only by the shell, so each imports what it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

Choices = list[tuple[str, str]]


def tasks(incomplete: str) -> Choices:
    from orthogon import registry

    return [(entry.name, entry.line) for entry in registry.tasks if entry.name.startswith(incomplete)]


def models(incomplete: str) -> Choices:
    from orthogon import registry

    return [(entry.name, entry.line) for entry in registry.models if entry.name.startswith(incomplete)]


def data(incomplete: str) -> Choices:
    """Public names and paths."""
    from orthogon.verbs.listing import rows

    names = [(row["name"], row["line"]) for row in rows("data")]
    return [pair for pair in names if pair[0].startswith(incomplete)] + _paths(incomplete)


def recipes(incomplete: str) -> Choices:
    """The recipes that come with the software, and paths."""
    from orthogon.train.recipes import names

    return [pair for pair in names().items() if pair[0].startswith(incomplete)] + _paths(incomplete)


def gettable(incomplete: str) -> Choices:
    """Public data sets, and weights with their model."""
    from orthogon.verbs.listing import rows

    names = [(row["name"], row["line"]) for row in rows("data")]
    names += [(row["name"], f"{row['MB']} MB, {row['licence']}") for row in rows("weights")]
    return [pair for pair in names if pair[0].startswith(incomplete)]


def weights(incomplete: str) -> Choices:
    """Published names, short and with the model; runs; files."""
    from orthogon.train.published import PUBLISHED

    short = {each.trained_on: "the first file of that data set" for each in PUBLISHED}
    exact = {each.name: "" for each in PUBLISHED} | {each.title: "" for each in PUBLISHED}
    names = [pair for pair in (short | exact | short).items() if pair[0].startswith(incomplete)]
    return names + runs(incomplete) + _paths(incomplete)


def runs(incomplete: str) -> Choices:
    names = [path.parent.name for path in sorted(Path("runs").glob("*/recipe.yaml"))]
    found = [("last", "the last run"), ("last~1", "the one before it"), *((name, "") for name in names)]
    return [pair for pair in found if pair[0].startswith(incomplete)]


def knobs(incomplete: str) -> Choices:
    """`KEY=` of the recipe, and after `train.optimizer=` and its like the names that may follow."""
    from orthogon.train.recipe import flat_fields

    key, equals, value = incomplete.partition("=")
    if equals:
        return [(f"{key}={name}", line) for name, line in _values(key) if name.startswith(value)]
    return [
        (f"{name}=", field.description or "") for name, field in flat_fields() if name.startswith(incomplete)
    ]


def one_of(*names: str) -> Callable[[str], list[str]]:
    def choose(incomplete: str) -> list[str]:
        return [name for name in names if name.startswith(incomplete)]

    return choose


def _values(key: str) -> Choices:
    from orthogon import registry

    tables = {
        "train.optimizer": registry.optimizers,
        "train.schedule": registry.schedules,
        "model.name": registry.models,
        "task.name": registry.tasks,
    }
    return [(entry.name, entry.line) for entry in tables[key]] if key in tables else []


def _paths(incomplete: str) -> Choices:
    folder, slash, start = incomplete.rpartition("/")
    here = Path(folder + slash or ".")
    found = sorted(path for path in here.glob("*") if path.name.startswith(start)) if here.is_dir() else []
    return [(f"{folder}{slash}{path.name}{'/' if path.is_dir() else ''}", "") for path in found[:100]]
