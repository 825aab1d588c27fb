"""Two processes give the weights of one, as accumulation does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from killing import final_weights, launch
from torch import nn
from worlds import recipe

from orthogon.nn.sync_batch_norm import SyncBatchNorm, synchronized
from orthogon.train.run import Run

NETS = Path(__file__).parent / "nets.py"


def trained_weights(folder: Path, world: int, **values: object) -> dict[str, torch.Tensor]:
    wanted = recipe(train__epochs=None, train__steps=100, train__optimizer="momentum", train__clip_norm=1.0,
                    model__options={}, **values)
    run = Run.create(wanted, folder, f"world-{world}")
    assert launch(run, folder / f"weights-{world}", None, world) == [0] * world
    return final_weights(folder / f"weights-{world}")


@pytest.mark.parametrize("values", [
    {"model__name": f"{NETS}:Plain"},
    {"model__name": f"{NETS}:Plain", "train__micro_batch_size": 3},
    {"model__name": f"{NETS}:Plain", "train__micro_batch_size": 3, "train__flat": True},
    {"model__name": f"{NETS}:Normed", "train__sync_batch_norm": True},
], ids=["plain", "micro-batches", "flat parameters", "batch norm over ranks"])
def test_two_processes_give_the_weights_of_one(tmp_path, values):
    alone = {key: value for key, value in values.items() if key != "train__micro_batch_size"}
    one, two = trained_weights(tmp_path, 1, **alone), trained_weights(tmp_path, 2, **values)
    assert one.keys() == two.keys()
    for name in one:
        if one[name].is_floating_point():
            assert (one[name] - two[name]).norm() <= 1e-12 * max(1.0, float(one[name].norm())), name
        else:
            assert torch.equal(one[name], two[name]), name


def test_batch_norm_of_each_rank_alone_gives_other_weights(tmp_path):
    """So the test above can fail: without the knob each rank normalizes by its own half."""
    values = {"model__name": f"{NETS}:Normed"}
    one, two = trained_weights(tmp_path, 1, **values), trained_weights(tmp_path, 2, **values)
    assert (one["layers.0.weight"] - two["layers.0.weight"]).norm() > 1e-3


def test_alone_it_is_torchs_batch_norm_and_keeps_its_state():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.3))
    model(torch.randn(4, 2, 5, 5))
    other = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, momentum=0.3))
    other.load_state_dict(model.state_dict())
    synchronized(other)
    assert isinstance(other[1], SyncBatchNorm)
    x = torch.randn(4, 2, 5, 5)
    torch.testing.assert_close(model(x), other(x))
    assert all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), other.state_dict().values()))
