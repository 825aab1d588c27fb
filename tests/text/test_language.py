"""The task language: what counts, what stands before it, what is carried, and that certain text is learnt."""

from __future__ import annotations

import json
from math import exp, log

import numpy as np
import pytest
import torch
from helpers_text import dataset, fitted, running_task, sequences_task
from torch import nn

import orthogon as og
from orthogon.data.columns import TextColumn
from orthogon.data.running_text import RunningText
from orthogon.errors import DataError, RecipeError
from orthogon.nn.padding import lengths_of
from orthogon.nn.spec import BEGIN, END, PAD, UNKNOWN
from orthogon.text.language import Language
from orthogon.text.language_rnn import language_rnn
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, examples_at_once, metrics_document, predict
from orthogon.train.randomness import Draw
from orthogon.train.sampler import Bucketed, Streams
from orthogon.train.settings import DataSettings, TaskSettings

CPU = torch.device("cpu")
TEXT = ["To be,\n", "or not\n to be:\n", "that is\n", "the question:\n", "whether\n"]


def network(task: Language, **options) -> nn.Module:
    torch.manual_seed(0)
    return language_rnn(task.spec, **{"hidden": 16, "layers": 1, **options}).eval()


class Bigram(nn.Module):
    """A model of the user's own: logits that depend on the last token alone."""

    def __init__(self, task: Language) -> None:
        super().__init__()
        self.table = nn.Embedding(task.spec.outputs, task.spec.outputs)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.table(ids)


# --- sequences ---------------------------------------------------------------------------------------------------


def test_sequences_stand_between_marks_and_the_end_is_predicted() -> None:
    task = sequences_task(["ab", "b", ""])
    batch = task.batch(torch.arange(3))
    a, b = task.ids("a")[0], task.ids("b")[0]
    assert batch.inputs[0].tolist() == [[BEGIN, a, b], [BEGIN, b, END], [BEGIN, END, PAD]]
    assert batch.target.tolist() == [[a, b, END], [b, END, PAD], [END, PAD, PAD]]
    assert task.counts(batch) == {"loss": 6}
    assert isinstance(task.sampler(np.arange(3), 2, 0, CPU), Bucketed)
    assert [each.kind for each in task.check(dataset(TextColumn(["ab", ""])))] == ["empty-text"]


def test_loss_is_the_mean_over_tokens_and_rows_are_weighed_by_them() -> None:
    task = sequences_task(["abab", "b", "ba"])
    model, batch = network(task), task.batch(torch.arange(3))
    (part,), carried = task.loss(model, batch)
    rows = task.results(model, batch)
    assert carried is None
    assert rows["weight"].tolist() == [5, 2, 3]
    assert part.sum.item() / part.count == pytest.approx(float((rows["loss"] * rows["weight"]).sum() / 10), rel=1e-6)


def test_a_sequence_of_dev_is_not_cut_and_unknown_tokens_count_as_unknown() -> None:
    task = sequences_task(["ab", "ba", "abxab"], rows=[0, 1])
    batch = task.batch(torch.tensor([2]))
    assert batch.target.tolist() == [[*task.ids("abxab"), END]]
    found = task.results(network(task), batch)
    assert task.ids("x") == [UNKNOWN]
    assert found["unknown"].tolist() == pytest.approx([1 / 6])
    assert found["characters"].tolist() == [6]


@pytest.mark.parametrize("most", [1, 2, 5])
def test_so_many_tokens_are_read_as_are_asked_for_marks_not_counted(most: int) -> None:
    task = Language(TaskSettings(), DataSettings(max_tokens=most))
    data = dataset(TextColumn(["abcdefgh", "hgfedcba", "ab"]))
    task.fit(data, np.arange(3))
    task.attach(data, CPU)
    stored = task.inputs.stored[0].tolist()
    assert [task.encoder.text(ids) for ids in stored] == ["abcdefgh"[:most], "hgfedcba"[:most], "ab"[:most]]
    assert [END in ids for ids in stored] == [True] * 3


@pytest.mark.parametrize("turned", [{"loss": "huber"}, {"label_smoothing": 0.5}, {"class_weights": "balanced"}])
def test_settings_that_would_do_nothing_are_refused(turned) -> None:
    with pytest.raises(RecipeError, match="language") as refused:
        Language(TaskSettings(**turned), DataSettings())
    assert refused.value.where == f"task.{next(iter(turned))}"
    assert refused.value.remedy


@pytest.mark.parametrize("turned", [{"stop_words": True}, {"lemmas": "en"}])
def test_texts_are_not_stripped_of_words_whose_probability_is_asked_for(turned) -> None:
    with pytest.raises(RecipeError, match="as they stand") as refused:
        Language(TaskSettings(), DataSettings(tokens="word", **turned))
    assert refused.value.where == f"data.{next(iter(turned))}"
    assert refused.value.remedy


