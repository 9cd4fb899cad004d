from __future__ import annotations

import asyncio
import json
import threading

import pytest
from local_server import http, loopback_fetcher

from jina_components import Document, Reranker, Retriever, Segmenter
from jina_components.core.background import run_sync
from jina_components.deep_search.actions import Query
from jina_components.deep_search.comparing import Comparer
from jina_components.deep_search.gathering.gatherer import Gatherer
from jina_components.deep_search.gathering.hosts import Hosts
from jina_components.deep_search.gathering.urls import KnownUrls
from jina_components.deep_search.journal import Journal
from jina_components.deep_search.meter import Meter
from jina_components.deep_search.state import State
from jina_components.deep_search_options import Budget, DeepSearchOptions, Prices
from jina_components.errors import ConfigError, InputError, MissingDependencyError, TraceError, WebError
from jina_components.read_options import QUOTABLE, ReadOptions
from jina_components.reader import Reader
from jina_components.testing import FakeEmbedder, FakeSearchProvider
from jina_components.types import Page, Ranking, ScoredDocument, SearchResult, SearchResults
from jina_components.web_search import ArxivSearch, LocalIndex, WebSearch

QUESTION = "When did Huygens land on Titan?"
FACT = "Huygens landed on Titan in January 2005."
TITAN = Page("https://moons.example/titan", "Titan", f"# Titan\n\n{FACT} It has air.", published_time="2024-05-06")
BREAD = Page("https://food.example/bread", "Bread", "Bread rises because yeast makes carbon dioxide.")


class Search:
    """A gatherer with its state, meter and journal."""

    def __init__(self, *sources, reader=None, embedder=None, reranker=None, journal=None, top_k=30, **options):
        self.options = DeepSearchOptions(**options)
        self.journal = journal or Journal({})
        self.meter = Meter(self.options)
        comparer = Comparer(embedder=embedder, reranker=reranker, journal=self.journal, meter=self.meter)
        self.gatherer = Gatherer(
            sources, reader=reader, comparer=comparer, options=self.options, top_k=top_k, journal=self.journal,
            meter=self.meter,
        )  # fmt: skip
        urls = KnownUrls(Hosts.of(self.options))
        self.state = State(QUESTION, (), self.options, open=[QUESTION], asked=[QUESTION], step=1, urls=urls)

    async def search(self, *queries):
        asked = [query if isinstance(query, Query) else Query(query) for query in queries or (QUESTION,)]
        return await self.gatherer.search(asked, self.state)

    async def visit(self, *urls):
        return await self.gatherer.visit(urls, QUESTION, self.state)

    def know(self, *urls):
        for url in urls:
            assert self.state.urls.add_hit(url, title="A hit")
        return self


def html(text, *, title="Moons", links=""):
    said = "It was seen in 1655 by Christiaan Huygens. " * 12
    body = f"<title>{title}</title><article><h1>{title}</h1><p>{text} {said}</p><p>{links}</p></article>"
    return http(body=body.encode(), content_type="text/html; charset=utf-8")


@pytest.fixture
def reader():
    fetcher = loopback_fetcher(retries=0)
    with Reader(fetcher=fetcher) as reader:
        yield reader
    run_sync(fetcher.aclose())


@pytest.fixture
def site(server):
    server.routes["/titan"] = [html("<b>Huygens</b> landed on <a href='/moon'>Titan</a> in January 2005.")]
    server.routes["/bread"] = [html("Bread is baked.", title="Bread")]
    return server


@pytest.fixture
def corpus(bundled_embedder):
    retriever = Retriever(bundled_embedder)
    text = f"{FACT} " + "\n\n".join(f"Section {n} is about the moon number {n} of Saturn." for n in range(40))
    retriever.add(Segmenter(max_chunk_length=150).segment_page(Page("moons.pdf", "Moons of Saturn", text)))
    retriever.add([Document("Bread is baked from flour.", "bread")])
    return retriever


def provider(server, *paths, **settings):
    hits = [SearchResult(server.url(path), f"Titan, a moon {path}", "Huygens landed there.") for path in paths]
    return FakeSearchProvider(hits, **settings)


def local(*pages):
    index = LocalIndex(Retriever(FakeEmbedder()), Segmenter())
    search = WebSearch(index)
    search.remember(pages)
    return search


def check(page, documents):
    assert documents
    for document in documents:
        assert page.content[document.metadata["start"] : document.metadata["end"]] == document.text
        assert document.metadata["source"] == page.url


