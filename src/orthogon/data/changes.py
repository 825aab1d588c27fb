"""What one draw of the augmentation does to a batch: to its pictures, and alike to boxes, points and masks on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from orthogon.data.color import ColorChange
from orthogon.data.resample import moved, pieces, sampling_grid
from orthogon.data.warp import displacement_at

Border = Literal["black", "edge"]
IGNORED = 255
"""The code of mask pixels that say nothing."""

Change = Callable[[Tensor, slice], Tensor]
"""A piece of the batch, and which one it is -> the piece changed."""

_PADDING = {"black": "zeros", "edge": "border"}
_ROUNDS = 16  # of solving for where a warped point went; what is left of the error after them is far below a pixel
_SQUARE = tuple((x, y) for x in (-1.0, -0.5, 0.0, 0.5, 1.0) for y in (-1.0, -0.5, 0.0, 0.5, 1.0)
                if max(abs(x), abs(y)) == 1)
_ELLIPSE = tuple((math.cos(math.pi * k / 16), math.sin(math.pi * k / 16)) for k in range(32))


class Mix(NamedTuple):
    """How a batch was mixed: picture i is `share[i]` of itself, the rest is of picture `partner[i]`.

    partner: int64 (n,). share: float (n,); where a piece was cut out, the share of pixels that are its own.
    """

    partner: Tensor
    share: Tensor


class MovedBoxes(NamedTuple):
    """boxes: clipped to the picture, in the shape in which they were given. visible: the share of the area of each
    moved box that lies in the picture, so that a task may drop what is hardly seen; NaN where there is no box."""

    boxes: Tensor
    visible: Tensor


@dataclass(frozen=True)
class Changes:
    """Drawn changes of n pictures of H×W pixels. Places are (x, y) in pixels from the upper left corner of a picture,
    so that the middle of its first pixel is (0.5, 0.5).

    size:    (H, W). border: what is seen beyond the edge.
    maps:    (n, 2, 3), from places of the new picture to places of the old; None: nothing moves.
    reach:   how far pixels move at most, where `maps` only mirror and move by whole pixels; None: they interpolate.
    mirrored: bool (n,), or None. offsets: of `warp.displacement`, in pixels, added to what `maps` give.
    color:   acts before pixels move, so that what is seen beyond the edge stays black.
    noise:   the standard deviation, (n,), in 0 … 255, and the generator that it is drawn from.
    holes:   (n, 4), rectangles (x, y, x, y) that are filled with the mean color of the picture; empty ones: none.
    dropped: bool (n, 1, g, g): cells of a grid that are filled alike.
    mix:     with whom each picture is mixed. cuts: (n, 4), the rectangles that come from the partner; where they are
             empty, or None, the two are blended.
    """

    size: tuple[int, int]
    border: Border = "black"
    maps: Tensor | None = None
    reach: int | None = None
    mirrored: Tensor | None = None
    offsets: Tensor | None = None
    color: ColorChange | None = None
    noise: tuple[Tensor, torch.Generator] | None = None
    holes: Tensor | None = None
    dropped: Tensor | None = None
    mix: Mix | None = None
    cuts: Tensor | None = None

    # --- pictures --------------------------------------------------------------------------------------------

    def pictures(self, pictures: Tensor) -> Tensor:
        """N×C×H×W with values 0 … 255, changed: float32, or, where pixels are only moved, of the type they had."""
        self._check(pictures)
        computed = any(each is not None for each in (self.color, self.noise, self.holes, self.dropped))
        computed |= self.maps is not None and self.reach is None
        if computed or self.maps is not None:
            dtype = torch.float32 if computed and not pictures.is_floating_point() else pictures.dtype
            changed = torch.empty(pictures.shape, dtype=dtype, device=pictures.device)
            change = self._computation(pictures, dtype) if computed else self._movement(dtype)
            for piece in pieces(pictures):
                changed[piece] = change(pictures[piece], piece)
            pictures = self._with_noise(changed)
        return self._mixed(pictures)

    def _computation(self, pictures: Tensor, dtype: torch.dtype) -> Change:
        """All that is done to a piece of the batch; what is small is made ready here, for the batch at once."""
        color = None if self.color is None else [each.to(dtype) for each in self.color.matrices(pictures.shape[1])]
        move = None if self.maps is None else self._movement(dtype)
        fills = self.holes is not None or self.dropped is not None
        # Used again for each piece: memory that is new to the process costs as much as the arithmetic on it.
        most = max((piece.stop - piece.start for piece in pieces(pictures)), default=0)
        room = torch.empty((2, most, *pictures.shape[1:]), dtype=dtype, device=pictures.device)

        def change(values: Tensor, piece: slice) -> Tensor:
            first, second = room[:, : len(values)]
            values = first.copy_(values)
            means = values.mean((2, 3)) if fills or color is not None else values
            if color is not None:
                linear, toward, added = (each[piece] for each in color)
                added = (added + (toward * means).sum(1, keepdim=True)).unsqueeze(2)
                torch.baddbmm(added, linear, first.flatten(2), out=second.flatten(2))
                values = second.clamp_(0, 255)
                means = torch.baddbmm(added, linear, means.unsqueeze(2)).clamp_(0, 255).squeeze(2)
            if move is not None:
                values = move(values, piece)
            return torch.where(self._hidden(piece), means[:, :, None, None], values) if fills else values

        return change

    def _movement(self, dtype: torch.dtype) -> Change:
        """What moves the pixels of a piece of the batch; values of that dtype."""
        assert self.maps is not None  # noqa: S101 - who calls has looked
        if self.reach is not None:
            return self._whole_steps(None if self.border == "edge" else 0)
        grid, padding = sampling_grid(self.maps, self.offsets, *self.size, dtype), _PADDING[self.border]
        return lambda values, piece: grid_sample(values, grid(piece), padding_mode=padding, align_corners=False)

    def _whole_steps(self, beyond: int | None) -> Change:
        steps = self.maps[:, :, 2].round().long()  # pyright: ignore[reportOptionalSubscript]
        if self.mirrored is None:
            return lambda values, piece: moved(values, steps[piece], None, self.reach or 0, beyond)
        mirrored = self.mirrored
        # A mirrored picture is told by W minus a place, and is moved the other way.
        steps[:, 0] = torch.where(mirrored, self.size[1] - steps[:, 0], steps[:, 0])
        return lambda values, piece: moved(values, steps[piece], mirrored[piece], self.reach or 0, beyond)

    def _hidden(self, piece: slice) -> Tensor:
        """Bool (n, 1, H, W): which pixels are filled."""
        hidden = self._inside(self.holes[piece]) if self.holes is not None else None
        if self.dropped is None:
            return hidden  # pyright: ignore[reportReturnType] - who calls has looked
        cells = interpolate(self.dropped[piece].float(), self.size, mode="nearest").bool()
        return cells if hidden is None else cells | hidden

    def _inside(self, boxes: Tensor) -> Tensor:
        """Bool (n, 1, H, W): the pixels whose middle lies in the box of their picture."""
        down, across = (torch.arange(side, device=boxes.device) + 0.5 for side in self.size)
        left, top, right, bottom = boxes.unsqueeze(2).unbind(1)
        rows, columns = (top <= down) & (down < bottom), (left <= across) & (across < right)
        return (rows.unsqueeze(2) & columns.unsqueeze(1)).unsqueeze(1)

    def _with_noise(self, pictures: Tensor) -> Tensor:
        if self.noise is None:
            return pictures
        deviation, generator = self.noise
        # A copy of the generator, so that the same changes always add the same noise.
        drawn = torch.randn(pictures.shape, generator=generator.clone_state(), device=pictures.device)
        return pictures.add_(drawn.mul_(deviation[:, None, None, None])).clamp_(0, 255)

    def _mixed(self, pictures: Tensor) -> Tensor:
        if self.mix is None:
            return pictures
        own = pictures if pictures.is_floating_point() else pictures.float()
        taken = (1 - self.mix.share).to(own.dtype)[:, None, None, None]
        if self.cuts is not None:
            cut = (self.cuts[:, 2] > self.cuts[:, 0]) & (self.cuts[:, 3] > self.cuts[:, 1])
            taken = torch.where(cut[:, None, None, None], self._inside(self.cuts).to(own.dtype), taken)
        return own.lerp(own.index_select(0, self.mix.partner), taken)

    # --- what lies on pictures -------------------------------------------------------------------------------

    def points(self, points: Tensor, mirrored: Sequence[int] | None = None) -> Tensor:
        """Float (n, k, 2), moved; they may lie beyond the edge then.

        mirrored: which point each one becomes in a mirrored picture: with points "left eye", "right eye", "nose" it is
        (1, 0, 2), so that the left eye stays the one to the left (row 20.04: an order that is the same everywhere).
        """
        if self.maps is None:
            return points
        linear, added = self.maps.to(points.dtype).split([2, 1], dim=2)
        back = torch.linalg.inv(linear).mT

        def straight(places: Tensor) -> Tensor:
            return (places - added.mT) @ back

        found = straight(points)
        if self.offsets is not None:
            offsets = self.offsets.to(points.dtype)
            for _ in range(_ROUNDS):
                found = straight(points - displacement_at(offsets, found, *self.size))
        if mirrored is None or self.mirrored is None:
            return found
        return torch.where(self.mirrored[:, None, None], found[:, list(mirrored)], found)

    def boxes(self, boxes: Tensor, *, tight: bool = False, points: Tensor | None = None) -> MovedBoxes:
        """Float (n, 4) or (n, k, 4), corners (x, y, x, y) in pixels, moved: the upright box around each outline.

        tight: the outline is the ellipse in the box, not its edges. The box around a turned box is larger than the
        thing in it; around an ellipse it is right for round things, and may cut off corners of others.
        points: (n, k, 2), of the one thing in each box (n, 4): those that lie in it, it holds when moved as well. NaN
        where there is none.
        """
        if self.maps is None:
            return MovedBoxes(boxes, (boxes.sum(-1) * 0) + 1)
        flat = boxes.reshape(len(boxes), -1, 4)
        lower, upper = flat.split(2, dim=2)
        outline = flat.new_tensor(_ELLIPSE if tight else _SQUARE)
        places = ((lower + upper) / 2).unsqueeze(2) + ((upper - lower) / 2).unsqueeze(2) * outline
        moved = self.points(places.flatten(1, 2)).view(places.shape)
        low, high = moved.amin(2), moved.amax(2)
        if points is not None:
            held = ((points >= lower) & (points <= upper)).all(2, keepdim=True)
            there = self.points(points)
            low = torch.minimum(low, there.where(held, torch.inf).amin(1, keepdim=True))
            high = torch.maximum(high, there.where(held, -torch.inf).amax(1, keepdim=True))
        whole = torch.cat([low, high], dim=2)
        height, width = self.size
        clipped = torch.minimum(whole.clamp(min=0), whole.new_tensor([width, height, width, height]))
        visible = _area(clipped) / _area(whole).clamp(min=1e-12)
        return MovedBoxes(clipped.view(boxes.shape), visible.view(boxes.shape[:-1]))

    def masks(self, masks: Tensor, ignored: int = IGNORED) -> Tensor:
        """Whole numbers (n, H, W), moved: each pixel has the code of the nearest one, and `ignored` beyond the edge,
        whatever the border of the pictures."""
        self._check(masks)
        if self.maps is None:
            return masks
        whole = slice(None)
        if self.reach is not None:
            return self._whole_steps(ignored)(masks.unsqueeze(1), whole).squeeze(1)
        grid = sampling_grid(self.maps, self.offsets, *self.size, torch.float32)(whole)
        found = grid_sample(masks.unsqueeze(1).float() + 1, grid, mode="nearest", align_corners=False).squeeze(1)
        return torch.where(found == 0, ignored, found - 1).to(masks.dtype)

    def _check(self, pictures: Tensor) -> None:
        if tuple(pictures.shape[-2:]) != self.size:
            raise ValueError(f"{pictures.shape[-2]}×{pictures.shape[-1]} pixels where the changes were drawn for "
                             f"{self.size[0]}×{self.size[1]}; draw them for that size")


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]).clamp(min=0) * (boxes[..., 3] - boxes[..., 1]).clamp(min=0)
