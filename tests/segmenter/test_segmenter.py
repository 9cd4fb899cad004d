"""The public face: settings, results, documents of pages, and what holds for every text."""

import datetime as dt
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from segmenter_texts import texts

from jina_components.errors import ConfigError, InputError, ModelFilesError, UnknownNameError
from jina_components.segmenter import Segmenter
from jina_components.types import Document, Page


@cache
def segmenter(unit: str, limit: int, overlap: int = 0) -> Segmenter:
    return Segmenter(max_chunk_length=limit, length_unit=unit, overlap=overlap)


def page(content: str, **facts: object) -> Page:
    return Page(url="https://example.org/a", title="A", content=content, **facts)


@given(text=texts, limit=st.integers(1, 60))
def test_chunks_in_characters_join_to_the_text_and_keep_the_limit(text: str, limit: int) -> None:
    chunks = segmenter("characters", limit).segment(text).chunks
    assert "".join(chunk.text for chunk in chunks) == text
    assert all(0 < len(chunk.text) <= limit for chunk in chunks)
    assert all(text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [chunk.end for chunk in chunks[:-1]] == [chunk.start for chunk in chunks[1:]]


@given(text=texts, limit=st.integers(8, 40))
def test_chunks_in_tokens_join_to_the_text_and_keep_the_limit(text: str, limit: int) -> None:
    tokens = segmenter("tokens", limit)
    segmentation = tokens.segment(text)
    assert "".join(chunk.text for chunk in segmentation.chunks) == text
    assert all(chunk.num_tokens <= limit for chunk in segmentation.chunks)
    assert all(tokens.count(chunk.text) == chunk.num_tokens for chunk in segmentation.chunks)
    assert segmentation.num_tokens == tokens.count(text)


@given(text=texts, unit=st.sampled_from(["characters", "tokens"]), limit=st.integers(8, 40), data=st.data())
def test_overlap_is_bounded_covers_the_text_and_makes_progress(
    text: str, unit: str, limit: int, data: st.DataObject
) -> None:
    overlap = data.draw(st.integers(1, limit - 1))
    overlapping = segmenter(unit, limit, overlap)
    length = len if unit == "characters" else overlapping.count
    chunks = overlapping.segment(text).chunks
    assert all(length(chunk.text) <= limit and text[chunk.start : chunk.end] == chunk.text for chunk in chunks)
    assert [chunks[0].start, chunks[-1].end] == [0, len(text)] if text else not chunks
    for before, after in pairwise(chunks):
        assert before.start < after.start <= before.end < after.end
        assert length(text[after.start : before.end]) <= overlap


@settings(max_examples=20)
@given(text=texts)
def test_the_same_text_gives_the_same_chunks(text: str) -> None:
    fresh = Segmenter(max_chunk_length=20)
    assert fresh.segment(text) == fresh.segment(text) == segmenter("characters", 20).segment(text)


@settings(max_examples=30)
@given(words=st.lists(st.sampled_from(["one", "two", "three.", "Four", "five!"]), min_size=20, max_size=80))
def test_an_overlap_begins_at_a_word(words: list[str]) -> None:
    text = " ".join(words)
    chunks = segmenter("characters", 40, 15).segment(text).chunks
    assert all(chunk.start == 0 or text[chunk.start - 1] == " " for chunk in chunks)
    assert any(after.start < before.end for before, after in pairwise(chunks))


def test_an_empty_text_has_no_chunks() -> None:
    segmentation = Segmenter().segment("")
    assert (segmentation.chunks, segmentation.num_tokens, segmentation.tokenizer) == ((), 0, "bundled")


def test_a_short_text_is_one_chunk_with_its_white_space() -> None:
    (chunk,) = Segmenter().segment("\n  Hello, world.\n\n").chunks
    assert (chunk.text, chunk.start, chunk.end, chunk.num_tokens) == ("\n  Hello, world.\n\n", 0, 18, 4)


def test_white_space_at_the_end_is_no_chunk_of_its_own() -> None:
    text = "First sentence here. Second one is here.\n"
    assert [c.text for c in segmenter("characters", len(text) - 1).segment(text).chunks] == [
        "First sentence here. ",
        "Second one is here.\n",
    ]


def test_tokens_are_counted_without_special_ones() -> None:
    assert Segmenter().count("hello world") == 2
    assert Segmenter().count("[SEP]") == 3


def test_text_that_is_no_string_is_refused() -> None:
    whole = Segmenter()
    for call in (whole.segment, whole.count, whole.tokenize, whole.special_tokens):
        with pytest.raises(InputError, match="text must be str, got bytes"):
            call(b"text")
    for call in (whole.head, whole.tail):
        with pytest.raises(InputError, match="text must be str, got NoneType"):
            call(None, 3)


def test_a_character_that_cannot_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"'각' at 2 alone has 3 tokens.*raise max_chunk_length"):
        Segmenter(max_chunk_length=2, length_unit="tokens").segment("a 각")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"max_chunk_length": 0}, "max_chunk_length must be positive"),
        ({"overlap": -1}, "overlap must be 0 or more"),
        ({"max_chunk_length": 50, "overlap": 50}, "below 50"),
        ({"max_chunk_length": 2.5}, "max_chunk_length must be an integer, got 2.5"),
        ({"overlap": None}, "overlap must be an integer, got None"),
        ({"min_chunk_length": True}, "min_chunk_length must be an integer, got True"),
        ({"tokenizer": 3}, "tokenizer must be a name or a path, got int"),
        ({"length_unit": "words"}, "'characters' or 'tokens', got 'words'"),
        ({"min_chunk_length": -1}, "min_chunk_length must be from 0 to 1000"),
        ({"max_chunk_length": 50, "min_chunk_length": 51}, "from 0 to 50"),
    ],
)
def test_wrong_settings_are_refused_at_once(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Segmenter(**wrong)


def test_an_unknown_tokenizer_is_refused_at_once_and_the_known_are_named() -> None:
    with pytest.raises(UnknownNameError, match=r"Unknown tokenizer.*'bundle'.*Did you mean 'bundled'"):
        Segmenter(tokenizer="bundle")


def test_tokens_are_shown_as_a_streaming_decoder_would() -> None:
    text = "Ja \U0001f680!"
    pieces = Segmenter(tokenizer="cl100k_base").tokenize(text)
    assert pieces == (("Ja", (53545,)), (" ", (11410,)), ("\U0001f680", (248, 222)), ("!", (0,)))
    assert Segmenter(tokenizer="cl100k_base").tokenize("") == ()


@settings(max_examples=40)
@given(text=texts, tokens=st.integers(0, 30))
def test_head_and_tail_are_what_their_tokens_cover(text: str, tokens: int) -> None:
    hosted = wire("cl100k_base")
    head, tail = hosted.head(text, tokens), hosted.tail(text, tokens)
    assert text.startswith(head)
    assert text.endswith(tail)
    ids = [number for piece in hosted.tokenize(text) for number in piece.ids]
    assert len(ids) == hosted.count(text)
    if tokens >= len(ids):
        assert head == tail == text
    else:
        covered = [number for piece in hosted.tokenize(head) for number in piece.ids]
        assert ids[: len(covered)] == covered or len(covered) <= tokens


@cache
def wire(tokenizer: str) -> Segmenter:
    return Segmenter(tokenizer=tokenizer)


@pytest.mark.parametrize("number", [-1, 1.5, True, "3", None])
def test_a_number_of_tokens_that_is_none_is_refused(number: object) -> None:
    for call in (wire("bundled").head, wire("bundled").tail):
        with pytest.raises(InputError, match=f"tokens must be an integer of 0 or more, got {number!r}"):
            call("text", number)


def test_special_tokens_are_found_and_counted_as_text() -> None:
    text = "One.<|endoftext|>Two."
    assert wire("cl100k_base").special_tokens(text) == ("<|endoftext|>",)
    assert wire("cl100k_base").special_tokens("One. Two.") == ()
    assert wire("cl100k_base").count("<|endoftext|>") > 1


def test_chunks_know_the_headings_they_stand_under() -> None:
    found = segmenter("characters", 27).segment("Intro.\n\n# Install\n\nGet it now.\n\n## Linux\n\nRun it there.\n")
    assert [chunk.heading for chunk in found.chunks] == ["", "Install", "Install > Linux"]


@given(text=texts, limit=st.sampled_from([9, 30]))
def test_offsets_in_utf16_are_those_of_the_chunks(text: str, limit: int) -> None:
    segmentation = segmenter("characters", limit).segment(text)
    encoded = text.encode("utf-16-le", "surrogatepass")
    for chunk, (start, end) in zip(segmentation.chunks, segmentation.utf16_offsets, strict=True):
        assert encoded[2 * start : 2 * end].decode("utf-16-le", "surrogatepass") == chunk.text


@given(text=texts, unit=st.sampled_from(["characters", "tokens"]), smallest=st.sampled_from([3, 12, 30]))
def test_a_smallest_length_breaks_neither_limit_nor_text(text: str, unit: str, smallest: int) -> None:
    found = smallest_of(unit, smallest).segment(text).chunks
    assert "".join(chunk.text for chunk in found) == text
    assert all((len(chunk.text) if unit == "characters" else chunk.num_tokens) <= 30 for chunk in found)


@cache
def smallest_of(unit: str, smallest: int) -> Segmenter:
    return Segmenter(max_chunk_length=30, min_chunk_length=smallest, length_unit=unit)


async def test_the_asynchronous_twin_gives_the_same() -> None:
    assert await wire("bundled").asegment("One. Two.") == wire("bundled").segment("One. Two.")


def test_a_missing_tokenizer_file_is_an_error_of_the_first_call(tmp_path: Path) -> None:
    missing = Segmenter(tokenizer=tmp_path / "tokenizer.json")
    with pytest.raises(ModelFilesError, match=r"tokenizer\.json is missing"):
        missing.segment("text")


def test_it_pickles_as_its_settings_and_works_after_close() -> None:
    original = Segmenter(max_chunk_length=12, overlap=3)
    expected = original.segment("Some words that are cut.")
    copy = pickle.loads(pickle.dumps(original))
    assert len(pickle.dumps(original)) < 300
    assert copy.segment("Some words that are cut.") == expected
    with original:
        original.load()
    assert original.segment("Some words that are cut.") == expected
    assert repr(copy) == "Segmenter(max_chunk_length=12, length_unit='characters', overlap=3)"


def test_threads_share_one_segmenter() -> None:
    shared = Segmenter(max_chunk_length=50)
    many = [" ".join(f"word{i}x{j}" for j in range(200)) for i in range(40)]
    expected = [Segmenter(max_chunk_length=50).segment(text) for text in many]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(shared.segment, many)) == expected


