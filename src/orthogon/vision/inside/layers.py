"""The maps of a network by name, and what a layer gives while the network runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.modes import evaluating
from orthogon.nn.trunk import PictureNetwork

Inputs = Tensor | tuple[Tensor, ...]
"""N×C×H×W pictures as the network takes them, or a tuple of which they are the first."""


class Layer(NamedTuple):
    """A module that gives maps.

    name: as in `named_modules`; kind: its class; channels, height, width: of its maps. same_as: the name of the module
    within or before it whose output it hands on as it is (a container, an identity); "" for one that computes.
    """

    name: str
    kind: str
    channels: int
    height: int
    width: int
    same_as: str = ""


def layers(model: nn.Module, inputs: Inputs) -> list[Layer]:
    """The modules whose output is N×channels×h×w with more than one place, in the order in which they run.

    Empty for a network without maps (an mlp). A container stands after what it holds; of a module that runs several
    times the last time counts.
    """
    found: dict[str, Layer] = {}
    outputs: list[tuple[Tensor, int, str]] = []

    def keep(name: str, module: nn.Module, output: Any) -> None:
        if isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1:
            version = output._version  # counts changes in place
            same_as = next((other for tensor, seen, other in outputs if tensor is output and seen == version), "")
            found.pop(name, None)
            channels, height, width = output.shape[1:]
            found[name] = Layer(name, type(module).__name__, channels, height, width, same_as)
            outputs.append((output, version, same_as or name))

    with listening({name: module for name, module in model.named_modules() if name}, keep), evaluating(model):
        model(*(each[:1] for each in as_tuple(inputs)))
    return list(found.values())


def chosen_layers(model: nn.Module, inputs: Inputs) -> list[Layer]:
    """An early, a middle and the last layer to look into; fewer where there are fewer, none without maps.

    Of the last maps of each size, which a `PictureNetwork` names; of all layers where those are fewer than three. What
    stands before the first layer with parameters (padding, scaling) is passed over.
    """
    every, modules = layers(model, inputs), dict(model.named_modules())
    learnt = (k for k, layer in enumerate(every) if any(True for _ in modules[layer.name].parameters()))
    single = [layer for layer in every[next(learnt, 0) :] if not layer.same_as]
    if isinstance(model, PictureNetwork):
        named = {each.name for each in model.maps}
        last = [layer for layer in every if layer.name in named]
    else:
        last = list({(layer.height, layer.width): layer for layer in single}.values())
    found = last if len(last) > 2 else single
    return [found[place] for place in sorted({0, (len(found) - 1) // 2, len(found) - 1})] if found else []


def check_layer(model: nn.Module, inputs: Inputs, name: str) -> Layer:
    """The layer of that name; RecipeError with the valid names where there is none."""
    known = {layer.name: layer for layer in layers(model, inputs)}
    if name not in known:
        raise RecipeError(f"there is no layer {name!r} that gives maps", where="layer",
                          remedy=f"Layers with maps: {', '.join(known) or 'none'}.")
    return known[name]


@contextmanager
def listening(modules: dict[str, nn.Module], heard: Callable[[str, nn.Module, Any], Any]) -> Iterator[None]:
    """Within the block `heard(name, module, output)` is called after each module; what it returns takes the output's
    place, unless it is None."""
    hooks = [module.register_forward_hook(lambda module, _, output, name=name: heard(name, module, output))
             for name, module in modules.items()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def as_tuple(inputs: Inputs) -> tuple[Tensor, ...]:
    return inputs if isinstance(inputs, tuple) else (inputs,)


def probabilities(model: nn.Module, inputs: tuple[Tensor, ...]) -> Tensor:
    """N×K float32: softmax of what the model gives."""
    return torch.softmax(model(*inputs).float(), dim=1)
