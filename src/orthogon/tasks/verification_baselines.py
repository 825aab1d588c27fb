"""What verification must beat: the nearest other example by its raw numbers, and by their principal components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from orthogon.tasks.design_matrix import design_matrix
from orthogon.tasks.verification import judged
from orthogon.train.task import Baseline, Task

if TYPE_CHECKING:
    from orthogon.tasks.verify import Verify

COMPONENTS = 64


class RawNeighbors(Baseline):
    """The inputs themselves as encodings; pictures are averaged down to 32 pixels."""

    name = "nearest raw"
    line = "the nearest other example by its pixels or numbers as they are"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        pass

    def results(self, task: Task, rows: np.ndarray) -> Mapping[str, np.ndarray]:
        rows, verify = np.asarray(rows), cast("Verify", task)
        weight = verify.example_weights(rows)
        found = judged(self.encodings(verify, rows), verify.targets(rows))
        return found if weight is None else {**found, "weight": weight}

    def encodings(self, task: Verify, rows: np.ndarray) -> np.ndarray:
        return design_matrix(task, rows, one_hot=True)


class PCANeighbors(RawNeighbors):
    """Their first principal components, fitted on the train rows: eigenfaces (Turk & Pentland 1991)."""

    name = "nearest pca"
    line = f"the nearest other example by the first {COMPONENTS} principal components"

    def fit(self, task: Task, rows: np.ndarray) -> None:
        from sklearn.decomposition import PCA

        inputs = super().encodings(cast("Verify", task), np.asarray(rows))
        with np.errstate(invalid="ignore"):  # where nothing varies there are no shares of the variance
            self._pca = PCA(min(COMPONENTS, *inputs.shape), random_state=0).fit(inputs)

    def encodings(self, task: Verify, rows: np.ndarray) -> np.ndarray:
        return self._pca.transform(super().encodings(task, rows)).astype(np.float32)
