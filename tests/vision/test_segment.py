"""Segmentation: its losses by hand, its scores against scikit-learn, what is ignored, what is refused (row 17.12)."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score, jaccard_score
from torch import nn

import orthogon as og
from orthogon.data.augment import Augmentation
from orthogon.data.cells import cells
from orthogon.data.mask_files import IGNORE
from orthogon.errors import DataError, RecipeError
from orthogon.train.compute import Compute
from orthogon.train.evaluate import evaluate
from orthogon.train.randomness import Draw
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.vision.segment import Segment
from orthogon.vision.segment_baselines import CommonestClass, PixelLinear, colors
from orthogon.vision.segment_losses import Truth, class_counts, dice_loss, pixel_entropy

CODES = torch.tensor([[[0, 0, 1], [2, IGNORE, 1]], [[1, 1, 1], [1, IGNORE, IGNORE]]])
TRUTH = Truth(CODES, CODES != IGNORE)
SHARES = torch.tensor([0.7, 0.2, 0.1], dtype=torch.float64)


def constant(shares=SHARES, truth=TRUTH):
    """Log probabilities that are the same for every pixel."""
    return shares.log().view(1, -1, 1, 1).expand(len(truth.codes), -1, *truth.codes.shape[1:])


def toy(n=12, classes=3, seed=0):
    """Pictures whose grey levels tell their classes, noise added; some pixels ignored."""
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (n, 4, 5)).repeat(4, axis=1).repeat(4, axis=2).astype(np.uint8)
    pictures = np.clip(masks * 80.0 + rng.normal(20, 8, masks.shape), 0, 255).astype(np.uint8)
    masks[:, 0, :3] = IGNORE
    return og.read((pictures, masks))


def fitted(data, rows=None, **settings):
    task = Segment(TaskSettings(name="segment", **settings), DataSettings())
    task.fit(data, np.arange(len(data)) if rows is None else rows)
    task.attach(data, torch.device("cpu"))
    return task


class Planted(nn.Module):
    """Logits drawn anew from the picture alone, so that predictions are wrong in places."""

    def __init__(self, classes):
        super().__init__()
        torch.manual_seed(3)
        self.conv = nn.Conv2d(1, classes, 3, padding=1)

    def forward(self, picture):
        return 3 * self.conv(picture)


# --- losses ------------------------------------------------------------------------------------------------------


def test_cross_entropy_is_the_sum_over_known_pixels_by_hand():
    zero, one, two = -np.log([0.7, 0.2, 0.1])
    expected = [2 * zero + 2 * one + two, 4 * one]
    assert pixel_entropy(constant(), TRUTH).tolist() == pytest.approx(expected, rel=1e-12)
    weighted = pixel_entropy(constant(), TRUTH, torch.tensor([1.0, 3.0, 0.5]))
    assert weighted.tolist() == pytest.approx([2 * zero + 6 * one + two / 2, 12 * one], rel=1e-12)


def test_dice_is_over_the_classes_in_each_mask_by_hand():
    # First picture, five known pixels: 2 of class 0, 2 of class 1, 1 of class 2. Second: 4 of class 1.
    each = [2 * 2 * 0.7 / (5 * 0.7 + 2), 2 * 2 * 0.2 / (5 * 0.2 + 2), 2 * 0.1 / (5 * 0.1 + 1)]
    expected = [1 - np.mean(each), 1 - 2 * 4 * 0.2 / (4 * 0.2 + 4)]
    assert dice_loss(constant(), TRUTH).tolist() == pytest.approx(expected, rel=1e-12)


def test_a_perfect_prediction_costs_nothing_and_an_unknown_mask_too():
    logged = torch.log_softmax(100 * nn.functional.one_hot(CODES.clamp(max=2), 3).permute(0, 3, 1, 2).double(), 1)
    assert dice_loss(logged, TRUTH).tolist() == pytest.approx([0, 0], abs=1e-12)
    assert pixel_entropy(logged, TRUTH).tolist() == pytest.approx([0, 0], abs=1e-12)
    nothing = torch.full_like(CODES, IGNORE)
    assert dice_loss(constant(), Truth(nothing, nothing != IGNORE)).tolist() == [0, 0]


def test_what_stands_at_ignored_pixels_changes_no_loss_and_no_gradient():
    logits = torch.randn(2, 3, 2, 3, dtype=torch.float64)
    changed = torch.where(TRUTH.known.unsqueeze(1), logits, torch.randn_like(logits) * 5).requires_grad_()
    for loss in (pixel_entropy, dice_loss):
        there = loss(changed.log_softmax(1), TRUTH)
        assert torch.allclose(there, loss(logits.log_softmax(1), TRUTH), atol=1e-12)
        gradient, = torch.autograd.grad(there.sum(), changed)
        assert (gradient.movedim(1, -1)[~TRUTH.known] == 0).all()
        assert (gradient.movedim(1, -1)[TRUTH.known] != 0).any()


def test_pixels_are_counted_by_class():
    assert class_counts(CODES, 3).tolist() == [[2, 2, 1], [0, 4, 0]]


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 2, 12)])
@pytest.mark.parametrize("of_classes", ["none", "balanced", {"class 2": 4.0}])
def test_parts_add_up_over_micro_batches_and_counts_come_from_targets(weights, of_classes):
    data = toy()
    task = fitted(og.read(data, weight=weights), class_weights=of_classes)
    model, rows = Planted(3), torch.arange(12)
    whole = task.batch(rows)
    parts = {part.name: part for part in task.loss(model, whole).parts}
    assert list(parts) == ["cross_entropy", "dice"]
    assert [part.weight for part in parts.values()] == [0.5, 0.5]
    assert {name: part.count for name, part in parts.items()} == pytest.approx(task.counts(whole))
    pieces = [task.loss(model, task.batch(piece)).parts for piece in rows.split(5)]
    for k, part in enumerate(parts.values()):
        assert sum(piece[k].sum.item() for piece in pieces) == pytest.approx(part.sum.item(), rel=1e-5)
        assert sum(piece[k].count for piece in pieces) == pytest.approx(part.count, rel=1e-9)


def test_the_parts_are_the_means_over_pixels_and_pictures_by_weight():
    data = toy()
    weights = np.linspace(0.5, 2, 12)
    task = fitted(og.read(data, weight=weights), class_weights={"class 1": 3.0})
    model, batch = Planted(3), task.batch(torch.arange(12))
    with torch.no_grad():
        logged = model(*batch.inputs).log_softmax(1)
    parts = {part.name: part.sum.item() / part.count for part in task.loss(model, batch).parts}
    codes, known = batch.target.codes.numpy(), batch.target.known.numpy()
    pixel = np.where(known, np.array([1, 3.0, 1])[np.minimum(codes, 2)], 0) * weights[:, None, None]
    each = -np.take_along_axis(logged.numpy(), np.minimum(codes, 2)[:, None], 1)[:, 0]
    assert parts["cross_entropy"] == pytest.approx((pixel * each).sum() / pixel.sum(), rel=1e-5)
    distances = dice_loss(logged, batch.target).numpy()
    assert parts["dice"] == pytest.approx(np.average(distances, weights=weights), rel=1e-5)


def test_the_recipe_says_what_each_part_counts():
    task = fitted(toy(), loss_weights={"dice": 0.2})
    assert {part.name: part.weight for part in task.loss(Planted(3), task.batch(torch.arange(4))).parts} == {
        "cross_entropy": 0.5, "dice": 0.2}
    with pytest.raises(RecipeError, match="segment has no loss 'dise'"):
        fitted(toy(), loss_weights={"dise": 1.0})


# --- rows and scores -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def judged():
    """Rows of a planted network, with what it predicted."""
    data = toy()
    task, model = fitted(data), Planted(3)
    rows = evaluate(task, model, data, np.arange(12), "dev", Compute(torch.device("cpu")))
    with torch.no_grad():
        predicted = model(*task.batch(torch.arange(12)).inputs).argmax(1).numpy()
    codes = data.columns["mask"].codes
    return task, rows, codes, predicted


def test_scores_of_a_data_set_are_those_of_scikit_learn_over_all_known_pixels(judged):
    task, rows, codes, predicted = judged
    true, said = codes[codes != IGNORE], predicted[codes != IGNORE]
    values = {metric.name: metric.value(rows) for metric in task.metrics}
    each = jaccard_score(true, said, average=None)
    assert 0.05 < each.min() < each.max() < 0.95
    assert values["mean_iou"] == pytest.approx(each.mean(), rel=1e-9)
    assert [values[f"iou_of_{name}"] for name in task.names] == pytest.approx(each.tolist(), rel=1e-9)
    assert values["dice"] == pytest.approx(f1_score(true, said, average="macro"), rel=1e-9)
    assert values["pixel_accuracy"] == pytest.approx(accuracy_score(true, said), rel=1e-9)
    assert next(iter(values)) == "mean_iou"


def test_a_pictures_score_is_its_own_mean_iou_over_the_classes_there(judged):
    task, rows, codes, predicted = judged
    for row in range(12):
        known = codes[row] != IGNORE
        true, said = codes[row][known], predicted[row][known]
        present = np.union1d(true, said)
        assert rows["score"][row] == pytest.approx(jaccard_score(true, said, labels=present, average="macro"), rel=1e-6)
        assert rows["right"][row] == (jaccard_score(true, said, labels=present, average=None) >= 0.5).all()
    values = {metric.name: metric.value(rows) for metric in task.metrics}
    assert values["picture_iou"] == pytest.approx(rows["score"].mean(), rel=1e-6)


def test_target_and_prediction_are_the_shares_that_are_no_background(judged):
    _, rows, codes, predicted = judged
    assert rows["target"] == pytest.approx([(c[c != IGNORE] != 0).mean() for c in codes], rel=1e-6)
    assert rows["prediction"] == pytest.approx((predicted != 0).mean((1, 2)), rel=1e-6)
    assert rows["shares"].sum(axis=1) == pytest.approx(1)
    assert rows.classes == ()


def test_the_loss_of_a_row_is_that_of_training_without_class_weights(judged):
    task, rows, *_ = judged
    for row in (0, 7):
        parts = task.loss(Planted(3), task.batch(torch.tensor([row]))).parts
        assert rows["loss"][row] == pytest.approx(
            sum(part.weight * part.sum.item() / part.count for part in parts), rel=1e-5)


def test_intervals_hold_their_values_and_follow_groups(judged):
    task, rows, *_ = judged
    for metric in task.metrics:
        found = metric.estimate(rows)
        assert found.low < found.value < found.high
        assert found.value == pytest.approx(metric.value(rows))
        assert found.unit == "rate"
        assert found.n == 12
    from dataclasses import replace

    grouped = task.metrics[0].estimate(replace(rows, group=np.arange(12) // 3))
    assert grouped.n == 4


def test_a_class_that_neither_occurs_nor_is_predicted_is_left_out(judged):
    task, rows, *_ = judged
    from dataclasses import replace

    wider = {name: np.pad(rows[name], [(0, 0), (0, 1)]) for name in ("intersection", "union")}
    more = replace(rows, values={**rows.values, **wider})
    for name in ("mean_iou", "dice"):
        metric = next(metric for metric in task.metrics if metric.name == name)
        assert metric.value(more) == pytest.approx(metric.value(rows))


def test_a_mask_that_is_cut_off_wholly_counts_nowhere():
    data = toy()
    codes = np.repeat(data.columns["mask"].codes, 2, axis=2)  # 16×40, cut to its middle
    codes[3, :, 8:32] = IGNORE
    pictures = np.repeat(data.columns["image"].pixels[:, 0], 2, axis=2)
    task = Segment(TaskSettings(name="segment"), DataSettings(image_size=16))
    wide = og.read((pictures, codes))
    task.fit(wide, np.arange(12))
    task.attach(wide, torch.device("cpu"))
    batch = task.batch(torch.tensor([3]))
    assert not batch.target.known.any()
    assert task.counts(batch) == {"cross_entropy": 0, "dice": 0}
    rows = evaluate(task, Planted(3), wide, np.arange(12), "dev", Compute(torch.device("cpu")))
    assert rows["score"][3] == 1
    assert np.isnan(rows["loss"][3])
    assert rows["union"][3].sum() == 0
    assert np.isfinite(task.metrics[0].estimate(rows).value)


# --- before the loop -----------------------------------------------------------------------------------------------


def test_pictures_keep_their_size_up_to_256_and_the_network_suits_it():
    task = fitted(toy())
    assert task.encoder.size == (16, 20)
    assert task.native
    assert task.spec.outputs == 3
    assert task.default_model() == ("unet", {"width": 16, "depth": 2})
    large = np.zeros((4, 300, 280), np.uint8)
    large[:, :9] = 1
    task = Segment(TaskSettings(name="segment"), DataSettings())
    task.fit(og.read((large * 9, large)), np.arange(4))
    assert task.encoder.size == (256, 256)
    assert not task.native
    assert task.default_model()[1]["depth"] == 4
    assert task.most_at_once == 8


def test_masks_follow_their_pictures_when_training_pictures_are_changed():
    data = og.read(cells(8, 32, 1))
    masks = data.columns["mask"].codes
    same = og.read((masks * np.uint8(200), masks))  # a picture that is its mask
    task = Segment(TaskSettings(name="segment"), DataSettings(), Augmentation(("flip", "shift"), 1.0, "edge"))
    task.fit(same, np.arange(8))
    task.attach(same, torch.device("cpu"))
    batch = task.batch(torch.arange(8), Draw(0, 0, 0, torch.device("cpu")))
    still = task.batch(torch.arange(8))
    assert (batch.inputs[0] != still.inputs[0]).any()
    seen = (batch.inputs[0][:, 0] > still.inputs[0].mean()).long()
    assert (seen == batch.target.codes)[batch.target.known].all()
    assert batch.target.known.float().mean() > 0.8


@pytest.mark.parametrize(("rows", "epochs"), [(20, 100), (240, 16), (400, 10), (9_000, 10)])
def test_few_pictures_are_seen_more_often(rows, epochs):
    assert fitted(toy()).default_settings(rows)["epochs"] == epochs


def test_a_model_without_maps_is_refused():
    task = fitted(toy())
    with pytest.raises(RecipeError, match=r"gives \(3,\) for each picture, segment needs \(3, 16, 20\)"):
        task.check_output(torch.zeros(2, 3))
    task.check_output(torch.zeros(2, 3, 16, 20))


def test_what_cannot_be_learnt_is_refused():
    with pytest.raises(DataError, match="all pixels to train on are of one class, 'background'"):
        fitted(og.read((np.zeros((3, 8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8))))
    with pytest.raises(DataError, match="kind category, not a mask"):
        fitted(og.read("digits"), np.arange(9))
    with pytest.raises(RecipeError, match="there is no class 'cell'"):
        fitted(toy(), class_weights={"cell": 2.0})


def test_a_class_of_which_there_is_no_pixel_is_named():
    from orthogon.data.masks import MaskColumn

    data = toy()
    column = MaskColumn.from_array(data.columns["mask"].codes, ["background", "a", "b", "c"])
    from dataclasses import replace

    named = replace(data, columns={**data.columns, "mask": column})
    assert [(found.kind, found.value) for found in fitted(data).check(named)] == [("class-without-pixels", "c")]
    assert fitted(data).check(data) == []


def test_other_data_is_read_by_the_names_of_its_classes():
    from dataclasses import replace

    from orthogon.data.masks import MaskColumn

    data = toy()
    task = fitted(data)
    turned = np.array([2, 0, 1, *range(3, 256)], dtype=np.uint8)[data.columns["mask"].codes]
    names = ["class 1", "class 2", "background"]
    other = replace(data, columns={**data.columns, "mask": MaskColumn.from_array(turned, names)})
    before = task.batch(torch.arange(12)).target.codes, task.targets(np.arange(12))
    task.attach(other, torch.device("cpu"))
    assert (task.batch(torch.arange(12)).target.codes == before[0]).all()
    assert (task.targets(np.arange(12)) == before[1]).all()
    strange = replace(data, columns={**data.columns, "mask": MaskColumn.from_array(turned, ["class 1", "x", "y"])})
    with pytest.raises(DataError, match="the class 'x' is not one that the network was trained on"):
        task.attach(strange, torch.device("cpu"))


def test_the_state_of_a_task_makes_it_anew():
    task = fitted(toy(), class_weights="balanced")
    again = Segment(task.settings, task.data_settings)
    again.load_state(task.state())
    assert again.state() == task.state()
    assert again.names == task.names
    assert again.native
    assert again.default_model() == task.default_model()


# --- baselines -------------------------------------------------------------------------------------------------------


def test_the_commonest_class_is_everywhere_and_costs_the_entropy_of_the_shares():
    data = toy()
    codes = data.columns["mask"].codes
    codes[codes == 2] = 0
    data = og.read((data.columns["image"].pixels[:, 0], codes))
    task, baseline = fitted(data, loss_weights={"dice": 0.0, "cross_entropy": 1.0}), CommonestClass()
    baseline.fit(task, np.arange(12))
    found = baseline.results(task, np.arange(12))
    assert (found["prediction"] == 0).all()
    assert found["score"] == pytest.approx(found["shares"][:, 0] * [
        (c[c != IGNORE] == 0).mean() / (1 + (c[c != IGNORE] == 1).any()) for c in codes], rel=1e-6)
    share = task.train_share
    known = np.array([(c != IGNORE).sum() for c in codes])
    assert np.average(found["loss"], weights=known) == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)


def test_color_tells_classes_where_it_does():
    data = toy(30)
    task, baseline = fitted(data, np.arange(20)), PixelLinear()
    baseline.fit(task, np.arange(20))
    found = baseline.results(task, np.arange(20, 30))
    assert len(found["score"]) == 10
    assert found["score"].mean() > 0.9
    again = PixelLinear()
    again.fit(task, np.arange(20))
    assert (again.results(task, np.arange(20, 30))["loss"] == found["loss"]).all()


def test_classes_that_the_train_rows_lack_are_never_said():
    data = toy(20)
    codes = data.columns["mask"].codes
    codes[:10][codes[:10] == 1] = 0
    data = og.read((data.columns["image"].pixels[:, 0], codes))
    task, baseline = fitted(data, np.arange(10)), PixelLinear()
    baseline.fit(task, np.arange(10))
    assert (baseline.results(task, np.arange(20))["shares"][:, 1] == 0).all()


def test_the_mean_about_a_pixel_is_that_of_the_square_cut_off_at_the_edge():
    picture = torch.arange(120.0).view(1, 1, 10, 12)
    found = colors(picture)
    assert (found[:, :1] == picture).all()
    assert found[0, 1, 5, 6].item() == pytest.approx(picture[0, 0, 1:10, 2:11].mean().item())
    assert found[0, 1, 0, 0].item() == pytest.approx(picture[0, 0, :5, :5].mean().item())
