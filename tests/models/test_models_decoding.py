from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_generators import VOCABULARY, qwen_tokenizer

from jina_components.models.decoding import LONGEST_PERIOD, REPEATS, SHORTEST_LOOP, Detokenizer, LoopGuard

IDS = st.lists(st.integers(0, VOCABULARY - 1), max_size=60)
WORDS = st.text(st.sampled_from("abc é東京👍🏽\u0301\ufffd\n"), max_size=20)


def pieces(ids):
    text = Detokenizer(qwen_tokenizer())
    return [*(text.push(token) for token in ids), text.flush()]


@given(IDS)
def test_pieces_join_to_the_whole_text(ids):
    """Whatever the tokens: half characters and special tokens too."""
    assert "".join(pieces(ids)) == qwen_tokenizer().decode(ids, skip_special_tokens=True)


@given(WORDS)
def test_no_piece_ends_within_a_character(words):
    ids = qwen_tokenizer().encode(words).ids
    whole = qwen_tokenizer().decode(ids)
    given_out = pieces(ids)
    assert "".join(given_out) == whole
    if "\ufffd" not in words:
        assert not any("\ufffd" in piece for piece in given_out)


def test_a_character_comes_with_its_last_token():
    ids = qwen_tokenizer().encode("東").ids
    assert len(ids) == 3
    assert pieces(ids) == ["", "", "東", ""]
    assert pieces(ids[:2]) == ["", "", "\ufffd"]


def loops_at(ids):
    """Position of the token that makes it a loop, or None."""
    guard = LoopGuard()
    return next((place for place, token in enumerate(ids) if guard.push(token)), None)


@pytest.mark.parametrize("period", [1, 2, 7, 127, 128, 129, LONGEST_PERIOD])
def test_a_loop_is_noticed_as_soon_as_it_is_long_enough(period):
    start = list(range(1000, 1300))
    loop = list(range(period)) * (2 * SHORTEST_LOOP)
    assert loops_at(start + loop) == len(start) + max(SHORTEST_LOOP, REPEATS * period) - 1


def test_what_is_no_loop():
    assert loops_at(range(3000)) is None
    assert loops_at(list(range(LONGEST_PERIOD + 1)) * 20) is None  # no loop of such a length is looked for
    row = [1, 2, 3, 4]
    assert loops_at([n for cell in range(500) for n in (*row, 10 + cell)]) is None
    assert loops_at([*range(100), *[0] * (SHORTEST_LOOP - 1), *range(1, 100)]) is None


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(0, 40), st.integers(0, 400))
def test_one_other_token_starts_the_count_anew(block, before, break_at):
    ids = (block * SHORTEST_LOOP)[: SHORTEST_LOOP + before]
    found = loops_at([*ids[:break_at], 99, *ids])
    assert found is not None
    assert found >= break_at + SHORTEST_LOOP
