from __future__ import annotations

import json
import lzma
import os
import time
from pathlib import Path

import pytest
from lxml.html import HtmlElement, HTMLParser, document_fromstring

from jina_components.reader.signals import needs_browser, page_warnings

SENTENCE = "It has rained on the hills since the early morning, and the river has begun to rise. "
ARTICLE = f"<article><h1>Rain</h1><p>{SENTENCE * 4}</p><p>{SENTENCE * 4}</p></article>"
NAV = "<header><nav>" + "".join(f"<a href=/{n}>Section {n}</a>" for n in range(20)) + "</nav></header>"
CHINESE = "<div>" + "今天早晨以来山上一直在下雨，河水开始上涨，居民们正在准备沙袋。<br>" * 8 + "</div>"


def parsed(html: str | bytes) -> HtmlElement:
    html = html if isinstance(html, bytes) else html.encode()
    return document_fromstring(html, parser=HTMLParser(encoding="utf-8", remove_comments=True, huge_tree=True))


EMPTY = {
    "create-react-app": "<noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div>"
    "<script src=/static/js/main.2f3a.js></script>",
    "vite": "<title>App</title><div id=app></div><script type=module src=/assets/index-B1c2.js></script>",
    "angular": "<app-root></app-root><script src=runtime.1f.js></script><script src=main.9c.js></script>",
    "a spinner in the root": "<div id=app><div class=spinner>Loading…</div></div><script src=/js/app.js></script>",
    "next without server": '<div id=__next></div><script id=__NEXT_DATA__ type="application/json">{}</script>',
    "header and footer only": f"{NAV}<div id=root></div><footer>© 2024 The Site</footer><script src=/a.js></script>",
    "an empty main element": f"{NAV}<main id=content></main><script src=/static/bundle.js></script>",
    "asks in English": "<p>This site requires JavaScript. Please enable it.</p><script src=x.js></script>",
    "asks in German": "<p>Bitte aktivieren Sie JavaScript, um fortzufahren.</p><script src=x.js></script>",
    "asks in French": "<p>Veuillez activer JavaScript pour continuer.</p><script src=x.js></script>",
    "asks in Spanish": "<p>Habilite JavaScript para continuar leyendo esto.</p><script src=x.js></script>",
    "asks in Japanese": "<p>この ページを 表示するには JavaScriptを有効にしてください。</p><script src=x.js></script>",
    "asks in Chinese": "<p>请启用 JavaScript 以继续浏览本网站的全部内容。</p><script src=x.js></script>",
    "moved by script": "<p>You are being taken to the page.</p><script>window.location.href = '/real';</script>",
    "moved by meta": "<meta http-equiv=refresh content='0; url=/real'><p>Moved.</p>",
    "nothing but a script": "<script>document.write(unescape('...'))</script>",
    "hidden text": f"<div id=root></div><div style='display: none'>{SENTENCE * 9}</div><script src=/b.js></script>",
    "a cookie notice over nothing": f"<div id=root></div><div class=cookie-bar>{SENTENCE * 9}</div><script src=b.js>",
}
FULL = {
    "an article": ARTICLE,
    "a line": "<title>Rain</title><p>It rains today.</p>",
    "a line and a script": "<p>The station reports eleven millimetres of rain.</p><script src=/stats.js></script>",
    "nothing": "<p></p>",
    "next with content": f"<div id=__next>{ARTICLE}</div><script id=__NEXT_DATA__ type=application/json>{{}}</script>",
    "nuxt with content": f"<div id=__nuxt>{ARTICLE}</div><script>window.__NUXT__={{}}</script>",
    "a root for comments": f"{ARTICLE}<div id=app></div><script src=/static/js/main.js></script>",
    "comments that need script": f"{ARTICLE}<noscript>Please enable JavaScript to view the comments.</noscript>",
    "an article about script": f"<p>{SENTENCE * 6}Enable JavaScript in your browser.</p><script src=app.js></script>",
    "chinese in lines": CHINESE + "<div id=app></div><script src=/bundle.js></script>",
    "a table of numbers": "<table>"
    + "<tr><td>1871<td>Berlin<td>826,341" * 120
    + "</table><script src=/bundle.js></script>",
    "text in a div": f"<div>{SENTENCE * 6}</div><div id=root></div><script type=module src=/x.js></script>",
}


@pytest.mark.parametrize("name", EMPTY)
def test_what_only_a_browser_fills(name: str) -> None:
    assert needs_browser(parsed(f"<html><body>{EMPTY[name]}</body></html>"))


@pytest.mark.parametrize("name", FULL)
def test_what_is_complete(name: str) -> None:
    assert not needs_browser(parsed(f"<html><body>{FULL[name]}</body></html>"))


