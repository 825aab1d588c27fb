"""Batch norm over ranks in one process: two ranks that hold the same rows add up to twice what each of them has.

tests/faults/test_ranks.py runs it in processes of their own.
"""

from __future__ import annotations

import pytest
import torch
import torch.distributed as dist
from torch import nn

from orthogon.nn.sync_batch_norm import SyncBatchNorm, synchronized


@pytest.fixture
def _two_ranks(monkeypatch):
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", lambda tensor: tensor.mul_(2))


def norms(momentum: float | None = 0.3, affine: bool = True) -> tuple[nn.Module, SyncBatchNorm]:
    """torch's batch norm and ours, with the same scales and shifts, in float64."""
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, eps=0.1, momentum=momentum, affine=affine).double()
    if affine:
        nn.init.normal_(plain.weight)
        nn.init.normal_(plain.bias)
    ours = synchronized(nn.Sequential(plain))[0]
    assert isinstance(ours, SyncBatchNorm)
    return plain, ours


@pytest.mark.usefixtures("_two_ranks")
@pytest.mark.parametrize("momentum", [0.3, None])
@pytest.mark.parametrize("affine", [True, False])
def test_two_ranks_are_one_batch_of_all_their_rows(momentum, affine):
    """Results, gradients and running statistics; momentum None averages over all batches alike."""
    plain, ours = norms(momentum, affine)
    for _ in range(2):
        x, upstream = torch.randn(2, 5, 3, 2, 2, dtype=torch.float64) * 2 + 1
        x = x.requires_grad_()
        both = torch.cat([x.detach(), x.detach()]).requires_grad_()
        expected, found = plain(both), ours(x)
        torch.testing.assert_close(found, expected[:5])
        expected.backward(torch.cat([upstream, upstream]))
        found.backward(upstream)
        torch.testing.assert_close(x.grad, both.grad[:5])
        for each, other in zip(ours.parameters(), plain.parameters()):
            torch.testing.assert_close(2 * each.grad, other.grad)
        ours.zero_grad()
        plain.zero_grad()
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value)
    torch.testing.assert_close(ours.eval()(x), plain.eval()(x))


def test_alone_it_is_torchs_batch_norm():
    plain, ours = norms()
    x = torch.randn(6, 3, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(ours(x), plain(x))
    with pytest.raises(ValueError, match="2 axes, got 1"):
        ours(x[0, 0, 0])


def test_replacing_keeps_everything_else():
    """Nested, without statistics or scales, in evaluation mode and bf16: as it was."""
    inner = nn.BatchNorm1d(4, eps=0.2, momentum=0.7, affine=False, track_running_stats=False)
    net = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.BatchNorm1d(4).to(torch.bfloat16).eval(), inner))
    made = synchronized(net)
    first, second = made[1]
    assert made is net
    assert isinstance(net[0], nn.Linear)
    assert (first.weight.dtype, first.training) == (torch.bfloat16, False)
    assert (second.eps, second.momentum, second.affine, second.track_running_stats) == (0.2, 0.7, False, False)
    assert type(second) is SyncBatchNorm
    assert synchronized(made)[1][0] is first
