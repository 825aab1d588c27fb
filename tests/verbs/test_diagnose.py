"""`diagnose` on runs as they are kept: sources, folds, people, goals, and every wrong input."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import orthogon as og
from orthogon.errors import OrthogonError, RecipeError, RunError


def predictions(path: Path, counts: dict[str, tuple[int, int]], sources: dict[str, str] | None = None) -> Path:
    """A file of predictions of two classes with that many wrong of that many in each part."""
    lines = ["id,split,target,prediction" + (",source" if sources else "")]
    for split, (wrong, n) in counts.items():
        for i in range(n):
            truth = "no" if i % 2 else "yes"
            said = truth if i >= wrong else "yes" if i % 2 else "no"
            lines.append(f"{split}-{i},{split},{truth},{said}" + (f",{sources[split]}" if sources else ""))
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """A model trained elsewhere: 1 % wrong on train, 3 % on train-dev, 20 % on dev of another source."""
    counts = {"train": (5, 500), "train-dev": (9, 300), "dev": (60, 300), "test": (66, 300)}
    sources = {"train": "studio", "train-dev": "studio", "dev": "phone", "test": "phone"}
    folder = tmp_path_factory.mktemp("shifted")
    return og.read_predictions(predictions(folder / "other.csv", counts, sources), out=folder / "runs", quiet=True)


def test_a_model_trained_elsewhere_has_its_mismatch_named(shifted):
    found = og.diagnose(shifted, human="6/300")
    assert found.act == "mismatch"
    assert found.gap("bias").state == "negligible"
    assert "6 wrong of 300" in str(found)
    kept = json.loads((shifted.path / "evidence/diagnosis.json").read_text())
    assert (kept["act"], kept["sentence"]) == ("mismatch", found.sentence)
    assert [rung["name"] for rung in kept["rungs"]] == ["majority", "human", "train", "train-dev", "dev", "test"]
    assert "no train-dev" not in found.sentence
    assert (shifted.path / "report.html").exists()


def test_tolerance_is_in_points(shifted):
    assert og.diagnose(shifted, tolerance=2.5).tolerance == pytest.approx(0.025)


def test_a_level_may_speak_of_another_metric_of_the_task(shifted):
    found = og.diagnose(shifted, goal="macro_f1=0.9")
    assert found.metric == "1 - macro F1"
    goal = found.rung("goal")
    assert goal is not None
    assert goal.estimate.value == pytest.approx(0.1)
    assert "goal is not met on dev" in found.sentence


def test_people_on_dev_lower_the_mismatch(shifted):
    plain = og.diagnose(shifted, human="6/300").gap("mismatch").estimate
    lower = og.diagnose(shifted, human="6/300", human_target="36/300").gap("mismatch").estimate
    assert plain is not None
    assert lower is not None
    assert plain.value - lower.value == pytest.approx(0.1)


@pytest.mark.parametrize(("given", "says"), [
    ({"human": "0.98"}, "on how many examples"), ({"human": 0.98}, "on how many examples"),
    ({"human": "accuracy=98"}, "between 0 and 1"), ({"human": "3/0"}, "no examples"),
    ({"human": "7/6"}, "7 wrong of 6"),
    ({"human": "acuracy=0.9"}, "Did you mean 'accuracy'"), ({"human": "rmse=0.9"}, "no metric 'rmse'"),
    ({"goal": "5/100"}, "a goal is a value"), ({"human": "5/100", "goal": "accuracy=0.9"}, "--human or --goal"),
    ({"human_target": "5/100"}, "Give --human as well"), ({"tolerance": 0}, "0 and 100 points"),
    ({"human": "accuracy=0.9", "human_target": "macro_f1=0.9"}, "speak of accuracy and macro_f1"),
    ({"goal": "roc_auc=0.9"}, "no metric 'roc_auc'"),  # without probabilities
])
def test_each_wrong_input_is_told(shifted, given, says):
    with pytest.raises(RecipeError, match=says):
        og.diagnose(shifted, **given)


def test_a_run_that_is_not_there_is_told():
    with pytest.raises(RunError, match="there is no run 'nowhere'"):
        og.diagnose("nowhere")


def test_a_train_set_of_unknown_likeness_and_few_examples_get_no_verdict(tmp_path):
    run = og.read_predictions(predictions(tmp_path / "few.csv", {"train": (2, 20), "dev": (9, 12)}), quiet=True)
    found = og.diagnose(run)
    assert found.gap("variance").state == "undecided"
    assert "under 30 nothing is decided" in found.gap("variance").reason
    assert "no train-dev" in found.gap("mismatch").reason


def table(path: Path, rows: int, shift: float) -> Path:
    """Two classes told apart by one column, which the phone measures with an offset."""
    generator = np.random.default_rng(0)
    lines = ["a,b,source,bought"]
    for i in range(rows):
        a, b = generator.normal(size=2)
        source = "phone" if i % 3 == 0 else "shop"
        lines.append(f"{a + shift * (source == 'phone'):.4f},{b:.4f},{source},{'yes' if a > 0 else 'no'}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_planted_shift_is_named_at_the_end_of_training(tmp_path):
    """Rows 11.08, 14.22: train-dev as good as train, dev much worse."""
    path = table(tmp_path / "shop.csv", 900, 1.5)
    run = og.train(str(path), target="bought", epochs=10, quiet=True,
                   options={"data.source_column": "source", "split.target_source": "phone"})
    assert "MISMATCH" in run.result["verdict"]
    kept = run.evidence()["diagnosis"]
    assert kept["act"] == "mismatch"
    assert [rung["name"] for rung in kept["rungs"]][-3:] == ["train-dev", "dev", "test"]
    assert kept["rungs"][0]["note"] == "baseline, on dev"


def test_folds_give_out_of_fold_rows_for_dev(tmp_path):
    generator = np.random.default_rng(1)
    x = generator.normal(size=(150, 2))
    lines = ["a,b,bought"] + [f"{a:.3f},{b:.3f},{'yes' if a + generator.normal() > 0 else 'no'}" for a, b in x]
    (tmp_path / "small.csv").write_text("\n".join(lines) + "\n")
    run = og.train(str(tmp_path / "small.csv"), target="bought", epochs=3, folds=3, quiet=True)
    found = og.diagnose(run)
    dev = found.rung("dev")
    assert dev is not None
    assert (dev.note, dev.estimate.n) == ("out of 3 folds", 120)
    assert found.gap("variance").line == "train to dev"
    assert "--folds" not in found.sentence


def test_a_number_is_judged_in_its_own_unit_and_quickly(tmp_path):
    generator = np.random.default_rng(0)
    target = generator.normal(size=3_000)
    split = np.repeat(["train", "dev"], [1500, 1500])
    noise = np.where(split == "train", 0.1, 0.4) * generator.normal(size=3_000)
    run = og.read_predictions({"id": np.arange(3_000).astype(str), "split": split, "target": target,
                               "prediction": target + noise}, task="regress", quiet=True)
    found = og.diagnose(run, tolerance=0.05)
    variance = found.gap("variance").estimate
    assert variance is not None
    assert variance.value == pytest.approx(0.3, abs=0.02)
    assert (found.tolerance, found.act) == (0.05, "variance")
    with pytest.raises(OrthogonError, match="judged by rmse"):
        og.diagnose(run, human="6/300")


def test_what_people_were_measured_at_is_used_and_a_level_that_is_given_beats_it(tmp_path):
    from orthogon.strategy.human import keep_answers

    path = table(tmp_path / "shop.csv", 300, 0.0)
    run = og.train(str(path), target="bought", epochs=2, quiet=True)
    key = json.loads((run.path / "passport.json").read_text())["content"]
    keep_answers(run.path.parent, key, "", "ann", {f"row {i}": ("yes", i >= 3) for i in range(100)})
    people = og.diagnose(run).rung("human")
    assert people is not None
    assert people.note == "3 wrong of 100"
    given = og.diagnose(run, human="6/300").rung("human")
    assert given is not None
    assert given.note == "6 wrong of 300"
    assert og.diagnose(run, goal="accuracy=0.9").rung("human") is None
