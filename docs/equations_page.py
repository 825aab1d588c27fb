"""Writes docs/equations.md: each equation with its code and its measured distance from torch (part of `make docs`)."""

from __future__ import annotations

import ast
import inspect
import math
import re
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent
PAGE = HERE / "equations.md"
SOURCE = "src/orthogon/equations"
TESTS = HERE.parent / "tests"
NOTICE = "<!-- Written by docs/equations_page.py from src/orthogon/equations; `make docs`. -->\n"
MODULES = (
    "derivative", "activations", "losses", "regression_losses", "perceptron", "quadratic", "dense", "logistic",
    "initialization", "regularization", "averages", "optimizers", "schedules", "normalization",
    "weight_normalization", "convolution_sizes", "filters", "convolution", "boxes", "recurrent", "attention",
    "sequences", "embeddings", "similarity", "boltzmann",
)  # in the order of a course
INTRODUCTION = """Under each function stands the largest distance of its outputs and gradients from torch's, in float64,
relative to the largest entry where that is above 1, rounded up to a power of ten with room for another processor's last
digit. Where none stands, torch has no such function, and the tests hold it against closed forms, worked numbers and its
properties.
"""
AUTOGRAD = "Distance from torch's autograd, output and gradients: ≤ "
TORCH = "Distance from torch: ≤ "


@cache
def twins() -> list[Any]:
    """The table of tests/equations, where each function stands beside torch's."""
    sys.path.insert(0, str(TESTS))
    return import_module("equations.twins").all_twins()


def measured() -> dict[str, float]:
    """`module.function` -> the largest residual of its twins."""
    residual = import_module(type(twins()[0]).__module__).residual
    found: dict[str, float] = {}
    for twin in twins():
        name = label(twin.function)
        found[name] = max(found.get(name, 0.0), residual(twin))
    return found


def bound(residual: float) -> str:
    """A power of ten above it, with room for another processor's last digit."""
    return f"1e{math.ceil(math.log10(max(4.0 * residual, 1e-15)))}"


def label(function: Callable[..., Any]) -> str:
    return f"{function.__module__.rpartition('.')[2]}.{function.__name__}"


def defined(module: ModuleType) -> dict[str, Any]:
    """The functions and classes that a module defines, in the order of its source."""
    own = {name: item for name, item in vars(module).items()
           if (inspect.isfunction(item) or inspect.isclass(item)) and item.__module__ == module.__name__}
    return dict(sorted(own.items(), key=lambda pair: inspect.getsourcelines(pair[1])[1]))


def code(function: Callable[..., Any]) -> str:
    """The source without its docstring, which the page shows as text."""
    lines = inspect.getsource(function).splitlines()
    definition = ast.parse("\n".join(lines)).body[0]
    if isinstance(definition, ast.FunctionDef) and ast.get_docstring(definition):
        docstring = definition.body[0]
        del lines[docstring.lineno - 1 : docstring.end_lineno]
    return "\n".join(lines)


def prose(docstring: str) -> str:
    """A docstring as Markdown: what is indented is an equation."""
    parts = []
    for part in re.split(r"\n\n+", docstring):
        if part.startswith("    "):
            parts.append(f"```text\n{textwrap.dedent(part)}\n```")
        else:
            parts.append(re.sub(r"([*<])", r"\\\1", part))
    return "\n\n".join(parts).replace("\n```\n\n```text\n", "\n\n")


def function_section(
    item: Callable[..., Any], backward: Callable[..., Any] | None, bounds: Mapping[str, str]
) -> list[str]:
    name = label(item)
    lines = [f'<a id="{name}"></a>\n', f"### {item.__name__}\n", prose(inspect.getdoc(item) or "") + "\n"]
    if name in bounds:
        lines.append(f"{AUTOGRAD if backward else TORCH}{bounds[name]}\n")
    both = [code(item), code(backward)] if backward else [code(item)]
    return [*lines, "```python", "\n\n\n".join(both), "```\n"]


def module_section(name: str, bounds: Mapping[str, str]) -> list[str]:
    module = import_module(f"orthogon.equations.{name}")
    items = defined(module)
    links = f"[source](../{SOURCE}/{name}.py), [tests](../tests/equations/test_{name}.py)"
    lines = [f'<a id="{name}"></a>\n', f"## {name}\n", prose(inspect.getdoc(module) or "") + "\n", links + "\n"]
    for own, item in items.items():
        if inspect.isfunction(item) and not own.startswith("_") and not own.endswith("_backward"):
            lines += function_section(item, items.get(f"{own}_backward"), bounds)
    rest = [inspect.getsource(item).strip() for own, item in items.items()
            if own.startswith("_") or inspect.isclass(item)]
    if rest:
        lines += ["What these share:\n", "```python", "\n\n\n".join(rest), "```\n"]
    return lines


def contents() -> list[str]:
    lines = []
    for name in MODULES:
        items = defined(import_module(f"orthogon.equations.{name}"))
        links = [f"[{own}](#{name}.{own})" for own, item in items.items()
                 if inspect.isfunction(item) and not own.startswith("_") and not own.endswith("_backward")]
        lines.append(f"- [{name}](#{name}): {', '.join(links)}")
    return [*lines, ""]


def page(bounds: Mapping[str, str]) -> str:
    """bounds: `module.function` -> what its distance from torch is at most."""
    package = import_module("orthogon.equations")
    introduction = [prose(inspect.getdoc(package) or "") + "\n", INTRODUCTION]
    sections = [line for name in MODULES for line in module_section(name, bounds)]
    return "\n".join([NOTICE, "# Equations\n", *introduction, *contents(), *sections])


def stated(text: str) -> dict[str, str]:
    """The bounds that a page states."""
    found = re.findall(rf'<a id="(\w+\.\w+)"></a>(?:(?!<a id).)*?(?:{AUTOGRAD}|{TORCH})(\S+)\n', text, re.DOTALL)
    return dict(found)


def write() -> Path:
    PAGE.write_text(page({name: bound(residual) for name, residual in measured().items()}), encoding="utf-8")
    return PAGE
