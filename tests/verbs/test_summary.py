"""`summary` against counts made by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.errors import RecipeError
from orthogon.verbs.summary import summarize, summary


def test_counts_by_hand():
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(32, 10),
    )
    found = summary(model, torch.zeros(4, 3, 12, 12))
    conv, norm, relu, _, _, linear = found.layers
    assert conv.multiply_adds == 12 * 12 * 8 * 3 * 9
    assert (conv.shape, conv.parameters) == ((8, 12, 12), 8 * 3 * 9 + 8)
    assert (norm.parameters, norm.multiply_adds) == (16, 0)
    assert (relu.kind, relu.parameters) == ("ReLU", 0)
    assert (linear.shape, linear.parameters, linear.multiply_adds) == ((10,), 330, 320)
    assert found.parameters == found.trainable == 224 + 16 + 330
    assert found.multiply_adds == conv.multiply_adds + 320
    assert found.inputs == ((3, 12, 12),)


class Odd(nn.Module):
    """A layer used twice, a product between layers, a parameter of its own, a frozen layer that is never run."""

    def __init__(self) -> None:
        super().__init__()
        self.shared = nn.Linear(4, 4, bias=False)
        self.mix = nn.Parameter(torch.zeros(4, 4))
        self.idle = nn.Linear(2, 2)
        self.idle.requires_grad_(False)

    def forward(self, x):
        return self.shared(self.shared(x)) @ self.mix


def test_shared_layers_products_between_and_frozen_parameters():
    model = Odd().train()
    found = summarize(model, (torch.zeros(3, 4),), "odd")
    by_name = {layer.name: layer for layer in found.layers}
    assert by_name["shared"].multiply_adds == 2 * 16
    assert by_name["(between layers)"].multiply_adds == 16
    assert by_name[""].parameters == 16
    assert by_name["idle"].shape == ()
    assert (found.parameters, found.trainable) == (16 + 16 + 6, 32)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_lenet5_has_its_published_size():
    data = (np.zeros((40, 1, 28, 28), np.uint8), np.arange(40) % 10)
    found = summary("lenet5", data)
    assert found.parameters == 61_706
    text = str(found)
    assert "61,706 parameters" in text
    assert "Conv2d" in text
    assert "<table>" in found._repr_html_()


def test_options_reach_the_model():
    data = (np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 3)
    small = summary("mlp", data, options={"hidden": [4]})
    large = summary("mlp", data, options={"hidden": [40]})
    assert small.parameters < large.parameters


def test_unknown_model_names_the_nearest(tmp_path):
    with pytest.raises(RecipeError, match="lenet5"):
        summary("lenet", root=tmp_path)
