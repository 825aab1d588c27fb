"""The task verify: its losses, turned identities, what it refuses, and a run from data to bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import orthogon as og
from orthogon.data.augment import Augmentation
from orthogon.data.columns import CategoryColumn, ImageColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.metric_losses import (
    PairHead,
    contrastive_loss,
    pair_loss,
    prototypical_loss,
    triplet_loss,
)
from orthogon.tasks.verify import LOSSES, Verify
from orthogon.train.build import build_model
from orthogon.train.randomness import Draw
from orthogon.train.settings import DataSettings, ModelSettings, TaskSettings

CPU = torch.device("cpu")


def blobs(identities: int = 8, each: int = 6, side: int = 8, seed: int = 0, contrast: int = 255) -> Dataset:
    """Pictures of a pattern for each identity, with noise."""
    draw = np.random.default_rng(seed)
    patterns = draw.random((identities, 1, side, side))
    codes = np.repeat(np.arange(identities), each)
    noisy = patterns[codes] + 0.15 * draw.normal(size=(len(codes), 1, side, side))
    pixels = (contrast * noisy.clip(0, 1)).astype(np.uint8)
    return Dataset("blobs", {"x": ImageColumn(pixels), "who": CategoryColumn.from_values([f"id{c}" for c in codes])},
                   "who", np.array([f"r{k}" for k in range(len(codes))]))


def ready(data: Dataset | None = None, **settings: Any) -> Verify:
    task, data = Verify(TaskSettings(**settings), DataSettings()), data or blobs()
    task.fit(data, np.arange(len(data)))
    task.attach(data, CPU)
    return task


def network(task: Verify) -> nn.Module:
    return build_model(task.spec, ModelSettings(name="mlp", options={"hidden": [16]}), 0)


def value(task: Verify, model: nn.Module, rows: torch.Tensor) -> float:
    return sum(part.weight * float(part.sum.detach()) / max(part.count, 1)
               for part in task.loss(model, task.batch(rows)).parts)


# --- losses --------------------------------------------------------------------------------------------------


def test_each_loss_is_that_of_its_encodings() -> None:
    rows = torch.arange(24)
    for name in LOSSES:
        task = ready(loss=name)
        model = network(task).eval()
        output, codes = model(*task.batch(rows).inputs), torch.tensor(task.targets(rows.numpy()))
        unit = nn.functional.normalize(output, dim=1)
        if name == "prototypes":
            expected = prototypical_loss(output, codes).mean
        elif name == "triplet":
            expected = triplet_loss(unit, codes).mean
        elif name == "contrastive":
            pairs = contrastive_loss(unit, codes, 1.0)
            expected = (pairs.same.mean + pairs.different.mean) / 2
        else:
            shown = output if name == "siamese" else nn.functional.softplus(output)
            head = model.pair_head
            assert isinstance(head, PairHead)
            assert head.similarity == ("absolute" if name == "siamese" else "chi_square")
            pairs = pair_loss(head(shown, shown), codes)
            expected = (pairs.same.mean + pairs.different.mean) / 2
        assert value(task, model, rows) == pytest.approx(expected.item(), rel=1e-5)


def test_mining_margin_distance_and_shots_reach_the_loss() -> None:
    rows, plain = torch.arange(24), ready(loss="triplet")
    model = network(plain).eval()
    unit = nn.functional.normalize(model(*plain.batch(rows).inputs), dim=1)
    codes = torch.tensor(plain.targets(rows.numpy()))
    told = ready(loss="triplet", mining="hard", margin=0.7, distance="euclidean")
    assert value(told, model, rows) == pytest.approx(triplet_loss(unit, codes, 0.7, "hard", False).mean.item())
    wide = ready(loss="contrastive", margin=1.5)
    pairs = contrastive_loss(unit, codes, 1.5)
    assert value(wide, model, rows) == pytest.approx((pairs.same.mean + pairs.different.mean).item() / 2)
    output = model(*plain.batch(rows).inputs)
    expected = prototypical_loss(output, codes, 3).mean.item()
    assert value(ready(loss="prototypes", shots=3), model, rows) == pytest.approx(expected, rel=1e-5)


def test_triplets_are_the_loss_unless_told_and_an_encoding_has_64_numbers() -> None:
    task = ready()
    assert (task.loss_name, task.spec.outputs, task.spec.compares) == ("triplet", 64, "")
    assert ready(encoding=12, loss="siamese").spec.outputs == 12


def test_a_batch_of_two_identities_with_one_example_each_has_a_loss_of_zero() -> None:
    for name in LOSSES:
        task = ready(loss=name)
        parts = task.loss(network(task), task.batch(torch.tensor([0, 47]))).parts
        assert all(torch.isfinite(part.sum) for part in parts)


def test_a_model_of_ones_own_needs_a_head_for_pairs_where_the_loss_learns_one() -> None:
    task = ready(loss="siamese")
    with pytest.raises(RecipeError, match="pair_head"):
        task.loss(nn.Sequential(nn.Flatten(), nn.Linear(64, 64)), task.batch(torch.arange(8)))


def test_the_head_for_pairs_is_beside_the_trunk_whose_names_stay() -> None:
    plain, told = (network(ready(loss=name)).state_dict() for name in ("triplet", "siamese"))
    assert set(told) - set(plain) == {"pair_head.weight", "pair_head.bias"}
    assert all(torch.equal(told[name], each) for name, each in plain.items())


# --- batches -------------------------------------------------------------------------------------------------


def test_batches_are_identities_by_examples_each() -> None:
    task = ready(examples_each=3)
    batch = task.sampler(np.arange(48), 12, 0, CPU).batch(0, 0)
    codes = task.targets(batch.numpy())
    assert codes.reshape(4, 3).tolist() == np.repeat(codes[::3], 3).reshape(4, 3).tolist()
    assert len(set(codes.tolist())) == 4


def test_turned_pictures_are_turned_by_whole_identities_and_in_training_alone() -> None:
    task, rows = ready(turns=4), torch.arange(48)
    plain = task.batch(rows).inputs[0]
    seen = set()
    for step in range(8):
        turned = task.batch(rows, Draw(0, 0, step, CPU)).inputs[0]
        for start in range(0, 48, 6):
            kinds = {k for k in range(4) for row in range(start, start + 6)
                     if torch.equal(turned[row], plain[row].rot90(k, (1, 2)))}
            assert len(kinds) == 1
            seen |= kinds
    assert seen == {0, 1, 2, 3}
    half = ready(turns=2)
    drawn = [half.batch(rows, Draw(0, 0, step, CPU)).inputs[0][0] for step in range(8)]
    assert all(torch.equal(each, plain[0]) or torch.equal(each, plain[0].rot90(2, (1, 2))) for each in drawn)


def test_pictures_that_are_no_squares_cannot_be_turned() -> None:
    data = blobs()
    wide = ImageColumn(np.repeat(data.columns["x"].pixels, 2, axis=3))  # type: ignore[attr-defined]
    task = ready(Dataset("wide", {"x": wide, "who": data.columns["who"]}, "who", data.ids), turns=4)
    with pytest.raises(RecipeError, match="square"):
        task.batch(torch.arange(4), Draw(0, 0, 0, CPU))


def test_a_batch_is_never_split() -> None:
    with pytest.raises(RecipeError, match="as a whole"):
        ready().counts(ready().batch(torch.arange(4)))
    assert not Verify.decomposes


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("codes", [["a"] * 6, ["a"] * 5 + ["b"], list("abcdef")])
def test_one_identity_only_is_refused(codes: list[str]) -> None:
    data = Dataset("one", {"x": NumberColumn(np.random.default_rng(0).normal(size=(6, 2))),
                           "who": CategoryColumn.from_values(codes)}, "who", np.arange(6).astype(str))
    with pytest.raises(DataError, match="nothing to tell apart"):
        ready(data)


def test_a_number_is_no_identity() -> None:
    data = Dataset("n", {"x": NumberColumn(np.ones((6, 2))), "y": NumberColumn(np.arange(6.0))}, "y",
                   np.arange(6).astype(str))
    with pytest.raises(DataError, match="identity"):
        ready(data)


def test_its_metrics_are_listed() -> None:
    from orthogon.verbs.listing import METRICS

    assert [(metric.name, metric.higher_is_better) for metric in ready().metrics] == [
        (name, good == "high") for name, good, _ in METRICS["verify"]]


def test_losses_of_other_tasks_are_refused() -> None:
    with pytest.raises(RecipeError, match="no loss"):
        Verify(TaskSettings(loss="huber"), DataSettings(), Augmentation())


# --- runs ----------------------------------------------------------------------------------------------------


FAST = {"train.batch_size": 24, "train.health": False, "train.preflight": False, "train.threads": 1,
        "train.augment": [], "split.dev": 0.25, "split.test": 0.25}


def train(data: Dataset, folder: Path, epochs: int = 20, **options: Any) -> Any:
    return og.train(data, task="verify", model="mlp", epochs=epochs, out=folder, quiet=True,
                    options={**FAST, "model.options": {"hidden": [32]}, **options})


def test_a_run_from_data_to_bundle_tells_identities_apart_that_it_never_saw(tmp_path: Path) -> None:
    data = blobs(24, 8)
    run = train(data, tmp_path, 12, **{"task.false_accept_rate": 0.05})
    dev, learnt = run.rows("dev"), run.rows("train")
    assert not set(dev["target"].tolist()) & set(learnt["target"].tolist())
    figures = run.result["splits"]["dev"]["metrics"]
    assert figures["accuracy"]["value"] > 0.9
    assert figures["roc_auc"]["value"] > 0.9
    assert set(run.result["baseline"]) == {"nearest raw", "nearest pca"}
    assert run.result["signs"] == []
    assert not [said for said in run.result["split"]["sentences"] if "cannot be learnt" in said]
    loaded = og.load(run.path)
    threshold = loaded.task.threshold
    away = [far for row in range(len(dev)) for partner, far in zip(dev["partner"][row], dev["distance"][row])
            if partner >= 0 and partner != dev["target"][row]]
    assert 0 < np.mean(np.array(away) <= threshold) <= 0.05
    said = loaded.predict(data.take([0, 1]))
    assert len(said[0]["encoding"]) == 64
    assert {path.name for path in (run.path / "sheets").iterdir()} == {"same-but-far.png", "different-but-near.png"}


@pytest.mark.parametrize("loss", ["siamese", "chi_square"])
def test_the_learnt_comparison_is_shipped_with_its_threshold(tmp_path: Path, loss: str) -> None:
    data = blobs(12, 6)
    run = train(data, tmp_path, 1, **{"task.loss": loss})
    loaded = og.load(run.path)
    head, dev = loaded.model.pair_head, run.rows("dev")
    assert isinstance(head, PairHead)
    first = torch.from_numpy(dev["encoding"])
    logits = -head(first, first).detach().numpy()
    assert np.isin(np.round(dev["distance"][~np.isnan(dev["distance"])], 3), np.round(logits, 3)).mean() > 0.99
    assert np.isfinite(loaded.task.threshold)


def test_the_encoder_of_a_siamese_run_starts_a_classifier(tmp_path: Path) -> None:
    data, options = blobs(6, 6), {**FAST, "model.options": {"width": 4}}
    run = og.train(data, task="verify", model="convnet", epochs=1, out=tmp_path, quiet=True,
                   options={**options, "task.loss": "siamese"})
    learnt = og.load(run.path).model.state_dict()
    started = og.train(data, task="classify", model="convnet", weights=str(run.path), epochs=1, out=tmp_path,
                       quiet=True, options={**options, "train.transfer": "features"})
    found = og.load(started.path).model.state_dict()
    assert set(learnt) - set(found) == {"pair_head.weight", "pair_head.bias"}
    assert all(torch.equal(found[name], learnt[name]) for name in found if not name.startswith("output."))


def test_identities_with_one_picture_are_said_and_left_out(tmp_path: Path) -> None:
    data = blobs(12, 6)
    who = [f"id{k // 6}" if k > 1 else f"lone{k}" for k in range(72)]
    lone = Dataset("lone", {"x": data.columns["x"], "who": CategoryColumn.from_values(who)}, "who", data.ids)
    run = train(lone, tmp_path, 1)
    said = [each for each in run.result["findings"] if each["kind"] == "lone-class"]
    assert len(said) == 1
    assert "2 of 14" in said[0]["what"]
    assert "r0, r1" in said[0]["where"]
    assert run.result["data"]["n"] == 70


def test_pictures_without_contrast_collapse_and_that_is_said(tmp_path: Path) -> None:
    run = train(blobs(12, 6, contrast=0), tmp_path, 2, **{"task.loss": "triplet", "task.mining": "hard"})
    assert [sign["kind"] for sign in run.result["signs"]] == ["collapse"]
    assert "margin" in run.result["signs"][0]["what"]
    assert "semi-hard" in run.result["signs"][0]["remedy"]
    assert run.result["splits"]["dev"]["metrics"]["roc_auc"]["value"] == pytest.approx(0.5)


def test_a_folder_for_each_identity_is_read_as_it_is(tmp_path: Path) -> None:
    from PIL import Image

    data = blobs(9, 4)
    for k, pixels in enumerate(data.columns["x"].pixels):  # type: ignore[attr-defined]
        folder = tmp_path / "faces" / f"person{k // 4}"
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[0]).save(folder / f"{k}.png")
    run = og.train(str(tmp_path / "faces"), task="verify", model="mlp", epochs=1, out=tmp_path, quiet=True,
                   options={**FAST, "model.options": {"hidden": [8]}})
    assert run.result["task"] == "verify"