@pytest.mark.parametrize(("tokens", "read", "characters"), [
    ("character", "x" * 999, 1000), ("character", "ab" * 600, 1001), ("character", "x" * 1000, 1001),
    ("character", "x" * 1500, 1001), ("word", "ab " * 999 + "ab", 3000), ("word", "xyz " * 999 + "ab", 4 * 999 + 3),
    ("word", "ab xyz " * 501, 500 * (2 + 1) + 999 + 1)])
def test_an_unknown_token_is_no_nine_characters(tokens, read, characters) -> None:
    task = sequences_task(["ab ba", "ba ab", read], rows=[0, 1], tokens=tokens)
    assert task.results(network(task), task.batch(torch.tensor([2])))["characters"].tolist() == [characters]


def test_as_many_examples_are_read_at_once_as_their_usual_length_allows() -> None:
    task = sequences_task(["ab", "ba", "abxab" * 100], rows=[0, 1])
    assert task.spec.inputs[0].shape == (4,)
    assert examples_at_once(task.spec) == 512
    assert lengths_of(task.inputs.stored[0]).tolist() == [4, 4, 502]


def test_metrics_are_those_of_all_tokens_together() -> None:
    task = sequences_task(["the cat", "a dog sat", "the dog"], tokens="word")
    results = predict(task, network(task), np.arange(3), Compute(CPU))
    data = dataset(TextColumn(["the cat", "a dog sat", "the dog"]))
    found = metrics_document(task, as_rows(task, data, np.arange(3), "dev", results))
    nats = float((results["loss"] * results["weight"]).sum())
    tokens, characters = 3 + 4 + 3, 8 + 10 + 8
    assert found["nats"]["value"] == pytest.approx(nats / tokens)
    assert found["perplexity"]["value"] == pytest.approx(exp(nats / tokens))
    assert found["bits_per_character"]["value"] == pytest.approx(nats / characters / log(2))
    assert found["nats"]["low"] < found["nats"]["value"] < found["nats"]["high"]
    for metric in task.metrics:
        rows = as_rows(task, data, np.arange(3), "dev", results)
        assert metric.value(rows) == pytest.approx(metric.estimate(rows).value)


def test_a_model_of_the_users_own_gives_logits() -> None:
    task = sequences_task(["ab", "b"])
    model, batch = Bigram(task), task.batch(torch.arange(2))
    task.check_output(model(*batch.inputs))
    costs, state = task.costs(model, batch)
    assert state is None
    assert len(costs) == 5
    with pytest.raises(RecipeError, match="logits"):
        task.check_output(torch.zeros(2, 3))


# --- running text ------------------------------------------------------------------------------------------------


def test_every_token_of_a_block_counts_once_after_what_stands_before_it() -> None:
    task = running_task(TEXT, context=3)
    rows = torch.tensor([0, 2, 1])
    batch = task.batch(rows)
    whole = task.ids("".join(TEXT))
    starts = np.concatenate([[0], np.cumsum([len(block) for block in TEXT])])
    for at, row in enumerate(rows.tolist()):
        counted = batch.target[at] != PAD
        assert batch.target[at][counted].tolist() == whole[starts[row] : starts[row + 1]]
        read = batch.inputs[0][at][: int(counted.nonzero().max()) + 1].tolist()
        before = whole[max(0, starts[row] - 4) : starts[row + 1] - 1]
        assert read == ([task.opening, *before] if row == 0 else before)
    assert task.opening == task.ids("\n")[0]


def test_results_of_a_block_are_those_of_reading_the_whole_text() -> None:
    task = running_task(TEXT, context=1000)
    model, whole = network(task), task.ids("".join(TEXT))
    costs, _ = model(torch.tensor([[task.opening, *whole[:-1]]]), torch.tensor([whole]))
    expected = [each.mean().item() for each in costs.split([len(block) for block in TEXT])]
    found = predict(task, model, np.arange(len(TEXT)), Compute(CPU))
    np.testing.assert_allclose(found["loss"], expected, rtol=1e-5)


@pytest.mark.parametrize("context", [0, 2, 1000])
def test_results_do_not_depend_on_which_rows_are_evaluated_together(context: int) -> None:
    task = running_task(TEXT, context=context)
    model = network(task)
    whole = predict(task, model, np.arange(5), Compute(CPU))
    for size in (1, 2):
        np.testing.assert_allclose(predict(task, model, np.arange(5), Compute(CPU), size)["loss"], whole["loss"],
                                   rtol=1e-5)
    np.testing.assert_allclose(predict(task, model, np.array([3]), Compute(CPU))["loss"], whole["loss"][3:4], rtol=1e-5)


def test_another_text_is_no_context() -> None:
    column = RunningText(["abc\n", "bca\n", "cab\n"], np.array([False, False, True]))
    task = fitted(dataset(column))
    batch = task.batch(torch.tensor([1, 2]))
    assert batch.inputs[0][0][:4].tolist() == [task.opening, *task.ids("bca")]
    assert batch.inputs[0][1].tolist() == task.ids("bca\ncab")


