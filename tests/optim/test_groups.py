"""Who decays, and at what rate."""

from __future__ import annotations

import pytest
from torch import nn

from orthogon.optim.groups import Pace, Rule, parameter_groups, stage_paces, unfreezing


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


def test_each_stage_learns_at_the_decayed_rate_of_the_one_after_it():
    paces = stage_paces([["a", "b"], ["c"], ["head"]], 0.5)
    assert paces == {"a": Pace(0.25, 0), "b": Pace(0.25, 0), "c": Pace(0.5, 0), "head": Pace(1.0, 0)}
    assert stage_paces([["a"], ["head"]]) == {"a": Pace(), "head": Pace()}
    assert stage_paces([["a"], ["b"], ["head"]], 0.5, trunk=0.1) == {"a": Pace(0.025), "b": Pace(0.05), "head": Pace()}
    assert stage_paces([["a"], ["head"]], 0.1, [7, 0]) == {"a": Pace(0.1, 7), "head": Pace(1.0, 0)}


def test_stages_are_unfrozen_from_the_top_within_half_of_the_steps():
    assert unfreezing(5, 100) == [50, 38, 25, 12, 0]
    assert unfreezing(2, 10) == [5, 0]
    assert unfreezing(1, 10) == [0]


def test_groups_follow_the_paces_and_a_rule_for_the_rate_comes_first():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    groups = parameter_groups(model, 0.1, [Rule("1.bias", 3.0, None)], {"0": Pace(0.5, 6), "1": Pace(0.9, 0)})
    assert [(group["names"], group["lr_factor"], group["weight_decay"], group["starts"]) for group in groups] == [
        (["0.weight"], 0.5, 0.1, 6), (["0.bias"], 0.5, 0.0, 6), (["1.weight"], 0.9, 0.1, 0), (["1.bias"], 3.0, 0.0, 0)]
    assert [group["starts"] for group in parameter_groups(model, 0.1)] == [0, 0]
