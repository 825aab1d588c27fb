"""The deep image prior: an untrained network, fitted to one damaged picture, gives the picture before its damage (row
17.18; Ulyanov et al. 2017, arXiv:1711.10925). It stops by the variance of what it gives (Wang et al. 2021,
arXiv:2112.06074)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from orthogon.data.picture_files import decode
from orthogon.errors import DataError, RecipeError, nearest
from orthogon.train.randomness import Draw, generator, key
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Batch, Loss, Part, Sheet
from orthogon.vision.hourglass import Hourglass
from orthogon.vision.one_picture import OnePicture, read_picture, resized, to_pixels

WAYS = ("denoise", "inpaint", "enlarge")
NOISE_CHANNELS, NOISE, SHAKE = 16, 0.1, 0.01
"""The input of the network: values from 0 to NOISE, shaken at each step by normal noise of this deviation (the paper's
1/30, for pictures of 512 pixels, lets small ones be learnt slowly)."""

KEPT, KEPT_OF_RECENT, KEPT_OF_VARIANCE = 0.99, 0.9, 0.98
"""Shares of the running means that stay at each step: of the picture that is given, of the one that outputs are
compared with, and of how far they are from it."""

WARM = 200
"""Steps in which the variance says nothing: nothing has been fitted yet."""


@dataclass(frozen=True)
class PriorOptions:
    """What is to be mended; see `Restore`. RecipeError for what cannot be.

    how:    denoise, inpaint or enlarge. mask: of inpaint, a picture that is white where the given one is to be kept.
    truth:  the undamaged picture, to measure by. factor: of enlarge. widths: of the network's levels.
    """

    how: str
    mask: str | None = None
    truth: str | None = None
    factor: int = 2
    widths: Sequence[int] = (16, 32, 64, 64, 64)

    def __post_init__(self) -> None:
        if self.how not in WAYS:
            raise RecipeError(f"nothing is restored by {self.how!r}", where="how", remedy=nearest(self.how, WAYS))
        if (self.mask is None) == (self.how == "inpaint"):
            raise RecipeError("inpaint needs a mask" if self.mask is None else f"{self.how} has no use for a mask",
                              where="mask", remedy="orthogon restore PICTURE --how inpaint --mask MASK")
        if self.factor < 2:
            raise RecipeError(f"a picture cannot be enlarged {self.factor} times", where="factor",
                              remedy="Give a whole number from 2 up.")


class ImagePrior(nn.Module):
    """Fixed noise, the network that makes a picture of it, and running means over what it has made so far.

    size: (H, W) of the picture. average: of its outputs. recent: of the last few. variance: of outputs around `recent`.
    """

    def __init__(self, size: tuple[int, int], widths: Sequence[int], seed: int) -> None:
        super().__init__()
        self.size = size
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(key(seed, "weights"))
            self.network = Hourglass(NOISE_CHANNELS, 3, widths)
        noise = torch.rand(input_shape(size, widths), generator=generator(seed, "noise"))
        self.register_buffer("noise", NOISE * noise)
        for name in ("average", "recent"):
            self.register_buffer(name, torch.full((1, 3, *size), 0.5))
        self.register_buffer("variance", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))

    def forward(self, shake: Tensor) -> Tensor:
        """1×3×H×W. shake: added to the noise."""
        return self.network(self.get_buffer("noise") + shake)[..., : self.size[0], : self.size[1]]

    @torch.no_grad()
    def follow(self, output: Tensor) -> None:
        """Let the running means know an output; the first ones forget the start faster."""
        seen, recent = self.get_buffer("seen"), self.get_buffer("recent")
        seen += 1
        age = int(seen)
        apart = (output - recent).square().mean()
        recent.lerp_(output, max(1 - KEPT_OF_RECENT, 1 / age))
        self.get_buffer("average").lerp_(output, max(1 - KEPT, 1 / age))
        self.get_buffer("variance").lerp_(apart, max(1 - KEPT_OF_VARIANCE, 1 / age))


class Restore(OnePicture):
    """Fits a network to the given picture as it would look after the damage that is to be undone.

    denoise: to the picture itself; the network learns what is smooth and repeated before it learns noise, and stops in
             time. inpaint: to the pixels that the mask keeps. enlarge: what it makes, averaged over factor × factor
             pixels, to the picture.
    What is given is the running mean of its outputs. Its figures: the variance of the outputs, which falls while the
    picture is learnt and rises when noise is; with a truth, before it, the PSNR and its gain over `simple`.
    """

    name = "restore"
    steps_an_epoch = 10

    def __init__(self, settings: TaskSettings, data: DataSettings, options: PriorOptions) -> None:
        super().__init__(settings, data)
        self.options = options
        self.given = read_picture(str(data.source), "the picture")
        self.mask = None if options.mask is None else _read_mask(options.mask, self.given)
        factor = options.factor if options.how == "enlarge" else 1
        self.size = (self.given.shape[2] * factor, self.given.shape[3] * factor)
        self.truth = None if options.truth is None else _read_truth(options.truth, self.size)

    def model(self, seed: int) -> ImagePrior:
        return ImagePrior(self.size, self.options.widths, seed)

    def to(self, device: torch.device) -> Restore:
        """With its pictures on the device."""
        for name in ("given", "mask", "truth"):
            picture = getattr(self, name)
            setattr(self, name, None if picture is None else picture.to(device))
        return self

    # --- in the loop -----------------------------------------------------------------------------------------

    def batch(self, rows: Tensor, draw: Draw | None = None) -> Batch:
        if draw is None:
            return Batch((torch.zeros(()),), None, None, rows)
        shape = input_shape(self.size, self.options.widths)
        shake = SHAKE * torch.randn(shape, generator=draw.generator("shake"), device=draw.device)
        return Batch((shake,), None, None, rows)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        output = model(*batch.inputs)
        if model.training:
            model.follow(output)  # type: ignore[operator]
        return Loss((Part("misfit", 1.0, self._misfit(output), 1.0),))

    def _misfit(self, output: Tensor) -> Tensor:
        if self.options.how == "enlarge":
            output = F.avg_pool2d(output, self.options.factor)
        squares = (output - self.given).square()
        return squares.mean() if self.mask is None else (squares * self.mask).sum() / (3 * self.mask.sum())

    # --- what has come out -----------------------------------------------------------------------------------

    def picture(self, model: nn.Module) -> Tensor:
        return model.get_buffer("average")[0]

    def figures(self, model: nn.Module) -> dict[str, float]:
        warm = int(model.get_buffer("seen")) >= WARM
        variance = float(model.get_buffer("variance")) if warm else math.inf
        if self.truth is None:
            return {"variance": variance}
        found = psnr(self.picture(model), self.truth[0])
        return {"psnr": found, "gain": found - psnr(self.simple()[0], self.truth[0]), "variance": variance}

    def score(self, figures: Mapping[str, float]) -> float:
        return -figures["variance"]

    def simple(self) -> Tensor:
        """What there is without a network: the given picture, enlarged by cubic interpolation, or with the holes in the
        mean color of the rest."""
        if self.options.how == "enlarge":
            return resized(self.given, self.size)
        if self.mask is None:
            return self.given
        mean = (self.given * self.mask).sum((2, 3), keepdim=True) / self.mask.sum()
        return torch.where(self.mask > 0, self.given, mean)

    @property
    def title(self) -> str:
        done = {"denoise": "without noise", "inpaint": "filled in", "enlarge": f"{self.options.factor} times as large"}
        return f"{Path(str(self.data_settings.source)).stem}, {done[self.options.how]}"

    @property
    def about(self) -> str:
        return f"The picture {self.data_settings.source}" + (f", mask {self.options.mask}" if self.options.mask else "")

    def verdict(self, before: Mapping[str, float], after: Mapping[str, float]) -> str:
        if self.truth is None:
            return "no truth was given, so it cannot be told how near this is: look at it"
        known = {"denoise": "the given picture", "inpaint": "the holes in the mean color", "enlarge": "cubic"}
        return (f"PSNR {after['psnr']:.2f} dB, {after['gain']:+.2f} dB over {known[self.options.how]} "
                f"(one picture, {self.size[0]}×{self.size[1]} pixels)")

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        found = [Sheet("picture", "The restored picture", "The running mean of what the network gave.",
                       to_pixels(self.picture(model))),
                 Sheet("given", "The given picture", "Without a network.", to_pixels(self.simple()[0]))]
        if self.truth is not None:
            found.append(Sheet("truth", "The truth", "It was measured by, not learnt from.", to_pixels(self.truth[0])))
        return found


def input_shape(size: tuple[int, int], widths: Sequence[int]) -> tuple[int, ...]:
    """Of the noise for a picture of that size: sides that can be halved at each level, down to two places."""
    least = 2 ** len(widths)
    return (1, NOISE_CHANNELS, *(max(2, math.ceil(side / least)) * least for side in size))


def psnr(picture: Tensor, truth: Tensor) -> float:
    """Peak signal-to-noise ratio in dB of pictures in 0 … 1: −10 log₁₀ of the mean squared error."""
    return -10 * math.log10(max(float((picture.clamp(0, 1) - truth).square().mean()), 1e-12))


def _read_mask(path: str, given: Tensor) -> Tensor:
    """1×1×H×W, 1 where the picture is to be kept; DataError where it does not fit or leaves nothing to do."""
    mask = torch.from_numpy(decode(Path(path), 1)[:, :, 0] >= 128)[None, None].float()
    if mask.shape[2:] != given.shape[2:]:
        raise DataError(f"the mask has {mask.shape[2]}×{mask.shape[3]} pixels, the picture "
                        f"{given.shape[2]}×{given.shape[3]}", where=path, remedy="Make one of the same size.")
    if float(mask.mean()) in (0.0, 1.0):
        raise DataError(f"the mask is all {'white' if float(mask.mean()) else 'black'}", where=path,
                        remedy="White is kept, black is filled in.")
    return mask


def _read_truth(path: str, size: tuple[int, int]) -> Tensor:
    truth = read_picture(path, "the truth")
    if tuple(truth.shape[2:]) != size:
        raise DataError(f"the truth has {truth.shape[2]}×{truth.shape[3]} pixels, the restored picture will have "
                        f"{size[0]}×{size[1]}", where=path, remedy="Give one of that size, or none.")
    return truth
