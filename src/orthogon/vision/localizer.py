"""A network that says where: the trunk of any network for pictures, and a head that knows places (row 20.04)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import ModelSpec
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import lone_picture


class Localizer(PictureNetwork):
    """See `localizer`. The trunk's parameters keep their names behind "trunk."."""

    head_name, output_name = "head", "head.output"

    def __init__(self, trunk: PictureNetwork, outputs: int, grid: int, hidden: int) -> None:
        super().__init__()
        trunk.set_submodule(trunk.head_name, nn.Identity())  # what classified has nothing to do here
        self.trunk = trunk
        width = trunk.maps[-1].channels * grid**2
        self.head = nn.Sequential()
        self.head.add_module("pool", nn.AdaptiveAvgPool2d(grid))
        self.head.add_module("flat", nn.Flatten())
        if hidden:
            layer = nn.Linear(width, hidden)
            initialize(layer, followed_by="relu")
            self.head.add_module("hidden", layer)
            self.head.add_module("activation", nn.ReLU())
        output = nn.Linear(hidden or width, outputs)
        initialize_output(output)
        self.head.add_module("output", output)

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return tuple(each._replace(name=f"trunk.{each.name}") for each in self.trunk.maps)

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        return self.trunk.feature_maps(picture)

    def classify(self, last: Tensor) -> Tensor:
        return self.head(last)


def localizer(spec: ModelSpec, trunk: str = "convnet", trunk_options: dict[str, Any] | None = None, grid: int = 4,
              hidden: int = 200) -> nn.Module:
    """A trunk, its last map averaged over grid × grid parts, a hidden layer, and one layer for all outputs.

    trunk: name of a network for pictures; trunk_options: of it. grid: 1 averages over the whole map, as row 20.04 does,
    and forgets places; 4 keeps them coarsely. hidden: units with ReLU, 0 = no such layer.
    RecipeError for a trunk that has no maps.
    """
    lone_picture(spec, "localizer")
    built = registry.models.load(trunk)(ModelSpec(spec.inputs, 1), **(trunk_options or {}))
    if not isinstance(built, PictureNetwork):
        raise RecipeError(f"{trunk} has no maps for a localizer to read", where="model.options.trunk",
                          remedy="Choose convnet, or another network for pictures: `orthogon list models`.")
    return Localizer(built, spec.outputs, int(grid), int(hidden))
