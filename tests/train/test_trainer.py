"""The loop: resuming, stopping, best weights, NaN, what is logged."""

from __future__ import annotations

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from worlds import assert_same_bits, blobs, new_run, recipe, trained, weights

from orthogon.data.columns import NumberColumn
from orthogon.errors import Diverged, Interrupted, RecipeError, RunError
from orthogon.train.observers import Observer
from orthogon.train.run import Run
from orthogon.train.sampler import Bucketed, Shuffled

EVERYTHING = {
    "model__options": {"hidden": [8], "dropout": 0.3, "norm": "batch"}, "train__ema": 0.9,
    "train__schedule": "plateau", "train__schedule_epochs": 1, "train__micro_batch_size": 9, "train__clip_norm": 0.5,
    "train__keep_best": True,
}


class StopAt(Observer):
    """Asks the process to stop, as Ctrl-C does, when a step is reached."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, event) -> None:
        if event.step >= self.step:
            os.kill(os.getpid(), signal.SIGINT)
            self.step = 10**9


@pytest.mark.parametrize("stop", [3, 11, 17, 25])
@pytest.mark.parametrize("optimizer", ["adamw", "momentum", "rmsprop"])
def test_a_stopped_run_goes_on_bit_for_bit(tmp_path, stop, optimizer):
    wanted = recipe(**EVERYTHING, train__optimizer=optimizer, train__checkpoint_steps=1)
    whole = weights(trained(wanted, run=new_run(tmp_path, wanted, "whole"))[0])
    run = new_run(tmp_path, wanted)
    with pytest.raises(Interrupted, match="SIGINT") as caught:
        trained(wanted, run=run, observers=(StopAt(stop),))
    assert "--resume" in str(caught.value)
    assert_same_bits(whole, weights(trained(wanted, run=run)[0]))
    whole_lines, lines = (Run(tmp_path / name).metrics() for name in ("whole", "run"))
    assert ([line for line in whole_lines if line["event"] == "step"]
            == [line for line in lines if line["event"] == "step"] != [])
    told = [[{key: line[key] for key in ("step", "epoch", "train_loss", "dev", "lr")} for line in each
             if line["event"] == "epoch"] for each in (whole_lines, lines)]
    assert told[0] == told[1]


def test_lines_that_a_resumed_run_tells_again_count_once(tmp_path):
    run = new_run(tmp_path, recipe())
    run.log("epoch", 10, epoch=1)
    run.log("epoch", 20, epoch=2)
    run.log("step", 25)
    run.log("resume", 20, epoch=1)  # saved when epoch 2 had its last step, but had not been told
    run.log("epoch", 20, epoch=2)
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"event": "st')  # killed within a line
    assert [(line["event"], line["step"]) for line in run.metrics()] == [("epoch", 10), ("resume", 20), ("epoch", 20)]


def test_early_stopping_stops_and_the_best_weights_come_back(tmp_path):
    """With a learning rate that ruins everything after the first epochs, the best epoch is not the last."""
    wanted = recipe(train__epochs=40, train__early_stopping=3, train__keep_best=True, train__lr=5.0,
                    train__schedule="constant", train__optimizer="sgd")
    for run in (None, new_run(tmp_path, wanted)):
        fitted, task = trained(wanted, run=run)
        from orthogon.train.evaluate import as_rows, predict

        rows = np.arange(163, 203)
        data = blobs()
        results = predict(task, fitted.model, rows, fitted.compute)
        final = task.metrics[0].value(as_rows(task, data, rows, "dev", results))
        if run is not None:
            seen = [line["dev"]["accuracy"] for line in run.metrics() if line["event"] == "epoch"]
            assert final == max(seen)
            assert len(seen) < 40
            assert seen.index(max(seen)) == len(seen) - 4


def test_a_loss_that_is_no_number_stops_with_the_ids_of_the_batch(tmp_path):
    data = blobs()
    spoiled = np.array(data.columns["x"].values)
    spoiled[100] = 1e38
    data = replace(data, columns={**data.columns, "x": NumberColumn(spoiled, data.columns["x"].names)})

    class Raw(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(6, 3)

        def forward(self, x):
            return self.layer(torch.exp(x * 1e3))

    wanted = recipe(train__checkpoint_steps=1)
    run = new_run(tmp_path, wanted)
    with pytest.raises(Diverged, match=r"row \d+") as caught:
        trained(wanted, data, run=run, model=Raw())
    assert "learning rate" in str(caught.value)
    line = next(line for line in run.metrics() if line["event"] == "diverged")
    assert len(line["ids"]) == 16


def test_two_runs_cannot_write_to_one_folder(tmp_path):
    run = new_run(tmp_path, recipe())
    with run.lock(), pytest.raises(RunError, match="another process"), Run(run.path).lock():
        pass
    with run.lock():
        pass
    with pytest.raises(RunError, match="exists already"):
        new_run(tmp_path, recipe())


def test_runs_are_found_by_path_name_and_age(tmp_path):
    runs = tmp_path / "runs"
    first, second = (Run.create(recipe(data__source="a/My data.csv"), runs) for _ in range(2))
    assert [first.name, second.name] == ["My-data-1", "My-data-2"]
    assert Run.open("last", runs).path == second.path
    assert Run.open("last~1", runs).path == first.path
    assert Run.open("My-data-1", runs).path == first.path
    assert Run.open(str(second.path)).path == second.path
    with pytest.raises(RunError, match="My-data-1"):
        Run.open("My-dat-1", runs)
    with pytest.raises(RunError, match="2 runs"):
        Run.open("last~2", runs)


def test_the_order_of_an_epoch_is_a_permutation_and_seeking_gives_the_same_batch():
    sampler = Shuffled(np.arange(50) * 2, 8, seed=3)
    epochs = [[sampler.batch(e, k) for k in range(sampler.batches(e))] for e in range(2)]
    for batches in epochs:
        assert sorted(torch.cat(batches).tolist()) == list(range(0, 100, 2))
    assert not torch.equal(epochs[0][0], epochs[1][0])
    assert torch.equal(Shuffled(np.arange(50) * 2, 8, seed=3).batch(1, 4), epochs[1][4])


@pytest.mark.parametrize(("rows", "size", "lengths"), [
    (1050, 100, [100] * 10 + [50]), (1000, 500, [500, 500]), (17, 8, [8, 9]), (1, 8, [1]), (5, 1, [1] * 5)])
def test_batches_of_an_epoch(rows, size, lengths):
    """Rows 6.07, 34.07 and 34.08; a last batch of one row joins the one before it."""
    sampler = Shuffled(np.arange(rows), size, seed=0)
    assert [len(sampler.batch(0, k)) for k in range(sampler.batches(0))] == lengths


def test_steps_beat_epochs_and_a_partial_epoch_is_an_epoch(tmp_path):
    wanted = recipe(train__epochs=None, train__steps=25)
    run = new_run(tmp_path, wanted)
    trained(wanted, run=run)
    lines = [line for line in run.metrics() if line["event"] == "epoch"]
    assert [line["step"] for line in lines] == [11, 22, 25]


def test_minutes_become_steps_that_the_recipe_keeps():
    wanted = recipe(train__epochs=None, train__minutes=0.01)
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fitted, _ = trained(wanted)
    assert torch.equal(before, torch.random.get_rng_state())
    resolved = fitted.plan.recipe
    assert resolved.train.steps is not None
    assert fitted.seconds < 5
    assert_same_bits(weights(fitted), weights(trained(resolved)[0]))


def test_nothing_but_json_and_safetensors_in_a_run(tmp_path):
    wanted = recipe()
    run = new_run(tmp_path, wanted)
    trained(wanted, run=run)
    endings = {path.suffix for path in run.path.rglob("*") if path.is_file()}
    assert endings <= {".yaml", ".json", ".jsonl", ".safetensors", ""}
    for line in (run.path / "metrics.jsonl").read_text().splitlines():
        assert math.isfinite(json.loads(line)["step"])


class Greedy(torch.nn.Module):
    """Runs out of memory above 20 examples, as a GPU would."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(6, 3)

    def forward(self, x):
        if self.training and len(x) > 20:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return self.layer(x)


