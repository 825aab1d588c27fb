"""A trained network as an eye: what some of its layers make of a picture."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.trunk import PictureNetwork
from orthogon.train.build import build_model, chosen_weights
from orthogon.train.pretrained import load_weights
from orthogon.train.recipe import Recipe
from orthogon.vision.inside.layers import check_layer, listening

BORDER = 8
"""Pixels by which pictures are mirrored beyond their edges, so that those at an edge are seen as often as others."""

CONTENT_STRIDE, STYLE_STRIDE = 8, 16
"""Pixels of the picture between two places of the coarsest maps that are taken for content and style by default."""


class _SeenEnough(Exception):
    """The last layer that is asked for has run."""


class Eye(nn.Module):
    """Pictures N×3×H×W in 0 … 1 -> {layer: its maps}, with gradient in the pictures; the network itself is frozen.

    layers: names of modules, as in `named_modules`; the network runs no further than the last of them.
    mean, std: what the network's pictures are standardized by, in 0 … 255, a number a channel; one with a single
    channel is given the mean of the three.
    average: pooling takes means in place of maxima, which Gatys et al. found to look better.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str], mean: Sequence[float], std: Sequence[float],
                 average: bool = False) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.layers = tuple(layers)
        for name, value in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(value, dtype=torch.float32).view(1, -1, 1, 1) / 255)
        for name, module in list(network.named_modules()):
            if getattr(module, "inplace", False):
                setattr(module, "inplace", False)  # noqa: B010 - it would write over the maps of the layer before it
            if average and isinstance(module, nn.MaxPool2d):
                network.set_submodule(name, nn.AvgPool2d(module.kernel_size, module.stride, module.padding,
                                                         module.ceil_mode, count_include_pad=False))

    def forward(self, picture: Tensor) -> dict[str, Tensor]:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        if mean.shape[1] == 1:
            picture = picture.mean(1, keepdim=True)
        border = min(BORDER, picture.shape[2] - 1, picture.shape[3] - 1)
        picture = F.pad(picture, (border,) * 4, mode="reflect")
        found: dict[str, Tensor] = {}

        def keep(name: str, _: nn.Module, output: Tensor) -> None:
            found[name] = output
            if len(found) == len(self.layers):
                raise _SeenEnough

        listened = {name: self.network.get_submodule(name) for name in self.layers}
        with suppress(_SeenEnough), listening(listened, keep):
            self.network((picture - mean) / std)
        return found


def default_layers(network: nn.Module) -> tuple[list[str], list[str]]:
    """(content, style): of the maps that a PictureNetwork names, the coarsest with a stride of at most 8, and all with
    a stride of at most 16. Of VGG-19 relu4_4, and the last ReLU of each block but the fifth.

    RecipeError for a network that names no maps.
    """
    if not isinstance(network, PictureNetwork):
        raise RecipeError(f"{type(network).__name__} does not say which of its layers give maps", where="layers",
                          remedy="Name them: --layers A,B,C --content-layers B")
    fine = [each.name for each in network.maps if each.stride <= STYLE_STRIDE] or [network.maps[0].name]
    middle = [each.name for each in network.maps if each.stride <= CONTENT_STRIDE] or fine
    return middle[-1:], fine


def trained_network(recipe: Recipe) -> nn.Module:
    """The network that the recipe names, filled with its weights. RecipeError where they do not fit."""
    weights = chosen_weights(recipe.model)
    channels = len(weights.preprocessing.mean) if weights.preprocessing else 3
    side = weights.preprocessing.size if weights.preprocessing else 224
    spec = ModelSpec((InputSpec("image", (channels, side, side)),), len(weights.classes) or 1)
    network = build_model(spec, recipe.model, recipe.train.seed)
    load_weights(network, weights, weights.classes)
    return network


def check_layers(network: nn.Module, names: Sequence[str], channels: int, side: int) -> None:
    """RecipeError that lists the layers with maps, where one of the names is none of them."""
    picture = torch.zeros(1, channels, side, side)
    for name in dict.fromkeys(names):
        check_layer(network, picture, name)
