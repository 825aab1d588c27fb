"""The patches of pictures that a unit answers to most (row 22.08)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from orthogon.nn.modes import evaluating
from orthogon.nn.receptive_field import rectangles
from orthogon.vision.inside.layers import Inputs, as_tuple, check_layer, listening


@dataclass(frozen=True)
class TopPatches:
    """Of each unit (channel) of a layer the places where it answered most, the most first.

    values:     float32 (units, count); −∞ where there were fewer places than `count`.
    pictures:   int64 (units, count): which picture, counted over all batches from 0.
    rectangles: int64 (units, count, 4): exactly the pixels that the unit sees there (left, top, right, bottom).
    size:       height and width of the largest of all the layer's rectangles.
    selectivity: float32 (units,): how far the mean of the shown answers lies above the unit's mean answer to all
                places, in its standard deviations; 0 for a unit that never changes.
    """

    layer: str
    values: Tensor
    pictures: Tensor
    rectangles: Tensor
    size: tuple[int, int]
    selectivity: Tensor


def top_patches(
    model: nn.Module, batches: Iterable[Inputs], names: Sequence[str], count: int = 9, *, one_per_picture: bool = True
) -> dict[str, TopPatches]:
    """The strongest answers of every unit of the named layers: name -> TopPatches.

    batches: of pictures as the model takes them, looked at once. count: patches of each unit.
    one_per_picture: at most one patch of a picture, so that nine patches are nine pictures.

    No more is kept than the best so far and two sums for each unit. Source: Zeiler & Fergus 2013, "Visualizing and
    understanding convolutional networks", arXiv:1311.2901. RecipeError, with the valid names, for an unknown layer;
    ValueError without pictures.
    """
    kept: dict[str, _Best] = {}
    modules = dict(model.named_modules())
    first: tuple[Tensor, ...] | None = None
    for batch in batches:
        inputs = as_tuple(batch)
        if first is None:
            first = tuple(each[:1] for each in inputs)
            for name in names:
                check_layer(model, first, name)
                kept[name] = _Best(count, 1 if one_per_picture else count)
        for name, maps in _maps(model, inputs, {name: modules[name] for name in names}).items():
            kept[name].add(maps)
    if first is None:
        raise ValueError("there are no pictures; expected at least one batch. Give batches of N×C×H×W.")
    seen = rectangles(model, first, names)
    return {name: kept[name].patches(name, seen[name]) for name in names}


def _maps(model: nn.Module, inputs: tuple[Tensor, ...], modules: dict[str, nn.Module]) -> dict[str, Tensor]:
    """What each module gives; of one that runs several times the last."""
    found: dict[str, Tensor] = {}

    def keep(name: str, _: nn.Module, output: Tensor) -> None:
        found[name] = output.clone()  # what follows may write into it

    with listening(modules, keep), evaluating(model):
        model(*inputs)
    return found


class _Best:
    """The best answers of each unit so far, and the moments of all its answers."""

    def __init__(self, count: int, each: int) -> None:
        self.count, self.each = count, each
        self.looked_at = self.places = 0
        self.found: tuple[Tensor, Tensor, Tensor] | None = None  # values, pictures, places: units × count
        self.total = self.squares = torch.zeros(())

    def add(self, maps: Tensor) -> None:
        answers = maps.float().flatten(2)  # N × units × places
        self.total = self.total + answers.double().sum((0, 2)).cpu()
        self.squares = self.squares + answers.double().square().sum((0, 2)).cpu()
        self.places += len(answers) * answers.shape[2]
        values, places = answers.topk(min(self.each, answers.shape[2]), dim=2)
        numbers = torch.arange(len(answers)).view(-1, 1, 1).expand(places.shape) + self.looked_at
        self.looked_at += len(answers)
        fresh = [part.cpu().transpose(0, 1).flatten(1) for part in (values, numbers, places)]  # units × candidates
        if self.found is not None:
            fresh = [torch.cat([old, new], dim=1) for old, new in zip(self.found, fresh, strict=True)]
        order = fresh[0].sort(dim=1, descending=True, stable=True).indices[:, : self.count]
        self.found = (fresh[0].gather(1, order), fresh[1].gather(1, order), fresh[2].gather(1, order))

    def patches(self, name: str, seen: Tensor) -> TopPatches:
        assert self.found is not None  # noqa: S101 - at least one batch was added
        values, pictures, places = self.found
        boxes = seen.flatten(0, 1)
        mean = self.total / self.places
        deviation = (self.squares / self.places - mean.square()).clamp(min=0).sqrt()
        above = (values.double().mean(1) - mean) / deviation
        width, height = (boxes[:, 2:] - boxes[:, :2]).amax(0).tolist()
        return TopPatches(name, values, pictures, boxes[places], (height, width),
                          above.where(deviation > 1e-6 * mean.abs(), 0.0).float())
