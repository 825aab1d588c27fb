"""The gradient check: mistakes planted in every kind of layer are caught, and correct layers pass."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from planted import BUGS, Planted
from torch import Tensor, nn

import orthogon as og
from orthogon.equations.derivative import gradient_check_ratio
from orthogon.nn.activations import ACTIVATIONS
from orthogon.nn.gradient_check import GradientCheck, gradient_check

SIDE = 4  # rows, channels, units and steps alike, so that what should have been transposed has the right shape


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


class Recurrent(nn.Module):
    """The outputs of a recurrent layer, or of a cell applied step by step."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        if not isinstance(self.layer, nn.RNNCellBase):
            return self.layer(x)[0]
        state = None
        for step in x.unbind(1):
            state = self.layer(step, state)
        assert state is not None
        return state[0] if isinstance(state, tuple) else state


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.MultiheadAttention(SIDE, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x, x, x, need_weights=False)[0]


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: nn.Linear(SIDE, SIDE),
    "conv1d": lambda: nn.Conv1d(SIDE, SIDE, 3, padding=1),
    "conv2d": lambda: nn.Conv2d(SIDE, SIDE, 3, padding=1),
    "conv3d": lambda: nn.Conv3d(SIDE, SIDE, 2),
    "embedding": lambda: nn.Embedding(SIDE, SIDE),
    "batch norm": lambda: nn.BatchNorm1d(SIDE),
    "batch norm by the batch": lambda: nn.BatchNorm1d(SIDE, track_running_stats=False),
    "layer norm": lambda: nn.LayerNorm(SIDE),
    "group norm": lambda: nn.GroupNorm(2, SIDE),
    "rnn": lambda: Recurrent(nn.RNN(SIDE, SIDE, batch_first=True)),
    "gru": lambda: Recurrent(nn.GRU(SIDE, SIDE, batch_first=True)),
    "lstm": lambda: Recurrent(nn.LSTM(SIDE, SIDE, batch_first=True)),
    "rnn cell": lambda: Recurrent(nn.RNNCell(SIDE, SIDE)),
    "gru cell": lambda: Recurrent(nn.GRUCell(SIDE, SIDE)),
    "lstm cell": lambda: Recurrent(nn.LSTMCell(SIDE, SIDE)),
    "attention": Attention,
    **ACTIVATIONS,
}
SHAPES = {"conv1d": (5,), "conv2d": (3, 3), "conv3d": (3, 3, 3)}
SEQUENCES = ("rnn", "gru", "lstm", "rnn cell", "gru cell", "lstm cell", "attention")


class Between(nn.Module):
    """A layer between one that learns its input and one that reads its output."""

    def __init__(self, kind: str, bug: str | None) -> None:
        super().__init__()
        self.kind, self.before = kind, nn.Linear(SIDE, SIDE)
        self.layer = Planted(LAYERS[kind](), bug)
        self.after = nn.Linear(SIDE, 3)

    def forward(self, x: Tensor) -> Tensor:
        if self.kind == "embedding":
            x = self.layer(x)
        elif self.kind in SHAPES:
            x = self.layer(self.before(x.movedim(1, -1)).movedim(-1, 1)).flatten(2).mean(2)
        else:
            x = self.layer(self.before(x))
        return self.after(x.mean(1) if x.ndim == 3 else x)


def a_case(kind: str, bug: str | None) -> tuple[nn.Module, Any]:
    draw = torch.manual_seed(3)
    model = Between(kind, bug)
    if kind == "embedding":
        x = torch.randint(0, SIDE, (SIDE,), generator=draw)
    elif kind in SEQUENCES:
        x = torch.randn(SIDE, SIDE, SIDE, generator=draw)
    else:
        x = torch.randn(SIDE, SIDE, *SHAPES.get(kind, ()), generator=draw)
    return model, (x, torch.tensor([0, 2, 1, 1]))


