"""Boltzmann machines one on the other, as a network (rows 23.09, 23.10)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import init

from orthogon.errors import RecipeError, nearest
from orthogon.nn.autoencoder import Rebuilt
from orthogon.nn.boltzmann import KINDS, BoltzmannMachine
from orthogon.nn.initializers import initialize_output
from orthogon.nn.spec import ModelSpec

VISIBLE = {"image": "bernoulli", "number": "gaussian"}
"""Kind of input -> of visible units, where the recipe leaves them open."""


class DeepBeliefNetwork(nn.Module):
    """Machines one on the other as layers of sigmoid units, and a head (rows 23.09, 23.10; Hinton et al. 2006).

    The hidden units of each machine are the visible ones of the next. Trained layer by layer without labels, the same
    parameters are the start of a network that learns from labels.

    shape: of an example, which is flattened. hidden: units of each layer, from the input on.
    outputs: of the head, a linear layer; None: the head goes down again through the same machines, and gives the values
    of the input, before the sigmoid where visible units are bernoulli. With outputs of its own a network has no use for
    visible biases, which then do not learn, and weights are drawn for gradients to flow (Glorot).
    """

    head_name = "head"

    def __init__(self, shape: Sequence[int], hidden: Sequence[int], outputs: int | None = None,
                 visible: str = "bernoulli") -> None:
        super().__init__()
        sizes, kinds = [math.prod(shape), *hidden], [visible, *["bernoulli"] * (len(hidden) - 1)]
        self.layers = nn.ModuleList(map(BoltzmannMachine, sizes, hidden, kinds))
        self.head = Downward(self.layers, shape) if outputs is None else nn.Linear(sizes[-1], outputs)
        if isinstance(self.head, nn.Linear):
            initialize_output(self.head)
            for machine in self.machines:
                init.xavier_uniform_(machine.weight)
                machine.visible_bias.requires_grad_(False)

    @property
    def machines(self) -> list[BoltzmannMachine]:
        """The layers, from the input on."""
        return list(self.layers)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor | Rebuilt:
        code = x.flatten(1)
        for machine in self.layers:
            code = machine(code)
        output = self.head(code)
        return Rebuilt(output, code) if isinstance(self.head, Downward) else output


class Downward(nn.Module):
    """From the uppermost hidden units down to what the visible ones are given: N×H -> N×*shape.

    machines: whose parameters stay those of the network that they belong to.
    """

    def __init__(self, machines: nn.ModuleList, shape: Sequence[int]) -> None:
        super().__init__()
        self._lent = (machines,)  # within a tuple they are not registered a second time
        self.shape = tuple(shape)

    def forward(self, hidden: Tensor) -> Tensor:
        first, *others = self._lent[0]
        for machine in reversed(others):
            hidden = machine.visible_mean(hidden)  # type: ignore[operator]
        return first.visible_input(hidden).reshape(-1, *self.shape)  # type: ignore[operator]


def dbn(spec: ModelSpec, hidden: Sequence[int] = (500, 250), visible: str | None = None) -> nn.Module:
    """A deep belief network (rows 23.09, 23.10).

    hidden: sizes of the layers, from the input on. visible: bernoulli, for values in 0 … 1, or gaussian, for those that
    are standardized; left out: bernoulli for pictures, gaussian for numbers. RecipeError for layers without units, and
    where there is not one input of pictures or numbers.
    """
    if not isinstance(hidden, Sequence) or not hidden or not all(isinstance(each, int) and each > 0 for each in hidden):
        raise RecipeError(f"hidden is a list of sizes of at least 1; got {hidden!r}", where="model.options.hidden",
                          remedy="For example: [500, 250]")
    if len(spec.inputs) != 1 or spec.kinds[0] not in VISIBLE:
        raise RecipeError(f"a Boltzmann machine takes one input of pictures or numbers; there are "
                          f"{', '.join(spec.kinds)}", where="model.name", remedy="Take mlp, or leave columns out.")
    visible = visible or VISIBLE[spec.kinds[0]]
    if visible not in KINDS:
        raise RecipeError(f"there are no visible units {visible!r}", where="model.options.visible",
                          remedy=nearest(visible, KINDS))
    return DeepBeliefNetwork(spec.inputs[0].shape, hidden, None if spec.rebuilds else spec.outputs, visible)


def rbm(spec: ModelSpec, hidden: int = 500, visible: str | None = None) -> nn.Module:
    """One restricted Boltzmann machine (row 23.08): `dbn` of one layer with so many hidden units."""
    return dbn(spec, (hidden,), visible)
