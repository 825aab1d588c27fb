"""AlexNet. Krizhevsky, Sutskever & Hinton 2012, "ImageNet classification with deep convolutional neural networks".

The default form is that of Krizhevsky 2014, "One weird trick for parallelizing convolutional neural networks",
arXiv:1404.5997, as in torchvision (row 17.03).
"""

from __future__ import annotations

from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import FullyConnectedHead, choose_form, lone_picture, require_side

WIDTHS = {1: (64, 192, 384, 256, 256), 2: (96, 256, 384, 384, 256)}
"""Channels of the five convolutions, by groups: of 2014, and of 2012 on two GPUs, each of which saw one half."""

SMALLEST = 63


def local_response_norm() -> nn.LocalResponseNorm:
    """a / (2 + 0.0001 Σ a²)^0.75, the sum over the same place of 5 neighboring channels (section 3.3 of the paper).

    torch takes the mean instead of the sum: hence five times the paper's alpha.
    """
    return nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)


def _features(first: nn.Conv2d, groups: int, lrn: bool, pool: int) -> nn.Sequential:
    """Five convolutions; as in the paper, the third alone sees both halves of the channels."""
    one, two, three, four, five = WIDTHS[groups]
    norms = [[local_response_norm()] if lrn else [] for _ in range(2)]
    return nn.Sequential(
        first, nn.ReLU(inplace=True), *norms[0], nn.MaxPool2d(pool, 2),
        nn.Conv2d(one, two, 5, padding=2, groups=groups), nn.ReLU(inplace=True), *norms[1], nn.MaxPool2d(pool, 2),
        nn.Conv2d(two, three, 3, padding=1), nn.ReLU(inplace=True),
        nn.Conv2d(three, four, 3, padding=1, groups=groups), nn.ReLU(inplace=True),
        nn.Conv2d(four, five, 3, padding=1, groups=groups), nn.ReLU(inplace=True), nn.MaxPool2d(pool, 2),
    )


def alexnet(spec: ModelSpec, variant: str = "alexnet", stem: str | None = None, groups: int = 1, lrn: bool = False,
            dropout: float = 0.5) -> nn.Module:
    """AlexNet: torchvision's with 61,100,840 parameters, or the paper's with groups=2 and lrn=True, 60,965,224.

    stem: "imagenet", 11×11 with stride 4 and two hidden layers of 4,096 units, for pictures from 63 pixels; "small",
    3×3 with stride 1, pooling of 2×2, and one linear layer on the mean of the last map, for pictures from 8; left out,
    "small" to 64 pixels. groups: 1, or 2 as the paper spread it over two GPUs. lrn: local response normalization behind
    the first two convolutions. dropout: before both hidden layers (before the only linear layer); published 0.5. At
    227 pixels the paper's form pads nothing in its first layer, else by 2: 55×55 places either way.
    """
    picture = lone_picture(spec, variant)
    form = choose_form(picture, stem)
    if groups not in WIDTHS:
        raise RecipeError(f"groups is 1 or 2; got {groups!r}", where="model.options.groups",
                          remedy="2 is the paper's form, 1 torchvision's.")
    channels, high, wide = picture.shape
    first, last = WIDTHS[groups][0], WIDTHS[groups][-1]
    if form == "small":
        require_side(picture, 8, variant)
        features = _features(nn.Conv2d(channels, first, 3, padding=1), groups, lrn, pool=2)
        return FullyConnectedHead(features, 1, nn.Sequential(nn.Dropout(dropout), nn.Linear(last, spec.outputs)))
    require_side(picture, SMALLEST, variant, "choose its stem for small pictures: --set model.options.stem=small")
    padding = 0 if groups == 2 and min(high, wide) >= 227 else 2
    features = _features(nn.Conv2d(channels, first, 11, 4, padding), groups, lrn, pool=3)
    return FullyConnectedHead(features, 6, nn.Sequential(
        nn.Dropout(dropout), nn.Linear(last * 6 * 6, 4096), nn.ReLU(inplace=True),
        nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Linear(4096, spec.outputs),
    ))
