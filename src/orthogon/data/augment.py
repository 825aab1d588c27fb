"""Training pictures changed at random, so that a network sees more of them: one affine map a picture, a whole batch at
once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

Way = Literal["flip", "shift", "rotate", "scale", "shear"]
Border = Literal["edge", "black"]

# What each way does at most, at strength 1. The turn is the largest of RandAugment (Cubuk et al. 2019, arXiv
# 1909.13719); the others are common choices for pictures whose object fills the frame.
SHIFT = 8  # the part of each side, in whole pixels, so that a picture that is only moved stays sharp
ROTATE = math.radians(30)
SCALE = 0.2
SHEAR = 0.2

_PADDING = {"edge": "border", "black": "zeros"}


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed (rows 19.01, 19.03, 19.04, 19.06).

    ways:     flip (left to right, with probability ½), shift (by up to 1/8 of each side), rotate (up to 30°), scale (up
              to a fifth larger or smaller), shear (up to 0.2), all joined to one map about the middle of the picture.
    strength: what the largest change of each way is multiplied by; 0 = the pictures as they are.
    border:   what is seen beyond the edge: black, or the pixels of the edge drawn out.
    """

    ways: tuple[Way, ...] = ()
    strength: float = 1.0
    border: Border = "black"

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.ways) and self.strength > 0

    def __call__(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W, each picture changed by a draw of its own; the dtype stays as it is (uint8 is rounded)."""
        if not self:
            return pictures
        maps = self.maps(len(pictures), pictures.shape[2], pictures.shape[3], generator)
        values = pictures if pictures.is_floating_point() else pictures.float()
        grid = affine_grid(maps.to(values.dtype), list(pictures.shape), align_corners=False)
        changed = grid_sample(values, grid, padding_mode=_PADDING[self.border], align_corners=False)
        return changed if pictures.is_floating_point() else changed.round_().to(pictures.dtype)

    def maps(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Float N×2×3 on the generator's device: from places of the new picture to places of the old one, in the
        coordinates of `affine_grid` (-1 to 1 from edge to edge)."""
        device = generator.device

        def uniform(way: Way, most: float) -> Tensor:
            if way not in self.ways:
                return torch.zeros(count, device=device)
            return (2 * torch.rand(count, generator=generator, device=device) - 1) * (most * self.strength)

        def pixels(side: int) -> Tensor:
            most = round(max(1, side // SHIFT) * self.strength)
            if "shift" not in self.ways:
                return torch.zeros(count, device=device)
            return torch.randint(-most, most + 1, (count,), generator=generator, device=device).float()

        angle, shear = uniform("rotate", ROTATE), uniform("shear", SHEAR)
        zoom = torch.exp(uniform("scale", math.log1p(SCALE)))
        mirror = torch.ones(count, device=device)
        if "flip" in self.ways:
            mirror -= 2.0 * (torch.rand(count, generator=generator, device=device) < min(0.5, 0.5 * self.strength))
        right, down = pixels(width) * (2 / width), pixels(height) * (2 / height)
        cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
        # Turn, after shear along x, after mirroring x; in pixels, so that a picture that is no square keeps its angles.
        across = torch.stack([mirror * cosine, (shear * cosine - sine) * (height / width), right], dim=1)
        along = torch.stack([mirror * sine * (width / height), shear * sine + cosine, down], dim=1)
        return torch.stack([across, along], dim=1)