def test_a_page_becomes_documents_with_their_place() -> None:
    content = "Intro sentence.\n\n# Install\n\nGet it.\n\n## Linux\n\nRun it there, please.\n"
    install, linux = content.index("# Install"), content.index("## Linux")
    documents = segmenter("characters", 32).segment_page(page(content))
    facts = {"source": "https://example.org/a", "title": "A"}
    assert [document.metadata for document in documents] == [
        facts | {"start": 0, "end": install},
        facts | {"start": install, "end": linux, "heading": "Install"},
        facts | {"start": linux, "end": len(content), "heading": "Install > Linux"},
    ]
    assert all(content[d.metadata["start"] : d.metadata["end"]] == d.text for d in documents)


def test_documents_carry_what_a_page_knows_that_filters_can_use() -> None:
    facts = {
        "author": "Noor", "num_pages": 3, "draft": True, "tags": ["a", "b"], "encoding": "utf-8", "start": 99,
        "source": "elsewhere", "abstract": "long " * 50, "meta": {"og:type": "article"}, "empty": "", "none": None,
        "many": list(range(21)), "front_matter": {"version": "3", "author": "another", "heading": "x"},
    }  # fmt: skip
    full = page("Text.", language="en", published_time="2024-05-01", description="About.", metadata=facts)
    (document,) = Segmenter().segment_page(full)
    assert document.metadata == {
        "source": "https://example.org/a", "title": "A", "start": 0, "end": 5, "language": "en",
        "published_time": "2024-05-01", "author": "Noor", "num_pages": 3, "draft": True, "tags": ["a", "b"],
        "version": "3",
    }  # fmt: skip


