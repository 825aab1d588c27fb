"""Training pictures changed at random, so that a network sees more of them: a whole batch at once, on its device.

All that moves pixels is one sampling of the batch (one affine map for each picture, and a smooth displacement added to
it), and all that changes colors is one matrix for each picture. So no workers are needed that change pictures beside
the training (row 19.09): pictures lie in memory as bytes and are changed where they are trained on, in a fraction of
the time of the network's step.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch import Tensor

from orthogon.data.changes import Border, Changes, Mix
from orthogon.data.color import ColorChange, principal_colors
from orthogon.data.warp import CONTROLS

Way = Literal["flip", "crop", "shift", "rotate", "shear", "scale", "warp", "color", "pca_color", "noise", "erase",
              "mask", "mixup", "cutmix"]
WAYS: tuple[Way, ...] = get_args(Way)

# What each way does at most, at strength 1.
SHIFT = 8  # one part of so many of each side, in whole pixels, so that a picture that is only moved stays sharp
ROTATE = math.radians(30)  # the largest of RandAugment (Cubuk et al. 2019, arXiv 1909.13719)
SCALE = 0.2
SHEAR = 0.2
CROP = 0.6  # the share of the area that may be cut off: 19.02, "as long as crops are reasonable"
ASPECT = math.log(4 / 3)  # of Inception's crops (Szegedy et al. 2014, arXiv 1409.4842)
LEAST = 0.08  # the smallest crop at any strength, of the same source
WARP = 1 / 12  # of each side, for each control offset: it cannot fold the picture (warp.py)
COLOR = 0.3  # brightness, contrast and saturation, as factors
HUE = math.radians(18)
BALANCE = 20.0  # of each channel on its own, of 255: the course's example of row 19.07
PCA = 0.1  # standard deviation of the multiples of principal colors (Krizhevsky et al. 2012)
NOISE = 0.1 * 255  # largest standard deviation
ERASE = 0.25  # largest share of the area; in half of the pictures (Zhong et al. 2017, arXiv 1708.04896)
MASK, CELLS = 0.15, 8  # share of the cells of a grid of 8×8 that are dropped
MIXUP = 0.2  # the alpha of Beta(alpha, alpha) (Zhang et al. 2017, arXiv 1710.09412)
CUTMIX = 1.0  # (Yun et al. 2019, arXiv 1905.04899)

# One uniform number for each picture and name; a way has its own, so that it does the same whatever the others are.
_NUMBERS = ("flip", "right", "down", "rotate", "shear", "scale", "area", "aspect", "crop x", "crop y", "brightness",
            "contrast", "saturation", "hue", "red", "green", "blue", "pca 0", "pca 1", "pca 2", "noise", "erase",
            "hole area", "hole aspect", "hole x", "hole y", "kind of mix", "cut x", "cut y")


@dataclass(frozen=True)
class Augmentation:
    """How training pictures are changed (rows 19.01-19.08, 19.10).

    ways:     flip (left to right, with probability ½), crop (a part of at least 40 % of the area at the size of the
              whole), shift (by up to 1/8 of each side), rotate (up to 30°), shear (up to 0.2), scale (up to a fifth
              larger or smaller), warp (smooth local displacement), color (brightness, contrast, saturation, hue and the
              balance of the channels), pca_color (along the principal colors of the train pictures), noise (Gaussian),
              erase (a rectangle in half of the pictures), mask (15 % of the cells of a grid), mixup (two pictures
              blended) and cutmix (a rectangle from another picture); of the last two, chosen together, each picture
              gets one.
    strength: what the largest change of each way is multiplied by; 0 = the pictures as they are.
    border:   what is seen beyond the edge: black, or the pixels of the edge drawn out.
    colors:   the principal colors of the train pictures (`fitted`), for pca_color alone.
    """

    ways: tuple[Way, ...] = ()
    strength: float = 1.0
    border: Border = "black"
    colors: Tensor | None = field(default=None, compare=False, repr=False)

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self.ways) and self.strength > 0

    def __call__(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """N×C×H×W with values 0 … 255, each picture changed by a draw of its own (types: `Changes.pictures`)."""
        return self.draw(len(pictures), pictures.shape[2], pictures.shape[3], generator).pictures(pictures)

    @property
    def mixes(self) -> bool:
        """Whether pictures of a batch are mixed with each other, so that their targets must be as well."""
        return self.strength > 0 and not {"mixup", "cutmix"}.isdisjoint(self.ways)

    def fitted(self, pictures: Callable[[], Tensor], rows: np.ndarray) -> Augmentation:
        """With what it must know of the train pictures: for pca_color their principal colors.

        pictures: gives all, uint8 N×C×H×W; called only where it is needed. rows: those to train on.
        """
        needed = "pca_color" in self.ways and self.strength > 0
        return replace(self, colors=principal_colors(pictures(), rows)) if needed else self

    def draw(self, count: int, height: int, width: int, generator: torch.Generator) -> Changes:
        """Changes of so many pictures of that size, on the generator's device; a pure function of its state."""
        if not self:
            return Changes((height, width), self.border)
        uniform = torch.rand(len(_NUMBERS), count, generator=generator, device=generator.device)
        draw = _Draw(self, count, height, width, dict(zip(_NUMBERS, uniform)), generator)
        return Changes((height, width), self.border, **draw.moves(), offsets=draw.warp(), color=draw.color(),
                       holes=draw.holes(), dropped=draw.dropped(), **draw.mix(), noise=draw.noise())


