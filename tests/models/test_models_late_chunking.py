"""Which chunks run together, and where each is pooled."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jina_components.models.late_chunking import windows

ROOMS = st.integers(1, 60)


@st.composite
def documents(draw):
    room = draw(ROOMS)
    return draw(st.lists(st.integers(1, room), max_size=40)), room


@given(documents())
def test_every_chunk_is_pooled_once_in_order_within_a_window_that_fits(document):
    lengths, room = document
    found = windows(lengths, room)
    assert [place for window in found for place in range(window.own, window.until)] == list(range(len(lengths)))
    for window in found:
        assert window.start <= window.own < window.until <= window.stop
        assert sum(lengths[window.start : window.stop]) <= room
    for before, after in pairwise(found):
        assert before.start < after.start <= before.stop < after.stop


@given(st.lists(st.integers(1, 60), min_size=1, max_size=40))
def test_what_fits_is_one_window(lengths):
    assert windows(lengths, sum(lengths)) == windows(lengths, None) == [(0, len(lengths), 0, len(lengths))]


def test_windows_share_half_the_room_at_most_and_split_it_in_the_middle():
    assert windows([10] * 8, 40) == [(0, 4, 0, 3), (2, 6, 3, 5), (4, 8, 5, 8)]


def test_a_chunk_that_fills_the_room_stands_alone():
    assert windows([40, 40, 40], 40) == [(0, 1, 0, 1), (1, 2, 1, 2), (2, 3, 2, 3)]


def test_no_chunks_no_windows():
    assert windows([], 10) == windows([], None) == []