def cross_entropy(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return F.cross_entropy(model(batch[0]), batch[1])


def squares(model: nn.Module, batch: Tensor) -> Tensor:
    return model(batch).square().mean()


@pytest.mark.parametrize("kind", LAYERS)
def test_a_correct_layer_passes_below_1e_7_or_within_1e_9_where_the_gradient_is_tiny(kind):
    model, batch = a_case(kind, None)
    found = gradient_check(model, cross_entropy, batch, samples=4)
    assert found
    for each in found.parameters:
        assert each.ratio < 1e-7 if each.norm > 1e-8 else each.difference < 1e-9, each
        assert each.checked > 0 or each.name.startswith("before"), each
    assert found.ratio < 1e-7


@pytest.mark.parametrize("bug", BUGS)
@pytest.mark.parametrize("kind", LAYERS)
def test_a_mistake_planted_in_a_layer_is_caught(kind, bug):
    model, batch = a_case(kind, bug)
    found = gradient_check(model, cross_entropy, batch, samples=3)
    assert not found
    assert any(each.verdict == "wrong" and each.ratio > 1e-3 for each in found.parameters)
    right = "after."  # what lies above the mistake is right
    assert all(each.passed for each in found.parameters if each.name.startswith(right))


@pytest.mark.parametrize("cut", [
    lambda x: x.detach(), lambda x: x.data, lambda x: torch.tensor(x.tolist(), dtype=x.dtype),
])
def test_a_gradient_lost_in_forward_is_reported_as_not_arriving(cut):
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(3, 5), nn.Linear(5, 2)

        def forward(self, x: Tensor) -> Tensor:
            return self.second(cut(torch.tanh(self.first(x))))

    found = gradient_check(Cut(), squares, torch.randn(4, 3))
    assert [each.name for each in found.failures] == ["first.weight", "first.bias"]
    assert all(not each.reached and each.verdict == "wrong" and each.ratio == 1 for each in found.failures)
    assert "no gradient arrives" in str(found)
    assert "FAILED" in str(found)


def test_a_model_that_gives_no_gradient_at_all_is_reported():
    net = nn.Linear(3, 2)
    found = gradient_check(net, lambda net, x: net(x).square().mean().detach(), torch.randn(4, 3))
    assert {each.verdict for each in found.parameters} == {"wrong"}


def test_a_gradient_that_is_lost_for_one_row_of_a_large_embedding_is_caught_by_the_random_direction():
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5000, 4)

        def forward(self, codes: Tensor) -> Tensor:
            return F.embedding(codes, self.table.weight.detach())

    found = gradient_check(Table(), squares, torch.tensor([17]))
    assert not found
    worst = found.parameters[0].worst
    assert worst is not None
    assert worst.index is None
    assert "a random direction" in str(worst)


@pytest.mark.parametrize("register", ["parameter", "module"])
def test_hooks_that_change_gradients_are_caught(register):
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    if register == "parameter":
        net[0].weight.register_hook(lambda gradient: 1.01 * gradient)
    else:
        net[1].register_full_backward_hook(lambda module, inputs, outputs: (-inputs[0],))
    found = gradient_check(net, squares, torch.randn(5, 3))
    assert {each.name for each in found.failures} == {"0.weight"} | ({"0.bias"} if register == "module" else set())


def test_the_ratio_is_that_of_the_equations_and_the_worst_coordinate_is_named():
    """E10: norms are roots of sums of squares of the entries; rows 10.08 and 10.10."""
    net = nn.Linear(3, 1, bias=False).double()
    net.weight.data = torch.tensor([[1.0, -2.0, 0.5]], dtype=torch.float64)
    x = torch.tensor([[1.0, 2.0, 3.0]])
    right = torch.tensor([[1.0, 2.0, 3.0]], dtype=torch.float64)
    wrong = right + torch.tensor([[0.0, 0.004, 0.001]])
    found = gradient_check(net, lambda net, x: net(x).sum(), x, gradients={"weight": wrong})
    each = found.parameters[0]
    assert (each.checked, each.skipped) == (4, 0)
    assert each.worst is not None
    assert each.worst.index == (0, 1)
    assert each.worst.gradient == pytest.approx(2.004)
    assert each.worst.difference == pytest.approx(2.0, abs=1e-10)
    # three coordinates and one direction of ±1/√3 each
    along = [(value * torch.tensor(s)).sum().item() / math.sqrt(3)
             for s in _signs() for value in (wrong[0], right[0])]
    candidates = [gradient_check_ratio(np.array([*right[0].tolist(), b]), np.array([*wrong[0].tolist(), a]))
                  for a, b in zip(along[::2], along[1::2])]
    assert min(abs(each.ratio - one) for one in candidates) < 1e-12
    assert found.ratio == each.ratio
    assert each.verdict == "suspect"
    assert each.norm == pytest.approx(math.sqrt(1 + 2.004**2 + 3.001**2), rel=0.5)


def _signs() -> list[tuple[float, ...]]:
    return [(a, b, c) for a in (-1.0, 1.0) for b in (-1.0, 1.0) for c in (-1.0, 1.0)]


