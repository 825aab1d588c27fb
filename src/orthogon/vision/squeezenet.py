"""SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters. Iandola et al. 2016, arXiv:1602.07360."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import SequentialTrunk, choose_form, initialize_network, lone_picture, require_side


class Fire(nn.Module):
    """1×1 to `squeeze` channels, then 1×1 and 3×3 side by side to `expand` each; concatenated."""

    def __init__(self, channels: int, squeeze: int, expand: int) -> None:
        super().__init__()
        self.out_channels = 2 * expand
        self.squeeze = nn.Conv2d(channels, squeeze, 1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze, expand, 1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze, expand, 3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.squeeze_activation(self.squeeze(x))
        return torch.cat([self.expand1x1_activation(self.expand1x1(x)),
                          self.expand3x3_activation(self.expand3x3(x))], 1)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)


SQUEEZE = (16, 16, 32, 32, 48, 48, 64, 64)
"""Of the eight Fire modules; each half expands to four times as many."""

VARIANTS = {"squeezenet1_0": (96, 7, (0, 3, 7), 21), "squeezenet1_1": (64, 3, (0, 2, 4), 17)}
"""Channels and kernel of the first convolution, how many Fire modules come before each pooling, the smallest side."""


class SqueezeNet(SequentialTrunk):
    """See `squeezenet`. Parameters are named as in torchvision's."""

    output_name = "classifier.1"

    def __init__(self, first: nn.Conv2d, pools: tuple[int, ...], outputs: int, dropout: float, last_relu: bool,
                 last_padding: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [first, nn.ReLU(inplace=True)]
        channels = first.out_channels
        for k, squeeze in enumerate(SQUEEZE):
            layers += [_pool()] if k in pools else []
            layers.append(Fire(channels, squeeze, 4 * squeeze))
            channels = 8 * squeeze
        self.features = nn.Sequential(*layers)
        last = nn.Conv2d(channels, outputs, 1, padding=last_padding)
        activation = nn.ReLU(inplace=True) if last_relu else nn.Identity()
        self.classifier = nn.Sequential(nn.Dropout(dropout), last, activation, nn.AdaptiveAvgPool2d(1))
        initialize_network(self)
        if last_relu and last.bias is not None:
            nn.init.ones_(last.bias)  # at zero, half of the outputs start without a gradient and the rest soon follow

    def classify(self, last: Tensor) -> Tensor:
        return self.classifier(last).flatten(1)


def squeezenet(spec: ModelSpec, variant: str, stem: str | None = None, dropout: float = 0.5, last_relu: bool = True,
               last_padding: int = 0) -> nn.Module:
    """SqueezeNet 1.0 (1,248,424 parameters) or 1.1 (2.4 times less work): a convolution, Fire modules, their mean.

    stem: "imagenet", 7×7 (1.1: 3×3) with stride 2, for pictures from 21 (17) pixels; "small", 3×3 with stride 1 and
    padding, from 8; left out, "small" to 64 pixels. dropout: before the last layer, published 0.5. last_relu: no output
    below zero, as published; a network for values below zero needs it off. last_padding: zeros around the
    last map, published 0; the authors' own weights, for Caffe, were trained with 1.
    """
    picture = lone_picture(spec, variant)
    width, kernel, pools, smallest = VARIANTS[variant]
    if choose_form(picture, stem) == "small":
        require_side(picture, 8, variant)
        first = nn.Conv2d(picture.shape[0], width, 3, padding=1)
    else:
        require_side(picture, smallest, variant, "choose its stem for small pictures: --set model.options.stem=small")
        first = nn.Conv2d(picture.shape[0], width, kernel, 2)
    return SqueezeNet(first, pools, spec.outputs, dropout, last_relu, last_padding)
