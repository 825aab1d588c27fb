"""Estimates with intervals, comparisons, gaps, choices among many, calibration, sample sizes: NumPy in, numbers out."""

from orthogon.stats.bbc import CorrectedChoice, bias_corrected_choice
from orthogon.stats.bootstrap import bootstrap, bootstrap_mean, bootstrap_moments, estimate_score
from orthogon.stats.calibration import (
    BrierSplit,
    MurphySplit,
    Reliability,
    brier_scores,
    brier_split,
    expected_calibration_error,
    murphy_split,
    reliability,
    reliability_bins,
)
from orthogon.stats.confusion import (
    accuracy,
    balanced_accuracy,
    bootstrap_confusion,
    confusion_counts,
    f1,
    macro_f1,
    precision,
    recall,
    weighted_f1,
)
from orthogon.stats.coverage import difference_coverage, paired_coverage, rate_coverage
from orthogon.stats.estimate import Estimate
from orthogon.stats.intervals import newcombe, rate, wilson
from orthogon.stats.multiple import benjamini_hochberg, bonferroni, holm
from orthogon.stats.paired import (
    PairedComparison,
    compare_paired,
    compare_paired_sums,
    compare_paired_values,
    mcnemar_exact,
    tango,
)
from orthogon.stats.posterior import GapEvidence, beta_draws, gap_probabilities, metric_draws
from orthogon.stats.roc import compare_roc_auc, roc_auc
from orthogon.stats.sizes import (
    Growth,
    detectable_difference,
    examples_needed,
    examples_needed_paired,
    examples_to_decide,
    growth_that_tells,
)
from orthogon.stats.temperature import apply_temperature, cross_entropies, fit_temperature, logits_of

__all__ = [
    "BrierSplit",
    "CorrectedChoice",
    "Estimate",
    "GapEvidence",
    "Growth",
    "MurphySplit",
    "PairedComparison",
    "Reliability",
    "accuracy",
    "apply_temperature",
    "balanced_accuracy",
    "benjamini_hochberg",
    "beta_draws",
    "bias_corrected_choice",
    "bonferroni",
    "bootstrap",
    "bootstrap_confusion",
    "bootstrap_mean",
    "bootstrap_moments",
    "brier_scores",
    "brier_split",
    "compare_paired",
    "compare_paired_sums",
    "compare_paired_values",
    "compare_roc_auc",
    "confusion_counts",
    "cross_entropies",
    "detectable_difference",
    "difference_coverage",
    "estimate_score",
    "examples_needed",
    "examples_needed_paired",
    "examples_to_decide",
    "expected_calibration_error",
    "f1",
    "fit_temperature",
    "gap_probabilities",
    "growth_that_tells",
    "holm",
    "logits_of",
    "macro_f1",
    "mcnemar_exact",
    "metric_draws",
    "murphy_split",
    "newcombe",
    "paired_coverage",
    "precision",
    "rate",
    "rate_coverage",
    "recall",
    "reliability",
    "reliability_bins",
    "roc_auc",
    "tango",
    "weighted_f1",
    "wilson",
]
