"""Recipes that come with the software, by name: "strong", "classic/mnist-convnet"."""

from __future__ import annotations

from importlib.resources import as_file, files
from importlib.resources.abc import Traversable

from orthogon.errors import RecipeError, nearest
from orthogon.train.recipe import Recipe


def names() -> dict[str, str]:
    """Name -> one line: the comment that each file begins with."""
    return {name: file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ") for name, file in _files()}


def read(name: str) -> Recipe:
    """The recipe of that name; RecipeError naming the nearest where there is none."""
    found = dict(_files())
    if name not in found:
        raise RecipeError(f"there is no file and no recipe called {name!r}", where="--recipe",
                          remedy=f"{nearest(name, list(found))} `orthogon list recipes` shows those that come with it.")
    with as_file(found[name]) as path:
        return Recipe.read(path)


def _files() -> list[tuple[str, Traversable]]:
    return sorted(_below(files("orthogon") / "recipes", ""))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Traversable]]:
    found: list[tuple[str, Traversable]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _below(each, f"{prefix}{each.name}/")
        elif each.name.endswith(".yaml"):
            found.append((prefix + each.name.removesuffix(".yaml"), each))
    return found
