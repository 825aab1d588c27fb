"""Several heads (row 2.13), side branches (row 5.18), a new last layer (row 4.12)."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.nn.auxiliary import WithAuxiliary, outputs_by_weight
from orthogon.nn.freeze import head_of
from orthogon.nn.heads import HeadAlone, Heads, SideBranches, encoding, features_and_outputs, new_head, replace_head
from orthogon.nn.models import mlp
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.nn.total import Total, total, weighted_outputs
from orthogon.vision.lenet5 import lenet5


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def squared(output: torch.Tensor, target: torch.Tensor) -> Total:
    return total((output - target).square().sum(1), None)


def test_two_heads_share_a_trunk_and_both_losses_reach_it():
    net = Heads(nn.Sequential(nn.Linear(3, 6), nn.Tanh()), {"class": nn.Linear(6, 5), "box": nn.Linear(6, 4)}).double()
    x, label, box = torch.randn(7, 3).double(), torch.randint(5, (7,)), torch.rand(7, 4).double()
    out = net(x)
    assert list(out) == ["class", "box"]
    features = torch.tanh(x @ net.trunk[0].weight.T + net.trunk[0].bias)
    for name in out:
        torch.testing.assert_close(out[name], features @ net.heads[name].weight.T + net.heads[name].bias)
    totals = {"class": total(F.cross_entropy(out["class"], label, reduction="none"), None),
              "box": squared(out["box"], box)}
    cost = weighted_outputs(totals, {"class": 0.1, "box": 0.9})
    expected = 0.1 * F.cross_entropy(out["class"], label) + 0.9 * (out["box"] - box).square().sum(1).mean()
    torch.testing.assert_close(cost, expected)
    by_head = [torch.autograd.grad(totals[name].mean, net.trunk[0].weight, retain_graph=True)[0] for name in totals]
    assert all(each.any() for each in by_head)
    torch.testing.assert_close(torch.autograd.grad(cost, net.trunk[0].weight)[0], 0.1 * by_head[0] + 0.9 * by_head[1])


def test_a_trunk_may_take_several_inputs_and_heads_are_needed():
    net = Heads(nn.Bilinear(2, 3, 4), {"only": nn.Identity()})
    one, other = torch.randn(5, 2), torch.randn(5, 3)
    assert torch.equal(net(one, other)["only"], net.trunk(one, other))
    with pytest.raises(ValueError, match="no heads"):
        Heads(nn.Identity(), {})


def branched() -> SideBranches:
    stages = {name: nn.Sequential(nn.Linear(4, 4), nn.Tanh()) for name in ("early", "middle", "last")}
    return SideBranches(stages, {"middle": nn.Linear(4, 2), "early": nn.Linear(4, 3)})


def test_side_branches_answer_in_training_alone():
    net, x = branched(), torch.randn(6, 4)
    early = net.stages["early"](x)
    middle = net.stages["middle"](early)
    last = net.stages["last"](middle)
    out = net(x)
    assert isinstance(out, WithAuxiliary)
    beside = ((0.3, net.branches["early"](early)), (0.3, net.branches["middle"](middle)))
    torch.testing.assert_close(tuple(out), (last, beside))
    assert torch.equal(net.eval()(x), last)
    exported = torch.export.export(net, (x,)).module()
    torch.testing.assert_close(exported(x), last)


def test_a_branch_counts_three_tenths_and_gives_early_stages_gradients_of_their_own():
    net, x = branched(), torch.randn(6, 4)
    out = net(x)
    outputs = outputs_by_weight(out)
    assert [weight for weight, _ in outputs] == [1.0, 0.3, 0.3]
    assert outputs[0][1] is out.output
    gradient = torch.autograd.grad(outputs[1][1].square().sum(), list(net.stages.parameters()), allow_unused=True)
    assert [each is not None for each in gradient] == [True, True, False, False, False, False]
    assert outputs_by_weight(x) == ((1.0, x),)


def test_a_branch_that_follows_no_stage_is_refused():
    with pytest.raises(ValueError, match=r"branches \['erly'\] follow no stage; name one of \['early'\]"):
        SideBranches({"early": nn.Identity()}, {"erly": nn.Identity()})


def test_a_replaced_head_is_random_and_all_other_weights_stay():
    net = mlp(ModelSpec((InputSpec("number", (20,)),), 3), hidden=[400])
    before = copy.deepcopy(net.state_dict())
    assert replace_head(net, 500) == "output"
    after = net.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("output"))
    assert after["output.weight"].shape == (500, 400)
    assert float(after["output.weight"].std()) == pytest.approx(0.1 / 400**0.5, rel=0.02)  # as initialize_output does
    assert not after["output.bias"].any()
    assert net(torch.randn(2, 20)).shape == (2, 500)


def test_the_head_that_is_replaced_may_lie_deep_and_keeps_bias_and_type():
    inner = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3, bias=False))
    net = nn.Sequential(nn.Linear(4, 4), inner, nn.Tanh()).double()
    first = net[0]
    assert replace_head(net, 7) == "1.1"
    assert net[0] is first
    assert net[1][1].weight.shape == (7, 4)
    assert net[1][1].weight.dtype == torch.float64
    assert net[1][1].bias is None
    picture = lenet5(ModelSpec((InputSpec("image", (1, 28, 28)),), 10))
    assert replace_head(picture, 2) == "output"
    assert picture(torch.randn(3, 1, 28, 28)).shape == (3, 2)


@pytest.mark.parametrize("model", [nn.Linear(2, 2), nn.Sequential(nn.Conv2d(1, 1, 3))])
def test_a_model_without_a_linear_layer_within_it_is_refused(model):
    with pytest.raises(ValueError, match="no linear layer within it"):
        replace_head(model, 2)


class Maps(nn.Module):
    """Its head reads a map, with a 1×1 convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk, self.drop, self.fc = nn.Conv2d(1, 5, 3), nn.Dropout(0.9), nn.Linear(5, 2)

    def forward(self, x):
        return self.fc(self.drop(self.trunk(x).mean((2, 3))))


