"""Predictions of a model that was trained anywhere, as a run."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, brier_score_loss, f1_score, log_loss, roc_auc_score

import orthogon as og
from orthogon.data.ledger import Ledger
from orthogon.errors import DataError, RunError
from orthogon.report.view import View
from orthogon.strategy.dev_ledger import DevLedger, key_of
from orthogon.verbs.predictions_table import parse, table_of
from orthogon.verbs.read_predictions import examples_of
from orthogon.verbs.task_of import metric_of


def read(table, **options):
    return og.read_predictions(table, **{"quiet": True, "out": "runs", **options})


def parsed(source, **options):
    """What is read of it, without making a run."""
    frame, where, folder = table_of(source)
    return parse(frame, where, folder=folder, **options)


def kinds(findings):
    return {finding.kind: finding.what for finding in findings}


def table(n=60, **columns):
    """Right in all but every tenth row; half train, half dev; classes "no" and "yes"."""
    target = np.array(["no", "yes"])[np.arange(n) % 2]
    prediction = target.copy()
    prediction[::10] = np.where(target[::10] == "no", "yes", "no")
    return {"id": np.array([f"e{k}" for k in range(n)]), "split": np.array(["train", "dev"])[np.arange(n) // (n // 2)],
            "target": target, "prediction": prediction, **columns}


def written(columns, name="preds.csv"):
    pl.DataFrame(columns).write_csv(name)
    return name


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """A logistic regression on the digits: the folder of its CSV, the table, and the fitted model's test figures."""
    folder, data = tmp_path_factory.mktemp("digits"), load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    split = np.empty(len(order), dtype="U5")
    split[order[:900]], split[order[900:1300]], split[order[1300:]] = "train", "valid", "test"
    x = data.data / 16
    model = LogisticRegression(max_iter=200).fit(x[split == "train"], data.target[split == "train"])
    p = model.predict_proba(x)
    frame = pl.DataFrame({"id": [f"d{k}" for k in range(len(order))], "split": split, "target": data.target,
                          "prediction": model.predict(x), **{f"p_{k}": p[:, k] for k in range(10)}})
    frame.write_csv(folder / "sklearn.csv")
    return folder, frame, og.read_predictions(folder / "sklearn.csv", out=folder / "runs", quiet=True)


def test_figures_are_those_of_scikit_learn(digits):
    _, frame, run = digits
    dev = frame.filter(pl.col("split") == "valid")
    y, p = dev["target"].to_numpy(), dev.select(pl.col("^p_.*$")).to_numpy()
    found = {name: each["value"] for name, each in run.result["splits"]["dev"]["metrics"].items()}
    assert found["accuracy"] == pytest.approx(accuracy_score(y, dev["prediction"]))
    assert found["macro_f1"] == pytest.approx(f1_score(y, dev["prediction"], average="macro"))
    assert found["cross_entropy"] == pytest.approx(log_loss(y, p), rel=1e-4)
    assert found["roc_auc"] == pytest.approx(roc_auc_score(y, p, multi_class="ovr"), abs=1e-6)
    assert found["brier"] == pytest.approx(np.square(p - np.eye(10)[y]).sum(axis=1).mean(), rel=1e-5)
    assert run.result["splits"]["train"]["n"] == 900


def test_the_run_looks_like_one_that_was_trained(digits):
    folder, _, run = digits
    assert run.name == "sklearn-1"
    assert run.result["foreign"] is True
    assert run.foreign
    assert run.result["task"] == "classify"
    assert run.result["verdict"]
    assert run.recipe().data.source == str(folder / "sklearn.csv")
    assert run.rows("dev").classes == tuple("0123456789")
    assert metric_of(run).name == "accuracy"
    assert {"dev", "test", "train", "majority.dev", "majority.test"} == set(run.evaluations())
    assert View(run).splits.keys() == {"train", "dev", "test"}
    assert "sklearn-1" in (run.path / "report.html").read_text()


