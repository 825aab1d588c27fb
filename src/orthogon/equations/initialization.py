"""Weights to start from: W is units × inputs, drawn so that scale is kept from layer to layer.

What counts is the size of the weights, not their sign: a gain below 1 per layer makes activations vanish, above 1
explode (E7). 1/n and 2/n are variances; the draws are multiplied by their roots, the standard deviations (E8).
Biases start at 0. Weights must differ: units that start alike stay alike, since they get the same gradient (rows 4.01,
4.03). `generator` is numpy.random.Generator.
"""

from __future__ import annotations

import math

from numpy.random import Generator

from orthogon.equations._shapes import Floats


def small_random(units: int, inputs: int, generator: Generator, scale: float = 0.01) -> Floats:
    """Small enough for the steep part of sigmoid and tanh.

        W = 0.01 · randn

    For shallow networks: over many layers the signal vanishes. Rows 4.01, 4.02.
    """
    return scale * generator.standard_normal((units, inputs))


def lecun_normal(units: int, inputs: int, generator: Generator) -> Floats:
    """Keeps the variance of a linear layer's input.

        Var(W) = 1/n_in        W = √(1/n_in) · randn

    For tanh ("Xavier" in the course) and SELU. Rows 4.04, 4.06, E8, E86; LeCun et al. 1998.
    """
    return math.sqrt(1.0 / inputs) * generator.standard_normal((units, inputs))


def glorot_normal(units: int, inputs: int, generator: Generator) -> Floats:
    """Between keeping the variance forward, 1/n_in, and that of the gradient backward, 1/n_out.

        Var(W) = 2/(n_in + n_out)        W = √(2/(n_in + n_out)) · randn

    For tanh and sigmoid. Rows 4.07, 4.08, E8; Glorot & Bengio 2010.
    """
    return math.sqrt(2.0 / (inputs + units)) * generator.standard_normal((units, inputs))


def glorot_uniform(units: int, inputs: int, generator: Generator) -> Floats:
    """The variance of `glorot_normal`, without tails.

        W ~ uniform(−r, r)        r = √(6/(n_in + n_out))        Var(W) = r²/3 = 2/(n_in + n_out)

    Row 4.08; Glorot & Bengio 2010.
    """
    r = math.sqrt(6.0 / (inputs + units))
    return generator.uniform(-r, r, size=(units, inputs))


def he_normal(units: int, inputs: int, generator: Generator) -> Floats:
    """Makes up for ReLU, which loses half of the mean square.

        Var(W) = 2/n_in        W = √(2/n_in) · randn

    Rows 4.05, E8; He et al. 2015, arXiv:1502.01852.
    """
    return math.sqrt(2.0 / inputs) * generator.standard_normal((units, inputs))
