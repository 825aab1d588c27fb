"""Flat parameters: the modules notice nothing, and an optimizer goes where it would have gone."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from orthogon.optim.adamod import AdaMod
from orthogon.optim.flat import ALIGNMENT, FlatParameters
from orthogon.optim.momentum import AveragedMomentum


def network(dtype: torch.dtype = torch.float64) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 5),
                        nn.Linear(5, 2))
    return net.to(dtype).to(memory_format=torch.channels_last)


def groups_of(net: nn.Module) -> list[dict]:
    """Two groups of different options, as parameter rules make them."""
    weights, others = ([p for p in net.parameters() if (p.ndim > 1) == big] for big in (True, False))
    return [{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0, "lr": 3e-3}]


OPTIMIZERS = {
    "sgd": lambda g: torch.optim.SGD(g, lr=0.01, momentum=0.9, nesterov=True, fused=True),
    "adamw": lambda g: torch.optim.AdamW(g, lr=0.01, fused=True),
    "rmsprop": lambda g: torch.optim.RMSprop(g, lr=0.01, foreach=True),
    "adagrad": lambda g: torch.optim.Adagrad(g, lr=0.01, fused=True),
    "adadelta": lambda g: torch.optim.Adadelta(g, lr=1.0, foreach=True),
    "nadam": lambda g: torch.optim.NAdam(g, lr=0.01, foreach=True),
    "adamod": lambda g: AdaMod(g, lr=0.01),
    "averaged_momentum": lambda g: AveragedMomentum(g, lr=0.01),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_ends_where_it_ends_without(name):
    flat_net, net = network(), network()
    flat = FlatParameters(groups_of(flat_net))
    one, other = OPTIMIZERS[name](flat.groups), OPTIMIZERS[name](groups_of(net))
    x = torch.randn(8, 3, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for _ in range(25):
        flat.clear()
        other.zero_grad()
        for model in (flat_net, net):
            (model(x).square().sum() / 8).backward()
        norms = [nn.utils.clip_grad_norm_([p for group in opt.param_groups for p in group["params"]], 1.0)
                 for opt in (one, other)]
        torch.testing.assert_close(*norms)
        one.step()
        other.step()
    for mine, theirs in zip(flat_net.parameters(), net.parameters()):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-12)
    assert sum(len(group["params"]) for group in flat.groups) == 2


def test_names_shapes_strides_values_and_copies_are_as_before():
    net, before = network(), network()
    parameters = dict(net.named_parameters())
    flat = FlatParameters(groups_of(net))
    assert all(parameters[name] is each for name, each in net.named_parameters())
    for (name, mine), theirs in zip(net.state_dict().items(), before.state_dict().values()):
        assert torch.equal(mine, theirs), name
        assert mine.stride() == theirs.stride()
    assert net[0].weight.stride() == (27, 1, 9, 3)
    assert set(flat.gradients) == set(net.parameters())
    for each in net.parameters():
        assert each.grad is flat.gradients[each]
        assert each.grad.stride() == each.stride()
        assert each.requires_grad
    copied = copy.deepcopy(net)
    with torch.no_grad():
        flat.buffers[0].zero_()
    assert not net[0].weight.any()
    assert copied[0].weight.any()
    net.load_state_dict(before.state_dict())
    assert flat.buffers[0].sum().item() == pytest.approx(sum(p.sum().item() for p in net.parameters() if p.ndim > 1))


def test_every_parameter_begins_at_a_cache_line_and_what_lies_between_stays_zero():
    for dtype, numbers in ((torch.float64, 8), (torch.float32, 16), (torch.bfloat16, 32)):
        parameters = [nn.Parameter(torch.ones(n, dtype=dtype)) for n in (3, 40, 1)]
        flat = FlatParameters([{"params": parameters}])
        starts = [(each.data_ptr() - flat.buffers[0].data_ptr()) // each.element_size() for each in parameters]
        assert starts == [0, numbers, numbers + -(-40 // numbers) * numbers]
        assert flat.buffers[0].numel() == starts[2] + numbers
        assert all(start * each.element_size() % ALIGNMENT == 0 for start, each in zip(starts, parameters))
    flat = FlatParameters([{"params": [nn.Parameter(torch.ones(3)), nn.Parameter(torch.ones(2))]}])
    for make in OPTIMIZERS.values():
        optimizer = make([dict(group) for group in flat.groups])
        flat.clear()
        for gradient in flat.gradients.values():
            gradient.fill_(0.5)
        optimizer.step()
        for gap in (flat.buffers[0][3:16], flat.buffers[0][18:]):
            assert not gap.any()


def test_gradients_can_be_written_without_autograd_and_clear_undoes_what_others_did():
    net = network()
    flat = FlatParameters(groups_of(net))
    bias = net[4].bias
    flat.gradients[bias].fill_(2.0)
    optimizer = torch.optim.SGD(flat.groups, lr=0.5)
    before = bias.detach().clone()
    optimizer.step()
    torch.testing.assert_close(bias.detach(), before - 0.003 * 2)
    net.zero_grad(set_to_none=True)
    optimizer.zero_grad(set_to_none=True)
    assert bias.grad is None
    flat.clear()
    assert bias.grad is flat.gradients[bias]
    assert not bias.grad.any()
    assert all(not buffer.grad.any() for buffer in flat.buffers)


def test_gradients_add_up_over_backward_passes_until_they_are_cleared():
    w = nn.Parameter(torch.tensor([1.0, 2.0]))
    flat = FlatParameters([{"params": [w]}])
    for _ in range(2):
        w.square().sum().backward()
    assert flat.gradients[w].tolist() == [4.0, 8.0]
    assert flat.buffers[0].grad[:2].tolist() == [4.0, 8.0]
    flat.clear()
    assert flat.gradients[w].tolist() == [0.0, 0.0]


def test_what_cannot_be_a_view_stays_as_it_is():
    """Weights tied by storage stay tied; one with gaps keeps its memory; both are moved as before."""
    shared = torch.arange(6.0)
    tied, overlapping = nn.Parameter(shared[:4]), nn.Parameter(shared[2:])
    gaps = nn.Parameter(torch.ones(4, 4)[:, :2])
    plain, empty = nn.Parameter(torch.ones(3)), nn.Parameter(torch.empty(0))
    half = nn.Parameter(torch.ones(2, dtype=torch.float64))
    flat = FlatParameters([{"params": [tied, plain, overlapping, gaps, half, empty], "lr": 0.5, "name": "all"}])
    (group,) = flat.groups
    assert group["lr"] == 0.5
    assert group["name"] == "all"
    assert [each.dtype for each in group["params"][:2]] == [torch.float32, torch.float64]
    assert [id(each) for each in group["params"][2:]] == [id(tied), id(overlapping), id(gaps)]
    assert set(flat.gradients) == {plain, half, empty}
    tied.grad, gaps.grad = torch.ones(4), torch.ones(4, 2)
    flat.clear()
    assert tied.grad is None
    assert gaps.grad is None
    with torch.no_grad():
        tied[3] = 7.0
    assert overlapping[1].item() == 7.0
    assert gaps.stride() == (4, 1)


def test_neighbors_in_one_storage_are_not_tied():
    storage = torch.arange(6.0)
    flat = FlatParameters([{"params": [nn.Parameter(storage[:3]), nn.Parameter(storage[3:])]}])
    assert len(flat.gradients) == 2


def test_a_large_parameter_is_tied_to_all_that_lie_within_it():
    storage = torch.arange(6.0)
    three = [nn.Parameter(each) for each in (storage, storage[1:2], storage[4:5])]
    assert not FlatParameters([{"params": three}]).gradients
