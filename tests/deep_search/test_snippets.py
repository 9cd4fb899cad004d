import asyncio
import random
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.gathering.cutting import cut
from jina_components.deep_search.gathering.page_text import PageText, page_text
from jina_components.deep_search.gathering.snippets import passages
from jina_components.deep_search.gathering.walls import wall
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search_options import DeepSearchOptions
from jina_components.testing import FakeEmbedder
from jina_components.types import Page

URL = "https://example.org/moons"
FACT = "Huygens landed on Titan in January 2005, after seven years with Cassini."
WORDS = ["flour", "water", "oven", "dough", "salt", "yeast", "crust", "crumb", "knead", "bake", "loaf", "rise"]


def filler(characters, seed=0):
    rng = random.Random(seed)
    lines = []
    while sum(map(len, lines)) < characters:
        lines.append(" ".join(rng.choices(WORDS, k=rng.randint(4, 14))).capitalize() + ".")
        lines.append("\n\n" if rng.random() < 0.3 else " ")
    return "".join(lines)


def evidence(page, question="When did Huygens land on Titan?", embedder=None):
    comparer = Comparer(embedder=embedder, reranker=None, journal=Journal({}), meter=Meter(DeepSearchOptions()))
    return asyncio.run(passages(page_text(page, question), question, comparer))


def check(page, documents):
    for document in documents:
        facts = document.metadata
        assert page.content[facts["start"] : facts["end"]] == document.text
        assert document.text.strip() == document.text != ""
        assert len(document.text) <= 2000
        assert (facts["source"], facts["title"]) == (page.url, page.title)
    starts = [document.metadata["start"] for document in documents]
    assert starts == sorted(starts)
    assert all(a.metadata["end"] <= b.metadata["start"] for a, b in pairwise(documents))


def test_a_short_page_is_taken_whole():
    page = Page(URL, "Moons", f"# Titan\n\n{FACT}\n\n## Air\n\nIt has air.", published_time="2024-05-01")
    [document] = evidence(page)
    assert document.text == page.content
    assert document.metadata == {
        "source": URL, "title": "Moons", "start": 0, "end": len(page.content), "heading": "Titan",
        "published_time": "2024-05-01",
    }  # fmt: skip
    assert evidence(Page(URL, "Moons", "")) == evidence(Page(URL, "Moons", " \n")) == []


def test_all_of_a_page_below_12_000_characters():
    page = Page(URL, "Bread", filler(11_000))
    documents = evidence(page)
    check(page, documents)
    joined = "".join("".join(document.text.split()) for document in documents)
    assert joined == "".join(page.content.split())
    assert len(documents) < 12


def test_of_a_long_page_the_windows_that_are_about_the_question(bundled_embedder):
    before, behind = filler(30_000, 1), filler(30_000, 2)
    about = f"## Landing\n\n{FACT} The moon Titan of Saturn has air. Cassini went on around Saturn.\n\n"
    page = Page(URL, "Bread and moons", f"{before}\n\n{about}{behind}")
    for embedder in (bundled_embedder, FakeEmbedder(), None):
        documents = evidence(page, embedder=embedder)
        check(page, documents)
        assert any(FACT in document.text for document in documents)
        assert sum(len(document.text) for document in documents) <= 5 * 6000
    landing = page.content.index("## Landing")
    for document in documents:
        assert document.metadata.get("heading") == ("Landing" if document.metadata["start"] >= landing else None)


def test_two_windows_of_a_page_of_12_000_characters():
    page = Page(URL, "Bread", filler(12_500))
    documents = evidence(page, embedder=FakeEmbedder())
    check(page, documents)
    assert 6000 < sum(len(document.text) for document in documents) <= 12_000


def test_the_fact_is_found_in_a_book():
    book = "\n\n".join([*(filler(20_000, n) for n in range(15)), FACT, *(filler(20_000, n) for n in range(15, 30))])
    page = Page(URL, "A book", book, page_offsets=tuple(range(0, len(book), 3000)))
    kept = page_text(page, "When did Huygens land on Titan?")
    assert sum(len(stretch.text) for stretch in kept.stretches) < 100_000 < kept.length == len(book)
    documents = evidence(page)
    check(page, documents)
    [found] = [document for document in documents if FACT in document.text]
    assert found.metadata["page"] == page.page_at(found.metadata["start"])
    assert all(page.page_at(d.metadata["start"]) == page.page_at(d.metadata["end"] - 1) for d in documents)