@pytest.mark.parametrize(("off", "verdict", "passed"), [
    (0.0, "great", True), (2e-8, "great", True), (1e-6, "good", True), (1e-4, "suspect", False),
    (4e-3, "wrong", False), (-2.0, "wrong", False),
])
def test_the_words_follow_the_thresholds(off, verdict, passed):
    """Row 10.09: about 1e-7 great, 1e-5 suspect, 1e-3 wrong. A gradient (1 + off) g has ratio off / (2 + off)."""
    net, x = nn.Linear(2, 2), torch.randn(3, 2)
    exact = {name: (1 + off) * each.double() for name, each in
             zip(("weight", "bias"), torch.autograd.grad(squares(net.double(), x.double()), list(net.parameters())))}
    found = gradient_check(net, squares, x, gradients=exact)
    assert {each.verdict for each in found.parameters} == {verdict}
    assert found.passed is bool(found) is passed
    if off > 0:
        assert found.ratio == pytest.approx(off / (2 + off), rel=0.02)


def test_where_the_gradient_is_tiny_the_difference_decides():
    net = nn.Linear(2, 1, bias=False)
    found = gradient_check(net, lambda net, x: 1 + 1e-12 * net(x).sum(), torch.ones(1, 2))
    assert found.parameters[0].verdict == "great"
    assert found.parameters[0].ratio > 1e-5, "rounding alone"
    lost = gradient_check(net, lambda net, x: 1 + 1e-7 * net(x).sum().detach(), torch.ones(1, 2))
    assert lost.parameters[0].verdict == "wrong"


def test_a_parameter_that_the_loss_does_not_use_is_named_and_passes():
    net = nn.ModuleDict({"used": nn.Linear(2, 2), "spare": nn.Linear(2, 2)})
    found = gradient_check(net, lambda net, x: net["used"](x).square().sum(), torch.randn(3, 2))
    assert found
    assert [each.verdict for each in found.parameters] == ["great", "great", "unused", "unused"]


def test_slopes_at_kinks_are_skipped_and_counted():
    """At 0 the slope of relu is 0 to the left and 1 to the right: torch's convention, 0, is not a mistake (E100)."""
    net = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.0, 0.0]]))
        net[0].bias.copy_(torch.tensor([0.1, 0.2, 0.0]))
    found = gradient_check(net, lambda net, x: net(x).sum(), torch.tensor([[1.0, 2.0], [1.0, 2.0]]))
    assert found
    by_name = {each.name: each for each in found.parameters}
    assert by_name["0.bias"].skipped == 2, "one unit at its kink, and the direction through it"
    assert by_name["0.weight"].skipped == 3
    assert found.skipped == 5
    assert "5 at kinks skipped" in str(found)


def test_a_kink_beside_the_point_is_stepped_around():
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(1e-4)
    found = gradient_check(net, lambda net, x: net(x).abs().sum() + net(x).sum() ** 2, torch.ones(1, 1))
    assert found.skipped == 0
    assert found.ratio < 1e-7


def test_all_at_kinks_is_not_checked_and_not_failed():
    net = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(net.weight)
    found = gradient_check(net, lambda net, x: net.weight.abs().sum() + 0 * net(x).sum(), torch.ones(1, 2))
    assert found.parameters[0].verdict == "not checked"
    assert found.parameters[0].worst is None
    assert (found.parameters[0].checked, found.parameters[0].skipped) == (0, 3)
    assert found.ratio == 0
    assert found


def test_regularization_is_included():
    net, x = nn.Linear(2, 2), torch.randn(4, 2)
    plain = torch.autograd.grad(squares(net, x), list(net.parameters()))
    penalized = lambda net, x: squares(net, x) + 0.1 * net.weight.square().sum()  # noqa: E731
    assert gradient_check(net, penalized, x)
    assert not gradient_check(net, penalized, x, gradients={"weight": plain[0]})


