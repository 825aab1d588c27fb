"""What a translation is judged and explained by: metrics, the memory beside it, blame, pictures."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import sacrebleu
import torch

from orthogon.data.columns import TextColumn
from orthogon.data.dataset import Dataset
from orthogon.draw.attention import AttentionMap, attention_maps
from orthogon.strategy.blame import blame
from orthogon.text.translate import Translate
from orthogon.text.translation_memory import TranslationMemory
from orthogon.text.translation_metrics import sentence_counts, translation_metrics
from orthogon.train.build import build_model, build_task
from orthogon.train.recipe import Recipe
from orthogon.train.rows import Rows
from orthogon.train.settings import ModelSettings

WRITTEN = ["Le chat est assis sur le tapis.", "Je ne sais pas du tout.", "Il pleut."]
TRUTH = ["Le chat est assis sur un tapis.", "Je ne sais pas.", "Il pleut beaucoup aujourd'hui."]


def _rows(finished: float = 1.0) -> Rows:
    values = {"target": np.array(TRUTH), "prediction": np.array(WRITTEN), "loss": np.array([0.5, 1.0, 2.0]),
              "tokens": np.array([8, 4, 2]), "score": np.zeros(3), "finished": np.full(3, finished),
              **sentence_counts(WRITTEN, TRUTH)}
    return Rows("dev", np.array(["a", "b", "c"]), values)


def test_scores_are_those_of_sacrebleu() -> None:
    metrics = {metric.name: metric for metric in translation_metrics(exact_first=False)}
    rows = _rows()
    assert next(iter(metrics)) == "bleu"
    assert metrics["bleu"].value(rows) == pytest.approx(sacrebleu.corpus_bleu(WRITTEN, [TRUTH]).score, abs=1e-4)
    assert metrics["chrf"].value(rows) == pytest.approx(sacrebleu.corpus_chrf(WRITTEN, [TRUTH]).score, abs=1e-4)
    assert "tok:13a" in metrics["bleu"].estimate(rows).method
    assert metrics["perplexity"].value(rows) == pytest.approx(np.exp((4 + 4 + 4) / 14))
    assert metrics["unfinished"].value(_rows(finished=0.0)) == 1
    assert translation_metrics(exact_first=True)[0].name == "exact_match"


@pytest.mark.parametrize("weight", [(1, 0, 0), (0, 2, 1), (3, 1, 2)])
def test_whole_weights_are_repetitions_in_every_metric(weight: tuple[int, ...]) -> None:
    rows = _rows()
    score = np.array([1.0, 0.0, 1.0])
    weighed = Rows("dev", rows.ids, {**rows.values, "score": score, "weight": np.array(weight, dtype=np.float32)})
    repeated = Rows("dev", rows.ids, {**rows.values, "score": score}).take(np.repeat(np.arange(3), weight))
    for metric in translation_metrics(exact_first=True):
        assert metric.value(weighed) == pytest.approx(metric.value(repeated)), metric.name
        assert metric.estimate(weighed).value == pytest.approx(metric.value(repeated)), metric.name


def test_rows_of_texts_are_written_and_read(tmp_path: Path) -> None:
    rows = _rows()
    rows.write(tmp_path / "rows.parquet")
    again = Rows.read(tmp_path / "rows.parquet")
    assert again.texts
    assert again.answers
    assert again["prediction"].tolist() == WRITTEN
    np.testing.assert_array_equal(again["bleu_counts"], rows["bleu_counts"])


def _task(pairs: list[tuple[str, str]], **values: object) -> tuple[Translate, Dataset]:
    columns = {"text": TextColumn([a for a, _ in pairs]), "made": TextColumn([b for _, b in pairs])}
    data = Dataset("pairs", dict(columns), "made", np.array([f"row {k}" for k in range(len(pairs))]))
    task = build_task(Recipe().with_values({"task.name": "translate", "data.target": "made", **values}, where="test"))
    assert isinstance(task, Translate)
    task.fit(data, np.arange(len(data)))
    task.attach(data, torch.device("cpu"))
    return task, data


def test_the_memory_gives_the_translation_of_the_nearest_source() -> None:
    pairs = [("the cat sleeps", "le chat dort"), ("a dog barks", "un chien aboie"), ("rain falls", "la pluie tombe"),
             ("the cat sleeps well", "le chat dort bien"), ("xyz", "inconnu")]
    task, _ = _task(pairs)
    memory = TranslationMemory()
    memory.fit(task, np.arange(3))
    found = memory.results(task, np.arange(5))
    assert found["prediction"].tolist() == ["le chat dort", "un chien aboie", "la pluie tombe", "le chat dort", "xyz"]
    assert found["score"].tolist() == [1, 1, 1, 0, 0]
    assert np.isnan(found["loss"]).all()


def test_the_memory_is_never_compared_with_all_sources_at_once() -> None:
    """The cosines of 512 sources with all 4,000, each of which shares a word with each, would be 16 MB alone."""
    task, _ = _task([(f"the cat {k % 50} {k}", "le chat") for k in range(4000)], **{"data.tokens": "word"})
    memory = TranslationMemory()
    memory.fit(task, np.arange(4000))
    tracemalloc.start()
    memory.results(task, np.arange(512))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000


def test_blame_is_asked_of_the_same_search() -> None:
    task, _ = _task([("ab", "ba"), ("abc", "cba"), ("c", "c")] * 5, **{"task.beam": 1, "task.length_exponent": 0.0})
    options = {"embedding": 6, "hidden": 8, "attention": "dot"}
    model = build_model(task.spec, ModelSettings(name="encoder_decoder", options=options), 0).eval()
    with patch.object(task, "translated", wraps=task.translated) as translated:
        searched = task.searched(model, np.arange(15), wide=20)
    assert [call.args[2].width for call in translated.call_args_list] == [1, 20]
    with torch.no_grad():
        own = task.results(model, task.batch(torch.arange(15)))
    np.testing.assert_allclose(searched.found, own["objective"], rtol=1e-5)
    np.testing.assert_allclose(searched.reference, own["reference_objective"], rtol=1e-5)
    assert searched.wide is not None
    assert (searched.wide.found >= searched.found - 1e-5).all()
    assert searched.coverage is not None
    assert ((searched.coverage > 0) & (searched.coverage <= 1)).all()
    assert blame("run", 1, searched).n == 15


def test_attention_maps_are_drawn() -> None:
    picture = attention_maps([AttentionMap(np.eye(3), list("abc"), list("abc")),
                              AttentionMap(np.full((2, 4), 0.25), ["x", "⏎"], list("wxyz"))])
    assert picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert picture.shape[1] > picture.shape[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10
