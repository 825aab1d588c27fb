"""Boltzmann machines one on the other, as networks."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch

from orthogon.errors import RecipeError
from orthogon.nn.autoencoder import Rebuilt
from orthogon.nn.belief_network import DeepBeliefNetwork, Downward, dbn, rbm
from orthogon.nn.freeze import head_of, layers
from orthogon.nn.spec import InputSpec, ModelSpec

PICTURES = InputSpec("image", (1, 4, 3))
REBUILDS, CLASSES = ModelSpec((PICTURES,), 12, rebuilds=True), ModelSpec((PICTURES,), 5)
X = torch.rand(6, 1, 4, 3, generator=torch.Generator().manual_seed(0))


def lively(network: DeepBeliefNetwork) -> DeepBeliefNetwork:
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    return network


def test_it_goes_up_by_probabilities_and_down_by_means():
    network = lively(dbn(REBUILDS, (7, 5)))
    first, second = network.machines
    code = second.hidden_probabilities(first.hidden_probabilities(X.flatten(1)))
    output = first.visible_input(second.visible_mean(code)).reshape(6, 1, 4, 3)
    found = network(X)
    assert isinstance(found, Rebuilt)
    assert found.log_variance is None
    torch.testing.assert_close(found.code, code)
    torch.testing.assert_close(found.output, output)


def test_with_outputs_of_its_own_it_has_a_linear_head_on_the_same_trunk():
    up, classifier = lively(dbn(REBUILDS, (7, 5))), dbn(CLASSES, (7, 5))
    trunk = {name: value for name, value in up.state_dict().items() if not name.startswith("head.")}
    assert set(up.state_dict()) == set(trunk)  # going down takes no parameters
    assert set(classifier.state_dict()) == {*trunk, "head.weight", "head.bias"}
    classifier.load_state_dict(trunk, strict=False)
    torch.testing.assert_close(classifier(X), classifier.head(up(X).code))
    assert classifier(X).shape == (6, 5)
    assert head_of(up) == head_of(classifier) == "head"
    assert layers(classifier) == ["layers.0", "layers.1", "head"]


def test_a_classifier_starts_with_weights_that_let_gradients_through_and_leaves_visible_biases_alone():
    torch.manual_seed(0)
    classifier, machine = dbn(ModelSpec((InputSpec("number", (300,)),), 5), (200,)), rbm(
        ModelSpec((InputSpec("number", (300,)),), 300, rebuilds=True), 200)
    assert classifier.layers[0].weight.std().item() == pytest.approx((2 / 500) ** 0.5, rel=0.02)
    assert machine.layers[0].weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert classifier.head.weight.std().item() == pytest.approx(0.1 / 200**0.5, rel=0.1)
    assert [name for name, each in classifier.named_parameters() if not each.requires_grad] == ["layers.0.visible_bias"]
    assert all(each.requires_grad for each in machine.parameters())


def test_a_copy_goes_down_through_its_own_machines():
    network = lively(dbn(REBUILDS, (7,)))
    copied = deepcopy(network)
    before = copied(X).output
    with torch.no_grad():
        network.layers[0].visible_bias.add_(1)
    assert torch.equal(copied(X).output, before)
    torch.testing.assert_close(network(X).output, before + 1)
    assert isinstance(copied.head, Downward)
    assert not list(copied.head.parameters())


def test_visible_units_suit_the_input_unless_named():
    numbers = ModelSpec((InputSpec("number", (9,)),), 9, rebuilds=True)
    assert [each.visible for each in dbn(REBUILDS, (7, 5)).machines] == ["bernoulli", "bernoulli"]
    assert [each.visible for each in dbn(numbers, (7, 5)).machines] == ["gaussian", "bernoulli"]
    assert rbm(REBUILDS, 3, "gaussian").machines[0].visible == "gaussian"
    assert rbm(numbers, 3, "bernoulli").machines[0].visible == "bernoulli"


def test_sizes_by_default():
    assert [tuple(each.weight.shape) for each in dbn(REBUILDS).machines] == [(12, 500), (500, 250)]
    assert [tuple(each.weight.shape) for each in rbm(REBUILDS).machines] == [(12, 500)]


@pytest.mark.parametrize(("build", "words"), [
    (lambda: dbn(REBUILDS, ()), "sizes of at least 1; got"),
    (lambda: dbn(REBUILDS, (5, 0)), r"got \(5, 0\)"),
    (lambda: dbn(REBUILDS, 5), "got 5"),
    (lambda: rbm(REBUILDS, 0), "at least 1"),
    (lambda: rbm(REBUILDS, 3, "binary"), "no visible units 'binary'"),
    (lambda: dbn(ModelSpec((PICTURES, InputSpec("number", (2,))), 5)), "image, number"),
    (lambda: dbn(ModelSpec((InputSpec("category", (2,), (3, 4)),), 5)), "there are category"),
])
def test_what_cannot_be_is_refused(build, words):
    with pytest.raises(RecipeError, match=words):
        build()