def test_dropout_is_off_and_the_model_stays_as_it_was():
    net = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.BatchNorm1d(4), nn.Linear(4, 2)).train()
    before = {name: each.clone() for name, each in net.state_dict().items()}
    random = torch.get_rng_state()
    assert gradient_check(net, squares, torch.randn(5, 3, generator=torch.Generator().manual_seed(0)))
    assert all(module.training for module in net.modules())
    assert all(torch.equal(each, before[name]) for name, each in net.state_dict().items())
    assert all(each.grad is None and each.dtype == torch.float32 for each in net.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.get_default_dtype() == torch.float32


def test_a_model_that_makes_tensors_on_its_way_is_checked_in_float64():
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = nn.GRUCell(2, 3)

        def forward(self, x: Tensor) -> Tensor:
            return self.cell(x, torch.zeros(len(x), 3))

    assert gradient_check(Cell(), squares, torch.randn(2, 2))


def test_the_same_seed_looks_at_the_same_coordinates():
    net, x = nn.Linear(40, 30), torch.randn(3, 40)
    one, same, other = (gradient_check(net, squares, x, samples=5, seed=seed) for seed in (0, 0, 1))
    assert str(one) == str(same) != str(other)
    assert [each.checked for each in one.parameters] == [6, 6], "the samples and one direction"
    assert [each.checked for each in gradient_check(net, squares, x).parameters] == [21, 21], "20 by default"


def test_gradients_written_by_hand_are_graded():
    x, y = torch.randn(6, 3), torch.randn(6, 1)
    net = nn.Linear(3, 1)
    loss = lambda net, batch: (net(batch[0]) - batch[1]).square().mean()  # noqa: E731

    def by_hand(net: nn.Linear, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
        error = 2 * (net(batch[0]) - batch[1]).detach() / len(batch[0])
        return {"weight": (error.T @ batch[0]).numpy(), "bias": error.sum(0)}

    def without_the_mean(net: nn.Linear, batch: tuple[Tensor, Tensor]) -> dict[str, Any]:
        return {name: 6 * value for name, value in by_hand(net, batch).items()}

    assert gradient_check(net, loss, (x, y), gradients=by_hand)
    assert not gradient_check(net, loss, (x, y), gradients=without_the_mean)
    one_alone = gradient_check(net, loss, (x, y), gradients=lambda *given: {"bias": by_hand(*given)["bias"]})
    assert [each.name for each in one_alone.parameters] == ["bias"]


def test_batches_may_be_dicts_lists_and_named_tuples():
    from orthogon.train.task import Batch

    net = nn.Linear(2, 2)
    x, y = torch.randn(3, 2), torch.tensor([0, 1, 1])
    assert gradient_check(net, lambda net, b: F.cross_entropy(net(b["x"]), b["y"]), {"x": x, "y": y})
    assert gradient_check(net, lambda net, b: F.cross_entropy(net(b[0]), b[1]), [x, y])
    batch = Batch((x,), y, None, torch.arange(3))
    assert gradient_check(net, lambda net, b: F.cross_entropy(net(*b.inputs), b.target), batch)


def test_frozen_parameters_are_left_out():
    net = nn.Linear(2, 2)
    net.bias.requires_grad_(False)
    assert [each.name for each in gradient_check(net, squares, torch.randn(3, 2)).parameters] == ["weight"]


class Counting(nn.Linear):
    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) * self.calls


@pytest.mark.parametrize(("model", "loss", "gradients", "says"), [
    (nn.Linear(2, 2), lambda net, x: net(x), None, "a tensor of shape \\(3, 2\\).*mean over the batch"),
    (nn.Linear(2, 2), lambda net, x: 1.0, None, "not a scalar but float"),
    (nn.Linear(2, 2), lambda net, x: net(x).float().sum(), None, "torch.float32.*\\.float\\(\\)"),
    (nn.Linear(2, 2), lambda net, x: net(x).sum() / 0, None, "the loss is -?(inf|nan)"),
    (nn.ReLU(), lambda net, x: net(x).sum(), None, "no trainable parameters.*requires_grad"),
    (nn.Linear(2, 2).requires_grad_(False), squares, None, "no trainable parameters"),
    (Counting(2, 2), squares, None, "differs between two calls"),
    (nn.Linear(2, 2), lambda net, x: F.dropout(net(x), 0.5).sum(), None, "differs between two calls.*dropout"),
    (nn.Linear(2, 2), squares, {"weigth": torch.zeros(2, 2)}, "no trainable parameter 'weigth'.*'weight'"),
    (nn.Linear(2, 2), squares, {"weight": torch.zeros(2)}, "shape \\(2,\\), the parameter \\(2, 2\\)"),
    (nn.Linear(2, 2), squares, {}, "no gradients"),
])
def test_what_cannot_be_checked_says_why_and_what_to_do(model, loss, gradients, says):
    with pytest.raises(ValueError, match=says):
        gradient_check(model, loss, torch.randn(3, 2), gradients=gradients)
    assert torch.get_default_dtype() == torch.float32


def test_it_is_at_hand_as_a_name_of_the_package():
    assert og.gradient_check is gradient_check
    assert isinstance(og.gradient_check(nn.Linear(1, 1), squares, torch.ones(1, 1)), GradientCheck)


def test_the_table_names_each_parameter_its_ratio_and_verdict():
    net = nn.Linear(2, 1)
    lines = str(gradient_check(net, squares, torch.randn(3, 2))).splitlines()
    assert lines[0].startswith("gradient check passed: ratio ")
    assert "4 slopes compared, 0 at kinks skipped" in lines[0], "2 weights, a direction through them, 1 bias"
    assert [line.split()[0] for line in lines[1:]] == ["parameter", "weight", "bias"]
    assert "great" in lines[2]
