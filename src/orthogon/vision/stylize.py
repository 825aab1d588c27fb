"""Neural style transfer: a picture with the content of one and the style of another (rows 22.01 to 22.07; Gatys et al.
2015, "A neural algorithm of artistic style", arXiv:1508.06576)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.errors import DataError, RecipeError, nearest
from orthogon.nn.receptive_field import rectangles
from orthogon.nn.style import content_cost, gram_cost, mean_gram, total_variation, weighted_layers
from orthogon.optim.schedules import Timeline
from orthogon.train.checkpoint import Tree
from orthogon.train.compute import Compute
from orthogon.train.fit import timeline
from orthogon.train.randomness import Draw, generator
from orthogon.train.ranks import Ranks
from orthogon.train.settings import DataSettings, TaskSettings, TrainSettings
from orthogon.train.step import GradientStep, Step
from orthogon.train.task import Batch, Loss, Part, Sheet
from orthogon.vision.eye import Eye
from orthogon.vision.one_picture import OnePicture, read_picture, resized, to_pixels, within

STARTS = ("content", "style", "random")
SMALLEST = 16


@dataclass(frozen=True)
class StyleOptions:
    """What is to be made; see `Stylize`. RecipeError for what cannot be.

    style:  path of the style picture. alpha, beta, smoothness: what content, style and total variation count.
    content_layers, style_layers: layer -> its weight λ; None: not chosen yet.
    start:  the first picture: content, style, or random. sizes: longer sides in pixels, from coarse to fine.
    pooling: of the eye, "average", which Gatys et al. recommend, or "max", as the network was trained.
    """

    style: str
    content_layers: Mapping[str, float] | None = None
    style_layers: Mapping[str, float] | None = None
    alpha: float = 1.0
    beta: float = 5.0
    smoothness: float = 50.0
    start: str = "content"
    sizes: Sequence[int] = (256,)
    pooling: str = "average"

    def __post_init__(self) -> None:
        if self.start not in STARTS:
            raise RecipeError(f"a picture cannot start from {self.start!r}", where="start",
                              remedy=nearest(self.start, STARTS))
        if self.pooling not in ("max", "average"):
            raise RecipeError(f"there is no pooling {self.pooling!r}", where="pooling", remedy="Known: max, average.")
        if not self.sizes or min(self.sizes) < SMALLEST:
            raise RecipeError(f"sizes are {list(self.sizes)}", where="size",
                              remedy=f"Give pixels of the longer side, {SMALLEST} or more.")
        for name in ("alpha", "beta", "smoothness"):
            if not getattr(self, name) >= 0:
                raise RecipeError(f"{name} is {getattr(self, name)}", where=name, remedy="Give a number from 0 up.")
        if not self.alpha + self.beta:
            raise RecipeError("alpha and beta are both 0, so nothing is asked for", where="alpha",
                              remedy="Let content or style count: --beta 100")


class Picture(nn.Module):
    """The generated picture G: its pixels, 1×3×H×W in 0 … 1, are what is learnt (row 22.03)."""

    def __init__(self, pixels: Tensor) -> None:
        super().__init__()
        self.pixels = nn.Parameter(pixels.clone())


class _Wanted(NamedTuple):
    """What G is compared with at one size: maps of C, mean Gram matrices of S, and what each layer's cost is
    multiplied by."""

    content: dict[str, Tensor]
    style: dict[str, Tensor]
    content_weights: list[float]
    style_weights: list[float]


class Stylize(OnePicture):
    """J(G) = α J_content(C, G) + β J_style(S, G), and a little total variation, by gradient steps on the pixels of G.

    Costs are those of `orthogon.nn.style`, each layer's told as a share of what it would be if all its maps were zero;
    so α and β mean the same for every network, and λ (of 1 in all) the same for every layer. The eye looks at C, S and
    G alike; S is brought to the size of G, but never enlarged.
    """

    name = "stylize"

    def __init__(self, settings: TaskSettings, data: DataSettings, options: StyleOptions, eye: Eye) -> None:
        super().__init__(settings, data)
        self.options, self.eye = options, eye
        self.content_layers, self.style_layers = options.content_layers or {}, options.style_layers or {}
        self.content = read_picture(str(data.source), "the content picture")
        self.style = read_picture(options.style, "the style picture")
        self._wanted: dict[tuple[int, ...], _Wanted] = {}

    # --- before the loop -------------------------------------------------------------------------------------

    def first_picture(self, seed: int) -> Tensor:
        """1×3×H×W at the first size."""
        size, start = within(self.content, self.options.sizes[0]), self.options.start
        if start == "random":
            return torch.rand(1, 3, *size, generator=generator(seed, "start"))
        return resized(self.content if start == "content" else covering(self.style, size), size)

    def step(self, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
             ranks: Ranks | None = None) -> Step:
        self.eye = compute.place(self.eye)  # type: ignore[assignment]
        return SizeSteps(self, settings, compute)

    def warnings(self) -> list[str]:
        """What a person should know before: layers whose units see more than the style picture."""
        style = self._style_at(self.options.sizes[-1])
        height, width = style.shape[2:]
        found = rectangles(self.eye, style, [f"network.{name}" for name in self.style_layers])
        said = []
        for name, seen in found.items():
            sees = (seen[..., 2:] - seen[..., :2]).amax((0, 1)).tolist()
            whole = (seen[..., 2] - seen[..., 0] >= width) & (seen[..., 3] - seen[..., 1] >= height)
            if bool(whole.any()):
                said.append(f"a unit of {name.removeprefix('network.')} sees {sees[1]}×{sees[0]} pixels, all of the "
                            f"style picture ({height}×{width}): style so coarse cannot be told from where things are")
        return said

    # --- in the loop -----------------------------------------------------------------------------------------

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        costs = self._costs(model)
        weights = {"style": self.options.beta, "content": self.options.alpha, "variation": self.options.smoothness}
        return Loss(tuple(Part(name, weights[name], cost, 1.0) for name, cost in costs.items()))

    def _costs(self, model: nn.Module) -> dict[str, Tensor]:
        pixels = model.get_parameter("pixels")
        wanted, seen = self._at(tuple(pixels.shape[2:])), self.eye(pixels)
        style = [gram_cost(mean_gram(seen[name]), gram) for name, gram in wanted.style.items()]
        content = [content_cost(seen[name], maps) for name, maps in wanted.content.items()]
        return {"style": weighted_layers(style, wanted.style_weights).sum(),
                "content": weighted_layers(content, wanted.content_weights).sum(),
                "variation": total_variation(pixels).sum()}

    def _at(self, size: tuple[int, ...]) -> _Wanted:
        if size not in self._wanted:
            device = self.eye.get_buffer("mean").device
            content = resized(self.content, size).to(device)  # type: ignore[arg-type]
            style = self._style_at(max(size)).to(device)
            self._wanted = {size: self._see(content, style)}  # one size is worked on at a time
        return self._wanted[size]

    def _see(self, content: Tensor, style: Tensor) -> _Wanted:
        with torch.no_grad():
            of_content, of_style = self.eye(content), self.eye(style)
        maps = {name: of_content[name] for name in self.content_layers}
        grams = {name: mean_gram(of_style[name]) for name in self.style_layers}
        return _Wanted(
            maps, grams,
            [_share(weight, content_cost(torch.zeros_like(maps[name]), maps[name]), name, "content")
             for name, weight in self.content_layers.items()],
            [_share(weight, gram_cost(torch.zeros_like(grams[name]), grams[name]), name, "style")
             for name, weight in self.style_layers.items()],
        )

    def _style_at(self, side: int) -> Tensor:
        return resized(self.style, within(self.style, min(side, max(self.style.shape[2:]))))

    @property
    def title(self) -> str:
        return f"{Path(str(self.data_settings.source)).stem} in the style of {Path(self.options.style).stem}"

    @property
    def about(self) -> str:
        return f"Content from {self.data_settings.source}, style from {self.options.style}"

    def verdict(self, before: Mapping[str, float], after: Mapping[str, float]) -> str:
        return (f"style cost {100 * before['style']:.0f} → {100 * after['style']:.1f} %, content cost "
                f"{100 * before['content']:.0f} → {100 * after['content']:.0f} % of what maps of zeros would cost")

    # --- what has come out -----------------------------------------------------------------------------------

    def picture(self, model: nn.Module) -> Tensor:
        return model.get_parameter("pixels").detach()[0].clamp(0, 1)

    def figures(self, model: nn.Module) -> dict[str, float]:
        with torch.no_grad():
            return {name: float(cost) for name, cost in self._costs(model).items()}

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        size = within(self.content, self.options.sizes[-1])
        return [
            Sheet("picture", "The generated picture", "What was made.", to_pixels(self.picture(model))),
            Sheet("content", "The content picture", "Where things are.", to_pixels(resized(self.content, size)[0])),
            Sheet("style", "The style picture", "Which colors and patterns.",
                  to_pixels(self._style_at(self.options.sizes[-1])[0])),
        ]


class SizeSteps(Step):
    """Gradient steps on a picture that is enlarged on the way: as many at each size, with an optimizer of its own."""

    def __init__(self, task: Stylize, settings: TrainSettings, compute: Compute) -> None:
        self.task, self.settings, self.compute = task, settings, compute
        whole, rest = divmod(settings.steps or 1, len(task.options.sizes))
        self.lengths = [whole + (stage < rest) for stage in range(len(task.options.sizes))]
        self.stage, self.inner = 0, self._at(0, task.first_picture(settings.seed))

    def _at(self, stage: int, pixels: Tensor) -> GradientStep:
        size = within(self.task.content, self.task.options.sizes[stage])
        settings = self.settings.model_copy(update={"steps": max(1, self.lengths[stage])})
        return GradientStep(self.task, Picture(resized(pixels, size)), settings, self.compute,
                            timeline(settings, self.task.steps_an_epoch))

    def __call__(self, rows: Tensor, draw: Draw) -> Tensor:
        while self.inner.steps >= self.lengths[self.stage] and self.stage + 1 < len(self.lengths):
            self.stage += 1
            self.inner = self._at(self.stage, self.model().get_parameter("pixels").detach())
        return self.inner(rows, draw)

    def model(self) -> nn.Module:
        return self.inner.model()

    def rate(self) -> float:
        return self.inner.rate()

    def state(self) -> Tree:
        return {"stage": self.stage, "inner": self.inner.state()}

    def load_state(self, state: Tree) -> None:
        self.stage, self.inner = state["stage"], self._at(state["stage"], state["inner"]["model"]["pixels"])
        self.inner.load_state(state["inner"])


def covering(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """The middle of the picture, enlarged or made smaller until it covers that size (H, W)."""
    height, width = picture.shape[2:]
    scale = max(size[0] / height, size[1] / width)
    large = resized(picture, (max(size[0], round(height * scale)), max(size[1], round(width * scale))))
    top, left = (large.shape[2] - size[0]) // 2, (large.shape[3] - size[1]) // 2
    return large[..., top : top + size[0], left : left + size[1]]


def _share(weight: float, if_zero: Tensor, layer: str, what: str) -> float:
    """What the cost of a layer is multiplied by, so that it is a share of what it would be for maps of zeros."""
    if not float(if_zero) > 0:
        raise DataError(f"{layer} gives nothing but zeros for the {what} picture", where="layers",
                        remedy="Leave that layer out, or take another picture.")
    return weight / float(if_zero)
