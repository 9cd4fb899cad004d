"""Batches of token sequences for training: of like lengths, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import numpy as np
import torch

from jina_components.errors import ConfigError
from jina_components.models.sequences import TokenSequence

T = TypeVar("T")

# Lengths are sorted within so many batches, so that padding is little and batches still differ in every epoch.
_SORTED = 64


class Batches(Generic[T]):
    """What each step is given, epoch after epoch.

    Args:
        epoch: The items of an epoch, by its number.
        length: Tokens of an item, padding aside.
        budget: Tokens of a batch, padding included.
        seed: Of the order.
    """

    def __init__(
        self, epoch: Callable[[int], Sequence[T]], length: Callable[[T], int], *, budget: int, seed: int
    ) -> None:
        self._epoch, self._length, self._budget, self._seed = epoch, length, budget, seed
        self._number = -1
        self._first = 0
        self._batches: list[list[T]] = []

    def __call__(self, step: int) -> list[T]:
        """The items of a step; steps may only rise."""
        while step >= self._first + len(self._batches):
            self._first += len(self._batches)
            self._number += 1
            self._batches = self._drawn(self._number)
        return self._batches[step - self._first]

    def _drawn(self, number: int) -> list[list[T]]:
        items = self._epoch(number)
        if not items:
            raise ConfigError("There is nothing to train on: the sources gave no text.")
        random = np.random.default_rng([self._seed, number, 2])  # no stream that the items were made with
        order = random.permutation(len(items)).tolist()
        mean = max(1.0, float(np.mean([self._length(item) for item in items])))
        share = max(1, int(_SORTED * self._budget / mean))
        batches: list[list[T]] = []
        for start in range(0, len(order), share):
            part = sorted(order[start : start + share], key=lambda i: self._length(items[i]))
            batch: list[T] = []
            for index in part:
                if batch and self._length(items[index]) * (len(batch) + 1) > self._budget:
                    batches.append(batch)
                    batch = []
                batch.append(items[index])
            batches.append(batch)
        return [batches[i] for i in random.permutation(len(batches))]


def pad(sequences: Sequence[TokenSequence], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, shape [sequences, longest]."""
    ids = np.zeros((len(sequences), max(map(len, sequences))), np.int64)
    mask = np.zeros_like(ids)
    for row, sequence in enumerate(sequences):
        ids[row, : len(sequence)] = sequence.ids
        mask[row, : len(sequence)] = 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)