def test_what_reads_runs_reads_it(digits):
    folder, _, run = digits
    assert "accuracy" in str(og.evaluate(run))
    assert og.report(run).stat().st_size > 10_000
    assert og.list("runs", root=folder / "runs").names == ["sklearn-1"]


@pytest.mark.parametrize("needs_weights", [
    lambda run: og.load(run), lambda run: og.predict(run, ["a.png"]), lambda run: og.train(resume=run, quiet=True),
    lambda run: og.summary(run), lambda run: og.evaluate(run, "other.csv"),
])
def test_what_needs_weights_says_why_not(digits, needs_weights):
    Path("other.csv").write_text("a,target\n1,2\n")
    with pytest.raises(RunError, match="trained elsewhere, not its weights"):
        needs_weights(digits[2])


def test_the_test_set_is_looked_at_once():
    columns = table(90)
    columns["split"] = np.repeat(["train", "dev", "test"], 30)
    first, second = read(columns), read(columns)
    assert "test" in first.result["splits"]
    assert "test" not in second.result["splits"]
    assert "sealed" in second.result["test"]["sentence"]
    third = read(columns, test=True)
    assert "test" in third.result["splits"]
    assert len(Ledger("runs").looks(third.read_json("passport.json")["test_key"])) == 2


def test_dev_answers_stand_in_the_ledger_of_dev():
    run = read(table())
    (trial,) = DevLedger("runs").trials(key_of(run.rows("dev")))
    assert (trial.run, trial.n, trial.right()) == (run.name, 30, 27)


# --- spellings -------------------------------------------------------------------------------------------------


def test_the_majority_of_train_stands_beside_it():
    target = np.array(["a"] * 40 + ["b"] * 20 + ["b"] * 20 + ["a"] * 10)
    run = read({"id": np.arange(90), "split": ["train"] * 60 + ["dev"] * 30, "target": target, "prediction": target})
    assert run.result["baseline"]["majority"]["dev"]["metrics"]["accuracy"]["value"] == pytest.approx(1 / 3)
    (comparison,) = run.result["comparisons"]
    assert comparison["advantage"] == pytest.approx(2 / 3)
    assert comparison["verdict"] == "better"


def test_one_probability_is_that_of_the_second_class():
    columns = table()
    p = np.where(columns["prediction"] == "yes", 0.9, 0.2)
    del columns["prediction"]
    rows = parsed({**columns, "probability": p}).parts["dev"]
    assert rows.classes == ("no", "yes")
    np.testing.assert_allclose(rows["probabilities"], np.column_stack([1 - p, p])[30:], atol=1e-6)
    np.testing.assert_array_equal(rows["prediction"], p[30:] > 0.5)
    hit = rows["probabilities"][np.arange(30), rows["target"]]
    np.testing.assert_allclose(rows["loss"], -np.log(hit), rtol=1e-5)
    np.testing.assert_array_equal(rows["score"], rows["prediction"] == rows["target"])


def test_one_probability_may_be_that_of_the_first_class():
    columns = table()
    p = np.where(columns["prediction"] == "no", 0.9, 0.2)
    run = read({**columns, "probability": p}, positive="no")
    assert run.result["splits"]["dev"]["metrics"]["accuracy"]["value"] == pytest.approx(0.9)
    y = columns["target"][30:] == "no"
    brier = run.result["splits"]["dev"]["metrics"]["brier"]["value"]
    assert brier == pytest.approx(brier_score_loss(y, p[30:]), rel=1e-5)
    assert run.recipe().task.positive == "no"


def test_the_positive_class_is_the_rarer_one_of_train():
    columns = table()
    columns["target"] = np.repeat(["no", "yes", "no", "yes"], [20, 10, 5, 25])
    assert parsed(columns).positive == "yes"
    columns["target"] = np.repeat(["no", "yes", "no", "yes"], [10, 20, 25, 5])
    assert parsed(columns).positive == "no"
    assert parsed(table()).positive == "yes"  # as frequent: the second


