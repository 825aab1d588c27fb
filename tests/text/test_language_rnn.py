"""The recurrent language model: what it says is a distribution, its costs are those of torch's own layers, its state
carries a text on."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from orthogon.errors import RecipeError
from orthogon.nn.cost import multiply_adds
from orthogon.nn.spec import PAD, InputSpec, ModelSpec
from orthogon.text.language_rnn import LanguageRNN, language_rnn


def model_of(ids: int = 30, **options) -> LanguageRNN:
    torch.manual_seed(0)
    spec = ModelSpec((InputSpec("text", (12,), (ids,)),), ids)
    return language_rnn(spec, **{"hidden": 8, "layers": 2, **options}).eval()


def text(ids: int = 30, rows: int = 3, steps: int = 7) -> torch.Tensor:
    return torch.randint(1, ids, (rows, steps), generator=torch.Generator().manual_seed(1))


def test_costs_are_those_of_torchs_own_layers() -> None:
    model, ids, targets = model_of(), text(), text().flip(1)
    targets[1, 4:] = PAD
    lstm = nn.LSTM(8, 8, 2, batch_first=True)
    lstm.load_state_dict(model.recurrent.state_dict())
    logits = model.output(lstm(model.embedding(ids))[0])
    expected = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none", ignore_index=PAD)
    costs, _ = model(ids, targets)
    torch.testing.assert_close(costs, expected[targets.flatten() != PAD])
    torch.testing.assert_close(model(ids), logits.log_softmax(-1))


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"tied": True, "embedding": 5}, {"cell": "gru"},
                                     {"ids": 2500, "adaptive": True}])
def test_what_it_says_is_a_distribution_and_costs_are_taken_from_it(options) -> None:
    model = model_of(**options)
    ids = text(model.embedding.num_embeddings)
    said = model(ids)
    torch.testing.assert_close(said.exp().sum(-1), torch.ones(ids.shape))
    costs, _ = model(ids, ids)
    torch.testing.assert_close(costs, -said.gather(2, ids.unsqueeze(2)).flatten())
    with torch.no_grad():
        torch.testing.assert_close(model(ids, ids)[0], costs)


def test_the_state_carries_a_text_on() -> None:
    model, ids = model_of(), text(steps=10)
    whole, last = model(ids, ids)
    first, state = model(ids[:, :4], ids[:, :4])
    second, end = model(ids[:, 4:], ids[:, 4:], state)
    torch.testing.assert_close(torch.cat([first.view(3, 4), second.view(3, 6)], dim=1), whole.view(3, 10))
    torch.testing.assert_close(end, last)


def test_tied_layers_are_one_parameter_from_ten_thousand_ids_on() -> None:
    assert model_of(ids=9_999).output.weight is not model_of(ids=9_999).embedding.weight
    large = model_of(ids=10_000)
    assert large.output.weight is large.embedding.weight
    assert large.embedding.embedding_dim == 8
    adaptive = model_of(ids=10_000, adaptive=True)
    assert isinstance(adaptive.output, nn.AdaptiveLogSoftmaxWithLoss)


def test_padding_behind_a_sequence_changes_nothing_before_it() -> None:
    model, ids = model_of(), text(rows=1)
    padded = F.pad(ids, (0, 5))
    torch.testing.assert_close(model(padded)[:, :7], model(ids))


@pytest.mark.parametrize("variational", [False, True])
def test_dropout_acts_in_training_and_variational_masks_serve_all_steps(variational: bool) -> None:
    model = model_of(embedding_dropout=0.5, variational=variational).train()
    dropped = model._drop(torch.ones(2, 50, 8), 0.5) == 0
    assert 0.2 < dropped.float().mean() < 0.8
    assert bool((dropped == dropped[:, :1]).all()) == variational
    assert not torch.equal(model(text()), model(text()))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(RecipeError, match="adaptive"):
        model_of(ids=2500, adaptive=True, tied=True)
    with pytest.raises(RecipeError, match="saves nothing"):
        model_of(ids=100, adaptive=True)


def test_an_lstm_costs_its_matrices_for_each_token() -> None:
    model = model_of(ids=30, embedding=8)
    assert multiply_adds(model, (text(),)) == 3 * 7 * (2 * (8 + 8) * 32 + 8 * 30)
