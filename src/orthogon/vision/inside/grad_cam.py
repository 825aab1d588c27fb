"""Grad-CAM: where in the picture a class is seen."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from orthogon.nn.modes import evaluating
from orthogon.vision.inside.layers import Inputs, as_tuple, check_layer, listening


def grad_cam(model: nn.Module, inputs: Inputs, classes: Tensor, layer: str) -> Tensor:
    """How much each place of a layer's maps speaks for a class: N×h×w, at least 0, in units of the output.

    inputs:  N×C×H×W pictures, or a tuple of which they are the first. classes: int64 (n,): the class asked about, of
             each picture. layer: the name of a module that gives maps; the last ones of the network tell most.

    The maps are weighted by the mean of the output's gradient over their places, added, and cut at 0. Source: Selvaraju
    et al. 2016, arXiv:1610.02391. Behind a global mean and a linear layer it is the class activation map of Zhou et al.
    2015, arXiv:1512.04150. RecipeError, with the valid names, for an unknown layer.
    """
    pictures = as_tuple(inputs)
    check_layer(model, pictures, layer)
    kept: list[Tensor] = []

    def branch_off(_: str, __: nn.Module, maps: Tensor) -> Tensor:
        kept.append(maps.detach().requires_grad_())
        return kept[-1].clone()  # what follows may write into it

    with evaluating(model), torch.enable_grad(), listening({layer: dict(model.named_modules())[layer]}, branch_off):
        outputs = model(*pictures)
        chosen = outputs.gather(1, classes.to(outputs.device).view(-1, 1)).sum()
        gradient = torch.autograd.grad(chosen, kept[-1])[0]
    return (gradient.mean((2, 3), keepdim=True) * kept[-1].detach()).sum(1).clamp(min=0)


def over_picture(heat: Tensor, height: int, width: int) -> Tensor:
    """N×h×w -> N×H×W, between its places by straight lines."""
    return nn.functional.interpolate(heat.unsqueeze(1), (height, width), mode="bilinear").squeeze(1)
