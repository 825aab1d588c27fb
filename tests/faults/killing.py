"""Training processes that kill themselves at a named moment. Imported by the fork server, so that each starts warm."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch._dynamo  # torch's optimizers import it when they are first built
import torch.distributed
from safetensors.torch import load_file, save_file

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "train"))
# The fork server is a new interpreter that is told nothing but its environment.
os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), str(HERE.parent / "train"), os.environ.get("PYTHONPATH", "")])

from worlds import blobs, recipe

import orthogon.train.checkpoint as checkpoint
import orthogon.train.fit as fit_module
from orthogon.train.build import build_task
from orthogon.train.ranks import Ranks
from orthogon.train.run import Run
from orthogon.train.step import GradientStep

EPOCHS, STEPS = 4, 44

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["killing"])


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_in(module: Any, name: str, call: int, *, after: bool = False, half: bool = False) -> None:
    """Replace a function so that its n-th call kills the process: before its work, after it, or in its midst."""
    original, calls = getattr(module, name), [0]

    def replaced(*arguments: Any, **named: Any) -> Any:
        calls[0] += 1
        if calls[0] == call and not after:
            if half:
                path, data = arguments
                path.with_name(f".{path.name}.half").write_bytes(data[: len(data) // 2])
            die()
        result = original(*arguments, **named)
        if calls[0] == call:
            die()
        return result

    setattr(module, name, replaced)


def arm(moment: tuple[str, int] | None) -> None:
    """("step", 17), ("checkpoint", 0…3) or ("evaluation", 2)."""
    if moment is None:
        return
    kind, number = moment
    if kind == "step":
        die_in(GradientStep, "__call__", number)
    elif kind == "evaluation":
        die_in(fit_module, "predict", number)
    else:  # the second checkpoint: its tensors are the third file, its JSON the fourth
        ways: list[dict[str, Any]] = [{"call": 3}, {"call": 3, "half": True}, {"call": 3, "after": True},
                                      {"call": 4, "after": True}]
        die_in(checkpoint, "write_atomically", **ways[number])


def work(folder: str, moment: tuple[str, int] | None, environment: dict[str, str], result: str) -> None:
    """Train in the run folder, from where it stands; write the final weights."""
    os.environ.update(environment)
    torch.set_num_threads(1)
    arm(moment)
    ranks = Ranks.join()
    run = Run(folder)
    wanted, data = run.recipe(), blobs(206)
    rows, dev = np.arange(166), np.arange(166, 206)
    task = build_task(wanted)
    task.fit(data, rows)
    fit_module.attach(task, data, wanted)
    fitted = fit_module.fit(fit_module.plan(wanted, task, rows, dev), task, data, rows, dev, run=run, ranks=ranks)
    if ranks.first:
        save_file({name: value.clone() for name, value in fitted.model.state_dict().items()}, result)
    ranks.leave()


def new_run(folder: Path, name: str) -> Run:
    """A run in which everything that has a state takes part."""
    wanted = recipe(
        train__epochs=EPOCHS, train__checkpoint_steps=7, train__ema=0.9, train__schedule="plateau",
        train__schedule_epochs=1, train__keep_best=True, train__clip_norm=1.0,
        model__options={"hidden": [8], "dropout": 0.3, "norm": "batch"},
    )
    return Run.create(wanted, folder, name)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def launch(run: Run, result: Path, moment: tuple[str, int] | None, world: int) -> list[int]:
    """Train with so many processes; the last one meets the moment (the first, where only it writes). Exit codes."""
    victim = 0 if moment and moment[0] != "step" else world - 1
    port = str(free_port())
    processes = []
    for rank in range(world):
        environment = {} if world == 1 else {
            "RANK": str(rank), "WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": str(world), "LOCAL_RANK": str(rank),
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "GLOO_SOCKET_IFNAME": "lo",
        }
        process = context.Process(
            target=work, args=(str(run.path), moment if rank == victim else None, environment, str(result)))
        process.start()
        processes.append(process)
    processes[victim].join(120)
    for process in processes:
        if moment is not None and process.is_alive():  # what a launcher does with the others when one has died
            process.kill()
        process.join(120)
    return [process.exitcode for process in processes]


def final_weights(result: Path) -> dict[str, torch.Tensor]:
    return load_file(result)
