from __future__ import annotations

import pytest

from jina_components.errors import ConfigError, InputError
from jina_components.fine_tuner.triplets import SPLITS, Passage, Triplet, Triplets, split_of

STORY = "The old pump of the village stood by the well, and every morning the baker came to fill {} buckets."


def test_splits_depend_on_the_document_alone():
    names = [f"document {number}" for number in range(2000)]
    splits = [split_of(name, dev=0.1, test=0.2) for name in names]
    assert 0.07 < splits.count("dev") / 2000 < 0.13
    assert 0.17 < splits.count("test") / 2000 < 0.23
    assert {split_of(name, dev=0, test=0) for name in names} == {"train"}


def test_pairs_are_questions_with_one_passage_a_text():
    pairs = [("who came", "the baker"), ("where is it", "in the village"), ("who is it", "the baker")]
    triplets = Triplets.from_pairs([*pairs, pairs[0]], dev=0, test=0)
    assert triplets.passages == {
        "0": Passage(id="0", text="the baker", document="0"),
        "1": Passage(id="1", text="in the village", document="1"),
    }
    assert triplets.train == [
        Triplet(query=query, positive=name) for (query, _), name in zip(pairs, "010", strict=True)
    ]
    assert not triplets.dev
    assert not triplets.test


def test_pairs_are_divided_by_text_near_copies_together():
    numbers = range(400)
    pairs = [(f"question {n} {m}", f"text number {n} of many") for n in numbers for m in range(2)]
    copies = [
        (f"how many {count}", STORY.format("large") * 8 + STORY.format(count))
        for count in ("two", "three", "four", "five", "six", "ten")
    ]
    triplets = Triplets.from_pairs(pairs + copies, dev=0.2, test=0.3)
    counts = [len(getattr(triplets, split)) for split in SPLITS]
    assert sum(counts) == len(pairs) + len(copies)
    assert 80 < counts[1] < 240 < counts[0]
    assert 160 < counts[2] < 320
    grown = Triplets.from_pairs([("new", "of today"), *pairs, *copies], dev=0.2, test=0.3)
    told = [{each.query for each in getattr(triplets, split)} for split in SPLITS]
    assert all(told[n] <= {each.query for each in getattr(grown, split)} for n, split in enumerate(SPLITS))
    assert {query for query, _ in copies} in [
        {query for query in each if query.startswith("how many")} for each in told
    ]


@pytest.mark.parametrize("pair", [("", "text"), ("question", " \n")])
def test_blank_pairs_are_named(pair):
    with pytest.raises(InputError, match="Pair 1") as caught:
        Triplets.from_pairs([("a question", "a text"), pair])
    assert caught.value.index == 1


def test_there_must_be_pairs_and_something_left_to_train_with():
    with pytest.raises(InputError, match="no pairs"):
        Triplets.from_pairs([])
    with pytest.raises(ConfigError, match="below 1 together"):
        Triplets.from_pairs([("a question", "a text")], dev=0.5, test=0.5)
