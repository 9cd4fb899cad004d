"""The local index, with the real bundled embedder."""

import asyncio
import time

import pytest

from jina_components import Embedder, Retriever, Segmenter
from jina_components.errors import BackendError, ConfigError, IndexFilesError
from jina_components.search_options import SearchOptions
from jina_components.testing import FakeEmbedder, check_search_provider
from jina_components.types import Document, Page
from jina_components.web_search import LocalIndex

RAIN = Page(
    "https://www.weather.example/rain", "Rain",
    "# Rain\n\nRain is water that falls from clouds.\n\n   \n\n## Kinds\n\n" + "Drizzle is a light kind of rain. " * 60
    + "\n\n## Measuring\n\nA rain gauge measures how many millimetres fell.",
    description="About rain", published_time="2024-05-06", language="en-GB",
)  # fmt: skip
BREAD = Page(
    "https://food.example/bread.pdf", "Bread", "Bread rises because yeast makes carbon dioxide.", language="en"
)
BROT = Page("https://de.food.example/brot", "Brot", "Brot geht auf, weil Hefe Kohlendioxid bildet.", language="de")
PAGES = [RAIN, BREAD, BROT]


@pytest.fixture
def index(bundled_embedder):
    made = LocalIndex(Retriever(bundled_embedder), Segmenter())
    made.remember(PAGES)
    return made


def ask(index, query, **options):
    return asyncio.run(index.search(query, SearchOptions(**options)))


def test_the_page_that_answers_comes_first_and_whole(index):
    found = ask(index, "How is the amount of rain measured?")
    assert found[0].url == RAIN.url
    assert "gauge" in found[0].description
    assert found[0].page == Page(
        RAIN.url, "Rain", found[0].content, description="About rain", published_time="2024-05-06", language="en"
    )
    assert "".join(found[0].content.split()) == "".join(RAIN.content.split())
    assert found[0].content.index("A rain gauge") == RAIN.content.index("A rain gauge")
    assert sorted(hit.url for hit in found) == sorted(page.url for page in PAGES)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"sites": ("food.example",)}, {BREAD.url, BROT.url}),
        ({"sites": ("weather.example", "de.food.example")}, {RAIN.url, BROT.url}),
        ({"file_types": ("pdf",)}, {BREAD.url}),
        ({"file_types": ("html",)}, {RAIN.url, BROT.url}),
        ({"language": "de"}, {BROT.url}),
        ({"sites": ("nowhere.example",)}, set()),
    ],
)
def test_filters(index, options, wanted):
    assert {hit.url for hit in ask(index, "yeast", **options)} == wanted


def test_pages_of_results(index):
    whole = [hit.url for hit in ask(index, "bread and yeast")]
    assert [ask(index, "bread and yeast", count=1, page=page)[0].url for page in (1, 2, 3)] == whole
    assert ask(index, "bread and yeast", count=1, page=4) == []


def test_a_page_read_again_is_replaced(index):
    ask(index, "rain")
    index.remember([Page("http://weather.example/rain/?utm_source=x", "Rain", "Now about umbrellas.")])
    found = ask(index, "umbrellas")
    assert (len(found), found[0].content) == (3, "Now about umbrellas.")


def test_an_empty_index_finds_nothing(bundled_embedder):
    empty = LocalIndex(Retriever(bundled_embedder), Segmenter())
    assert ask(empty, "rain") == []
    assert empty.is_empty
    empty.remember([Page("https://a.example", "", "")])
    assert ask(empty, "rain") == []


def test_many_chunks_of_one_page_do_not_hide_the_others(bundled_embedder):
    index = LocalIndex(Retriever(bundled_embedder), Segmenter(max_chunk_length=40))
    long = " ".join(f"Rain fell on day {number}." for number in range(300))
    index.remember([Page("https://a.example", "Rain", long), BREAD, BROT])
    assert len(ask(index, "When did rain fall?", count=3)) == 3


def test_kept_in_a_directory(tmp_path):
    with LocalIndex.from_defaults(tmp_path / "pages") as index:
        index.remember(PAGES)
        assert not index.is_empty
    again = LocalIndex.from_defaults(tmp_path / "pages")
    assert not again.is_empty
    assert ask(again, "yeast in bread")[0].url in (BREAD.url, BROT.url)
    again.close()
    assert not LocalIndex.from_defaults(tmp_path / "pages").is_empty
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").write_text("x")
    occupied = LocalIndex.from_defaults(tmp_path / "other")
    occupied.remember(PAGES)
    with pytest.raises(IndexFilesError):
        occupied.save()


def test_what_was_searched_lasts_without_a_save(tmp_path):
    index = LocalIndex.from_defaults(tmp_path / "pages")
    index.remember(PAGES)
    ask(index, "rain")
    assert not LocalIndex.from_defaults(tmp_path / "pages").is_empty
    index.close()


def test_an_unchanged_page_read_again_is_held_once(index):
    ask(index, "rain")
    held = len(index._retriever)
    index.remember(PAGES)
    ask(index, "rain")
    assert len(index._retriever) == held


def test_pages_are_not_lost_when_embedding_fails():
    class Fails(FakeEmbedder):
        broken = True

        def embed_documents(self, texts):
            if self.broken:
                raise BackendError("no memory")
            return super().embed_documents(texts)

    embedder = Fails()
    index = LocalIndex(Retriever(embedder), Segmenter())
    index.remember(PAGES)
    with pytest.raises(BackendError):
        ask(index, "rain")
    embedder.broken = False
    assert len(ask(index, "rain")) == 3


def test_an_index_of_other_documents_is_refused_and_left_as_it_is():
    retriever = Retriever(FakeEmbedder())
    retriever.add([Document("Rain.", metadata={"source": "docs/rain.md"})])
    index = LocalIndex(retriever, Segmenter())
    with pytest.raises(ConfigError, match=r"such as docs/rain\.md: give it a folder of its own"):
        ask(index, "rain")
    index.remember(PAGES)
    with pytest.raises(ConfigError):
        index.save()
    assert len(retriever) == 1


def test_sources_without_a_url_are_found_too(bundled_embedder):
    index = LocalIndex(Retriever(bundled_embedder), Segmenter())
    index.remember([Page("docs/manual.md", "Manual", "Press the red button.")])
    assert ask(index, "which button", file_types=("md",))[0].url == "docs/manual.md"


def test_the_contract(bundled_embedder):
    index = LocalIndex(Retriever(bundled_embedder), Segmenter())
    index.remember([RAIN, BREAD])
    check_search_provider(index, query="rain", pickles=False)


def test_default_parts():
    assert isinstance(LocalIndex.from_defaults()._retriever._embedder, Embedder)


def test_parts_of_a_site(index):
    others = [Page(f"https://food.example/shop/{n}", "Yeast", "Yeast for bread, yeast, yeast.") for n in range(30)]
    index.remember([*others, Page("https://food.example/docs/yeast", "Docs", "Of bread.")])
    found = ask(index, "yeast", sites=("food.example/docs",), count=1)
    assert [hit.url for hit in found] == ["https://food.example/docs/yeast"]


def test_a_long_page_takes_no_time(index):
    text = "\n\n".join(f"Paragraph {number} of rain." for number in range(20_000))
    index.remember([Page("https://long.example/", "Long", text)])
    (found,) = ask(index, "rain", sites=("long.example",))  # indexed
    started = time.process_time()
    (found,) = ask(index, "rain", sites=("long.example",))
    assert found.content == text
    assert time.process_time() - started < 5  # joining in the square of the time takes minutes
