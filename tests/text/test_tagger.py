"""The network that tags words: what it reads, what it does not, and what is refused."""

from typing import Any

import pytest
import torch
from helpers_tag import fitted, names

from orthogon.errors import RecipeError
from orthogon.nn.crf import Chain
from orthogon.nn.spec import UNKNOWN, InputSpec, ModelSpec
from orthogon.text.tagger import CharacterConvolution, CharacterRecurrent, tagger

SPEC = ModelSpec((InputSpec("text", (6,), (20,)), InputSpec("characters", (6, 8), (12,))), 4)
SMALL: dict[str, Any] = {"embedding": 5, "character_width": 6, "hidden": 7}


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Sentences of 6, 3 and 1 words, of 1 to 8 characters."""
    generator = torch.Generator().manual_seed(seed)
    words = torch.randint(1, 20, (3, 6), generator=generator)
    letters = torch.randint(1, 12, (3, 6, 8), generator=generator)
    lengths = torch.randint(1, 9, (3, 6, 1), generator=generator)
    letters[torch.arange(8) >= lengths] = 0
    for row, length in enumerate((6, 3, 1)):
        words[row, length:], letters[row, length:] = 0, 0
    return words, letters


@pytest.mark.parametrize("characters", ["convolution", "recurrent", "none"])
@pytest.mark.parametrize("chained", [False, True])
def test_each_word_has_a_value_for_each_tag_whatever_stands_beside_it(characters, chained):
    torch.manual_seed(0)
    spec = ModelSpec(SPEC.inputs, 4, chained=chained)
    net = tagger(spec, characters=characters, **SMALL).eval()
    words, letters = inputs()
    given = net(words, letters)
    assert isinstance(given, Chain) is chained
    found = given.emissions if isinstance(given, Chain) else given
    assert found.shape == (3, 6, 4)
    for row, length in enumerate((6, 3, 1)):
        alone = net(words[row : row + 1, :length], letters[row : row + 1, :length])
        alone = alone.emissions if isinstance(alone, Chain) else alone
        torch.testing.assert_close(alone[0], found[row, :length])


@pytest.mark.parametrize("sort", [CharacterConvolution, CharacterRecurrent])
def test_padding_of_characters_is_not_read(sort):
    torch.manual_seed(0)
    reader = sort(12, 6)
    ids = torch.tensor([[3, 4, 5, 0, 0], [7, 0, 0, 0, 0]])
    torch.testing.assert_close(reader(ids)[1], reader(ids[1:, :1])[0])
    torch.testing.assert_close(reader(ids)[0], reader(ids[:1, :3])[0])
    assert not torch.allclose(reader(torch.tensor([[3, 4]])), reader(torch.tensor([[4, 3]])))


@pytest.mark.parametrize("characters", ["convolution", "recurrent"])
def test_a_form_is_spelled_once_and_stands_wherever_it_occurs(characters):
    torch.manual_seed(0)
    net, (words, letters) = tagger(SPEC, characters=characters, **SMALL).eval(), inputs()
    letters[1, 2] = letters[2, 0] = letters[0, 4] = letters[0, 1]
    read = []
    assert net.characters is not None
    net.characters.register_forward_hook(lambda module, given, found: read.append(len(given[0])))
    found = net._spelled(words != 0, letters, torch.zeros(()))
    for row, length in enumerate((6, 3, 1)):
        torch.testing.assert_close(found[row, :length], net.characters(letters[row, :length]))
        assert (found[row, length:] == 0).all()
    assert read[0] == 7


def test_a_convolution_of_characters_by_hand():
    reader = CharacterConvolution(12, 6).double()
    table, weight, bias = reader.table.weight, reader.filters.weight, reader.filters.bias
    assert bias is not None
    ids = [3, 4, 5]
    padded = [torch.zeros(25, dtype=torch.float64), *(table[k] for k in ids), torch.zeros(25, dtype=torch.float64)]
    places = [sum((weight[:, :, k] @ padded[at + k] for k in range(3)), bias) for at in range(3)]
    expected = torch.stack(places).relu().amax(0)
    torch.testing.assert_close(reader(torch.tensor([ids]))[0], expected)


def test_words_are_unknown_in_training_alone_and_padding_never():
    net = tagger(SPEC, word_dropout=0.5, **SMALL)
    words = torch.full((50, 6), 9)
    words[:, 4:] = 0
    torch.manual_seed(0)
    hidden = net._some_unknown(words)
    assert set(hidden[:, :4].flatten().tolist()) == {UNKNOWN, 9}
    assert 0.35 < (hidden[:, :4] == UNKNOWN).float().mean() < 0.65
    assert (hidden[:, 4:] == 0).all()
    assert torch.equal(net.eval()._some_unknown(words), words)


def test_every_parameter_learns():
    task = fitted(names(10))
    for characters in ("convolution", "recurrent"):
        net = tagger(task.spec, characters=characters, layers=2, **SMALL)
        task.loss(net, task.batch(torch.arange(10))).parts[0].sum.backward()
        silent = [name for name, each in net.named_parameters() if each.grad is None or not each.grad.abs().sum()]
        assert silent == []


def test_what_it_cannot_read_is_refused():
    with pytest.raises(RecipeError, match="not number"):
        tagger(ModelSpec((InputSpec("number", (3,)),), 2))
    with pytest.raises(RecipeError, match="not read by 'cnn'"):
        tagger(SPEC, characters="cnn")
    with pytest.raises(RecipeError, match="even number"):
        tagger(SPEC, characters="recurrent", character_width=5)
