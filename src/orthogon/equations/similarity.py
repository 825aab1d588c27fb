"""Vectors compared, analogies solved by them, and word embeddings freed of a bias."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from orthogon.equations._shapes import Floats, expect_shape
from orthogon.equations.embeddings import embedding

Cache = tuple[Any, ...]


def cosine_similarity(u: Floats, v: Floats) -> tuple[Floats, Cache]:
    """The cosine of the angle between two vectors; their lengths do not matter.

        s = uᵀv / (‖u‖ ‖v‖)        du = (v / (‖u‖ ‖v‖) − s u / ‖u‖²) ds        dv likewise

    u, v: …×n. s: …. Gradients: d_u, d_v. ValueError where a vector is 0. Rows 27.07, 36.05.
    """
    expect_shape("v", v, u.shape, "as u")
    length_u, length_v = (np.linalg.norm(w, axis=-1, keepdims=True) for w in (u, v))
    if not (length_u.all() and length_v.all()):
        raise ValueError("a vector of length 0 has no direction, expected vectors other than 0")
    s = (u * v).sum(axis=-1, keepdims=True) / (length_u * length_v)
    return s[..., 0], (u / length_u, v / length_v, length_u, length_v, s)


def cosine_similarity_backward(d_s: Floats, cache: Cache) -> tuple[Floats, Floats]:
    u, v, length_u, length_v, s = cache
    d_s = np.asarray(d_s)[..., None]
    return d_s * (v - s * u) / length_u, d_s * (u - s * v) / length_v


def squared_distance_similarity(u: Floats, v: Floats) -> tuple[Floats, Cache]:
    """Similarity as closeness; here lengths matter.

        s = −‖u − v‖²        du = −2 (u − v) ds = −dv

    u, v: …×n. s: …. Gradients: d_u, d_v. Rows 27.08, 36.06.
    """
    expect_shape("v", v, u.shape, "as u")
    return -((u - v) ** 2).sum(axis=-1), (u - v,)


def squared_distance_similarity_backward(d_s: Floats, cache: Cache) -> tuple[Floats, Floats]:
    (difference,) = cache
    d_u = -2 * difference * np.asarray(d_s)[..., None]
    return d_u, -d_u


def analogy(
    E: Floats, a: int, b: int, c: int, similarity: Callable[[Floats, Floats], tuple[Floats, Any]] = cosine_similarity
) -> int:
    """a is to b as c is to which word? (Mikolov et al. 2013, "Linguistic regularities".)

        argmax_w sim(e_w, e_c − e_a + e_b),  w not a, b, c

    E: n×V. Rows 27.06, 36.07.
    """
    (e_a, e_b, e_c), _ = embedding(E, np.array([a, b, c]))
    others = np.setdiff1d(np.arange(E.shape[1]), [a, b, c])
    scores, _ = similarity(E.T[others], np.tile(e_c - e_a + e_b, (len(others), 1)))
    return int(others[scores.argmax()])


def neutralize(e: Floats, g: Floats) -> Floats:
    """What is left of an embedding without its part along a bias direction (Bolukbasi et al. 2016, arXiv:1607.06520).

        e − (eᵀg / ‖g‖²) g

    e: …×n. g: n. Rows 27.28, 36.16.
    """
    return e - _along(e, g)


def equalize(e_1: Floats, e_2: Floats, g: Floats) -> tuple[Floats, Floats]:
    """A pair of words that differ in nothing but the bias direction, in which they mirror each other.

        μ = (e₁ + e₂) / 2        μ_B, e_B = the parts of μ, e along g        μ_⊥ = μ − μ_B
        e ← μ_⊥ + √|1 − ‖μ_⊥‖²| (e_B − μ_B) / ‖e_B − μ_B‖

    e_1, e_2: …×n, embeddings of length 1, such as those of grandmother and grandfather. g: n. Afterwards each word
    without a part along g is as near to the one as to the other (rows 27.29, 36.17, E69).
    """
    mean = (e_1 + e_2) / 2
    across = neutralize(mean, g)
    apart = _along(e_1 - mean, g)
    length = np.linalg.norm(apart, axis=-1, keepdims=True)
    if not length.all():
        raise ValueError("the two words do not differ along the bias direction, expected a pair that it tells apart")
    moved = np.sqrt(np.abs(1 - (across**2).sum(axis=-1, keepdims=True))) * apart / length
    return across + moved, across - moved


def _along(e: Floats, g: Floats) -> Floats:
    """The part of e along g."""
    if not np.any(g):
        raise ValueError("the bias direction g is 0, expected a vector other than 0")
    return (e @ g / (g @ g))[..., None] * g