def test_a_list_of_probabilities_as_json_and_as_a_block_is_the_same():
    columns = table()
    p = np.where((columns["prediction"] == "yes")[:, None], [0.3, 0.7], [0.8, 0.2])
    pl.DataFrame({**columns, "probabilities": p.tolist()}).write_parquet("p.parquet")
    as_json = written({**columns, "probabilities": [json.dumps(each) for each in p.tolist()]})
    for source in (as_json, "p.parquet", {**columns, "probabilities": p}):
        np.testing.assert_allclose(parsed(source).parts["dev"]["probabilities"], p[30:], atol=1e-6)


def test_columns_of_probabilities_are_put_in_the_order_of_the_classes():
    columns = table()
    p = np.where(columns["prediction"] == "yes", 0.7, 0.2)
    rows = parsed({**columns, "probability_yes": p, "probability_no": 1 - p}).parts["dev"]
    assert rows.classes == ("no", "yes")
    np.testing.assert_allclose(rows["probabilities"][:, 1], p[30:], atol=1e-6)


def test_a_class_without_a_column_of_probabilities_has_none():
    columns = table()
    columns["target"] = columns["target"].astype("U5")
    columns["target"][40] = "maybe"
    p = np.where(columns["prediction"] == "yes", 0.7, 0.2)
    found = parsed({**columns, "p_yes": p, "p_no": 1 - p})
    rows = found.parts["dev"]
    assert rows.classes == ("maybe", "no", "yes")
    assert rows["loss"][10] == pytest.approx(-np.log(1e-7), rel=1e-3)
    assert kinds(found.findings)["unseen-class"] == "dev holds 'maybe', which train never does"


def test_whole_numbers_are_labels_where_every_prediction_is_one_and_this_is_said():
    columns = table(target=np.arange(60) % 3, prediction=np.arange(60) % 3)
    found = parsed(written(columns))
    assert found.task == "classify"
    assert found.parts["dev"].classes == ("0", "1", "2")
    assert "--task regress" in found.findings[0].remedy or "--task regress" in found.findings[1].remedy
    assert parsed(columns, task="regress").task == "regress"
    assert parsed({**columns, "prediction": np.arange(60) % 3 + 1}).task == "regress"


def test_labels_written_as_decimals_are_the_same_classes():
    columns = table(target=[f"{k % 2}.0" for k in range(60)], prediction=[str(k % 2) for k in range(60)])
    rows = parsed(written(columns), task="classify").parts["dev"]
    assert rows.classes == ("0", "1")
    assert rows["score"].all()


def test_numbers_are_regression():
    target = np.random.default_rng(0).normal(size=60) * 3
    run = read(written(table(target=target, prediction=target + 1)))
    assert (run.result["task"], run.result["metric"]) == ("regress", "rmse")
    assert run.result["splits"]["dev"]["metrics"]["rmse"]["value"] == pytest.approx(1)
    np.testing.assert_allclose(run.rows("dev")["loss"], 1 / target[:30].var())
    mean = run.result["baseline"]["mean"]["dev"]["metrics"]["rmse"]["value"]
    assert mean == pytest.approx(np.sqrt(np.mean((target[30:] - target[:30].mean()) ** 2)))


def test_without_probabilities_what_needs_them_is_left_out_and_said():
    run = read(table())
    metrics = run.result["splits"]["dev"]["metrics"]
    assert "accuracy" in metrics
    assert not {"roc_auc", "cross_entropy", "brier"} & set(metrics)
    assert "no-probabilities" in [each["kind"] for each in run.result["findings"]]
    assert (run.path / "report.html").exists()


def test_groups_and_sources_are_kept():
    rows = parsed(table(group=np.repeat([f"g{k}" for k in range(12)], 5), source=np.repeat("web", 60))).parts["dev"]
    assert rows.group is not None
    assert rows.source is not None
    assert (rows.group[0], set(rows.source)) == ("g6", {"web"})


