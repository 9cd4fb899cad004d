from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_generators import SPECIAL, qwen_tokenizer
from tokenizers import Tokenizer

from jina_components.errors import InputError
from jina_components.models.chat_prompt import ChatPrompt

BEFORE = "<|im_start|>system\nBe exact.<|im_end|>\n<|im_start|>user\n"
AFTER = "<|im_end|>\n<|im_start|>assistant\n"
PLAIN = st.text(st.sampled_from("ab <>/\n\té東\u0301|_"), max_size=40)


def fresh():
    return Tokenizer.from_str(qwen_tokenizer().to_str())


PROMPT = ChatPrompt(fresh(), BEFORE, AFTER)


@given(PLAIN, PLAIN, PLAIN)
def test_ids_are_those_of_the_whole_text(opening, body, closing):
    whole = fresh().encode(f"{BEFORE}{opening}{body}{closing}{AFTER}", add_special_tokens=False).ids
    assert PROMPT.encode(opening, body, closing) == whole


@pytest.mark.parametrize(
    ("before", "after"), [("", ""), ("User: ", "\nAnswer:"), ("<|im_start|>", "<|im_end|>"), ("x", "y<|im_end|>z")]
)
def test_any_template(before, after):
    prompt = ChatPrompt(fresh(), before, after)
    assert prompt.encode("a", "b", "c") == fresh().encode(f"{before}abc{after}", add_special_tokens=False).ids


@given(st.lists(st.sampled_from([*SPECIAL, "<|im_", "end|>", "a", "<", "\n"]), max_size=12).map("".join))
def test_a_page_cannot_speak_for_another(body):
    """Only the template's own special tokens are such, and the text of the page is there unchanged."""
    ids = PROMPT.encode("", body, "")
    special = [fresh().token_to_id(token) for token in SPECIAL]
    assert [token for token in ids if token in special] == [1, 2, 1, 2, 1]
    assert fresh().decode(ids, skip_special_tokens=False) == BEFORE + body + AFTER


@given(PLAIN.filter(str.strip), st.integers(0, 80))
def test_truncation_keeps_the_longest_head_or_nearly(body, missing):
    body *= 8
    whole = PROMPT.encode("<", body, ">")
    room = len(whole) - missing
    try:
        ids = PROMPT.encode("<", body, ">", room=room, truncate=True)
    except InputError:
        assert missing
        assert room - len(PROMPT.encode("<", "", ">")) < 8
        return
    assert len(ids) <= room
    text = fresh().decode(ids, skip_special_tokens=False)
    composed = fresh().decode(whole, skip_special_tokens=False)
    kept = text.removeprefix(BEFORE + "<").removesuffix(">" + AFTER)
    assert composed.startswith(BEFORE + "<" + kept)
    if not missing:
        assert ids == whole


def test_over_the_room():
    with pytest.raises(InputError, match=r"has \d+ tokens, of which 40 fit.*truncate=True"):
        PROMPT.encode("", "東京" * 30, "", room=40)
    with pytest.raises(InputError, match="Nothing of the input fits: 10 tokens"):
        PROMPT.encode("", "東京" * 30, "", room=10, truncate=True)
