import asyncio
import io
import struct

import pytest
from chromium import page, slowly
from local_server import http

from jina_components.core.background import run_sync
from jina_components.errors import ConfigError, FetchTimeoutError, InputError, WebError
from jina_components.read_options import ReadOptions, Viewport
from jina_components.reader.browser import Browser, Snapshot

BUILT = """<title>Old</title><div id=app></div><script>
setTimeout(() => { document.title = 'New'; app.innerHTML = '<h1>Built</h1><p>by a script</p>' }, 150)</script>"""


@pytest.fixture
def read(browser, server):
    """Reads a page with this body, or the server's path."""

    async def read(body=None, *, path="/", timeout=20, html=None, **options):  # noqa: ASYNC109 (of the page)
        if body is not None:
            server.routes[path] = page(body)
        return await browser.snapshot(server.url(path), ReadOptions(**options), timeout=timeout, html=html)

    return read


async def test_a_page_built_by_a_script(read, server):
    snapshot = await read(BUILT)
    assert isinstance(snapshot, Snapshot)
    assert "<h1>Built</h1><p>by a script</p>" in snapshot.html
    assert "setTimeout" not in snapshot.html
    assert (snapshot.title, snapshot.url, snapshot.status) == ("New", server.url("/"), 200)
    assert snapshot.is_document
    assert snapshot.is_final
    assert snapshot.warnings == ()
    assert snapshot.screenshot == b""


def test_sync_callers_and_other_loops_are_served_alike(browser, server):
    server.routes["/"] = page(BUILT)
    snapshots = [
        run_sync(browser.snapshot(server.url("/"), ReadOptions(), timeout=20)),
        asyncio.run(browser.snapshot(server.url("/"), ReadOptions(), timeout=20)),
    ]
    assert snapshots[0].html == snapshots[1].html


async def test_frames_are_read_in_their_places(read, server):
    server.routes["/frames/a"] = page("<p>inside <a href=next>on</a></p><iframe src=/b></iframe>")
    server.routes["/b"] = page("<script>document.write('<b>deep</b>')</script>")
    body = "<p>before</p><iframe src=/frames/a></iframe><p>after</p>"
    snapshot = await read(body, iframes=True)
    outer, inner = server.url("/frames/a"), server.url("/b")
    assert (
        f'<p>before</p><div data-frame="{outer}"><p>inside <a href="{server.url("/frames/next")}">on</a></p>'
        f'<div data-frame="{inner}"><b>deep</b></div></div><p>after</p>'
    ) in snapshot.html
    without = await read(body)
    assert "inside" not in without.html
    assert any("iframes=True" in text for text in without.warnings)


SHADOWS = """<my-card><b slot=title>Title</b>lost <i>rest</i></my-card><script>
customElements.define('my-card', class extends HTMLElement { constructor() { super()
  const root = this.attachShadow({mode: '%s'})
  root.innerHTML = '<style>b{}</style><h2><slot name=title></slot></h2><slot name=none>fallback</slot><em>own</em>' } })
</script>"""


@pytest.mark.parametrize("mode", ["open", "closed"])
async def test_shadow_roots_are_flattened_with_their_slots(read, mode):
    snapshot = await read(SHADOWS % mode, shadow_dom=True)
    assert '<my-card><h2><b slot="title">Title</b></h2>fallback<em>own</em></my-card>' in snapshot.html
    without = await read(SHADOWS % mode)
    assert '<my-card><b slot="title">Title</b>lost <i>rest</i></my-card>' in without.html
    assert any("shadow_dom=True" in text for text in without.warnings) is (mode == "open")


async def test_what_is_not_displayed_is_marked(read):
    snapshot = await read(
        "<style>.n{display:none} .v{visibility:hidden} .s{visibility:visible}</style>"
        "<p class=n>none <b>child</b></p><div class=v>veiled<p class=s>seen</p></div>"
        "<p hidden style='display:block'>shown</p>"
        "<details><summary>more</summary><p>folded</p></details>"
    )
    assert '<p class="n" hidden="">none <b>child</b></p>' in snapshot.html
    assert '<div class="v"><span hidden="">veiled</span><p class="s">seen</p></div>' in snapshot.html
    assert '<p style="display:block">shown</p>' in snapshot.html
    assert "<p>folded</p>" in snapshot.html


