"""Xception: Inception taken to its end, every convolution in each channel alone, then 1×1 across them (row 17.15).

Chollet 2016, arXiv:1610.02357. Parameters are named as in Cadene's and timm's `legacy_xception`.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap
from orthogon.vision.blocks import choose_form, lone_picture, require_side
from orthogon.vision.chain import Chain, times

ENTRY = (128, 256, 728)  # channels of the blocks 1, 2, 3, which halve
MIDDLE = 8  # blocks of 728 channels that halve nothing
EXIT = 1024  # channels of block 12, the last one
LAST = (1536, 2048)  # channels of the two convolutions after it


class SeparableConv(nn.Module):
    """3×3 in each channel, then 1×1 across channels; without bias, norm or activation between them."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels_in, 3, padding=1, groups=channels_in, bias=False)
        self.pointwise = nn.Conv2d(channels_in, channels_out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.conv1(x))


class Block(nn.Module):
    """ReLU, separable convolution, norm, as often as there are `channels` to come to; pooled where it halves; the way
    around is added, through a 1×1 convolution where shapes differ. The first ReLU may be left out."""

    def __init__(self, before: int, channels: tuple[int, ...], stride: int, relu_first: bool = True) -> None:
        super().__init__()
        after, self.skip = channels[-1], None
        if stride != 1 or before != after:
            self.skip = nn.Conv2d(before, after, 1, stride, bias=False)
            self.skipbn = nn.BatchNorm2d(after)
        layers: list[nn.Module] = []
        for k, (wide_in, wide_out) in enumerate(zip((before, *channels), channels)):
            # Not in place at first: the way around reads the same map.
            layers += [nn.ReLU(inplace=k > 0), SeparableConv(wide_in, wide_out), nn.BatchNorm2d(wide_out)]
        if stride != 1:
            layers.append(nn.MaxPool2d(3, stride, 1))
        self.rep = nn.Sequential(*layers[0 if relu_first else 1 :])

    def forward(self, x: Tensor) -> Tensor:
        return self.rep(x) + (x if self.skip is None else self.skipbn(self.skip(x)))


def xception(spec: ModelSpec, variant: str = "xception", stem: str | None = None, width: float = 1.0,
             dropout: float = 0.0) -> nn.Module:
    """Xception: 22,855,952 parameters for 1,000 classes, 8.36 billion multiply-adds at 299 pixels.

    stem: "imagenet", as published: the first convolution has stride 2 and neither of the first two is padded, for
    pictures from 32 pixels; "middle": both are padded, and the first block halves nothing, from 16; "small": nor does
    the first convolution, from 8; left out, "small" to 40 pixels, "middle" to 64. width: times the channels of
    every layer. dropout: before the last layer, published 0.
    """
    picture = lone_picture(spec, variant)
    form = choose_form(picture, stem, middle=True)
    step, block_step, padding = {"imagenet": (2, 2, 0), "middle": (2, 1, 1), "small": (1, 1, 1)}[form]
    first = step * block_step
    require_side(picture, 8 * first, variant,
                 "" if form == "small" else "choose its stem for small pictures: --set model.options.stem=small")
    wide = partial(times, width)
    parts: dict[str, nn.Module] = {
        "conv1": nn.Conv2d(picture.shape[0], wide(32), 3, step, padding, bias=False), **_active(1, wide(32)),
        "conv2": nn.Conv2d(wide(32), wide(64), 3, 1, padding, bias=False), **_active(2, wide(64)),
    }
    before = wide(64)
    for k, after in enumerate(map(wide, ENTRY), start=1):
        parts[f"block{k}"] = Block(before, (after, after), block_step if k == 1 else 2, relu_first=k > 1)
        before = after
    for k in range(len(ENTRY) + 1, len(ENTRY) + MIDDLE + 1):
        parts[f"block{k}"] = Block(before, (before,) * 3, 1)
    parts["block12"] = Block(before, (before, wide(EXIT)), 2)
    for k, (channels_in, channels_out) in enumerate(zip((EXIT, *LAST), LAST), start=3):
        parts[f"conv{k}"] = SeparableConv(wide(channels_in), wide(channels_out))
        parts.update(_active(k, wide(channels_out)))
    maps = [FeatureMap("block1", wide(ENTRY[0]), first), FeatureMap("block2", wide(ENTRY[1]), 2 * first),
            FeatureMap("block11", before, 4 * first), FeatureMap("act4", wide(LAST[1]), 8 * first)]
    if form == "imagenet":
        maps.insert(0, FeatureMap("act2", wide(64), 2))
    return Chain(parts, tuple(maps), spec.outputs, dropout)


def _active(place: int, channels: int) -> dict[str, nn.Module]:
    return {f"bn{place}": nn.BatchNorm2d(channels), f"act{place}": nn.ReLU(inplace=True)}
