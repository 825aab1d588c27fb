"""The recipe: one typed document that reproduces a run. YAML, command line and Python are spellings of it.

Its sections and their knobs are in `settings`. This module does not import torch: a run folder with its recipe must
exist long before torch is loaded.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from orthogon.errors import RecipeError, nearest
from orthogon.train.settings import DataSettings, ModelSettings, Section, SplitSettings, TaskSettings, TrainSettings

VERSION = 1


class Recipe(Section):
    """A whole run. Keys are flat: `train.lr`, `data.source`."""

    version: int = VERSION
    data: DataSettings = Field(default_factory=DataSettings)
    split: SplitSettings = Field(default_factory=SplitSettings)
    task: TaskSettings = Field(default_factory=TaskSettings)
    model: ModelSettings = Field(default_factory=ModelSettings)
    train: TrainSettings = Field(default_factory=TrainSettings)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "recipe") -> Recipe:
        """A recipe from nested values; RecipeError that names the key, what is wrong, and the nearest known key."""
        if not isinstance(values, Mapping):
            raise RecipeError("a recipe is a mapping of sections", where=where)
        version = values.get("version", VERSION)
        if isinstance(version, int) and version > VERSION:
            raise RecipeError(
                f"this recipe has version {version}, this Orthogon reads up to {VERSION}", where=where,
                remedy="Install a newer Orthogon: pip install --upgrade orthogon",
            )
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise _explained(error, where) from None

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """The recipe in a YAML file."""
        path = Path(path)
        try:
            values = yaml.safe_load(path.read_text())
        except FileNotFoundError:
            raise RecipeError("there is no such recipe", where=str(path)) from None
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise RecipeError(f"not readable as YAML: {error}", where=str(path)) from None
        return cls.from_dict(values or {}, where=str(path))

    def with_values(self, values: Mapping[str, Any], where: str = "--set") -> Recipe:
        """A copy with some flat keys (`train.lr`) set to other values; what was left open stays open.

        `model.options.NAME` sets one option of the model and keeps the others.
        """
        nested = self.model_dump(exclude_unset=True)
        known = [key for key, _ in flat_fields()]
        for key, value in values.items():
            if key.startswith("model.options."):
                model = nested.setdefault("model", {})
                model["options"] = {**model.get("options", {}), key.removeprefix("model.options."): value}
                continue
            if key not in known:
                raise RecipeError(f"there is no key {key!r}", where=where, remedy=nearest(key, known))
            section, _, name = key.partition(".")
            nested.setdefault(section, {})[name] = value
        return Recipe.from_dict(nested, where=where)

    def flat(self) -> dict[str, Any]:
        """Flat key -> value."""
        return {
            f"{section}.{name}": value
            for section, values in self.model_dump().items() if isinstance(values, dict)
            for name, value in values.items()
        }

    def to_yaml(self) -> str:
        """YAML that `read` gives back as an equal recipe; fields left at None are not written."""
        return yaml.safe_dump(self.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True)


def flat_fields() -> Iterator[tuple[str, Any]]:
    """(flat key, pydantic field) of every knob."""
    for section, field in Recipe.model_fields.items():
        settings = field.annotation
        if isinstance(settings, type) and issubclass(settings, Section):
            for name, inner in settings.model_fields.items():
                yield f"{section}.{name}", inner


def parse_assignment(text: str) -> tuple[str, Any]:
    """'train.lr=0.01' -> ("train.lr", 0.01), the value read as YAML."""
    key, equals, value = text.partition("=")
    if not equals:
        raise RecipeError(f"{text!r} is not KEY=VALUE", where="--set", remedy="For example: --set train.lr=0.01")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"the value is not readable as YAML: {error}", where=f"--set {key}") from None
    if isinstance(parsed, str):
        with suppress(ValueError):  # YAML reads 1e-3 as a string
            parsed = float(parsed)
    return key.strip(), parsed


def _explained(error: ValidationError, where: str) -> RecipeError:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"] if "[" not in str(part)]  # "dict[str,float]" is a type, not a key
    key = ".".join(path)
    if first["type"] == "extra_forbidden":
        known = [k for k, _ in flat_fields()] if len(path) > 1 else list(Recipe.model_fields)
        return RecipeError(f"there is no key {key!r}", where=where, remedy=nearest(key, known))
    given, should = first["input"], first["msg"].partition(", unable")[0].replace("Input", "the value", 1)
    should = should.removeprefix("Value error, ")
    if isinstance(given, float) and math.isnan(given):
        should = "the value should be a number"
    remedy = f"`orthogon list knobs` shows what {'.'.join(path[:2])} may be."
    if first["type"] == "literal_error":
        remedy = nearest(str(given), re.findall(r"'(\w+)'", first["msg"]))
    return RecipeError(f"{should}; got {given!r}", where=f"{where}: {key}", remedy=remedy)
