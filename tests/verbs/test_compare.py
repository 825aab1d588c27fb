"""`compare` and the standings of `list runs`, on runs made of predictions."""

from __future__ import annotations

import numpy as np
import pytest

import orthogon as og
from orthogon.errors import DataError, RunError
from orthogon.strategy.comparison_words import sentence
from orthogon.verbs.standings import standings

N = 300
TARGET = np.array(["no", "yes"])[np.arange(N) % 2]
SPLIT = np.repeat(["train", "dev", "test"], N // 3)


def predictions(wrong, **columns):
    """Wrong in the first so many of train, dev and test each."""
    prediction = TARGET.copy()
    for start in (0, 100, 200):
        at = slice(start, start + wrong)
        prediction[at] = np.where(TARGET[at] == "no", "yes", "no")
    return {"id": np.array([f"e{k:03d}" for k in range(N)]), "split": SPLIT, "target": TARGET,
            "prediction": prediction, **columns}


def foreign(name, wrong, **options):
    return og.read_predictions(predictions(wrong), name=name, quiet=True, **options)


def trained(name, wrong, seconds=2.0, **values):
    """As if it had been trained here, by that recipe."""
    run = foreign(name, wrong)
    run.save_recipe(run.recipe().with_values({"model.name": "mlp", **values}))
    model = {"name": "mlp", "parameters": 1000, "multiply_adds": 900}
    run.write_json("result.json", {**run.result, "foreign": False, "model": model, "speed": {"seconds": seconds}})
    return run


@pytest.fixture(scope="module", autouse=True)
def _without_reports():
    """Drawing them takes longest and is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        for verb in ("read_predictions", "compare"):
            patch.setattr(f"orthogon.verbs.{verb}.write_report", lambda run: run.path / "report.html")
        yield


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A base, three seeds of another recipe, and a model from elsewhere, in one folder."""
    import os

    before = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("compare"))
    try:
        trained("base", 30)
        for seed in range(3):
            trained(f"seed{seed}", 10 + seed, 1.0 + seed, **{"train.l2": 0.01, "train.seed": seed})
        foreign("elsewhere", 11)
        yield os.getcwd()
    finally:
        os.chdir(before)


@pytest.fixture
def place(runs, monkeypatch):
    monkeypatch.chdir(runs)


@pytest.mark.usefixtures("place")
def test_two_runs_with_their_baseline_and_cost():
    found = og.compare("base", "seed0")
    assert sentence(found).startswith("dev 30.0 -> 10.0   better by 20.0 [")
    assert sentence(found).endswith("points (20 put right, 0 broken); test sealed")
    assert [line.name for line in found.lines] == ["base", "seed0", "majority"]
    assert (found.lines[1].seconds, found.lines[1].parameters) == (1.0, 1000)
    assert "majority" in str(found)


@pytest.mark.usefixtures("place")
def test_runs_of_one_recipe_but_the_seed_are_one_line():
    found = og.compare("base", "seed0", "seed1", "seed2", "elsewhere")
    assert [line.name for line in found.others] == ["seed0 and 2 more seeds", "elsewhere"]
    line = found.others[0]
    assert line.spread == pytest.approx((0.10, 0.12))
    assert line.gain.value == pytest.approx(0.19)
    assert line.seconds == pytest.approx(2.0)
    assert found.others[1].parameters is None


@pytest.mark.usefixtures("place")
def test_seeds_alone_are_compared_with_one_another():
    found = og.compare("seed0", "seed1")
    assert [line.name for line in found.lines][:2] == ["seed0", "seed1"]
    assert "tied: -1.0 [" in sentence(found)


@pytest.mark.usefixtures("place")
def test_the_best_is_told_how_much_too_good_it_is():
    run = og.Run.open("seed0")
    found = og.compare("base", "seed0")
    assert found.choice.startswith("Best of K = 5 on 100 dev examples: seed0, 10.0 %.")
    assert run.evidence()["overfitting"]["models"] == 5
    assert run.evidence()["overfitting"]["looks"] == 1


