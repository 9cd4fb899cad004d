from __future__ import annotations

import asyncio
import pickle
import time

import pytest

from jina_components.core.background import run_sync
from jina_components.core.component import Component
from jina_components.errors import (
    BlockedURLError,
    ConfigError,
    ExtractionError,
    FetchTimeoutError,
    HTTPStatusError,
    InputError,
    MissingDependencyError,
    UnknownNameError,
    WebError,
)
from jina_components.protocols import SupportsSearch
from jina_components.read_options import ReadOptions
from jina_components.search_options import SearchOptions
from jina_components.testing import FakeSearchProvider
from jina_components.testing.assertions import in_threads
from jina_components.types import Page, SearchResult, SearchResults, Usage
from jina_components.web_search import Capabilities, LocalIndex, Rate, SearxngSearch, WebSearch

A = SearchResult("https://a.org/rain", "Rain", "It falls.")
B = SearchResult("https://b.org/rain", "More rain", "It falls too.")
C = SearchResult("https://c.org/snow", "Snow and rain")
SNIPPETS = SearchOptions(contents=False)


class Slow(FakeSearchProvider):
    def __init__(self, *args, delay, **settings):
        super().__init__(*args, **settings)
        self.delay = delay
        self.cancelled = 0

    async def search(self, query, options):
        try:
            await asyncio.sleep(self.delay)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return await super().search(query, options)


class Meeting(FakeSearchProvider):
    """Answers once all that come together have been asked."""

    def __init__(self, *args, together, **settings):
        super().__init__(*args, **settings)
        self.together = together

    async def search(self, query, options):
        await self.together.wait()
        return await super().search(query, options)


class Pages:
    """A reader that holds pages, some of which take their time or fail."""

    options = ReadOptions()

    def __init__(self, delays=(), failures=()):
        self.delays, self.failures = dict(delays), dict(failures)
        self.read, self.running, self.most = [], 0, 0

    async def aread(self, source, *, options=None):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.delays.get(source, 0))
            if source in self.failures:
                raise self.failures[source]
            self.read.append((source, options))
            return Page(source, "Read", f"Content of {source}", usage=Usage(completion_tokens=3))
        finally:
            self.running -= 1


def urls(results):
    return [result.url for result in results]


# --- asking ------------------------------------------------------------------------------------------------------


def test_the_first_that_finds_something_answers():
    first, second = FakeSearchProvider([A], name="one"), FakeSearchProvider([B], name="two")
    found = WebSearch([first, second]).search("rain")
    assert isinstance(found, SearchResults)
    assert (found.query, urls(found), found[0].providers, found.warnings) == ("rain", [A.url], ("one",), ())
    assert second.asked == []


def test_who_fails_or_finds_nothing_gives_way():
    search = WebSearch(
        [
            FakeSearchProvider(name="one", error=HTTPStatusError("No money left.", "https://one", 402)),
            FakeSearchProvider(name="two", error=ZeroDivisionError("a bug")),
            FakeSearchProvider(name="three"),
            FakeSearchProvider([A], name="four"),
        ]
    )
    found = search.search("rain")
    assert urls(found) == [A.url]
    assert found.warnings == (
        "one failed: No money left.", "two failed: ZeroDivisionError: a bug", "three found nothing.",
    )  # fmt: skip


def test_nothing_found_anywhere_is_no_error():
    found = WebSearch([FakeSearchProvider(), FakeSearchProvider(error=WebError("down"), name="b")]).search("rain")
    assert (len(found), found.warnings) == (0, ("fake found nothing.", "b failed: down"))


@pytest.mark.parametrize("merge", [False, True])
def test_all_failed(merge):
    failing = [FakeSearchProvider(name=name, error=WebError(f"{name} is down.")) for name in ("one", "two")]
    with pytest.raises(WebError, match=r"No search provider answered: one is down\. two is down\."):
        WebSearch(failing, merge=merge).search("rain")
    alone = HTTPStatusError("Key?", "https://one", 401)
    with pytest.raises(HTTPStatusError, match="Key"):
        WebSearch(FakeSearchProvider(error=alone), merge=merge).search("rain")


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("error", [MissingDependencyError("pip install it"), InputError("odd"), ConfigError("odd")])
def test_what_the_caller_must_mend_is_not_passed_over(error, merge):
    with pytest.raises(type(error)):
        WebSearch([FakeSearchProvider(error=error), FakeSearchProvider([A])], merge=merge).search("rain")