def test_a_page_without_spaces_or_in_any_script():
    for text in (
        "x" * 40_000,
        "月" * 40_000,
        "\u0301" * 15_000,
        "👨‍👩‍👧" * 4000,
        "| a | b |\n" * 3000,
        "```\n" + "x = 1\n" * 4000,
    ):
        page = Page(URL, "t", text)
        documents = evidence(page)
        check(page, documents)
        assert documents


PIECE = st.sampled_from(
    ["# Head\n\n", "word ", "A sentence. ", "\n\n", "\n", "字", "é", "```\n", "- item\n", "x" * 700, "😀", " ", "\t",
     "| a |\n", "Titan is a moon. " * 30, "bread " * 150]
)  # fmt: skip


@given(st.lists(PIECE, max_size=60).map("".join), st.lists(st.integers(0, 9000), max_size=4))
def test_offsets_are_exact_whatever_the_page(text, offsets):
    page = Page(URL, "t", text, page_offsets=tuple(sorted({0, *offsets})) if offsets else ())
    check(page, evidence(page, "Is Titan a moon?"))


@given(st.lists(PIECE, max_size=40).map("".join), st.integers(1, 400), st.lists(st.integers(0, 5000), max_size=3))
def test_cuts_leave_out_white_space_alone(text, most, breaks):
    spans = list(cut(text, most, breaks=breaks))
    assert "".join("".join(text[start:end].split()) for start, end in spans) == "".join(text.split())
    assert all(0 < end - start <= most or end - start < 30 for start, end in spans)
    assert all(not any(start < place < end for place in breaks) for start, end in spans)


def test_links_that_share_words_with_the_question_first():
    links = [("", "https://a.com/none"), ("Home", "https://a.com/"), ("Mail", "mailto:a@b.c")]
    links += [(f"Story {n}", f"https://a.com/{n}") for n in range(300)]
    links += [("Landing on Titan", "https://a.com/titan"), ("Titan again", "https://www.a.com/titan#top")]
    kept = page_text(Page(URL, "t", FACT, links=tuple(links)), "When did Huygens land on Titan?").links
    assert len(kept) == 100
    assert kept[:2] == (("Landing on Titan", "https://a.com/titan"), ("Home", "https://a.com/"))


def test_the_first_images_are_kept():
    images = [("", f"https://a.com/{n}.png") for n in range(30)]
    page = Page(URL, "t", FACT, images=(("", "data:image/png;base64,AA"), images[0], *images))
    kept = page_text(page, "Titan").images
    assert kept == tuple(url for _, url in images[:20])


def test_a_hostile_page_takes_no_time():
    page = Page(
        URL, "t" * 100_000, "moon. # x\n" * 500_000, links=(("x" * 1000, "https://a.com/" + "a/" * 400),) * 100_000
    )
    started = time.process_time()
    kept = page_text(page, "moon")
    assert isinstance(kept, PageText)
    assert len(kept.title) <= 200
    assert time.process_time() - started < 30


@pytest.mark.parametrize(
    ("title", "text", "why"),
    [
        ("", " \n", "no text"),
        ("Just a moment...", "Enable JavaScript and cookies to continue", "robot"),
        ("", "Please verify you are a human to go on.", "robot"),
        ("Access denied", "You do not have permission.", "denies"),
        ("404", "404 Not Found", "error page"),
        ("Oops", "The page you requested could not be found. Page not found.", "error page"),
        ("", "502 Bad Gateway\nnginx", "error page"),
        ("Fehler", "Seite nicht gefunden", "error page"),
        ("", "Too many requests", "how often"),
        ("App", "You need to enable JavaScript to run this app.", "scripts"),
        ("News", "We value your privacy. Accept all cookies?", "consent"),
        ("Journal", "Please log in to continue reading.", "log in"),
        ("example.net", "This domain is for sale!", "domain"),
    ],
)
def test_walls(title, text, why):
    assert why in wall(title, text)
    assert not wall(title, text + " It says a lot more than that." * 20) or not text.strip()


def test_what_is_short_may_well_be_evidence():
    for title, text in (("Titan", FACT), ("Cookies", "Bake the cookies for 12 minutes."), ("", "42")):
        assert wall(title, text) == ""