def test_features_are_what_enters_the_head_in_evaluation_mode():
    model, x = Maps().train(), torch.randn(3, 1, 6, 6)
    features, outputs = features_and_outputs(model, [x])
    assert torch.equal(features, model.trunk(x).mean((2, 3)))
    assert torch.equal(outputs, model.fc(features))
    assert model.training
    assert not features.requires_grad
    assert not model.fc._forward_pre_hooks
    assert torch.equal(HeadAlone(model)(features), outputs)
    twice = nn.ModuleDict({"a": nn.Linear(2, 2)})
    twice.forward = lambda x: twice["a"](twice["a"](x))
    with pytest.raises(ValueError, match="the head 'a' of ModuleDict is not called once"):
        features_and_outputs(twice, [torch.zeros(1, 2)])


def test_a_new_head_has_he_weights_in_its_hidden_layers_and_small_ones_in_the_last():
    """Row 17.05: dense layers of 260 and 100 with ReLU and He's weights, then logits."""
    torch.manual_seed(0)
    model = Maps()
    new_head(model, [torch.zeros(2, 1, 6, 6)], [260, 100], 5)
    assert [type(each).__name__ for each in model.fc] == ["Linear", "ReLU", "Linear", "ReLU", "Linear"]
    assert [tuple(each.weight.shape) for each in model.fc[::2]] == [(260, 5), (100, 260), (5, 100)]
    assert (model.head_name, model.output_name) == ("fc", "fc.4") == (head_of(model), "fc.4")
    deviations = [float(each.weight.detach().std()) for each in model.fc[::2]]
    assert deviations == pytest.approx([(2 / 5) ** 0.5, (2 / 260) ** 0.5, 0.1 / 100**0.5], rel=0.1)
    assert all(not each.bias.any() for each in model.fc[::2])
    assert model(torch.zeros(2, 1, 6, 6)).shape == (2, 5)


def test_a_new_head_on_a_map_averages_it_over_its_places_first():
    model = Maps()
    model.forward = lambda x: model.fc(model.trunk(x))
    model.fc, model.head_name = nn.Conv2d(5, 2, 1), "fc"
    x = torch.randn(2, 1, 6, 6)
    assert HeadAlone(model)(model.trunk(x)).shape == (2, 2 * 16)
    new_head(model, [x], [], 3)
    assert model.output_name == "fc.2"
    assert torch.allclose(model(x), model.fc[2](model.trunk(x).mean((2, 3))), atol=1e-6)


def test_the_encoding_is_what_enters_the_head_and_of_a_map_its_mean_over_places():
    net = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Dropout(0.9), nn.Linear(3, 2))
    x = torch.randn(5, 4)
    torch.testing.assert_close(encoding(net, (x,)), net[1](net[0](x)).detach())
    assert net.training
    of_maps = nn.Sequential(nn.Conv2d(2, 3, 1), nn.Conv2d(3, 6, 1))
    of_maps.head_name = "1"
    pictures = torch.randn(4, 2, 5, 7)
    torch.testing.assert_close(encoding(of_maps, (pictures,)), of_maps[0](pictures).detach().flatten(2).mean(2))