def test_asked_at_once_and_fused():
    together = asyncio.Barrier(2)
    search = WebSearch(
        [
            Meeting([A, B], together=together, name="one"),
            Meeting([SearchResult("http://www.b.org/rain/", "", "x"), C], together=together, name="two"),
            FakeSearchProvider(name="three", error=WebError("down")),
        ],
        merge=True,
    )
    found = search.search("more rain x")
    assert urls(found)[0] == B.url
    assert found[0].providers == ("one", "two")
    assert set(urls(found)) == {A.url, B.url, C.url}
    assert found.warnings == ("three failed: down",)


def test_late_ones_give_way():
    late = Slow([A], delay=30, name="late")
    found = WebSearch([late, FakeSearchProvider([B])], timeout=0.2).search("rain")
    assert urls(found) == [B.url]
    assert found.warnings == ("late did not answer in time; raise timeout or the deadline.",)
    assert late.cancelled == 1


def test_who_keeps_failing_rests_and_is_tried_again():
    bad = FakeSearchProvider(name="bad", error=WebError("down"))
    search = WebSearch([bad, FakeSearchProvider([A])], failures=2, cooling=0.3)
    for _ in range(2):
        search.search("rain")
    found = search.search("rain")
    assert len(bad.asked) == 2
    assert "bad rests after failures" in found.warnings[0]
    time.sleep(0.35)
    bad._error, bad._results = None, [B]
    assert urls(search.search("rain")) == [B.url]
    assert len(bad.asked) == 3


def test_retry_after_is_honoured():
    bad = FakeSearchProvider(name="bad", error=HTTPStatusError("slow down", "", 429, 60))
    search = WebSearch([bad, FakeSearchProvider([A])])
    search.search("rain")
    assert search.search("rain").warnings == ("bad rests after failures, for 60 more seconds.",)


def limited(rate, results=(A,)):
    provider = FakeSearchProvider(results, name="limited")
    provider.capabilities = Capabilities(kinds={"web": 10}, rate=rate)
    return provider


def test_a_rate_is_waited_for_or_another_is_asked():
    alone = WebSearch(limited(Rate(1, 0.3)))
    started = time.monotonic()
    for _ in range(3):
        alone.search("rain")
    assert time.monotonic() - started >= 0.55
    search = WebSearch([limited(Rate(1, 60)), FakeSearchProvider([B])], timeout=1)
    assert urls(search.search("rain")) == [A.url]
    found = search.search("rain")
    assert urls(found) == [B.url]
    assert "as often as its rate allows" in found.warnings[0]


def test_a_search_given_up_does_not_count_as_a_failure():
    slow = Slow([A], delay=1)
    search = WebSearch(slow, failures=1)

    async def give_up():
        task = asyncio.create_task(search.asearch("rain"))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert slow.cancelled == 1
    slow.delay = 0
    assert urls(search.search("rain")) == [A.url]


# --- options -----------------------------------------------------------------------------------------------------


def test_options_reach_the_provider_as_far_as_it_knows_them():
    provider = limited(None)
    found = WebSearch(provider).search("rain", options=SearchOptions(count=50, country="de", language="de"))
    assert provider.asked[0][1] == SearchOptions(count=10)
    assert found.warnings == ("limited does not know country, language.", "limited gives at most 10 results.")


def test_results_keep_to_the_sites_whatever_the_provider_does():
    found = WebSearch(limited(None, [A, B, C])).search("rain", options=SearchOptions(sites=("b.org",)))
    assert urls(found) == [B.url]


