"""Convolutions over the tokens of a text, each filter's strongest answer (Kim 2014, arXiv:1408.5882)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.errors import RecipeError
from orthogon.nn.initializers import initialize
from orthogon.nn.models import TOKEN_WIDTH
from orthogon.nn.padding import without_padding
from orthogon.nn.spec import ModelSpec
from orthogon.text.networks import Reader, TextNetwork


class ConvolutionReader(Reader):
    """Filters of several widths around each token, then the largest of each over the tokens.

    Before the first and after the last token stand zeros, as many as it takes for one answer at each token.
    """

    def __init__(self, embedding: int, filters: int, widths: Sequence[int]) -> None:
        super().__init__()
        self.widths = tuple(widths)
        convolutions = [nn.Conv1d(embedding, filters, wide) for wide in widths]
        for each in convolutions:
            initialize(each, followed_by="relu")
        self.convolutions = nn.ModuleList(convolutions)
        self.width = filters * len(widths)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """N×T×D and (N,) -> N×(filters · number of widths), each at least 0."""
        channels = without_padding(x, lengths)[0].transpose(1, 2)
        answers = torch.cat([F.relu(each(F.pad(channels, ((wide - 1) // 2, wide // 2))))
                             for each, wide in zip(self.convolutions, self.widths)], dim=1).transpose(1, 2)
        return without_padding(answers, lengths)[0].amax(1)  # no answer is below 0, so zeros behind the text never win


def text_cnn(spec: ModelSpec, embedding: int = TOKEN_WIDTH, filters: int = 100, widths: Sequence[int] = (3, 4, 5),
             embedding_dropout: float = 0.0, dropout: float = 0.5) -> nn.Module:
    """Kim's network for sentences: embeddings, convolutions over 3, 4 and 5 tokens, the largest of each, one layer.

    embedding: width of the embeddings. filters: of each width. widths: in tokens.
    embedding_dropout: share of the tokens left out in training. dropout: share of the units before the last layer.
    Numbers and categories beside the text go to the last layer as they are, or embedded.
    """
    if not isinstance(widths, Sequence) or not widths or any(not isinstance(each, int) or each < 1 for each in widths):
        raise RecipeError(f"widths is a list of numbers of tokens, each at least 1; got {widths!r}",
                          where="model.options.widths", remedy="For example: [3, 4, 5]")
    return TextNetwork(spec, lambda wide: ConvolutionReader(wide, filters, widths), embedding, embedding_dropout,
                       dropout)
