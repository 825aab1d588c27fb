import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from orthogon.errors import DataError
from orthogon.stats import benjamini_hochberg, holm


@pytest.mark.parametrize("m", [1, 7, 40])
def test_adjusted_p_values_agree_with_statsmodels_in_any_order_and_with_ties(m):
    p = np.round(np.random.default_rng(m).random(m) ** 3, 2)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_published_example():
    # Benjamini & Hochberg (1995), section 3.2: 15 tests, of which the four smallest are claimed at 5 %
    p = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528,
         0.7590, 1.0]
    assert (benjamini_hochberg(p) <= 0.05).sum() == 4
    assert (holm(p) <= 0.05).sum() == 3


def test_no_claims_and_wrong_ones():
    assert holm([]).shape == benjamini_hochberg([]).shape == (0,)
    for wrong in (-0.1, 1.1, np.nan):
        with pytest.raises(DataError):
            holm([0.5, wrong])
        with pytest.raises(DataError):
            benjamini_hochberg([wrong])
