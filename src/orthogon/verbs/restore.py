"""`restore`: one picture without its noise, with its holes filled in, or enlarged, by a network that saw no other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orthogon.errors import RecipeError
from orthogon.train.recipe import Recipe
from orthogon.train.run import Run
from orthogon.verbs.console import Console
from orthogon.verbs.one_picture import Made, carry_out, resumed

if TYPE_CHECKING:
    from orthogon.train.observers import Observer

VERB = "restore"
STEPS, RATE = 2_000, 0.01
PATIENCE = 30
"""Looks without a lower variance after which it stops; there is one every ten steps."""


def restore(
    picture: str | Path | None = None, *, how: str = "denoise", mask: str | Path | None = None,
    truth: str | Path | None = None, factor: int = 2, steps: int = STEPS, patience: int | None = PATIENCE,
    lr: float = RATE, seed: int = 0, device: str = "auto", recipe: str | Path | Recipe | None = None,
    options: Mapping[str, Any] | None = None, out: str | Path = "runs", name: str | None = None,
    resume: str | Path | Run | None = None, quiet: bool = False, observers: Sequence[Observer] = (),
) -> Run:
    """Mend one picture by the deep image prior (row 17.18; Ulyanov et al. 2017, arXiv:1711.10925).

    picture: a file. how: denoise; inpaint, with mask, a picture that is white where the given one is to be kept; or
             enlarge, so many times (factor) along each side.
    truth:   the undamaged picture, to measure the PSNR by; nothing is learnt from it.
    steps:   at most; patience: it stops after so many looks, one every ten steps, without a lower variance of what the
             network gives, and goes back to where it was lowest (Wang et al. 2021, arXiv:2112.06074). None: not at all.
    recipe, options, resume, out, name, seed, device, quiet: as of `stylize`.

    Returns the Run, with picture.png and report.html. Raises DataError for pictures that cannot be read, have no
    contrast or do not fit each other, RecipeError for what does not exist, Diverged, Interrupted.
    """
    console = Console(quiet)
    if resume is not None:
        return carry_out(resumed(resume, VERB, out), VERB, _made, console, observers, quiet)
    if recipe is None:
        if picture is None:
            raise RecipeError("a picture is needed", where=VERB, remedy="orthogon restore PICTURE --how denoise")
        recipe = Recipe().with_values({
            "data.source": str(picture), "task.name": VERB,
            "task.options": {"how": how, "mask": _path(mask), "truth": _path(truth), "factor": factor},
            "train.optimizer": "adam", "train.lr": lr, "train.weight_decay": 0.0, "train.schedule": "constant",
            "train.steps": steps, "train.early_stopping": patience, "train.keep_best": patience is not None,
            "train.seed": seed, "train.device": device, "train.precision": "fp32", "train.health": False,
        }, where=VERB)
    asked = (recipe if isinstance(recipe, Recipe) else Recipe.read(recipe)).with_values(options or {})
    _check(asked)
    return carry_out(Run.create(asked, out, name), VERB, _made, console, observers, quiet)


def _path(path: str | Path | None) -> str | None:
    return None if path is None else str(path)


def _check(recipe: Recipe) -> None:
    """What can be said before a folder is made."""
    from orthogon.vision.image_prior import PriorOptions, Restore
    from orthogon.vision.one_picture import options_of

    Restore(recipe.task, recipe.data, options_of(PriorOptions, recipe.task.options))


def _made(recipe: Recipe) -> Made:
    import torch

    from orthogon.nn.cost import multiply_adds
    from orthogon.train.compute import Workload, compute_of, resolve, sentence
    from orthogon.vision.image_prior import PriorOptions, Restore
    from orthogon.vision.one_picture import options_of

    options = options_of(PriorOptions, recipe.task.options)
    task = Restore(recipe.task, recipe.data, options)
    model = task.model(recipe.train.seed)
    cost = multiply_adds(model, (torch.zeros(()),))
    settings, reasons = resolve(recipe.train, Workload(3 * cost, 1, True))
    task.to(compute_of(settings).device)
    recipe = recipe.model_copy(update={"train": settings})
    recipe.task.options = asdict(options)
    parameters = sum(each.numel() for each in model.parameters())
    line = (f"{task.title}: {task.size[0]}×{task.size[1]} pixels by a network of {parameters:,} parameters in at most "
            f"{settings.steps:,} steps; {sentence(settings, reasons)}")
    return Made(task, model, recipe, ((VERB, line),))
