"""Costs J and their gradients.

Examples come first. L⁽ⁱ⁾ sums over all that belongs to example i (classes, outputs, time steps), and

    J = +(1/m) Σᵢ L⁽ⁱ⁾

The minus of a log-likelihood is in L already (E26). So for sigmoid and softmax ∂L/∂z = ŷ − y, and of the mean cost it
is (ŷ − y)/m (E19). A mean over outputs too, as torch takes, is J divided by their number. d_J is a number.
"""

from __future__ import annotations

import numpy as np

from orthogon.equations._shapes import Booleans, Floats, Integers, expect_same, expect_shape
from orthogon.equations.activations import sigmoid, softmax, softplus

Cache = tuple[Floats, ...]


def mean_cost(losses: Floats) -> float:
    """The cost of a set: the mean of its examples' losses.

        J = +(1/m) Σᵢ L⁽ⁱ⁾

    losses: m×…; what stands in row i belongs to example i. Rows 3.02, 6.08, E26, E116.
    """
    return float(losses.sum() / len(losses))


def binary_cross_entropy(a: Floats, y: Floats) -> tuple[float, Cache]:
    """The logistic loss of probabilities: minus the log-likelihood of a Bernoulli variable.

        L = −[y log a + (1 − y) log(1 − a)]        ∂L/∂a = −y/a + (1 − y)/(1 − a)

    a: strictly between 0 and 1. y: in [0, 1], the shape of a. From a sigmoid, take `binary_cross_entropy_from_logits`,
    which cannot overflow. Rows 1.06, 1.07, 2.14, 3.01, 3.02, 3.11, E25, E26.
    """
    expect_same(a, y)
    return mean_cost(-(y * np.log(a) + (1.0 - y) * np.log1p(-a))), (a, y)


def binary_cross_entropy_backward(d_J: float, cache: Cache) -> Floats:
    a, y = cache
    return d_J / len(a) * (-y / a + (1.0 - y) / (1.0 - a))


def binary_cross_entropy_from_logits(z: Floats, y: Floats) -> tuple[float, Cache]:
    """The logistic loss of σ(z).

        L = −[y log σ(z) + (1 − y) log(1 − σ(z))] = log(1 + eᶻ) − y z        ∂L/∂z = σ(z) − y

    z: log-odds, any shape. y: in [0, 1], the same shape. Rows 1.05, 1.07, 1.27, 3.01, E19, E25.
    """
    expect_same(z, y)
    return mean_cost(softplus(z)[0] - y * z), (z, y)


def binary_cross_entropy_from_logits_backward(d_J: float, cache: Cache) -> Floats:
    z, y = cache
    a, _ = sigmoid(z)
    return d_J / len(z) * (a - y)


def cross_entropy(a: Floats, y: Floats) -> tuple[float, Cache]:
    """The categorical loss of probabilities.

        L = −Σⱼ yⱼ log aⱼ        ∂L/∂aⱼ = −yⱼ/aⱼ

    a: m×C, positive. y: m×C, one-hot or probabilities (soft labels). Rows 3.03, 3.05.
    """
    expect_same(a, y)
    return mean_cost(-y * np.log(a)), (a, y)


def cross_entropy_backward(d_J: float, cache: Cache) -> Floats:
    a, y = cache
    return -d_J / len(a) * y / a


def cross_entropy_from_logits(z: Floats, y: Floats | Integers) -> tuple[float, Cache]:
    """The categorical loss of softmax(z).

        L = −Σⱼ yⱼ log ŷⱼ        log ŷⱼ = zⱼ − log Σₖ eᶻᵏ        ∂L/∂z = ŷ Σⱼ yⱼ − y, that is ŷ − y

    z: m×C. y: m×C, one-hot or probabilities, or integer classes (m). Rows 1.27, 3.03 to 3.05, E19.
    """
    are_classes = np.issubdtype(y.dtype, np.integer) and y.ndim == z.ndim - 1
    target = one_hot(y.astype(int), z.shape[-1]) if are_classes else y.astype(float)
    expect_same(z, target)
    return mean_cost(-target * _log_softmax(z)), (z, target)


def cross_entropy_from_logits_backward(d_J: float, cache: Cache) -> Floats:
    z, target = cache
    a, _ = softmax(z)
    return d_J / len(z) * (a * target.sum(axis=-1, keepdims=True) - target)


def one_hot(classes: Integers, count: int) -> Floats:
    """Classes 0 … C−1 as rows of 0 and a single 1.

        yⱼ = 1 where j is the class, else 0

    classes: integers of any shape; a last axis of `count` is added. The class is an index from 0: class 4 of ten is
    [0,0,0,0,1,0,0,0,0,0] (E64). ValueError for a class outside the range.
    """
    wrong = (classes < 0) | (classes >= count)
    if wrong.any():
        raise ValueError(f"class {classes[wrong].flat[0]} of {count}, expected 0 to {count - 1}: classes count from 0")
    return np.eye(count)[classes]


