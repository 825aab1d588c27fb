"""VGG: nothing but 3×3 convolutions and 2×2 pooling. Simonyan & Zisserman 2014, arXiv:1409.1556 (rows 17.04, 17.05)."""

from __future__ import annotations

from torch import nn

from orthogon.nn.small_maps import SmallMapConv2d
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import FullyConnectedHead, choose_form, lone_picture, require_side

CONVOLUTIONS = {"vgg11": (1, 1, 2, 2, 2), "vgg13": (2, 2, 2, 2, 2), "vgg16": (2, 2, 3, 3, 3), "vgg19": (2, 2, 4, 4, 4)}
"""How many in each of the five blocks; a pooling follows each block."""


def _features(channels: int, side: int, convolutions: tuple[int, ...], width: int, norm: bool) -> nn.Sequential:
    """The five blocks; where one pixel is left, nothing is pooled, and the places in the sequence stay the same."""
    layers: list[nn.Module] = []
    for block, count in enumerate(convolutions):
        after = width * min(2**block, 8)
        for _ in range(count):
            layers.append(SmallMapConv2d(channels, after, 3, padding=1))
            layers += [nn.BatchNorm2d(after)] if norm else []
            layers.append(nn.ReLU(inplace=True))
            channels = after
        layers.append(nn.MaxPool2d(2) if side > 1 else nn.Identity())
        side = max(1, side // 2)
    return nn.Sequential(*layers)


def vgg(spec: ModelSpec, variant: str, classifier: str | None = None, width: int = 64, dropout: float = 0.5
        ) -> nn.Module:
    """VGG with 11, 13, 16 or 19 layers ("vgg16"), and with batch norm after each convolution ("vgg16_bn").

    VGG-16 has blocks of 2, 2, 3, 3, 3 convolutions and 138,357,544 parameters (E32). classifier: "imagenet", the last
    map pooled to 7×7 and two layers of 4,096 units, for pictures from 32 pixels; "small", its mean and one linear
    layer, for pictures of any side; left out, "small" to 64 pixels. width: channels of the first block, published 64;
    each later one doubles them, to 8 times. dropout: before the last layer, and after both hidden ones; published 0.5.
    """
    picture = lone_picture(spec, variant)
    form = choose_form(picture, classifier, "classifier")
    if form == "imagenet":
        require_side(picture, 32, variant, "choose its classifier for small pictures: "
                                           "--set model.options.classifier=small")
    name, _, norm = variant.partition("_")
    channels, high, wide = picture.shape
    features = _features(channels, min(high, wide), CONVOLUTIONS[name], int(width), norm == "bn")
    last = 8 * int(width)
    if form == "small":
        return FullyConnectedHead(features, 1, nn.Sequential(nn.Dropout(dropout), nn.Linear(last, spec.outputs)))
    return FullyConnectedHead(features, 7, nn.Sequential(
        nn.Linear(last * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout),
        nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout), nn.Linear(4096, spec.outputs),
    ))