async def test_a_search_finds_pages_and_a_visit_reads_them(site, reader):
    asked = provider(site, "/titan", "/bread")
    one = Search(WebSearch(asked), reader=reader)
    found = await one.search()
    assert (found.documents, found.failures, found.hits) == ((), (), {QUESTION: ()})
    assert found.urls == (site.url("/titan"), site.url("/bread"))
    assert found.snippets[0] == "Titan, a moon /titan: Huygens landed there."
    assert one.state.urls.unread == list(found.urls)
    assert site.paths() == []
    read = await one.visit(*found.urls)
    assert read.urls == found.urls
    page = await reader.aread(site.url("/titan"), options=QUOTABLE)
    check(page, [document for document in read.documents if document.metadata["source"] == page.url])
    assert any(FACT in document.text for document in read.documents)
    assert one.state.urls.read == list(found.urls)
    assert one.state.urls.unread == [site.url("/moon")]
    assert one.state.urls.listed()[0].title == "Titan"
    assert one.meter.usage.total_tokens > 0


async def test_options_reach_the_search(site):
    asked = provider(site, "/titan")
    one = Search(WebSearch(asked), search_language="de", only_hostnames=("127.0.0.1",))
    await one.search(Query(QUESTION, "month", "Ber\nlin" + "n" * 500))
    [(query, options)] = asked.asked
    assert (query, options.time_range, options.language, options.sites) == (QUESTION, "month", "de", ("127.0.0.1",))
    assert options.location.startswith("Berlin")
    assert len(options.location) == 200
    assert options.contents
    assert (options.read_options, options.count) == (QUOTABLE, 10)


async def test_pages_that_a_search_has_are_evidence_at_once():
    one = Search(local(TITAN, BREAD), reranker=Reranker())
    found = await one.search()
    check(TITAN, found.documents[:1])
    assert found.documents[0].metadata["published_time"] == "2024-05-06"
    assert found.hits[QUESTION][0] == found.documents[0].id
    assert one.state.urls.read[0] == TITAN.url
    assert one.state.urls.unread == []
    assert found.urls[0] == TITAN.url


async def test_of_a_long_page_each_query_finds_its_own_passages():
    filler = "\n\n".join(f"Section {n} speaks of flour and water alone. " * 8 for n in range(120))
    page = Page("https://book.example/", "A book", f"{FACT}\n\n{filler}\n\nYeast makes carbon dioxide.")
    found = await Search(local(page)).search(QUESTION, "What does yeast make?")
    texts = {document.id: document.text for document in found.documents}
    assert FACT in texts[found.hits[QUESTION][0]]
    assert "Yeast" in texts[found.hits["What does yeast make?"][0]]


async def test_a_search_that_reads_for_itself(site, reader):
    one = Search(
        WebSearch(provider(site, "/titan", "/gone"), reader=reader), budget=Budget(money=9, prices=Prices(read=1))
    )
    found = await one.search()
    assert any(FACT in document.text for document in found.documents)
    assert one.meter.spent.money == 1
    assert set(one.state.urls.unread) == {site.url("/gone"), site.url("/moon")}


async def test_a_corpus_gives_evidence_at_once(corpus):
    one = Search(corpus, top_k=5)
    found = await one.search(QUESTION, "How is bread baked?")
    assert FACT in found.documents[0].text
    assert {QUESTION, "How is bread baked?"} == set(found.hits)
    assert len(found.hits[QUESTION]) == 5
    assert found.hits["How is bread baked?"][0] == "bread"
    assert set(found.urls) == {"moons.pdf", "bread"}
    assert one.state.urls.unread == ["moons.pdf"]
    assert found.snippets[0].startswith(f"Moons of Saturn: {FACT}")
    assert [call.kind for call in one.journal.calls] == ["retrieve", "retrieve"]


async def test_more_of_a_document_of_the_corpus(corpus):
    one = Search(corpus, top_k=1)
    one.state.add(list((await one.search()).documents))
    more = await one.visit("moons.pdf")
    assert len(more.documents) == 10
    assert {document.metadata["source"] for document in more.documents} == {"moons.pdf"}
    assert more.urls == ("moons.pdf",)
    assert one.state.urls.unread == []


async def test_several_sources_at_once_take_turns(corpus, site):
    other = local(TITAN)
    one = Search(corpus, other, WebSearch(provider(site, "/titan")), top_k=3)
    found = await one.search()
    sources = [document.metadata.get("source") for document in found.documents]
    assert sources[:2] == ["moons.pdf", TITAN.url]
    assert site.url("/titan") in found.urls
    assert len(one.journal.calls) == 3