def test_kinds():
    pages = limited(None)
    images = FakeSearchProvider([A], name="images")
    found = WebSearch([pages, images]).search("rain", options=SearchOptions(kind="images"))
    assert (urls(found), found.warnings) == ([A.url], ("limited does not search for images.",))
    with pytest.raises(ConfigError, match="None of the providers searches for 'news'; they know web"):
        WebSearch(pages).search("rain", options=SearchOptions(kind="news"))


def test_results_without_a_url_are_left_out():
    assert urls(WebSearch(limited(None, [SearchResult("", "rain"), A])).search("rain")) == [A.url]


# --- reading -----------------------------------------------------------------------------------------------------


def test_pages_are_read():
    reader = Pages(failures={B.url: ExtractionError("empty", B.url), C.url: RuntimeError("a bug")})
    found = WebSearch(FakeSearchProvider([A, B, C]), reader=reader).search("rain")
    by_url = {result.url: result for result in found}
    assert by_url[A.url].content == f"Content of {A.url}"
    assert (by_url[B.url].content, by_url[B.url].description) == ("", "It falls too.")
    assert isinstance(by_url[B.url].error, ExtractionError)
    assert "RuntimeError: a bug" in str(by_url[C.url].error)
    assert found.usage == Usage(completion_tokens=3)


@pytest.mark.parametrize("url", ["/etc/passwd", "file:///etc/passwd", "etc/passwd", "ftp://a.org/x", "javascript:rain"])
def test_a_result_never_leads_to_a_file(tmp_path, reader, url):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    results = [SearchResult(url, "rain"), SearchResult(str(secret), "rain")]
    for found in WebSearch(FakeSearchProvider(results), reader=reader).search("rain"):
        assert found.page is None
        assert isinstance(found.error, BlockedURLError)


def test_pages_not_read_in_time_keep_their_snippet():
    reader = Pages(delays={B.url: 60})
    found = WebSearch(FakeSearchProvider([A, B]), reader=reader).search("rain", options=SearchOptions(deadline=0.4))
    by_url = {result.url: result for result in found}
    assert by_url[A.url].page
    assert by_url[B.url].page is None
    assert by_url[B.url].description == "It falls too."
    assert isinstance(by_url[B.url].error, FetchTimeoutError)
    assert "0.4 seconds" in str(by_url[B.url].error)
    assert reader.running == 0


def test_reading_is_bounded():
    reader = Pages(delays={f"https://a.org/{number}": 0.02 for number in range(20)})
    results = [SearchResult(f"https://a.org/{number}", "rain") for number in range(20)]
    search = WebSearch(FakeSearchProvider(results), reader=reader, concurrency=3)
    assert all(result.page for result in search.search("rain", options=SearchOptions(count=20)))
    assert reader.most == 3


def test_nothing_is_read_that_need_not_be():
    reader = Pages()
    held = SearchResult("https://d.org", "rain", page=Page("https://d.org", "", "held"))
    search = WebSearch(FakeSearchProvider([A, held]), reader=reader)
    search.search("rain", options=SNIPPETS)
    search.search("rain", options=SearchOptions(kind="images"))
    assert reader.read == []
    assert {result.content for result in search.search("rain")} == {f"Content of {A.url}", "held"}
    assert [url for url, _ in reader.read] == [A.url]


def test_the_results_are_watched_as_they_come():
    reader = Pages(delays={A.url: 0.3, B.url: 0.1})
    search = WebSearch(FakeSearchProvider([A, B]), reader=reader)
    seen = list(search.stream("rain"))
    assert [[bool(result.page) for result in snapshot] for snapshot in seen] == [
        [False, False], [False, True], [True, True],
    ]  # fmt: skip
    assert seen[-1] == search.search("rain")


def test_watching_ends_early():
    reader = Pages(delays={A.url: 60, B.url: 0.05})
    for snapshot in WebSearch(FakeSearchProvider([A, B]), reader=reader).stream("rain"):
        if any(result.page for result in snapshot):
            break
    assert reader.running == 0


async def test_inside_a_running_loop():
    search = WebSearch(FakeSearchProvider([A, B]), reader=Pages())
    found = await search.asearch("rain")
    assert all(result.page for result in found)
    assert [snapshot async for snapshot in search.astream("rain")][-1] == found
    assert search.search("rain") == found