@dataclass(frozen=True)
class _Draw:
    """One draw: uniform numbers by name, each (n,), and a generator for the rest."""

    of: Augmentation
    count: int
    height: int
    width: int
    numbers: dict[str, Tensor]
    generator: torch.Generator

    def has(self, *ways: Way) -> bool:
        return not set(ways).isdisjoint(self.of.ways)

    def between(self, way: Way, name: str, most: float) -> Tensor:
        """Uniform in ±most × strength; 0 where the way is not chosen."""
        if not self.has(way):
            return torch.zeros_like(self.numbers[name])
        return (2 * self.numbers[name] - 1) * (most * self.of.strength)

    def moves(self) -> dict[str, Any]:
        """`maps`, `mirrored` and `reach` of Changes."""
        if not self.has("flip", "crop", "shift", "rotate", "shear", "scale", "warp"):
            return {}
        mirrored = self.numbers["flip"] < min(0.5, 0.5 * self.of.strength) if self.has("flip") else None
        reach = self._reach
        interpolated = self.has("crop", "rotate", "shear", "scale", "warp")
        maps = self.maps(mirrored)
        return {"maps": maps, "mirrored": mirrored, "reach": None if interpolated else max(reach)}

    @property
    def _reach(self) -> tuple[int, int]:
        """How far a picture is shifted at most, to the side and down."""
        sides = (self.width, self.height)
        across, down = (round(max(1, side // SHIFT) * self.of.strength) if self.has("shift") else 0 for side in sides)
        return across, down

    def maps(self, mirrored: Tensor | None) -> Tensor:
        """(n, 2, 3). About the middle of the picture: mirror, shear along x, turn and scale; of that picture the crop;
        then the shift. In pixels, so that a picture that is no square keeps its angles."""
        angle, shear = self.between("rotate", "rotate", ROTATE), self.between("shear", "shear", SHEAR)
        zoom = torch.exp(self.between("scale", "scale", math.log1p(SCALE)))
        sign = torch.ones_like(zoom) if mirrored is None else 1 - 2.0 * mirrored
        cosine, sine = torch.cos(angle) / zoom, torch.sin(angle) / zoom
        linear = torch.stack([sign * cosine, shear * cosine - sine, sign * sine, shear * sine + cosine], dim=1)
        parts, places = self._crop()
        linear = linear.view(-1, 2, 2) * parts.unsqueeze(2)
        steps = torch.stack([torch.floor(self.numbers[name] * (2 * most + 1)).clamp(max=2 * most) - most
                             for name, most in zip(("right", "down"), self._reach)], dim=1)
        middle = linear.new_tensor([self.width / 2, self.height / 2])
        added = middle + places + steps - linear @ middle
        return torch.cat([linear, added.unsqueeze(2)], dim=2)

    def _crop(self) -> tuple[Tensor, Tensor]:
        """The part of each side that is kept, (n, 2), and where its middle lies from that of the picture."""
        sides = self.numbers["area"].new_tensor([self.width, self.height])
        if not self.has("crop"):
            return torch.ones(self.count, 2, device=sides.device), torch.zeros(self.count, 2, device=sides.device)
        least = max(LEAST, 1 - CROP * self.of.strength)
        parts = _sides(least + (1 - least) * self.numbers["area"], self.between("crop", "aspect", ASPECT))
        places = torch.stack([self.numbers["crop x"], self.numbers["crop y"]], dim=1) - 0.5
        return parts, (1 - parts) * places * sides

    def warp(self) -> Tensor | None:
        if not self.has("warp"):
            return None
        sides = self.numbers["area"].new_tensor([self.width, self.height]).view(1, 2, 1, 1)
        drawn = torch.rand(self.count, 2, CONTROLS, CONTROLS, generator=self.generator, device=self.generator.device)
        return (2 * drawn - 1) * (WARP * self.of.strength) * sides

    def color(self) -> ColorChange | None:
        if not self.has("color", "pca_color"):
            return None
        brightness, contrast, saturation = ((1 + self.between("color", name, COLOR)).clamp(min=0)
                                            for name in ("brightness", "contrast", "saturation"))
        balance = torch.stack([self.between("color", name, BALANCE) for name in ("red", "green", "blue")], dim=1)
        hue = self.between("color", "hue", HUE)
        return ColorChange(brightness, contrast, saturation, hue, balance, self._along_principal_colors())

    def _along_principal_colors(self) -> Tensor | None:
        """(n, C): normal multiples of the principal colors."""
        if not self.has("pca_color"):
            return None
        colors = self.of.colors
        if colors is None:
            raise ValueError("pca_color changes pictures along the principal colors of those to train on, which are "
                             "not known; take `Augmentation.fitted(pictures, rows)`")
        uniform = torch.stack([self.numbers[f"pca {k}"] for k in range(len(colors))], dim=1).clamp(1e-6, 1 - 1e-6)
        return torch.special.ndtri(uniform) * (PCA * self.of.strength * 255) @ colors.to(uniform.device).T

    def noise(self) -> tuple[Tensor, torch.Generator] | None:
        """Last of all: what is drawn for each pixel goes on from where the generator stands then."""
        if not self.has("noise"):
            return None
        return self.numbers["noise"] * (NOISE * self.of.strength), self.generator.clone_state()

    def holes(self) -> Tensor | None:
        if not self.has("erase"):
            return None
        area = self.numbers["hole area"] * min(1.0, ERASE * self.of.strength)
        area = torch.where(self.numbers["erase"] < 0.5, area, 0)
        parts = _sides(area, (2 * self.numbers["hole aspect"] - 1) * math.log(3))
        return self._rectangles(parts, "hole x", "hole y", inside=True)

    def dropped(self) -> Tensor | None:
        if not self.has("mask"):
            return None
        drawn = torch.rand(self.count, 1, CELLS, CELLS, generator=self.generator, device=self.generator.device)
        return drawn < MASK * self.of.strength

    def mix(self) -> dict[str, Any]:
        """`mix` and `cuts` of Changes."""
        if not self.has("mixup", "cutmix"):
            return {}
        device = self.generator.device
        partner = torch.randperm(self.count, generator=self.generator, device=device)
        cut = self.numbers["kind of mix"] < {(True, False): 0.0, (False, True): 2.0, (True, True): 0.5}[
            self.has("mixup"), self.has("cutmix")]
        alpha = torch.where(cut, CUTMIX, MIXUP) * self.of.strength
        # The larger share is the picture's own, so that weak mixing leaves it as it was; over the batch it is the same.
        both = torch.stack([alpha, alpha], dim=1)
        share = torch._sample_dirichlet(both, self.generator).amax(1)  # pyright: ignore[reportPrivateImportUsage]
        if not self.has("cutmix"):
            return {"mix": Mix(partner, share)}
        parts = _sides(torch.where(cut, 1 - share, 0), torch.zeros_like(share))
        cuts = self._rectangles(parts, "cut x", "cut y", inside=False).round()
        pixels = (cuts[:, 2] - cuts[:, 0]) * (cuts[:, 3] - cuts[:, 1])
        share = torch.where(cut, 1 - pixels / (self.height * self.width), share)
        return {"mix": Mix(partner, share), "cuts": cuts}

    def _rectangles(self, parts: Tensor, x: str, y: str, *, inside: bool) -> Tensor:
        """(n, 4) of those parts of the sides, with a middle anywhere (what lies beyond the edge is cut off), or with
        all of it inside."""
        sides = parts.new_tensor([self.width, self.height])
        places = torch.stack([self.numbers[x], self.numbers[y]], dim=1)
        middle = places * (1 - parts) + parts / 2 if inside else places
        return torch.cat([(middle - parts / 2).clamp(min=0) * sides, (middle + parts / 2).clamp(max=1) * sides], dim=1)


def _sides(area: Tensor, log_aspect: Tensor) -> Tensor:
    """(n, 2): width and height of rectangles of that area, as parts of the sides of the picture; at most 1."""
    across, root = torch.exp(log_aspect / 2), torch.sqrt(area)
    return torch.stack([root * across, root / across], dim=1).clamp(max=1)
