"""The tools of the Model Context Protocol over HTTP: a real service, a real client, a site on this machine."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import Any

import httpx
import jsonschema
import PIL.Image
import pytest
from chromium import page
from local_server import LocalServer, Received, ServerThread, http
from mcp.shared.exceptions import MCPError
from mcp_clients import call, connected, started, texts, told
from starlette.testclient import TestClient

from jina_components.service import Components, ServiceSettings
from jina_components.service.mcp.tools import TOOLS
from jina_components.service.settings import Limits
from jina_components.types import SearchResult
from jina_components.web_search import ArxivSearch, Capabilities

NEEDED = object()
_SEARCH = {"query": NEEDED, "num": 30, "tbs": None}
_WEB = {**_SEARCH, "location": None, "gl": None, "hl": None}
_AT_ONCE = {"searches": NEEDED, "timeout": 30000}
# The tools of Jina's server, and the default of each argument.
PUBLIC: dict[str, dict[str, object]] = {
    "primer": {},
    "show_api_key": {},
    "read_url": {
        "url": NEEDED, "withAllLinks": None, "withAllImages": None, "question": None, "chunk_size": None, "topk": None
    },
    "capture_screenshot_url": {"url": NEEDED, "firstScreenOnly": False, "return_url": False},
    "guess_datetime_url": {"url": NEEDED},
    "search_web": _WEB,
    "search_arxiv": _SEARCH,
    "search_ssrn": _SEARCH,
    "search_images": {
        "query": NEEDED, "num": 10, "return_url": False, "tbs": None, "location": None, "gl": None, "hl": None
    },
    "search_jina_blog": _SEARCH,
    "parallel_read_url": {"urls": NEEDED, "timeout": 30000},
    "parallel_search_web": _AT_ONCE,
    "parallel_search_arxiv": _AT_ONCE,
    "parallel_search_ssrn": _AT_ONCE,
    "sort_by_relevance": {"query": NEEDED, "documents": NEEDED, "top_n": None},
    "classify_text": {"texts": NEEDED, "labels": NEEDED, "model": None},
    "deduplicate_strings": {"strings": NEEDED, "k": None},
    "deduplicate_images": {"images": NEEDED, "k": None},
}  # fmt: skip

TIDES = """<title>Tides</title><meta property="article:published_time" content="2023-05-06">
<meta property="article:modified_time" content="2024-05-06T07:08:09Z"><article><h1>Tides</h1>
<p>The moon pulls the water of the sea, which rises twice a day. The sun pulls it too, with half the force.</p>
<p>In the Bay of Fundy the water rises by sixteen metres. See <a href="/moon">the moon</a>.</p>
<img src="/blue.png" alt="The sea"></article>"""
MOON = "<title>The moon</title><article><p>It goes around the earth in a month, with one face to us.</p></article>"
FEED = """<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>http://arxiv.org/abs/1706.1</id><title>Attention</title>
<summary>Attention is all you need.</summary><published>2017-06-12T17:57:34Z</published></entry></feed>"""


def picture(colour: str, side: int = 300) -> bytes:
    written = BytesIO()
    PIL.Image.new("RGB", (side, side), colour).save(written, "PNG")
    return written.getvalue()


class Engine:
    """A search engine that finds what it was given, in any site that is asked for."""

    name = "engine"
    capabilities = Capabilities(
        kinds={"web": 100, "images": 100},
        options=frozenset(("country", "language", "location", "time_range", "sites")),
        time_ranges=("hour", "day", "week", "month", "year"),
    )

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.images: list[str] = []

    async def search(self, query: str, options: Any) -> list[SearchResult]:
        self.asked.append(options)
        if "nothing" in query:
            return []
        if options.kind == "images":
            return [SearchResult(f"https://a.example/{n}", "A", "", image_url=url) for n, url in enumerate(self.images)]
        host = options.sites[0] if options.sites else "a.example"
        return [SearchResult(f"https://{host}/{number}", f"About {query}", "A snippet.") for number in range(3)]


class Site(LocalServer):
    """Answers paths whatever their query string, one of them never, and one slowly."""

    def __init__(self, routes: dict[str, Any]) -> None:
        super().__init__({**routes, "/never": self._never, "/slow": self._slowly})
        self.asked = threading.Event()

    async def _never(self, _: Received, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await asyncio.sleep(3600)  # until the server is stopped

    async def _slowly(self, _: Received, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        await asyncio.sleep(0.5)
        writer.write(page(MOON)[0])
        await writer.drain()

    async def _answer(self, request: Received, writer: Any) -> bool:
        plain = Received(request.method, request.path.partition("?")[0], request.headers, request.body)
        return await super()._answer(plain, writer)


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    thread = ServerThread()
    yield thread.start(
        Site(
            {
                "/tides": page(TIDES),
                "/moon": page(MOON),
                "/plain": page(
                    "<title>Plain</title><p>Some words of no date, which tell of nothing but themselves.</p>"
                ),
                "/long": page(f"<title>Long</title><article>{'<p>The tide is high and holds on.</p>' * 300}</article>"),
                "/blue.png": [http(body=picture("blue"), content_type="image/png")],
                "/red.png": [http(body=picture("red", 1000), content_type="image/png")],
                "/api/query": [http(body=FEED.encode(), content_type="application/atom+xml")],
            }
        )
    )
    thread.stop()


@pytest.fixture(scope="module")
def engine(site: Site) -> Engine:
    engine = Engine()
    engine.images = [site.url("/blue.png"), site.url("/gone.png"), site.url("/red.png")]
    return engine


@pytest.fixture(scope="module")
def app(make_app: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory, site: Any, engine: Any) -> Any:
    settings = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=(), allow_networks=("127.0.0.0/8",))
    arxiv = ArxivSearch(base_url=site.url("/api"))
    return make_app(components=Components(settings, providers=[engine, arxiv]), allow_networks=("127.0.0.0/8",))


@pytest.fixture(scope="module")
def url(app: Any, start_service: Callable[..., str]) -> str:
    return f"{start_service(app)}/mcp"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_tools_are_those_of_the_public_server(url: str, mode: str) -> None:
    async with connected(url, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert client.server_info is not None
        assert client.server_info.name == "jina-components"
    assert tools.keys() == PUBLIC.keys() - {"deduplicate_images"}  # for which there is no model here
    for name, tool in tools.items():
        jsonschema.Draft202012Validator.check_schema(tool.input_schema)
        properties, required = tool.input_schema["properties"], tool.input_schema.get("required", [])
        taken = {each: NEEDED if each in required else how.get("default") for each, how in properties.items()}
        assert taken == PUBLIC[name], name
        assert tool.description
        assert "$ref" not in str(tool.input_schema)


async def test_pages_are_read(url: str, site: Site) -> None:
    [read] = told(await call(url, "read_url", url=site.url("/tides")))
    assert (read["title"], read["url"]) == ("Tides", site.url("/tides"))
    assert "sixteen metres" in read["content"]
    assert "blue.png" not in read["content"]
    [read] = told(await call(url, "read_url", url=[site.url("/tides")], withAllLinks=True, withAllImages=True))
    assert {"anchorText": "the moon", "url": site.url("/moon")} in read["links"]
    assert [*read["images"].values()] == [site.url("/blue.png")]


async def test_a_question_is_answered_by_passages(url: str, site: Site) -> None:
    asked = {"url": site.url("/tides"), "question": "How high does the water rise in the Bay of Fundy?"}
    [read] = told(await call(url, "read_url", **asked, chunk_size=15, topk=2))
    assert "content" not in read
    assert len(read["snippets"]) == 2
    assert "sixteen metres" in read["snippets"][0]
    [read] = told(await call(url, "read_url", **asked))
    assert len(read["snippets"]) == 1


async def test_several_pages_come_whatever_becomes_of_one(url: str, site: Site) -> None:
    pages = [site.url(path) for path in ("/tides", "/gone", "/moon", "/tides")]
    read = texts(await call(url, "read_url", url=pages))
    assert [text.split("\n")[0] for text in read[::2]] == [f"url: {pages[0]}", f"url: {pages[2]}"]
    assert read[1].startswith(f"Error: {pages[1]}: 4")
    assert len(read) == 3
    wanted = [{"url": pages[0], "withAllLinks": True}, {"url": pages[2]}]
    read = told(await call(url, "parallel_read_url", urls=wanted, timeout=20_000))
    assert ["links" in each for each in read] == [True, False]
    failed = await call(url, "read_url", url=[site.url("/gone"), site.url("/lost")])
    assert failed.is_error
    assert "/lost" in texts(failed)[0]


async def test_when_a_page_was_changed(url: str, site: Site) -> None:
    [guess] = told(await call(url, "guess_datetime_url", url=site.url("/tides")))
    assert guess == {"bestGuess": "2024-05-06T07:08:09+00:00", "confidence": 80}
    [guess] = told(await call(url, "guess_datetime_url", url=site.url("/plain")))
    assert guess == {"bestGuess": None, "confidence": 0}


@pytest.mark.slow
async def test_pictures_of_pages(url: str, site: Site) -> None:
    for first, tall in ((True, False), (False, True)):
        result = await call(url, "capture_screenshot_url", url=site.url("/long"), firstScreenOnly=first)
        [shown] = result.content
        assert (shown.type, shown.mime_type) == ("image", "image/jpeg")
        width, height = PIL.Image.open(BytesIO(base64.b64decode(shown.data))).size
        assert width <= 1024
        assert (height > 1024) is tall
    refused = await call(url, "capture_screenshot_url", url=site.url("/moon"), return_url=True)
    assert refused.is_error
    assert "leave return_url out" in texts(refused)[0]


async def test_searches(url: str, engine: Engine) -> None:
    found = told(await call(url, "search_web", query="tides", num=2, tbs="qdr:w", gl="de", hl="de", location="Berlin"))
    assert [each["url"] for each in found] == ["https://a.example/0", "https://a.example/1"]
    assert found[0] == {"title": "About tides", "url": "https://a.example/0", "snippet": "A snippet."}
    how = engine.asked[-1]
    assert (how.count, how.time_range, how.country, how.language, how.location) == (2, "week", "DE", "de", "Berlin")
    found = told(await call(url, "search_web", query=["tides", "moon", "tides"]))
    assert [(each["query"], len(each["results"])) for each in found] == [("tides", 3), ("moon", 3)]
    assert engine.asked[-1].count == 30
    assert "Nothing was found" in texts(await call(url, "search_ssrn", query="nothing"))[0]
    searches = [{"query": "tides", "num": 1}, {"query": "moon"}]
    found = told(await call(url, "parallel_search_web", searches=searches))
    assert [len(each["results"]) for each in found] == [1, 3]


@pytest.mark.parametrize(("tool", "sites"), [("search_ssrn", ("ssrn.com",)), ("search_jina_blog", ("jina.ai/news",))])
async def test_searches_of_a_site(url: str, engine: Engine, tool: str, sites: tuple[str, ...]) -> None:
    found = told(await call(url, tool, query="tides"))
    assert engine.asked[-1].sites == sites
    assert found[0]["url"] == f"https://{sites[0]}/0"


async def test_searches_of_papers(url: str) -> None:
    [found] = told(await call(url, "search_arxiv", query="attention"))
    assert (found["url"], found["title"]) == ("https://arxiv.org/abs/1706.1", "Attention")
    [found] = told(await call(url, "parallel_search_ssrn", searches=[{"query": "tides"}]))
    assert found["results"][0]["url"] == "https://ssrn.com/0"


async def test_searches_for_images(url: str, engine: Engine) -> None:
    result = await call(url, "search_images", query="sea")
    first, second, about = result.content
    assert (first.type, second.type, about.type) == ("image", "image", "text")
    assert PIL.Image.open(BytesIO(base64.b64decode(first.data))).size == (300, 300)
    assert PIL.Image.open(BytesIO(base64.b64decode(second.data))).size == (800, 800)
    assert about.text.startswith("1 of 3 images cannot be shown")
    assert engine.images[1] in about.text
    found = told(await call(url, "search_images", query="sea", return_url=True, num=2))
    assert [each["imageUrl"] for each in found] == engine.images[:2]


async def test_texts_are_compared(url: str) -> None:
    documents = ["Cars are fast.", "The moon pulls the sea.", "Bread needs salt."]
    ranked = told(await call(url, "sort_by_relevance", query="why tides rise", documents=documents, top_n=2))
    assert ranked[0]["index"] == 1
    assert len(ranked) == 2
    [labelled] = told(await call(url, "classify_text", texts=["I love it"], labels=["praise", "complaint"]))
    assert labelled["prediction"] == "praise"
    strings = ["Tides rise twice a day.", "Tides rise twice a day!", "Bread needs salt."]
    kept = told(await call(url, "deduplicate_strings", strings=strings))
    assert sorted(each["index"] for each in kept) in ([0, 2], [1, 2])
    assert all(each["text"] == strings[each["index"]] for each in kept)
    assert len(told(await call(url, "deduplicate_strings", strings=strings, k=1))) == 1
    refused = await call(url, "deduplicate_strings", strings=strings, k=4)
    assert "at most 3" in texts(refused)[0]


async def test_the_session_is_told(url: str) -> None:
    [told_of] = told(await call(url, "primer", headers={"User-Agent": "tests/1", "Accept-Language": "de"}))
    assert told_of["client"] == {"ip": "127.0.0.1", "userAgent": "tests/1", "acceptLanguage": "de"}
    assert "utc" in told_of["timestamp"]
    secret = "jina_" + "s3cret" * 10
    shown = texts(await call(url, "show_api_key", headers={"Authorization": f"Bearer {secret}"}))[0]
    assert shown.startswith("jina_s3cr…")
    assert secret[9:] not in shown
    assert (await call(url, "show_api_key")).is_error


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("read_url", {}, "url: Field required."),
        ("read_url", {"url": []}, "at least 1"),
        ("read_url", {"url": ["https://a.example"] * 6}, "at most 5"),
        ("read_url", {"url": "https://a.example", "topk": 51}, "less than or equal to 50"),
        ("read_url", {"url": "https://a.example", "ocr": True}, "ocr: Extra inputs are not permitted."),
        ("read_url", {"url": "http://127.0.0.1:1/"}, "4"),
        ("read_url", {"url": "http://169.254.169.254/latest"}, "451"),
        ("read_url", {"url": "file:///etc/passwd"}, "400"),
        ("read_url", {"url": {"$ref": "#"}}, "url"),
        ("search_web", {"query": "tides", "num": 101}, "num"),
        ("search_web", {"query": "tides", "gl": "no country"}, "gl"),
        ("search_web", {"query": "x" * 20_000}, "at most 10,000 characters"),
        ("parallel_search_web", {"searches": [{"num": 1}]}, "searches.0.query: Field required."),
        ("sort_by_relevance", {"query": "q", "documents": ["d"] * 1025}, "at most 1024"),
        ("classify_text", {"texts": ["t"], "labels": ["one"]}, "at least 2"),
        ("classify_text", {"texts": ["t"], "labels": ["a", "b"], "model": "../../etc/passwd"}, "Model"),
        ("deduplicate_strings", {"strings": ["a", ""]}, "4"),
        ("primer", {"__class__": "x"}, "Extra inputs"),
        ("primer", {f"{number}" * 1000: "x" for number in range(1000)}, "Extra inputs"),  # of which some are told
    ],
)  # fmt: skip
async def test_what_does_not_fit_is_told(url: str, tool: str, arguments: dict[str, Any], says: str) -> None:
    async with connected(url) as client:
        result = await client.call_tool(tool, arguments)
        assert result.is_error
        assert says in texts(result)[0]
        assert len(texts(result)[0]) < 1000
        assert not (await client.call_tool("primer", {})).is_error


async def test_a_tool_that_is_not_there(url: str) -> None:
    async with connected(url) as client:
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("extract_pdf", {"url": "https://a.example"})


async def test_clients_choose_tools(url: str) -> None:
    async def listed(query: str) -> set[str]:
        async with connected(f"{url}?{query}") as client:
            return {tool.name for tool in (await client.list_tools()).tools}

    assert await listed("include_tools=read_url,search_bibtex") == {"read_url"}
    assert await listed("include_tags=rerank&exclude_tools=classify_text") == {
        "sort_by_relevance",
        "deduplicate_strings",
    }
    assert not {name for name in await listed("exclude_tags=parallel") if name.startswith("parallel_")}
    async with connected(f"{url}?exclude_tools=primer") as client:
        with pytest.raises(MCPError, match="no such tool"):
            await client.call_tool("primer", {})


async def test_pages_are_cut_to_what_a_client_takes(url: str, site: Site) -> None:
    long = site.url("/long")
    whole = texts(await call(url, "read_url", url=long))
    assert len(whole) == 1
    cut = texts(await call(f"{url}?max_tokens=300", "read_url", url=long))
    assert whole[0].startswith(cut[0])
    assert "more tokens are left out" in cut[1]
    assert texts(await call(f"{url}?max_tokens=0", "read_url", url=long)) == whole
    for wrong in ("-1", "9" * 5000):
        async with connected(f"{url}?max_tokens={wrong}") as client:
            with pytest.raises(MCPError, match="max_tokens"):
                await client.call_tool("read_url", {"url": long})


def _message(method: str = "tools/list") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method}


def test_the_paths_and_the_host(url: str) -> None:
    with httpx.Client(base_url=url.removesuffix("/mcp"), headers={"accept": "application/json"}) as client:
        for path in ("/mcp", "/mcp/", "/mcp/v1", "/mcp/sse"):
            answer = client.post(path, json=_message())
            assert (answer.status_code, len(answer.json()["result"]["tools"])) == (200, len(PUBLIC) - 1), path
        assert client.post("/v1", json=_message(), headers={"host": "mcp.example.com"}).status_code == 200
        stream = client.get("/mcp", headers={"accept": "text/event-stream"})
        assert (stream.status_code, stream.headers["allow"]) == (405, "POST")
        assert client.delete("/mcp").status_code == 405


def test_no_script_of_another_site_gets_in(url: str, make_app: Callable[..., Any]) -> None:
    headers = {"accept": "application/json", "origin": "http://evil.example:8080", "host": "evil.example:8080"}
    assert httpx.post(url, json=_message(), headers=headers).status_code == 403  # DNS rebinding
    chosen = TestClient(make_app(allow_origins=("https://good.example",)))
    good = {"accept": "application/json", "origin": "https://good.example"}
    assert chosen.post("/mcp", json=_message(), headers=good).status_code == 200
    assert chosen.post("/mcp", json=_message(), headers=headers).status_code == 403


def test_what_is_no_message(url: str, make_app: Callable[..., Any]) -> None:
    headers = {"accept": "application/json", "content-type": "application/json"}
    for body in (b"", b"[]", b"{", b'{"jsonrpc": "2.0"}', b"[" * 10_000, b"\xff\xfe"):
        assert httpx.post(url, content=body, headers=headers).status_code in (400, 202), body
    small = TestClient(make_app(limits=Limits(max_body_bytes=1000)))
    assert small.post("/mcp", content=b" " * 1001, headers=headers).status_code == 413
    answer = TestClient(make_app(mcp=False)).post("/mcp", json=_message(), headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "RESOURCE_NOT_FOUND")


async def _asked(site: Site) -> None:
    while not site.asked.is_set():  # noqa: ASYNC110 (of another thread)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_nothing_is_done_for_a_client_that_has_gone(app: Any, url: str, site: Site, mode: str) -> None:
    site.asked.clear()
    async with connected(url, mode=mode) as client:
        calling = asyncio.create_task(client.call_tool("read_url", {"url": [site.url("/never"), site.url("/tides")]}))
        await _asked(site)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
    while app.state.metrics.in_flight._value.get():  # noqa: ASYNC110 (neither the message nor what the tool asked for)
        await asyncio.sleep(0.01)


async def test_a_service_that_ends_answers_first(make_app: Callable[..., Any], run_service: Any, site: Site) -> None:
    site.asked.clear()
    message = _message("tools/call") | {"params": {"name": "read_url", "arguments": {"url": site.url("/slow")}}}
    with ExitStack() as running:
        service = running.enter_context(run_service(make_app(allow_networks=("127.0.0.0/8",))))
        async with connected(f"{service}/mcp"), httpx.AsyncClient(headers={"accept": "application/json"}) as client:
            calling = asyncio.create_task(client.post(f"{service}/mcp", json=message))
            await _asked(site)
            ending = asyncio.create_task(asyncio.to_thread(running.close))
            assert "goes around the earth" in (await calling).text
            await ending  # while the other client is still connected


async def test_the_tools_of_a_service_elsewhere(url: str, site: Site) -> None:
    key, steps = "jina_" + "k3y" * 20, []

    async def progress(done: float, total: float | None, _: str | None) -> None:
        steps.append((done, total))

    at = url.removesuffix("/mcp")
    async with started("--url", at, "--include-tags", "read,utility", env={"JINA_API_KEY": key}) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {name for name in PUBLIC if {"read", "utility"} & {*TOOLS[name].tags}}
        shown = await client.call_tool("show_api_key", {})
        assert texts(shown)[0].startswith("jina_k3yk…")
        pages = [site.url("/tides"), site.url("/moon")]
        read = told(await client.call_tool("read_url", {"url": pages}, progress_callback=progress))
        assert [each["title"] for each in read] == ["Tides", "The moon"]
        assert steps == [(1, 2), (2, 2)]
        assert texts(await client.call_tool("read_url", {"url": site.url("/gone")}))[0].startswith("4")
        site.asked.clear()
        calling = asyncio.create_task(client.call_tool("read_url", {"url": site.url("/never")}))
        await _asked(site)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert not (await client.call_tool("primer", {})).is_error
