"""Rows of the coverage table that no other test pins down: each against its formula, written out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from worlds import assert_same_bits, blobs, recipe, trained, weights

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.nn.activations import ACTIVATIONS, activation
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.models import MLP, linear, mlp
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.optim.schedules import Constant, Cosine, OneCycle, Plateau, Staircase, Timeline
from orthogon.train.optimizer import build_optimizer, optimizer_groups
from orthogon.train.settings import TrainSettings

TABLE = ModelSpec((InputSpec("number", (3,)),), 1)
Z = torch.linspace(-6, 6, 97, dtype=torch.float64)

FORMULAS = {
    "sigmoid": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": lambda z: 2 / (1 + torch.exp(-2 * z)) - 1,
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: torch.where(z > 0, z, 0.01 * z),
    "elu": lambda z: torch.where(z > 0, z, torch.exp(z) - 1),
    "selu": lambda z: 1.0507009873554805 * torch.where(z > 0, z, 1.6732632423543772 * (torch.exp(z) - 1)),
    "gelu": lambda z: z * 0.5 * (1 + torch.erf(z / math.sqrt(2))),
    "silu": lambda z: z / (1 + torch.exp(-z)),
    "mish": lambda z: z * torch.tanh(torch.log1p(torch.exp(z))),
    "softplus": lambda z: torch.log1p(torch.exp(z)),
    "identity": lambda z: z,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_their_formulas(name):
    torch.testing.assert_close(activation(name)(Z), FORMULAS[name](Z), rtol=1e-9, atol=1e-12)


def test_sigmoid_stays_between_zero_and_one_and_is_steepest_in_the_middle():
    z = Z.clone().requires_grad_()
    a = activation("sigmoid")(z)
    (slope,) = torch.autograd.grad(a.sum(), z)
    assert ((a > 0) & (a < 1)).all()
    torch.testing.assert_close(slope, a * (1 - a))
    assert slope.max() == pytest.approx(0.25)
    assert slope[0] < 0.003


def test_relu_has_slope_zero_at_zero():
    z = torch.zeros(1, requires_grad=True)
    activation("relu")(z).backward()
    assert z.grad == 0


@pytest.mark.parametrize(("name", "variance"), [
    ("relu", 2 / 400), ("selu", 1 / 400), ("tanh", 2 / (400 + 300)), ("identity", 2 / (400 + 300))])
def test_initial_variance(name, variance):
    """He 2/n_in, LeCun 1/n_in, Glorot 2/(n_in + n_out): these are variances, not standard deviations."""
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    initialize(layer, followed_by=name)
    assert layer.weight.var().item() == pytest.approx(variance, rel=0.03)
    assert layer.weight.mean().abs() < 0.001
    assert not layer.bias.any()


def test_units_start_different_and_biases_at_zero():
    torch.manual_seed(0)
    net = mlp(ModelSpec((InputSpec("number", (8,)),), 4))
    for layer in net.modules():
        if isinstance(layer, nn.Linear):
            assert len(layer.weight.unique(dim=0)) == len(layer.weight)
            assert not layer.bias.any()


def test_the_last_layer_starts_small():
    torch.manual_seed(0)
    layer = nn.Linear(400, 300)
    initialize_output(layer)
    assert layer.weight.std().item() == pytest.approx(0.1 / math.sqrt(400), rel=0.03)


def test_a_deep_network_has_the_shapes_of_its_widths():
    """n = 3, 4, 3, 1: W of layer l is n_l × n_(l−1)."""
    net = mlp(TABLE, hidden=[4, 3])
    shapes = [tuple(layer.weight.shape) for layer in net.modules() if isinstance(layer, nn.Linear)]
    assert shapes == [(4, 3), (3, 4), (1, 3)]
    assert net(torch.zeros(5, 3)).shape == (5, 1)


def test_forward_pass_written_out():
    torch.manual_seed(0)
    net, x = mlp(TABLE, hidden=[4, 3], activation="tanh"), torch.randn(5, 3)
    a = x
    *hidden, last = [layer for layer in net.modules() if isinstance(layer, nn.Linear)]
    for layer in hidden:
        a = torch.tanh(a @ layer.weight.T + layer.bias)
    torch.testing.assert_close(net(x), a @ last.weight.T + last.bias)


def test_logistic_regression_is_linear_in_the_log_odds_and_has_the_gradient_a_minus_y():
    torch.manual_seed(0)
    net, x, y = linear(ModelSpec((InputSpec("number", (3,)),), 2)), torch.randn(20, 3), torch.randint(0, 2, (20,))
    assert isinstance(net, MLP)
    nn.functional.cross_entropy(net(x), y).backward()
    w = net.output.weight.detach()
    a = 1 / (1 + torch.exp(-(x @ (w[1] - w[0]))))  # softmax of two is the logistic function of the difference
    torch.testing.assert_close(net.output.weight.grad[1], ((a - y) @ x) / 20)
    torch.testing.assert_close(net.output.bias.grad[1], (a - y).mean())


def test_dropout_is_inverted_and_off_in_evaluation():
    torch.manual_seed(0)
    net = mlp(TABLE, hidden=[10_000], dropout=0.2)
    x, layers = torch.randn(1, 3), list(net.hidden)
    kept = layers[1](layers[0](net.flat(x)))
    dropped = net.hidden(net.flat(x))
    alive = kept > 0
    share = ((dropped > 0) & alive).sum() / alive.sum()
    assert abs(share.item() - 0.8) < 0.03
    torch.testing.assert_close(dropped[dropped > 0], kept[dropped > 0] / 0.8)
    net.eval()
    torch.testing.assert_close(net.hidden(net.flat(x)), kept)


def test_batch_norm_stands_before_the_activation_without_a_bias_and_uses_running_means_later():
    torch.manual_seed(0)
    net, x = mlp(TABLE, hidden=[4], norm="batch"), torch.randn(64, 3) * 3 + 1
    dense, norm, after = net.hidden
    assert dense.bias is None
    z = dense(x)
    expected = (z - z.mean(0)) / (z.var(0, unbiased=False) + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(net.hidden(x), after(expected))
    torch.testing.assert_close(norm.running_mean, 0.1 * z.mean(0))
    net.eval()
    z = dense(x[:1])
    single = (z - norm.running_mean) / (norm.running_var + norm.eps).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(net.hidden(x[:1]), after(single))


GRADIENTS = [0.5, -1.0, 2.0, 0.1]


def moved(**settings) -> list[float]:
    """Where a weight, started at 1, stands after each of four given gradients."""
    weight = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(weight.weight)
    chosen = TrainSettings(lr=0.1, weight_decay=settings.pop("decay", 0.0), **settings)
    optimizer = build_optimizer(optimizer_groups(weight, chosen), chosen)
    seen = []
    for gradient in GRADIENTS:
        weight.weight.grad = torch.full((1, 1), gradient, dtype=torch.float64)
        optimizer.step()
        seen.append(weight.weight.item())
    return seen


def by_hand(rule) -> list[float]:
    w, memory, seen = 1.0, {"v": 0.0, "s": 0.0}, []
    for t, gradient in enumerate(GRADIENTS, 1):
        w = rule(w, gradient, t, memory)
        seen.append(w)
    return seen


def test_gradient_descent():
    assert moved(optimizer="sgd") == pytest.approx(by_hand(lambda w, g, t, m: w - 0.1 * g))


def test_momentum_in_both_forms():
    """V = βV + dW with rate α(1 − β) is V = βV + (1 − β)dW with rate α."""

    def averaged(w, g, t, m):
        m["v"] = 0.9 * m["v"] + 0.1 * g
        return w - 1.0 * m["v"]

    assert moved(optimizer="momentum", momentum=0.9) == pytest.approx(by_hand(averaged))


def test_nesterov_momentum_looks_ahead():
    def ahead(w, g, t, m):
        m["v"] = 0.9 * m["v"] + g
        return w - 0.1 * (g + 0.9 * m["v"])

    assert moved(optimizer="nesterov", momentum=0.9) == pytest.approx(by_hand(ahead))


def test_rmsprop():
    def rule(w, g, t, m):
        m["s"] = 0.9 * m["s"] + 0.1 * g * g
        return w - 0.1 * g / (math.sqrt(m["s"]) + 1e-8)

    assert moved(optimizer="rmsprop", beta2=0.9) == pytest.approx(by_hand(rule))


def adam(w, g, t, m):
    m["v"] = 0.9 * m["v"] + 0.1 * g
    m["s"] = 0.999 * m["s"] + 0.001 * g * g
    return w - 0.1 * (m["v"] / (1 - 0.9**t)) / (math.sqrt(m["s"] / (1 - 0.999**t)) + 1e-8)


def test_adam_corrects_both_averages_from_step_one():
    assert moved(optimizer="adam") == pytest.approx(by_hand(adam))


def test_weight_decay_shrinks_weights():
    """Of sgd and adam it is L2 (through the gradient); of adamw it is decoupled."""
    decayed = by_hand(lambda w, g, t, m: w - 0.1 * (g + 0.3 * w))
    assert moved(optimizer="sgd", decay=0.3) == pytest.approx(decayed)
    assert moved(optimizer="adam", decay=0.3) == pytest.approx(
        by_hand(lambda w, g, t, m: adam(w, g + 0.3 * w, t, m)))
    assert moved(optimizer="adamw", decay=0.3) == pytest.approx(
        by_hand(lambda w, g, t, m: adam(w * (1 - 0.1 * 0.3), g, t, m)))


def test_schedules_are_their_formulas():
    timeline = Timeline(steps=100, epoch_steps=10, factor=0.5, every=3)
    assert [Constant(timeline)(k) for k in (0, 50, 99)] == [1, 1, 1]
    assert [Staircase(timeline)(k) for k in (0, 29, 30, 59, 60)] == [1, 1, 0.5, 0.5, 0.25]
    assert Cosine(timeline)(50) == pytest.approx(0.5)
    assert Cosine(timeline)(25) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    one = OneCycle(replace(timeline, warmup=0.25))
    assert [one(k) for k in (0, 12, 24, 25)] == pytest.approx([1 / 25, 13 / 25, 1, 1])
    assert one(99) < 0.001


def test_plateau_waits_and_drops():
    schedule = Plateau(Timeline(steps=100, epoch_steps=10, every=2))
    rates = []
    for score in (0.5, 0.6, 0.6, 0.55, 0.7, 0.6, 0.6):
        schedule.observe(score)
        rates.append(schedule(0))
    assert rates == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])


@pytest.mark.parametrize("size", [1, 163])
def test_batches_of_one_and_of_all(size):
    """Stochastic and batch gradient descent are batch sizes."""
    fitted, _ = trained(recipe(train__batch_size=size, train__epochs=1, train__optimizer="sgd"))
    assert fitted.plan.recipe.train.steps == (163 if size == 1 else 1)


def test_the_step_does_not_depend_on_how_often_a_batch_is_repeated():
    """The gradient is a mean: twice the same examples move the weights as once."""
    data = blobs(20)
    rows = np.tile(np.arange(20), 2)
    twice = replace(data, columns={name: column.take(rows) for name, column in data.columns.items()},
                    ids=np.arange(40).astype(str))
    settings = {"train__batch_size": 64, "train__epochs": 1, "train__optimizer": "sgd", "train__schedule": "constant"}
    once, both = (weights(trained(recipe(**settings), each, dev=0)[0]) for each in (data, twice))
    for name in once:
        torch.testing.assert_close(once[name], both[name], rtol=1e-4, atol=1e-6)


def test_nothing_is_learnt_from_dev():
    """Dev is for choosing: other dev examples give the same weights."""
    data = blobs()
    values, labels = np.array(data.columns["x"].values), np.array(data.columns["label"].codes)
    values[-40:] *= 100
    labels[-40:] = labels[-40:][::-1]
    other = replace(data, columns={"x": NumberColumn(values, data.columns["x"].names),
                                   "label": CategoryColumn(labels, data.columns["label"].levels)})
    assert_same_bits(weights(trained(recipe(), data)[0]), weights(trained(recipe(), other)[0]))


def test_binary_cross_entropy_written_out():
    from orthogon.nn.losses import binary_cross_entropy

    z, y = torch.tensor([[-2.0, 0.5, 3.0]]), torch.tensor([[0.0, 1.0, 0.0]])
    a = 1 / (1 + torch.exp(-z))
    total, count = binary_cross_entropy(z, y)
    torch.testing.assert_close(total, -(y * a.log() + (1 - y) * (1 - a).log()).sum())
    assert count == 1


def test_selu_gets_alpha_dropout():
    net = mlp(TABLE, hidden=[4], activation="selu", dropout=0.1)
    assert any(isinstance(module, nn.AlphaDropout) for module in net.modules())