def test_documents_of_a_page_can_be_filtered() -> None:
    from jina_components.filters import Field, matches

    full = page("Text.", language="en", published_time="2024-05-01T10:00:00+02:00", metadata={"tags": ["a", "b"]})
    (document,) = Segmenter().segment_page(full)
    assert matches(document.metadata, Field("published_time") >= dt.date(2024, 5, 1))
    assert matches(document.metadata, Field("tags") == "b")
    assert not matches(document.metadata, Field("language") == "de")


def test_document_ids_are_stable() -> None:
    content = "One. Two. Three."
    first = segmenter("characters", 6).segment_page(page(content))
    assert first == Segmenter(max_chunk_length=6).segment_page(page(content))
    assert len({document.id for document in first}) == len(first) == 3
    assert first[0].id == Document(first[0].text, metadata=first[0].metadata).id


def test_chunks_of_white_space_are_no_documents() -> None:
    assert segmenter("characters", 8).segment_page(page("\n" * 30)) == []
    assert [d.text.strip() for d in segmenter("characters", 8).segment_page(page("word" + " " * 30 + "end"))] == [
        "word",
        "end",
    ]


def test_no_chunk_spans_two_pages() -> None:
    content = "# One\n\nFirst page ends in the middle of a\nsentence. Second page goes on.\n"
    second = content.index("sentence")
    documents = Segmenter(overlap=20).segment_page(page(content, page_offsets=(0, second)))
    assert [(d.metadata["start"], d.metadata["end"], d.metadata["page"]) for d in documents] == [
        (0, second, 1),
        (second, len(content), 2),
    ]
    assert [d.metadata["heading"] for d in documents] == ["One", "One"]


