"""Networks for pictures in two parts: a trunk, whose maps get coarser, and a head that reads the last map."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor, nn


class FeatureMap(NamedTuple):
    """One map of a trunk.

    name:     of the module whose output it is ("layer3", "features.23"), as in `named_modules`.
    channels: of the map. stride: pixels of the picture from one of its places to the next.
    """

    name: str
    channels: int
    stride: int


class PictureNetwork(nn.Module, ABC):
    """A classifier of pictures that others can build on: detection and localization on its maps, transfer on its parts.

    head_name:   of the module that reads the features and gives the outputs, the new part in transfer: "fc",
                 "classifier". Everything before it is the trunk.
    output_name: of the layer that has one output for each class: "fc", "classifier.6".
    """

    head_name: str
    output_name: str

    @property
    @abstractmethod
    def maps(self) -> tuple[FeatureMap, ...]:
        """What `feature_maps` gives, from fine to coarse; one for each stride."""

    @abstractmethod
    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        """N×C×H×W pictures -> the maps, each N×channels×(about H/stride)×(about W/stride)."""

    @abstractmethod
    def classify(self, last: Tensor) -> Tensor:
        """The last map -> N×outputs."""

    def forward(self, picture: Tensor) -> Tensor:
        return self.classify(self.feature_maps(picture)[-1])
