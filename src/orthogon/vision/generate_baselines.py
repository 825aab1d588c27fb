"""What a GAN must beat: a Gaussian, and a mixture of Gaussians, fitted to the pixels."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from orthogon.train.compute import Compute
from orthogon.train.evaluate import predict
from orthogon.train.task import Baseline, Task
from orthogon.vision.gan import GAN
from orthogon.vision.generate import Generate

FITTED = 5_000
"""Train pictures that they are fitted to."""

COMPONENTS = 50
"""Principal components whose distribution is fitted; the others have their mean."""

GAUSSIANS = 10


class PixelGaussian(Baseline):
    """A Gaussian over the first 50 principal components of the pixels, cut off at 0 and 1."""

    name, line = "gaussian", "a Gaussian fitted to the principal components of the pixels"
    gaussians = 1

    def fit(self, task: Task, rows: np.ndarray) -> None:
        from sklearn.decomposition import PCA
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.mixture import GaussianMixture

        assert isinstance(task, Generate)  # noqa: S101 - the task's own baseline
        chosen = torch.as_tensor(np.random.default_rng(0).permutation(rows)[:FITTED], device=task.inputs.device)
        pixels = task.batch(chosen).inputs[0].flatten(1).double().cpu().numpy()
        components = PCA(min(COMPONENTS, len(pixels) - 1, pixels.shape[1]), random_state=0).fit(pixels)
        codes = components.transform(pixels)
        count = min(self.gaussians, max(1, len(codes) // (2 * codes.shape[1])))
        mixture = GaussianMixture(count, max_iter=20, tol=1e-2, reg_covar=1e-4 * codes.var(), random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # twenty steps are enough for a baseline
            mixture.fit(codes)
        weights, means, covariances, axes, mean = map(np.asarray, (
            mixture.weights_, mixture.means_, mixture.covariances_, components.components_, components.mean_))
        generator = _Gaussians(weights, means, np.linalg.cholesky(covariances), axes, mean,
                               task.inputs.specs()[0].shape)
        self.model = GAN(generator, _Indifferent()).to(task.inputs.device)

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        assert isinstance(task, Generate)  # noqa: S101 - the task's own baseline
        return predict(task, self.model, rows, Compute(task.inputs.device))


class PixelMixture(PixelGaussian):
    """A mixture of ten such Gaussians, which misses fewer pictures than many a GAN does (Richardson & Weiss 2018,
    arXiv:1805.12462)."""

    name, line = "mixture", "ten Gaussians fitted to the principal components of the pixels"
    gaussians = GAUSSIANS


class _Gaussians(nn.Module):
    """The generator: the last number of the noise says which Gaussian, the others where in it."""

    def __init__(self, weights: np.ndarray, means: np.ndarray, roots: np.ndarray, axes: np.ndarray, center: np.ndarray,
                 shape: tuple[int, ...]) -> None:
        super().__init__()
        self.latent, self.shape = len(axes) + 1, shape
        for name, values in {"ends": np.cumsum(weights)[:-1], "means": means, "roots": roots, "axes": axes,
                             "center": center}.items():
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32))

    def forward(self, noise: Tensor) -> Tensor:
        which = torch.searchsorted(self.ends, torch.special.ndtr(noise[:, -1]).contiguous())  # type: ignore[arg-type]
        codes = self.means[which] + torch.einsum("nij,nj->ni", self.roots[which], noise[:, :-1])  # type: ignore[index]
        return (codes @ self.axes + self.center).view(-1, *self.shape).clamp(0, 1)  # type: ignore[operator]


class _Indifferent(nn.Module):
    """The discriminator: even odds for every picture."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.new_zeros(len(pictures), 1)