@pytest.mark.usefixtures("place")
def test_a_promise_is_judged_where_the_recipe_holds_its_changes():
    base = og.Run.open("base")
    base.write_evidence("probes", {"promise": {"low": 0.08, "changes": {"train.l2": 0.01}}, "work": []})
    assert "promised at least 8.0: kept; test sealed" in sentence(og.compare("base", "seed0"))
    base.write_evidence("probes", {"promise": {"low": 0.5, "changes": {"train.l2": 0.01}}, "work": []})
    assert og.compare("base", "seed0").promise.verdict == "broken"
    base.write_evidence("probes", {"promise": {"low": 0.08, "changes": {"train.l2": 0.1}}, "work": []})
    assert og.compare("base", "seed0").promise is None


@pytest.mark.usefixtures("place")
def test_test_is_compared_only_where_all_have_looked():
    with pytest.raises(RunError, match="seed0 was not measured on test"):
        og.compare("base", "seed0", part="test")
    with pytest.raises(RunError, match="not compared on 'train'"):
        og.compare("base", "seed0", part="train")


def test_two_that_have_looked_at_test():
    foreign("a", 30)
    foreign("b", 10, test=True)
    found = og.compare("a", "b", part="test")
    assert sentence(found).startswith("test 30.0 -> 10.0   better by 20.0 [")
    assert "2 looks at this test set" in sentence(found)
    assert found.choice == ""


@pytest.mark.usefixtures("place")
def test_what_cannot_be_compared_says_why():
    with pytest.raises(RunError, match="one run only"):
        og.compare("base", "base")
    target = np.random.default_rng(0).normal(size=N)
    og.read_predictions({**predictions(0), "target": target, "prediction": target + 0.1 * target**2}, name="numbers",
                        out="other", quiet=True)
    with pytest.raises(RunError, match="the task is 'classify' in base and 'regress' in numbers"):
        og.compare("base", "other/numbers")
    changed = predictions(0)
    changed["target"] = np.roll(TARGET, 1)
    og.read_predictions(changed, name="relabelled", out="other", quiet=True)
    with pytest.raises(DataError, match="base and relabelled: the same ids have other targets"):
        og.compare("base", "other/relabelled")


# --- standings -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("place")
def test_the_best_on_a_dev_set_and_those_tied_with_it():
    rows = {row["name"]: row["on dev"] for row in og.list("runs").rows}
    assert rows == {"base": "", "seed0": "best", "seed1": "= best", "seed2": "= best", "elsewhere": "= best"}
    assert "= best" in str(og.list("runs"))


def test_a_single_run_and_runs_of_other_data_have_no_standing():
    foreign("a", 3)
    other = predictions(9)
    other["id"] = np.array([f"x{k}" for k in range(N)])
    og.read_predictions(other, name="b", quiet=True)
    assert [row["on dev"] for row in og.list("runs").rows] == ["", ""]


def test_numbers_are_tied_by_their_squared_errors():
    rng = np.random.default_rng(0)
    target, noise = rng.normal(size=N), rng.normal(size=N)
    for name, off in (("good", 0.1 * noise), ("same", 0.1 * rng.normal(size=N)), ("bad", noise)):
        og.read_predictions({**predictions(0), "target": target, "prediction": target + off}, name=name, quiet=True)
    runs = {run.name: (run, run.result) for run in og.Run.all("runs")}
    found = standings(runs)
    assert sorted(found) == ["good", "same"]
    assert sorted(found.values()) == ["= best", "best"]


def test_examples_in_groups_are_tied_by_groups():
    group = np.repeat([f"g{k}" for k in range(15)], 20)  # five groups in dev: 18 mistakes of one of them say little
    for name, wrong in (("few", 0), ("many", 18)):
        og.read_predictions({**predictions(wrong), "group": group}, name=name, quiet=True)
    assert {row["name"]: row["on dev"] for row in og.list("runs").rows} == {"few": "best", "many": "= best"}
