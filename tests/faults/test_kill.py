"""A run that was killed at any instant, and resumed, ends bit-identical to one that was not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from killing import STEPS, final_weights, launch, new_run
from safetensors.torch import load_file
from worlds import assert_same_bits

MOMENTS = [
    *[("step", step) for step in (1, 2, 6, 7, 8, 13, 19, 23, 29, 34, 40, STEPS)],
    *[("checkpoint", way) for way in range(4)],
    *[("evaluation", epoch) for epoch in (1, 3)],
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """World size -> the weights of a run that nobody disturbed."""
    found = {}
    for world in (1, 2):
        folder = tmp_path_factory.mktemp("whole")
        assert launch(new_run(folder, "run"), folder / "weights", None, world) == [0] * world
        found[world] = final_weights(folder / "weights")
    return found


@pytest.mark.parametrize("world", [1, 2], ids=["one process", "two ranks"])
@pytest.mark.parametrize("moment", MOMENTS, ids=lambda moment: f"{moment[0]} {moment[1]}")
def test_killed_and_resumed_is_bit_identical(tmp_path, whole, moment, world):
    run = new_run(tmp_path, "run")
    codes = launch(run, tmp_path / "weights", moment, world)
    assert -signal.SIGKILL in codes
    assert not (tmp_path / "weights").exists()
    assert launch(run, tmp_path / "weights", None, world) == [0] * world
    assert_same_bits(whole[world], final_weights(tmp_path / "weights"))


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("table") / "blobs.csv"
    rows = [f"{i % 7},{(i * i) % 11},{'abc'[(i % 7 + (i * i) % 11) % 3]}" for i in range(90)]
    path.write_text("x,y,label\n" + "\n".join(rows) + "\n")
    return path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "orthogon", "train", *arguments, "--quiet"]


@pytest.mark.parametrize("world", [1, 2], ids=["one process", "two ranks"])
@pytest.mark.parametrize("moment", ["when the folder stands", "a second after the start"])
def test_killed_in_the_first_second_and_resumed(tmp_path, table, moment, world):
    """The recipe is there before torch is loaded; a run without a checkpoint starts again from the beginning."""
    options = (str(table), "--target", "label", "--epochs", "2", "--device", "cpu", "--out", "runs")
    processes = start(tmp_path, command(*options, "--name", "run"), world)
    recipe = tmp_path / "runs" / "run" / "recipe.yaml"
    began = time.monotonic()
    while not recipe.exists():
        assert time.monotonic() - began < 60
        time.sleep(0.01)
    if moment == "a second after the start":
        time.sleep(max(0.0, began + 1.0 - time.monotonic()))
    for process in processes:
        process.kill()
        process.wait()
    assert finish(start(tmp_path, command("--resume", "runs/run"), world)) == [0] * world
    assert finish(start(tmp_path, command(*options, "--name", "whole"), world)) == [0] * world
    bundles = [load_file(tmp_path / "runs" / name / "bundle" / "model.safetensors") for name in ("run", "whole")]
    assert_same_bits(*bundles)


def start(folder: Path, arguments: list[str], world: int) -> list[subprocess.Popen[bytes]]:
    from killing import free_port

    port, processes = str(free_port()), []
    for rank in range(world):
        environment = os.environ | ({} if world == 1 else {
            "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo"})
        processes.append(subprocess.Popen(arguments, cwd=folder, env=environment))
    return processes


def finish(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    return [process.wait(120) for process in processes]
