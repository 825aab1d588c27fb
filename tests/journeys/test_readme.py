"""The README as a newcomer reads it: each command as written, in one folder; each block of Python."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "docs"))

from blocks import blocks


def bare(line: str) -> str:
    """A line without what differs between machines and moments: times, threads, the spaces of a table."""
    return " ".join(line.split("  20")[0].split())


def test_the_command_line_as_written(tmp_path):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "COLUMNS": "110"}
    ran = 0
    for block in blocks("README.md"):
        if block.language != "console":
            continue
        printed: list[str] = []
        for line in block.code.splitlines():
            if line.startswith("$ "):
                done = subprocess.run(line[2:], shell=True, cwd=tmp_path, env=environment,  # noqa: S602
                                      capture_output=True, text=True, timeout=280)
                assert done.returncode == 0, f"README.md:{block.line}: {line}\n{done.stderr}"
                printed = [bare(each) for each in done.stdout.splitlines()]
                ran += 1
                continue
            # Digits may differ with hardware; what stands at the head of a line may not.
            head = bare(line).split()[0]
            assert any(each.split()[:1] == [head] for each in printed), f"README.md: {line!r} is not in\n{printed}"
    assert ran >= 6
    assert (tmp_path / "runs" / "digits-1" / "report.html").exists()
    assert (tmp_path / "digits.png").exists()


def test_the_python_as_written(tmp_path):
    code = "\n".join(block.code for block in blocks("README.md") if block.language == "python")
    assert code.count("og.train") >= 2
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert "36 rows" in done.stdout, done.stdout
    assert "class_0" in done.stdout
    *_, score = done.stdout.split()
    assert float(score) > 0.9