async def test_what_is_written_reads_back_as_the_same_document(read):
    import lxml.html

    snapshot = await read(
        "<!doctype html><title>a &amp; b</title><p title='\"<&'>1 &lt; 2 &amp;amp; &nbsp;3</p><pre>\n\nx</pre>"
        "<textarea>\n\n t</textarea><br><svg><foreignObject>f</foreignObject></svg><canvas>no</canvas>"
        "<template>no</template><math><mi>x</mi></math><noscript>no script</noscript><noscript><img src=x></noscript>"
        "<script type='application/ld+json'>{\"a\": \"<b>\"}</script><script type='math/tex'>a<b</script>"
    )
    tree = lxml.html.document_fromstring(snapshot.html)
    assert tree.findtext(".//title") == "a & b"
    paragraph = tree.find(".//p")
    assert (paragraph.text, paragraph.get("title")) == ("1 < 2 &amp; \xa03", '"<&')
    assert tree.findtext(".//pre").lstrip("\n") == "x"
    assert [script.text for script in tree.findall(".//script")] == ['{"a": "<b>"}', "a<b"]
    assert "<foreignObject>f</foreignObject>" in snapshot.html
    assert ">no" not in snapshot.html
    assert "<noscript><img src=x></noscript>" in snapshot.html


async def test_very_deep_documents_are_written_out(read):
    snapshot = await read(
        "<body><script>let e = document.body; for (let i = 0; i < 2000; i++) "
        "e = e.appendChild(document.createElement('i')); "
        "e.textContent = 'bottom'</script>"
    )
    assert snapshot.html.count("<i>") == 2000
    assert "bottom" in snapshot.html


def picture():
    from PIL import Image

    made = io.BytesIO()
    Image.new("RGB", (20, 20), "red").save(made, "PNG")
    return http(body=made.getvalue(), content_type="image/png")


async def test_a_page_that_crashes_is_an_error_and_the_next_one_is_read(read):
    deep = "for (let i = 0; i < 100000; i++) e = e.appendChild(document.createElement('i'))"
    with pytest.raises(WebError):
        await read(f"<body><script>let e = document.body; {deep}</script>", timeout=15)
    assert "fine" in (await read("fine")).html


async def test_images_carry_the_source_that_is_shown(read, server):
    server.routes["/big.png"] = server.routes["/small.png"] = [picture()]
    snapshot = await read("<img src=/small.png srcset='/big.png 1x' sizes=1px alt=A><img data-src=/later.png alt=B>")
    assert f'<img alt="A" src="{server.url("/big.png")}">' in snapshot.html
    assert '<img data-src="/later.png" alt="B">' in snapshot.html


async def test_lazy_images_are_scrolled_to_when_media_are_waited_for(read, server):
    server.routes["/a.png"] = server.routes["/b.png"] = [picture()]
    body = """<div style=height:9000px>top</div><img loading=lazy src=/a.png><img id=b data-src=/b.png><script>
    new IntersectionObserver((all) => { if (all[0].isIntersecting) b.src = b.dataset.src }).observe(b)</script>"""
    assert not {"/a.png", "/b.png"} & set(server.paths())
    snapshot = await read(body, timing="media-idle")
    assert f'src="{server.url("/a.png")}"' in snapshot.html
    assert f'src="{server.url("/b.png")}"' in snapshot.html


async def test_overlays_go_and_the_page_stays(read):
    body = f"""<style>html, body {{ overflow: hidden }} #wall, .veil {{ position: fixed; inset: 0; z-index: 9999 }}
    nav {{ position: sticky; top: 0 }} #bar {{ position: fixed; bottom: 0 }}</style><nav>menu</nav>
    <main>{"<p>article text</p>" * 40}</main><div id=wall>Accept all?</div><div class=veil></div>
    <div role=dialog>Subscribe!</div><div id=bar>We use cookies.</div>"""
    without = await read(body, remove_overlays=True)
    for gone in ("Accept all?", "Subscribe!", "We use cookies.", 'veil"'):
        assert gone not in without.html
    assert "menu" in without.html
    assert without.html.count("article text") == 40
    assert "Accept all?" in (await read(body)).html


