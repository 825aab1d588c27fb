"""Gaussians whose directions are independent: what a variational encoder says of a code."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Gaussian(NamedTuple):
    """N(μ, σ²) for each example, a variance for each direction.

    mean, log_variance: N×D. The logarithm is what a layer can give: any number is one.
    """

    mean: Tensor
    log_variance: Tensor

    def at(self, noise: Tensor) -> Tensor:
        """The point μ + σ·ε, N×D: a draw where ε is one of N(0, 1), through which gradients reach μ and σ.

        The reparameterization of Kingma & Welling 2014, arXiv:1312.6114, section 2.4 (row 23.05).
        """
        return self.mean + (0.5 * self.log_variance).exp() * noise

    def divergence(self) -> Tensor:
        """KL(N(μ, σ²)‖N(0, 1)) = −½ Σ (1 + log σ² − μ² − σ²) of each example, (N,), in nats (rows 3.13, 23.05).

        Kingma & Welling 2014, arXiv:1312.6114, appendix B. The sum goes over the directions: a mean would make it
        weigh less the more there are.
        """
        return -0.5 * (1 + self.log_variance - self.mean.square() - self.log_variance.exp()).sum(1)
