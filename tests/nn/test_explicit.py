"""The written-out gradient of linear and mlp against autograd, and against the equations in NumPy."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from orthogon.nn.activations import ACTIVATIONS
from orthogon.nn.explicit import ExplicitGradient, can_write_out
from orthogon.nn.models import linear, mlp
from orthogon.nn.spec import InputSpec, ModelSpec

NUMBERS = ModelSpec((InputSpec("number", (5,)),), 3)
PICTURES_AND_CATEGORIES = ModelSpec((InputSpec("image", (1, 2, 2)), InputSpec("category", (2,), (3, 4))), 2)


def both_ways(model, inputs, seed=None):
    """Outputs and gradients by autograd, and as written out, for the same gradient of the loss in the outputs."""
    ways = []
    for explicit in (False, True):
        model.zero_grad(set_to_none=True)
        model.train()
        if seed is not None:
            torch.manual_seed(seed)
        if explicit:
            equations = ExplicitGradient(model)
            outputs = equations.outputs(inputs)
            equations.backward(outputs * torch.arange(1.0, outputs.shape[1] + 1))
        else:
            outputs = model(*inputs)
            outputs.backward((outputs * torch.arange(1.0, outputs.shape[1] + 1)).detach())
        ways.append((outputs.detach(), {name: p.grad for name, p in model.named_parameters()}))
    return ways


def assert_agree(model, inputs, seed=None):
    (one, by_autograd), (other, written_out) = both_ways(model, inputs, seed)
    torch.testing.assert_close(one, other, rtol=1e-14, atol=1e-14)
    assert by_autograd.keys() == written_out.keys()
    for name in by_autograd:
        torch.testing.assert_close(by_autograd[name], written_out[name], rtol=1e-12, atol=1e-13, msg=name)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"hardmax"}))
def test_every_activation_has_the_slope_that_autograd_finds(activation):
    torch.manual_seed(0)
    model = mlp(NUMBERS, hidden=(7, 6), activation=activation).double()
    assert can_write_out(model)
    assert_agree(model, (2 * torch.randn(9, 5, dtype=torch.float64),))


def test_linear_takes_pictures_and_categories_without_embeddings():
    torch.manual_seed(1)
    model = linear(PICTURES_AND_CATEGORIES).double()
    inputs = (torch.randn(6, 1, 2, 2, dtype=torch.float64), torch.randint(0, 3, (6, 2)))
    assert_agree(model, inputs)
    assert not can_write_out(mlp(PICTURES_AND_CATEGORIES))


def test_dropout_draws_the_masks_that_torch_draws():
    model = mlp(NUMBERS, hidden=(20, 10), dropout=0.4).double()
    inputs = (torch.randn(8, 5, dtype=torch.float64),)
    assert_agree(model, inputs, seed=5)
    one, _ = both_ways(model, inputs, seed=5)[0]
    model.eval()
    assert not torch.allclose(one, model(*inputs))


def test_dropout_of_the_inputs_comes_before_the_first_layer():
    model = mlp(NUMBERS, hidden=(20,), input_dropout=0.4).double()
    assert can_write_out(model)
    assert_agree(model, (torch.randn(8, 5, dtype=torch.float64),), seed=5)


def test_gradients_add_to_what_is_there():
    model = mlp(NUMBERS, hidden=(4,)).double()
    x = torch.randn(6, 5, dtype=torch.float64)
    equations, whole = ExplicitGradient(model), None
    for pieces in ((x,), (x[:2], x[2:])):
        model.zero_grad(set_to_none=True)
        for piece in pieces:
            equations.backward(equations.outputs((piece,)))
        gradients = [p.grad.clone() for p in model.parameters()]
        if whole is not None:
            for one, other in zip(whole, gradients):
                torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)
        whole = gradients


def test_gradients_are_written_over_those_there_where_that_is_asked_for():
    model = mlp(NUMBERS, hidden=(4,)).double()
    x = torch.randn(6, 5, dtype=torch.float64)
    equations = ExplicitGradient(model)
    equations.backward(equations.outputs((x,)), add=False)
    first = [(p.grad, p.grad.clone()) for p in model.parameters()]
    equations.backward(equations.outputs((x,)), add=False)
    for parameter, (tensor, value) in zip(model.parameters(), first):
        assert parameter.grad is tensor
        assert torch.equal(tensor, value)


def test_frozen_parameters_get_no_gradient():
    model = mlp(NUMBERS, hidden=(4,))
    model.hidden[0].weight.requires_grad_(False)
    model.output.bias.requires_grad_(False)
    equations = ExplicitGradient(model)
    equations.backward(equations.outputs((torch.randn(3, 5),)))
    assert [name for name, p in model.named_parameters() if p.grad is None] == ["hidden.0.weight", "output.bias"]


@pytest.mark.parametrize("change", [
    lambda m: m.hidden.insert(1, nn.BatchNorm1d(4)),
    lambda m: m.hidden[0].register_forward_hook(lambda *_: None),
    lambda m: m.output.register_full_backward_hook(lambda *_: None),
    lambda m: nn.utils.parametrizations.weight_norm(m.hidden[0]),
])
def test_other_layers_and_hooks_are_left_to_autograd(change):
    model = mlp(NUMBERS, hidden=(4,))
    change(model)
    assert not can_write_out(model)
    with pytest.raises(ValueError, match="not written out"):
        ExplicitGradient(model)


def test_other_models_are_left_to_autograd():
    assert not can_write_out(nn.Sequential(nn.Linear(5, 3)))


def test_averaged_embeddings_are_left_to_autograd_and_bags_of_words_are_not():
    spec = ModelSpec((InputSpec("text", (6,), (20,)),), 2)
    assert not can_write_out(mlp(spec))
    assert can_write_out(linear(spec))
