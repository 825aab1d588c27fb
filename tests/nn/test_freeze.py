"""What is frozen stays as it is, to the bit, and what is counted is counted from the input."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from orthogon.nn.freeze import freeze, head_of, hold_still, layers, stages
from orthogon.nn.modes import evaluating
from orthogon.nn.trunk import FeatureMap, PictureNetwork


class Small(PictureNetwork):
    """Two stages with norms and dropout, a layer after the last map, and a head of two layers."""

    head_name, output_name = "head", "head.1"
    maps = (FeatureMap("stem", 4, 1), FeatureMap("body.1", 8, 2))

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.Dropout(0.5))
        self.body = nn.Sequential(nn.Conv2d(4, 8, 3, 2, 1), nn.BatchNorm2d(8))
        self.after = nn.Linear(8, 6)
        self.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(6, 3))

    def feature_maps(self, picture: Tensor) -> tuple[Tensor, ...]:
        first = self.stem(picture)
        return first, self.body(first)

    def classify(self, last: Tensor) -> Tensor:
        return self.head(self.after(last.mean((2, 3))))


NAMES = ["stem.0", "stem.1", "body.0", "body.1", "after", "head.1"]


def vgg16_trunk() -> nn.Sequential:
    """Keras's `include_top=False`, without its input layer."""
    found: list[nn.Module] = []
    before = 3
    for width, count in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(count):
            found.append(nn.Conv2d(before, width, 3, padding=1, device="meta"))
            before = width
        found.append(nn.MaxPool2d(2))
    return nn.Sequential(*found)


def test_layers_are_the_modules_with_parameters_in_the_order_of_the_input():
    assert layers(Small()) == NAMES


def test_the_first_17_layers_of_keras_vgg16_are_12_convolutions_here():
    """Row 18.09: `model.layers[:17]`, where Keras counts the input and pooling, and its ReLU is within a layer."""
    model = vgg16_trunk()
    counted = [str(at) for at in range(17 - 1) if isinstance(model[at], nn.Conv2d)]
    assert len(counted) == 12
    assert freeze(model, 12) == counted == layers(model)[:12]
    assert [each.requires_grad for each in model[16].parameters()] == [True, True]


def test_a_count_freezes_early_layers_and_late_ones_learn():
    """E65: it is the early layers that are frozen, and later ones that are replaced and learn."""
    model = Small()
    assert freeze(model, 2) == NAMES[:2]
    learning = [name for name, each in model.named_parameters() if each.requires_grad]
    assert learning == [f"{layer}.{each}" for layer in NAMES[2:] for each in ("weight", "bias")]


def test_nothing_and_everything_can_be_frozen_but_not_more():
    assert freeze(Small(), 0) == []
    assert freeze(Small(), 6) == NAMES
    with pytest.raises(ValueError, match="7 layers are to be frozen, and there are 6"):
        freeze(Small(), 7)
    with pytest.raises(ValueError, match="-1 layers"):
        freeze(Small(), -1)


def test_patterns_freeze_modules_with_all_in_them_and_single_parameters():
    model = Small()
    assert freeze(model, ["stem"]) == NAMES[:2]
    assert freeze(model, ["body.[01].bias", "aft*"]) == [*NAMES[:2], "after"]
    assert [each.requires_grad for each in model.body[0].parameters()] == [True, False]
    with pytest.raises(ValueError, match=r"no module and no parameter is called 'bdy'\. Did you mean 'body'"):
        freeze(model, ["bdy"])
    with pytest.raises(ValueError, match=r"called 'stm\.\*'\. Did you mean 'stem'"):
        freeze(model, ["stm.*"])


def test_frozen_layers_stay_in_evaluation_mode_whatever_the_model_is_put_into():
    model = Small()
    freeze(model, 4)
    for mode in (True, False, True):
        model.train(mode)
        held = [name for name, module in model.named_modules() if not module.training]
        assert model.training is mode
        assert set(held) >= {"stem", "stem.0", "stem.1", "stem.2", "body", "body.0", "body.1"}
        assert model.head.training is model.head[0].training is model.after.training is mode


def test_statistics_of_frozen_batch_norms_do_not_move_and_frozen_dropout_is_off():
    model = Small()
    freeze(model, 2)
    model.train()
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(8, 1, 6, 6)
    assert torch.equal(model.stem(x), model.stem(x))
    model(x).sum().backward()
    after = model.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before if key.startswith("stem"))
    assert not torch.equal(before["body.1.running_mean"], after["body.1.running_mean"])
    assert after["body.1.num_batches_tracked"] == 1
    assert model.stem[0].weight.grad is None
    assert model.body[0].weight.grad is not None


def test_dropout_learns_on_where_a_layer_before_it_learns():
    model = nn.Sequential(nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 2), nn.Dropout(), nn.Linear(2, 2), nn.Dropout())
    freeze(model, ["2"])
    model.train()
    assert [module.training for module in model] == [True, True, False, True, True, True]
    freeze(model, 2)
    model.train()
    assert [module.training for module in model] == [False, False, False, True, True, True]


def test_a_copy_is_as_frozen_and_does_not_hang_on_the_first():
    model = Small()
    freeze(model, 2)
    copied = copy.deepcopy(model)
    copied.train()
    assert not copied.stem[1].training
    assert copied.stem[1].train() is copied.stem[1]
    assert not any(each.requires_grad for each in copied.stem.parameters())
    assert copied.state_dict().keys() == Small().state_dict().keys()


def test_evaluation_for_a_while_leaves_frozen_layers_as_they_are():
    model = Small()
    freeze(model, 2)
    model.train()
    with evaluating(model):
        assert not model.head.training
    assert model.head.training
    assert not model.stem[1].training


def test_modules_held_still_learn_on():
    model = Small()
    hold_still([model.body[1]])
    model.train()
    assert [module.training for module in model.body] == [True, False]
    model(torch.randn(4, 1, 6, 6)).sum().backward()
    assert model.body[1].weight.grad is not None
    assert torch.equal(model.body[1].running_mean, torch.zeros(8))


def test_stages_end_with_the_maps_of_a_picture_network_and_the_head_is_the_last():
    assert stages(Small()) == [NAMES[:2], NAMES[2:5], NAMES[5:]]
    assert head_of(Small()) == "head"


def test_of_any_other_network_the_stages_are_its_children_and_the_head_its_last_linear_layer():
    blocks = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.ReLU()), nn.Linear(2, 2)])
    model = nn.ModuleDict({"stem": nn.Conv2d(1, 2, 3), "blocks": blocks, "relu": nn.ReLU(), "fc": nn.Linear(2, 3)})
    assert head_of(model) == "fc"
    assert stages(model) == [["stem"], ["blocks.0.0"], ["blocks.1"], ["fc"]]
    assert stages(nn.Sequential(nn.Linear(2, 2))) == [["0"]]
    with pytest.raises(ValueError, match="no linear layer"):
        head_of(nn.Sequential(nn.Conv2d(1, 1, 1)))
