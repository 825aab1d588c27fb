"""The costs of neural style transfer (Gatys et al. 2015, arXiv:1508.06576), of maps that a network gives of pictures.

C is the content picture, S the style picture, G the generated one, whose pixels are what is learnt. Maps are
N×n_C×n_H×n_W; every cost is (N,), one for each picture.
"""

from __future__ import annotations

import torch
from torch import Tensor


def content_cost(generated: Tensor, content: Tensor) -> Tensor:
    """How far the activations of G are from those of C, which have the same shape (row 22.04, E44).

    Of maps 1 / (4 n_H n_W n_C) Σ (a^[l](C) − a^[l](G))²; of plain vectors, N×n, ½ ‖a^[l](C) − a^[l](G)‖²: the squared
    distance, not its root. ValueError for other shapes.
    """
    if generated.shape != content.shape or generated.ndim not in (2, 4):
        raise ValueError(f"activations of shapes {tuple(generated.shape)} and {tuple(content.shape)}; give two of one "
                         "shape, N×n_C×n_H×n_W or N×n")
    squares = (content - generated).square().flatten(1).sum(1)
    return squares / 2 if generated.ndim == 2 else squares / (4 * generated[0].numel())


def gram(maps: Tensor) -> Tensor:
    """N×n_C×n_H×n_W -> N×n_C×n_C, G_kk′ = Σ_i Σ_j a_ijk a_ijk′: a cross-covariance from which no mean is taken (row
    22.05, E45). ValueError for another number of axes."""
    if maps.ndim != 4:
        raise ValueError(f"maps of shape {tuple(maps.shape)}; give N×n_C×n_H×n_W")
    flat = maps.flatten(2)
    return flat @ flat.transpose(1, 2)


def mean_gram(maps: Tensor) -> Tensor:
    """The Gram matrix over the number of places, n_H n_W: it can be compared with that of a picture of another size."""
    return gram(maps) / (maps.shape[2] * maps.shape[3])


def gram_cost(generated: Tensor, style: Tensor) -> Tensor:
    """Of mean Gram matrices, N×n_C×n_C: 1 / (2 n_C)² Σ_kk′ (G^(S)_kk′ − G^(G)_kk′)², which is `style_cost`."""
    channels = generated.shape[-1]
    return (style - generated).square().sum((1, 2)) / (2 * channels) ** 2


def style_cost(generated: Tensor, style: Tensor) -> Tensor:
    """1 / (2 n_H n_W n_C)² Σ_kk′ (G^(S)_kk′ − G^(G)_kk′)² of the Gram matrices of one layer (row 22.06, E45).

    Where the pictures differ in size, each Gram matrix is divided by its own n_H n_W.
    """
    return gram_cost(mean_gram(generated), mean_gram(style))


def total_variation(picture: Tensor) -> Tensor:
    """N×C×H×W -> the mean of the squared differences of neighbors, those beside and those below each other added
    (Mahendran & Vedaldi 2014, arXiv:1412.0035, with β = 2): large where a picture is grainy."""
    across = (picture[..., :, 1:] - picture[..., :, :-1]).square().flatten(1).mean(1)
    down = (picture[..., 1:, :] - picture[..., :-1, :]).square().flatten(1).mean(1)
    return across + down


def weighted_layers(costs: list[Tensor], weights: list[float]) -> Tensor:
    """Σ_l λ^[l] J^[l] over several layers (row 22.07, 36.25). ValueError for other than one weight for each."""
    if len(costs) != len(weights):
        raise ValueError(f"{len(costs)} layers and {len(weights)} weights; give each layer one")
    return torch.stack([weight * cost for weight, cost in zip(weights, costs)]).sum(0)


def total_cost(content: Tensor, style: Tensor, alpha: float, beta: float) -> Tensor:
    """J(G) = α J_content(C, G) + β J_style(S, G) (row 22.02)."""
    return alpha * content + beta * style