def test_pictures_and_texts_are_kept_with_the_run():
    from PIL import Image

    Path("faces").mkdir()
    for k in range(60):
        Image.new("L", (10, 8), k * 4).save(f"faces/{k}.png")
    run = read(written(table(picture=[f"faces/{k}.png" for k in range(60)], text=[f"text {k}" for k in range(60)])))
    assert run.rows("dev")["picture"][0] == str(Path("faces/30.png").resolve())
    assert run.result["data"]["noun"] == "pictures"
    shown = run.read_json("shown.json")
    assert shown["e30"]["picture"].startswith("data:image/png;base64,")
    assert shown["e30"]["record"] == {"text": "text 30"}
    data = examples_of(run)
    assert len(data) == 60
    assert data.columns["picture"].cell(int(np.flatnonzero(data.ids == "e31")[0])).shape == (8, 10, 1)
    assert set(data.part) == {"train", "dev"}


def test_one_of_several_models_in_a_file():
    a, b = table(), table()
    b["prediction"] = b["target"]
    both = written({name: np.concatenate([a[name], b[name]]) for name in a} | {"model": ["svm"] * 60 + ["tree"] * 60})
    with pytest.raises(DataError, match=r"2 models \(svm, tree\)"):
        parsed(both)
    found = parsed(both, model="tree")
    assert found.model == "tree"
    assert found.parts["dev"]["score"].all()
    assert not parsed(both, model="svm").parts["dev"]["score"].all()
    with pytest.raises(DataError, match="no model 'three'"):
        parsed(both, model="three")


def test_an_unlikely_prediction_is_taken_as_it_stands_and_noted():
    columns = table()
    p = np.where(columns["prediction"] == "yes", 0.7, 0.2)
    p[0] = 0.9 - p[0]
    found = parsed({**columns, "p_yes": p, "p_no": 1 - p})
    assert "1 row (id e0)" in kinds(found.findings)["not-the-likeliest"]


# --- doubts ----------------------------------------------------------------------------------------------------


def test_small_and_missing_parts_are_warned_of():
    assert "20 examples, fewer than 30" in kinds(parsed(table(40)).findings)["small-part"]
    only_test = table()
    only_test["split"] = np.repeat("test", 60)
    said = kinds(parsed(only_test).findings)
    assert {"no-dev", "no-train"} <= set(said)
    assert "small-part" not in said


# --- faults ----------------------------------------------------------------------------------------------------


def spoiled(**changes):
    """The table with some cells of columns changed: column -> {row: value}."""
    columns = {name: np.asarray(values).astype(object) for name, values in table().items()}
    for name, cells in changes.items():
        for row, value in cells.items():
            columns[name][row] = value
    return {name: values.tolist() for name, values in columns.items()}


def test_missing_columns_are_named_all_at_once_with_what_they_hold():
    columns = table()
    renamed = {"identity": columns["id"], "split": columns["split"], "targets": columns["target"]}
    with pytest.raises(DataError) as caught:
        parsed(written(renamed))
    said = str(caught.value)
    assert said.startswith("preds.csv: there is no column 'id', 'target', 'prediction'; there are identity, split")
    assert "p_CLASS" in said
    assert "For target: Did you mean 'targets'?" in said


@pytest.mark.parametrize(("columns", "what"), [
    (lambda: spoiled(split={3: "holdout", 4: "holdout"}), "column 'split': 2 rows have the split 'holdout'"),
    (lambda: spoiled(id={1: "e0"}), r"column 'id': 1 ids occur more than once within a split \(e0\)"),
    (lambda: spoiled(id={40: "e0"}), r"column 'id': 1 ids stand in two splits \(e0\)"),
    (lambda: spoiled(id={5: None}), r"column 'id': 1 rows have no id \(rows 5, from 0\)"),
    (lambda: spoiled(target={7: None}), r"column 'target': 1 row \(id e7\) has no target"),
    (lambda: spoiled(prediction={8: None}), r"column 'prediction': 1 row \(id e8\) has no prediction"),
    (lambda: spoiled(prediction={8: "yess"}), r"1 row \(id e8\) has the prediction 'yess', which is not among"),
])
def test_faults_name_file_column_and_rows(columns, what):
    with pytest.raises(DataError, match=f"preds.csv: {what}" if "column" in what else what) as caught:
        parsed(written(columns()))
    assert caught.value.remedy
    assert "preds.csv" in str(caught.value)


