"""Which parts of a network learn: its layers in order, its stages and head, and what of it is frozen."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from types import MethodType

from torch import nn

from orthogon.errors import nearest
from orthogon.nn.trunk import PictureNetwork


def layers(model: nn.Module) -> list[str]:
    """The names of the modules with parameters of their own (convolutions, linear layers, norms) in the order in which
    they were registered, which in the networks here is that in which they are run. Freezing counts in this order.

    Other libraries count otherwise: `model.layers` of Keras also holds the input, activations and pooling, so that the
    first 17 of its VGG-16 (row 18.09) are 12 convolutions here, and the first 110 of its Xception (row 18.10) are all
    up to the first separable convolution of block 12 with its norm.
    """
    return [name for name, module in model.named_modules() if any(True for _ in module.parameters(recurse=False))]


def head_of(model: nn.Module) -> str:
    """The name of the module that reads the features and gives the outputs: what is new in transfer.

    Of a PictureNetwork, and of any module that was given a new head (orthogon.nn.heads.new_head), its `head_name`; of
    any other its last linear layer, last being what was registered last. ValueError where there is none.
    """
    named = getattr(model, "head_name", None)
    if isinstance(named, str):
        return named
    linear = [name for name, module in model.named_modules() if name and isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"{type(model).__name__} has no linear layer within it that could be its head; "
                         "name the layers that are to be frozen instead")
    return linear[-1]


def stages(model: nn.Module) -> list[list[str]]:
    """The names of the layers, stage by stage from the input on; the last stage is the head.

    The stages of the trunk of a PictureNetwork end with its `maps`; those of any other module are its children, and
    the children of those that are lists (Sequential, ModuleList).
    """
    head, names = head_of(model), [name for name, _ in model.named_modules()]
    cuts = [each.name for each in model.maps] if isinstance(model, PictureNetwork) else _children(model, head)
    ends = [max(at for at, name in enumerate(names) if _is_within(name, cut)) for cut in cuts]
    found: list[list[str]] = [[] for _ in range(max(1, len(ends)) + 1)]
    for layer in layers(model):
        in_trunk = min(bisect_left(ends, names.index(layer)), len(found) - 2)
        found[-1 if _is_within(layer, head) else in_trunk].append(layer)
    return [stage for stage in found if stage]


def _children(model: nn.Module, head: str) -> list[str]:
    found = []
    for name, child in model.named_children():
        listed = isinstance(child, nn.Sequential | nn.ModuleList)
        found += [f"{name}.{inner}" for inner, _ in child.named_children()] if listed else [name]
    return [name for name in found if not _is_within(name, head)]


def _is_within(name: str, module: str) -> bool:
    return name == module or name.startswith(f"{module}.")


def freeze(model: nn.Module, which: int | Sequence[str]) -> list[str]:
    """Freeze layers: their parameters no longer learn, and they stay in evaluation mode whatever mode the model is put
    into, so that batch norms keep their statistics. The names of all layers that are frozen now (rows 18.02-18.04).

    which: how many layers from the input on (see `layers`): the early ones are general and stay, the late ones learn
           (row 18.07, E65). Or shell patterns on names of modules and parameters ("features.1*", "*.bias"): a module
           is frozen with all that is in it.

    Modules without parameters (dropout) between frozen layers stay in evaluation mode as well. The model is changed in
    place; its state_dict has the same keys, and copies of it are as frozen. ValueError for more layers than there are,
    and for a pattern that matches nothing.
    """
    for parameter in _counted(model, which) if isinstance(which, int) else _named(model, which):
        parameter.requires_grad_(False)
    hold_still(_between_frozen(model))
    return [name for name in layers(model) if _is_frozen(model.get_submodule(name))]


def _counted(model: nn.Module, count: int) -> list[nn.Parameter]:
    names = layers(model)
    if not 0 <= count <= len(names):
        raise ValueError(f"{count} layers are to be frozen, and there are {len(names)}: count from 0 to {len(names)}")
    return [each for name in names[:count] for each in model.get_submodule(name).parameters(recurse=False)]


def _named(model: nn.Module, patterns: Sequence[str]) -> list[nn.Parameter]:
    modules = dict(model.named_modules())
    parameters = dict(model.named_parameters())
    found: list[nn.Parameter] = []
    for pattern in patterns:
        matched = [module for name, module in modules.items() if name and fnmatchcase(name, pattern)]
        alone = [each for name, each in parameters.items() if fnmatchcase(name, pattern)]
        if not matched and not alone:
            raise ValueError(f"no module and no parameter is called {pattern!r}. "
                             + nearest(pattern.strip("*."), [name for name in (*modules, *parameters) if name]))
        found += [*alone, *(each for module in matched for each in module.parameters())]
    return found


def _is_frozen(module: nn.Module) -> bool:
    """Whether it has parameters, and none of them learns."""
    learning = [each.requires_grad for each in module.parameters()]
    return bool(learning) and not any(learning)


def _between_frozen(model: nn.Module) -> list[nn.Module]:
    """All that lies within frozen modules, and of what has no parameters what comes before a frozen layer and before
    everything that learns."""
    modules = [module for _, module in model.named_modules()]
    frozen = [module for module in modules if _is_frozen(module)]
    own = [[each.requires_grad for each in module.parameters(recurse=False)] for module in modules]
    first = next((at for at, learning in enumerate(own) if any(learning)), len(modules))
    last = max((at for at, learning in enumerate(own[:first]) if learning), default=-1)
    bare = [module for module in modules[: last + 1] if not any(True for _ in module.parameters())]
    return [*(inner for module in frozen for inner in module.modules()), *bare]


def hold_still(modules: Iterable[nn.Module]) -> None:
    """Put these modules into evaluation mode for good: `train()` of them, or of what they are in, leaves them there.

    For batch norms of pretrained networks, whose statistics would be lost in a few small batches, also where their
    scales go on learning.
    """
    for module in modules:
        module.training = False
        module.train = MethodType(_stay, module)  # type: ignore[method-assign]


def _stay(module: nn.Module, mode: bool = True) -> nn.Module:
    return module
