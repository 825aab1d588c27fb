"""Which pixels a unit can see, for any network, by running it. For a chain of layers there is arithmetic:
`equations.convolution_sizes.receptive_field`."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from orthogon.nn.modes import evaluating
from orthogon.nn.sight import Sight


def rectangles(model: nn.Module, inputs: Tensor | tuple[Tensor, ...], names: Sequence[str]) -> dict[str, Tensor]:
    """What each unit of the named modules can see of a picture: name -> int64 h×w×4 (left, top, right, bottom).

    inputs: N×C×H×W pictures, or a tuple of which they are the first; only their shape counts.
    names:  modules whose output is N×channels×h×w. Where its channels differ, a rectangle holds what any of them sees.

    The network is run once, on coordinates instead of values (`nn.sight`), so branches, shortcuts, dilation and padding
    are as they really are, and rectangles are cut at the borders. right and bottom are the first pixel outside. A unit
    that sees padding alone has 0, 0, 0, 0. ValueError where a module gives no maps.
    """
    picture, *others = inputs if isinstance(inputs, tuple) else (inputs,)
    height, width = picture.shape[2:]
    found: dict[str, Tensor] = {}

    def keep(name: str, output: object) -> None:
        if not isinstance(output, Sight) or output.ndim != 4:
            raise ValueError(f"{name!r} gives no maps: expected a module whose output is N×channels×height×width")
        found[name] = _cut(output.seen.amax(1), height, width)

    modules = dict(model.named_modules())
    hooks = [modules[name].register_forward_hook(lambda _, __, output, name=name: keep(name, output))
             for name in names]
    try:
        with evaluating(model):
            model(Sight(_coordinates(picture.shape[1], height, width)), *(_four(other) for other in others))
    finally:
        for hook in hooks:
            hook.remove()
    return {name: found[name] for name in names}


def _coordinates(channels: int, height: int, width: int) -> Tensor:
    """4×channels×H×W: of each pixel its row, minus its row, its column, minus its column."""
    rows = torch.arange(height, dtype=torch.float32).view(-1, 1).expand(height, width)
    columns = torch.arange(width, dtype=torch.float32).expand(height, width)
    planes = torch.stack([rows, -rows, columns, -columns])
    return planes.unsqueeze(1).expand(4, channels, height, width).contiguous()


def _four(other: Tensor) -> Tensor:
    """An input beside the picture as four examples."""
    return other[:1].expand(4, *other.shape[1:])


def _cut(seen: Tensor, height: int, width: int) -> Tensor:
    """4×h×w of largest coordinates -> h×w×4 rectangles within the picture."""
    bottom, top, right, left = seen
    found = torch.stack([(-left).clamp(0, width), (-top).clamp(0, height), (right + 1).clamp(0, width),
                         (bottom + 1).clamp(0, height)], dim=-1)
    return torch.where(torch.isneginf(bottom).unsqueeze(-1), 0, found).long()
