"""What the outputs of a network that localizes mean, in shares of its picture and in pixels (rows 20.01, 20.03)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

LEAST_SPREAD = 0.02
"""Standard deviation, as a share of the picture, that a place is taken to have at least: places that hardly vary in
training would otherwise weigh without bound."""


class Said(NamedTuple):
    """Outputs by what they speak of; None for what there is none of.

    present: (n,), the logit of P_c. classes: (n, K) logits. box: (n, 4), b_x, b_y, b_h, b_w. points: (n, L, 2). Both in
    standard deviations from the mean of the train pictures.
    """

    present: Tensor | None
    classes: Tensor | None
    box: Tensor | None
    points: Tensor | None


class Truth(NamedTuple):
    """Targets likewise. code: int64 (n,), of the class; −1: no object, −2: a class that training has not seen.
    box: (n, 4), left, top, right, bottom in pixels of the network's picture. points: (n, L, 2) in the same. NaN where
    there is none."""

    code: Tensor
    box: Tensor | None
    points: Tensor | None

    @property
    def present(self) -> Tensor:
        """Bool (n,): where there is an object."""
        return self.code != -1


@dataclass(frozen=True)
class Layout:
    """Outputs in this order: P_c, a logit for each class, the box, x and y of each point.

    absent:  whether pictures without an object occur; otherwise there is no P_c. classes: K; of one there is no logit.
    box:     whether there is one. points: L, in one order for all pictures. size: (H, W) of the network's picture.
    mean, std: of box and points over the train pictures, as shares of the picture: 4 numbers for the box, if there is
             one, then x and y of each point.
    """

    absent: bool
    classes: int
    box: bool
    points: int
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def widths(self) -> tuple[int, int, int, int]:
        """Outputs for P_c, the classes, the box, the points."""
        return int(self.absent), self.classes if self.classes > 1 else 0, 4 * self.box, 2 * self.points

    @property
    def outputs(self) -> int:
        return sum(self.widths)

    def split(self, outputs: Tensor) -> Said:
        """(n, outputs) by kind."""
        present, classes, box, points = outputs.split(self.widths, dim=1)
        return Said(present[:, 0] if self.absent else None, classes if self.classes > 1 else None,
                    box if self.box else None, points.unflatten(1, (-1, 2)) if self.points else None)

    def pack(self, truth: Truth) -> Tensor:
        """One float tensor (n, 1 + 4 + 2L) of a target, to be gathered by rows."""
        parts = [truth.code[:, None].float(), truth.box, None if truth.points is None else truth.points.flatten(1)]
        return torch.cat([part for part in parts if part is not None], dim=1)

    def unpack(self, packed: Tensor) -> Truth:
        code, box, points = packed.split((1, 4 * self.box, 2 * self.points), dim=1)
        return Truth(code[:, 0].long(), box if self.box else None,
                     points.unflatten(1, (-1, 2)) if self.points else None)

    # Pixels of the network's picture to what the network says, and back.

    def standardized_box(self, corners: Tensor) -> Tensor:
        """(n, 4) left, top, right, bottom in pixels -> b_x, b_y, b_h, b_w as the network says them."""
        left, top, right, bottom = (corners / self._pixels(corners, 2)).unbind(-1)
        shares = torch.stack([(left + right) / 2, (top + bottom) / 2, bottom - top, right - left], dim=-1)
        return (shares - self._of_box(self.mean, corners)) / self._of_box(self.std, corners)

    def corners(self, box: Tensor) -> Tensor:
        """What the network says -> (n, 4) left, top, right, bottom in pixels; height and width are at least 0."""
        x, y, height, width = (box * self._of_box(self.std, box) + self._of_box(self.mean, box)).unbind(-1)
        half_h, half_w = height.clamp(min=0) / 2, width.clamp(min=0) / 2
        return torch.stack([x - half_w, y - half_h, x + half_w, y + half_h], dim=-1) * self._pixels(box, 2)

    def standardized_points(self, points: Tensor) -> Tensor:
        """(n, L, 2) in pixels -> as the network says them."""
        shares = points / self._pixels(points, 1)
        return (shares - self._of_points(self.mean, points)) / self._of_points(self.std, points)

    def places(self, points: Tensor) -> Tensor:
        """What the network says -> (n, L, 2), x and y in pixels."""
        shares = points * self._of_points(self.std, points) + self._of_points(self.mean, points)
        return shares * self._pixels(points, 1)

    def _pixels(self, like: Tensor, times: int) -> Tensor:
        return like.new_tensor(self.size[::-1] * times)

    def _of_box(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return like.new_tensor(values[:4])

    def _of_points(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return like.new_tensor(values[4 * self.box :]).view(-1, 2)
