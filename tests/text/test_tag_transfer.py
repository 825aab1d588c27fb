"""A tagger that starts with what another has learnt: tables of words and characters go over by their tokens."""

from typing import Any

import numpy as np
import pytest
import torch
from helpers_tag import fitted, names, sentences

from orthogon.text.tagger import tagger
from orthogon.train.pretrained import load_weights
from orthogon.train.weight_files import save_tensors
from orthogon.train.weights import Weights

SMALL: dict[str, Any] = {"embedding": 5, "character_width": 6, "hidden": 7}


@pytest.fixture
def learnt(tmp_path):
    """A tagger of parts of speech, and its weights as a run has them."""
    task = fitted(sentences(40))
    torch.manual_seed(3)
    model = tagger(task.spec, **SMALL)
    path = tmp_path / "model.safetensors"
    save_tensors(model.state_dict(), Weights(str(path), path, "", "tagger"), path)
    return task, model, Weights(str(path), path, "", "tagger", vocabularies=task.vocabularies)


def test_what_reads_is_carried_over_and_what_says_begins_anew(learnt):
    task, model, weights = learnt
    other_task = fitted(names(40))
    torch.manual_seed(4)
    other = tagger(other_task.spec, **SMALL)
    first = {name: value.clone() for name, value in other.state_dict().items()}
    load_weights(other, weights, other_task.classes, other_task.vocabularies)
    own, given = other.state_dict(), model.state_dict()
    for name in own:
        if name.startswith(("recurrent", "characters.filters")):
            assert torch.equal(own[name], given[name])
        if name.startswith(("output", "crf")):
            assert torch.equal(own[name], first[name])
    for number, table in enumerate(("table.weight", "characters.table.weight")):
        mine, theirs = other_task.vocabularies[number], task.vocabularies[number]
        assert torch.equal(own[table][:4], given[table][:4])
        for row, token in enumerate(mine, start=4):
            expected = given[table][4 + theirs.index(token)] if token in theirs else first[table][row]
            assert torch.equal(own[table][row], expected)
    assert set(other_task.vocabularies[1]) & set(task.vocabularies[1])
    assert set(other_task.vocabularies[1]) - set(task.vocabularies[1])


def test_as_many_other_words_do_not_take_the_rows(learnt):
    task, model, weights = learnt
    turned = tuple(tuple(reversed(words)) for words in task.vocabularies)
    other = tagger(task.spec, **SMALL)
    load_weights(other, weights, (), turned)
    assert torch.equal(other.table.weight[4:], model.table.weight[4:].flip(0))


def test_the_same_words_take_the_table_as_it_is(learnt):
    task, model, weights = learnt
    other = tagger(task.spec, **SMALL)
    load_weights(other, weights, (), task.vocabularies)
    batch = task.batch(torch.from_numpy(np.arange(10)))
    assert torch.equal(other.eval()(*batch.inputs), model.eval()(*batch.inputs))
