"""What a network costs: parameters and multiply-adds."""

from __future__ import annotations

from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode

from orthogon.nn.modes import evaluating


def parameter_count(model: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Multiply-adds in matrix products and convolutions of one forward pass; the model stays as it is."""
    counter = FlopCounterMode(display=False)
    # The counter fails where a parameter is given to a module, as in weight normalization, unless it is detached.
    detached = {name: parameter.detach() for name, parameter in model.named_parameters()}
    with evaluating(model), counter:
        functional_call(model, detached, inputs)
    return counter.get_total_flops() // 2
