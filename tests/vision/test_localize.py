"""Localization from a target to pixels of the original picture, judged by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from orthogon.data.augment import Augmentation
from orthogon.data.changes import Changes
from orthogon.data.columns import CategoryColumn, ImageColumn
from orthogon.data.dataset import Dataset
from orthogon.data.shapes import POINTS, shapes
from orthogon.data.target_columns import BoxColumn, ObjectColumn, PointsColumn
from orthogon.draw.objects import PREDICTED, TRUE, draw_object
from orthogon.errors import DataError, RecipeError
from orthogon.tasks.infer import as_target, infer_task
from orthogon.train.compute import Compute
from orthogon.train.evaluate import as_rows, metrics_document, predict
from orthogon.train.rows import Rows
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.localization_baseline import MeanBox
from orthogon.vision.localization_metrics import localization_metrics
from orthogon.vision.localize import Localize, mirrored_name

CPU = torch.device("cpu")
NAN = np.nan


def pictures(count: int = 8, height: int = 40, width: int = 60) -> ImageColumn:
    return ImageColumn(np.random.default_rng(0).integers(0, 255, (count, 1, height, width), dtype=np.uint8))


def boxes(count: int = 8, seed: int = 1) -> np.ndarray:
    draw = np.random.default_rng(seed)
    low = draw.uniform([0, 0], [30, 20], (count, 2))
    return np.concatenate([low, low + draw.uniform(5, 20, (count, 2))], axis=1)


def dataset(target: Any, count: int = 8) -> Dataset:
    return Dataset("test", {"image": pictures(count), "object": target}, "object",
                   np.array([f"r{row}" for row in range(count)]))


def whole() -> ObjectColumn:
    """Eight objects of two classes with two points; the third picture is empty, of the fourth a point is hidden."""
    places = boxes()
    points = np.stack([places[:, :2] + 1, places[:, 2:] - 1], axis=1)
    places[2], points[2], points[3, 1] = NAN, NAN, NAN
    labels = CategoryColumn(np.array([0, 1, -1, 0, 1, 0, 1, 0]), ["cat", "dog"])
    return ObjectColumn(BoxColumn(places), labels, PointsColumn(points, ["left ear", "right ear"]))


def ready(data: Dataset, fit: str = "letterbox", size: int | None = 32, augment: Augmentation | None = None,
          **settings: Any) -> Localize:
    task = Localize(TaskSettings(**settings), DataSettings(image_size=size, fit=fit), augment)
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


class Says(nn.Module):
    """Gives the same outputs whatever it sees."""

    def __init__(self, outputs: torch.Tensor) -> None:
        super().__init__()
        self.outputs = nn.Parameter(outputs)

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return self.outputs


def oracle(task: Localize) -> Says:
    """A network that says the truth."""
    truth = task.layout.unpack(torch.from_numpy(task.packed_targets(np.arange(8))))
    said = []
    if task.layout.absent:
        said.append(torch.where(truth.present, 20.0, -20.0)[:, None])
    if task.layout.classes > 1:
        said.append(40.0 * torch.nn.functional.one_hot(truth.code.clamp(min=0), task.layout.classes))
    if truth.box is not None:
        said.append(task.layout.standardized_box(truth.box))
    if truth.points is not None:
        said.append(task.layout.standardized_points(truth.points).flatten(1))
    return Says(torch.cat(said, dim=1).nan_to_num(0))


def rows_of(task: Localize, data: Dataset, model: nn.Module) -> Rows:
    every = np.arange(len(data))
    return as_rows(task, data, every, "dev", predict(task, model, every, Compute(CPU)))


def values(task: Localize, rows: Rows) -> dict[str, float]:
    return {name: each["value"] for name, each in metrics_document(task, rows).items()}


@pytest.mark.parametrize("fit", ["crop", "letterbox", "stretch"])
def test_a_network_that_says_the_truth_is_right_in_pixels_of_the_original(fit):
    data = dataset(whole())
    task = ready(data, fit)
    rows = rows_of(task, data, oracle(task))
    np.testing.assert_allclose(rows["box"], whole().boxes.values, atol=1e-3)
    np.testing.assert_allclose(rows["points"].reshape(-1, 2, 2)[[0, 1, 4]], whole().points.values[[0, 1, 4]], atol=1e-3)
    assert rows.classes == ("cat", "dog", "no object")
    assert rows["prediction"].tolist() == rows["target"].tolist() == [0, 1, 2, 0, 1, 0, 1, 0]
    assert values(task, rows) == pytest.approx({"iou": 1, "iou_50": 1, "point_error": 0, "accuracy": 1, "error": 0},
                                               abs=1e-4)
    assert rows["score"].tolist() == pytest.approx([1] * 8, abs=1e-4)
    assert rows["right"].all()
    assert np.isnan(rows["iou"]).tolist() == [False, False, True, False, False, False, False, False]
    assert metrics_document(task, rows)["iou"]["n"] == 7
    np.testing.assert_allclose(rows["loss"], 0, atol=1e-5)


def test_an_empty_picture_that_is_told_full_and_a_full_one_told_empty_score_nothing():
    data = dataset(whole())
    task, model = ready(data), None
    model = oracle(task)
    with torch.no_grad():
        model.outputs[[0, 2], 0] *= -1
    rows = rows_of(task, data, model)
    assert rows["prediction"][[0, 2]].tolist()[0] == 2
    assert rows["score"][[0, 2]].tolist() == [0, 0]
    assert rows["right"].tolist() == [False, True, False, True, True, True, True, True]
    assert np.isnan(rows["box"][0]).all()
    assert rows["iou"][0] == 0
    assert rows["point_error"][0] == 1
    assert values(task, rows)["iou"] == pytest.approx(6 / 7, abs=1e-4)
    np.testing.assert_allclose(rows["probabilities"].sum(axis=1), 1, atol=1e-6)


def test_the_wrong_class_in_the_right_box_has_no_score_but_its_iou():
    data = dataset(whole())
    task = ready(data)
    model = oracle(task)
    with torch.no_grad():
        model.outputs[1, 1:3] = model.outputs[1, [2, 1]]
    rows = rows_of(task, data, model)
    assert rows["score"][1] == 0
    assert not rows["right"][1]
    assert rows["iou"][1] == pytest.approx(1, abs=1e-4)


def test_of_one_class_in_every_picture_only_the_box_is_said():
    data = dataset(ObjectColumn(BoxColumn(boxes())))
    task = ready(data)
    assert task.spec.outputs == 4
    assert task.classes == ()
    rows = rows_of(task, data, oracle(task))
    np.testing.assert_allclose(rows["target"], boxes(), rtol=1e-6)
    np.testing.assert_allclose(rows["prediction"], boxes(), atol=1e-3)
    assert set(values(task, rows)) == {"iou", "iou_50"}
    assert "probabilities" not in rows.values


def test_points_alone_are_judged_by_their_distance():
    points = np.stack([boxes()[:, :2], boxes()[:, 2:]], axis=1)
    data = dataset(ObjectColumn(points=PointsColumn(points, ["a", "b"])))
    task = ready(data)
    model = oracle(task)
    rows = rows_of(task, data, model)
    assert values(task, rows) == pytest.approx({"point_error": 0}, abs=1e-4)
    assert rows["score"].tolist() == [1] * 8
    with torch.no_grad():  # point a of the first picture a fifth of the diagonal to the right, in the original
        diagonal = np.linalg.norm(points[0, 1] - points[0, 0])
        model.outputs[0, 0] += 0.2 * diagonal / 60 / task.layout.std[0]
    rows = rows_of(task, data, model)
    assert rows["point_error"][0] == pytest.approx(0.1, abs=1e-3)  # the mean over both points
    assert rows["score"][0] == 0.5
    assert not rows["right"][0]


def test_point_errors_may_be_told_in_the_distance_of_two_points():
    column = whole()
    data = dataset(column)
    task = ready(data, point_scale=("left ear", "right ear"))
    model = oracle(task)
    between = np.linalg.norm(column.points.values[0, 1] - column.points.values[0, 0])
    with torch.no_grad():
        model.outputs[0, 7] += 0.5 * between / 60 / task.layout.std[4]
    rows = rows_of(task, data, model)
    assert rows["point_error"][0] == pytest.approx(0.25, abs=1e-3)
    assert np.isnan(rows["point_error"][3])  # one of the two is not visible: no distance to tell it in
    with pytest.raises(RecipeError, match="left ear, right ear"):
        ready(data, point_scale=("left ear", "nose"))


def test_row_20_12_a_box_is_correct_from_an_overlap_of_a_half():
    iou = np.array([0.49, 0.5, 0.51, NAN, 1.0])
    rows = Rows("dev", np.arange(5).astype(str), {"iou": iou, "target": np.zeros(5), "prediction": np.zeros(5)})
    found = {metric.name: metric for metric in localization_metrics(True, False, False)}
    assert found["iou_50"].value(rows) == 0.75
    assert found["iou_50"].estimate(rows).n == 4
    assert found["iou"].value(rows) == pytest.approx(0.625)
    assert found["iou"].higher_is_better
    nothing = rows.take(np.array([3]))
    assert np.isnan(found["iou"].value(nothing))
    assert "no picture has an object" in found["iou"].estimate(nothing).method


def test_the_loss_is_the_weighted_sum_of_its_parts_each_over_its_own_count():
    data = dataset(whole())
    task = ready(data, loss="log_likelihood", loss_weights={"class": 0.1, "box": 0.9})
    batch = task.batch(torch.arange(8))
    loss = task.loss(Says(torch.zeros(8, task.spec.outputs)), batch)
    parts = {part.name: part for part in loss.parts}
    assert {name: (part.weight, part.count) for name, part in parts.items()} == {
        "object": (1.0, 8.0), "class": (0.1, 7.0), "box": (0.9, 7.0), "points": (1.0, 7.0)}
    assert task.counts(batch) == {"object": 8.0, "class": 7.0, "box": 7.0, "points": 7.0}
    assert parts["object"].sum.item() == pytest.approx(8 * np.log(2), rel=1e-5)
    assert parts["class"].sum.item() == pytest.approx(7 * np.log(2), rel=1e-5)
    # The mean box costs one standard deviation each on average, by the definition of the standard deviation.
    assert parts["box"].sum.item() / 7 == pytest.approx(1, rel=1e-4)
    halves = [task.loss(Says(torch.zeros(4, task.spec.outputs)), task.batch(rows)).parts
              for rows in torch.arange(8).split(4)]
    for name, part in parts.items():
        assert sum(each.sum.item() for half in halves for each in half if each.name == name) == pytest.approx(
            part.sum.item(), rel=1e-5)


def test_weights_of_examples_count():
    data = dataset(whole())
    heavy = Dataset("test", data.columns, "object", data.ids, weight=np.array([2.0, *[1.0] * 7]))
    task = ready(heavy)
    assert task.counts(task.batch(torch.arange(8)))["box"] == 8.0
    alone = task.loss(Says(torch.zeros(1, task.spec.outputs)), task.batch(torch.tensor([0])))
    plain = ready(data).loss(Says(torch.zeros(1, task.spec.outputs)), ready(data).batch(torch.tensor([0])))
    assert [part.sum.item() for part in alone.parts] == pytest.approx([2 * part.sum.item() for part in plain.parts])


def test_the_loss_is_that_of_overlap_where_none_is_named():
    assert Localize(TaskSettings(), DataSettings()).loss_name == "giou"
    assert Localize(TaskSettings(loss="squared"), DataSettings()).loss_name == "squared"


def test_unknown_parts_losses_and_class_weights_are_refused():
    with pytest.raises(RecipeError, match="no part 'boxes'"):
        Localize(TaskSettings(loss_weights={"boxes": 1.0}), DataSettings())
    with pytest.raises(RecipeError, match="no loss 'absolute'"):
        Localize(TaskSettings(loss="absolute"), DataSettings())
    with pytest.raises(RecipeError, match="weights of classes"):
        Localize(TaskSettings(class_weights="balanced"), DataSettings())


def test_an_object_of_a_class_that_training_has_not_seen_is_refused():
    data = dataset(whole())
    task = Localize(TaskSettings(), DataSettings(image_size=32))
    task.fit(data, np.array([0, 2, 3, 5]))
    task.attach(data, CPU)
    assert task.classes == ("cat", "no object")
    with pytest.raises(DataError, match="3 pictures are of a class that training has not seen"):
        task.targets(np.arange(8))
    assert task.targets(np.array([0, 2])).tolist() == [0, 1]
    task.fit(data, np.array([0, 1, 3, 4]))
    task.attach(data, CPU)
    with pytest.raises(DataError, match="1 pictures are empty, which is something that training has not seen"):
        task.targets(np.arange(8))


def test_a_saved_task_says_the_same_of_new_pictures_without_targets():
    data = dataset(whole())
    task = ready(data)
    again = Localize(TaskSettings(), DataSettings(image_size=32, fit="letterbox"))
    again.load_state(task.state())
    new = Dataset("new", {"image": data.columns["image"]}, None, data.ids)
    again.attach(new, CPU)
    found = predict(again, oracle(task), np.arange(8), Compute(CPU))
    told = again.decode(found)
    assert told[0]["label"] == "cat"
    assert told[0]["box"] == pytest.approx(whole().boxes.values[0].tolist(), abs=1e-3)
    assert told[0]["points"]["left ear"] == pytest.approx(whole().points.values[0, 0].tolist(), abs=1e-3)
    assert told[2]["label"] == "no object"
    assert told[2]["box"] is None
    assert told[2]["points"] is None
    assert told[1]["probability"] == pytest.approx(told[1]["probabilities"]["dog"])


def test_the_mean_box_is_the_mean_box():
    data = dataset(ObjectColumn(BoxColumn(boxes())))
    task = ready(data, "stretch")
    baseline = MeanBox()
    baseline.fit(task, np.arange(8))
    found = baseline.results(task, np.arange(8))
    np.testing.assert_allclose(found["box"], np.tile(boxes().mean(axis=0), (8, 1)), rtol=1e-4)
    assert 0 < found["iou"].mean() < 1


def test_the_baseline_says_the_most_frequent_class():
    data = dataset(whole())
    task = ready(data)
    baseline = MeanBox()
    baseline.fit(task, np.arange(8))
    assert baseline.results(task, np.arange(8))["prediction"].tolist() == [0] * 8


def test_row_20_03_in_a_mirrored_picture_left_and_right_change_names():
    data = dataset(whole())
    task = ready(data, "stretch")
    batch = task.batch(torch.tensor([0]))
    before = task.layout.unpack(batch.target)
    changes = Changes((32, 32), maps=torch.tensor([[[-1.0, 0, 32], [0, 1, 0]]]), mirrored=torch.tensor([True]),
                      reach=0)
    after = task.layout.unpack(task._following(batch, changes).target)
    left, top, right, bottom = before.box[0].tolist()
    assert after.box[0].tolist() == pytest.approx([32 - right, top, 32 - left, bottom], abs=1e-4)
    assert after.points[0, 0].tolist() == pytest.approx([32 - before.points[0, 1, 0].item(),
                                                         before.points[0, 1, 1].item()], abs=1e-4)
    assert [mirrored_name(name) for name in ("left_eye", "Right", "nose", "upper left")] == [
        "right_eye", "left", "nose", "upper right"]


def test_an_object_that_has_left_the_picture_is_no_object():
    data = dataset(whole())
    task = ready(data, "stretch")
    batch = task.batch(torch.tensor([0, 1]))
    away = torch.tensor([[[1.0, 0, 60], [0, 1, 0]], [[1, 0, 0], [0, 1, 0]]])
    after = task.layout.unpack(task._following(batch, Changes((32, 32), maps=away)).target)
    assert after.code.tolist() == [-1, 1]
    assert after.box[0].isnan().all()
    assert after.points[0].isnan().all()
    assert not after.box[1].isnan().any()


def test_a_column_of_boxes_or_points_is_a_target_by_itself():
    for column in (BoxColumn(boxes()), PointsColumn(boxes().reshape(8, 2, 2), ["a", "b"])):
        data = dataset(column)
        assert infer_task(data) == "localize"
        assert isinstance(as_target(data, "localize").target_column(), ObjectColumn)
    assert as_target(dataset(whole()), "classify").target_column().kind == "category"
    with pytest.raises(DataError, match="does not fit --task localize"):
        as_target(dataset(CategoryColumn(np.zeros(8), ["a"])), "localize")


def test_shapes_are_the_same_each_time_and_their_corners_lie_in_their_boxes():
    first, second = shapes(60), shapes(60)
    assert first.content_hash() == second.content_hash()
    column = first.target_column()
    assert column.points.names == POINTS
    points, box = column.points.values[column.present], column.boxes.values[column.present]
    np.testing.assert_allclose(np.nanmin(points, axis=1), box[:, :2], atol=1e-4)
    np.testing.assert_allclose(np.nanmax(points, axis=1), box[:, 2:], atol=1e-4)
    assert (box >= 0).all()
    assert (box <= 64).all()
    assert 0 < (~column.present).mean() < 0.3


def test_row_20_03_corners_of_shapes_go_round_in_one_order():
    """Seen from the middle towards the tip, left is to the left: tip, left, right go one way round in every picture."""
    points = shapes(80).target_column().points.values
    tip, left, right = (points[:, POINTS.index(name)] for name in ("tip", "left", "right"))
    a, b = left - tip, right - tip
    turn = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    assert (turn[~np.isnan(turn)] < 0).all()


def test_what_is_true_and_what_was_predicted_are_drawn_where_they_are():
    picture = np.zeros((64, 64, 1), np.uint8)
    drawn = draw_object(picture, np.array([10, 10, 30, 30]), np.array([40, 40, 60, 60]), np.array([[50, 10]]),
                        np.array([[10, 50], [NAN, NAN]]))
    assert drawn.shape == (320, 320, 3)
    colors = {name: tuple(int(text[k : k + 2], 16) for k in (1, 3, 5)) for name, text in
              (("true", TRUE), ("predicted", PREDICTED))}
    at = {name: np.argwhere((drawn == color).all(axis=2)) / 5 for name, color in colors.items()}
    assert at["true"][:, 0].max() < 32
    assert at["predicted"][:, 0].min() > 38
    assert tuple(drawn[50, 250]) == colors["true"]
    assert tuple(drawn[250, 50]) == colors["predicted"]
    empty = draw_object(picture, np.full(4, NAN), None, None, None)
    assert not empty.any()
