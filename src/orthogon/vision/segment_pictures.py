"""Masks of whole pictures in their own size, in the scale in which the network was trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.data.columns import ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.geometry import placement
from orthogon.data.masks import IGNORE, Mask, MaskColumn
from orthogon.data.picture_files import PictureError
from orthogon.data.pictures import resize, whole_picture
from orthogon.draw.masks import overlay
from orthogon.nn.modes import evaluating
from orthogon.train.compute import Compute
from orthogon.vision.tiles import outputs

if TYPE_CHECKING:
    from orthogon.vision.segment import Segment

STRIP = 2**22  # numbers of the logits that are enlarged at once


def answers(task: Segment, model: nn.Module, data: Dataset, compute: Compute) -> list[dict[str, Any]]:
    """{"shares": class -> share of the pixels, "mask": Mask} of each picture, or {"error"} where one cannot be decoded.

    A network that saw its train pictures in their own size sees these in theirs, however large, in tiles; one whose
    pictures were fitted to a size sees these scaled as the fit does it, but whole: nothing is cropped and no bar added.
    """
    column = data.columns[task.encoder.columns[0]]
    assert isinstance(column, ImageColumn)  # noqa: S101 - checked against the schema
    found: list[dict[str, Any]] = []
    with compute.in_force(), evaluating(model), compute.precision():
        for row in range(len(column)):
            try:
                picture = whole_picture(column, row, task.encoder.channels)
            except PictureError as error:
                found.append({"error": f"{error.where}: {error.what}" if error.where else error.what})
                continue
            codes = mask_of(task, model, picture, compute.device)
            shares = np.bincount(codes.reshape(-1), minlength=len(task.names))[: len(task.names)] / codes.size
            found.append({"shares": dict(zip(task.names, shares.tolist())), "mask": Mask.of(codes, task.names)})
    return found


def drawn(task: Segment, model: nn.Module, masks: MaskColumn, pictures: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Strips of three: the picture (H×W×C uint8), its true mask over it, the predicted one over it."""
    code = np.full(256, IGNORE, dtype=np.uint8)
    code[: len(masks.names)] = [task.names.index(name) for name in masks.names]
    found = []
    with evaluating(model):
        for row, picture in enumerate(pictures):
            as_seen = whole_picture(ImageColumn(picture.transpose(2, 0, 1)[None]), 0, task.encoder.channels)
            predicted = mask_of(task, model, as_seen, task.inputs.device)
            shown = [overlay(picture, codes) for codes in (np.zeros_like(predicted), code[masks.cell(row)], predicted)]
            gap = np.full((len(picture), max(1, picture.shape[1] // 32), 3), 255, dtype=np.uint8)
            found.append(np.concatenate([shown[0], gap, shown[1], gap, shown[2]], axis=1))
    return found


def mask_of(task: Segment, model: nn.Module, picture: np.ndarray, device: torch.device) -> np.ndarray:
    """Uint8 (H, W) codes of a picture H×W×C; the model in evaluation mode, on the device."""
    high, wide = picture.shape[:2]
    seen = (high, wide) if task.native else scaled_size((high, wide), task.encoder.size, task.encoder.fit)
    stored = torch.tensor(resize(picture, seen, "stretch").transpose(2, 0, 1)[None], device=device)
    prepared = task.encoder.prepare(stored)[0]
    if seen == (high, wide):
        codes = np.empty(seen, dtype=np.uint8)
        for rows, columns, logits in outputs(model, prepared):
            codes[rows, columns] = logits.argmax(0).cpu().numpy()
        return codes
    whole = torch.empty(len(task.names), *seen)
    for rows, columns, logits in outputs(model, prepared):
        whole[:, rows, columns] = logits.float().cpu()
    return enlarged_codes(whole, (high, wide))


def scaled_size(size: tuple[int, int], network: tuple[int, int], fit: str) -> tuple[int, int]:
    """(H, W) of a picture in the scale to which the fit brings it, without cropping it or adding bars."""
    across, down = placement(np.array([size]), network, fit).scale[0]
    return max(1, round(size[0] * down)), max(1, round(size[1] * across))


def enlarged_codes(logits: Tensor, size: tuple[int, int]) -> np.ndarray:
    """Uint8 (H, W): the class of the largest of K×h×w logits, brought to the size bilinearly; in strips, so that memory
    stays bounded."""
    (above, below, down), (left, right, across) = (_between(*pair) for pair in zip(logits.shape[1:], size))
    wide = logits[:, :, left] * (1 - across) + logits[:, :, right] * across
    step = max(1, STRIP // (len(logits) * size[1]))
    strips = [
        torch.lerp(wide[:, above[k : k + step]], wide[:, below[k : k + step]], down[k : k + step, None]).argmax(0)
        for k in range(0, size[0], step)
    ]
    return torch.cat(strips).to(torch.uint8).numpy()


def _between(source: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `size` places: the two places of `source` that it lies between, and how far towards the second."""
    place = ((torch.arange(size) + 0.5) * (source / size) - 0.5).clamp(0, source - 1)
    first = place.floor().long()
    return first, (first + 1).clamp(max=source - 1), place - first
