"""Linear, ridge and lasso regression (row 1.30): what training converges to, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression, Ridge
from worlds import recipe, trained

from orthogon.data.columns import NumberColumn
from orthogon.data.dataset import Dataset

ROWS, DEV = 100, 20
L1, L2 = 0.3, 0.5


def data() -> Dataset:
    """Six features of which three matter, two of them much alike."""
    draw = np.random.default_rng(0)
    x = draw.normal(3, 2, (ROWS + DEV, 6))
    x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1]
    y = 100 + 10 * (x[:, 0] - 0.7 * x[:, 2] + 0.2 * x[:, 4]) + draw.normal(0, 10, ROWS + DEV)
    columns = {"x": NumberColumn(x, [f"x{i}" for i in range(6)]), "y": NumberColumn(y)}
    return Dataset("lines", columns, "y", np.arange(ROWS + DEV).astype(str))


@pytest.mark.parametrize(("penalty", "reference"), [
    ({}, LinearRegression()),
    ({"train__l2": L2}, Ridge(alpha=ROWS * L2 / 2)),  # it adds α·Σw² to the sum of squares, we l2/2·Σw² to their mean
    ({"train__l1": L1}, Lasso(alpha=L1 / 2, tol=1e-8)),  # it adds α·Σ|w| to half their mean
], ids=["linear", "ridge", "lasso"])
def test_gradient_descent_converges_to_the_regression_of_scikit_learn(penalty, reference):
    known = data()
    wanted = recipe(task__name="regress", model__name="linear", model__options={}, train__optimizer="sgd",
                    train__weight_decay=0.0, train__schedule="constant", train__lr=0.2, train__batch_size=ROWS,
                    train__epochs=200, train__evaluate_every=200, **penalty)
    fitted, _ = trained(wanted, known, dev=DEV)
    x, y = known.columns["x"].values[:ROWS], known.columns["y"].values[:ROWS]
    reference.fit((x - x.mean(0)) / x.std(0), (y - y.mean()) / y.std())
    found = fitted.model.output.weight.detach().numpy()[0]
    np.testing.assert_allclose(found, reference.coef_, atol=2e-5)
    np.testing.assert_allclose(fitted.model.output.bias.item(), reference.intercept_, atol=2e-5)
    assert np.array_equal(found == 0, reference.coef_ == 0)
    assert (found == 0).any() == ("train__l1" in penalty)
