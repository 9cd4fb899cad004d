"""Several rankings into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def reciprocal_rank_fusion(rankings: Iterable[tuple[Sequence[int], float]], *, k: int = 60) -> list[tuple[int, float]]:
    """Fuse rankings by weighted reciprocal ranks (Cormack, Clarke & Büttcher 2009).

    Args:
        rankings: (row numbers best first, weight) of each.
        k: How flat the reciprocal is.

    Returns:
        (row number, sum of weight / (k + rank)), best first; equal scores in order of appearance.
    """
    scores: dict[int, float] = {}
    for rows, weight in rankings:
        for rank, row in enumerate(rows, 1):
            scores[row] = scores.get(row, 0.0) + weight / (k + rank)
    return sorted(scores.items(), key=lambda item: -item[1])
