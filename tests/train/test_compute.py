"""The way to compute, in force for a block and undone after it."""

import os
import subprocess
import sys

import torch

from orthogon.train.compute import THREADS_FROM, Compute, Workload, flushes_denormals, resolve
from orthogon.train.settings import TrainSettings

CPU = torch.device("cpu")


def test_threads_and_denormals_are_as_said_within_and_as_before_after():
    threads, flushes = torch.get_num_threads(), flushes_denormals()
    try:
        torch.set_flush_denormal(False)
        faint = torch.full((8,), 1e-30)
        with Compute(CPU, threads=threads + 1).in_force():
            assert torch.get_num_threads() == threads + 1
            assert flushes_denormals()
            assert not (faint * 1e-10).any()
            with Compute(CPU).in_force():
                assert torch.get_num_threads() == 1
            assert flushes_denormals()
            assert torch.get_num_threads() == threads + 1
        assert torch.get_num_threads() == threads
        assert (faint * 1e-10).all()
    finally:
        torch.set_flush_denormal(flushes)


def test_every_thread_that_starts_within_flushes():
    """In a process of its own, where torch has started none before."""
    code = ("import torch\nfrom orthogon.train.compute import Compute, denormals_flushed\nwith denormals_flushed():\n"
            "    with Compute(torch.device('cpu'), threads=2).in_force():\n"
            "        print(int((torch.full((4_000_000,), 1e-30) * 1e-10).count_nonzero()))\n"
            "    faint = torch.full((4_000_000,), 1e-30) * 1e-10\n"
            "    print(int(faint.count_nonzero()))\n")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                           env=os.environ | {"OMP_NUM_THREADS": "2"})
    assert found.stdout.split() == ["0", "0"]


def test_threads_are_those_that_torch_was_told(monkeypatch):
    large = Workload(multiply_adds=THREADS_FROM, batch_size=10, pictures=False)
    before = torch.get_num_threads()
    monkeypatch.setattr("orthogon.train.compute.cores", lambda: 4)
    try:
        torch.set_num_threads(3)
        assert resolve(TrainSettings(device="cpu"), large)[0].threads == 3
        monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
        assert resolve(TrainSettings(device="cpu"), large)[0].threads == 2
        torch.set_num_threads(1)
        assert resolve(TrainSettings(device="cpu"), large)[0].threads == 1
        assert resolve(TrainSettings(device="cpu", threads=4), large)[0].threads == 4
    finally:
        torch.set_num_threads(before)
