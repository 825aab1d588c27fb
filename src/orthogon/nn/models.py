"""Networks for any kind of input: `linear` (no hidden layer) and `mlp` (fully connected)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from orthogon.errors import RecipeError, nearest
from orthogon.nn.activations import activation as make_activation
from orthogon.nn.initializers import initialize, initialize_output
from orthogon.nn.norms import MAKES_BIAS_REDUNDANT, NORMS
from orthogon.nn.norms import norm as make_norm
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import PAD, InputSpec, ModelSpec
from orthogon.nn.weight_norms import WEIGHT_NORMS, CosineLinear

_WITHOUT_LAYER = ("none", *WEIGHT_NORMS)
"""Norms that put no layer beside the activation."""


TOKEN_WIDTH = 100
"""The width of the embedding of a token, where no other is asked for."""


def embedding_width(codes: int) -> int:
    """The width of the embedding of a category with that many codes: min(50, (codes + 1) // 2), as in early fastai."""
    return min(50, (codes + 1) // 2)


class Embeddings(nn.Module):
    """Codes int64 N×K -> their embeddings side by side, float N×sum(widths).

    Code 0 of every column, "unknown", starts at zero: the expected mean of the others. It moves only where train rows
    have missing values, and, as others move, stays a plain guess.
    """

    def __init__(self, levels: Sequence[int], width: int | None = None) -> None:
        super().__init__()
        self.widths = [width or embedding_width(codes) for codes in levels]
        self.tables = nn.ModuleList(nn.Embedding(codes, wide) for codes, wide in zip(levels, self.widths))
        for table in self.tables:
            assert isinstance(table, nn.Embedding)  # noqa: S101
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
            with torch.no_grad():
                table.weight[0].zero_()

    def forward(self, codes: Tensor) -> Tensor:
        return torch.cat([table(codes[:, k]) for k, table in enumerate(self.tables)], dim=1)


class OneHot(nn.Module):
    """Codes int64 N×K -> one-hot float N×sum(levels − 1); the unknown code 0 is all zeros."""

    offsets: Tensor

    def __init__(self, levels: Sequence[int]) -> None:
        super().__init__()
        starts = torch.tensor([0, *levels[:-1]]).cumsum(0)
        self.register_buffer("offsets", starts, persistent=False)
        known = [index for start, codes in zip(starts.tolist(), levels) for index in range(start + 1, start + codes)]
        self.register_buffer("known", torch.tensor(known, dtype=torch.int64), persistent=False)
        self.total = sum(levels)

    def forward(self, codes: Tensor) -> Tensor:
        hot = torch.zeros(len(codes), self.total, device=codes.device)
        return hot.scatter_(1, codes + self.offsets, 1.0).index_select(1, self.known)  # pyright: ignore[reportArgumentType]


class MeanEmbedding(nn.Module):
    """Ids int64 N×T -> the mean of the embeddings of their tokens, float N×width; of padding alone zeros."""

    def __init__(self, ids: int, width: int) -> None:
        super().__init__()
        self.table = nn.EmbeddingBag(ids, width, mode="mean", padding_idx=PAD)
        nn.init.normal_(self.table.weight, std=width**-0.5)
        with torch.no_grad():
            self.table.weight[PAD].zero_()

    def forward(self, ids: Tensor) -> Tensor:
        return self.table(ids)


class TokenShares(nn.Module):
    """Ids int64 N×T -> which share of the tokens each token is, float N×(ids − 1): a bag of words without padding."""

    def __init__(self, ids: int) -> None:
        super().__init__()
        self.ids = ids

    def forward(self, ids: Tensor) -> Tensor:
        share = 1 / lengths_of(ids).clamp(min=1).float()
        bag = torch.zeros(len(ids), self.ids, device=ids.device)
        return bag.scatter_add_(1, ids, share.unsqueeze(1).expand(ids.shape))[:, PAD + 1 :]


class Flat(nn.Module):
    """Inputs of any kind -> one vector per example: pictures flattened, categories and tokens embedded or one-hot."""

    def __init__(self, inputs: Sequence[InputSpec], embedding: int | None, one_hot: bool) -> None:
        super().__init__()
        self.width, parts = 0, []
        for item in inputs:
            part, wide = _flattener(item, embedding, one_hot)
            parts.append(part)
            self.width += wide
        self.parts = nn.ModuleList(parts)

    def forward(self, *inputs: Tensor) -> Tensor:
        flat = [part(value) for part, value in zip(self.parts, inputs)]
        return flat[0] if len(flat) == 1 else torch.cat(flat, dim=1)


def _flattener(item: InputSpec, embedding: int | None, one_hot: bool) -> tuple[nn.Module, int]:
    if item.kind == "text":
        (ids,) = item.levels
        wide = embedding or TOKEN_WIDTH
        return (TokenShares(ids), ids - 1) if one_hot else (MeanEmbedding(ids, wide), wide)
    if item.kind != "category":
        return (nn.Flatten() if len(item.shape) > 1 else nn.Identity()), prod(item.shape)
    if one_hot:
        return OneHot(item.levels), sum(item.levels) - len(item.levels)
    embeddings = Embeddings(item.levels, embedding)
    return embeddings, sum(embeddings.widths)


class MLP(nn.Module):
    """Fully connected layers over flat inputs. See `mlp`."""

    def __init__(self, spec: ModelSpec, hidden: Sequence[int] = (), activation: str = "relu",
                 dropout: Sequence[float] = (), input_dropout: float = 0.0, norm: str = "none",
                 norm_after: bool = False, initializer: str | None = None, embedding: int | None = None,
                 one_hot: bool = False) -> None:
        super().__init__()
        self.flat = Flat(spec.inputs, embedding, one_hot)
        texts = [part for part, item in enumerate(spec.inputs) if item.kind == "text"]
        self.token_tables = {} if one_hot else {f"flat.parts.{part}": place for place, part in enumerate(texts)}
        width, layers = self.flat.width, _dropout(input_dropout, activation)
        for size, rate in zip(hidden, dropout, strict=True):
            layers += [*_hidden_layer(width, size, activation, norm, norm_after, initializer),
                       *_dropout(rate, activation)]
            width = size
        self.hidden = nn.Sequential(*layers)
        self.output = nn.Linear(width, spec.outputs)
        if initializer is None:
            initialize_output(self.output)
        else:
            initialize(self.output, scheme=initializer)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.output(self.hidden(self.flat(*inputs)))


def _dropout(rate: float, activation: str) -> list[nn.Module]:
    """Alpha dropout around SELU, whose mean and variance it keeps; inverted dropout (row 5.05) elsewhere."""
    if not rate:
        return []
    return [nn.AlphaDropout(rate) if activation == "selu" else nn.Dropout(rate)]


def _hidden_layer(width: int, size: int, activation: str, norm: str, norm_after: bool,
                  initializer: str | None) -> list[nn.Module]:
    bias = norm_after or norm not in MAKES_BIAS_REDUNDANT
    linear = CosineLinear(width, size, bias, gain=True) if norm == "cosine" else nn.Linear(width, size, bias)
    initialize(linear, followed_by=activation, scheme=initializer)
    if norm == "weight":
        weight_norm(linear)
    activate = [make_activation(activation)]
    if norm not in _WITHOUT_LAYER:
        activate.insert(1 if norm_after else 0, make_norm(norm, size))
    return [linear, *activate]


def linear(spec: ModelSpec) -> nn.Module:
    """Logistic, softmax or linear regression: one layer over flat inputs, categories one-hot, texts as words."""
    return MLP(spec, one_hot=True)


def mlp(spec: ModelSpec, hidden: Sequence[int] = (256, 128), activation: str = "relu",
        dropout: float | Sequence[float] = 0.0, input_dropout: float = 0.0, norm: str = "none",
        norm_after: bool = False, initializer: str | None = None, embedding: int | None = None) -> nn.Module:
    """Fully connected layers; pictures are flattened, categories embedded, of texts the embeddings averaged.

    hidden: sizes of the hidden layers. activation: a name (relu, leaky_relu, tanh, sigmoid, gelu, selu, …).
    dropout: share of the hidden units left out in training; one number, or one for each hidden layer (row 5.04).
    input_dropout: share of the inputs left out (row 5.08). With selu both are alpha dropout (row 2.05, E86).
    initializer: a name (zeros, small_random, lecun_normal, glorot_uniform, he_normal, …) for all layers; left out: what
    suits the activation, and small weights in the last layer. norm: none, batch, layer, group, streaming;
    or of the weights: weight, cosine. norm_after: after each activation instead of before it (rows 9.03, 35.05).
    embedding: width of every category's and token's embedding; left out: min(50, (codes + 1) // 2), of tokens 100.
    """
    if not isinstance(hidden, Sequence) or not all(isinstance(size, int) and size >= 1 for size in hidden):
        raise RecipeError(f"hidden is a list of sizes of at least 1; got {hidden!r}", where="model.options.hidden",
                          remedy="For example: [256, 128]")
    rates = [dropout] * len(hidden) if isinstance(dropout, int | float | str) else list(dropout)
    if len(rates) != len(hidden):
        raise RecipeError(f"{len(rates)} rates for {len(hidden)} hidden layers", where="model.options.dropout",
                          remedy="Give one number for all of them, or one for each.")
    for name, rate in [*(("dropout", rate) for rate in rates), ("input_dropout", input_dropout)]:
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise RecipeError(f"{name} is a share from 0 to below 1; got {rate!r}", where=f"model.options.{name}",
                              remedy="0.2 to 0.5 is usual.")
    _check_norm(norm, norm_after)
    return MLP(spec, hidden, activation, rates, input_dropout, norm, norm_after, initializer, embedding)


def _check_norm(norm: str, norm_after: bool) -> None:
    known = [*NORMS, *WEIGHT_NORMS]
    if norm not in known:
        raise RecipeError(f"there is no norm {norm!r}", where="model.options.norm", remedy=nearest(norm, known))
    if norm_after and norm in _WITHOUT_LAYER:
        raise RecipeError(f"norm_after places a norm among the activations; norm is {norm!r}",
                          where="model.options.norm_after", remedy="Leave it out, or choose norm batch or layer.")
