"""The check of search providers catches what breaks a rule."""

import asyncio
import doctest
import threading
from importlib import import_module

import pytest

from jina_components.testing import FakeSearchProvider, check_search_provider
from jina_components.types import SearchResult
from jina_components.web_search import Capabilities

RESULTS = [
    SearchResult(f"https://a.org/{number}", "rain", image_url=f"https://a.org/{number}.png") for number in range(3)
]


def test_the_fake():
    check_search_provider(FakeSearchProvider(RESULTS), query="rain")


def test_the_fake_ranks_by_shared_words():
    pages = [
        SearchResult("https://a.org", "rain"),
        SearchResult("https://b.org", "heavy rain"),
        SearchResult("https://c.org", "sun"),
    ]
    fake = FakeSearchProvider(pages)
    found = asyncio.run(fake.search("Heavy rain?", import_module("jina_components.search_options").SearchOptions()))
    assert [result.url for result in found] == ["https://b.org", "https://a.org"]
    assert [query for query, _ in fake.asked] == ["Heavy rain?"]


class Fake(FakeSearchProvider):
    def __init__(self):
        super().__init__(RESULTS)


class Nameless(Fake):
    def __init__(self):
        super().__init__()
        self.name = " "


class Boasts(Fake):
    def __init__(self):
        super().__init__()
        self.capabilities = Capabilities(kinds={"web": 10}, options=frozenset({"weather"}))


class NoKinds(Fake):
    def __init__(self):
        super().__init__()
        self.capabilities = Capabilities(kinds={})


class Tuples(Fake):
    async def search(self, query, options):
        return tuple(await super().search(query, options))


class Relative(Fake):
    async def search(self, query, options):
        return [SearchResult("/rain")]


class PictureLess(Fake):
    async def search(self, query, options):
        return [SearchResult("https://a.org")]


class NoneForOptions(Fake):
    async def search(self, query, options):
        return await super().search(query, options) if not options.country else None


class Unpicklable(Fake):
    def __init__(self):
        super().__init__()
        self.lock = threading.Lock()


class Racy(Fake):
    """Answers with what was asked last."""

    count = 0

    async def search(self, query, options):
        self.count += 1
        mine = self.count
        await asyncio.sleep(0.01)
        found = await super().search(query, options)
        return found if mine == self.count else found[:1]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (object, "lacks name, capabilities or search"),
        (Nameless, "The name is"),
        (Boasts, "claims to know .'weather'"),
        (NoKinds, "searches for no kind"),
        (Tuples, "returned tuple"),
        (Relative, "no URL"),
        (PictureLess, "no image_url"),
        (NoneForOptions, "With country='de' search returned NoneType"),
        (Unpicklable, "does not pickle"),
        (Racy, "from many threads differ"),
    ],
)
def test_a_broken_provider_is_caught(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_search_provider(broken(), query="rain")


def test_a_query_without_hits_is_refused():
    with pytest.raises(AssertionError, match="has no hits"):
        check_search_provider(Fake(), query="sunshine")


def test_a_search_that_ignores_cancelling_is_caught(monkeypatch):
    class Stubborn(Fake):
        async def search(self, query, options):
            try:
                await asyncio.sleep(0.001)
            except asyncio.CancelledError:
                await asyncio.sleep(0.5)
            return await super().search(query, options)

    monkeypatch.setattr("jina_components.testing.search._PATIENCE", 0.1)
    with pytest.raises(AssertionError, match="cancelled search still ran"):
        check_search_provider(Stubborn(), query="rain")


@pytest.mark.parametrize("name", ["testing.search", "web_search.web_search"])
def test_examples(name):
    done = doctest.testmod(import_module(f"jina_components.{name}"))
    assert done.attempted
    assert not done.failed
