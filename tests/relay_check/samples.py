"""Tells whether two lists of times come from one source (the test of Kolmogorov and Smirnov)."""

import math
from bisect import bisect_right
from collections.abc import Sequence

_TERMS = 100


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    """Return the p-value, 0 to 1: how often samples of one source part as much as these two.

    By the asymptotic formula, which is close from some dozens of samples on.
    """
    first, second = sorted(one), sorted(other)
    apart = max(
        abs(bisect_right(first, value) / len(first) - bisect_right(second, value) / len(second))
        for value in (*first, *second)
    )
    size = math.sqrt(len(first) * len(second) / (len(first) + len(second)))
    lam = (size + 0.12 + 0.11 / size) * apart
    if lam < 0.2:  # the series converges too slowly there, and is 1 to many digits
        return 1.0
    terms = [math.exp(-2 * (k * lam) ** 2) for k in range(1, _TERMS)]
    return min(1.0, max(0.0, 2 * (sum(terms[::2]) - sum(terms[1::2]))))
