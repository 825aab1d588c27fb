"""Evaluation mode for a block."""

import torch
from torch import nn

from orthogon.nn.modes import evaluating


class Masked(nn.Module):
    """Keeps the mask that it makes at the first call, as many attention layers do."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.mask: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.mask is None:
            self.mask = torch.tril(torch.ones(3, 3))
        return (x * self.scale) @ self.mask


def test_each_module_is_in_its_own_mode_again_and_there_are_no_gradients_within():
    model = nn.Sequential(nn.Dropout(), nn.Linear(3, 1).eval())
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        assert not model(torch.ones(1, 3)).requires_grad
    assert [module.training for module in model.modules()] == [True, True, False]


def test_a_model_that_keeps_a_tensor_from_its_first_call_can_be_trained_afterwards():
    model = Masked()
    with evaluating(model):
        model(torch.ones(2, 3))
    model(torch.ones(2, 3)).sum().backward()
    assert model.scale.grad is not None
    assert model.scale.grad.tolist() == [2.0, 4.0, 6.0]
