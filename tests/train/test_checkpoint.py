"""Checkpoints hold any tree, survive damage, and never replace a whole one by half of another."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from orthogon.train.checkpoint import Checkpoints, flatten, unflatten

plain = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=5)
tensors = st.sampled_from([torch.float32, torch.int64, torch.bfloat16, torch.bool]).flatmap(
    lambda dtype: st.integers(0, 4).map(lambda n: torch.arange(n * 2).reshape(n, 2).to(dtype)))
keys = st.text(max_size=6) | st.integers(0, 99)
trees = st.recursive(plain | tensors, lambda inner: st.lists(inner, max_size=3)
                     | st.dictionaries(keys, inner, max_size=3).filter(lambda d: len({str(k) for k in d}) == len(d)),
                     max_leaves=12)


def same(one, other) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


@settings(max_examples=150, deadline=None)
@given(trees)
def test_any_tree_comes_back_as_it_was(tmp_path_factory, tree):
    checkpoints = Checkpoints(tmp_path_factory.mktemp("checkpoints"))
    checkpoints.save(7, tree)
    step, found = checkpoints.load_last()  # type: ignore[misc]
    assert step == 7
    assert same(tree, found)


def test_objects_are_refused():
    with pytest.raises(TypeError, match="not set at '/a'"):
        flatten({"a": {1, 2}})
    tensors, tree = flatten({"w": torch.ones(2)})
    assert unflatten(tree, tensors)["w"].tolist() == [1, 1]


def test_tensors_that_share_memory_are_saved():
    weight = torch.randn(4, 4)
    checkpoints = Checkpoints.__new__(Checkpoints)
    tree = {"tied": weight, "same": weight, "view": weight[1:3, ::2], "flat": weight.t()}
    tensors, plain_tree = flatten(tree)
    assert same(tree, unflatten(plain_tree, tensors))
    assert checkpoints is not None


@pytest.mark.parametrize("damage", ["flip", "cut", "missing", "json"])
def test_a_damaged_checkpoint_is_passed_over_and_said_so(tmp_path, damage):
    said: list[str] = []
    checkpoints = Checkpoints(tmp_path, said.append)
    checkpoints.save(1, {"w": torch.ones(64)})
    checkpoints.save(2, {"w": torch.zeros(64)})
    path = tmp_path / "00000002.safetensors"
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-3] ^= 1
        path.write_bytes(data)
    elif damage == "cut":
        path.write_bytes(data[:50])
    elif damage == "missing":
        path.unlink()
    else:
        (tmp_path / "00000002.json").write_text("{")
    step, tree = checkpoints.load_last()  # type: ignore[misc]
    assert step == 1
    assert tree["w"].sum() == 64
    assert "damaged checkpoint" in said[0]
    assert "going back" in said[0]


def test_the_last_two_and_the_best_are_kept(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in range(1, 6):
        checkpoints.save(step, {"step": step})
        checkpoints.prune()
        if step in (2, 3):
            checkpoints.save_best(step, {"best": step})
    assert checkpoints.steps() == [4, 5]
    assert checkpoints.load_best(3) == {"best": 3}
    assert not (tmp_path / "best-00000002.json").exists()


def test_a_full_disk_leaves_the_checkpoint_before_whole(tmp_path):
    """The operating system refuses files over a size, as a full disk would refuse their last bytes."""
    script = textwrap.dedent("""
        import resource, signal, sys, torch
        from pathlib import Path
        from orthogon.errors import RunError
        from orthogon.train.checkpoint import Checkpoints
        checkpoints = Checkpoints(Path(sys.argv[1]))
        checkpoints.save(1, {"w": torch.ones(1000)})
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
        try:
            checkpoints.save(2, {"w": torch.ones(100_000)})
        except RunError as error:
            print(error)
        print(checkpoints.load_last()[0], sorted(p.name for p in Path(sys.argv[1]).iterdir()))
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "could not be written" in done.stdout
    assert "The one before it is whole" in done.stdout
    assert "1 ['00000001.json', '00000001.safetensors']" in done.stdout