def test_out_of_memory_names_the_batch_that_would_fit():
    with pytest.raises(RunError, match="with 100 examples at once; 12 would fit") as caught:
        trained(recipe(train__batch_size=100), model=Greedy())
    assert "train.micro_batch_size=12" in str(caught.value)
    trained(recipe(train__batch_size=100, train__micro_batch_size=12), model=Greedy())


@pytest.mark.parametrize(("model", "what"), [
    (torch.nn.Linear(5, 3), "cannot take this data \\(numbers 6 for each example\\): mat1 and mat2"),
    (torch.nn.Linear(6, 2), "gives \\(2,\\) for each example, classify needs 3 outputs \\(class 0, class 1, "),
])
def test_a_model_that_does_not_fit_the_data_is_refused_before_training(model, what):
    with pytest.raises(RecipeError, match=what):
        trained(recipe(), model=model)


def test_a_run_that_the_disk_cannot_hold_is_refused_before_training(tmp_path, monkeypatch):
    import shutil
    from types import SimpleNamespace

    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    run = new_run(tmp_path, recipe())
    with pytest.raises(RunError, match="MB are free"):
        trained(recipe(), run=run)


def test_threads_and_determinism_are_as_they_were_afterwards():
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    trained(recipe(train__threads=before[0] + 1, train__deterministic=True))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before


def test_bucketed_batches_hold_every_row_once_and_rows_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 200, 1003)
    sampler = Bucketed(np.arange(1003), lengths, 16, seed=3)
    batches = [sampler.batch(2, k) for k in range(sampler.batches(2))]
    assert sorted(torch.cat(batches).tolist()) == list(range(1003))
    spread = [np.ptp(lengths[batch.numpy()]) for batch in batches[:-1]]
    assert np.median(spread) < 10
    assert not torch.equal(batches[0], sampler.batch(3, 0))
    assert torch.equal(batches[5], Bucketed(np.arange(1003), lengths, 16, seed=3).batch(2, 5))
    firsts = [lengths[batch.numpy()].mean() for batch in batches[:-1]]
    assert abs(np.corrcoef(firsts, np.arange(len(firsts)))[0, 1]) < 0.5


def test_buckets_grow_as_batches_do():
    sampler = Bucketed(np.arange(40), np.arange(40), 4, seed=0).growing(2.0, 1)
    assert sampler.lengths(18) == (10, 5, 3)
    assert sorted(torch.cat([sampler.batch(1, k) for k in range(5)]).tolist()) == list(range(40))
