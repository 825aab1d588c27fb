"""What all tests share."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

for shared in ("train", "faults"):
    sys.path.insert(0, str(Path(__file__).parent / shared))
# Side by side, one process for each core: more threads would only wait for each other, on a shared machine for so long
# that tests take several times their time.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests run in a folder of their own, with a cache of their own: nothing is left in the project or at home."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORTHOGON_CACHE", str(tmp_path / "cache"))
