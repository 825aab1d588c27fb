"""What a network looks at, as a document for the report: small pictures, layers, units, numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.draw.heat import enlarged, overlay, patch_sheet
from orthogon.draw.images import Pixels, thumbnails
from orthogon.errors import RecipeError
from orthogon.nn.modes import evaluating
from orthogon.nn.receptive_field import rectangles
from orthogon.tasks.classify import Classify
from orthogon.train.compute import Compute
from orthogon.vision.inside.grad_cam import grad_cam, over_picture
from orthogon.vision.inside.layers import Layer, check_layer, chosen_layers, layers, probabilities
from orthogon.vision.inside.occlusion import occlusion
from orthogon.vision.inside.patches import TopPatches, top_patches

BATCH = 64
UNITS = 6
SIDE = 160


@dataclass(frozen=True)
class Subject:
    """A network with the data that is attached to its task; pictures are shown as the network is given them."""

    task: Classify
    model: nn.Module
    compute: Compute
    ids: np.ndarray

    def inputs(self, rows: Sequence[int] | np.ndarray) -> tuple[Tensor, ...]:
        chosen = torch.as_tensor(np.asarray(rows), dtype=torch.int64).to(self.compute.device)
        return self.compute.lay_out(self.task.batch(chosen).inputs)

    def pixels(self, row: int) -> Pixels:
        """H×W×C uint8."""
        return self.task.inputs.stored[0][row].permute(1, 2, 0).cpu().numpy()

    def chosen(self, name: str | None) -> list[Layer]:
        """The layer of that name alone; without a name an early, a middle and the last one.

        RecipeError, naming those that there are, where there is no such layer, and where there are no maps.
        """
        if name is not None:
            return [check_layer(self.model, self.inputs([0]), name)]
        found = chosen_layers(self.model, self.inputs([0]))
        if not found:
            raise RecipeError("this network has no layers with maps to look into", where="model",
                              remedy="Look into a convolutional one: --model convnet.")
        return found


class Clock:
    """Seconds that may be spent; without a limit there is always time. cut: whether anything was left out for time."""

    def __init__(self, limit: float | None) -> None:
        self.limit, self.started, self.cut = limit, time.monotonic(), False

    def more(self, share: float = 1.0) -> bool:
        """Whether less than that share of the time is spent."""
        out = self.limit is not None and time.monotonic() - self.started > share * self.limit
        self.cut = self.cut or out
        return not out


def layers_document(subject: Subject) -> list[dict[str, Any]]:
    """Each layer with what a unit of it sees at most, as height and width in pixels."""
    every = layers(subject.model, subject.inputs([0]))
    seen = rectangles(subject.model, subject.inputs([0]), [layer.name for layer in every])
    sides = {name: (boxes[..., 2:] - boxes[..., :2]).amax((0, 1)).tolist() for name, boxes in seen.items()}
    return [{**layer._asdict(), "sees": sides[layer.name][::-1]} for layer in every]


def examples_document(subject: Subject, rows: np.ndarray, layer: str) -> list[dict[str, Any]]:
    """Each example with Grad-CAM for its true and its predicted class.

    rows: of the data; each needs a label. Heat is scaled to the hottest place of either class.
    """
    inputs, true = subject.inputs(rows), torch.from_numpy(subject.task.targets(rows))
    with evaluating(subject.model):
        stated = probabilities(subject.model, inputs).cpu()
    predicted, classes = stated.argmax(1), subject.task.classes
    maps = np.stack([over_picture(grad_cam(subject.model, inputs, asked, layer), *inputs[0].shape[2:]).cpu().numpy()
                     for asked in (true, predicted)])
    found = []
    for k, row in enumerate(rows.tolist()):
        pixels = subject.pixels(row)
        heat = maps[:, k] / (maps[:, k].max() or 1.0)
        pictures = thumbnails([enlarged(pixels, SIDE), *(overlay(pixels, each, SIDE) for each in heat)])
        found.append({
            "id": str(subject.ids[row]), "true": classes[true[k]], "predicted": classes[predicted[k]],
            "probability_of_true": float(stated[k, true[k]]),
            "probability_of_predicted": float(stated[k, predicted[k]]),
            **dict(zip(("picture", "true_heat", "predicted_heat"), pictures, strict=True)),
        })
    return found


def add_occlusion(subject: Subject, rows: np.ndarray, examples: Sequence[dict[str, Any]], clock: Clock) -> None:
    """To the examples, while there is time: `drop`, the most that the predicted class loses, and where it does."""
    for row, example in zip(rows.tolist(), examples, strict=True):
        if clock.more():
            code = subject.task.classes.index(example["predicted"])
            drops = occlusion(subject.model, subject.inputs([row]), code).cpu().numpy()
            example["drop"] = float(drops.max())
            drawn = overlay(subject.pixels(row), drops / max(float(drops.max()), 1e-9), SIDE)
            example["occlusion"] = thumbnails([drawn])[0]


def patches_document(
    subject: Subject, rows: np.ndarray, names: Sequence[str], units: Sequence[int] | None, clock: Clock
) -> tuple[list[dict[str, Any]], int]:
    """The layers with their units, each with a sheet of its nine patches; and how many pictures were looked at.

    units: which channels; left out, the six of each layer whose strongest answers stand out most from their mean.
    At least one batch of the rows is looked at, and as many more as fit into two thirds of the time.
    """
    looked_at = 0

    def batches() -> Iterator[tuple[Tensor, ...]]:
        nonlocal looked_at
        for start in range(0, len(rows), BATCH):
            if start and not clock.more(2 / 3):
                return
            chunk = rows[start : start + BATCH]
            looked_at += len(chunk)
            yield subject.inputs(chunk)

    found = top_patches(subject.model, batches(), names)
    return [{"layer": name, "units": _units(subject, rows, found[name], units)} for name in names], looked_at


def _units(subject: Subject, rows: np.ndarray, best: TopPatches, units: Sequence[int] | None) -> list[dict[str, Any]]:
    count = len(best.values)
    wrong = [unit for unit in units or () if not 0 <= unit < count]
    if wrong:
        raise RecipeError(f"the layer {best.layer!r} has units 0 to {count - 1}, not {wrong[0]}", where="unit",
                          remedy="Leave --unit out to see those that are most selective.")
    chosen = best.selectivity.argsort(descending=True, stable=True)[:UNITS].tolist() if units is None else list(units)
    sheets, found = [], []
    for unit in chosen:
        places = list(zip(rows[best.pictures[unit].numpy()].tolist(), best.rectangles[unit].tolist(), strict=True))
        sheets.append(patch_sheet([subject.pixels(row)[top:bottom, left:right] for row, (left, top, right, bottom)
                                   in places], best.size))
        found.append({"unit": unit, "selectivity": float(best.selectivity[unit]), "patches": [
            {"id": str(subject.ids[row]), "answer": float(value), "rectangle": box}
            for (row, box), value in zip(places, best.values[unit], strict=True)]})
    return [{**each, "picture": picture} for each, picture in zip(found, thumbnails(sheets), strict=True)]
