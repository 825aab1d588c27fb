"""New pictures like those of the data: a generator against a discriminator (row 23.11)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orthogon.data.augment import Augmentation
from orthogon.data.dataset import Dataset
from orthogon.errors import DataError, RecipeError
from orthogon.nn.modes import evaluating
from orthogon.stats import two_samples
from orthogon.tasks.unlabelled import Unlabelled
from orthogon.train.randomness import normal_by_row
from orthogon.train.settings import DataSettings, TaskSettings
from orthogon.train.task import Baseline, Batch, Loss, Metric, Sheet, Sign
from orthogon.vision.gan import GAN
from orthogon.vision.random_features import RandomFeatures

if TYPE_CHECKING:
    from orthogon.optim.schedules import Timeline
    from orthogon.train.compute import Compute
    from orthogon.train.ranks import Ranks
    from orthogon.train.rows import Rows
    from orthogon.train.settings import TrainSettings
    from orthogon.train.step import Step

TOGETHER = 2_000
"""Pictures and as many samples that are compared at a time; those of a larger part are compared block by block, so that
nearest neighbors mean the same in every part that has as many."""

REMEMBERED = 10_000
"""Train pictures among which the nearest one is looked for."""

PENALTY = 0.001
"""γ of the penalty on the discriminator's slope where the recipe leaves it open."""