def test_many_threads():
    search = WebSearch(FakeSearchProvider([A, B]), reader=Pages())
    wanted = search.search("rain")
    assert all(found == wanted for found in in_threads(lambda _: search.search("rain"), 30))


# --- remembering -------------------------------------------------------------------------------------------------


def test_the_default_knows_what_it_was_told():
    search = WebSearch()
    assert len(search.search("rain")) == 0
    search.remember([Page("https://a.org/rain", "Rain", "Rain falls from clouds.")])
    assert search.search("where does rain come from")[0].content == "Rain falls from clouds."
    search.close()


def test_pages_read_are_found_again_when_the_web_is_away():
    web = FakeSearchProvider([A, B], name="web")
    search = WebSearch([web, LocalIndex.from_defaults()], reader=Pages(failures={B.url: WebError("gone")}))
    search.search("rain")
    web._error = WebError("no network")
    found = search.search("rain", options=SearchOptions(count=5))
    assert [(result.url, result.content, result.providers) for result in found] == [
        (A.url, f"Content of {A.url}", ("local",))
    ]
    assert found.warnings == ("web failed: no network",)


@pytest.mark.parametrize(
    ("how", "kept"),
    [
        (ReadOptions(do_not_track=True), 0),
        (ReadOptions(cookies=("session=1",)), 0),
        (ReadOptions(format="html"), 0),
        (ReadOptions(format="text"), 0),
        (ReadOptions(target_selector="footer"), 0),
        (ReadOptions(), 1),
    ],
)
def test_what_is_not_to_be_kept_is_not(how, kept):
    web = FakeSearchProvider([A], name="web")
    search = WebSearch([web, LocalIndex.from_defaults()], reader=(reader := Pages()))
    search.search("rain", options=SearchOptions(read_options=how))
    assert reader.read == [(A.url, how)]
    web._error = WebError("no network")
    assert len(search.search("rain")) == kept


def test_what_was_watched_is_remembered_too():
    web = FakeSearchProvider([A, B], name="web")
    search = WebSearch([web, LocalIndex.from_defaults()], reader=Pages(delays={B.url: 60}))
    for snapshot in search.stream("rain"):
        if snapshot[0].page:
            break
    web._error = WebError("no network")
    assert urls(search.search("rain")) == [A.url]


def test_nobody_remembers():
    with pytest.raises(ConfigError, match="LocalIndex"):
        WebSearch(FakeSearchProvider()).remember([])


def test_close_saves(tmp_path):
    with WebSearch([LocalIndex.from_defaults(tmp_path / "pages")]) as search:
        search.remember([Page("https://a.org/rain", "Rain", "Rain falls from clouds.")])
    assert LocalIndex.from_defaults(tmp_path / "pages")
    again = WebSearch([LocalIndex.from_defaults(tmp_path / "pages")])
    assert urls(again.search("rain")) == ["https://a.org/rain"]


# --- settings ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "settings", "error"),
    [
        ("dggs", {}, UnknownNameError),
        (["brave"], {}, UnknownNameError),
        ([], {}, ConfigError),
        ([object()], {}, ConfigError),
        ([FakeSearchProvider], {}, ConfigError),
        ("ddgs", {"timeout": 0}, ConfigError),
        ("ddgs", {"concurrency": 0}, ConfigError),
        ("ddgs", {"reader": object()}, ConfigError),
    ],
)
def test_settings_that_make_no_sense(given, settings, error):
    with pytest.raises(error):
        WebSearch(given, **settings)


def test_queries_are_checked():
    with pytest.raises(InputError):
        WebSearch(FakeSearchProvider()).search("  ")


def test_names_and_pickling():
    assert isinstance(WebSearch("ddgs"), SupportsSearch)
    copy = pickle.loads(pickle.dumps(WebSearch(["arxiv", SearxngSearch("http://localhost:8080")], merge=True)))
    assert "SearxngSearch('http://localhost:8080')" in repr(copy)


