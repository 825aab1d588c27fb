"""What tasks share that learn from inputs alone: labels are carried along, and never learnt from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers_tasks import CPU, table

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.nn.spec import ModelSpec
from orthogon.strategy.paired import compare_rows
from orthogon.tasks.metrics import mean_metric
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, metrics_document, predict
from orthogon.train.rows import Rows
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Loss, Metric, Part


class Length(Unlabelled):
    """The length of each input, and, when all are known, whether it is the longest."""

    name = "length"

    def _outputs(self):
        return 1

    def _metrics(self):
        return (mean_metric("length", lambda rows: rows["prediction"], higher_is_better=False),
                mean_metric("longest", lambda rows: rows["longest"], "rate", needs="longest"),
                Metric("range", lambda rows: mean_metric("", lambda r: r["loss"], best=np.inf).estimate(rows),
                       lambda rows: float(np.ptp(rows["prediction"])), best=np.inf))

    def loss(self, model, batch, carried=None):
        return Loss((Part("loss", 1.0, model(*batch.inputs).sum(), self.counts(batch)["loss"]),))

    def results(self, model, batch):
        length = model(*batch.inputs)
        return self._with_weight({"prediction": length, "loss": length}, batch)

    def together(self, results, rows):
        return {**results, "longest": (results["prediction"] == results["prediction"].max()).astype(np.float32),
                "row": rows}

    def decode(self, results):
        return [{"length": value} for value in results["prediction"].tolist()]


class Norm(torch.nn.Module):
    def forward(self, x, *others):
        return x.norm(dim=1)


def letters(count: int = 60, levels: str = "abc") -> Dataset:
    return table(CategoryColumn(np.arange(count) % len(levels), list(levels)))


def ready(data: Dataset) -> Length:
    task = Length(TaskSettings(), DataSettings())
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


def test_batches_hold_no_label_and_rows_hold_its_code():
    data = letters()
    task = ready(data)
    assert task.batch(torch.arange(10)).target is None
    assert (task.labels, task.classes) == (("a", "b", "c"), ())
    np.testing.assert_array_equal(task.targets(np.array([4, 0, 2])), [1, 0, 2])


@pytest.mark.parametrize("data", [
    replace(letters(), target=None),
    table(NumberColumn(np.arange(60.0))),
], ids=["no target", "a number as target"])
def test_without_classes_labels_are_unknown(data):
    task = ready(data)
    assert task.labels == ()
    np.testing.assert_array_equal(task.targets(np.arange(3)), [-1, -1, -1])


def test_other_data_has_its_labels_in_the_order_of_those_known_and_may_have_none():
    task = ready(letters(levels="abc"))
    other = Length(TaskSettings(), DataSettings())
    other.load_state(task.state())
    other.attach(letters(levels="cxb"), CPU)  # the levels of another file
    np.testing.assert_array_equal(other.targets(np.arange(4)), [2, -1, 1, 2])
    data = letters()
    other.attach(replace(data, columns={name: data.columns[name] for name in ("x", "k")}, target=None), CPU)
    np.testing.assert_array_equal(other.targets(np.arange(2)), [-1, -1])


def test_examples_count_by_their_weights():
    data = replace(letters(), weight=np.arange(60.0))
    task = ready(data)
    assert task.counts(task.batch(torch.tensor([2, 5]))) == {"loss": 7.0}
    assert ready(letters()).counts(ready(letters()).batch(torch.tensor([2, 5]))) == {"loss": 2.0}


def test_one_input_of_the_right_kind_is_asked_for():
    task = ready(letters())
    with pytest.raises(DataError, match="length takes one input of kind image or number; there are number, category"):
        task.only_input(("image", "number"))
    data = letters()
    alone = ready(replace(data, columns={name: data.columns[name] for name in ("x", "y")}))
    alone.only_input(("image", "number"))
    with pytest.raises(DataError, match="one input of kind image; there are number"):
        alone.only_input(("image",))


def test_results_that_need_all_examples_are_added_after_the_last_batch():
    """`Task.together` sees an evaluation whole, whatever its batches were."""
    task, chosen = ready(letters()), np.arange(50, 4, -1)
    found = predict(task, Norm(), chosen, Compute(CPU), batch_size=7)
    assert found["longest"].sum() == 1
    assert found["longest"].argmax() == found["prediction"].argmax()
    np.testing.assert_array_equal(found["row"], chosen)


def test_models_are_compared_by_the_first_metric_and_means_by_their_values():
    task, data, index = ready(letters()), letters(), np.arange(60)
    assert task.compared_by.name == "length"
    first = as_rows(task, data, index, "dev", predict(task, Norm(), index, Compute(CPU)))
    shorter = Rows("dev", first.ids, {**first.values, "prediction": first["prediction"] - 0.5 - 0.01 * (index % 5)})
    gain = compare_rows(first, shorter, task.compared_by)
    assert (gain.metric, gain.direction) == ("length", -1.0)
    assert gain.difference == pytest.approx(-0.52)
    assert gain.paired.verdict == "better"
    assert gain.paired.low < -0.52 < gain.paired.high < -0.51
    other = compare_rows(first, shorter, task.metrics[2])
    assert other.paired.method.startswith("paired bootstrap")
    assert other.metric == "range"


def test_weights_count_in_a_comparison_of_means():
    index = np.arange(40)
    values = {"target": np.full(40, -1), "loss": np.zeros(40), "weight": np.where(index < 10, 3.0, 1.0)}
    first, second = (Rows("dev", index.astype(str), {**values, "prediction": level * (index < 10) + 0.001 * index})
                     for level in (0.0, 1.0))
    metric = mean_metric("length", lambda rows: rows["prediction"], best=np.inf)
    assert compare_rows(first, second, metric).difference == pytest.approx(30 / 60)


def test_metrics_that_need_a_column_are_left_out_without_it():
    task, data, index = ready(letters()), letters(), np.arange(60)
    rows = as_rows(task, data, index, "dev", predict(task, Norm(), index, Compute(CPU)))
    assert set(metrics_document(task, rows)) == {"length", "longest", "range"}
    fewer = Rows("dev", rows.ids, {name: rows[name] for name in ("target", "prediction", "loss")})
    assert set(metrics_document(task, fewer)) == {"length", "range"}


def test_rows_without_an_answer_are_told_from_numbers_and_classes():
    ids = np.array(["a", "b"])
    codes, numbers = np.array([-1, 2]), np.array([1.0, np.nan])
    assert not Rows("dev", ids, {"target": codes}).answers
    assert Rows("dev", ids, {"target": numbers}).answers
    assert Rows("dev", ids, {"target": codes}, ("no", "yes")).answers


def test_the_spec_asks_for_numbers_unless_the_input_is_rebuilt():
    spec = ready(letters()).spec
    assert (spec.rebuilds, spec.output_shape) == (False, (1,))
    assert ModelSpec(spec.inputs[:1], 5, rebuilds=True).output_shape == (3,)
