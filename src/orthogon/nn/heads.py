"""Several outputs from one network: heads on a trunk, side branches, and a new last layer for a new task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import Tensor, nn

from orthogon.nn.auxiliary import WithAuxiliary
from orthogon.nn.freeze import head_of
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.modes import evaluating

SIDE_WEIGHT = 0.3  # of GoogLeNet's two branches


class Heads(nn.Module):
    """One trunk, and a head for each output: inputs -> {name: head(trunk(inputs))} (row 2.13).

    Such as {"class": nn.Linear(64, 5), "box": nn.Linear(64, 4)}: softmax and cross-entropy on the one, squared error on
    the other, added up by orthogon.nn.total.weighted_outputs. ValueError without heads.
    """

    def __init__(self, trunk: nn.Module, heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        if not heads:
            raise ValueError("there are no heads; give one for each output: {'class': nn.Linear(64, 5)}")
        self.trunk = trunk
        self.heads = nn.ModuleDict(heads)

    def forward(self, *inputs: Tensor) -> dict[str, Tensor]:
        features = self.trunk(*inputs)
        return {name: head(features) for name, head in self.heads.items()}


class SideBranches(nn.Module):
    """Stages one after the other and, in training alone, an output from the side of some of them (row 5.18).

    Szegedy et al. 2015, arXiv:1409.4842: the branches give early stages a loss of their own, which regularizes, and are
    left out afterwards. In training: what the last stage gives with what the branches give, in the order of the stages,
    each of which counts the paper's 0.3 in a loss; in evaluation what the last stage gives, a tensor.

    stages: name -> module, in order. branches: name of the stage that it follows -> module. ValueError for a branch
    that follows no stage.
    """

    def __init__(self, stages: Mapping[str, nn.Module], branches: Mapping[str, nn.Module]) -> None:
        super().__init__()
        homeless = [name for name in branches if name not in stages]
        if homeless:
            raise ValueError(f"branches {homeless} follow no stage; name one of {list(stages)}")
        self.stages, self.branches = nn.ModuleDict(stages), nn.ModuleDict(branches)

    def forward(self, x: Tensor) -> Tensor | WithAuxiliary:
        beside = []
        for name, stage in self.stages.items():
            x = stage(x)
            if self.training and name in self.branches:
                beside.append((SIDE_WEIGHT, self.branches[name](x)))
        return WithAuxiliary(x, tuple(beside)) if self.training else x


def replace_head(model: nn.Module, outputs: int) -> str:
    """Put a new layer with that many outputs in place of the model's last linear layer; its name (row 4.12).

    Last is what was registered last. The new layer has the old one's inputs, device, type, and a bias where that had
    one; its weights are small and random (initialize_output), all others stay as they are. ValueError where no linear
    layer is within the model.
    """
    layers = [(name, layer) for name, layer in model.named_modules() if name and isinstance(layer, nn.Linear)]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layer within it that could be replaced; put the new "
                         "layer in by hand, and draw its weights with orthogon.nn.initializers.initialize_output")
    name, old = layers[-1]
    new = nn.Linear(old.in_features, outputs, old.bias is not None, old.weight.device, old.weight.dtype)
    initialize_output(new)
    model.set_submodule(name, new)
    return name


def features_and_outputs(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """What enters the head (orthogon.nn.freeze.head_of) and what the model gives, in evaluation mode.

    Without gradients. ValueError where the head is not called just once, on one tensor.
    """
    caught: list[tuple[Tensor, ...]] = []
    head = model.get_submodule(head_of(model))
    hook = head.register_forward_pre_hook(lambda module, given: caught.append(given))
    try:
        with evaluating(model):
            outputs = model(*inputs)
    finally:
        hook.remove()
    if len(caught) != 1 or len(caught[0]) != 1:
        raise ValueError(f"the head {head_of(model)!r} of {type(model).__name__} is not called once, on one tensor")
    return caught[0][0], outputs


def encoding(model: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """N×D: what enters the head of the model, in evaluation mode; a map is averaged over its places.

    What of a network is kept where its head is exchanged, compared, or taken away (rows 21.04, 23.01). Without
    gradients. ValueError as in `features_and_outputs`.
    """
    features, _ = features_and_outputs(model, inputs)
    return features.mean((2, 3)) if features.ndim == 4 else features.flatten(1)


def new_head(model: nn.Module, inputs: Sequence[Tensor], hidden: Sequence[int], outputs: int) -> None:
    """Put a new head in place of the model's: linear layers of these sizes with ReLU between, then one with an output
    each (rows 17.05, 18.01). Their first weights are He's, those of the last layer small (initialize_output).

    inputs: of the model, a few examples: what enters the old head says how wide the new one is. A map is averaged over
    its places first. hidden: () = one linear layer. The model then says its `head_name` and `output_name`, as a
    PictureNetwork does.
    """
    features, _ = features_and_outputs(model, inputs)
    made: list[nn.Module] = [nn.AdaptiveAvgPool2d(1), nn.Flatten()] if features.ndim == 4 else []
    before = features.shape[1]
    for size in hidden:
        made += [nn.Linear(before, size), nn.ReLU()]
        initialize(made[-2], followed_by="relu")  # type: ignore[arg-type]
        before = size
    last = nn.Linear(before, outputs)
    initialize_output(last)
    name = head_of(model)
    model.set_submodule(name, nn.Sequential(*made, last).to(features.device, features.dtype))
    model.head_name, model.output_name = name, f"{name}.{len(made)}"  # type: ignore[assignment]


class HeadAlone(nn.Module):
    """The head of a model, called on the features that its trunk gives: the same outputs, and the same parameters."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.head = model.get_submodule(head_of(model))

    def forward(self, features: Tensor) -> Tensor:
        return self.head(features).flatten(1)