async def test_sources_are_asked_in_parallel():
    barrier = asyncio.Barrier(4)

    class Together:
        async def asearch(self, query, *, options=None):
            await barrier.wait()
            return SearchResults(query, (SearchResult("https://a.com/" + query),))

    found = await asyncio.wait_for(Search(Together(), Together()).search("one", "two"), 60)
    assert found.urls == ("https://a.com/one", "https://a.com/two")


async def test_one_that_fails_leaves_the_others(corpus):
    class Broken:
        def retrieve(self, query, *, top_k=10, filter=None):
            raise ZeroDivisionError("by nought")

    broken = WebSearch(FakeSearchProvider(error=WebError("down")), failures=99)
    found = await Search(broken, corpus, Broken()).search()
    assert found.documents
    assert found.failures == (
        "The search for 'When did Huygens land on Titan?' failed: down",
        "The search for 'When did Huygens land on Titan?' failed: The retriever failed: ZeroDivisionError: by nought",
    )
    alone = await Search(broken).search()
    assert (alone.documents, alone.urls, len(alone.failures)) == ((), (), 1)


async def test_warnings_of_a_search_are_passed_on(site):
    search = WebSearch([FakeSearchProvider(error=WebError("down"), name="first"), provider(site, "/titan")])
    found = await Search(search).search()
    assert found.warnings == ("first failed: down",)
    assert found.failures == ()


@pytest.mark.parametrize("error", [ConfigError("no key"), MissingDependencyError("pip install x"), InputError("odd")])
async def test_what_the_caller_must_mend_is_an_error(error):
    class Wrong:
        async def asearch(self, query, *, options=None):
            raise error

    with pytest.raises(type(error), match=str(error)):
        await Search(Wrong(), local(TITAN)).search()


async def test_a_retriever_without_documents_is_an_error(bundled_embedder):
    with pytest.raises(InputError):
        await Search(Retriever(bundled_embedder)).search()


async def test_a_page_that_does_not_load_is_a_failure(site, reader):
    site.routes["/wall"] = [http(body=b"<title>Just a moment...</title><p>Enable JavaScript and cookies</p>",
                                 content_type="text/html")]  # fmt: skip
    site.routes["/empty"] = [http(body=b"<html></html>", content_type="text/html")]
    paths = ["/gone", "/wall", "/empty", "/titan"]
    one = Search(reader=reader).know(*map(site.url, paths))
    found = await one.visit(*map(site.url, paths))
    assert found.urls == (site.url("/titan"),)
    assert len(found.failures) == 3
    assert all(
        told.startswith(f"Not read: {site.url(path)}: ") for told, path in zip(found.failures, paths, strict=False)
    )
    assert "404" in found.failures[0]
    assert one.state.urls.failed == [site.url(path) for path in paths[:3]]


