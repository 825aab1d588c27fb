"""The encoder-decoder: its search is its teacher forcing, padding changes nothing, the equations are its steps."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from orthogon.equations.attention import bahdanau_attention
from orthogon.errors import RecipeError
from orthogon.nn.attention import BahdanauAttention
from orthogon.nn.beam import search
from orthogon.nn.beam_spec import BeamSpec
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, PAD, UNKNOWN, InputSpec, ModelSpec
from orthogon.text.encoder_decoder import EncoderDecoder, encoder_decoder

KINDS = [{"attention": attention, "cell": cell, "layers": layers}
         for attention in ("bahdanau", "dot", "none") for cell, layers in (("gru", 1), ("lstm", 2))]
SOURCE = torch.tensor([[4, 5, 6, 7], [8, 9, 0, 0], [5, 0, 0, 0]])


def _network(**options: Any) -> EncoderDecoder:
    torch.manual_seed(0)
    model = EncoderDecoder(10, 12, embedding=6, hidden=8, dropout=0.3, **options).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)  # so that the network has opinions
    return model


@pytest.mark.parametrize("options", KINDS)
def test_what_is_found_has_the_score_of_teacher_forcing(options: dict[str, Any]) -> None:
    model, spec = _network(**options), BeamSpec(width=3)
    found = search(model.step, model.start(SOURCE), torch.full((3,), BEGIN), END, 7, spec, banned=(PAD, UNKNOWN, BEGIN))
    for k in range(3):
        ids = found.ids[:, k]
        given = torch.cat([torch.full((3, 1), BEGIN), ids[:, :-1]], dim=1)
        logs = F.log_softmax(model(SOURCE, given).float(), dim=2).gather(2, ids.unsqueeze(2)).squeeze(2)
        total = (logs * (ids != PAD)).sum(1)
        torch.testing.assert_close(total, found.log_probabilities[:, k].float(), atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(spec.score(total, lengths_of(ids)), found.scores[:, k].float(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("options", KINDS)
def test_padding_and_the_rest_of_the_batch_change_nothing(options: dict[str, Any]) -> None:
    model, given = _network(**options), torch.tensor([[BEGIN, 5, 6]] * 3)
    with torch.no_grad():
        for table in (model.source_embedding, model.target_embedding):
            table.weight[PAD] = torch.randn(6)  # what stands in padding would be heard
    together = model(SOURCE, given)
    for row, length in enumerate(lengths_of(SOURCE).tolist()):
        torch.testing.assert_close(model(SOURCE[row : row + 1, :length], given[:1])[0], together[row])
    wider = model(F.pad(SOURCE, (0, 3)), F.pad(given, (0, 2)))
    torch.testing.assert_close(wider[:, :3], together)


def test_a_step_is_that_of_the_equations() -> None:
    model = _network(attention="bahdanau")
    memory, (first,) = model.read(SOURCE)
    tokens = torch.tensor([[4], [7], [9]])
    written = model.write(tokens, (first,), memory)
    attention, cell = model.attention, model.first
    assert memory is not None
    assert isinstance(attention, BahdanauAttention)
    assert isinstance(cell, torch.nn.GRUCell)

    def array(value: Tensor | None) -> np.ndarray:
        assert value is not None
        return value.detach().numpy()

    W = np.concatenate([array(attention.query.weight), array(attention.keys.weight)], axis=1)
    words = model.target_embedding(tokens[:, 0])
    context, _ = bahdanau_attention(array(first), array(memory.values), W, array(attention.keys.bias),
                                    array(attention.score.weight)[0], mask=array(memory.present))
    np.testing.assert_allclose(array(written.contexts)[:, 0], context, atol=1e-12)
    expected = cell(torch.cat([words, torch.from_numpy(context)], dim=1), first)
    torch.testing.assert_close(written.states[:, 0], expected)


def test_attention_is_over_the_source_alone() -> None:
    weights = _network(attention="dot").attend(SOURCE, torch.tensor([[BEGIN, 4]] * 3))
    assert weights.shape == (3, 2, 4)
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 2, dtype=torch.float64))
    assert (weights[2, :, 1:] == 0).all()
    with pytest.raises(RecipeError, match="attends to nothing"):
        _network(attention="none").attend(SOURCE, torch.tensor([[BEGIN]] * 3))


def test_tied_outputs_share_the_embeddings() -> None:
    tied, free = _network(), _network(tied=False)
    assert sum(each.numel() for each in free.parameters()) - sum(each.numel() for each in tied.parameters()) == 12 * 6


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(RecipeError, match="cell"):
        EncoderDecoder(10, 10, cell="rnn")
    with pytest.raises(RecipeError, match="attention"):
        EncoderDecoder(10, 10, attention="loung")
    with pytest.raises(RecipeError, match="translate"):
        encoder_decoder(ModelSpec((InputSpec("number", (3,)),), 2))
