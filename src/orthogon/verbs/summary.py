"""`summary`: the layers of a network, their shapes, parameters and multiply-adds."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import RunError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.compose import compose

if TYPE_CHECKING:
    from torch import Tensor, nn

    from orthogon.data.dataset import Dataset


@dataclass(frozen=True)
class Layer:
    """One module without children, or with parameters of its own.

    name:   its path in the model. kind: its class. shape: of its output for one example; () where it gives no tensor.
    parameters: how many it owns. multiply_adds: for one example, in matrix products and convolutions.
    arithmetic: how its size and its parameters come about; "" where there is nothing to reckon.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    multiply_adds: int
    arithmetic: str = ""


@dataclass(frozen=True)
class Summary:
    """The layers in the order in which they are run, and the totals.

    inputs: the shapes of one example. parameters: each counted once, however often it is used; trainable: those that
    are learnt. multiply_adds: of one example forward, in matrix products and convolutions.
    """

    model: str
    inputs: tuple[tuple[int, ...], ...]
    layers: tuple[Layer, ...]
    parameters: int
    trainable: int
    multiply_adds: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        from orthogon.draw.tables import text_table

        return f"{self._title()}\n\n{text_table(*self._table())}\n\n{self._total()}"

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from orthogon.draw.tables import html_table

        return html_table(*self._table(), caption=f"{self._title()}: {self._total()}")

    def _title(self) -> str:
        return f"{self.model} for inputs of {' and '.join(_times(shape) for shape in self.inputs)}"

    def _total(self) -> str:
        frozen = self.parameters - self.trainable
        return f"{self.parameters:,} parameters" + (f" ({frozen:,} of them frozen)" if frozen else "") + (
            f", {self.multiply_adds:,} multiply-adds for one example"
        )

    def _table(self) -> tuple[list[str], list[list[Any]]]:
        headers = ["layer", "kind", "output", "parameters", "multiply-adds", "arithmetic"]
        return headers, [
            [layer.name or "(model)", layer.kind, _times(layer.shape), layer.parameters, layer.multiply_adds,
             layer.arithmetic]
            for layer in self.layers
        ]


def summary(
    model: nn.Module | str | Path | Run, data: Any = None, *, target: str | None = None,
    options: Mapping[str, Any] | None = None, root: str | Path = "runs",
) -> Summary:
    """Layers, output shapes, parameters and multiply-adds of a network.

    model:   a module, the name of a model, `file.py:Class`, or a run (its recipe then says the data as well).
    data:    what it is to learn from, as `og.read` takes it, or the input tensors of a module; left out: for pictures
             of the size, and as many classes, as the model was published for, where it was, else the digits.
    target:  the column to learn. options: of the model, e.g. {"hidden": [64, 64]}. root: the folder of the runs.

    Nothing is trained and the model is left as it is. RecipeError, DataError or RunError where there is none.
    """
    inputs = _tensors(data)
    if inputs is not None and not isinstance(model, str | Path | Run):
        return summarize(model, inputs, type(model).__name__)
    if data is None and isinstance(model, str) and (published := _published(model)):
        import torch

        with torch.device("meta"):  # shapes and counts are wanted, and no number
            return summarize(*_as_published(model, published, options), model)
    recipe = _recipe(model, data, target, options, root)
    built, inputs, name = _built(recipe, data, None if isinstance(model, str | Path | Run) else model)
    return summarize(built, inputs, name)


def summarize(model: nn.Module, inputs: tuple[Tensor, ...], name: str) -> Summary:
    """The summary of a module for a batch of inputs: a copy of it is run once, in evaluation mode."""
    import torch

    from orthogon.nn.cost import operation_counter

    examples = len(inputs[0])
    copied = copy.deepcopy(model).eval()
    counter = operation_counter()
    with torch.no_grad(), counter, _watched(copied, counter) as seen:
        copied(*inputs)
    layers = [_layer(path, module, seen.get(path), examples) for path, module in _rows(copied, seen)]
    total = counter.get_total_flops() // 2 // examples
    elsewhere = total - sum(layer.multiply_adds for layer in layers)
    if elsewhere > 0:
        layers.append(Layer("(between layers)", "", (), 0, elsewhere))
    parameters = list(model.parameters())
    return Summary(
        name, tuple(tuple(each.shape[1:]) for each in inputs), tuple(layers),
        sum(each.numel() for each in parameters), sum(each.numel() for each in parameters if each.requires_grad), total,
    )


@dataclass
class _Seen:
    """What a module was seen to do: its operations in all calls, and the shapes of its last one."""

    operations: int = 0
    given: tuple[int, ...] = ()
    shape: tuple[int, ...] = ()
    before: int = 0


