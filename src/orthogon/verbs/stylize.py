"""`stylize`: a picture with the content of one and the style of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon import registry
from orthogon.errors import RecipeError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.train.weights import left_open
from orthogon.verbs.console import Console
from orthogon.verbs.one_picture import Made, carry_out, resumed

if TYPE_CHECKING:
    from orthogon.train.observers import Observer

VERB = "stylize"
COARSEST = 128
"""Longer side in pixels of the first size, where sizes are left open."""

# Optimizer -> steps, rate, schedule. A step of L-BFGS is ten iterations.
USUAL: dict[str, tuple[int, float, str]] = {"lbfgs": (24, 1.0, "constant"), "adam": (400, 0.03, "cosine")}

Layers = str | Sequence[str] | Mapping[str, float]


def stylize(
    content: str | Path | None = None, style: str | Path | None = None, *, model: str = "squeezenet1_0",
    weights: str = "imagenet", size: int | Sequence[int] = 256, steps: int | None = None, alpha: float = 1.0,
    beta: float = 5.0, smoothness: float = 50.0, layers: Layers | None = None, content_layers: Layers | None = None,
    start: str = "content", pooling: str = "average", optimizer: str = "lbfgs", lr: float | None = None, seed: int = 0,
    device: str = "auto", recipe: str | Path | Recipe | None = None, options: Mapping[str, Any] | None = None,
    out: str | Path = "runs", name: str | None = None, resume: str | Path | Run | None = None, quiet: bool = False,
    observers: Sequence[Observer] = (),
) -> Run:
    """Paint a picture anew: what is where from `content`, colors and strokes from `style` (rows 22.01 to 22.07; Gatys
    et al. 2015, arXiv:1508.06576).

    content, style: picture files. model, weights: of the network that looks at them: any network for pictures, with
             published weights, those of a run, or a file.
    size:    longer side of the result in pixels; it is begun at half of it and half of that again, down to 128. Several
             numbers are taken as they are, from coarse to fine.
    steps:   of the optimizer, in all; left out: 24 of lbfgs (ten iterations each), 400 of adam. lr: its rate.
    alpha, beta, smoothness: what content, style and total variation count; costs are shares of what they would be if
             all maps were zero.
    layers:  of style, content_layers: of content: names, or name -> weight λ (they are made to sum to 1). Left out: the
             last map of each size (`vision.eye.default_layers`).
    start:   content, style or random: the first picture. pooling: average, or max as the network has it.
    recipe:  of an earlier run, in place of all this; options: flat keys (`train.threads`) that beat it. resume: a run
             that was stopped: it goes on bit for bit. out, name, seed, device, quiet: as of `train`.

    Returns the Run, with picture.png and report.html. Raises DataError for pictures that cannot be read or have no
    contrast, RecipeError for what does not exist (layers: it lists those that do), Diverged, Interrupted.
    """
    console = Console(quiet)
    if resume is not None:
        return carry_out(resumed(resume, VERB, out), VERB, _made, console, observers, quiet)
    if recipe is None:
        told = {
            "style": str(style), "alpha": alpha, "beta": beta, "smoothness": smoothness, "start": start,
            "pooling": pooling, "sizes": _sizes(size), "style_layers": _named(layers, "layers"),
            "content_layers": _named(content_layers, "content_layers"),
        }
        if content is None or style is None:
            raise RecipeError("two pictures are needed", where=VERB, remedy="orthogon stylize CONTENT STYLE")
        recipe = _recipe(str(content), told, model, weights, steps, optimizer, lr, seed, device)
    asked = (recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)).with_values(options or {})
    _check(asked)
    return carry_out(Run.create(asked, out, name), VERB, _made, console, observers, quiet)


def _recipe(content: str, told: Mapping[str, Any], model: str, weights: str, steps: int | None, optimizer: str,
            lr: float | None, seed: int, device: str) -> Recipe:
    registry.models.entry(model)
    if optimizer not in USUAL:
        raise RecipeError(f"pictures are not painted by {optimizer!r}", where="optimizer",
                          remedy=f"Known: {', '.join(USUAL)}.")
    usual_steps, usual_rate, schedule = USUAL[optimizer]
    recipe = Recipe().with_values({
        "data.source": content, "task.name": VERB, "task.options": dict(told), "model.name": model,
        "model.weights": weights, "train.optimizer": optimizer, "train.lr": usual_rate if lr is None else lr,
        "train.weight_decay": 0.0, "train.schedule": schedule,
        "train.steps": usual_steps if steps is None else steps, "train.seed": seed, "train.device": device,
        "train.precision": "fp32", "train.health": False,
    }, where=VERB)
    return recipe.with_values(left_open(recipe), where="weights")


def _sizes(size: int | Sequence[int]) -> list[int]:
    if not isinstance(size, int):
        return [int(each) for each in size]
    sizes = [size]
    while sizes[0] >= 2 * COARSEST:
        sizes.insert(0, sizes[0] // 2)
    return sizes


def _named(layers: Layers | None, where: str) -> dict[str, float] | None:
    """Layer -> λ, 1 in all."""
    if layers is None:
        return None
    given = dict(layers) if isinstance(layers, Mapping) else dict.fromkeys(
        [layers] if isinstance(layers, str) else layers, 1.0)
    total = sum(given.values())
    if not given or not all(each >= 0 for each in given.values()) or not total > 0:
        raise RecipeError("weights of layers are numbers from 0 up, and one of them is more", where=where,
                          remedy="For example: features.1=1,features.5=2")
    return {name: weight / total for name, weight in given.items()}


def _check(recipe: Recipe) -> None:
    """What can be said before a folder is made."""
    from orthogon.vision.one_picture import options_of, read_picture
    from orthogon.vision.stylize import StyleOptions

    options = options_of(StyleOptions, recipe.task.options)
    read_picture(str(recipe.data.source), "the content picture")
    read_picture(options.style, "the style picture")


def _made(recipe: Recipe) -> Made:
    """Task, picture and resolved recipe: layers that were left open are those of the network."""
    import torch

    from orthogon.nn.cost import multiply_adds
    from orthogon.train.build import chosen_weights
    from orthogon.train.compute import Workload, compute_of, resolve, sentence
    from orthogon.vision.eye import Eye, check_layers, default_layers, trained_network
    from orthogon.vision.one_picture import options_of, within
    from orthogon.vision.stylize import Picture, StyleOptions, Stylize

    network, look = trained_network(recipe), recipe.data.normalize
    options = options_of(StyleOptions, recipe.task.options)
    if options.style_layers is None or options.content_layers is None:
        content, style = default_layers(network)
        options = replace(options, style_layers=options.style_layers or _named(style, "layers"),
                          content_layers=options.content_layers or _named(content, "content_layers"))
    names = [*(options.content_layers or {}), *(options.style_layers or {})]
    mean, std = _standard(look)
    check_layers(network, names, len(mean), 224)
    eye = Eye(network, list(dict.fromkeys(names)), mean, std, options.pooling == "average")
    task = Stylize(recipe.task, recipe.data, options, eye)
    size = within(task.content, options.sizes[-1])
    cost = multiply_adds(eye, (torch.zeros(1, 3, *size),))
    settings, reasons = resolve(recipe.train, Workload(3 * cost, 1, True))
    eye.to(compute_of(settings).device)
    recipe = recipe.model_copy(update={"train": settings})
    recipe.task.options = asdict(options)
    lines = [
        (VERB, f"{task.title}; {size[0]}×{size[1]} pixels by {settings.steps} steps of {settings.optimizer}, at "
               f"{', '.join(map(str, options.sizes))}; {sentence(settings, reasons)}"),
        (str(recipe.model.name), f"{chosen_weights(recipe.model).title}; content from "
                                 f"{', '.join(options.content_layers or {})}; style from "
                                 f"{', '.join(options.style_layers or {})}"),
        *(("warning", text) for text in task.warnings()),
    ]
    return Made(task, Picture(task.first_picture(settings.seed)), recipe, tuple(lines))


def _standard(normalize: Any) -> tuple[list[float], list[float]]:
    """What the network's pictures are standardized by; those of weights that do not say it: 0 … 255 to −1 … 1."""
    if normalize is None or isinstance(normalize, str):
        return [127.5] * 3, [127.5] * 3
    return normalize.mean, normalize.std