def test_page_offsets_at_the_edges_make_no_empty_documents() -> None:
    documents = Segmenter().segment_page(page("Only.", page_offsets=(0, 5, 5)))
    assert [(d.text, d.metadata["page"]) for d in documents] == [("Only.", 1)]


LONG_RUNS = [
    *("#", "`", ">", "> ", "|", "(", ". ", "a", "\u0301", "[", "- a\n", "# a\n", "```a\n", "a|", ".”", "\n"),
    "\U0001f1e6",
]


@pytest.mark.slow
@pytest.mark.parametrize("unit", LONG_RUNS)
def test_no_text_takes_more_than_linear_time(unit: str) -> None:
    """Quadratic work on a million characters would take many minutes."""
    text = unit * (1_000_000 // len(unit))
    chunks = segmenter("characters", 1000).segment(text).chunks
    assert "".join(chunk.text for chunk in chunks) == text
    assert max(len(chunk.text) for chunk in chunks) <= 1000


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["#", "a", "\u0301", ". ", "中"])
def test_no_text_takes_more_than_linear_time_in_tokens(unit: str) -> None:
    text = unit * (500_000 // len(unit))
    chunks = segmenter("tokens", 256, 64).segment(text).chunks
    assert chunks[-1].end == len(text)
    assert max(chunk.num_tokens for chunk in chunks) <= 256


FIFTY_MEGABYTES = """
import random, resource, sys
from jina_components.segmenter import Segmenter
random.seed(0)
words = ["".join(random.choices("etaoinshrdlu", k=random.randint(2, 9))) for _ in range(50_000)]
paragraph = lambda: " ".join(random.choices(words, k=random.randint(40, 160))).capitalize() + ".\\n\\n"
part = "".join(f"## Part {i}\\n\\n" + paragraph() + paragraph() for i in range(6_000))
text = (part * (50_000_000 // len(part) + 1))[:50_000_000]
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
chunks = Segmenter(max_chunk_length=400, length_unit="tokens").segment(text).chunks
assert chunks[-1].end == len(text)
usage = resource.getrusage(resource.RUSAGE_SELF)
print(usage.ru_maxrss - before, usage.ru_utime + usage.ru_stime)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_fifty_megabytes_take_neither_long_nor_much_memory() -> None:
    done = subprocess.run([sys.executable, "-c", FIFTY_MEGABYTES], capture_output=True, text=True, check=True)
    kilobytes, cpu_seconds = map(float, done.stdout.split())
    assert kilobytes < 300_000  # among them 50 MB of chunks
    assert cpu_seconds < 90
