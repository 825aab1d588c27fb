"""Data as the user names it, read as the recipe's `data` section says; without torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orthogon.data.dataset import Dataset
from orthogon.data.read import read
from orthogon.errors import DataError
from orthogon.train.settings import DataSettings
from orthogon.verbs.compose import IN_MEMORY, compose


def read_as(settings: DataSettings, source: Any = None) -> Dataset:
    """The data that the settings name (the bundled digits where they name none), or the object that is given."""
    if source is None or isinstance(source, str | Path):
        source = settings.source or "digits"
    if isinstance(source, str) and source == IN_MEMORY:
        raise DataError("the data of this recipe was an object in memory", where="data.source",
                        remedy="Give the object again: og.train(data, recipe=…), og.mistakes(run, data=data).")
    return read(
        source, target=settings.target if isinstance(settings.target, str) else None, types=settings.types or None,
        columns=settings.columns, header=settings.header, group=settings.group, source_column=settings.source_column,
        weight=settings.weight, channels=settings.channels, skip_bad=settings.skip_bad, running=settings.running,
        corrections=settings.corrections,
    )


def data_settings(
    source: Any, target: str | None = None, options: Mapping[str, Any] | None = None, **more: Any
) -> DataSettings:
    """The `data` section for a source, a target, and options by flat key (`data.types`); `more` without "data."."""
    given = {**(options or {}), **{f"data.{name}": value for name, value in more.items()}}
    return compose(source, target=target, options=given)[0].data
