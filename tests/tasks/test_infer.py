"""Which task a target asks for; targets brought to what a task needs; what is found in them."""

import numpy as np
import pytest
from helpers_tasks import ready, table

from orthogon.data.columns import CategoryColumn, DateColumn, LabelsColumn, NumberColumn, TextColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError
from orthogon.tasks import as_target, infer_task, labelled_rows
from orthogon.tasks.classify import Classify
from orthogon.tasks.multilabel import MultiLabel
from orthogon.tasks.regress import Regress
from orthogon.train.settings import DataSettings, TaskSettings


@pytest.mark.parametrize(("column", "task"), [
    (CategoryColumn.from_values(["a", "b"]), "classify"), (NumberColumn(np.array([1.0, 2.0])), "regress"),
    (LabelsColumn(np.eye(2), "ab"), "multilabel"),
])
def test_infer(column, task):
    assert infer_task(table(column)) == task
    assert as_target(table(column), task).columns["y"] is column


def test_infer_refuses_dates():
    with pytest.raises(DataError, match="of kind date"):
        infer_task(table(DateColumn(np.array(["2020-01-01"], dtype="datetime64[us]"))))


def test_whole_numbers_as_labels():
    data = as_target(table(NumberColumn(np.array([3, 1, np.nan, 10]))), "classify")
    column = data.target_column()
    assert isinstance(column, CategoryColumn)
    assert column.levels == ("1", "3", "10")
    assert column.codes.tolist() == [1, 0, -1, 2]
    assert labelled_rows(data).tolist() == [0, 1, 3]
    with pytest.raises(DataError, match="not whole"):
        as_target(table(NumberColumn(np.array([0.5, 1.0]))), "classify")


def test_categories_as_numbers():
    column = as_target(table(CategoryColumn.from_values(["1.5", None, "2"])), "regress").target_column()
    np.testing.assert_array_equal(column.values, [1.5, np.nan, 2])
    with pytest.raises(DataError, match="not all of its values are numbers"):
        as_target(table(CategoryColumn.from_values(["a", "2"])), "regress")


@pytest.mark.parametrize("sort", [TextColumn, CategoryColumn.from_values])
def test_joined_text_as_labels(sort):
    column = as_target(table(sort(["red|round", "red", None])), "multilabel").target_column()
    assert column.names == ("red", "round")
    np.testing.assert_array_equal(column.values, [[1, 1], [1, 0], [np.nan, np.nan]])


def test_several_columns():
    columns = {"x": NumberColumn(np.arange(3.0)), "a": NumberColumn(np.array([0, 1, np.nan])),
               "b": CategoryColumn.from_values(["1", "0", "1"])}
    data = Dataset("t", columns, None, np.array(["p", "q", "r"]))
    joined = as_target(data, "multilabel", ["a", "b"])
    assert joined.target == "a+b"
    assert list(joined.inputs) == ["x"]
    np.testing.assert_array_equal(joined.target_column().values, [[0, 1], [1, 0], [np.nan, 1]])
    assert as_target(data, "regress", ["a", "x"]).target_column().names == ("a", "x")
    with pytest.raises(DataError, match="row 2 holds 2"):
        as_target(data, "multilabel", ["x", "b"])


def found(sort, column) -> set[str]:
    return {finding.kind for finding in sort(TaskSettings(), DataSettings()).check(table(column))}


def test_findings():
    assert found(Classify, CategoryColumn(np.zeros(5, int), ["a"])) == {"one-class"}
    assert found(Classify, CategoryColumn(np.array([0, 0, 1, 1, 2]), "abc")) == {"single-example-class"}
    assert found(Classify, CategoryColumn(np.arange(50), [str(i) for i in range(50)])) == {"target-id"}
    assert found(Classify, CategoryColumn(np.array([0] * 200 + [1] * 2), "ab")) == {"imbalance"}
    assert found(Classify, CategoryColumn(np.array([0, 1, 0, 1, -1]), "ab")) == {"target-missing"}
    assert found(Regress, NumberColumn(np.ones(5))) == {"target-constant"}
    assert found(Regress, NumberColumn(np.array([1, np.inf, 3]))) == {"target-infinite"}
    assert found(Regress, NumberColumn(np.arange(40) % 2)) == {"target-two-values"}
    assert found(MultiLabel, LabelsColumn(np.array([[1, 0], [1, 1]]), "ab")) == {"constant-label"}
    assert found(Classify, CategoryColumn(np.arange(10) % 2, "ab")) == set()


def test_baselines_see_only_the_rows_they_are_given():
    column = CategoryColumn(np.arange(40) % 3, "abc")
    task = ready(Classify, table(column))
    for baseline in task.baselines():
        baseline.fit(task, np.flatnonzero(column.codes < 2))
        results = baseline.results(task, np.arange(40))
        np.testing.assert_allclose(results["probabilities"].sum(axis=1), 1, rtol=1e-5)
        assert results["probabilities"][:, 2].max() < 1e-6
        assert np.isfinite(results["loss"]).all()
