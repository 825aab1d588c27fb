"""Several views of a picture at test time: mirrored, cropped, zoomed; their probabilities averaged (row 31.02)."""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.ensemble import mean_of_probabilities

CROP = 0.875
"""Of each side: 224 of 256 pixels, as in Krizhevsky, Sutskever & Hinton 2012."""


class View(NamedTuple):
    """One way of looking at a picture.

    share:  of each side that is seen, enlarged to the whole size. across, down: where the crop lies, 0 left or top, 1
            right or bottom. mirrored: left and right exchanged.
    """

    share: float = 1.0
    across: float = 0.5
    down: float = 0.5
    mirrored: bool = False

    def of(self, pictures: Tensor) -> Tensor:
        """N×C×H×W -> the same shape."""
        height, width = pictures.shape[2:]
        high, wide = max(1, round(self.share * height)), max(1, round(self.share * width))
        top, left = round(self.down * (height - high)), round(self.across * (width - wide))
        seen = pictures[:, :, top : top + high, left : left + wide]
        if (high, wide) != (height, width):
            seen = F.interpolate(seen, (height, width), mode="bilinear")
        return seen.flip(3) if self.mirrored else seen


_FIVE = (View(CROP), *(View(CROP, across, down) for down in (0.0, 1.0) for across in (0.0, 1.0)))

VIEWS: dict[str, tuple[View, ...]] = {
    "flip": (View(), View(mirrored=True)),
    "5-crop": _FIVE,
    "10-crop": (*_FIVE, *(view._replace(mirrored=True) for view in _FIVE)),
    "scales": (View(), View(CROP), View(0.75)),
}
"""The picture and its mirror image; the four corners and the center; those and their mirror images; three zooms."""


def views_called(name: str) -> tuple[View, ...]:
    """RecipeError, naming the nearest, where there are none of that name."""
    if name not in VIEWS:
        raise RecipeError(f"there are no views {name!r}", where="views", remedy=nearest(name, list(VIEWS)))
    return VIEWS[name]


class Views(nn.Module):
    """A classifier that looks at each picture several times: gives the log of the mean of its probabilities.

    model: gives N×K logits for pictures, and what is beside them. views: a name of VIEWS, or views of one's own.
    Source of the ten crops: Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional
    neural networks". RecipeError for an unknown name.
    """

    def __init__(self, model: nn.Module, views: str | tuple[View, ...]) -> None:
        super().__init__()
        self.model = model
        self.views = views_called(views) if isinstance(views, str) else views

    def forward(self, pictures: Tensor, *others: Tensor) -> Tensor:
        return mean_of_probabilities(self.model(view.of(pictures), *others) for view in self.views)
