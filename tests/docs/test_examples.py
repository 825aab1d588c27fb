"""The examples of CONTRIBUTING.md and docs/watching.md run as written."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from blocks import blocks

from orthogon import registry
from orthogon.registry import Entry


class Recorder(ModuleType):
    """Stands for a tool that is not installed: remembers what it was told."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__dict__["told"] = []

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def tell(*arguments: Any, **named: Any) -> Recorder:
            self.told.append((name, arguments, named))
            return self

        return tell


@pytest.fixture(autouse=True)
def _as_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of the examples can be imported; entry points that they declare are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    for sort in ("tasks", "models", "optimizers"):
        table = dict(getattr(registry, sort).table())
        monkeypatch.setattr(getattr(registry, sort), "table", lambda table=table: table)


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/watching.md"])
def test_example(page, tmp_path, monkeypatch):
    tools = {name: Recorder(name) for name in ("wandb", "mlflow")}
    for name, tool in tools.items():
        monkeypatch.setitem(sys.modules, name, tool)
    found, names = blocks(page), {}
    assert found
    for block in found:
        if block.file:
            (tmp_path / block.file).write_text(block.code + "\n")
        elif block.language == "toml":
            for group, entries in tomllib.loads(block.code)["project"]["entry-points"].items():
                table = getattr(registry, group.removeprefix("orthogon.")).table()
                table.update({name: Entry(name, path, "an example") for name, path in entries.items()})
        else:
            exec(compile("\n" * block.line + block.code, page, "exec"), names)  # noqa: S102 - our own documents
    if "wandb" in names:
        for name, evaluated in (("wandb", "dev/accuracy"), ("mlflow", "dev_accuracy")):
            logged = [values for what, (values, *_), _ in (t for t in tools[name].told if t[1]) if "log" in what]
            assert any(evaluated in values for values in logged)
            assert any("loss" in values for values in logged)
