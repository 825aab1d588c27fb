"""What a network costs: parameters and multiply-adds."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from orthogon.nn.modes import evaluating


def parameter_count(model: nn.Module) -> int:
    """How many numbers are learnt."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def multiply_adds(model: nn.Module, inputs: tuple[Tensor, ...]) -> int:
    """Multiply-adds in matrix products and convolutions of one forward pass; the model stays as it is."""
    counter = operation_counter()
    # The counter fails where a parameter is given to a module, as in weight normalization, unless it is detached.
    detached = {name: parameter.detach() for name, parameter in model.named_parameters()}
    with evaluating(model), counter:
        functional_call(model, detached, inputs)
    return counter.get_total_flops() // 2


def operation_counter() -> FlopCounterMode:
    """torch's counter of operations, two for each multiply-add, that also knows attention on a CPU, and recurrent
    layers that are one operation: LSTM there, cuDNN's on a GPU."""
    return FlopCounterMode(display=False, custom_mapping={
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        torch.ops.aten.mkldnn_rnn_layer: lambda inputs, *weights, **_: _recurrent(inputs, weights[:2]),
        torch.ops.aten._cudnn_rnn: lambda inputs, weights, *_, **__: _recurrent(inputs, weights)})


def _recurrent(inputs: Any, weights: Any) -> int:
    """Of shapes: each matrix, of all weights, serves every step of every sequence once."""
    return 2 * prod(inputs[:-1]) * sum(prod(weight) for weight in weights if len(weight) == 2)


def _attention(query: Any, key: Any, value: Any, *_: Any, **__: Any) -> int:
    """Of shapes."""
    return sdpa_flop_count(query, key, value)
