"""Normalization layers by name: torch's own, and streaming normalization beside them.

Which numbers share a mean and a variance is all that tells most of them apart. Of N examples with C features (and, for
sequences or pictures, positions):

    batch       each feature over the examples and positions of a mini-batch (Ioffe & Szegedy 2015, arXiv:1502.03167)
    streaming   each feature over recent mini-batches too: see orthogon.nn.streaming_norm
    layer       each example over all its features and positions (Ba et al. 2016, arXiv:1607.06450)
    group       each example over the features of a group and their positions (Wu & He 2018, arXiv:1803.08494)
    instance    each example and feature over its positions (Ulyanov et al. 2016, arXiv:1607.08022)

Local response normalization subtracts nothing: it divides each value by a power of the mean square of its five
neighbors among the channels at the same position (Krizhevsky et al. 2012).
"""

from __future__ import annotations

from collections.abc import Callable
from math import gcd

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from orthogon.errors import RecipeError, nearest
from orthogon.nn.streaming_norm import StreamingNorm

CHANNELS_PER_GROUP = 16
NORM_LAYERS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm, StreamingNorm)
"""The modules that bring activations to a mean or size; _NormBase is batch and instance norm."""
MAKES_BIAS_REDUNDANT = ("batch", "instance", "streaming")
"""They subtract each feature's own mean, and with it any bias added just before (row 9.02)."""


def _batch(features: int, axes: int) -> nn.Module:
    return (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[axes](features)


def _layer(features: int, axes: int) -> nn.Module:
    return nn.GroupNorm(1, features) if axes else nn.LayerNorm(features)


def _instance(features: int, axes: int) -> nn.Module:
    _need_positions("instance", axes)
    return (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[axes - 1](features, affine=True)


def _group(features: int, axes: int) -> nn.Module:
    return nn.GroupNorm(gcd(features, max(1, features // CHANNELS_PER_GROUP)), features)


def _local_response(features: int, axes: int) -> nn.Module:
    _need_positions("local_response", axes)
    return nn.LocalResponseNorm(5)


def _need_positions(name: str, axes: int) -> None:
    if axes == 0:
        raise RecipeError(f"{name} normalization needs sequences or pictures; here each feature is a single number",
                          where="model.options.norm", remedy="Choose layer or batch.")


NORMS: dict[str, Callable[[int, int], nn.Module]] = {
    "none": lambda features, axes: nn.Identity(), "batch": _batch, "layer": _layer, "instance": _instance,
    "group": _group, "local_response": _local_response, "streaming": lambda features, axes: StreamingNorm(features),
}


def norm(name: str, features: int, axes: int = 0) -> nn.Module:
    """The normalization layer of that name for inputs of `features` channels and `axes` axes after them.

    axes: 0 for vectors N×C, 1 for sequences N×C×L, 2 for pictures N×C×H×W, 3 for volumes.
    "layer" on positions is torch's GroupNorm with one group: statistics over all units of an example, scale and shift
    per channel. "group" makes groups of about 16 channels, as many as divide the features. "instance" has a scale and a
    shift, as "batch", "layer" and "group" do. Batch norm's running ← 0.9 running + 0.1 batch (torch's momentum 0.1),
    with the unbiased variance. Rows 9.02, 9.04, 9.07, 9.10, 9.13-9.15.

    RecipeError for an unknown name (the nearest is named) and where a norm cannot work on vectors.
    """
    if name not in NORMS:
        raise RecipeError(f"there is no normalization layer {name!r}", where="model.options.norm",
                          remedy=nearest(name, list(NORMS)))
    if not 0 <= axes <= 3:
        raise ValueError(f"axes is the number of axes after the channels, 0 to 3; got {axes}")
    return NORMS[name](features, axes)
