"""The scripts of docs/ as modules."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent.parent / "docs"


@cache
def script(name: str) -> Any:
    specification = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = sys.modules[f"docs_{name}"] = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
