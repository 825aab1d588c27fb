"""The way to compute, in force for a block and undone after it."""

import torch

from orthogon.train.compute import Compute, flushes_denormals

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