@contextmanager
def _watched(model: nn.Module, counter: Any) -> Iterator[dict[str, _Seen]]:
    """Path -> what each module without children does while the model runs, in order."""
    from torch import Tensor

    seen: dict[str, _Seen] = {}

    def enter(path: str) -> Any:
        def hook(*_: Any) -> None:
            seen.setdefault(path, _Seen()).before = counter.get_total_flops()

        return hook

    def leave(path: str) -> Any:
        def hook(module: nn.Module, arguments: Any, output: Any) -> None:
            entry = seen[path]
            entry.operations += counter.get_total_flops() - entry.before
            entry.given = tuple(arguments[0].shape[1:]) if arguments and isinstance(arguments[0], Tensor) else ()
            entry.shape = tuple(output.shape[1:]) if isinstance(output, Tensor) else ()

        return hook

    handles = []
    for path, module in model.named_modules():
        if not any(module.children()):
            handles += [module.register_forward_pre_hook(enter(path)), module.register_forward_hook(leave(path))]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def _rows(model: nn.Module, seen: Mapping[str, _Seen]) -> list[tuple[str, nn.Module]]:
    """Those that were run, in that order; then what was not, if it owns parameters."""
    modules = dict(model.named_modules())
    owners = [path for path, module in modules.items() if list(module.parameters(recurse=False))]
    return [(path, modules[path]) for path in dict.fromkeys([*seen, *owners])]


def _layer(path: str, module: nn.Module, seen: _Seen | None, examples: int) -> Layer:
    from orthogon.nn.arithmetic import arithmetic

    own = sum(parameter.numel() for parameter in module.parameters(recurse=False))
    seen = seen or _Seen()
    told = arithmetic(module, seen.given, seen.shape) if seen.given and seen.shape else ""
    return Layer(path, type(module).__name__, seen.shape, own, seen.operations // 2 // examples, told)


def _published(model: str) -> tuple[int, ...]:
    from orthogon import registry

    return registry.models.entry(model).published if model in registry.models else ()


def _as_published(model: str, published: tuple[int, ...], options: Mapping[str, Any] | None) -> tuple[Any, Any]:
    """The model for what it was published for, and one picture of zeros."""
    import torch

    from orthogon.nn.spec import InputSpec, ModelSpec
    from orthogon.train.build import build_model
    from orthogon.train.settings import ModelSettings

    *shape, outputs = published
    spec = ModelSpec((InputSpec("image", tuple(shape)),), outputs)
    built = build_model(spec, ModelSettings(name=model, options=dict(options or {})), seed=0)
    return built, (torch.zeros(1, *shape),)


def _tensors(data: Any) -> tuple[Tensor, ...] | None:
    """The tensors that a module is to be run on, where that is what was given."""
    items = data if isinstance(data, tuple | list) else (data,)
    if not items or any(type(item).__module__ != "torch" for item in items):
        return None
    return tuple(items)


def _recipe(model: Any, data: Any, target: str | None, options: Mapping[str, Any] | None, root: str | Path) -> Recipe:
    from orthogon import registry

    chosen = {"model.options": dict(options)} if options else None
    run = model if isinstance(model, Run) else None
    if isinstance(model, str | Path) and str(model) not in registry.models and ":" not in str(model):
        try:
            run = Run.open(model, root)
        except RunError:
            registry.models.entry(str(model))  # says which models there are
    if run is not None:
        run.refuse_foreign("There are no layers to show")
        return compose(data, recipe=run.recipe(), target=target, options=chosen)[0]
    return compose(data, model=str(model) if isinstance(model, Path) else model, target=target, options=chosen)[0]


def _built(recipe: Recipe, data: Any, module: nn.Module | None) -> tuple[nn.Module, tuple[Tensor, ...], str]:
    """The model, two examples of its inputs, and its name."""
    import torch

    from orthogon.train.build import build_model, build_task
    from orthogon.train.fit import with_defaults
    from orthogon.verbs.prepare import prepare

    prepared = prepare(recipe, data)
    rows = prepared.passport.rows("train")
    task = build_task(prepared.recipe)
    task.fit(prepared.data, rows)
    few: Dataset = prepared.data.take(rows[:2])
    task.attach(few, torch.device("cpu"))
    settled = with_defaults(prepared.recipe, task, len(rows))
    inputs = task.batch(torch.arange(len(few))).inputs
    if module is not None:
        return module, inputs, type(module).__name__
    return build_model(task.spec, settled.model, settled.train.seed), inputs, str(settled.model.name)


def _times(shape: tuple[int, ...]) -> str:
    return "×".join(str(size) for size in shape) or "–"
