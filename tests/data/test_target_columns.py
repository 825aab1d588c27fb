"""Boxes and points as columns."""

import numpy as np
import pytest

from orthogon.data.columns import CategoryColumn
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn

BOXES = np.array([[1, 2, 3, 4], [np.nan] * 4, [1, 2, 3, 4.5]])


def test_a_row_of_nan_is_no_object_and_not_missing():
    column = BoxColumn(BOXES)
    assert column.present.tolist() == [True, False, True]
    assert not column.missing().any()
    assert [column.cell(row) for row in range(3)] == ["1, 2, 3, 4", "no object", "1, 2, 3, 4.5"]


def test_a_column_of_boxes_is_cut_to_rows_and_told_apart_by_content():
    column = BoxColumn(BOXES).take(np.array([2, 0]))
    assert column.values.tolist() == [[1, 2, 3, 4.5], [1, 2, 3, 4]]
    assert len(np.unique(BoxColumn(BOXES).digests())) == 3
    assert column.values.dtype == np.float32


def test_points_have_names_and_those_not_visible_are_left_out_of_the_cell():
    column = PointsColumn(np.array([[[1, 2], [np.nan, np.nan]], [[np.nan] * 2] * 2]), ["left eye", "right eye"])
    assert column.cell(0) == "left eye 1, 2"
    assert column.cell(1) == "no point"
    assert column.missing().tolist() == [False, True]
    assert column.take(np.array([1, 0])).values.shape == (2, 2, 2)
    assert len(np.unique(column.digests())) == 2


def test_an_object_has_a_class_a_box_and_points_and_is_cut_as_one():
    labels = CategoryColumn(np.array([0, -1, 1]), ["cat", "dog"])
    points = PointsColumn(np.array([[[1.5, 2]], [[np.nan] * 2], [[2, 3]]]), ["nose"])
    column = ObjectColumn(BoxColumn(BOXES), labels, points)
    assert [column.cell(row) for row in range(3)] == ["cat; 1, 2, 3, 4; nose 1.5, 2", "no object",
                                                      "dog; 1, 2, 3, 4.5; nose 2, 3"]
    cut = column.take(np.array([2, 1]))
    assert len(cut) == 2
    assert cut.present.tolist() == [True, False]
    assert cut.labels.codes.tolist() == [1, -1]
    assert len(np.unique(column.digests())) == 3
    assert not column.missing().any()


def test_an_object_of_points_alone_is_there_where_a_point_is_seen():
    points = PointsColumn(np.array([[[1.5, 2]], [[np.nan] * 2]]), ["nose"])
    assert ObjectColumn(points=points).present.tolist() == [True, False]
    with pytest.raises(ValueError, match="its box or its points"):
        ObjectColumn(labels=CategoryColumn(np.zeros(2), ["cat"]))
