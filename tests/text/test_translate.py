"""The task translate: learnt backwards to the last letter, honest about leaks, lengths and ends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import orthogon as og
from orthogon.data.columns import CategoryColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.data.split import split
from orthogon.errors import DataError, RecipeError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, PAD
from orthogon.tasks.infer import as_target, infer_task
from orthogon.text.translate import Translate
from orthogon.text.translation_sheets import maps_of
from orthogon.train.build import build_task
from orthogon.train.evaluate import evaluate, predict
from orthogon.train.fit import Fitted, fit, plan
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.verbs.mistakes import Mistakes

CPU = torch.device("cpu")


def _data(pairs: list[tuple[str, str]], **more: Any) -> Dataset:
    columns = {"text": TextColumn([a for a, _ in pairs]), "made": TextColumn([b for _, b in pairs])}
    return Dataset("pairs", dict(columns), "made", np.array([f"row {k}" for k in range(len(pairs))]), **more)


def _words(count: int, change: Callable[[str], str], seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    words = {"".join(random.choice(list("abcdef"), size=random.integers(2, 7))) for _ in range(4 * count)}
    return _data([(word, change(word)) for word in sorted(words)[::2][:count]])


def _recipe(**values: Any) -> Recipe:
    given = {name.replace("__", "."): value for name, value in values.items()}
    always = {"task.name": "translate", "data.target": "made", "train.threads": 1}
    return Recipe().with_values({**always, **given}, where="test")


def _task(data: Dataset, rows: np.ndarray | None = None, **values: Any) -> Translate:
    task = build_task(_recipe(**values))
    assert isinstance(task, Translate)
    task.fit(data, np.arange(len(data)) if rows is None else rows)
    task.attach(data, CPU)
    return task


def _fitted(task: Translate, data: Dataset, rows: np.ndarray, **values: Any) -> Fitted:
    chosen = plan(_recipe(**values), task, rows)
    return fit(chosen, task, data, rows)


SMALL = {"model__options": {"embedding": 24, "hidden": 64, "dropout": 0.0}, "train__batch_size": 32, "train__lr": 8e-3}


@pytest.mark.parametrize("name", ["copy", "reverse"])
def test_letters_are_copied_and_turned_round(name: str) -> None:
    """With attention along the diagonal, or across it: what was looked at to write a letter is that letter."""
    data = _words(900, (lambda word: word) if name == "copy" else (lambda word: word[::-1]))
    rows, dev = np.arange(800), np.arange(800, 900)
    task = _task(data, rows)
    fitted = _fitted(task, data, rows, train__epochs=14, **SMALL)
    found = evaluate(task, fitted.model, data, dev, "dev", fitted.compute)
    assert task.metrics[0].name == "exact_match"
    assert task.metrics[0].value(found) > 0.95
    looked_right = []
    for each in maps_of(task, fitted.model.eval(), dev):
        letters = list(each.written)[:-1]
        for step, letter in enumerate(letters):
            looked_right.append(each.source[int(each.weights[step].argmax())] == letter)
    assert np.mean(looked_right) > 0.9


def test_results_are_those_of_the_search_and_of_teacher_forcing() -> None:
    data = _words(40, str.upper)
    task = _task(data, task__beam=3, task__length_exponent=1.0)
    model = _untrained(task)
    found = predict(task, model, np.arange(40), _compute(task))
    batch = task.batch(torch.arange(40))
    logs = torch.log_softmax(model(*batch.inputs), dim=2).gather(2, batch.target.unsqueeze(2)).squeeze(2)
    total, tokens = (logs * (batch.target != PAD)).sum(1), lengths_of(batch.target)
    np.testing.assert_allclose(found["loss"], (-total / tokens).detach(), rtol=1e-4)
    np.testing.assert_allclose(found["reference_objective"], (total / tokens).detach(), rtol=1e-4)
    written = task.translated(model, batch.inputs[0], task.beam)
    np.testing.assert_allclose(found["objective"], written.scores[:, 0], rtol=1e-4)
    assert found["prediction"].tolist() == [task.encoder.text(ids) for ids in written.ids[:, 0].tolist()]
    loss = task.loss(model.eval(), batch)
    torch.testing.assert_close(loss.parts[0].sum, -total.sum())
    assert loss.parts[0].count == task.counts(batch)["loss"] == int(tokens.sum())


def test_training_is_looked_at_greedily() -> None:
    data = _words(30, str.upper)
    task = _task(data, task__beam=4)
    model = _untrained(task)
    with patch.object(task, "translated", wraps=task.translated) as translated:
        predict(task, model, np.arange(8), _compute(task), glance=True)
        predict(task, model, np.arange(8), _compute(task))
    assert [(call.args[2].width, call.kwargs["wanted"]) for call in translated.call_args_list] == [(1, 1), (4, 1)]


def test_attention_is_drawn_of_as_many_at_once_as_are_translated_at_once() -> None:
    data = _words(40, str.upper)
    task = _task(data, task__beam=32)
    model = _untrained(task)
    with patch.object(task, "translated", wraps=task.translated) as translated:
        maps = maps_of(task, model, np.arange(40))
    assert [len(call.args[1]) for call in translated.call_args_list] == [16, 16, 8]
    assert ["".join(each.source) for each in maps] == [data.columns["text"].cell(row) for row in range(40)]
    written = task.translated(model, task.batch(torch.tensor([39])).inputs[0], task.beam, keep_attention=True)
    assert written.attention is not None
    np.testing.assert_allclose(maps[39].weights, written.attention[0, 0][: len(maps[39].written)], atol=1e-6)


def test_targets_are_given_one_step_before() -> None:
    task = _task(_data([("ab", "xyz"), ("b", "z")] * 3))
    (source, given), target = task.batch(torch.tensor([0, 1])).inputs, task.batch(torch.tensor([0, 1])).target
    assert source.shape == (2, 2)
    assert given[:, 0].tolist() == [BEGIN, BEGIN]
    x, y, z = task.encoder.vocabulary.ids("xyz")
    assert given.tolist() == [[BEGIN, x, y, z], [BEGIN, z, END, PAD]]
    assert target.tolist() == [[x, y, z, END], [z, END, PAD, PAD]]


def test_no_source_is_on_two_sides() -> None:
    data = Translate.grouped(_data([(f"word {k % 40} here", f"mot {k} ici") for k in range(200)]))
    assert any(found.kind == "grouped-by-source" and "160 of 200" in found.what for found in data.findings)
    parts = split(data).parts
    sides = [{data.columns["text"].cell(int(row)) for row in parts[name]} for name in ("train", "dev", "test")]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    kept = _data([("a", "b")] * 4, group=np.array(list("wxyz")))
    assert Translate.grouped(kept) is kept


def test_one_long_text_does_not_take_its_room_in_every_row() -> None:
    data = _data([("a", "b"), ("a", "b " * 300), ("a " * 100_000, "b")] * 5)
    grouped = Translate.grouped(data)
    assert grouped.group is not None
    assert len(np.unique(grouped.group)) == 2
    assert grouped.group.nbytes < 10_000
    task = _task(data, data__tokens="word")
    for values in (task.targets(np.arange(15)), task.judged(["a " * 10_000, *"b" * 14], np.arange(15))["prediction"]):
        assert values.nbytes < 10_000


def test_what_cannot_be_written_is_not_asked_for() -> None:
    """The truth, encoded and written again, is right: letter case that is not learnt and blanks around do not count."""
    data = _data([("ab", "Hello World "), ("ba", " Bonjour"), ("b", "Une Phrase, Sans Rien d'Autre")] * 3)
    lower: dict[str, Any] = {"data__lowercase": True}
    for values in (lower, {**lower, "data__tokens": "character"}, {}):
        task = _task(data, None, **values)
        assert task._target is not None
        found = task.together({"ids": task._target.numpy()}, np.arange(9))
        assert found["score"].tolist() == [1] * 9
        assert found["prediction"].tolist() == task.targets(np.arange(9)).tolist()
        rows = Rows("dev", data.ids, {**found, "target": task.targets(np.arange(9))})
        bleu = next(metric for metric in task.metrics if metric.name == "bleu")
        assert bleu.value(rows) == pytest.approx(100)
        assert ("case:lc" if values else "case:mixed") in bleu.estimate(rows).method


def test_long_targets_are_left_out_and_said() -> None:
    data = _data([("ab", "x")] * 9 + [("ab", "xxxxxxxx")])
    task = _task(data, data__max_tokens=4)
    assert 9 not in task.sampler(np.arange(10), 10, 0, CPU).batch(0, 0).tolist()
    said = [found for found in task.check(data) if found.kind == "long-target"]
    assert len(said) == 1
    assert "1 of 10" in said[0].what
    assert "row 9" in said[0].where
    model = _untrained(task)
    found = predict(task, model, np.array([9]), _compute(task))
    assert found["reference_objective"] == [-np.inf]
    with pytest.raises(DataError, match="too long"):
        task.sampler(np.array([9]), 10, 0, CPU)


@pytest.mark.parametrize("most", [1, 2, 5])
def test_so_many_tokens_are_learnt_as_are_asked_for_marks_not_counted(most: int) -> None:
    letters = ["abcdefgh"[:k] for k in range(1, 9)]
    task = _task(_data([(text, text) for text in letters]), data__max_tokens=most)
    stored = task.batch(torch.arange(8))
    assert lengths_of(stored.inputs[0]).tolist() == [min(k, most) for k in range(1, 9)]
    assert lengths_of(stored.target).tolist() == [min(k, most) + 1 for k in range(1, 9)]
    assert sorted(task.sampler(np.arange(8), 8, 0, CPU).batch(0, 0).tolist()) == list(range(most))
    (finding,) = [each for each in task.check(_data([(text, text) for text in letters])) if each.kind == "long-target"]
    assert f"{8 - most} of 8 targets have more than {most} tokens" in finding.what


@pytest.mark.parametrize("joint", [False, True])
def test_a_source_longer_than_all_of_train_is_read_whole(joint: bool) -> None:
    data = _data([("may 3 2014", "2014-05-03"), ("june 1 2014", "2014-06-01"),
                  ("wednesday september 30 2014", "2014-09-30")])
    task = _task(data, np.arange(2), data__tokens="character", data__joint=joint)
    assert lengths_of(task.inputs.stored[0]).tolist() == [10, 11, 27]
    assert task.spec.inputs[0].shape == (11,)


class _Endless(nn.Module):
    """Writes the same letter for ever."""

    def __init__(self, ids: int) -> None:
        super().__init__()
        self.scores = nn.Parameter(torch.full((ids,), -9.0))
        with torch.no_grad():
            self.scores[4] = 9.0
            self.scores[END] = -torch.inf

    def forward(self, source: Tensor, given: Tensor) -> Tensor:
        return self.scores.expand(*given.shape, -1)

    def start(self, source: Tensor) -> Any:
        return torch.zeros(len(source), 1)

    def step(self, tokens: Tensor, state: Any) -> Any:
        return torch.log_softmax(self.scores, 0).expand(len(tokens), -1), state


def test_what_never_ends_is_given_and_flagged() -> None:
    data = _data([("ab", "xyz"), ("ba", "zyx")] * 5)
    task = _task(data)
    rows = evaluate(task, _Endless(task.spec.outputs), data, np.arange(10), "dev", _compute(task))
    assert (rows["finished"] == 0).all()
    assert all(len(text) == task.encoder.most - 1 for text in rows["prediction"])
    values = {metric.name: metric.value(rows) for metric in task.metrics}
    assert values["unfinished"] == 1
    assert "no end" in task.decode(dict(rows.values))[0]["notes"][0]


def test_a_model_that_cannot_write_step_by_step_is_refused() -> None:
    task = _task(_data([("ab", "xyz"), ("ba", "zyx")] * 5))
    with pytest.raises(RecipeError, match="start and step"):
        task.results(nn.Identity(), task.batch(torch.arange(2)))


@pytest.mark.parametrize("turned", [{"task.loss": "huber"}, {"task.class_weights": "balanced"}])
def test_settings_that_would_do_nothing_are_refused(turned: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="translate has no") as refused:
        build_task(_recipe(**turned))
    assert refused.value.where == next(iter(turned))
    assert refused.value.remedy
    build_task(_recipe(**{"task.loss": "cross_entropy", "task.label_smoothing": 0.1}))


@pytest.mark.parametrize("turned", [{"data.stop_words": True}, {"data.lemmas": "en"}])
def test_what_would_be_missing_from_what_is_written_is_refused(turned: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="every word") as refused:
        build_task(_recipe(**turned))
    assert refused.value.where == next(iter(turned))


def test_no_beam_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"task\.beam"):
        _recipe(task__beam=0)
    task = _task(_words(20, str.upper), task__length_exponent=-10.0)
    with pytest.raises(RecipeError, match="every score would be the same"):
        task.beam.check_length(3000)


def test_vocabularies_may_be_joined() -> None:
    pairs = [("the cat sat", "le chat est"), ("the dog ran", "le chien va")] * 6
    apart, joined = _task(_data(pairs)), _task(_data(pairs), data__joint=True)
    assert apart.encoder.tokenizer.name == "bpe"
    assert joined.reader.vocabulary.words == joined.encoder.vocabulary.words
    assert set(joined.encoder.vocabulary.words) >= {"▁cat", "▁chat"} > set(apart.encoder.vocabulary.words) & {"▁cat"}


def test_the_task_is_found_from_the_target() -> None:
    assert infer_task(_data([("a", "b")] * 3)) == "translate"
    levels = [f"phrase {k}" for k in range(150)]
    labels = CategoryColumn.from_values(levels)
    data = Dataset("d", {"text": TextColumn(levels), "made": labels}, "made", np.array(levels))
    assert infer_task(data) == "translate"
    assert isinstance(as_target(data, "translate").target_column(), TextColumn)
    few = CategoryColumn.from_values([str(k % 3) for k in range(150)])
    assert infer_task(Dataset("d", {"text": TextColumn(levels), "made": few}, "made", np.array(levels))) == "classify"


def test_what_is_no_pair_of_texts_is_refused() -> None:
    from orthogon.data.columns import NumberColumn

    numbers = Dataset("d", {"x": NumberColumn(np.arange(6.0)), "made": TextColumn(list("abcdef"))}, "made",
                      np.array(list("abcdef")))
    with pytest.raises(DataError, match="reads one text"):
        _task(numbers)


def test_a_run_ships_what_it_learnt(tmp_path: Path) -> None:
    data = _words(120, str.upper)
    run = og.train(data, task="translate", epochs=2, out=tmp_path, quiet=True, options={
        "model.options": {"embedding": 8, "hidden": 16}, "train.threads": 1, "train.preflight": False})
    network = og.load(run)
    said = network.predict(["abc", "fed"])
    (tmp_path / "new.en").write_text("abc\nfed\n")
    assert [one["text"] for one in network.predict(tmp_path / "new.en")] == [one["text"] for one in said]
    assert [set(each) >= {"text"} for each in said] == [True, True]
    assert said[0]["text"] in str(said)
    task, rows = network.task, run.rows("dev")
    assert isinstance(task, Translate)
    known = {data.ids[row]: row for row in range(len(data))}
    again = network.predict([data.columns["text"].cell(known[identity]) for identity in rows.ids.tolist()])
    assert [each["text"] for each in again] == rows["prediction"].tolist()
    assert rows["target"].tolist() == [data.columns["made"].cell(known[identity]) for identity in rows.ids.tolist()]
    assert "nrefs:1" in run.result["splits"]["dev"]["metrics"]["bleu"]["method"]
    found = og.mistakes(run, data=data)
    assert isinstance(found, Mistakes)
    assert "of these the search's fault" in str(found)
    assert "as well" in str(found)
    document = run.evidence()["blame"]
    assert document["n"] > 0
    assert document["wide"]["width"] == 50
    report = (run.path / "report.html").read_text()
    assert "Search or model?" in report
    assert "Attention" in report


def test_blame_counts_sources_and_is_not_asked_of_a_network_that_knows_dev(tmp_path: Path) -> None:
    words = _words(30, str.upper).columns["text"]
    pairs = [(words.cell(row), f"{words.cell(row)}{letter}") for row in range(30) for letter in "abcdefgh"]
    data = _data(pairs)
    run = og.train(data, task="translate", epochs=1, out=tmp_path, quiet=True, options={
        "model.options": {"embedding": 4, "hidden": 6}, "train.threads": 1, "train.preflight": False})

    def said() -> str:
        found = og.mistakes(run, data=data)
        assert isinstance(found, Mistakes)
        return str(found.blame)

    assert "fault" in said()
    document = run.evidence()["blame"]
    rows = run.rows("dev")
    assert rows.group is not None
    assert document["mistakes"] == document["n"] > document["search"]["n"]
    assert document["search"]["n"] <= len(set(rows.group))
    (run.path / "evidence" / "blame.json").unlink()
    passport = run.read_json("passport.json")
    run.write_json("passport.json", {**passport, "folds": [passport["rows"]["dev"]]})
    for _ in range(2):
        assert "has learnt from the examples of dev" in said()
        assert "blame" not in run.evidence()
        run.write_json("passport.json", passport)
        run.save_recipe(run.recipe().with_values({"train.refit": True}))


def _untrained(task: Translate) -> nn.Module:
    from orthogon.train.build import build_model

    recipe = _recipe(model__name="encoder_decoder", model__options={"embedding": 8, "hidden": 12})
    return build_model(task.spec, recipe.model, 0).eval()


def _compute(task: Translate) -> Any:
    from orthogon.train.compute import Workload, prediction_compute

    return prediction_compute(CPU, "fp32", Workload(1000, 8, False))
