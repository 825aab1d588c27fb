"""LeNet-5. LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document recognition"."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError, nearest
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import lone_picture, require_side

# Table I of the paper: which maps of S2 each of the 16 maps of C3 sees.
C3_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)


class ScaledTanh(nn.Module):
    """1.7159 tanh(2x/3): ±1 at ±1, and steepest there where inputs have unit variance (appendix A of the paper)."""

    def forward(self, x: Tensor) -> Tensor:
        return 1.7159 * torch.tanh(x * (2 / 3))


class Subsampling(nn.Module):
    """The mean of 2×2 values, times a coefficient plus a bias, both trained, one of each per map. N×C×H×W, halved."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.coefficient = nn.Parameter(torch.ones(maps))
        self.bias = nn.Parameter(torch.zeros(maps))

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 2) * self.coefficient.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)


class PartialConv(nn.Module):
    """A 5×5 convolution of which each output map sees only some input maps (C3_TABLE): 60 kernels instead of 96."""

    where: Tensor

    def __init__(self) -> None:
        super().__init__()
        links = [6 * out + seen for out, maps in enumerate(C3_TABLE) for seen in maps]
        self.register_buffer("where", torch.tensor(links), persistent=False)
        self.weight = nn.Parameter(torch.empty(len(links), 5, 5))
        self.bias = nn.Parameter(torch.empty(len(C3_TABLE)))
        fan_in = torch.tensor([25.0 * len(maps) for maps in C3_TABLE for _ in maps])
        with torch.no_grad():
            self.weight.uniform_(-2.4, 2.4).div_(fan_in.view(-1, 1, 1))
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        full = self.weight.new_zeros(96, 5, 5).index_copy(0, self.where, self.weight)
        return F.conv2d(x, full.view(16, 6, 5, 5), self.bias)


class RBFOutput(nn.Module):
    """Minus the squared distance to a fixed code of ±1 per class, N×84 -> N×K: the paper's RBF units as logits.

    The paper draws its codes as pictures of the characters and names random ones as an alternative; as classes here
    need not be characters, they are random, and the same for every network.
    """

    codes: Tensor

    def __init__(self, features: int, outputs: int) -> None:
        super().__init__()
        drawn = torch.randint(0, 2, (outputs, features), generator=torch.Generator().manual_seed(1998))
        self.register_buffer("codes", drawn.float() * 2 - 1)

    def forward(self, x: Tensor) -> Tensor:
        return -(x.float().unsqueeze(1) - self.codes).square().sum(2)


class LeNet5(PictureNetwork):
    """The named layers, one after the other; the trunk ends with the last of the maps. Made by `lenet5`."""

    head_name = output_name = "output"

    def __init__(self, maps: tuple[FeatureMap, ...], **layers: nn.Module) -> None:
        super().__init__()
        self._maps = maps
        self.order = list(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        found, x = {}, picture
        for name in self.order[: self._after_trunk]:
            found[name] = x = self.get_submodule(name)(x)
        return tuple(found[each.name] for each in self._maps)

    def classify(self, last: Tensor) -> Tensor:
        for name in self.order[self._after_trunk :]:
            last = self.get_submodule(name)(last)
        return last

    @property
    def _after_trunk(self) -> int:
        return self.order.index(self._maps[-1].name) + 1


def lenet5(spec: ModelSpec, variant: Literal["modern", "paper"] = "modern",
           output: Literal["rbf", "linear"] = "rbf") -> nn.Module:
    """LeNet-5 for pictures (row 17.02).

    variant: "modern" has ReLU, max pooling and full connections, 61,706 parameters from 1×28×28 to 10 classes, for
    pictures from 12 pixels (28 and smaller are padded by 2, as the paper pads its 28-pixel characters to 32).
    "paper" takes 28 or 32 pixels: scaled tanh, trained subsampling, the table of C3; 60,000 trained parameters.
    output: of the paper variant, distance to fixed codes ("rbf", as published) or a trained linear layer ("linear").
    """
    picture = lone_picture(spec, "lenet5")
    if variant not in ("modern", "paper"):
        raise RecipeError(f"lenet5 has no variant {variant!r}", where="model.options.variant",
                          remedy=nearest(str(variant), ["modern", "paper"]))
    if output not in ("rbf", "linear"):
        raise RecipeError(f"lenet5 has no output {output!r}", where="model.options.output",
                          remedy=nearest(str(output), ["rbf", "linear"]))
    return _modern(picture, spec.outputs) if variant == "modern" else _paper(picture, spec.outputs, output)


def _modern(picture: InputSpec, outputs: int) -> nn.Module:
    require_side(picture, 12, "lenet5")
    channels, height, width = picture.shape
    pad = 2 if min(height, width) <= 28 else 0
    high, wide = (((side + 2 * pad - 4) // 2 - 4) // 2 for side in (height, width))
    layers = {"c1": nn.Conv2d(channels, 6, 5, padding=pad), "c3": nn.Conv2d(6, 16, 5),
              "c5": nn.Linear(16 * high * wide, 120), "f6": nn.Linear(120, 84)}
    for layer in layers.values():
        initialize(layer, followed_by="relu")
    output = nn.Linear(84, outputs)
    initialize_output(output)
    return LeNet5(
        (FeatureMap("a1", 6, 1), FeatureMap("a3", 16, 2), FeatureMap("s4", 16, 4)),
        c1=layers["c1"], a1=nn.ReLU(), s2=nn.MaxPool2d(2), c3=layers["c3"], a3=nn.ReLU(), s4=nn.MaxPool2d(2),
        flat=nn.Flatten(), c5=layers["c5"], a5=nn.ReLU(), f6=layers["f6"], a6=nn.ReLU(), output=output,
    )


def _paper(picture: InputSpec, outputs: int, output: str) -> nn.Module:
    channels, *sides = picture.shape
    if sides not in ([28, 28], [32, 32]):
        raise RecipeError(f"the paper's LeNet-5 takes 28 or 32 pixels; these pictures have {sides[0]}×{sides[1]}",
                          where="model.options.variant", remedy="Set the size: --set data.image_size=32")
    last = RBFOutput(84, outputs) if output == "rbf" else nn.Linear(84, outputs)
    net = LeNet5(
        (FeatureMap("a1", 6, 1), FeatureMap("a3", 16, 2), FeatureMap("a4", 16, 4)),
        c1=nn.Conv2d(channels, 6, 5, padding=2 if sides[0] == 28 else 0), a1=ScaledTanh(),
        s2=Subsampling(6), a2=ScaledTanh(), c3=PartialConv(), a3=ScaledTanh(),
        s4=Subsampling(16), a4=ScaledTanh(), c5=nn.Conv2d(16, 120, 5), a5=ScaledTanh(), flat=nn.Flatten(),
        f6=nn.Linear(120, 84), a6=ScaledTanh(), output=last,
    )
    for layer in net.children():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            _initialize_as_published(layer)
    return net


def _initialize_as_published(layer: nn.Conv2d | nn.Linear) -> None:
    """Uniform within ±2.4 / fan in (appendix A of the paper); biases zero."""
    bound = 2.4 / layer.weight[0].numel()
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
