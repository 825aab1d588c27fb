"""ResNet: layers learn what to add to their input. He, Zhang, Ren & Sun 2015, arXiv:1512.03385 (rows 17.06 to 17.09).

What goes around a block is added to what comes out of it, not concatenated with it.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.small_maps import SmallMapConv2d
from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import choose_form, initialize_network, lone_picture, require_side


class BasicBlock(nn.Module):
    """Two 3×3 convolutions, the first with the stride, and the way around them: a' = g(z + a)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, around: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = SmallMapConv2d(channels, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = SmallMapConv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = around

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn2

    def forward(self, x: Tensor) -> Tensor:
        residual = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(residual + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    """1×1 to fewer channels, 3×3 with the stride (torchvision's v1.5; the paper's is in the first), 1×1 back."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, around: nn.Module | None) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = SmallMapConv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.expansion * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.expansion * width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = around

    @property
    def last_norm(self) -> nn.BatchNorm2d:
        return self.bn3

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.relu(self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x))))))
        residual = self.bn3(self.conv3(narrow))
        return self.relu(residual + (x if self.downsample is None else self.downsample(x)))


class ZeroPadded(nn.Module):
    """The way around without parameters (option A of the paper): every stride-th pixel, zeros for new channels."""

    def __init__(self, stride: int, new: int) -> None:
        super().__init__()
        self.stride, self.new = stride, new

    def forward(self, x: Tensor) -> Tensor:
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.new // 2, self.new - self.new // 2))


class Variant(NamedTuple):
    """block, how many of them in each stage, channels of the first stage, stem (None: by the picture's side), the way
    around where shapes differ, and the name of the last layer in published files."""

    block: type[BasicBlock] | type[Bottleneck]
    blocks: tuple[int, ...]
    width: int = 64
    stem: str | None = None
    shortcut: str = "projection"
    output: str = "fc"


def _cifar(blocks: int) -> Variant:
    """Section 4.2 of the paper: 6 · blocks + 2 layers; files as in akamaster/pytorch_resnet_cifar10."""
    return Variant(BasicBlock, (blocks,) * 3, width=16, stem="small", shortcut="zeros", output="linear")


VARIANTS = {
    "resnet18": Variant(BasicBlock, (2, 2, 2, 2)),
    "resnet34": Variant(BasicBlock, (3, 4, 6, 3)),
    "resnet50": Variant(Bottleneck, (3, 4, 6, 3)),
    "resnet101": Variant(Bottleneck, (3, 4, 23, 3)),
    "resnet152": Variant(Bottleneck, (3, 8, 36, 3)),
    "resnet20": _cifar(3),
    "resnet32": _cifar(5),
    "resnet44": _cifar(7),
    "resnet56": _cifar(9),
    "resnet110": _cifar(18),
}


class ResNet(PictureNetwork):
    """See `resnet`. Parameters are named as in torchvision's ResNet."""

    def __init__(self, channels: int, outputs: int, variant: Variant, stem: str, dropout: float) -> None:
        super().__init__()
        self.head_name = self.output_name = variant.output
        large = stem == "imagenet"
        self.conv1 = nn.Conv2d(channels, variant.width, 7 if large else 3, 2 if large else 1, 3 if large else 1,
                               bias=False)
        self.bn1 = nn.BatchNorm2d(variant.width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1) if large else nn.Identity()
        self.stages = [f"layer{k}" for k in range(1, len(variant.blocks) + 1)]
        maps = [FeatureMap("relu", variant.width, 2)] if large else []
        channels, stride = variant.width, 4 if large else 1
        for k, (name, blocks) in enumerate(zip(self.stages, variant.blocks)):
            self.add_module(name, _stage(variant, channels, variant.width * 2**k, blocks, stride=2 if k else 1))
            channels = variant.block.expansion * variant.width * 2**k
            maps.append(FeatureMap(name, channels, stride * 2**k))
        self.dropout = nn.Dropout(dropout)
        self.add_module(variant.output, nn.Linear(channels, outputs))
        self._maps = tuple(maps)
        initialize_network(self)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        x = self.relu(self.bn1(self.conv1(picture)))
        maps = [] if isinstance(self.maxpool, nn.Identity) else [x]
        x = self.maxpool(x)
        for name in self.stages:
            x = self.get_submodule(name)(x)
            maps.append(x)
        return tuple(maps)

    def classify(self, last: Tensor) -> Tensor:
        return self.get_submodule(self.output_name)(self.dropout(last.mean((2, 3))))


def _stage(variant: Variant, channels: int, width: int, blocks: int, stride: int) -> nn.Sequential:
    """Blocks of one width; the first has the stride, and a way around that fits where shapes differ."""
    after, around = variant.block.expansion * width, None
    if stride != 1 or channels != after:
        around = ZeroPadded(stride, after - channels) if variant.shortcut == "zeros" else nn.Sequential(
            nn.Conv2d(channels, after, 1, stride, bias=False), nn.BatchNorm2d(after))
    first = variant.block(channels, width, stride, around)
    return nn.Sequential(first, *(variant.block(after, width, 1, None) for _ in range(blocks - 1)))


def resnet(spec: ModelSpec, variant: str, stem: str | None = None, width: int | None = None, dropout: float = 0.0,
           shortcut: str | None = None, zero_init_residual: bool = False) -> nn.Module:
    """A ResNet of 18 to 152 layers (torchvision's v1.5), or of 20 to 110 in the paper's form for CIFAR pictures.

    stem: "imagenet", 7×7 with stride 2 and max pooling, for pictures from 32 pixels; "small", 3×3 with stride 1, for
    those from 8 (CIFAR's from 4); left out, "small" to 64 pixels. width: channels of the first stage, published 64
    (CIFAR's 16); each later one doubles them. dropout: before the last layer, published 0. shortcut: around a block
    that changes shape, "projection" (1×1 convolution and norm, published) or "zeros" (zero channels, published for
    CIFAR's). zero_init_residual: whether each block starts as the identity; published: it does not.
    """
    design, picture = VARIANTS[variant], lone_picture(spec, variant)
    form = choose_form(picture, stem or design.stem)
    shortcut = design.shortcut if shortcut is None else shortcut
    if shortcut not in ("projection", "zeros"):
        raise RecipeError(f"shortcut is projection or zeros; got {shortcut!r}", where="model.options.shortcut",
                          remedy=nearest(str(shortcut), ["projection", "zeros"]))
    design = design._replace(width=design.width if width is None else int(width), shortcut=shortcut)
    smallest = 2 ** (len(design.blocks) - 1) * (4 if form == "imagenet" else 1)
    require_side(picture, smallest, variant, "choose its stem for small pictures: --set model.options.stem=small"
                 if form == "imagenet" else "")
    network = ResNet(picture.shape[0], spec.outputs, design, form, dropout)
    if zero_init_residual:
        for block in network.modules():
            if isinstance(block, (BasicBlock, Bottleneck)):
                nn.init.zeros_(block.last_norm.weight)
    return network
