"""Jobs side by side: the same results as in turn, errors that reach the caller, workers that die."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from functools import partial

import pytest

from orthogon.errors import RunError
from orthogon.train.launch import Workers

POWERS_OF_TWO = partial(partial, pow, 2)  # opened, it gives the function job -> 2 ** job
ROOTS = partial(partial, math.sqrt)


@pytest.mark.parametrize("processes", [1, 2])
def test_every_job_is_done_and_named_by_its_place_again_and_again(processes):
    with Workers(POWERS_OF_TWO, processes) as workers:
        assert dict(workers.results([9])) == {0: 512}
        assert dict(workers.results([3, 1, 4, 1, 5])) == {0: 8, 1: 2, 2: 16, 3: 2, 4: 32}
        assert dict(workers.results([])) == {}


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_job_raises_reaches_the_caller(processes):
    with Workers(ROOTS, processes) as workers, pytest.raises(ValueError, match=r"math domain|nonnegative"):
        list(workers.results([4, -1]))


def test_a_worker_that_dies_is_told_with_its_exit_code():
    with Workers(partial(partial, os._exit), 2) as workers, pytest.raises(RunError, match="exit code 3"):
        list(workers.results([3]))


def test_the_script_of_the_user_is_not_run_again_in_the_workers(tmp_path):
    """A script without `if __name__ == "__main__"` would start workers that start workers."""
    script = tmp_path / "script.py"
    script.write_text(
        "from functools import partial\nfrom orthogon.train.launch import Workers\nprint('once')\n"
        "with Workers(partial(partial, pow, 2), 2) as workers:\n    print(sorted(workers.results([1, 2])))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.splitlines() == ["once", "[(0, 2), (1, 4)]"]


def test_in_turn_no_process_is_started_and_the_work_is_opened_once():
    opened = []

    def opening():
        opened.append(os.getpid())
        return lambda job: (job, os.getpid())

    with Workers(opening) as workers:
        assert list(workers.results([])) == opened == []
        assert [result for _, result in workers.results("ab")] == [("a", os.getpid()), ("b", os.getpid())]
        list(workers.results("c"))
    assert opened == [os.getpid()]
