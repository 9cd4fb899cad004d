from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")

from jina_components.errors import ConfigError  # noqa: E402
from jina_components.fine_tuner.recipes.training.batches import Batches, pad  # noqa: E402
from jina_components.models.sequences import TokenSequence  # noqa: E402

LENGTHS = st.lists(st.integers(1, 60), min_size=1, max_size=80)


def drawn(lengths, budget, steps, seed=0):
    """Batches of (number, length), and the epochs that were asked for."""
    asked = []

    def epoch(number):
        asked.append(number)
        return list(enumerate(lengths))

    batches = Batches(epoch, lambda item: item[1], budget=budget, seed=seed)
    return [batches(step) for step in range(steps)], asked


@given(LENGTHS, st.integers(1, 100))
def test_every_item_comes_once_an_epoch_within_the_budget(lengths, budget):
    batches, seen = [], Counter()
    found, asked = drawn(lengths, budget, 200)
    for batch in found:
        if sum(seen.values()) == len(lengths):
            break
        batches.append(batch)
        seen.update(number for number, _ in batch)
    assert seen == Counter(range(len(lengths)))
    assert all(len(batch) * max(length for _, length in batch) <= budget or len(batch) == 1 for batch in batches)
    assert asked[:1] == [0]


@given(LENGTHS, st.integers(0, 3))
def test_a_step_is_given_the_same_in_every_run(lengths, seed):
    assert drawn(lengths, 50, 30, seed)[0] == drawn(lengths, 50, 30, seed)[0]


def test_a_later_step_may_be_the_first_that_is_asked_for():
    lengths = list(range(1, 40))
    whole, _ = drawn(lengths, 60, 50)
    batches = Batches(lambda _: list(enumerate(lengths)), lambda item: item[1], budget=60, seed=0)
    assert batches(45) == whole[45]


def test_padding():
    sequences = [TokenSequence(np.array(ids, np.int32)) for ids in ([5, 6, 7], [8])]
    ids, mask = pad(sequences, torch.device("cpu"))
    assert ids.tolist() == [[5, 6, 7], [8, 0, 0]]
    assert mask.tolist() == [[1, 1, 1], [1, 0, 0]]


def test_nothing_to_train_on_is_said():
    with pytest.raises(ConfigError, match="nothing to train on"):
        drawn([], 10, 1)