def multi_task_cross_entropy(z: Floats, y: Floats, known: Booleans) -> tuple[float, tuple[Floats, Floats, Booleans]]:
    """Several yes-or-no labels per example, some of them unknown.

        J = (1/m) Σᵢ Σ_{j known} L(ŷⱼ⁽ⁱ⁾, yⱼ⁽ⁱ⁾)        ∂J/∂z = (ŷ − y)/m where known, else 0

    z, y: m×tasks, z before the sigmoid. known: booleans m×tasks; y may be anything where it is not known, NaN too.
    The label is a vector, the loss a number: the sum over tasks (rows 2.14, 3.09, 36.26, E22).
    """
    expect_same(z, y)
    expect_same(z, known)
    y = np.where(known, y, 0.0)
    return mean_cost(np.where(known, softplus(z)[0] - y * z, 0.0)), (z, y, known)


def multi_task_cross_entropy_backward(d_J: float, cache: tuple[Floats, Floats, Booleans]) -> Floats:
    z, y, known = cache
    a, _ = sigmoid(z)
    return d_J / len(z) * np.where(known, a - y, 0.0)


def sequence_cross_entropy(z: Floats, y: Integers, lengths: Integers) -> tuple[float, Cache]:
    """A categorical loss at each step of a sequence, summed over its steps.

        L⁽ⁱ⁾ = Σ_{t = 1 … Tᵢ} −Σⱼ yⱼ⟨t⟩ log ŷⱼ⟨t⟩        ∂L/∂z⟨t⟩ = ŷ⟨t⟩ − y⟨t⟩ for t ≤ Tᵢ, else 0

    z: m×T×C before the softmax. y: classes m×T; anything after the end of a sequence. lengths: Tᵢ. Row 3.10.
    """
    expect_shape("z", z, ("m", "T", "C"), "examples × time steps × classes")
    expect_shape("y", y, z.shape[:2], "a class for each step of each example")
    expect_shape("lengths", lengths, z.shape[:1], "the number of steps of each example")
    within = np.arange(z.shape[1]) < lengths[:, None]
    targets = one_hot(np.where(within, y, 0), z.shape[2]) * within[..., None]
    return mean_cost(-targets * _log_softmax(z)), (z, targets)


def sequence_cross_entropy_backward(d_J: float, cache: Cache) -> Floats:
    return cross_entropy_from_logits_backward(d_J, cache)


def weighted_outputs(costs: Floats, weights: Floats) -> tuple[float, Cache]:
    """One cost from those of several outputs, by what you care most about.

        J = Σₖ wₖ Jₖ        ∂J/∂Jₖ = wₖ

    costs, weights: one per output; 0.1 for the class and 0.9 for the box in the course's detector. Rows 2.13, 3.08.
    """
    expect_same(costs, weights)
    return float(weights @ costs), (weights,)


def weighted_outputs_backward(d_J: float, cache: Cache) -> Floats:
    (weights,) = cache
    return d_J * weights


def weighted_examples(losses: Floats, weights: Floats) -> tuple[float, Cache]:
    """A mean in which some examples weigh more: those whose mistakes matter.

        J = Σᵢ wᵢ L⁽ⁱ⁾ / Σᵢ wᵢ        ∂J/∂L⁽ⁱ⁾ = wᵢ / Σᵢ wᵢ

    losses, weights: one per example. Row 3.14.
    """
    expect_same(losses, weights)
    shares = weights / weights.sum()
    return float(shares @ losses), (shares,)


def weighted_examples_backward(d_J: float, cache: Cache) -> Floats:
    (shares,) = cache
    return d_J * shares


def kl_divergence(p: Floats, q: Floats) -> tuple[float, Cache]:
    """How far the distribution q lies from p.

        L = Σⱼ pⱼ log(pⱼ/qⱼ)        ∂L/∂pⱼ = log(pⱼ/qⱼ) + 1        ∂L/∂qⱼ = −pⱼ/qⱼ

    p, q: m×C, positive. Gradients: d_p, d_q. Row 3.13.
    """
    expect_same(p, q)
    return mean_cost(p * np.log(p / q)), (p, q)


def kl_divergence_backward(d_J: float, cache: Cache) -> tuple[Floats, Floats]:
    p, q = cache
    d_L = d_J / len(p)
    return d_L * (np.log(p / q) + 1.0), -d_L * p / q


def squared_hinge(z: Floats, classes: Integers) -> tuple[float, Cache]:
    """The head of linear support vector machines, one against the rest, in place of softmax.

        L = Σⱼ max(0, 1 − tⱼ zⱼ)²        tⱼ = +1 for the class of the example, −1 for the others
        ∂L/∂zⱼ = −2 tⱼ max(0, 1 − tⱼ zⱼ)

    z: m×C. classes: integers (m). Row 2.12; Tang 2013, arXiv:1306.0239.
    """
    expect_shape("classes", classes, z.shape[:1], "one class per example")
    signs = 2.0 * one_hot(classes, z.shape[1]) - 1.0
    short = np.maximum(0.0, 1.0 - signs * z)
    return mean_cost(short**2), (signs, short)


def squared_hinge_backward(d_J: float, cache: Cache) -> Floats:
    signs, short = cache
    return d_J / len(short) * -2.0 * signs * short


def _log_softmax(z: Floats) -> Floats:
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