async def test_an_app_whose_own_frame_is_fixed_is_no_overlay(read):
    body = "<div style='position:fixed;inset:0;overflow:auto'><p>everything there is</p></div>"
    assert "everything there is" in (await read(body, remove_overlays=True)).html


async def test_a_selector_is_waited_for(read):
    body = "<script>setTimeout(() => { document.body.innerHTML = '<p class=late>late</p>' }, 1500)</script>early"
    assert "late</p>" in (await read(body, wait_for_selector="p.late")).html
    assert "late</p>" not in (await read(body, timing="html")).html


async def test_a_selector_that_never_comes_leaves_what_there_is(read):
    snapshot = await read("<p>here</p>", wait_for_selector="#never", timeout=1.5)
    assert "<p>here</p>" in snapshot.html
    told = "Nothing matched wait_for_selector '#never' within 1.5 s; this is the page as it was then."
    assert snapshot.warnings == (told,)


async def test_a_selector_that_came_is_not_blamed_for_what_takes_too_long(read):
    body = "<p>here</p><script>setInterval(() => { document.body.append('x') }, 50)</script>"
    snapshot = await read(body, wait_for_selector="p", timing="mutation-idle", timeout=1.5)
    assert snapshot.warnings == ("The page is maybe not fully loaded after 1.5 s.",)


STEPS = """<p>first</p><div id=app></div><img src=/slow.png><script>
const add = (text) => { app.innerHTML += text }
fetch('/api').then((r) => r.text()).then(add)
document.querySelector('img').onload = () => add('pictured')
let n = 0; const tick = () => { add('t'); if (++n < 8) setTimeout(tick, 150); else add('ticked') }; tick()</script>"""


@pytest.mark.parametrize(
    ("timing", "there", "missing"),
    [
        ("html", "first", "fetched"),
        ("mutation-idle", "ticked", "pictured"),
        ("resource-idle", "fetched", "pictured"),
        ("media-idle", "pictured", "nothing"),
        ("network-idle", "pictured", "nothing"),
    ],
)
async def test_each_timing_waits_for_its_part(read, server, timing, there, missing):
    server.routes["/api"] = slowly(http(body=b"fetched", connection="close"), 0.5)
    server.routes["/slow.png"] = slowly(picture().replace(b"content-length", b"connection: close\r\ncontent-length"), 3)
    snapshot = await read(STEPS, timing=timing)
    assert there in snapshot.html
    assert missing not in snapshot.html


async def test_visible_content_is_waited_for_and_no_more(read, server):
    server.routes["/api"] = slowly(http(body=b"fetched", connection="close"), 3)
    body = "<div id=app></div><script>fetch('/api').then((r) => r.text()).then((t) => app.append(t));"
    body += "setTimeout(() => app.append('word '.repeat(80)), 400)</script>"
    snapshot = await read(body, timing="visible-content")
    assert "word word" in snapshot.html
    assert "fetched" not in snapshot.html


async def test_what_the_request_says(read, server):
    await read(
        "x<script>fetch('/sub')</script>",
        path="/shop/",
        cookies=("a=1", "b=2; Path=/", "c=3; Path=/other", "d=4; Max-Age=0"),
        headers={"X-Token": "secret"},
        user_agent="Tester/1.0",
        referer="https://from.test/",
        locale="de-AT",
    )
    first, sub = (next(r for r in server.received if r.path == path) for path in ("/shop/", "/sub"))
    assert first.headers["cookie"] == "a=1; b=2"
    assert first.headers["user-agent"] == "Tester/1.0"
    assert first.headers["referer"] == "https://from.test/"
    assert first.headers["accept-language"].startswith("de-AT")
    assert first.headers["x-token"] == sub.headers["x-token"] == "secret"
    assert sub.headers["cookie"] == "b=2"
    assert "proxy-authorization" not in first.headers


async def test_by_default_it_names_itself_and_keeps_nothing(read, server):
    server.routes["/"] = page("x", set_cookie="seen=1")
    await read()
    await read()
    agents = {request.headers["user-agent"] for request in server.received}
    assert len(agents) == 1
    assert "Headless" not in str(agents)
    assert "jina-components" in str(agents)
    assert not any("cookie" in request.headers for request in server.received if request.path == "/")


