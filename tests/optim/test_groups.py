"""Who decays, and at what rate."""

from __future__ import annotations

import pytest
from torch import nn

from orthogon.optim.groups import Rule, parameter_groups


def test_biases_and_norms_do_not_decay_and_rules_decide_first():
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    groups = parameter_groups(model, 0.1, [Rule("2.*", 0.5, None)])
    found = {name: (group["weight_decay"], group["lr_factor"]) for group in groups for name in group["names"]}
    assert found == {"0.weight": (0.1, 1.0), "0.bias": (0.0, 1.0), "1.weight": (0.0, 1.0), "1.bias": (0.0, 1.0),
                     "2.weight": (0.1, 0.5), "2.bias": (0.0, 0.5)}
    with pytest.raises(ValueError, match="head"):
        parameter_groups(model, 0.1, [Rule("head.*", 1.0, None)])


def test_frozen_parameters_are_left_out_and_a_rule_may_let_biases_decay():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    (group,) = parameter_groups(model, 0.1, [Rule("*.bias", None, 0.1)])
    assert group["names"] == ["1.weight", "1.bias"]
    assert [id(each) for each in group["params"]] == [id(each) for each in model[1].parameters()]
    first = parameter_groups(model, 0.1, [Rule("1.bias", 3.0, 0.2), Rule("1.*", 5.0, 0.4)])
    assert [(group["names"], group["lr_factor"], group["weight_decay"]) for group in first] == [
        (["1.weight"], 5.0, 0.4), (["1.bias"], 3.0, 0.2)]
    with pytest.raises(ValueError, match=r"no parameter is called 0\.\*"):
        parameter_groups(model, 0.1, [Rule("0.*", 2.0, None)])
