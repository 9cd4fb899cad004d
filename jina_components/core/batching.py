"""Cutting a list into parts that are not too large."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def batches(items: Sequence[str], *, size: int, characters: float) -> Iterator[tuple[int, int]]:
    """Ranges [start, stop) that cover `items` in order.

    Each holds at most `size` items, and at most `characters` characters unless it is a single item.
    """
    start = length = 0
    for index, item in enumerate(items):
        length += len(item)
        if index > start and (index - start == size or length > characters):
            yield start, index
            start, length = index, len(item)
    if items:
        yield start, len(items)
