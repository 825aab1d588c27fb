"""The table of tokens: rows of length 1, padding zero."""

import pytest
import torch

from orthogon.nn.embedding import token_embedding
from orthogon.nn.spec import PAD


@pytest.mark.parametrize("width", [8, 256])
def test_tokens_have_length_one_on_average_and_padding_is_and_stays_zero(width: int) -> None:
    torch.manual_seed(0)
    table = token_embedding(3000, width)
    squares = (table.weight.detach() ** 2).sum(1)
    assert squares[PAD] == 0
    assert squares[PAD + 1:].mean().item() == pytest.approx(1, abs=4 * (2 / width / 3000) ** 0.5)
    table(torch.tensor([[4, 5, PAD]])).sum().backward()
    assert table.weight.grad is not None
    assert table.weight.grad[[4, 5]].abs().min() > 0
    assert table.weight.grad[PAD].abs().max() == 0
