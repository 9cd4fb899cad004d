"""Columns of metadata say what `matches` says, for any filter, while they grow and shrink and from many threads."""

import threading

import numpy as np
import pytest
from filter_strategies import filters, metadata
from hypothesis import given, settings
from hypothesis import strategies as st

from jina_components.errors import IndexFilesError
from jina_components.filters import And, Field, Or, matches
from jina_components.retriever.columns import MetadataColumns


class Slots:
    """The metadata of slots, and how often each range was asked for."""

    def __init__(self, rows):
        self.rows = rows
        self.asked = []

    def __call__(self, first, end):
        self.asked.append((first, end))
        return self.rows[first:end]


def expected(rows, wanted):
    return [matches(row, wanted) for row in rows]


@settings(deadline=None)
@given(st.lists(metadata(), max_size=12), st.lists(filters(), min_size=1, max_size=3), st.data())
def test_a_mask_is_what_matches_says_while_slots_are_added_and_dropped(rows, wanted, data):
    columns, slots = MetadataColumns(), Slots(rows)
    half = len(rows) // 2
    for one in wanted:
        assert columns.mask(one, slots, half).tolist() == expected(rows[:half], one)
    for one in wanted:
        assert columns.mask(one, slots, len(rows)).tolist() == expected(rows, one)
        assert columns.mask(one, slots, half).tolist() == expected(rows[:half], one)
    known = data.draw(st.integers(0, len(rows)))  # to who numbers them anew, while others added slots and read them
    kept = data.draw(st.lists(st.booleans(), min_size=known, max_size=known))
    new_slots = np.where(kept, np.cumsum(kept) - 1, -1)
    compacted = columns.compacted(new_slots)
    left = Slots([row for row, stays in zip(rows, kept, strict=False) if stays])
    later = Slots([*left.rows, *rows])
    for one in wanted:
        assert compacted.mask(one, left, len(left.rows)).tolist() == expected(left.rows, one)
        assert compacted.mask(one, later, len(later.rows)).tolist() == expected(later.rows, one)
        assert columns.mask(one, slots, len(rows)).tolist() == expected(rows, one)


def test_many_wanted_values():
    rows = [{"n": [number, -number]} if number % 3 else {"n": number} for number in range(200)]
    one = Field("n").is_in(range(-50, 0))
    assert MetadataColumns().mask(one, Slots(rows), 200).tolist() == expected(rows, one)


def test_metadata_is_read_once_for_all_fields_and_later_only_what_is_new():
    rows = [{"a": number, "b": [number]} for number in range(10)]
    columns, slots = MetadataColumns(), Slots(rows)
    one = (Field("a") > 3) & (Field("b") < 8) & Field("c").not_in([1])
    assert columns.mask(one, slots, 6).sum() == 2
    assert slots.asked == [(0, 6)]
    assert columns.mask(one, slots, 10).sum() == 4
    assert columns.mask(Field("a") == 9, slots, 10).sum() == 1
    assert columns.mask(one, slots, 5).sum() == 1
    assert slots.asked == [(0, 6), (6, 10)]


def test_all_and_none_need_no_metadata():
    slots = Slots([{}] * 3)
    assert MetadataColumns().mask(And(()), slots, 3).all()
    assert not MetadataColumns().mask(Or(()), slots, 3).any()
    assert slots.asked == []
    assert MetadataColumns().mask(Field("a") == 1, slots, 0).shape == (0,)


def test_a_reading_that_failed_leaves_the_columns_as_they_were():
    rows = [{"a": "x"}, {"a": "y"}, {"a": "z"}]
    columns = MetadataColumns()
    assert columns.mask(Field("a") == "y", Slots(rows), 1).tolist() == [False]

    def broken(first, end):
        yield {"a": "only here"}
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        columns.mask(Field("a") == "y", broken, 3)
    with pytest.raises(IndexFilesError, match="slots 1 to 3 was asked for and that of 1 came"):
        columns.mask(Field("a") == "y", lambda first, end: [{"a": "short"}], 3)
    for text in ("x", "y", "z", "only here", "short"):
        wanted = Field("a") == text
        assert columns.mask(wanted, Slots(rows), 3).tolist() == expected(rows, wanted)


def test_readers_of_any_length_beside_growing_columns():
    rows = [{"a": number % 7, "t": [f"t{number}", number]} for number in range(600)]
    columns, slots, wrong = MetadataColumns(), Slots(rows), []
    wanted = [Field("a") == 3, Field("t") >= 250, Field("t").is_in([f"t{number}" for number in range(0, 600, 20)])]

    def read(start):
        for length in range(start, 601, 25):
            masks = [columns.mask(one, slots, length).tolist() for one in wanted]
            wrong.extend(
                length for mask, one in zip(masks, wanted, strict=True) if mask != expected(rows[:length], one)
            )

    threads = [threading.Thread(target=read, args=(start,)) for start in (0, 2, 400)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_it_shows():
    columns = MetadataColumns()
    columns.mask(Field("a.b") == 1, Slots([{}]), 1)
    assert repr(columns) == "MetadataColumns(a.b)"
