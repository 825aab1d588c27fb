"""Encodings: what enters the head, of length 1; what verify compares; and the fingerprint of what makes them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from galleries import encoder, pictures
from test_bundle import DRAW, labels, shipped, table

from orthogon.data.columns import CategoryColumn, NumberColumn
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RunError
from orthogon.nn.freeze import head_of
from orthogon.serve.bundle import load
from orthogon.serve.encode import dimension, encodings, fingerprint, shipped_threshold, unlike
from orthogon.train.run import Run


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_the_encoding_of_a_linear_network_is_its_input_of_length_1(tmp_path: Path) -> None:
    network, data = load(encoder(tmp_path)), pictures()
    pixels = data.columns["image"].pixels.astype(float)
    expected = unit(((pixels - pixels.mean()) / pixels.std()).reshape(len(data), -1))
    found = encodings(network, data)
    assert found.dtype == np.float32
    assert found == pytest.approx(expected, abs=1e-4)
    assert dimension(network) == 64


@pytest.mark.parametrize("model", ["convnet", "mlp", "lenet5"])
def test_it_is_what_enters_the_head_averaged_over_places_and_in_order(tmp_path: Path, model: str) -> None:
    data = pictures()
    size = {"data.image_size": 32} if model == "lenet5" else {}
    run, task, trained = shipped(tmp_path, data, "classify", model, **size)
    seen: list[torch.Tensor] = []
    trained.eval().get_submodule(head_of(trained)).register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    with torch.no_grad():
        trained(*task.batch(torch.arange(len(data))).inputs)
    [features] = seen
    expected = features.mean((2, 3)) if features.ndim == 4 else features
    found = encodings(load(run), data)
    assert found == pytest.approx(unit(expected.numpy()), abs=1e-5)
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=1e-5)
    assert encodings(load(run), data.take(np.array([31, 7]))) == pytest.approx(found[[31, 7]], abs=1e-5)


def test_a_table_has_encodings_too(tmp_path: Path) -> None:
    data = table(labels())
    found = encodings(load(shipped(tmp_path, data, "classify", "mlp")[0]), data)
    assert len(found) == len(data)
    assert np.isfinite(found).all()


def test_an_input_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"bad.png.*not a readable"):
        encodings(load(encoder(tmp_path / "runs")), tmp_path / "bad.png")


def verifier(root: Path, loss: str) -> tuple[Run, Dataset, torch.nn.Module]:
    data = pictures()
    columns = {**data.columns, "y": CategoryColumn(np.arange(40) % 10, tuple("abcdefghij"))}
    data = Dataset("people", columns, "y", data.ids)
    run, _, model = shipped(root, data, "verify", "convnet", **{"task.loss": loss, "task.encoding": 5})
    return run, data, model


@pytest.mark.parametrize("loss", ["triplet", "prototypes", "chi_square"])
def test_of_verify_it_is_what_that_task_compares(tmp_path: Path, loss: str) -> None:
    run, data, model = verifier(tmp_path, loss)
    network = load(run)
    network.task.attach(data, torch.device("cpu"))
    with torch.no_grad():
        given = model.eval()(*network.task.batch(torch.arange(40)).inputs)
    expected = {"triplet": torch.nn.functional.normalize(given, dim=1), "prototypes": given,
                "chi_square": torch.nn.functional.softplus(given)}[loss]
    assert encodings(network, data) == pytest.approx(expected.numpy(), rel=1e-3, abs=1e-4)
    assert dimension(network) == 5


def test_encodings_of_a_siamese_network_are_compared_by_its_head(tmp_path: Path) -> None:
    run, data, model = verifier(tmp_path, "siamese")
    network = load(run)
    values = encodings(network, data)
    compared = unlike(network)
    assert compared is not None
    head = model.pair_head
    weight, bias = head.weight.detach().numpy(), head.bias.item()
    expected = -(np.abs(values[:3, None] - values[None, :7]) @ weight + bias)
    assert compared(values[:3], values[:7]) == pytest.approx(expected, abs=1e-5)
    assert unlike(load(verifier(tmp_path / "other", "triplet")[0])) is None


def test_a_shipped_threshold_is_that_of_the_task(tmp_path: Path) -> None:
    run, _, _ = verifier(tmp_path, "triplet")
    assert shipped_threshold(load(run)) is None
    path = run.path / "bundle" / "bundle.json"
    document = json.loads(path.read_text())
    document["task"]["state"]["threshold"] = 0.375
    path.write_text(json.dumps(document))
    assert shipped_threshold(load(run)) == 0.375
    assert shipped_threshold(load(encoder(tmp_path / "classifier"))) is None


def test_the_fingerprint_is_of_weights_and_preprocessing_and_not_of_the_place(tmp_path: Path) -> None:
    run = encoder(tmp_path / "a")
    known = fingerprint(load(run))
    assert len(known) == 64
    shutil.copytree(run.path / "bundle", tmp_path / "elsewhere")
    document = json.loads((tmp_path / "elsewhere" / "bundle.json").read_text())
    document["metrics"], document["run"] = {}, "renamed"
    (tmp_path / "elsewhere" / "bundle.json").write_text(json.dumps(document))
    assert fingerprint(load(tmp_path / "elsewhere")) == known
    same_weights_other_mean = load(encoder(tmp_path / "b", seed=1))
    assert same_weights_other_mean.about["weights"] == load(run).about["weights"]
    assert fingerprint(same_weights_other_mean) != known
    other_weights = load(run)
    other_weights.about["weights"] = {"sha256": "0" * 64}
    assert fingerprint(other_weights) != known


def test_a_network_without_a_head_is_refused(tmp_path: Path) -> None:
    columns = {"x": NumberColumn(DRAW.normal(size=40)), "y": labels(40)}
    data = Dataset("numbers", columns, "y", np.arange(40).astype(str))
    network = load(shipped(tmp_path, data, "classify", "mlp")[0])

    class Headless(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    network.model = Headless()
    with pytest.raises(RunError, match="no linear layer"):
        encodings(network, data)