def test_results_in_a_notebook():
    found = SearchResults("q", (A, SearchResult("https://x.org", "<script>", error=WebError("late"))), warnings=("w<",))
    html = found._repr_html_()
    assert "<script>" not in html
    assert "late" in html
    assert "w&lt;" in html
    assert (found[0], found[:1], len(found), next(iter(found))) == (A, (A,), 2, A)


# --- real parts --------------------------------------------------------------------------------------------------


def test_a_real_reader_on_a_local_site(api, reader):
    found = [
        {"url": api.page("/rain", "Rain", "Rain is water that falls from clouds, drop by drop."), "title": "Rain"},
        {"url": api.page("/slow", "Slow rain", "It comes late.", delay=5), "title": "Slow"},
        {"url": f"{api.url}/missing", "title": "Missing", "content": "It was there once."},
    ]
    api.answer("/search", {"results": found})
    with WebSearch([SearxngSearch(api.url), LocalIndex.from_defaults()], reader=reader) as search:
        first, slow, missing = search.search("rain", options=SearchOptions(deadline=2.5))
        assert "falls from clouds" in first.content
        assert isinstance(slow.error, FetchTimeoutError)
        assert isinstance(missing.error, HTTPStatusError)
        assert missing.description == "It was there once."
        api.answer("/search", b"", status=500)
        later = search.search("what falls from clouds")
    assert urls(later) == [first.url]
    assert later[0].content == first.content


def test_what_a_reader_may_not_reach_keeps_its_snippet(api):
    from jina_components.reader import Reader

    api.answer("/search", {"results": [{"url": api.page("/rain", "Rain", "x"), "title": "Rain", "content": "wet"}]})
    with WebSearch(SearxngSearch(api.url), reader=Reader()) as search:
        (found,) = search.search("rain")
    assert "no public address" in str(found.error)
    assert found.description == "wet"


def test_streaming_leaves_no_task_behind():
    async def tasks():
        return asyncio.all_tasks() - {asyncio.current_task()}

    before = run_sync(tasks())  # others use the loop, too
    search = WebSearch(FakeSearchProvider([A, B]), reader=Pages(delays={A.url: 60}))
    search.search("rain", options=SearchOptions(deadline=0.2))
    assert run_sync(tasks()) <= before


def test_who_had_no_time_to_be_asked_has_not_failed():
    late, next_one = Slow([A], delay=5, name="one"), FakeSearchProvider([B], name="two")
    search = WebSearch([late, next_one], failures=1)
    with pytest.raises(WebError, match=r"two was not asked, as no time was left"):
        search.search("rain", options=SearchOptions(deadline=0.1))
    assert next_one.asked == []
    assert urls(search.search("rain", options=SNIPPETS)) == [B.url]


def test_an_odd_query_brings_no_rest():
    odd = HTTPStatusError("The query is too long.", "https://one", 422)
    provider = FakeSearchProvider([A], name="one", error=odd)
    search = WebSearch(provider, failures=1)
    for _ in range(3):
        with pytest.raises(HTTPStatusError, match="too long"):
            search.search("rain")


@pytest.mark.parametrize("merge", [False, True])
@pytest.mark.parametrize("answer", [None, [{"url": "https://a.org"}], ["https://a.org"]])
def test_answers_that_are_no_results_are_a_failure(answer, merge):
    class Odd(FakeSearchProvider):
        async def search(self, query, options):
            return answer

    found = WebSearch([Odd(name="odd"), FakeSearchProvider([A])], merge=merge).search("rain")
    assert urls(found) == [A.url]
    assert found.warnings[0].startswith("odd failed: ")


def test_closing_closes_all():
    closed = []

    class Closing(FakeSearchProvider, Component):
        def close(self):
            closed.append(self.name)
            if self.name == "two":
                raise WebError("disk full")

    search = WebSearch([Closing([A], name=name) for name in ("one", "two", "three")])
    search.search("rain")
    with pytest.raises(WebError, match="disk full"):
        search.close()
    assert sorted(closed) == ["one", "three", "two"]
