"""U-Net: down to coarse maps and up again, each map on the way up joined by its fellow on the way down (row 17.12).

Ronneberger, Fischer & Brox 2015, arXiv:1505.04597. Maps are concatenated, where ResNet adds them (E60). As in most code
today, and unlike the paper, convolutions are padded, so that the mask has the size of the picture. Parameters are named
as in milesial/Pytorch-UNet.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.initializers import initialize
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import lone_picture

UPS = ("transposed", "bilinear")


class DoubleConv(nn.Module):
    """Two 3×3 convolutions, each with batch norm (or a bias, without it) and ReLU."""

    def __init__(self, channels_in: int, channels_out: int, batch_norm: bool, between: int | None = None) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        between = between or channels_out
        for before, after in ((channels_in, between), (between, channels_out)):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=not batch_norm),
                       *([nn.BatchNorm2d(after)] if batch_norm else []), nn.ReLU(inplace=True)]
        self.double_conv = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return self.double_conv(x)


class Down(nn.Module):
    """2×2 max pooling, then two convolutions."""

    def __init__(self, channels_in: int, channels_out: int, batch_norm: bool) -> None:
        super().__init__()
        self.maxpool_conv = nn.Sequential(nn.MaxPool2d(2), DoubleConv(channels_in, channels_out, batch_norm))

    def forward(self, x: Tensor) -> Tensor:
        return self.maxpool_conv(x)


class Up(nn.Module):
    """Twice the side, the map of that side from the way down in front, then two convolutions.

    A transposed convolution halves the channels; the bilinear form leaves that to the first of the two convolutions.
    """

    def __init__(self, channels_in: int, beside: int, channels_out: int, batch_norm: bool, bilinear: bool) -> None:
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(channels_in + beside, channels_out, batch_norm, (channels_in + beside) // 2)
        else:
            self.up = nn.ConvTranspose2d(channels_in, channels_in // 2, 2, stride=2)
            self.conv = DoubleConv(channels_in // 2 + beside, channels_out, batch_norm)

    def forward(self, x: Tensor, beside: Tensor) -> Tensor:
        return self.conv(torch.cat([beside, self.up(x)], dim=1))


class OutConv(nn.Module):
    """One value for each class and pixel."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)


class UNet(nn.Module):
    """See `unet`. N×C×H×W -> N×outputs×H×W for every H and W: what no whole number of coarsest pixels makes up is
    padded at the right and the bottom with the picture's last pixels, and cut off again.

    head_name, output_name: as of orthogon.nn.trunk.PictureNetwork.
    """

    head_name, output_name = "outc", "outc.conv"

    def __init__(self, channels: int, outputs: int, width: int, depth: int, bilinear: bool, batch_norm: bool) -> None:
        super().__init__()
        self.depth = depth
        widths = [width * 2**k for k in range(depth + 1)]
        if bilinear and depth:
            widths[-1] //= 2
        self.inc = DoubleConv(channels, width, batch_norm)
        for k in range(depth):
            self.add_module(f"down{k + 1}", Down(widths[k], widths[k + 1], batch_norm))
        x = widths[-1]
        for k, beside in enumerate(reversed(widths[:-1]), start=1):
            after = beside // 2 if bilinear and k < depth else beside
            self.add_module(f"up{k}", Up(x, beside, after, batch_norm, bilinear))
            x = after
        self.outc = OutConv(x, outputs)
        self._initialize()

    def _initialize(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                initialize(layer, followed_by="relu")
            elif isinstance(layer, nn.ConvTranspose2d):  # every new pixel is reached from one pixel alone
                nn.init.normal_(layer.weight, std=layer.in_channels**-0.5)
        nn.init.normal_(self.outc.conv.weight, std=0.1 / math.sqrt(self.outc.conv.in_channels))

    def forward(self, picture: Tensor) -> Tensor:
        high, wide = picture.shape[2:]
        below, right = -high % 2**self.depth, -wide % 2**self.depth
        if below or right:
            picture = F.pad(picture, (0, right, 0, below), mode="replicate")
        x, passed = self.inc(picture), []
        for k in range(self.depth):
            passed.append(x)
            x = self.get_submodule(f"down{k + 1}")(x)
        for k in range(self.depth):
            x = self.get_submodule(f"up{k + 1}")(x, passed.pop())
        return self.outc(x)[:, :, :high, :wide]


def unet(spec: ModelSpec, width: int = 64, depth: int = 4, up: str = "transposed",
         batch_norm: bool = True) -> nn.Module:
    """A U-Net: as many values for each pixel as there are outputs.

    width: channels at full size; each halving doubles them. depth: halvings; at least 2**depth pixels a side are seen.
    up: "transposed" convolutions, or "bilinear", which has half the channels on the way up. batch_norm: after each 3×3
    convolution; the paper has none.
    """
    picture = lone_picture(spec, "unet")
    if up not in UPS:
        raise RecipeError(f"up is transposed or bilinear; got {up!r}", where="model.options.up",
                          remedy=nearest(str(up), UPS))
    if depth < 0 or width < 1 or (width % 2 and up == "bilinear"):
        raise RecipeError(f"width is at least 1 (even for bilinear) and depth at least 0; got width {width}, depth "
                          f"{depth}", where="model.options", remedy="The published sizes are 64 and 4.")
    return UNet(picture.shape[0], spec.outputs, width, depth, up == "bilinear", batch_norm)