async def test_headers_go_to_no_other_origin(browser, server, start_server):
    other = start_server()
    other.routes["/"] = page("landed<img src=/image>", access_control_allow_origin="*")
    server.routes["/"] = [http(302, location=other.url("/"))]
    options = ReadOptions(headers={"X-Token": "secret"})
    assert "landed" in (await browser.snapshot(server.url("/"), options, timeout=20)).html
    assert server.received[0].headers["x-token"] == "secret"
    assert other.received
    assert not any("x-token" in request.headers for request in other.received)


@pytest.mark.parametrize("headers", [{"Host": "inside"}, {"X-A": "b\r\nX-B: c"}, {"Content-Length": "5"}])
async def test_headers_that_are_not_the_callers_are_input_errors(read, server, headers):
    with pytest.raises(InputError):
        await read("x", headers=headers)
    assert not server.received


async def test_malformed_cookies_are_input_errors(read):
    with pytest.raises(InputError):
        await read("x", cookies=("a=1; Domain=elsewhere.test",))


def size_of(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


async def test_pictures_have_the_size_of_the_window_or_the_page(read):
    tall = "<body style=margin:0><div style='height:3000px;background:red'>tall</div>"
    window = Viewport(width=400, height=300, scale=2.0)
    assert size_of((await read(tall, format="screenshot")).screenshot) == (1280, 1280)
    assert size_of((await read(tall, format="screenshot", viewport=window)).screenshot) == (800, 600)
    assert size_of((await read(tall, format="pageshot", viewport=window)).screenshot) == (800, 6000)


async def test_a_picture_ends_somewhere(read):
    snapshot = await read(
        "<div style='height:90000px'>x</div>", format="pageshot", viewport=Viewport(width=100, height=100)
    )
    assert size_of(snapshot.screenshot)[1] == 16_384
    assert any("ends after" in text for text in snapshot.warnings)


async def test_a_picture_of_a_page_that_lies_about_its_pixels_and_is_endlessly_wide(read):
    lying = await read("<script>devicePixelRatio = 'x'</script>", format="screenshot")
    assert size_of(lying.screenshot) == (1280, 1280)
    wide = await read("<div style='width:50000px;height:10px'>x</div>", format="pageshot")
    assert size_of(wide.screenshot)[0] == 4096
    assert any("ends after" in text for text in wide.warnings)


async def test_phones_are_emulated(read):
    body = "<meta name=viewport content='width=device-width'>"
    body += "<script>document.write(innerWidth, navigator.maxTouchPoints)</script>"
    phone = await read(body, viewport=Viewport(width=390, height=800, mobile=True))
    assert "3901" in phone.html


async def test_scripts_run_once_the_page_is_loaded_and_their_errors_are_told(read):
    server_policy = "<meta http-equiv=content-security-policy content=\"script-src 'none'\">"
    snapshot = await read(
        f"{server_policy}<p>x</p>",
        scripts=(
            "document.querySelector('p').textContent = 'changed'; let y = 1",
            "nonsense(",
            "throw new Error('none at all')",
        ),
    )
    assert "<p>changed</p>" in snapshot.html
    assert snapshot.warnings == (
        "scripts[1] failed: SyntaxError: Unexpected end of input",
        "scripts[2] failed: Error: none at all",
    )


async def test_given_html_is_rendered_at_its_url(read, server):
    server.routes["/data"] = [http(body=b"loaded")]
    html = "<title>Given \u00fc</title><p id=p></p>"
    html += "<script>fetch('/data').then(r => r.text()).then(t => p.append(t))</script>"
    snapshot = await read(path="/not/asked", html=html)
    assert '<p id="p">loaded</p>' in snapshot.html
    assert (snapshot.title, snapshot.url, snapshot.status) == ("Given \u00fc", server.url("/not/asked"), 200)
    assert "/not/asked" not in server.paths()


async def test_html_is_rendered_where_no_server_is(browser):
    url = "http://local.invalid/"
    snapshot = await browser.snapshot(url, ReadOptions(), timeout=20, html="<p>a<script>document.write('b')</script>")
    assert "<p>ab</p>" in snapshot.html


@pytest.mark.parametrize(
    ("content_type", "disposition"),
    [
        ("application/pdf", ""),
        ("application/octet-stream", ""),
        ("text/plain", ""),
        ("text/html", "attachment; filename=x"),
    ],
)
async def test_what_is_no_document_is_left_to_others(read, server, content_type, disposition):
    server.routes["/file"] = [
        http(body=b"%PDF-1.4 not really", content_type=content_type, content_disposition=disposition)
    ]
    snapshot = await read(path="/file")
    assert not snapshot.is_document
    assert snapshot.html == ""
    assert snapshot.url == server.url("/file")


async def test_an_error_page_is_a_page_with_a_warning(read, server):
    server.routes["/gone"] = [http(404, b"<p>It is gone.</p>", content_type="text/html")]
    snapshot = await read(path="/gone")
    assert "It is gone." in snapshot.html
    assert snapshot.status == 404
    assert any("404" in text for text in snapshot.warnings)


async def test_redirects_of_all_kinds_are_followed(read, server):
    server.routes["/http"] = [http(301, location="/meta")]
    server.routes["/meta"] = page("<meta http-equiv=refresh content='0;url=/script'>")
    server.routes["/script"] = page("<script>location.replace('/end')</script>")
    server.routes["/end"] = page("<p>arrived</p>")
    snapshot = await read(path="/http")
    assert "arrived" in snapshot.html
    assert snapshot.url == server.url("/end")


async def test_a_server_that_never_answers_is_a_timeout(read, server):
    server.routes["/"] = slowly(b"", 30)
    with pytest.raises(FetchTimeoutError):
        await read(timeout=1)


async def test_a_page_that_never_finishes_is_taken_as_far_as_it_is(read, server):
    server.routes["/never.js"] = slowly(b"", 30)
    snapshot = await read("<p>there</p><script src=/never.js></script><p>not yet</p>", timeout=2)
    assert "<p>there</p>" in snapshot.html
    assert any("not fully loaded" in text for text in snapshot.warnings)


async def test_servers_that_cannot_be_reached_are_web_errors(browser):
    with pytest.raises(WebError, match="cannot be reached"):
        await browser.snapshot("http://127.0.0.1:9999/", ReadOptions(), timeout=10)
    with pytest.raises(WebError, match="does not resolve"):
        await browser.snapshot("http://nothing.invalid/", ReadOptions(), timeout=10)


async def test_a_stream_grows_until_its_last_snapshot(browser, server):
    server.routes["/"] = page(
        "<div id=app></div><script>let n = 0;"
        "setInterval(() => { if (n < 4) app.innerHTML += `<p>part ${++n}</p>` }, 700)</script>"
    )
    options = ReadOptions(wait_for_selector="p:nth-child(4)")
    snapshots = [each async for each in browser.stream(server.url("/"), options, timeout=20)]
    counts = [each.html.count("<p>") for each in snapshots]
    assert len(snapshots) >= 3
    assert counts == sorted(counts)
    assert counts[-1] == 4
    assert [each.is_final for each in snapshots] == [False] * (len(snapshots) - 1) + [True]


async def test_a_slow_reader_of_a_stream_gets_the_newest_snapshot_only(browser, server):
    server.routes["/"] = page(
        "<p>0</p><script>setInterval(() => { app = document.querySelector('p');"
        "app.textContent = +app.textContent + 1 }, 100)</script>"
    )
    options = ReadOptions(wait_for_selector="#never")
    stream = browser.stream(server.url("/"), options, timeout=4)
    first = await anext(stream)
    await asyncio.sleep(2.5)
    second, *_, last = [each async for each in stream]
    ticks = [int(each.html.partition("<p>")[2].partition("<")[0]) for each in (first, second)]
    assert ticks[1] - ticks[0] > 10  # a snapshot comes every five
    assert last.is_final


async def test_the_errors_of_a_stream_are_those_of_a_snapshot(browser):
    with pytest.raises(WebError):
        async for _ in browser.stream("http://nothing.invalid/", ReadOptions(), timeout=10):
            pass


def test_settings_are_checked():
    for settings in ({"pool": 0}, {"pages_per_process": 0}, {"idle_seconds": 0}):
        with pytest.raises(ConfigError):
            Browser(**settings)
