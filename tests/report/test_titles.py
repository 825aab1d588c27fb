"""What people read of metrics and of what lies on pictures: names in words, shares in percent, no false residuals."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from orthogon.draw.page import Page
from orthogon.report.gallery import said
from orthogon.report.scores import training
from orthogon.report.view import View
from orthogon.strategy.curves import read_curves
from orthogon.strategy.diagnosis import diagnose
from orthogon.tasks.metrics import mean_metric
from orthogon.train.rows import Rows
from orthogon.train.run import Run
from orthogon.train.titles import error_name, title_of
from orthogon.verbs.session import shown


def rows_of(**values) -> Rows:
    n = 40
    found = {"target": np.full(n, 0.25), "prediction": np.full(n, 0.5), "loss": np.ones(n), "score": np.full(n, 0.5)}
    return Rows("dev", np.arange(n).astype(str), found | {name: np.full((n, *np.shape(v)), v)
                                                          for name, v in values.items()})


@pytest.mark.parametrize(("name", "title"), [
    ("mean_iou", "mean IoU"), ("macro_f1", "macro F1"), ("r2", "R²"), ("energy_distance", "energy distance")])
def test_metrics_have_titles(name, title):
    assert title_of(name) == title


@pytest.mark.parametrize(("name", "told"), [
    ("accuracy", "error"), ("token_accuracy", "token error"), ("error", "error"), ("macro_f1", "macro_f1")])
def test_accuracies_are_told_as_errors_everywhere(name, told, tmp_path):
    """On the screen, in the report, in the language of errors."""
    assert error_name(name) == told
    right = {"value": 0.9, "low": 0.8, "high": 0.95, "n": 40, "method": "Wilson", "unit": "rate"}
    seen = shown(name, {name: right})
    run = Run(tmp_path)
    run.write_json("result.json", {"metric": name, "splits": {"dev": {"n": 40, "metrics": {name: right}}}})
    view = View(run)
    assert view.main_title == title_of(told)
    assert view.main_estimate(view.splits["dev"]) == seen
    if name == "macro_f1":
        assert seen.value == 0.9
    elif name != "error":
        assert (seen.value, seen.low, seen.high) == pytest.approx((0.1, 0.05, 0.2))
        assert mean_metric(name, lambda rows: rows["score"], "rate").error_title == told


def test_sentences_say_the_title_of_the_metric():
    lines = [{"event": "epoch", "epoch": k, "step": k, "train_loss": 1 / k, "dev": {"mean_iou": 0.5, "loss": 1 / k}}
             for k in range(1, 30)]
    sentences = " ".join(each.sentence for each in read_curves(lines))
    assert "ev mean IoU" in sentences
    assert "mean_iou" not in sentences
    metric = mean_metric("mean_iou", lambda rows: rows["score"], "rate")
    assert diagnose({"dev": rows_of()}, metric).metric == "1 - mean IoU"


@pytest.mark.parametrize(("off", "drawn"), [(1.5, True), (1 + 1e-7, False)])
def test_a_score_is_drawn_beside_the_loss_unless_it_is_the_loss_again(off, drawn):
    lines = [{"event": "epoch", "epoch": k, "train_loss": 1 / k, "dev": {"nats": off / k, "loss": 1 / k}}
             for k in range(1, 9)]
    view = cast(View, SimpleNamespace(metrics=lines, metric="nats", metric_title="nats", rate=False, evidence={}))
    page = Page("report")
    training(page, view)
    assert "loss by epoch" in page.render()
    assert ("nats by epoch" in page.render()) == drawn


def test_shares_of_pixels_are_told_in_percent():
    assert said(rows_of(shares=np.array([0.5, 0.5]), iou=0.62), 0) == ("25 %", "50 %", "IoU 0.62")
    assert said(rows_of(), 0) == ("0.25", "0.5", "off by +0.25")


def test_what_lies_on_a_picture_has_no_residuals(tmp_path, monkeypatch):
    view = View(Run(tmp_path))
    for rows, has in ((rows_of(iou=0.6), False), (rows_of(), True)):
        monkeypatch.setattr(View, "main_rows", property(lambda _, rows=rows: rows))
        view.__dict__.pop("residuals", None)
        assert bool(view.residuals) == has
