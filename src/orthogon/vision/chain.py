"""Networks of named parts that follow one another, with branches at the side: GoogLeNet, Inception, Xception."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn

from orthogon.nn.auxiliary import WithAuxiliary
from orthogon.nn.initializers import initialize_output
from orthogon.nn.trunk import FeatureMap, PictureNetwork
from orthogon.vision.blocks import initialize_network


class Chain(PictureNetwork):
    """Parts one after the other, `fc` on the mean of the last map, and in training branches at the side of some parts.

    parts: name -> module, branches among them. maps: named after the parts whose outputs they are. sides: part -> name
    of the branch that reads what it gives, and what its loss counts.
    """

    head_name = output_name = "fc"

    def __init__(self, parts: Mapping[str, nn.Module], maps: tuple[FeatureMap, ...], outputs: int, dropout: float,
                 sides: Mapping[str, tuple[str, float]] | None = None) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.sides, self._maps = dict(sides or {}), maps
        branches = [branch for branch, _ in self.sides.values()]
        self.trunk = tuple(name for name in parts if name not in branches)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(maps[-1].channels, outputs)
        initialize_network(self)
        for branch in branches:
            initialize_output([layer for layer in parts[branch].modules() if isinstance(layer, nn.Linear)][-1])

    @property
    def maps(self) -> tuple[FeatureMap, ...]:
        return self._maps

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        return tuple(self._run(picture, [each.name for each in self._maps]).values())

    def classify(self, last: Tensor) -> Tensor:
        return self.fc(self.dropout(last.mean((2, 3))))

    def forward(self, picture: Tensor) -> Tensor | WithAuxiliary:
        last, sides = self._maps[-1].name, self.sides if self.training else {}
        found = self._run(picture, [last, *sides])
        beside = tuple((weight, self.get_submodule(branch)(found[part])) for part, (branch, weight) in sides.items())
        output = self.classify(found[last])
        return WithAuxiliary(output, beside) if beside else output

    def _run(self, picture: Tensor, wanted: Collection[str]) -> dict[str, Tensor]:
        """What the parts of these names give, in the order of the trunk."""
        x, found = picture, {}
        for name in self.trunk:
            x = self.get_submodule(name)(x)
            if name in wanted:
                found[name] = x
        return found


def times(width: float, channels: int) -> int:
    """Channels of a layer times the width of its network: a whole number of at least 1."""
    return max(1, round(channels * width))
