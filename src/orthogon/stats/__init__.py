"""Estimates with intervals, paired comparisons, sample sizes. NumPy and SciPy only; usable alone."""
