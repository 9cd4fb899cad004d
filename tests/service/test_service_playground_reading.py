"""The tabs that read, search, check and answer, in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from chromium import eventually
from local_server import LocalServer, Received, ServerThread, http
from playground_pages import NARROW, WIDE, finished, open_tab, run, running_chromium, status, take_pictures, visit
from playwright.sync_api import Browser, Locator, Page, expect

from jina_components import OpenAIChat
from jina_components.service import Components, ServiceSettings
from jina_components.testing import FakeSearchProvider, ScriptedChatServer, ScriptedReply
from jina_components.types import SearchResult

pytestmark = pytest.mark.slow

LOOPBACK = ("127.0.0.0/8",)
TIDES = "The tides in the Bay of Fundy are 16 metres high."
BRIDGE = "The Harbour Bridge was opened in March 1932 after eight years of work."
# What the page says on its console of a connection that a reload cuts off.
_CUT_OFF = ("AbortError: signal is aborted", "Connection errored out")
EVIL = '<img src=x onerror="document.title=1"><script>document.title=2</script>'

PIXEL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABAQAAAAA3bvkkAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
LOADS = "new Promise(told => Object.assign(new Image(), {onload: () => told(1), onerror: () => told(0), src: 'URL'}))"


def article(title: str, *paragraphs: str, status: int = 200) -> bytes:
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    return http(
        status,
        body=f"<html><head><title>{title}</title></head><body><article>{body}</article></body></html>".encode(),
        content_type="text/html; charset=utf-8",
    )


@dataclass
class Held:
    """A page that is answered when it is let go, and that knows when nobody waits for it any more."""

    content: bytes
    asked: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    _let_go: threading.Event = field(default_factory=threading.Event)

    async def __call__(self, _: Received, writer: asyncio.StreamWriter) -> None:
        self.asked.set()
        head, _, rest = self.content.partition(b"\r\n")
        writer.write(head + b"\r\n")
        while not self._let_go.is_set():
            writer.write(b"x-wait: a while\r\n")  # a connection that is closed at the other end breaks by it
            await asyncio.sleep(0.05)
            if writer.is_closing():
                self.left.set()
                return
        writer.write(rest)
        await writer.drain()

    def let_go(self) -> None:
        self._let_go.set()


@pytest.fixture(scope="module")
def site() -> Iterator[LocalServer]:
    thread = ServerThread()
    site = thread.start(LocalServer())
    rise = "The moon pulls the water of the sea, and so the sea rises and falls twice a day. " * 3
    moon = 'See <a href="/moon">the moon</a> <img src="/moon.png" alt="Moon">.'
    link = '<a href="javascript:document.title=4">a link</a> of a page ' * 3
    site.routes |= {
        "/tides": [article("Tides", TIDES, rise, moon)],
        "/moon": [article("The moon", "The moon goes around the earth in 27 days. It pulls the sea. " * 3)],
        "/bridge": [article("The Harbour Bridge", f"{BRIDGE} It carries trains and cars over the harbour.")],
        "/gone": [article("Gone", "This page was here, and is not here any more. " * 4, status=404)],
        "/evil": [article("&lt;script&gt;document.title=3&lt;/script&gt;", EVIL.replace("<", "&lt;"), link)],
    }  # fmt: skip
    yield site
    thread.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    yield from running_chromium()


@pytest.fixture(scope="module")
def url(make_app: Callable[..., Any], start_service: Callable[..., str]) -> str:
    """A service that asks nobody else."""
    return start_service(make_app(allow_networks=LOOPBACK))


@pytest.fixture(scope="module")
def opened(browser: Browser, url: str) -> Iterator[Page]:
    with visit(browser, url, expected=_CUT_OFF) as page:
        yield page


@pytest.fixture
def page(opened: Page) -> Page:
    """The page of a service that asks nobody else, opened anew."""
    opened.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})
    opened.reload()
    opened.locator(".pg-run:visible").first.wait_for()
    return opened


@pytest.fixture(scope="module")
def of_web(
    make_app: Callable[..., Any], start_service: Callable[..., str], site: LocalServer, tmp_path_factory
) -> Iterator[str]:
    """A service with a search engine and a chat model."""
    pages = {"/held-search": "Tides far away", "/tides": "Tides", "/held-agent": "Whales", "/held-stop": "Penguins"}
    found = [SearchResult(site.url(path), title, f"What there is of {title.lower()}.") for path, title in pages.items()]
    settings = ServiceSettings(data=tmp_path_factory.mktemp("data"), warm_up=(), allow_networks=LOOPBACK)
    with ScriptedChatServer(mind) as server, OpenAIChat("scripted", base_url=server.base_url) as chat:
        components = Components(settings, providers=[FakeSearchProvider(found)], chat=chat)
        yield start_service(make_app(components=components))


def mind(request: dict[str, Any]) -> Any:
    """A chat model that searches for the question first, and then answers with what it has read."""
    said = json.dumps(request["messages"])
    if "Is it broken?" in said:
        return ScriptedReply(status=401, message="No such key.")
    fields = set(request["response_format"]["json_schema"]["schema"].get("properties", ()))
    if "action" in fields:
        subject = "penguins" if "penguins" in said else "whales"
        fact = f"There are many {subject} in the south."
        actions = request["response_format"]["json_schema"]["schema"]["properties"]["action"]["enum"]
        if fact not in said and "visit" in actions:
            return {"think": "It has to be read.", "action": "visit", "pages": [1]}
        if fact not in said:
            return {"think": "I need sources.", "action": "search", "queries": [{"text": subject}]}
        return {"think": "I know.", "action": "answer", "answer": f"**{fact}** And [more](javascript:alert(1))."}
    replies: dict[str, Any] = {
        "queries": {"queries": []},
        "definitive": dict.fromkeys(("definitive", "freshness", "plurality", "completeness"), False),
        "passed": {"reason": "", "passed": True, "plan": ""},
    }
    return next((reply for name, reply in replies.items() if name in fields), {})


@contextmanager
def held(site: LocalServer, path: str, content: bytes = http()) -> Iterator[Held]:
    """A page of the site that waits within the block."""
    page = Held(content)
    site.routes[path] = page
    try:
        yield page
    finally:
        page.let_go()


def read(page: Page, address: str) -> Locator:
    tab = open_tab(page, "reader")
    tab.get_by_label("URL").fill(address)
    run(tab)
    return tab


def ask(tab: Locator, question: str) -> None:
    tab.get_by_label("Question", exact=True).fill(question)
    tab.get_by_role("button", name="Ask", exact=True).click()


def test_reader_draws_a_page_beside_its_markdown(page: Page, site: LocalServer) -> None:
    tab = open_tab(page, "reader")
    tab.get_by_label("List its links").check()
    tab.get_by_label("List its images").check()
    read(page, site.url("/tides"))
    expect(tab.get_by_role("heading", name="Tides")).to_be_visible()
    expect(tab.locator(".pg-told")).to_contain_text("1 link")
    expect(tab.locator(".pg-told")).to_contain_text("tokens")
    drawn = tab.locator(".pg-markdown")
    expect(drawn.get_by_role("link", name="the moon")).to_have_attribute("href", site.url("/moon"))
    expect(drawn.locator(".pg-image a")).to_have_attribute("href", site.url("/moon.png"))
    assert drawn.locator("img").count() == 0
    assert "/moon.png" not in site.paths()
    expect(tab.locator(".cm-content").first).to_contain_text(f"[the moon]({site.url('/moon')})")
    tab.get_by_text("Links (1)").click()
    expect(tab.locator(".pg-fold[open]").get_by_role("link", name="the moon")).to_be_visible()
    take_pictures(page, "reader")


def test_reader_options_and_errors(page: Page, site: LocalServer) -> None:
    tab = read(page, site.url("/gone"))
    expect(tab.locator(".pg-warning")).to_contain_text("404")
    tab.get_by_label("Tokens at most").fill("3")
    tab.get_by_label("Tokens at most").blur()
    read(page, site.url("/tides"))
    assert "over the budget of 3" in status(tab)
    tab.get_by_label("Tokens at most").fill("0")
    tab.get_by_label("Only what fits").fill("article > p:first-child")
    read(page, site.url("/tides"))
    expect(tab.locator(".pg-markdown")).to_have_text(TIDES)
    tab.get_by_label("Only what fits").fill("")
    tab.get_by_label("Show", exact=True).click()
    page.get_by_role("option", name="HTML", exact=True).click()
    read(page, site.url("/tides"))
    expect(tab.locator(".cm-content").first).to_contain_text("<title>Tides</title>")
    tab.get_by_label("URL").fill(" ")
    run(tab)
    assert status(tab) == "Write the URL of a page, or paste HTML."


def test_pasted_html_is_read_and_nothing_of_it_runs(page: Page) -> None:
    tab = open_tab(page, "reader")
    tab.get_by_role("button", name="Pasted HTML").click()
    run(tab)
    expect(tab.get_by_role("heading", name="Bread of one night")).to_be_visible()
    expect(tab.locator(".pg-markdown td").first).to_have_text("Flour")
    tab.get_by_text("HTML instead of a page").click()
    words = "What is written here is read, and is shown as it was written. " * 4
    html = tab.get_by_placeholder("<article>")
    expect(html).to_have_value(re.compile("Bread of one night"))  # what was folded away comes late
    html.fill(
        f"<title>&lt;b&gt;Bold&lt;/b&gt; {EVIL}</title><article><p>{words}{EVIL.replace('<', '&lt;')}</p>"
        f'<p><a href="javascript:document.title=5">{words}</a></p></article>'
    )
    run(tab)
    expect(tab.get_by_role("heading", name="<b>Bold</b>")).to_be_visible()
    expect(tab.locator(".pg-markdown")).to_contain_text("<script>document.title=2</script>")
    assert tab.locator("a[href^=javascript], .pg-page img, .pg-page script").count() == 0
    assert page.title() == "Playground"
    assert page.evaluate(LOADS.replace("URL", PIXEL)), "a screenshot"


def test_search_tells_that_nothing_was_read_yet(
    browser: Browser, make_app: Callable[..., Any], run_service: Callable[..., Any]
) -> None:
    with run_service(make_app()) as fresh, visit(browser, fresh, size=NARROW) as page:
        tab = open_tab(page, "search")
        run(tab)
        expect(tab.locator(".pg-empty")).to_contain_text("No search results were found")
        expect(tab.locator(".pg-note")).to_contain_text("Read one in the Reader first")


def test_search_finds_pages_that_were_read(page: Page, site: LocalServer) -> None:
    for path in ("/tides", "/moon", "/evil"):
        read(page, site.url(path))
    tab = open_tab(page, "search")
    tab.get_by_label("Query").fill("water of the sea and the moon")
    tab.get_by_label("Query").press("Enter")
    finished(tab)
    cards = tab.locator(".pg-results > li")
    expect(cards).to_have_count(3)
    tides = cards.filter(has=page.get_by_role("link", name="Tides", exact=True))
    expect(tides).to_contain_text(f"127.0.0.1:{site.port}")
    expect(tides.locator(".pg-markdown")).to_be_hidden()
    tides.locator("summary").press("Enter")  # by keyboard
    expect(tides.locator(".pg-markdown")).to_contain_text(TIDES)
    expect(cards.last).to_contain_text("<script>document.title=3</script>")
    assert page.title() == "Playground"
    take_pictures(page, "search")
    tab.get_by_label("Only titles").check()
    run(tab)
    expect(cards.locator("summary")).to_have_count(0)
    expect(cards.first).to_contain_text("The moon")


def test_search_shows_results_while_others_are_read(browser: Browser, of_web: str, site: LocalServer) -> None:
    with (
        held(site, "/held-search", article("Held", "Tides far away are low. " * 9)) as slow,
        visit(browser, of_web) as page,
    ):
        tab = open_tab(page, "search")
        tab.get_by_label("Query").fill("tides")
        tab.get_by_role("button", name="Search", exact=True).click()
        expect(tab.locator(".pg-results > li")).to_have_count(2)
        expect(tab.get_by_text("Content, ")).to_have_count(1)
        expect(tab.locator(".pg-working")).to_be_visible()
        slow.let_go()
        finished(tab)
        expect(tab.get_by_text("Content, ")).to_have_count(2)


def test_grounding_tells_its_steps_and_quotes(page: Page, site: LocalServer) -> None:
    path = "/held-bridge"
    with held(site, path, article("The Harbour Bridge", f"{BRIDGE} It carries trains and cars.")) as slow:
        tab = open_tab(page, "grounding")
        tab.get_by_label("Statement").fill("The Harbour Bridge was opened in 1952.")
        tab.get_by_label("References").fill(site.url(path))
        tab.get_by_role("button", name="Check", exact=True).click()
        expect(tab.locator(".pg-steps > li").first).to_contain_text("What it claims")
        assert tab.locator(".pg-verdict").count() == 0
        slow.let_go()
        finished(tab)
        expect(tab.locator(".pg-verdict")).to_have_text("✗ Refuted")
        assert float(tab.get_by_role("meter", name="Factuality").get_attribute("aria-valuenow") or 1) < 0.5
        against = tab.locator(".pg-against").first
        expect(against.locator("mark")).to_have_text(BRIDGE)
        expect(against.get_by_role("link")).to_have_attribute("href", site.url(path))
        tab.get_by_text("How it was checked").click()
        expect(tab.locator(".pg-steps > li").last).to_contain_text("refuted")
        take_pictures(page, "grounding")
        tab.get_by_label("Statement").fill("The Harbour Bridge was opened in 1932.")
        tab.get_by_label("Statement").press("Control+Enter")
        finished(tab)
        expect(tab.locator(".pg-verdict")).to_have_text("✓ Supported")
        expect(tab.locator(".pg-for mark").first).to_have_text(BRIDGE)
        tab.get_by_label("References").fill("file:///etc/passwd")
        run(tab)
        assert "references[0]" in status(tab)


def test_deep_search_answers_from_pages_read_before(page: Page, site: LocalServer) -> None:
    for path in ("/tides", "/bridge"):
        read(page, site.url(path))
    tab = open_tab(page, "deepsearch")
    tab.get_by_label("Question", exact=True).fill("How high are the tides in the Bay of Fundy?")
    tab.get_by_label("Question", exact=True).press("Enter")
    answer = tab.locator(".pg-answer")
    expect(answer).to_contain_text("16 metres high")
    expect(answer.locator(".pg-mark a").first).to_have_attribute("href", site.url("/tides"))
    expect(answer.locator(".pg-sources > li").first).to_contain_text(TIDES)
    expect(answer.locator(".pg-told")).to_contain_text("tokens")
    expect(tab.locator(".pg-thoughts")).to_be_hidden()
    tab.get_by_text("How it was found").click()
    expect(tab.locator(".pg-queries").first).to_contain_text("How high are the tides")
    ask(tab, f"What of {EVIL}?")
    expect(answer).to_have_count(2)
    expect(tab.locator(".pg-question").last).to_contain_text(EVIL)
    expect(tab.locator("[aria-label*='<div']")).to_have_count(0)
    ask(tab, "When was the Harbour Bridge opened?")
    expect(answer).to_have_count(3)
    expect(answer.last).to_contain_text("1932")
    expect(tab.get_by_label("Question", exact=True)).to_have_value("")
    tab.get_by_text("The request as code").click()
    code = tab.locator(".pg-code .cm-content").first
    expect(code).to_contain_text("/v1/chat/completions")
    expect(code).to_contain_text("How high are the tides")
    expect(code).to_contain_text('"role": "assistant"')
    page.mouse.wheel(0, 5000)  # lines that are not in sight are not there
    expect(code).to_contain_text("When was the Harbour Bridge opened?")
    tab.get_by_text("The request as code").click()
    take_pictures(page, "deepsearch")
    tab.get_by_role("button", name="New conversation").click()
    expect(answer).to_have_count(0)
    ask(tab, "?!")
    expect(tab.locator(".pg-chat .pg-error")).to_contain_text("no words")


def test_deep_search_thinks_aloud_and_remembers(browser: Browser, of_web: str, site: LocalServer) -> None:
    whales = article("Whales", "There are many whales in the south. " * 4)
    with held(site, "/held-agent", whales) as slow, visit(browser, of_web) as page:
        tab = open_tab(page, "deepsearch")
        ask(tab, "Are there whales?")
        expect(tab.locator(".pg-thoughts")).to_contain_text("I need sources.")
        expect(tab.locator(".pg-queries").first).to_contain_text("whales")
        expect(tab.locator(".pg-urls")).to_contain_text(site.url("/held-agent"))
        assert tab.locator(".pg-answer").count() == 0
        take_pictures(page, "deepsearch-thinking")
        slow.let_go()
        answer = tab.locator(".pg-answer")
        expect(answer).to_contain_text("There are many whales in the south.")
        assert answer.locator("a[href^=javascript]").count() == 0
        expect(answer.locator(".pg-sources > li").first).to_contain_text("many whales in the south")
        ask(tab, "Is it broken?")
        expect(tab.locator(".pg-chat .pg-error")).to_contain_text("Error")
        expect(tab.get_by_role("button", name="Stop", exact=True)).to_be_disabled()


def test_stop_ends_the_work_of_the_service(browser: Browser, of_web: str, site: LocalServer) -> None:
    with held(site, "/held-stop") as slow, visit(browser, of_web) as page:
        tab = open_tab(page, "deepsearch")
        expect(tab.get_by_role("button", name="Stop", exact=True)).to_be_disabled()
        ask(tab, "Are there penguins?")
        assert slow.asked.wait(60)
        expect(tab.locator(".pg-queries").first).to_contain_text("penguins")
        tab.get_by_role("button", name="Stop", exact=True).click()
        assert slow.left.wait(60)
        expect(tab.locator(".pg-chat")).to_contain_text("Stopped. The service works on it no more.")
        expect(tab.get_by_role("button", name="Stop", exact=True)).to_be_disabled()
        tab.get_by_text("What was done before it was stopped").click()
        expect(tab.locator(".pg-thoughts")).to_contain_text("I need sources.")
        ask(tab, "Is it broken?")  # and there can be another question
        expect(tab.locator(".pg-chat .pg-error")).to_contain_text("Error")


def test_what_has_no_parts_can_be_stopped_too(page: Page, site: LocalServer) -> None:
    tab = open_tab(page, "reader")
    stop = tab.get_by_role("button", name="Stop", exact=True)
    expect(stop).to_be_disabled()
    with held(site, "/held-read") as slow:
        tab.get_by_label("URL").fill(site.url("/held-read"))
        tab.get_by_role("button", name="Read", exact=True).click()
        assert slow.asked.wait(60)
        expect(tab.locator(".pg-working")).to_have_text(re.compile(r"Working… [1-9]\d* s"))
        stop.click()
        assert slow.left.wait(60)
    expect(tab.locator(".pg-done")).to_have_text("Stopped. The service works on it no more.")
    expect(stop).to_be_disabled()
    read(page, site.url("/tides"))
    expect(tab.locator(".pg-markdown")).to_contain_text(TIDES)


def test_leaving_ends_the_work_of_the_service(browser: Browser, of_web: str, site: LocalServer) -> None:
    with held(site, "/held-stop") as slow:
        with visit(browser, of_web) as page:
            ask(open_tab(page, "deepsearch"), "Are there penguins?")
            assert slow.asked.wait(60)
        assert eventually(slow.left.is_set)
