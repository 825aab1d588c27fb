"""A recurrent convolutional network: a layer's map goes back into the layer several times (row 24.28).

Liao & Poggio 2016, arXiv:1604.03640: a residual network whose layers share their weights is a recurrent one, with a
fraction of the parameters; each step of time has batch statistics of its own. Liang & Hu 2015 (CVPR) built the like.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import FullyConnectedHead, Widen, lone_picture, require_side

COARSEST = 12  # side in pixels from which a map is halved once more
LARGEST = 4  # times the channels of the first stage


class RecurrentConvolution(nn.Module):
    """h⟨1⟩ = ReLU(norm⟨1⟩(x)), h⟨t⟩ = ReLU(norm⟨t⟩(x + W ∗ h⟨t−1⟩)): N×C×H×W -> the same, after `steps` of these.

    W is one 3×3 convolution for all steps, so an output pixel sees 2·(steps − 1) + 1 pixels of x along a side. The
    norms are one for each step ("step"), or one for all ("shared"): the values that it is given differ from step to
    step, and so do their mean and variance.
    """

    def __init__(self, channels: int, steps: int, norms: str = "step") -> None:
        super().__init__()
        self.out_channels, self.steps = channels, steps
        self.recurrent = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(steps if norms == "step" else 1))
        initialize(self.recurrent, followed_by="relu")

    def forward(self, x: Tensor) -> Tensor:
        h = F.relu(self.norms[0](x))
        for t in range(1, self.steps):
            h = F.relu(self.norms[t % len(self.norms)](x + self.recurrent(h)))
        return h


def recurrent_convnet(spec: ModelSpec, width: int = 32, steps: int = 4, norms: str = "step",
                      dropout: float = 0.0) -> nn.Module:
    """Stages of a convolution to other channels and a recurrent one, halved between them while 12 pixels are left, then
    the mean and a linear layer. For pictures from 4 pixels.

    width: channels of the first stage; each later one doubles them, to 4 times. steps: of time in a stage, at least 2;
    more of them cost time, and no parameters but those of their norms. norms: "step", batch normalization with
    statistics, scale and shift for each step; "shared", the same for all. dropout: before the last layer.
    """
    picture = lone_picture(spec, "recurrent_convnet")
    require_side(picture, 4, "recurrent_convnet")
    if width < 1 or steps < 2:
        raise RecipeError(f"width is at least 1, steps at least 2; got width {width}, steps {steps}",
                          where="model.options")
    if norms not in ("step", "shared"):
        raise RecipeError(f"norms are step or shared; got {norms!r}", where="model.options.norms",
                          remedy="step gives each step in time its own statistics.")
    channels, *sides = picture.shape
    side, after = min(sides), width
    parts: list[nn.Module] = [Widen(channels, width), RecurrentConvolution(width, steps, norms)]
    while side >= COARSEST:
        before, after, side = after, min(2 * after, LARGEST * width), side // 2
        parts += [Widen(before, after, pool=True), RecurrentConvolution(after, steps, norms)]
    return FullyConnectedHead(nn.Sequential(*parts), 1, nn.Sequential(nn.Dropout(dropout),
                                                                      nn.Linear(after, spec.outputs)))