class Generate(Unlabelled):
    """Samples that are like the pictures; what judges is held out as ever.

    Each row has a sample of its own, always of the same noise. Samples and pictures are compared as two sets by 64
    numbers of a random network that is the same for everybody (`RandomFeatures`): rows hold
    "energy": what the row adds to the energy distance, in mean distances of two train pictures: 0 = one distribution;
    "told": how many of picture and sample, ½ each, have their own kind as nearest neighbor: ½ = not told apart;
    "covered": whether a sample lies about the picture; "dense": in how many balls about pictures the sample lies;
    "spread": how far the sample is from the others, pictures from each other being 1;
    "copied": 1 where the sample is nearer to the train pictures than the picture is, ½ where alike (Meehan et al. 2020,
    arXiv:2004.05675): ½ on average for what is not copied. The row itself is never counted as its neighbor.
    Slopes are penalized in units of the scatter of the train pictures (`variance`, the sum over the pixels), so that
    `task.gradient_penalty` means the same at every size.
    The prediction is the probability that the discriminator gives a picture of being real; the loss, its log loss on
    picture and sample, as in training.
    """

    name = "generate"
    has_loss = False
    normalization = "unit"

    def __init__(self, settings: TaskSettings, data: DataSettings, augment: Augmentation | None = None) -> None:
        super().__init__(settings, data, augment)
        self.penalty = PENALTY if settings.gradient_penalty is None else settings.gradient_penalty
        self.scale, self.variance = 1.0, 1.0
        self._eye: RandomFeatures | None = None
        self._remembered: tuple[np.ndarray, np.ndarray] | None = None

    def fit(self, data: Dataset, rows: np.ndarray) -> None:
        super().fit(data, rows)
        self.only_input(("image",))
        if self.inputs.settings.normalize != "unit":
            raise RecipeError("pictures are made in 0 … 1, and the recipe standardizes them", where="data.normalize",
                              remedy="Leave data.normalize out, or set it to unit.")
        chosen = np.sort(np.random.default_rng(0).permutation(rows)[:REMEMBERED])
        encoder = self.inputs.encoders[0]
        pictures = encoder.encode(data.take(chosen))
        if bool((pictures.flatten(2).amin(2) == pictures.flatten(2).amax(2)).all()):
            raise DataError("no picture has any contrast: each is of one color", where=data.name,
                            remedy="Look at them: orthogon show.")
        values = encoder.prepare(pictures)
        self.variance = float(values.var(0, correction=0).sum())
        features = self.eye.of(values).numpy()
        some = features[:TOGETHER]
        self.scale = float(two_samples.distances(some, some).sum() / max(1, len(some) * (len(some) - 1)))
        if self.scale < 1e-6:
            raise DataError("all pictures are alike: there is nothing to learn but one", where=data.name,
                            remedy="Look at them: orthogon show.")
        self._remembered = (chosen, features)

    def attach(self, data: Dataset, device: torch.device) -> None:
        super().attach(data, device)
        self._eye = self.eye.to(device)

    @property
    def eye(self) -> RandomFeatures:
        """What pictures are compared by. After `fit`."""
        if self._eye is None:
            self._eye = RandomFeatures(self.inputs.specs()[0].shape[0])
        return self._eye

    def _outputs(self) -> int:
        return 1

    def default_model(self) -> tuple[str, dict[str, Any]]:
        return "gan", {}

    def default_settings(self, rows: int) -> dict[str, Any]:
        """Adam without much memory (β₁ = ½; Radford et al. 2016), and an average of the weights, which evens out how
        the players circle. About 1,000 steps of small data, more of much."""
        batch = min(64, rows)
        return {"optimizer": "adam", "momentum": 0.5, "beta2": 0.99, "lr": 1e-3, "weight_decay": 0.0,
                "schedule": "linear", "batch_size": batch, "epochs": max(4, min(100, 64_000 // rows)), "ema": 0.998}

    # --- in the loop -----------------------------------------------------------------------------------------

    def step(self, model: nn.Module, settings: TrainSettings, compute: Compute, timeline: Timeline,
             ranks: Ranks | None = None) -> Step:
        from orthogon.vision.two_players import TwoPlayerStep

        return TwoPlayerStep(self, model, settings, compute, timeline, self.penalty * self.variance)

    def loss(self, model: nn.Module, batch: Batch, carried: Any = None) -> Loss:
        """There is no one loss that both players descend on: `TwoPlayerStep` has theirs."""
        raise NotImplementedError("two players descend on a loss each")

    # --- after it --------------------------------------------------------------------------------------------

    def results(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        pictures = batch.inputs[0]
        samples = self.samples(model, batch.rows)
        real, made = (model(each).float()[:, 0] for each in (pictures, samples))
        return self._with_weight({
            "prediction": real.sigmoid(), "loss": F.softplus(-real) + F.softplus(made),
            "of_picture": self.eye.of(pictures), "of_sample": self.eye.of(samples.float()),
        }, batch)

    def samples(self, model: nn.Module, rows: Tensor) -> Tensor:
        """The pictures that the generator makes for the rows: n×C×H×W in 0 … 1."""
        assert isinstance(model, GAN)  # noqa: S101 - the step has refused all else
        return model.generator(normal_by_row(rows, model.latent, "samples"))

    def together(self, results: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
        """The results with pictures and samples compared as sets; fewer than three cannot be."""
        real, made = results.pop("of_picture"), results.pop("of_sample")
        if len(rows) < 3:
            return results
        pieces = [self._compared(real[part], made[part], rows[part])
                  for part in np.array_split(np.arange(len(rows)), -(-len(rows) // TOGETHER))]
        return {**results, **{name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}}

    def _compared(self, real: np.ndarray, made: np.ndarray, rows: np.ndarray) -> dict[str, np.ndarray]:
        found = two_samples.all_distances(real, made)
        told = {"energy": two_samples.energy_values(found) / self.scale, "told": two_samples.told_apart(found),
                "covered": two_samples.covered(found), "dense": two_samples.density(found),
                "spread": two_samples.spread(found)}
        if self._remembered is not None:
            places, features = self._remembered
            itself = rows[:, None] == places
            nearest = [np.where(itself, np.inf, two_samples.distances(each, features)).min(axis=1)
                       for each in (made, real)]
            told["copied"] = (nearest[0] < nearest[1]) + 0.5 * (nearest[0] == nearest[1])
        return {name: value.astype(np.float32) for name, value in told.items()}

    def _metrics(self) -> tuple[Metric, ...]:
        from orthogon.vision.generate_metrics import generation_metrics

        return generation_metrics()

    @property
    def remembered(self) -> int:
        """How many train pictures there are to look for the nearest one among; 0 in a task that was loaded."""
        return 0 if self._remembered is None else len(self._remembered[0])

    def nearest_remembered(self, samples: Tensor) -> Tensor | None:
        """The train picture nearest to each sample, of the attached data that `fit` saw; None where it saw none."""
        if self._remembered is None:
            return None
        places, features = self._remembered
        nearest = places[two_samples.distances(self.eye.of(samples).cpu(), features).argmin(axis=1)]
        return self.changed(torch.as_tensor(nearest, device=self.inputs.device)).inputs[0]

    def baselines(self) -> list[Baseline]:
        from orthogon.vision.generate_baselines import PixelGaussian, PixelMixture

        return [PixelGaussian(), PixelMixture()]

    def decode(self, results: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
        """{"real": the discriminator's probability} per picture."""
        return [{"real": value} for value in np.asarray(results["prediction"], float).tolist()]

    def answers(self, model: nn.Module, data: Dataset, compute: Compute) -> list[dict[str, Any]]:
        """Of new pictures what the discriminator says; nothing is made beside them."""
        self.attach(data, compute.device)
        with compute.in_force(), evaluating(model), compute.precision():
            said = [model(*compute.lay_out(self.batch(rows).inputs)).float()[:, 0].sigmoid().cpu()
                    for rows in torch.arange(len(data), device=compute.device).split(self.most_at_once)]
        return self.decode({"prediction": torch.cat(said).numpy()})

    def signs(self, lines: Sequence[Mapping[str, Any]], parts: Mapping[str, Rows]) -> list[Sign]:
        from orthogon.vision.generate_signs import signs

        return signs(lines, parts)

    def sheets(self, model: nn.Module, rows: np.ndarray) -> list[Sheet]:
        from orthogon.vision.generate_sheets import sheets

        return sheets(self, model)

    def snapshot(self, model: nn.Module) -> np.ndarray:
        from orthogon.vision.generate_sheets import grid

        return grid(self.samples(model, torch.arange(36, device=self.inputs.device)), columns=6)

    # --- to ship it ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        return {**super().state(), "scale": self.scale}

    def load_state(self, state: Mapping[str, Any]) -> None:
        super().load_state(state)
        self.scale = float(state["scale"])
