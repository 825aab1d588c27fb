"""`stylize`, `restore`: what needs no data set, a picture at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Argument, Option

from orthogon.cli import complete
from orthogon.cli.shell import Debug, Json, Root, Set, emit, quiet_stdout
from orthogon.cli.train import assignments

if TYPE_CHECKING:
    from orthogon.train.run import Run

PICTURES, HOW, RUN = "The pictures", "How", "The run"

Name = Annotated[
    str | None, Option(help="Name of the run; numbered after the picture when left out.", rich_help_panel=RUN)
]
Resume = Annotated[
    str | None,
    Option(
        metavar="RUN",
        help="Continue this run where it stopped.",
        autocompletion=complete.runs,
        rich_help_panel=RUN,
    ),
]
Recipe = Annotated[
    str | None, Option(metavar="FILE", help="The recipe of an earlier run, in place of all else.", rich_help_panel=RUN)
]
Seed = Annotated[int, Option(metavar="N", help="Seed of all that is drawn.", rich_help_panel=HOW)]
Device = Annotated[
    str,
    Option(
        help="auto, cpu, cuda or mps.",
        autocompletion=complete.one_of("auto", "cpu", "cuda", "mps"),
        rich_help_panel=HOW,
    ),
]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Print nothing but errors.", rich_help_panel=RUN)]


def stylize(
    content: Annotated[
        str | None, Argument(metavar="CONTENT", show_default=False, help="The picture that says what is where.")
    ] = None,
    style: Annotated[
        str | None, Argument(metavar="STYLE", show_default=False, help="The picture whose colors and strokes it gets.")
    ] = None,
    *,
    model: Annotated[
        str, Option(help="The network that looks at them.", autocompletion=complete.models, rich_help_panel=HOW)
    ] = "squeezenet1_0",
    weights: Annotated[
        str,
        Option(
            metavar="NAME",
            help="Its weights: published ones, a RUN or a file.",
            autocompletion=complete.weights,
            rich_help_panel=HOW,
        ),
    ] = "imagenet",
    size: Annotated[
        str,
        Option(metavar="N[,N…]", help="Longer side in pixels; several: from coarse to fine.", rich_help_panel=PICTURES),
    ] = "256",
    start: Annotated[
        str,
        Option(
            help="The first picture: content, style or random.",
            autocompletion=complete.one_of("content", "style", "random"),
            rich_help_panel=PICTURES,
        ),
    ] = "content",
    alpha: Annotated[float, Option(help="What the content counts.", rich_help_panel=PICTURES)] = 1.0,
    beta: Annotated[float, Option(help="What the style counts.", rich_help_panel=PICTURES)] = 5.0,
    tv: Annotated[
        float, Option("--tv", help="What graininess (total variation) counts.", rich_help_panel=PICTURES)
    ] = 50.0,
    layers: Annotated[
        str | None,
        Option(
            metavar="A[=λ],B…",
            help="Layers that give the style, with weights.",
            show_default="the last map of each size",
            rich_help_panel=HOW,
        ),
    ] = None,
    content_layers: Annotated[
        str | None,
        Option(
            metavar="A[=λ],B…",
            help="Layers that give the content.",
            show_default="the last one with a stride of 8",
            rich_help_panel=HOW,
        ),
    ] = None,
    pooling: Annotated[
        str,
        Option(
            help="average, or max as the network has it.",
            autocompletion=complete.one_of("average", "max"),
            rich_help_panel=HOW,
        ),
    ] = "average",
    steps: Annotated[
        int | None,
        Option(
            metavar="N", min=1, help="Steps in all.", show_default="24 of lbfgs, 400 of adam", rich_help_panel=HOW
        ),
    ] = None,
    optimizer: Annotated[
        str,
        Option(
            help="lbfgs or adam.", autocompletion=complete.one_of("lbfgs", "adam"), rich_help_panel=HOW
        ),
    ] = "lbfgs",
    lr: Annotated[
        float | None,
        Option(metavar="X", help="Learning rate.", show_default="1 of lbfgs, 0.03 of adam", rich_help_panel=HOW),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
    recipe: Recipe = None,
    set_: Set = None,
    out: Root = "runs",
    name: Name = None,
    resume: Resume = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Paint a picture in the style of another (Gatys et al. 2015). No data set is needed."""
    with quiet_stdout(json):
        from orthogon.verbs.stylize import stylize as verb

        run = verb(content, style, model=model, weights=weights, size=_sizes(size), steps=steps, alpha=alpha, beta=beta,
                   smoothness=tv, layers=_weighted(layers, "--layers"),
                   content_layers=_weighted(content_layers, "--content-layers"), start=start, pooling=pooling,
                   optimizer=optimizer, lr=lr, seed=seed, device=device, recipe=recipe,
                   options=assignments(set_ or []), out=out, name=name, resume=resume, quiet=quiet)
    if json:
        emit(_document(run))


