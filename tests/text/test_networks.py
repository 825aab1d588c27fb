"""Networks for texts: against their formulas, whatever the padding, and able to learn."""

import pytest
import torch
import torch.nn.functional as F

from orthogon.errors import RecipeError
from orthogon.nn.spec import InputSpec, ModelSpec
from orthogon.registry import models
from orthogon.text.cnn import ConvolutionReader, text_cnn
from orthogon.text.networks import TokenEmbedding
from orthogon.text.rnn import text_rnn

TEXT, NUMBERS = InputSpec("text", (12,), (30,)), InputSpec("number", (3,))
CATEGORIES = InputSpec("category", (1,), (4,))
BUILDERS = {
    "cnn": lambda spec: text_cnn(spec, embedding=8, filters=5, embedding_dropout=0.1),
    **{pooling: lambda spec, pooling=pooling: text_rnn(spec, embedding=8, hidden=6, pooling=pooling)
       for pooling in ("max", "mean", "last")},
    "deep": lambda spec: text_rnn(spec, embedding=8, hidden=6, cell="gru", layers=2, bidirectional=False,
                                  pooling="last", recurrent_dropout=0.2),
}


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


def ids(lengths, longest=12):
    found = torch.zeros(len(lengths), longest, dtype=torch.int64)
    for row, length in enumerate(lengths):
        found[row, :length] = torch.randint(1, 30, (length,))
    return found


@pytest.mark.parametrize("name", BUILDERS)
def test_padding_changes_nothing_and_short_texts_are_read(name):
    net = BUILDERS[name](ModelSpec((TEXT,), 3)).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))  # what stands for padding too
    batch = ids([1, 2, 7, 12])
    together = net(batch)
    for row, length in enumerate([1, 2, 7, 12]):
        torch.testing.assert_close(net(batch[row : row + 1, :length])[0], together[row], rtol=1e-4, atol=1e-5)
    assert net(torch.zeros(2, 3, dtype=torch.int64)).isfinite().all()


@pytest.mark.parametrize("name", BUILDERS)
def test_learns_sixteen_texts_and_every_gradient_lives(name):
    net = BUILDERS[name](ModelSpec((TEXT, NUMBERS, CATEGORIES), 4))
    given = ids(torch.randint(1, 13, (16,)).tolist()), torch.randn(16, 3), torch.randint(0, 4, (16, 1))
    target, moved = torch.arange(16) % 4, set()
    optimizer = torch.optim.Adam(net.parameters(), lr=2e-2)
    for _ in range(150):
        loss = F.cross_entropy(net(*given), target)
        optimizer.zero_grad()
        loss.backward()
        moved |= {key for key, value in net.named_parameters() if value.grad is not None and value.grad.any()}
        optimizer.step()
    assert F.cross_entropy(net.eval()(*given), target) < 0.3  # ln 4 = 1.39 by chance
    assert moved == {key for key, _ in net.named_parameters()}


def test_the_convolution_is_the_largest_answer_around_each_token():
    """Kim 2014: c = max over i of relu(w · x[i − (h−1)/2 … i + h/2] + b), zeros outside of the text."""
    reader = ConvolutionReader(4, 3, (2, 3))
    x, length = torch.randn(1, 6, 4), 5
    around = F.pad(x[0, :length], (0, 0, 2, 2))
    expected = []
    for wide, layer in zip((2, 3), reader.convolutions):
        answers = [torch.einsum("fdh,hd->f", layer.weight, around[2 + at - (wide - 1) // 2 :][:wide]) + layer.bias
                   for at in range(length)]
        expected.append(torch.stack(answers).amax(0).clamp(min=0))
    torch.testing.assert_close(reader(x, torch.tensor([length]))[0], torch.cat(expected))


@pytest.mark.parametrize("pooling", ["max", "mean", "last"])
def test_pooling_is_over_the_outputs_at_real_tokens(pooling):
    net = text_rnn(ModelSpec((TEXT,), 2), embedding=8, hidden=6, pooling=pooling).eval()
    batch = ids([5])
    embedded = net.embeddings[0](batch[:, :5])
    outputs, _ = torch.nn.LSTM(8, 6, batch_first=True, bidirectional=True).eval(), None
    outputs.load_state_dict(net.readers[0].recurrent.state_dict())
    said, _ = outputs(embedded)
    expected = {"max": said.amax(1), "mean": said.mean(1), "last": torch.cat([said[:, -1, :6], said[:, 0, 6:]], 1)}
    torch.testing.assert_close(net(batch), net.output(expected[pooling]))


def test_embeddings_drop_whole_tokens_in_training_alone():
    embedding = TokenEmbedding(30, 16, dropout=0.5)
    batch = torch.full((1, 400), 7)
    given = embedding(batch)[0]
    kept = given.abs().sum(1) > 0
    assert 0.4 < kept.float().mean() < 0.6
    torch.testing.assert_close(given[kept], 2 * embedding.table(batch)[0][kept])
    torch.testing.assert_close(embedding.eval()(batch), embedding.table(batch))


def test_wrong_options_and_data_without_text_are_refused():
    for build, words in ((lambda: text_cnn(ModelSpec((NUMBERS,), 2)), "needs a column of text"),
                         (lambda: text_cnn(ModelSpec((TEXT,), 2), widths=[]), "widths is a list"),
                         (lambda: text_cnn(ModelSpec((TEXT,), 2), dropout=1.0), "dropout is a share"),
                         (lambda: models.load("text_rnn")(ModelSpec((TEXT,), 2), pooling="sum"), "no pooling 'sum'")):
        with pytest.raises(RecipeError, match=words):
            build()


def test_they_are_in_the_registry_with_their_options():
    for name in ("text_cnn", "text_rnn"):
        entry = models.entry(name)
        assert entry.kinds == ("text", "number", "category")
        entry.load()(ModelSpec((TEXT,), 2), **{option.name: option.default for option in entry.options})
