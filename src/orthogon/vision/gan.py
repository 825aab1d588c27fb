"""A generator and a discriminator as one network (row 23.11): Goodfellow et al. 2014, arXiv:1406.2661.

Convolutional as in Radford et al. 2016 (DCGAN, arXiv:1511.06434): transposed convolutions double the side, strided ones
halve it. The generator has batch norms as theirs. The discriminator has none, so that its slope at one picture is that
picture's own (`two_players`).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.spec import ModelSpec
from orthogon.vision.blocks import lone_picture, require_side

COARSE = 4
"""Side in pixels, about, of the map that the generator begins with and the discriminator ends with."""

SMALLEST, LARGEST = 8, 64
LEAK = 0.2


class Generator(nn.Module):
    """Noise N×latent -> pictures N×C×H×W in 0 … 1. The side doubles from layer to layer, the channels halve."""

    def __init__(self, latent: int, shape: tuple[int, ...], width: int, doublings: int) -> None:
        super().__init__()
        channels, high, wide = shape
        self.shape, self.latent = shape, latent
        most = width * 2 ** (doublings - 1)
        self.coarse = (most, -(-high // 2**doublings), -(-wide // 2**doublings))
        self.start = nn.Linear(latent, math.prod(self.coarse), bias=False)
        self.first_norm = nn.BatchNorm2d(most)
        self.mix = nn.Conv2d(most, most, 3, padding=1, bias=False)
        self.norms, ups = nn.ModuleList(), []
        for k in range(doublings):
            before = most // 2**k
            self.norms.append(nn.BatchNorm2d(before))
            after = before // 2 if k < doublings - 1 else channels
            ups.append(nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=k == doublings - 1))
        self.ups = nn.ModuleList(ups)
        initialize(self.start, followed_by="relu")
        initialize(self.mix, followed_by="relu")
        for up in ups:
            nn.init.normal_(up.weight, std=(2 / (4 * up.in_channels)) ** 0.5)  # 4 of the 16 taps reach a pixel

    def forward(self, noise: Tensor) -> Tensor:
        x = self.start(noise).view(-1, *self.coarse)
        x = self.mix(F.relu(self.first_norm(x)))
        for norm, up in zip(self.norms, self.ups):
            x = up(F.relu(norm(x)))
        _, high, wide = self.shape
        top, left = (x.shape[2] - high) // 2, (x.shape[3] - wide) // 2
        return torch.sigmoid(x[:, :, top:top + high, left:left + wide])


class Discriminator(nn.Module):
    """Pictures N×C×H×W in 0 … 1 -> N×1: the logit of their being real. The side halves, the channels double."""

    def __init__(self, shape: tuple[int, ...], width: int, halvings: int) -> None:
        super().__init__()
        channels, high, wide = shape
        downs = []
        for k in range(halvings):
            downs.append(nn.Conv2d(channels, width * 2**k, 4, stride=2, padding=1))
            channels, high, wide = width * 2**k, high // 2, wide // 2
        self.downs = nn.ModuleList(downs)
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.output = nn.Linear(channels * high * wide, 1)
        for layer in (*downs, self.mix):
            initialize(layer, followed_by="relu")
        initialize_output(self.output)

    def forward(self, pictures: Tensor) -> Tensor:
        x = 2 * pictures - 1
        for down in self.downs:
            x = F.leaky_relu(down(x), LEAK)
        return self.output(F.leaky_relu(self.mix(x), LEAK).flatten(1))


class GAN(nn.Module):
    """Two players. Called on pictures it is the discriminator.

    generator:     noise N×`latent` -> pictures N×C×H×W in 0 … 1. discriminator: pictures -> N×1 logits of being real.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.generator, self.discriminator = generator, discriminator

    @property
    def latent(self) -> int:
        """How many numbers a picture is made of."""
        return int(self.generator.latent)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor) -> Tensor:
        return self.discriminator(pictures)


def gan(spec: ModelSpec, latent: int = 64, width: int = 32) -> nn.Module:
    """A small convolutional GAN for pictures of 8 to 64 pixels a side, of any shape and number of channels (row 23.11).

    latent: how many numbers a picture is made of. width: channels beside the picture; each coarser map has twice as
    many, down to about 4 pixels a side. RecipeError for other sizes, and a size below 1.
    """
    picture = lone_picture(spec, "gan")
    require_side(picture, SMALLEST, "gan")
    _, high, wide = picture.shape
    if max(high, wide) > LARGEST:
        raise RecipeError(f"gan makes pictures of at most {LARGEST} pixels a side; these have {high}×{wide}",
                          where="model.name", remedy=f"Shrink them: --set data.image_size={LARGEST}.")
    if latent < 1 or width < 1:
        raise RecipeError(f"latent and width are at least 1; got {latent} and {width}", where="model.options",
                          remedy="The defaults are 64 and 32.")
    doublings = int(math.log2(min(high, wide) / COARSE))
    return GAN(Generator(int(latent), picture.shape, int(width), doublings),
               Discriminator(picture.shape, int(width), doublings))