def restore(
    picture: Annotated[
        str | None, Argument(metavar="PICTURE", show_default=False, help="The picture that is to be mended.")
    ] = None,
    *,
    how: Annotated[
        str,
        Option(
            help="denoise, inpaint or enlarge.",
            autocompletion=complete.one_of("denoise", "inpaint", "enlarge"),
            rich_help_panel=PICTURES,
        ),
    ] = "denoise",
    mask: Annotated[
        str | None,
        Option(metavar="FILE", help="Of inpaint: white where the picture is to be kept.", rich_help_panel=PICTURES),
    ] = None,
    truth: Annotated[
        str | None,
        Option(metavar="FILE", help="The undamaged picture, to measure by.", rich_help_panel=PICTURES),
    ] = None,
    factor: Annotated[
        int, Option(metavar="N", min=2, help="Of enlarge: so many times along each side.", rich_help_panel=PICTURES)
    ] = 2,
    steps: Annotated[int, Option(metavar="N", min=1, help="Steps at most.", rich_help_panel=HOW)] = 2000,
    patience: Annotated[
        int,
        Option(
            metavar="N",
            min=0,
            help="Stop after so many looks, one every ten steps, without a lower variance; 0 = do not.",
            rich_help_panel=HOW,
        ),
    ] = 30,
    lr: Annotated[float, Option(metavar="X", help="Learning rate.", rich_help_panel=HOW)] = 0.01,
    seed: Seed = 0,
    device: Device = "auto",
    recipe: Recipe = None,
    set_: Set = None,
    out: Root = "runs",
    name: Name = None,
    resume: Resume = None,
    quiet: Quiet = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Mend one picture with an untrained network (deep image prior). No data set is needed."""
    with quiet_stdout(json):
        from orthogon.verbs.restore import restore as verb

        run = verb(picture, how=how, mask=mask, truth=truth, factor=factor, steps=steps, patience=patience or None,
                   lr=lr, seed=seed, device=device, recipe=recipe, options=assignments(set_ or []), out=out, name=name,
                   resume=resume, quiet=quiet)
    if json:
        emit(_document(run))


def _document(run: Run) -> dict[str, Any]:
    """What `--json` says of a finished run."""
    kept = {key: run.result[key] for key in ("run", "task", "seconds", "figures", "verdict")}
    return kept | {"picture": str(run.path / "picture.png"), "report": str(run.path / "report.html")}


def _sizes(text: str) -> int | list[int]:
    """"256" -> 256, "128,256" -> [128, 256]."""
    try:
        found = [int(each) for each in text.split(",")]
    except ValueError:
        raise typer.BadParameter("whole numbers with commas between them: 128,256", param_hint="--size") from None
    return found[0] if len(found) == 1 else found


def _weighted(text: str | None, option: str) -> dict[str, float] | None:
    """"a=2,b" -> {"a": 2, "b": 1}."""
    if text is None:
        return None
    try:
        pairs = [part.partition("=") for part in text.split(",")]
        return {name.strip(): float(weight) if equals else 1.0 for name, equals, weight in pairs}
    except ValueError:
        raise typer.BadParameter("names with commas between them, with weights or without: features.1=2,features.5",
                                 param_hint=option) from None
