"""Prompts of texts and images."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_checkpoints import TEXTS, wordpiece
from tiny_vision_models import SCORE_TOKEN, picture, qwen_tokenizer, token

from jina_components.errors import InputError, ModelFilesError
from jina_components.models.patches import PatchProcessor
from jina_components.models.vision_prompts import Marker, PairPrompts, VisionPrompts

PROCESSOR = PatchProcessor(patch_size=14, merge_size=2, max_pixels=28 * 28 * 20)
PROMPTS = VisionPrompts(qwen_tokenizer())
PAIRS = PairPrompts(PROMPTS, context=200)
LONG = " ".join(f"Sentence {number} is about foxes." for number in range(200))


SPECIAL = {token(name) for name in ("im_start", "im_end", "vision_start", "vision_end", "image_pad", "endoftext")}


def ids_of(text, *, special=False):
    tokenizer = qwen_tokenizer()
    tokenizer.encode_special_tokens = not special
    return tokenizer.encode(text, add_special_tokens=False).ids


def text_of(sequence):
    assert sequence.ids[-1] == SCORE_TOKEN
    return qwen_tokenizer().decode(sequence.ids[:-1].tolist(), skip_special_tokens=False)


def test_an_image_stands_between_its_marks_and_its_mean_is_over_all_of_these():
    patches = PROCESSOR(picture(100, 60))
    sequence = PROMPTS.image(patches, adapter=2)
    start, stop = sequence.spans[0]
    assert (sequence.ids[start], sequence.ids[stop - 1]) == (token("vision_start"), token("vision_end"))
    assert set(sequence.ids[start + 1 : stop - 1]) == {token("image_pad")}
    assert stop - start == patches.tokens + 2 == PROCESSOR.tokens(100, 60) + 2
    assert (sequence.adapter, sequence.num_rows, sequence.images[0].start) == (2, 1, start + 1)
    marked = "<|im_start|>user\n<|vision_start|><|vision_end|>Describe the image.<|im_end|>\n"
    assert [number for number in sequence.ids if number != token("image_pad")] == ids_of(marked, special=True)


def test_every_token_of_an_image_can_be_wanted():
    sequence = PROMPTS.image(PROCESSOR(picture(60, 60)), every_token=True)
    assert sequence.num_rows == len(sequence)
    assert sequence.spans[:, 0].tolist() == list(range(len(sequence)))


@settings(deadline=None)
@given(query=st.sampled_from(TEXTS), document=st.text(max_size=40))
def test_a_pair_is_tokenized_as_one_text(query, document):
    [[pair]] = PAIRS.pairs(query, [document])
    assert pair.ids.tolist() == [*ids_of(f"**Document**:\n{document}\n**Query**:\n{query}"), SCORE_TOKEN]


def test_images_stand_on_either_side():
    first, second = PROCESSOR(picture(60, 60)), PROCESSOR(picture(90, 60, seed=1))
    [[pair], [text]] = PAIRS.pairs(first, [second, "a text"])
    assert [image.digest for image in pair.images] == [second.digest, first.digest]
    for image in pair.images:
        assert set(pair.ids[image.start : image.start + image.tokens]) == {token("image_pad")}
        marks = pair.ids[image.start - 1], pair.ids[image.start + image.tokens]
        assert marks == (token("vision_start"), token("vision_end"))
    assert [image.digest for image in text.images] == [first.digest]


HOSTILE = st.lists(
    st.sampled_from(
        ["<|im_end|>", "<|image_pad|>", "<|vision_start|>", "<|vision_end|>", "<|endoftext|>", "a", " ", "é"]
    ),
    max_size=12,
).map("".join)


@settings(deadline=None)
@given(query=HOSTILE, document=HOSTILE)
def test_special_tokens_within_texts_are_text(query, document):
    image = PROCESSOR(picture(60, 60))
    [[text], [other]] = PairPrompts(PROMPTS, 4096).pairs(query, [document, image])
    assert text.ids.tolist() == [*ids_of(f"**Document**:\n{document}\n**Query**:\n{query}"), SCORE_TOKEN]
    assert not SPECIAL & {*text.ids.tolist()}
    assert sum(number in SPECIAL for number in other.ids.tolist()) == image.tokens + 2
    assert text_of(text) == f"**Document**:\n{document}\n**Query**:\n{query}"


def test_markers_stand_for_special_tokens():
    [sequence] = PROMPTS.sequences([[Marker.BEGIN, "a", Marker.END, "<|im_end|>"]])
    assert sequence.ids.tolist() == [token("im_start"), *ids_of("a"), token("im_end"), *ids_of("<|im_end|>")]


def test_a_long_document_is_scored_in_chunks_that_cover_it():
    [[short], chunks] = PAIRS.pairs("foxes?", ["a text", LONG])
    assert len(short) <= PAIRS.context
    texts = [text_of(chunk).removeprefix("**Document**:\n").removesuffix("\n**Query**:\nfoxes?") for chunk in chunks]
    assert all(len(chunk) <= PAIRS.context for chunk in chunks)
    assert all(text in LONG for text in texts)
    assert LONG.startswith(texts[0])
    assert LONG.endswith(texts[-1])
    ends = [(LONG.index(text), LONG.index(text) + len(text)) for text in texts]
    assert all(start < stop for (_, stop), (start, _) in pairwise(ends))


def test_its_head_alone_when_asked_for():
    [[chunk]] = PAIRS.pairs("foxes?", [LONG], truncate=True)
    head = text_of(chunk).removeprefix("**Document**:\n").removesuffix("\n**Query**:\nfoxes?")
    assert LONG.startswith(head)
    assert PAIRS.context - 12 <= len(chunk) <= PAIRS.context


def test_lengths_can_be_limited():
    [[chunk]] = PAIRS.pairs(LONG, [LONG], max_query_length=5, max_document_length=7)
    query = qwen_tokenizer().decode(ids_of(LONG)[:5])
    document = qwen_tokenizer().decode(ids_of(LONG)[:7])
    assert text_of(chunk) == f"**Document**:\n{document}\n**Query**:\n{query}"


def test_a_query_that_leaves_no_room_is_refused_or_cut():
    with pytest.raises(InputError, match="query has"):
        PAIRS.pairs(LONG, ["a text"])
    [[pair]] = PAIRS.pairs(LONG, ["a text"], truncate=True)
    assert len(pair) <= PAIRS.context


def test_an_image_that_does_not_fit_is_refused():
    image = PatchProcessor(patch_size=14, merge_size=2)(picture(500, 500))
    with pytest.raises(InputError, match="query has"):
        PAIRS.pairs(image, ["a text"])
    with pytest.raises(InputError, match="324 tokens"):
        PAIRS.pairs("foxes?", [image])


def test_cutting_keeps_whole_characters():
    text = "東京🦊 ż " * 50
    for length in range(1, 12):
        [part] = PROMPTS.parts(text, length, truncate=True)
        assert text.startswith(part)


def test_no_documents_give_no_pairs():
    assert PAIRS.pairs("foxes?", []) == []


def test_a_tokenizer_without_the_marks_is_refused():
    with pytest.raises(ModelFilesError, match="vision_start"):
        VisionPrompts(wordpiece())


def test_texts_beside_each_other_are_tokenized_as_one():
    apart, whole = PROMPTS.sequences([["Quer", "y", ": hel", "lo"], ["Query: hello"]])
    assert np.array_equal(apart.ids, whole.ids)
