"""Boltzmann machines against orthogon.equations.boltzmann, autograd in float64, and sums over all states."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from orthogon.equations import boltzmann as equations
from orthogon.nn.boltzmann import BoltzmannMachine, annealed_log_partition


def machine(visible: int = 4, hidden: int = 3, kind: str = "bernoulli", seed: int = 0) -> BoltzmannMachine:
    """With weights that matter, in float64."""
    made, draws = BoltzmannMachine(visible, hidden, kind).double(), torch.Generator().manual_seed(seed)
    for parameter in made.parameters():
        parameter.data.normal_(generator=draws)
    return made


def arrays(made: BoltzmannMachine) -> list[np.ndarray]:
    return [each.detach().numpy() for each in made.parameters()]


def states(units: int) -> Tensor:
    return torch.tensor(list(product([0.0, 1.0], repeat=units)), dtype=torch.float64)


def draws(*shape: int, seed: int = 1) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some(kind: str, count: int = 5, units: int = 4) -> Tensor:
    return draws(count, units) if kind == "bernoulli" else 4 * draws(count, units) - 2


KINDS = pytest.mark.parametrize("kind", ["bernoulli", "gaussian"])


def test_first_weights_are_small_and_biases_zero():
    torch.manual_seed(0)
    made = BoltzmannMachine(300, 200)
    assert made.weight.shape == (300, 200)
    assert made.visible_bias.shape == (300,)
    assert made.hidden_bias.shape == (200,)
    assert made.weight.std().item() == pytest.approx(0.01, rel=0.02)
    assert not made.visible_bias.any()
    assert not made.hidden_bias.any()
    assert made.visible == "bernoulli"
    assert "300, 200" in repr(made)


@pytest.mark.parametrize(("sizes", "kind", "words"), [
    ((0, 3), "bernoulli", "0 visible and 3 hidden"), ((3, 0), "bernoulli", "3 visible and 0 hidden"),
    ((3, 3), "binary", "got 'binary'")])
def test_layers_without_units_and_unknown_kinds_are_refused(sizes, kind, words):
    with pytest.raises(ValueError, match=words):
        BoltzmannMachine(*sizes, kind)


def test_a_layer_of_one_unit_will_do():
    assert BoltzmannMachine(1, 1)(torch.zeros(2, 1)).tolist() == [[0.5], [0.5]]


# --- the other layer, given one ------------------------------------------------------------------------------------


def test_units_of_a_layer_are_independent_given_the_other_layer():
    """E50: no two nodes within a layer are connected, so the joint distribution factors into these probabilities."""
    made, v, h = machine(), states(4), states(3)
    weight, b, c = made.weight, made.visible_bias, made.hidden_bias
    joint = torch.exp((v @ weight) @ h.T + (v @ b)[:, None] + h @ c)
    for given, tables, found in ((v, joint, made(v)), (h, joint.T, made.visible_mean(h))):
        conditional = tables / tables.sum(1, keepdim=True)
        others = h if given is v else v
        for row, probabilities in zip(conditional, found):
            each = torch.where(others == 1, probabilities, 1 - probabilities).prod(1)
            torch.testing.assert_close(row, each)


@KINDS
def test_probabilities_and_means_are_those_of_the_equations(kind):
    made, v, h = machine(kind=kind), some(kind), states(3)
    weight, b, c = arrays(made)
    np.testing.assert_allclose(made(v).detach(), equations.hidden_probabilities(v.numpy(), weight, c))
    assert torch.equal(made(v), made.hidden_probabilities(v))
    given = equations.gaussian_visible(h.numpy(), weight, b, np.zeros((8, 4)))
    expected = equations.visible_probabilities(h.numpy(), weight, b) if kind == "bernoulli" else given
    np.testing.assert_allclose(made.visible_mean(h).detach(), expected)
    np.testing.assert_allclose(made.visible_input(h).detach(), given)


@KINDS
def test_samples_have_the_probabilities_that_they_are_drawn_with(kind):
    made, generator = machine(kind=kind), torch.Generator().manual_seed(3)
    v, h = some(kind, 1).expand(20_000, 4), states(3)[5:6].expand(20_000, 3)
    hidden, visible = made.hidden_sample(v, generator), made.visible_sample(h, generator)
    assert set(hidden.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(hidden.mean(0), made(v[:1])[0], atol=0.02, rtol=0)
    torch.testing.assert_close(visible.mean(0), made.visible_mean(h[:1])[0], atol=0.03, rtol=0)
    if kind == "gaussian":
        torch.testing.assert_close(visible.std(0), torch.ones(4, dtype=torch.float64), atol=0.02, rtol=0)
    else:
        assert set(visible.unique().tolist()) == {0.0, 1.0}


def test_long_chains_have_the_distribution_of_the_machine():
    made = machine()
    likely = torch.exp(-made.free_energy(states(4)) - made.log_partition())
    found = made.gibbs(torch.zeros(10_000, 4, dtype=torch.float64), 40, torch.Generator().manual_seed(0))
    codes = (found @ torch.tensor([8.0, 4.0, 2.0, 1.0], dtype=torch.float64)).long()
    torch.testing.assert_close(torch.bincount(codes, minlength=16) / 10_000, likely.detach(), atol=0.02, rtol=0,
                               check_dtype=False)


def test_no_steps_leave_a_chain_where_it_is():
    v = some("bernoulli")
    assert torch.equal(machine().gibbs(v, 0), v)


def test_the_same_generator_gives_the_same_chain():
    made, v = machine(), some("bernoulli")
    one, other = (made.gibbs(v, 3, torch.Generator().manual_seed(seed)) for seed in (4, 4))
    assert torch.equal(one, other)


# --- free energy and contrastive divergence ------------------------------------------------------------------------


@KINDS
def test_the_free_energy_is_that_of_the_equation_and_sums_the_hidden_units_out(kind):
    made, v = machine(kind=kind), some(kind)
    weight, b, c = arrays(made)
    equation = equations.free_energy if kind == "bernoulli" else equations.gaussian_free_energy
    np.testing.assert_allclose(made.free_energy(v).detach(), equation(v.numpy(), weight, b, c)[0])
    h = states(3)
    ours = -((v @ made.weight) @ h.T + h @ made.hidden_bias)
    alone = -v @ made.visible_bias if kind == "bernoulli" else 0.5 * ((v - made.visible_bias) ** 2).sum(1)
    torch.testing.assert_close(made.free_energy(v), alone - torch.logsumexp(-ours, 1))


@KINDS
def test_the_contrast_is_the_gradient_of_the_difference_of_free_energies(kind):
    """E51: no KL divergence is computed; what is descended on is ⟨F(data)⟩ − ⟨F(made)⟩, here by autograd in float64."""
    made = machine(kind=kind)
    data, chains = some(kind, 7), some(kind, 3, 4).flip(1)
    (made.free_energy(data).mean() - made.free_energy(chains).mean()).backward()
    for parameter, gradient in zip(made.parameters(), made.contrast(data, chains)):
        torch.testing.assert_close(parameter.grad, gradient)
        assert not gradient.requires_grad


@pytest.mark.parametrize("steps", [1, 3])
@KINDS
def test_the_gradients_of_contrastive_divergence_are_those_of_the_equation(kind, steps, monkeypatch):
    """With the same draws as the NumPy equation, CD-1 and CD-3."""
    made, data = machine(kind=kind), some(kind, 6)
    weight, b, c = arrays(made)
    hidden, visible = draws(steps, 6, 3, seed=8).numpy(), draws(steps, 6, 4, seed=9).numpy()
    queue = [each for pair in zip(hidden, visible) for each in pair]

    def next_draws(*_args, **_options):
        return torch.from_numpy(queue.pop(0))

    monkeypatch.setattr(torch, "rand", next_draws)
    monkeypatch.setattr(torch, "randn", next_draws)
    unit = equations.bernoulli_visible if kind == "bernoulli" else equations.gaussian_visible
    expected = equations.contrastive_divergence(data.numpy(), weight, b, c, hidden, visible, unit)
    for ours, theirs in zip(made.contrast(data, made.gibbs(data, steps)), expected):
        np.testing.assert_allclose(ours, theirs, atol=1e-12)
    assert not queue


# --- how good it is ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(4, 3), (3, 4), (4, 4)])
def test_log_z_sums_over_all_states_of_either_layer(sizes):
    made = machine(*sizes)
    assert made.log_partition().item() == pytest.approx(equations.log_partition(*arrays(made)))
    assert torch.exp(-made.free_energy(states(sizes[0])) - made.log_partition()).sum().item() == pytest.approx(1)


@pytest.mark.parametrize("sizes", [(2, 3), (2, 1)])
def test_log_z_of_real_valued_units_integrates_over_the_plane(sizes):
    made, line = machine(*sizes, kind="gaussian"), torch.linspace(-12, 12, 401, dtype=torch.float64)
    plane = torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1).reshape(-1, 2)
    integral = torch.exp(-made.free_energy(plane)).sum() * (line[1] - line[0]) ** 2
    torch.testing.assert_close(made.log_partition(), integral.log())


def test_the_larger_layer_is_never_enumerated():
    zero = [torch.zeros(30, 16), torch.zeros(16, 30)]
    for weight in zero:
        made = BoltzmannMachine(*weight.shape)
        made.weight.data = weight
        assert made.enumerable
        assert made.log_partition().item() == pytest.approx(46 * np.log(2), rel=1e-5)


@pytest.mark.parametrize("shape", [(17, 18, "bernoulli"), (18, 17, "bernoulli"), (2, 17, "gaussian")])
def test_a_partition_too_large_is_refused(shape):
    made = BoltzmannMachine(*shape)
    assert not made.enumerable
    with pytest.raises(ValueError, match=r"2\^17 states are too many.*annealed"):
        made.log_partition()


def test_annealing_finds_log_z_within_its_error():
    made = machine(8, 6)
    exact = made.log_partition().item()
    found, error = annealed_log_partition(made, torch.Generator().manual_seed(0))
    assert 0.0005 < error < 0.03
    assert abs(found - exact) < 4 * error
    few, wider = annealed_log_partition(made, torch.Generator().manual_seed(0), chains=25, temperatures=20)
    assert error < wider < 1
    assert abs(few - exact) < 4 * wider


def test_the_error_of_annealing_is_its_scatter():
    made = machine(8, 6)
    found = [annealed_log_partition(made, torch.Generator().manual_seed(seed), 50, 30) for seed in range(40)]
    scatter = np.std([value for value, _ in found], ddof=1)
    assert np.mean([error for _, error in found]) == pytest.approx(scatter, rel=0.35)


def test_annealing_a_machine_without_connections_is_exact():
    made = machine(5, 40)
    made.weight.data.zero_()
    made.hidden_bias.data.zero_()
    exact = torch.nn.functional.softplus(made.visible_bias).sum().item() + 40 * np.log(2)
    found, error = annealed_log_partition(made, chains=5, temperatures=3)
    assert found == pytest.approx(exact)
    assert error == pytest.approx(0)


def test_annealing_is_for_binary_units():
    with pytest.raises(ValueError, match="bernoulli"):
        annealed_log_partition(BoltzmannMachine(3, 2, "gaussian"))


def test_the_pseudo_likelihood_is_that_of_each_unit_given_all_others():
    made, v = machine(), states(4)[[0, 5, 11]]
    expected = torch.zeros(3, dtype=torch.float64)
    for unit in range(4):
        flipped = v.clone()
        flipped[:, unit] = 1 - flipped[:, unit]
        energies = torch.stack([made.free_energy(v), made.free_energy(flipped)])
        expected -= torch.logsumexp(energies[0] - energies, 0)
    every = torch.arange(4).expand(3, 4)
    torch.testing.assert_close(made.pseudo_log_likelihood(v, every), expected.detach())
    each = torch.stack([made.pseudo_log_likelihood(v, every[:, unit : unit + 1]) for unit in range(4)])
    torch.testing.assert_close(each.mean(0), expected.detach())  # some of the units stand for all


def test_grey_values_count_as_chances_in_the_pseudo_likelihood():
    """The cross-entropy of the unit's own value with its probability given the others."""
    made = machine()
    v = draws(3, 4)
    for_one, for_none = v.clone(), v.clone()
    for_one[:, 2], for_none[:, 2] = 1, 0
    likely = torch.sigmoid(made.free_energy(for_none) - made.free_energy(for_one))
    expected = 4 * (v[:, 2] * likely.log() + (1 - v[:, 2]) * (1 - likely).log())
    torch.testing.assert_close(made.pseudo_log_likelihood(v, torch.full((3, 1), 2)), expected.detach())


def test_real_valued_units_have_no_pseudo_likelihood():
    with pytest.raises(ValueError, match="no closed form"):
        machine(kind="gaussian").pseudo_log_likelihood(some("gaussian"), torch.zeros(5, 1, dtype=torch.int64))