async def test_nothing_but_what_is_known_is_read(site, reader, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("A secret.")
    one = Search(reader=reader).know(site.url("/bread"))
    found = await one.visit(site.url("/titan"), str(secret), f"file://{secret}", "https://x.org/", "")
    assert len(found.failures) == 5
    assert "nothing that was found leads there" in found.failures[0]
    assert (found.documents, site.paths()) == ((), [])


async def test_paths_that_a_search_finds_are_not_read(reader, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("A secret about Huygens and Titan.")
    hits = [SearchResult(str(secret), "Titan"), SearchResult(f"file://{secret}", "Titan"), SearchResult("x", "Titan")]
    one = Search(WebSearch(FakeSearchProvider(hits)), reader=reader)
    found = await one.search()
    assert (found.urls, one.state.urls.count) == ((), 0)
    told = await Search(local(Page("notes.txt", "Notes", FACT))).search()
    assert (told.documents, told.urls) == ((), ())
    assert told.warnings == ("notes.txt was found and left out, as it is no web page: put it into a Retriever.",)
    # Nor what a document of a corpus says it is from.
    one.state.urls.add_document(Document("a", metadata={"source": str(secret), "start": 0, "end": 1}))
    assert (await one.visit(str(secret))).documents == ()


async def test_a_private_address_is_refused():
    with Reader() as guarded:
        one = Search(reader=guarded).know("http://127.0.0.1:1/", "http://169.254.169.254/latest/meta-data/")
        found = await one.visit(*one.state.urls.unread)
    assert (found.documents, len(found.failures)) == ((), 2)
    assert one.state.urls.unread == []


async def test_a_page_that_leads_to_a_barred_host(site, reader):
    target = site.url("/titan", host="localhost")
    site.routes["/away"] = [http(302, location=target)]
    site.routes["/near"] = [http(302, location="/titan")]
    one = Search(reader=reader, bad_hostnames=("localhost",)).know(site.url("/away"), site.url("/near"))
    found = await one.visit(*one.state.urls.unread)
    [failure] = found.failures
    assert failure == f"Not read: {site.url('/away')}: it leads to {target}: its host is among bad_hostnames"
    assert found.urls == (site.url("/titan"),)
    assert {document.metadata["source"] for document in found.documents} == {site.url("/titan")}
    assert one.state.urls.read == [site.url("/titan")]


async def test_barred_hosts_are_neither_found_nor_read_nor_cited(reader):
    pages = [TITAN, BREAD, Page("https://sub.moons.example/a", "Titan", f"{FACT} Again.")]
    one = Search(local(*pages), bad_hostnames=("moons.example",))
    found = await one.search()
    assert found.urls == (BREAD.url,)
    corpus = Retriever(FakeEmbedder())
    for page in pages:
        corpus.add(Segmenter().segment_page(page))
    found = await Search(corpus, only_hostnames=("food.example",)).search()
    assert {document.metadata["source"] for document in found.documents} == {BREAD.url}
    links = f"{TITAN.url} {BREAD.url}"
    assert one.state.urls.add_link(links.split()[0]) is False


async def test_what_is_too_late_is_a_failure(site):
    class Slow:
        options = ReadOptions(links="text")
        asked = None

        async def aread(self, source, *, options=None):
            self.asked = options
            await asyncio.sleep(0 if source.endswith("/titan") else 600)
            return Page(source, "Moons", FACT)

        async def asearch(self, query, *, options=None):
            assert options.deadline < 2
            await asyncio.sleep(600)

    slow = Slow()
    one = Search(slow, reader=slow, budget=Budget(seconds=2)).know(site.url("/titan"), site.url("/not"))
    visited, searched = await asyncio.gather(one.visit(*one.state.urls.unread), one.search())
    assert [document.text for document in visited.documents] == [FACT]
    assert "/not did not answer within the 1.7 seconds there were" in visited.failures[0]
    assert "The search did not answer within the 1.7 seconds there were" in searched.failures[0]
    assert (slow.asked.links, slow.asked.style, slow.asked.images) == ("text", QUOTABLE.style, "none")


async def test_a_cancelled_visit_stops_the_reading():
    started, cancelled = asyncio.Event(), asyncio.Event()

    class Slow:
        options = ReadOptions()

        async def aread(self, source, *, options=None):
            started.set()
            try:
                await asyncio.sleep(600)
            except asyncio.CancelledError:
                cancelled.set()
                raise

    one = Search(reader=Slow()).know("https://a.com/")
    task = asyncio.create_task(one.visit("https://a.com/"))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await asyncio.wait_for(cancelled.wait(), 30)


async def test_money_stops_the_asking_at_the_query_that_spends_it():
    asked = FakeSearchProvider([SearchResult("https://a.com/", "Titan")])
    one = Search(WebSearch(asked), budget=Budget(money=3.0, prices=Prices(search=1)))
    found = await one.search("Titan one", "Titan two", "Titan three", "Titan four", "Titan five")
    assert len(asked.asked) == 3
    assert sum("the budget of money is spent" in failure for failure in found.failures) == 2
    one.know("https://b.com/")
    assert (
        "the budget of money is spent" in (await one.visit("https://b.com/")).failures[0] or one.meter.ended == "money"
    )


async def test_without_a_reader_nothing_is_read():
    one = Search().know("https://a.com/")
    assert (await one.visit("https://a.com/")).failures == (
        "Not read: https://a.com/: There is nothing to read pages with: pass reader=Reader().",
    )


async def test_odd_queries_are_no_errors(corpus):
    one = Search(corpus, local(TITAN))
    found = await one.search("", " \n", "?!", "\ud800 Titan", "Titan " * 5000)
    assert found.failures == ()
    assert set(found.hits) == {"?!", "\ud800 Titan", "Titan " * 5000}
    assert any("too long" in warning for warning in found.warnings)


async def test_a_copy_of_a_page_is_no_new_evidence(site, reader):
    site.routes["/mirror"] = site.routes["/titan"]
    one = Search(reader=reader).know(site.url("/titan"), site.url("/mirror"))
    found = await one.visit(site.url("/titan"), site.url("/mirror"))
    assert found.urls == (site.url("/titan"), site.url("/mirror"))
    assert {document.metadata["source"] for document in found.documents} == {site.url("/titan")}
    assert one.state.add(list(found.documents)) > 0
    again = await one.visit(site.url("/titan"), site.url("/mirror"))
    assert one.state.add(list(again.documents)) == 0


async def test_unread_pages_are_listed_by_relevance():
    hits = [SearchResult(f"https://h{n}.com/", "Bread", "About bread and how Titan eats it.") for n in range(5)]
    hits.append(SearchResult("https://h9.com/", "Titan", FACT))
    for reranker in (Reranker(), None):
        one = Search(WebSearch(FakeSearchProvider(hits)), reranker=reranker)
        await one.search()
        assert one.state.urls.listed()[0].url == "https://h9.com/"
        calls = len(one.journal.calls)
        await one.gatherer.rate(QUESTION, one.state)  # which is known
        assert len(one.journal.calls) == calls


async def test_abstracts_of_arxiv_are_evidence_and_lead_to_the_papers(server):
    entry = (
        "<entry><id>http://arxiv.org/abs/2501.01234v2</id><published>2025-01-02T03:04:05Z</published>"
        f"<title>Landing on Titan</title><summary>\n  {FACT}\n  We tell how.</summary></entry>"
    )
    feed = f'<feed xmlns="http://www.w3.org/2005/Atom">{entry}</feed>'.encode()
    server.routes["/api/query?" + _ARXIV] = [http(body=feed, content_type="application/atom+xml")]
    with ArxivSearch(base_url=server.url("/api")) as arxiv:
        one = Search(WebSearch(arxiv))
        found = await one.search("Huygens Titan")
    [document] = found.documents
    assert document.text == f"{FACT} We tell how."
    assert document.metadata["source"] == "https://arxiv.org/abs/2501.01234v2"
    assert one.state.urls.unread == ["https://arxiv.org/pdf/2501.01234v2"]


_ARXIV = "search_query=all%3AHuygens+AND+all%3ATitan&start=0&max_results=10&sortBy=relevance"


@pytest.mark.slow
async def test_a_hostile_page(server, reader):
    links = "".join(f"<a href='http://127.0.0.1:1/{n}'>Story {n}</a> " for n in range(20_000))
    text = "".join(f"<p>Section {n} says nothing of any use at all to anybody.</p>" for n in range(5_000))
    body = f"<title>{'T' * 9000}</title><article>{text}<p>{FACT}</p>{links}</article>".encode()
    server.routes["/flood"] = [http(body=body, content_type="text/html; charset=utf-8")]
    one = Search(reader=reader).know(server.url("/flood"))
    found = await one.visit(server.url("/flood"))
    assert any(FACT in document.text for document in found.documents)
    assert sum(len(document.text) for document in found.documents) <= 30_000
    assert one.state.urls.count <= 101
    assert len(json.dumps([call.response for call in one.journal.calls])) < 1_000_000
    assert all(len(document.metadata["title"]) <= 200 for document in found.documents)


async def test_a_replay_asks_nobody_and_finds_the_same(site, reader, corpus, bundled_embedder):
    parts = {"embedder": bundled_embedder, "reranker": Reranker()}
    one = Search(WebSearch(provider(site, "/titan", "/gone")), corpus, reader=reader, **parts)

    async def go(search):
        found = await search.search(QUESTION, "Titan again")
        search.state.add(list(found.documents))
        return found, await search.visit(*found.urls), search.state.urls.listed(), search.meter.usage

    first = await go(one)
    paths = len(site.paths())
    journal = Journal({}, calls=one.journal.calls, strict=True)

    class Nobody:
        options = ReadOptions()

        async def asearch(self, query, *, options=None): ...
        async def aread(self, source, *, options=None): ...

    class NoCorpus:
        def retrieve(self, query, *, top_k=10, filter=None): ...

    again = Search(Nobody(), NoCorpus(), reader=Nobody(), journal=journal, **parts)
    assert await go(again) == first
    assert len(site.paths()) == paths
    with pytest.raises(TraceError):
        await again.search("something else")


async def test_a_retriever_does_not_block_the_loop():
    free = threading.Event()

    class Waiting:
        def retrieve(self, query, *, top_k=10, filter=None):
            assert free.wait(60)
            return Ranking((ScoredDocument(Document(FACT), 1.0),))

    task = asyncio.create_task(Search(Waiting()).search())
    await asyncio.sleep(0.01)
    free.set()
    assert (await task).documents[0].text == FACT


async def test_private_queries_go_to_no_web_search(corpus):
    class Web:
        def __init__(self):
            self.queries = []

        async def asearch(self, query, *, options=None):
            self.queries.append(query)
            return SearchResults(query)

    web = Web()
    private = Query("Where did Huygens land?", is_private=True)
    found = await Search(corpus, web).search(private, Query("moons of Saturn"))
    assert web.queries == ["moons of Saturn"]
    assert found.hits["Where did Huygens land?"]
