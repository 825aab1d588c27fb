"""Weights that go over to other tokens: each number of a token follows it, on its own side, whatever the sizes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import RecipeError
from orthogon.nn.models import linear, mlp
from orthogon.nn.spec import FIRST_TOKEN, InputSpec, ModelSpec
from orthogon.text.cnn import text_cnn
from orthogon.text.encoder_decoder import EncoderDecoder
from orthogon.text.language_rnn import language_rnn
from orthogon.text.rnn import text_rnn
from orthogon.text.tagger import tagger
from orthogon.train.build import build_task
from orthogon.train.pretrained import load_weights
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.weight_files import save_tensors
from orthogon.train.weights import Weights, of_run

IDS, OTHER = 103, 107
"""Sizes of vocabularies that no layer of the networks here has."""

SOURCE, TARGET = tuple("abcdefgh"), tuple("ijklmnop")


def text(ids: int = IDS) -> InputSpec:
    return InputSpec("text", (9,), (ids,))


def networks() -> dict[str, nn.Module]:
    one, letters = ModelSpec((text(),), IDS), InputSpec("characters", (9, 20), (OTHER,))
    two = ModelSpec((text(), InputSpec("number", (3,)), text(OTHER)), 2)
    return {
        "language_rnn": language_rnn(one, 12, 1), "language_rnn tied": language_rnn(one, 12, 1, tied=True),
        "language_rnn narrow": language_rnn(one, 12, 1, tied=True, embedding=5),
        "tagger": tagger(ModelSpec((text(), letters), 5), 6, character_width=6, hidden=7),
        "tagger recurrent": tagger(ModelSpec((text(), letters), 5), 6, "recurrent", 6, hidden=7),
        "text_cnn": text_cnn(two, 6, 4), "text_rnn": text_rnn(two, 6, 7), "mlp": mlp(two, embedding=6),
        "encoder_decoder": EncoderDecoder(IDS, OTHER, 6, 7),
        "encoder_decoder untied": EncoderDecoder(IDS, OTHER, 6, 7, tied=False),
    }


def weights_of(model: nn.Module, path: Path, *vocabularies: Sequence[str]) -> Weights:
    said = Weights(str(path), path, "", vocabularies=tuple(map(tuple, vocabularies)))
    save_tensors(model.state_dict(), said, path)
    return said


def refilled(model: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


@pytest.mark.parametrize("name", networks())
def test_networks_name_all_that_has_a_number_for_each_token(name: str) -> None:
    model = networks()[name]
    places = {IDS: 0, OTHER: 1}
    tables = cast("dict[str, int]", model.token_tables)
    sized = {key: value.shape for key, value in model.state_dict().items() if {IDS, OTHER} & set(value.shape)}
    assert sized
    for key, shape in sized.items():
        assert [place for start, place in tables.items() if f"{key}.".startswith(f"{start}.")] == [places[shape[0]]]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("turned", ["source", "target", "both"])
def test_vocabularies_of_one_size_stay_on_their_sides(tmp_path: Path, tied: bool, turned: str) -> None:
    there, here = (refilled(EncoderDecoder(12, 12, 4, 5, tied=tied)) for _ in range(2))
    source = SOURCE[::-1] if turned != "target" else SOURCE
    target = TARGET[::-1] if turned != "source" else TARGET
    load_weights(here, weights_of(there, tmp_path / "a.safetensors", SOURCE, TARGET), (), (source, target))
    own, given = here.state_dict(), there.state_dict()
    for name, value in given.items():
        mine, theirs = (source, SOURCE) if name.startswith("source") else (target, TARGET)
        if name.startswith(("source_embedding", "target_embedding", "output")):
            places = [FIRST_TOKEN + theirs.index(token) for token in mine]
            assert torch.equal(own[name][:FIRST_TOKEN], value[:FIRST_TOKEN])
            assert torch.equal(own[name][FIRST_TOKEN:], value[places])
        else:
            assert torch.equal(own[name], value)


def test_a_target_of_another_size_takes_what_both_know(tmp_path: Path) -> None:
    there, here = refilled(EncoderDecoder(12, 12, 4, 5)), refilled(EncoderDecoder(12, 13, 4, 5))
    first = here.state_dict()["output_bias"].clone()
    load_weights(here, weights_of(there, tmp_path / "a.safetensors", SOURCE, TARGET), (), (SOURCE, ("z", *TARGET)))
    own, given = here.state_dict(), there.state_dict()
    for name in ("output_bias", "target_embedding.weight"):
        assert torch.equal(own[name][FIRST_TOKEN + 1 :], given[name][FIRST_TOKEN:])
    assert own["output_bias"][FIRST_TOKEN] == first[FIRST_TOKEN]
    assert torch.equal(own["source_embedding.weight"], given["source_embedding.weight"])


@pytest.mark.parametrize("options", [{}, {"tied": True}, {"tied": True, "embedding": 5}])
def test_a_language_model_of_turned_letters_says_the_same_of_them(tmp_path: Path, options: dict) -> None:
    spec = ModelSpec((text(9),), 9)
    there, here = (refilled(language_rnn(spec, 6, 1, **options)).eval() for _ in range(2))
    load_weights(here, weights_of(there, tmp_path / "a.safetensors", "abcde"), (), (tuple("edcba"),))
    ids = torch.tensor([[4, 5, 7, 8]])
    said, turned = there(ids), here(12 - ids)
    torch.testing.assert_close(turned[..., 4:], said[..., 4:].flip(-1))
    torch.testing.assert_close(turned[..., :4], said[..., :4])


def test_what_cannot_follow_its_tokens_is_refused(tmp_path: Path) -> None:
    words = tuple(f"w{k}" for k in range(2996))
    spec, turned = ModelSpec((text(3000),), 3000), (words[::-1],)
    adaptive = language_rnn(spec, 8, 1, adaptive=True)
    given = weights_of(adaptive, tmp_path / "a.safetensors", words)
    load_weights(adaptive, given, (), (words,))
    with pytest.raises(RecipeError, match=r"output\.\S+ cannot follow them"):
        load_weights(adaptive, given, (), turned)
    hot = linear(ModelSpec((text(12),), 2))  # its input is one-hot
    given = weights_of(hot, tmp_path / "b.safetensors", SOURCE)
    load_weights(hot, given, ("no", "yes"), (SOURCE,))
    with pytest.raises(RecipeError, match="nothing says which numbers of MLP are of a token"):
        load_weights(hot, given, ("no", "yes"), (SOURCE[::-1],))
    with pytest.raises(RecipeError, match="of which tokens") as told:
        load_weights(hot, weights_of(hot, tmp_path / "c.safetensors"), ("no", "yes"), (SOURCE,))
    assert "--weights RUN" in str(told.value)


def test_a_run_of_translate_says_both_vocabularies(tmp_path: Path) -> None:
    pairs = {"text": TextColumn(["ab", "ba", "abb"]), "made": TextColumn(["xyz", "zy", "x"])}
    task = build_task(Recipe().with_values({"task.name": "translate", "data.target": "made"}, where="test"))
    task.fit(Dataset("pairs", dict(pairs), "made", np.array(["a", "b", "c"])), np.arange(3))
    assert [set(words) for words in task.vocabularies] == [set("ab"), set("xyz")]
    run = Run(tmp_path)
    (run.path / "bundle").mkdir()
    run.write_json("bundle/bundle.json", {
        "task": {"state": task.state()}, "weights": {"sha256": ""}, "classes": [], "data": {},
        "model": {"name": "encoder_decoder", "options": {}}})
    assert of_run(run).vocabularies == task.vocabularies
