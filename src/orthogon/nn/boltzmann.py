"""Restricted Boltzmann machines (row 23.08).

Restricted: visible units are connected to hidden ones alone, so that the units of a layer are independent of each other
given the other layer (E50). Hinton 2012, "A practical guide to training restricted Boltzmann machines"; the same in
NumPy: orthogon.equations.boltzmann.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS = ("bernoulli", "gaussian")
MOST_UNITS_TO_ENUMERATE = 16
"""Of the layer over whose states the partition function is summed: 65,536 of them."""


class Contrast(NamedTuple):
    """Gradients to descend on, in the order and the shapes of a machine's parameters."""

    weight: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor


class BoltzmannMachine(nn.Module):
    """Visible units V and hidden units H, p(v, h) = exp(−E(v, h)) / Z (row 23.08).

        bernoulli: E = −vᵀWh − bᵀv − cᵀh, v in {0, 1}; values between are taken as probabilities of 1
        gaussian:  E = ½‖v − b‖² − vᵀWh − cᵀh, v real, of variance 1 given h: standardize the data first

    Hidden units are always on or off. weight: V×H, first drawn with deviation 0.01. visible_bias: V, hidden_bias: H,
    first zero. As a layer of a network it gives the hidden probabilities: N×V -> N×H.
    ValueError for a layer without units and for another kind of visible units.
    """

    def __init__(self, visible_units: int, hidden_units: int, visible: str = "bernoulli") -> None:
        super().__init__()
        if visible_units < 1 or hidden_units < 1:
            raise ValueError(f"a layer has at least 1 unit; got {visible_units} visible and {hidden_units} hidden ones")
        if visible not in KINDS:
            raise ValueError(f"visible units are bernoulli or gaussian; got {visible!r}")
        self.visible = visible
        self.weight = nn.Parameter(0.01 * torch.randn(visible_units, hidden_units))
        self.visible_bias = nn.Parameter(torch.zeros(visible_units))
        self.hidden_bias = nn.Parameter(torch.zeros(hidden_units))

    def forward(self, visible: Tensor) -> Tensor:
        return self.hidden_probabilities(visible)

    def extra_repr(self) -> str:
        return f"{self.weight.shape[0]}, {self.weight.shape[1]}, visible={self.visible!r}"

    # --- the other layer, given one ---------------------------------------------------------------------------

    def hidden_probabilities(self, visible: Tensor) -> Tensor:
        """P(h = 1 | v), N×H."""
        return torch.sigmoid(visible @ self.weight + self.hidden_bias)

    def visible_input(self, hidden: Tensor) -> Tensor:
        """b + Wh, N×V: the logits of binary visible units, the means of real-valued ones."""
        return hidden @ self.weight.T + self.visible_bias

    def visible_mean(self, hidden: Tensor) -> Tensor:
        """The expectation of v given h, N×V."""
        given = self.visible_input(hidden)
        return given if self.visible == "gaussian" else torch.sigmoid(given)

    def hidden_sample(self, visible: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """h ~ P(h | v), N×H of 0 and 1."""
        return _switched(self.hidden_probabilities(visible), generator)

    def visible_sample(self, hidden: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """v ~ P(v | h), N×V."""
        mean = self.visible_mean(hidden)
        if self.visible == "bernoulli":
            return _switched(mean, generator)
        return mean + torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)

    def gibbs(self, visible: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
        """Where Markov chains are after so many steps back and forth: h ~ P(h | v), then v ~ P(v | h). N×V."""
        for _ in range(steps):
            visible = self.visible_sample(self.hidden_sample(visible, generator), generator)
        return visible

    # --- learning ---------------------------------------------------------------------------------------------

    def free_energy(self, visible: Tensor) -> Tensor:
        """F(v) = −log Σ_h exp(−E(v, h)), N: low is likely, p(v) = exp(−F(v)) / Z."""
        hidden = F.softplus(visible @ self.weight + self.hidden_bias).sum(1)
        if self.visible == "gaussian":
            return 0.5 * (visible - self.visible_bias).square().sum(1) - hidden
        return -visible @ self.visible_bias - hidden

    @torch.no_grad()
    def contrast(self, data: Tensor, made: Tensor) -> Contrast:
        """The gradient of ⟨F(data)⟩ − ⟨F(made)⟩, means over N×V and M×V, written out (row 23.08, E51).

        With `made` = gibbs(data, k) these are the gradients of CD-k (Hinton 2002, Neural Computation 14), with chains
        that go on from batch to batch those of persistent CD (Tieleman 2008). Neither computes a KL divergence.
        """
        of_data, of_made = self.hidden_probabilities(data) / len(data), self.hidden_probabilities(made) / len(made)
        weight = made.T @ of_made - data.T @ of_data
        return Contrast(weight, made.mean(0) - data.mean(0), of_made.sum(0) - of_data.sum(0))

    # --- how good it is ---------------------------------------------------------------------------------------

    @torch.no_grad()
    def pseudo_log_likelihood(self, visible: Tensor, units: Tensor) -> Tensor:
        """Σ_i log p(v_i | all others) of binary visible units, in nats, N (Besag 1975).

        units: N×K numbers of visible units, from which the sum over all is estimated; exact where they are all of them.
        ValueError for real-valued visible units, whose conditional densities have no closed form.
        """
        if self.visible == "gaussian":
            raise ValueError("the pseudo-likelihood of gaussian visible units has no closed form; take bernoulli ones")
        given, found = visible @ self.weight + self.hidden_bias, torch.zeros(len(visible)).to(visible)
        for unit in units.T:
            value, weight = visible.gather(1, unit[:, None]), self.weight[unit]
            off = given - value * weight
            logit = self.visible_bias[unit] + (F.softplus(off + weight) - F.softplus(off)).sum(1)
            found -= F.binary_cross_entropy_with_logits(logit, value[:, 0], reduction="none")
        return found * (self.weight.shape[0] / units.shape[1])

    @property
    def enumerable(self) -> bool:
        """Whether `log_partition` can be computed."""
        return min(self._units_to_enumerate()) <= MOST_UNITS_TO_ENUMERATE

    def _units_to_enumerate(self) -> tuple[int, ...]:
        return self.weight.shape[1:] if self.visible == "gaussian" else self.weight.shape

    @torch.no_grad()
    def log_partition(self) -> Tensor:
        """log Z, exactly: over all states of the smaller layer (of the hidden one, where visible units are gaussian).

        ValueError beyond 16 units.
        """
        if not self.enumerable:
            raise ValueError(f"2^{min(self._units_to_enumerate())} states are too many to count, expected at most "
                             f"2^{MOST_UNITS_TO_ENUMERATE}; `annealed_log_partition` estimates it")
        over_hidden = self.visible == "gaussian" or self.weight.shape[1] <= self.weight.shape[0]
        energy = self._hidden_free_energy if over_hidden else self.free_energy
        states = _states(self.weight.shape[1] if over_hidden else self.weight.shape[0])
        return torch.cat([-energy(part.to(self.weight)) for part in states]).logsumexp(0)

    def _hidden_free_energy(self, hidden: Tensor) -> Tensor:
        """−log of Σ_v exp(−E(v, h)), or of its integral, N."""
        given = self.visible_input(hidden)
        if self.visible == "bernoulli":
            return -hidden @ self.hidden_bias - F.softplus(given).sum(1)
        squares = (given.square() - self.visible_bias.square() + math.log(2 * math.pi)).sum(1)
        return -hidden @ self.hidden_bias - 0.5 * squares


@torch.no_grad()
def annealed_log_partition(
    machine: BoltzmannMachine, generator: torch.Generator | None = None, chains: int = 100, temperatures: int = 1000,
) -> tuple[float, float]:
    """log Z of a machine with binary units, and the standard error of that, by annealed importance sampling.

    Salakhutdinov & Murray 2008, "On the quantitative analysis of deep belief networks": chains start at the machine
    without connections, p(v) ∝ exp(bᵀv), and go to the whole one by so many temperatures β, weights and hidden biases
    multiplied by β. The estimate of Z is unbiased, that of log Z low on average; the error is that of the chains drawn.
    ValueError for real-valued visible units.
    """
    if machine.visible != "bernoulli":
        raise ValueError("annealing is for bernoulli visible units; log_partition counts small gaussian machines")
    weight, b, c = machine.weight, machine.visible_bias, machine.hidden_bias
    visible = _switched(torch.sigmoid(b).expand(chains, -1), generator)
    log_weights = torch.zeros(chains, dtype=torch.float64, device=weight.device)
    given, before = visible @ weight + c, 0.0
    for step in range(1, temperatures + 1):
        beta = step / temperatures
        log_weights += (F.softplus(beta * given) - F.softplus(before * given)).sum(1).double()
        hidden = _switched(torch.sigmoid(beta * given), generator)
        visible = _switched(torch.sigmoid(b + beta * (hidden @ weight.T)), generator)
        given, before = visible @ weight + c, beta
    start = F.softplus(b).sum().item() + len(c) * math.log(2)
    shares = (log_weights - log_weights.max()).exp()
    mean = log_weights.logsumexp(0).item() - math.log(chains)
    return start + mean, (shares.std() / shares.mean()).item() / math.sqrt(chains)


def _switched(probabilities: Tensor, generator: torch.Generator | None) -> Tensor:
    """1 where a uniform draw lies below the probability, else 0; NaN counts as 0."""
    draws = torch.rand(probabilities.shape, generator=generator, device=probabilities.device, dtype=probabilities.dtype)
    return (draws < probabilities).to(probabilities.dtype)


def _states(units: int, at_once: int = 4096) -> Iterator[Tensor]:
    """All 2^units states of 0 and 1, as blocks of rows."""
    for numbers in torch.arange(2**units).split(at_once):
        yield (numbers[:, None] >> torch.arange(units)) & 1