WALLS = {
    "Cloudflare": "<title>Just a moment...</title><p>Enable JavaScript and cookies to continue</p>"
    "<script>window._cf_chl_opt={}</script>",
    "DataDome": "<title>shop.example</title><script>var dd={'host':'geo.captcha-delivery.com'}</script>",
    "PerimeterX": "<title>Access to this page has been denied</title><div id=px-captcha></div>",
    "Akamai": "<title>Access Denied</title><h1>Denied</h1>You don't have permission to access x. Reference #1.x",
    "Imperva": "<iframe id=main-iframe src='/_Incapsula_Resource?x'>Request unsuccessful.</iframe>",
    "AWS WAF": "<title>Human Verification</title><script>window.gokuProps = {}</script>",
    "Google": "<p>Our systems have detected unusual traffic from your computer network.</p>",
    "Anubis": "<title>Making sure you're not a bot!</title><p>Loading...</p>",
    "Amazon": "<form action=/errors/validateCaptcha><p>Type the characters you see</p></form>",
    "a CAPTCHA": "<p>One more step before you go on.</p><form><div class=g-recaptcha></div></form>",
}


@pytest.mark.parametrize("name", WALLS)
def test_a_wall_is_told_by_name(name: str) -> None:
    [warning] = page_warnings(parsed(f"<html>{WALLS[name]}</html>"))
    assert name in warning
    assert "no robot" in warning


@pytest.mark.parametrize(
    ("html", "words"),
    [
        ("<title>403 Forbidden</title><h1>Forbidden</h1>", "access was denied"),
        ("<title>404 - Page not found</title><p>We looked everywhere.</p>", "not found"),
        ("<title>Seite nicht gefunden</title><p>Hier ist nichts.</p>", "not found"),
        ("<title>Sign in</title><form><input name=u><input type=password></form>", "log in"),
        (f"<p>{SENTENCE}</p><div class='paywall-prompt'>Subscribe</div>", "not free"),
        (
            f'<script type="application/ld+json">{{"isAccessibleForFree": "False"}}</script><p>{SENTENCE}</p>',
            "not free",
        ),
        ("<iframe src='https://forms.example/apply' width=800 height=900></iframe>", "frames"),
        ("<frameset cols='20%,80%'><frame src=menu.html><frame src=main.html></frameset>", "frames"),
        (f"<x-card><template shadowrootmode=open><p>{SENTENCE * 3}</p></template></x-card>{ARTICLE}", "shadow"),
    ],
)
def test_what_a_reader_should_know(html: str, words: str) -> None:
    [warning] = page_warnings(parsed(f"<html>{html}</html>"))
    assert words in warning


@pytest.mark.parametrize(
    "html",
    [
        ARTICLE,
        f"<title>404 ways to say rain</title>{ARTICLE}",
        f"<title>Access denied: a history of doors</title>{ARTICLE}",
        f"{ARTICLE}<form><input type=password></form><div class=paywall></div><div class=g-recaptcha></div>",
        f"{ARTICLE}<iframe src=https://video.example/1 width=640 height=360></iframe>",
        "<p>Write to us.</p><form><input type=email><textarea></textarea><div class=g-recaptcha></div></form>",
        "<p>Hello.</p><header><form><input type=password></form></header>",
        "<p>Hello.</p><iframe src=https://www.googletagmanager.com/ns.html></iframe><iframe src=/p width=1></iframe>",
        "<x-a><template shadowrootmode=open><b>Buy</b></template></x-a><p>Hello.</p>",
    ],
)
def test_what_needs_no_warning(html: str) -> None:
    assert page_warnings(parsed(f"<html><body>{html}</body></html>")) == ()


@pytest.mark.parametrize(
    "body",
    [
        "<div id=root>" * 1_500 + "<i></i>" * 50_000,
        "<main>" * 1_500 + "x " * 50_000,
        "<p><object>" * 900 + " " * 500_000,
        "<template shadowrootmode=open>" * 1_500 + "x" * 100_000,
        "<div class='" + "cookie" * 100 + "'>x</div>" * 20_000,
        "<noscript>" + "enable " * 50_000 + "</noscript>",
        "<script>location " + "\n" * 100_000 + "</script><p>x",
        "<meta http-equiv=refresh content=5>" * 20_000,
        "<title>" + "404 page " * 50_000,
    ],
)
def test_hostile_pages_take_no_long_time(body: str) -> None:
    tree = parsed(f"<html><body>{body}</body></html>")
    begun = time.process_time()
    needs_browser(tree)
    page_warnings(tree)
    assert time.process_time() - begun < 5


def test_the_tree_is_left_as_it_was() -> None:
    from lxml.html import tostring

    tree = parsed(f"<html><body>{NAV}{ARTICLE}<div id=root></div></body></html>")
    before = tostring(tree)
    needs_browser(tree)
    page_warnings(tree)
    assert tostring(tree) == before


@pytest.mark.slow
@pytest.mark.parametrize("name", ["article_extraction_benchmark", "readability_pages", "trafilatura_eval"])
def test_real_articles_raise_no_false_alarm(name: str) -> None:
    path = Path(os.environ.get("JINA_COMPONENTS_DATA", "no such directory"), "reader", name, "pages.jsonl.xz")
    if not path.exists():
        pytest.skip(f"JINA_COMPONENTS_DATA has no reader/{name}")
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        trees = [parsed(json.loads(line)["html"].encode()) for line in lines]
    assert not [tree for tree in trees if needs_browser(tree)]
    assert sum(bool(page_warnings(tree)) for tree in trees) <= 1  # one holds no more than the beginning of its article
