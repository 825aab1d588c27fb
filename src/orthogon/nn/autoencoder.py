"""Autoencoders: an encoder that shrinks its input to a code, and a head that rebuilds the input from it.

Where the spec asks for other outputs than the input again, the head is one linear layer on the code: the encoder, whose
parameters have the same names, is then the start of a classifier, or of any other network (row 23.01).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from orthogon.errors import RecipeError
from orthogon.nn.activations import activation as make_activation
from orthogon.nn.activations import gain
from orthogon.nn.gaussian import Gaussian
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.models import Flat
from orthogon.nn.spec import InputSpec, ModelSpec

ROOM = 8
"""Side in pixels from which a picture is halved: it then keeps at least 4."""

KERNEL, STRIDE, BORDER = 4, 2, 1
"""Of the convolutions that halve, and of those that double: each pixel is within as many windows as any other."""

LARGEST = 256
"""Channels."""


class Rebuilt(NamedTuple):
    """What an autoencoder gives: the values of its input again, before any squashing, and the code that they come from.

    code: N×K; of a variational one the mean of its Gaussian. log_variance: N×K, of that Gaussian; else None.
    """

    output: Tensor
    code: Tensor
    log_variance: Tensor | None = None


class Encoder(nn.Module):
    """Input -> code N×K, in two steps: `body` gives features N×F, `code` the code."""

    def __init__(self, body: nn.Module, code: nn.Module) -> None:
        super().__init__()
        self.body, self.code = body, code

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.code(self.body(*inputs))


class Coded(nn.Module):
    """An encoder with a linear layer on its code: a classifier, or a network with any other outputs."""

    head_name = "head"

    def __init__(self, encoder: Encoder, code: int, outputs: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(code, outputs)
        initialize_output(self.head)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.head(self.encoder(*inputs))


class Autoencoder(nn.Module):
    """Encoder, and a head that is the decoder (rows 23.01, 23.06, 23.07)."""

    head_name = "head"

    def __init__(self, encoder: Encoder, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.head = encoder, decoder

    def forward(self, x: Tensor) -> Rebuilt:
        code = self.encoder(x)
        return Rebuilt(self.head(code), code)


class Decoding(nn.Module):
    """The head of a variational autoencoder: the decoder, and the layer that gives the spread of the code, which is of
    no use to anything but decoding. Called on codes, N×K."""

    def __init__(self, decoder: nn.Module, features: int, code: int) -> None:
        super().__init__()
        self.log_variance, self.decoder = nn.Linear(features, code), decoder
        initialize(self.log_variance)

    def forward(self, code: Tensor) -> Tensor:
        return self.decoder(code)


class VariationalAutoencoder(nn.Module):
    """Maps inputs to Gaussians over the codes by two layers, and rebuilds them from points drawn (row 23.05).

    In training the point is drawn with torch's default generator; in evaluation it is the mean, or, with `noise` (N×K),
    where that leads.
    """

    head_name = "head"

    def __init__(self, encoder: Encoder, head: Decoding) -> None:
        super().__init__()
        self.encoder, self.head = encoder, head

    def forward(self, x: Tensor, noise: Tensor | None = None) -> Rebuilt:
        features = self.encoder.body(x)
        mean, log_variance = self.encoder.code(features), self.head.log_variance(features)
        point = _point(mean, log_variance, noise, self.training)
        return Rebuilt(self.head(point), mean, log_variance)


@fx.wrap  # torch.fx cannot follow the branches
def _point(mean: Tensor, log_variance: Tensor, noise: Tensor | None, drawn: bool) -> Tensor:
    if noise is None and not drawn:
        return mean
    return Gaussian(mean, log_variance).at(torch.randn_like(mean) if noise is None else noise)


def autoencoder(spec: ModelSpec, hidden: Sequence[int] = (256,), code: int = 32, activation: str = "relu",
                code_activation: str = "identity") -> nn.Module:
    """Fully connected layers down to the code, and up again by the same sizes (rows 23.01, 23.02).

    hidden: sizes of the layers between input and code; () and the identity: PCA's subspace. code: how many numbers an
    input is shrunk to. activation: between the layers. code_activation: of the code. RecipeError for a code or a layer
    of no size.
    """
    encoder, sizes = _dense_encoder(spec, hidden, code, activation, code_activation)
    if not spec.rebuilds:
        return Coded(encoder, code, spec.outputs)
    return Autoencoder(encoder, _dense_decoder(spec, sizes, code, activation))


def vae(spec: ModelSpec, hidden: Sequence[int] = (400,), code: int = 20, activation: str = "relu") -> nn.Module:
    """Variational autoencoder of fully connected layers (Kingma & Welling 2014, arXiv:1312.6114; row 23.05).

    Options as of `autoencoder`.
    """
    encoder, sizes = _dense_encoder(spec, hidden, code, activation)
    if not spec.rebuilds:
        return Coded(encoder, code, spec.outputs)
    decoder = _dense_decoder(spec, sizes, code, activation)
    return VariationalAutoencoder(encoder, Decoding(decoder, sizes[-1], code))


def conv_autoencoder(spec: ModelSpec, width: int = 32, code: int = 32, stages: int | None = None,
                     activation: str = "relu") -> nn.Module:
    """Convolutions that halve the picture down to the code, and transposed ones that double it up again (row 23.03).

    width: channels of the first stage; each later one doubles them, to 256 at most. code: how many numbers a picture is
    shrunk to. stages: halvings; left out: while a side has 8 pixels. RecipeError for a code of no size and for more
    stages than the picture has room for.
    """
    encoder, shapes = _conv_encoder(spec, width, code, stages, activation)
    if not spec.rebuilds:
        return Coded(encoder, code, spec.outputs)
    return Autoencoder(encoder, _conv_decoder(shapes, code, activation))


def conv_vae(spec: ModelSpec, width: int = 32, code: int = 20, stages: int | None = None,
             activation: str = "relu") -> nn.Module:
    """Variational autoencoder of convolutions (row 23.05). Options as of `conv_autoencoder`."""
    encoder, shapes = _conv_encoder(spec, width, code, stages, activation)
    if not spec.rebuilds:
        return Coded(encoder, code, spec.outputs)
    return VariationalAutoencoder(encoder, Decoding(_conv_decoder(shapes, code, activation), prod(shapes[-1]), code))


def _dense_encoder(spec: ModelSpec, hidden: Sequence[int], code: int, activation: str,
                   code_activation: str = "identity") -> tuple[Encoder, list[int]]:
    """The encoder, and the sizes of its layers from the input on, the code left out."""
    _check_sizes([*hidden, code])
    flat = Flat(spec.inputs, None, one_hot=False)
    sizes = [flat.width, *hidden]
    body = _Body(flat, nn.Sequential(*(each for before, after in pairwise(sizes)
                                       for each in _dense(before, after, activation))))
    return Encoder(body, nn.Sequential(*_dense(sizes[-1], code, code_activation))), sizes


class _Body(nn.Module):
    def __init__(self, flat: Flat, layers: nn.Module) -> None:
        super().__init__()
        self.flat, self.layers = flat, layers

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.layers(self.flat(*inputs))


def _dense_decoder(spec: ModelSpec, sizes: Sequence[int], code: int, activation: str) -> nn.Module:
    up = [code, *reversed(sizes[1:])]
    last = nn.Linear(up[-1], sizes[0])
    initialize_output(last)
    hidden = [each for before, after in pairwise(up) for each in _dense(before, after, activation)]
    return nn.Sequential(*hidden, last, nn.Unflatten(1, spec.inputs[0].shape))


def _dense(before: int, after: int, activation: str) -> list[nn.Module]:
    layer = nn.Linear(before, after)
    initialize(layer, followed_by=activation)
    return [layer] if activation == "identity" else [layer, make_activation(activation)]


def _conv_encoder(spec: ModelSpec, width: int, code: int, stages: int | None,
                  activation: str) -> tuple[Encoder, list[tuple[int, int, int]]]:
    """The encoder, and the shapes of its maps from the picture on."""
    _check_sizes([width, code])
    shapes, layers = [_picture(spec)], []
    for stage in range(_halvings(shapes[0][1:], stages)):
        channels, *sides = shapes[-1]
        wide = min(width * 2**stage, LARGEST)
        convolution = nn.Conv2d(channels, wide, KERNEL, STRIDE, BORDER, bias=False)
        initialize(convolution, followed_by=activation)
        layers += [convolution, nn.BatchNorm2d(wide), make_activation(activation)]
        shapes.append((wide, sides[0] // 2, sides[1] // 2))
    last = nn.Linear(prod(shapes[-1]), code)
    initialize(last)
    return Encoder(nn.Sequential(*layers, nn.Flatten()), last), shapes


def _conv_decoder(shapes: Sequence[tuple[int, int, int]], code: int, activation: str) -> nn.Module:
    *before, coarsest = shapes
    layers: list[Any] = [*_dense(code, prod(coarsest), activation), nn.Unflatten(1, coarsest)]
    for (channels, *_), (smaller, *sides), below in zip(reversed(shapes), reversed(before), range(len(before), 0, -1)):
        odd = tuple(side % 2 for side in sides)
        last = below == 1
        grown = nn.ConvTranspose2d(channels, smaller, KERNEL, STRIDE, BORDER, odd, bias=last)  # type: ignore[arg-type]
        reaching = channels * (KERNEL // STRIDE) ** 2  # values that each pixel is a sum of
        nn.init.normal_(grown.weight, std=(0.1 if last else gain(activation)) / reaching**0.5)
        layers += [grown] if last else [grown, nn.BatchNorm2d(smaller), make_activation(activation)]
    nn.init.zeros_(layers[-1].bias)
    return nn.Sequential(*layers)


def _halvings(sides: Sequence[int], stages: int | None) -> int:
    room = 0
    while min(sides) // 2**room >= ROOM:
        room += 1
    most = min(sides).bit_length() - 1
    if stages is not None and not 1 <= stages <= most:
        raise RecipeError(f"{stages} halvings of a picture of {'×'.join(map(str, sides))} pixels",
                          where="model.options.stages", remedy=f"From 1 to {most}.")
    return stages or max(1, room)


def _picture(spec: ModelSpec) -> tuple[int, int, int]:
    """The shape of the one picture; RecipeError where there is another input."""
    first = spec.inputs[0] if spec.inputs else InputSpec("none", ())
    if first.kind != "image" or len(spec.inputs) > 1:
        raise RecipeError(f"a convolutional autoencoder takes one picture; there are {', '.join(spec.kinds)}",
                          where="model.name", remedy="Take autoencoder or vae, or leave columns out.")
    channels, height, width = first.shape
    return channels, height, width


def _check_sizes(sizes: Sequence[int]) -> None:
    *hidden, code = sizes
    if not isinstance(code, int) or code < 1:
        raise RecipeError(f"the code has {code!r} numbers: nothing could be rebuilt from it",
                          where="model.options.code", remedy="At least 1; 2 can be drawn, 16 to 64 are usual.")
    if not all(isinstance(size, int) and size >= 1 for size in hidden):
        raise RecipeError(f"layers have sizes of at least 1; got {hidden!r}", where="model.options",
                          remedy="For example: [256, 64]")