def test_a_prediction_that_is_no_class_names_the_nearest():
    with pytest.raises(DataError, match="Did you mean 'yes'"):
        parsed(written(spoiled(prediction={8: "yess"})))
    three = ("no", "yes", "perhaps")
    assert parsed(written(spoiled(prediction={8: "perhaps"})), classes=three).parts["dev"].classes == three


P = np.tile([0.25, 0.75], (60, 1))


@pytest.mark.parametrize(("change", "what"), [
    ((3, [0.25, 0.74]), r"columns 'p_no', 'p_yes': .* of 1 row \(id e3\) do not sum to 1 \(they sum to 0.99"),
    ((4, [-0.25, 1.25]), r"1 row \(id e4\) has a probability outside 0 to 1"),
    ((5, [np.nan, 1.0]), r"1 row \(id e5\) has a probability that is empty or no number"),
])
def test_probabilities_that_are_none_are_told(change, what):
    p = P.copy()
    p[change[0]] = change[1]
    with pytest.raises(DataError, match=what) as caught:
        parsed(written(table(p_no=p[:, 0], p_yes=p[:, 1])))
    assert caught.value.remedy


def test_a_sum_within_a_thousandth_of_one_is_rounding():
    p = P.copy()
    p[3] = [0.25, 0.7491]
    rows = parsed(table(p_no=p[:, 0], p_yes=p[:, 1])).parts["train"]
    np.testing.assert_allclose(rows["probabilities"].sum(axis=1), 1, atol=1e-6)
    p[3] = [0.25, 0.7489]
    with pytest.raises(DataError, match="do not sum to 1"):
        parsed(table(p_no=p[:, 0], p_yes=p[:, 1]))


def test_one_probability_for_three_classes_is_refused():
    with pytest.raises(DataError, match="one column of probabilities for 3 classes"):
        parsed(table(target=[str(k % 3) for k in range(60)], prediction=[str(k % 3) for k in range(60)],
                   probability=np.full(60, 0.5)))


def test_a_confidence_is_not_taken_for_the_probability_of_a_class():
    with pytest.raises(DataError, match=r"contradicts the prediction.*\n.*--positive no"):
        parsed(table(probability=np.full(60, 0.8)))


def test_lists_of_another_length_name_the_classes():
    with pytest.raises(DataError, match=r"60 rows .* do not hold 2 numbers, one for each class \(no, yes\)"):
        parsed(table(probabilities=np.full((60, 3), 1 / 3)))


def test_numbers_that_are_none_are_told():
    target = np.arange(60) * 0.1
    prediction = [str(each) for each in target]
    prediction[9] = "high"
    with pytest.raises(DataError, match=r"column 'prediction': 1 row \(id e9\) has a prediction that is no number"):
        parsed(written(table(target=target, prediction=prediction)))


def test_a_picture_that_is_not_there_is_named():
    with pytest.raises(DataError, match=r"column 'picture': 60 rows .* such as nothing/0.png"):
        parsed(written(table(picture=[f"nothing/{k}.png" for k in range(60)])))


def test_other_faults_of_the_source():
    with pytest.raises(DataError, match="no such file"):
        parsed("nothing.csv")
    with pytest.raises(DataError, match="a int cannot be read"):
        parsed(3)
    with pytest.raises(DataError, match="unequal length"):
        parsed({"id": [1], "split": ["dev", "dev"]})
    with pytest.raises(DataError, match="'multilabel' cannot be read"):
        parsed(table(), task="multilabel")
    with pytest.raises(DataError, match="there is no class 'maybe'"):
        parsed(table(), positive="maybe")
    one = table()
    one["target"] = one["prediction"] = np.repeat("yes", 60)
    with pytest.raises(DataError, match="one class only, 'yes'"):
        parsed(one)


def test_nothing_is_left_behind_by_a_file_that_is_refused():
    with pytest.raises(DataError):
        read(written(spoiled(id={1: "e0"})))
    assert not Path("runs").exists()