def test_training_reads_streams_and_carries_their_state_detached() -> None:
    task = running_task(TEXT, truncation=4)
    sampler = task.sampler(np.arange(4), 2, 0, CPU)
    assert isinstance(sampler, Streams)
    model, whole = network(task), task.ids("".join(TEXT[:4]))
    first, second = (task.batch(sampler.batch(0, k), Draw(0, 0, k, CPU)) for k in (0, 1))
    assert first.inputs[0][0].tolist() == whole[:4]
    assert torch.equal(first.target[:, -1], second.inputs[0][:, 0])
    _, carried = task.loss(model, first)
    assert not any(each.requires_grad for layer in carried for each in layer)
    (part,), _ = task.loss(model, second, carried)
    both, _ = model(torch.cat([first.inputs[0], second.inputs[0]], 1), torch.cat([first.target, second.target], 1))
    torch.testing.assert_close(part.sum, both.view(2, 8)[:, 4:].sum())


def test_only_rows_to_train_on_are_read_in_training() -> None:
    task = running_task(TEXT, rows=[0, 1, 3], truncation=5)
    sampler = task.sampler(np.array([3, 0, 1]), 2, 0, CPU)
    width = task.inputs.stored[0].shape[1]
    read = {int(place) // width for k in range(sampler.batches(0)) for place in sampler.batch(0, k).flatten()}
    assert read == {0, 1, 3}


def main(arguments: list[str], capsys) -> None:
    from orthogon.cli.main import main as cli

    capsys.readouterr()
    with pytest.raises(SystemExit) as end:
        cli(arguments)
    assert end.value.code == 0


# --- whole trainings ---------------------------------------------------------------------------------------------


def test_text_of_which_the_next_token_is_certain_is_learnt_written_and_scored(tmp_path, capsys) -> None:
    path = tmp_path / "cycle.txt"
    path.write_text("abcdefgh\n" * 300)
    run = og.train(path, task="language", out=tmp_path, quiet=True, options={
        "data.running": True, "model.options": {"hidden": 16, "layers": 1}, "train.epochs": 8, "train.batch_size": 4,
        "train.lr": 0.03, "task.truncation": 12, "train.threads": 1})
    assert run.result["splits"]["dev"]["metrics"]["nats"]["value"] < 0.05
    assert run.recipe().split.by == "order"
    assert run.result["baseline"]["n-grams"]["dev"]["metrics"]["nats"]["value"] < 0.2
    assert {each["name"] for each in run.read_json("sheets.json")} == {"samples-0.5", "samples-0.8", "samples-1"}
    assert list((run.path / "snapshots").glob("*.png"))
    assert "perplexity 1.0" in str(og.predict(run, "abcdefgh"))
    said = og.score(run, ["abcdefgh\n", "abcedfgh\n"])
    assert said.best.text == "abcdefgh\n"
    assert len(said[0].each) == 9
    assert str(said).splitlines()[2].startswith("abcdefgh")
    assert og.write(run, "abc", length=7, temperature=0)[0].text == "abcdefgh\na"
    main(["write", str(run.path), "--start", "de", "--length", "3", "--temperature", "0", "--json"], capsys)
    assert json.loads(capsys.readouterr().out)["texts"][0]["text"] == "defgh"
    main(["score", str(run.path), "abc", "cba", "--json"], capsys)
    assert [each["text"] for each in json.loads(capsys.readouterr().out)["texts"]] == ["abc", "cba"]


def test_a_run_that_was_interrupted_ends_with_the_same_weights(tmp_path) -> None:
    from orthogon.train.fit import fit, plan
    from orthogon.train.recipe import Recipe
    from orthogon.train.run import Run

    path = tmp_path / "text.txt"
    path.write_text("".join(TEXT) * 100)
    data = og.read(path, running=True)
    recipe = Recipe().with_values({
        "task.name": "language", "task.truncation": 8, "model.name": "language_rnn", "train.batch_size": 3,
        "model.options": {"hidden": 8, "layers": 1, "dropout": 0.3}, "train.steps": 12, "train.checkpoint_steps": 5,
        "train.threads": 1, "train.precision": "fp32"})

    def trained(run: Run | None = None) -> dict[str, torch.Tensor]:
        task = fitted(data, truncation=8)
        rows = np.arange(len(data))
        chosen = plan(recipe, task, rows)
        run = run or Run.create(chosen.recipe, tmp_path, "run")
        return fit(chosen, task, data, rows, run=run).model.state_dict()

    whole = trained()
    run = Run.open(tmp_path / "run")
    for kept in (run.path / "checkpoints").glob("00000012.*"):
        kept.unlink()
    again = trained(run)
    assert all(torch.equal(whole[name], again[name]) for name in whole)


# --- what is refused ---------------------------------------------------------------------------------------------


def test_a_vocabulary_of_one_token_is_refused() -> None:
    with pytest.raises(DataError, match="one token only, 'a'"):
        sequences_task(["aaa", "aa"])


def test_parts_of_running_text_are_not_drawn_at_random(tmp_path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("".join(TEXT) * 100)
    with pytest.raises(RecipeError, match="follow one another"):
        og.train(path, task="language", out=tmp_path, quiet=True,
                 options={"data.running": True, "split.by": "random"})
